/*
 * Cuts the plan of one agent out of the configuration: which jobs are for it,
 * and what they say on it.
 */
#include "cmd/manager/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/inner.h"
#include "lib/err.h"
#include "lib/name.h"
#include "lib/tz.h"

/* Row i, column j: whether glob[i..] and name[j..] can be the same text. Two rows
 * are enough, from the end. */
bool manager_glob_match(const char *glob, const char *name)
{
	bool rows[2][NAME_LEN_MAX + 2];
	size_t n = strlen(glob), m = strlen(name), i, j;

	assert(n <= NAME_LEN_MAX && m <= NAME_LEN_MAX);
	for (i = n + 1; i-- > 0;) {
		bool *row = rows[i & 1], *below = rows[(i + 1) & 1];

		for (j = m + 1; j-- > 0;) {
			if (i < n && glob[i] == '*')
				row[j] = below[j] || (j < m && row[j + 1]);
			else if (j < m && name[j] == '*')
				row[j] = row[j + 1] || (i < n && below[j]);
			else if (i < n && j < m)
				row[j] = glob[i] == name[j] && below[j + 1];
			else
				row[j] = i == n && j == m;
		}
	}
	return rows[0][0];
}

const struct manager_config_agent *manager_config_agent(
	const struct manager_config *config, const char *agent)
{
	size_t i;

	for (i = 0; i < config->agent_count; i++)
		if (strcmp(config->agents[i].name, agent) == 0)
			return &config->agents[i];
	for (i = 0; i < config->agent_count; i++)
		if (manager_glob_match(config->agents[i].name, agent))
			return &config->agents[i];
	return NULL;
}

int64_t manager_config_expect(const struct manager_config *config, const char *agent)
{
	const struct manager_config_agent *section = manager_config_agent(config, agent);

	return section != NULL ? section->expect_sec : 0;
}

bool manager_config_job_for(const struct manager_config_job *job, const char *agent)
{
	size_t i;

	for (i = 0; i < job->agents.count && job->enabled; i++)
		if (manager_glob_match(job->agents.items[i], agent))
			return true;
	return false;
}

/* ---- zones ---- */

const struct tz *manager_config_zone(const struct manager_config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->zone_count; i++)
		if (strcmp(config->zones[i].name, name) == 0)
			return config->zones[i].tz;
	return NULL;
}

const struct tz *manager_inner_zone(
	struct manager_config *config, const char *name, struct err *err)
{
	const struct tz *known = manager_config_zone(config, name);
	struct manager_zone *grown;
	struct tz *tz;

	if (known != NULL)
		return known;
	if (tz_load(name, &tz, err) != 0)
		return NULL;
	grown = realloc(config->zones, (config->zone_count + 1) * sizeof *grown);
	if (grown == NULL) {
		tz_free(tz);
		err_set(err, ERR_NOMEM, "configuration: out of memory");
		return NULL;
	}
	config->zones = grown;
	grown[config->zone_count++] = (struct manager_zone){name, tz};
	return tz;
}

/* ---- settings ---- */

/* What `from` says takes the place of what was said before. */
static void override(struct manager_settings *s, const struct manager_settings *from)
{
	if (from->stores.count > 0)
		s->stores = from->stores;
	if (from->recipients.count > 0) {
		s->recipients = from->recipients;
		s->unencrypted = false;
	}
	if (from->schedule != NULL)
		s->schedule = from->schedule;
	if (from->zone != NULL)
		s->zone = from->zone;
	if (from->before != NULL)
		s->before = from->before;
	if (from->after != NULL)
		s->after = from->after;
	if (from->given & MANAGER_GIVEN_COPIES)
		s->copies = from->copies;
	if (from->given & MANAGER_GIVEN_LEVEL)
		s->level = from->level;
	if (from->given & MANAGER_GIVEN_LOCK)
		s->lock_sec = from->lock_sec;
	if (from->given & MANAGER_GIVEN_JITTER)
		s->jitter_sec = from->jitter_sec;
	if (from->given & MANAGER_GIVEN_ALARM_AFTER)
		s->alarm_after_sec = from->alarm_after_sec;
	if (from->given & MANAGER_GIVEN_UNENCRYPTED) {
		s->unencrypted = from->unencrypted;
		s->recipients.count =
			from->unencrypted ? from->recipients.count : s->recipients.count;
	}
	if (from->given & MANAGER_GIVEN_EXCLUDE_CACHES)
		s->exclude_caches = from->exclude_caches;
	if (from->given & MANAGER_GIVEN_ONE_FILE_SYSTEM)
		s->one_file_system = from->one_file_system;
}

int manager_inner_merge(const struct manager_config *config,
	const struct manager_config_agent *agent, const struct manager_config_job *job,
	struct manager_settings *s)
{
	const struct manager_settings *parts[] = {
		&config->defaults, agent != NULL ? &agent->settings : NULL, &job->settings};
	size_t i, k, n = 0;

	*s = (struct manager_settings){.zone = "UTC", .level = MANAGER_LEVEL};
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++)
		n += parts[i] != NULL ? parts[i]->exclude.count : 0;
	s->exclude.items = calloc(n + 1, sizeof *s->exclude.items);
	if (s->exclude.items == NULL)
		return -1;
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (parts[i] == NULL)
			continue;
		override(s, parts[i]);
		for (k = 0; k < parts[i]->exclude.count; k++)
			s->exclude.items[s->exclude.count++] = parts[i]->exclude.items[k];
	}
	if (s->copies == 0) /* nobody said so: all, as fdump backup has it */
		s->copies = (int64_t)s->stores.count;
	return 0;
}

/* ---- the plan ---- */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "plan: out of memory");
}

/* Puts a store into the plan's list, unless it is there. */
static int add_store(struct manager_plan *plan, const struct manager_config *config,
	const char *name, const struct manager_known_store *known, size_t known_count,
	struct err *err)
{
	struct manager_plan_store *store;
	size_t i;

	for (i = 0; i < plan->store_count; i++)
		if (strcmp(plan->stores[i].name, name) == 0)
			return 0;
	if (plan->store_count == MANAGER_STORES_MAX)
		return err_set(err, ERR_LIMIT, "plan of %s: more than %d stores", plan->agent,
			MANAGER_STORES_MAX);
	store = &plan->stores[plan->store_count++];
	*store = (struct manager_plan_store){.name = name};
	for (i = 0; i < known_count; i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		store->address = known[i].address;
		store->has_uid = store->has_key = true;
		memcpy(store->uid, known[i].uid, sizeof store->uid);
		memcpy(store->key, known[i].key, sizeof store->key);
	}
	for (i = 0; i < config->store_count; i++)
		if (strcmp(config->stores[i].name, name) == 0 && config->stores[i].address != NULL)
			store->address = config->stores[i].address;
	return 0;
}

/* The job as it is on an agent; its texts are borrowed, except for exclude.items. */
static int make_job(struct manager_plan_job *out, const struct manager_config *config,
	const struct manager_config_agent *agent, const struct manager_config_job *job,
	struct err *err)
{
	struct manager_settings s;

	if (manager_inner_merge(config, agent, job, &s) != 0)
		return no_memory(err);
	*out = (struct manager_plan_job){.name = job->name,
		.schedule = s.schedule,
		.zone = s.zone,
		.before = s.before,
		.after = s.after,
		.paths = job->paths,
		.exclude = s.exclude,
		.stores = s.stores,
		.recipients = s.recipients,
		.copies = (unsigned)s.copies,
		.level = (unsigned)s.level,
		.jitter_sec = s.jitter_sec,
		.lock_sec = s.lock_sec,
		.alarm_after_sec = s.alarm_after_sec,
		.unencrypted = s.unencrypted,
		.exclude_caches = s.exclude_caches,
		.one_file_system = s.one_file_system};
	return 0;
}

int manager_config_plan(const struct manager_config *config, const char *agent,
	const struct manager_known_store *known, size_t known_count, struct buf *buf,
	struct err *err)
{
	const struct manager_config_agent *section = manager_config_agent(config, agent);
	struct manager_plan plan = {.agent = agent};
	size_t i, k;
	int ret = -1;

	assert(name_ok(agent, strlen(agent)));
	plan.jobs = calloc(MANAGER_JOBS_MAX, sizeof *plan.jobs);
	plan.stores = calloc(MANAGER_STORES_MAX, sizeof *plan.stores);
	if (plan.jobs == NULL || plan.stores == NULL) {
		no_memory(err);
		goto out;
	}
	for (i = 0; i < config->job_count; i++) {
		struct manager_plan_job *job = &plan.jobs[plan.job_count];

		if (!manager_config_job_for(&config->jobs[i], agent))
			continue;
		if (plan.job_count == MANAGER_JOBS_MAX) {
			err_set(err, ERR_LIMIT, "plan of %s: more than %d jobs", agent,
				MANAGER_JOBS_MAX);
			goto out;
		}
		if (make_job(job, config, section, &config->jobs[i], err) != 0)
			goto out;
		plan.job_count++;
		for (k = 0; k < job->stores.count; k++)
			if (add_store(&plan, config, job->stores.items[k], known, known_count,
				    err) != 0)
				goto out;
	}
	ret = manager_plan_encode(&plan, buf, err);
out:
	for (i = 0; i < plan.job_count; i++)
		free(plan.jobs[i].exclude.items);
	free(plan.jobs);
	free(plan.stores);
	return ret;
}
