#include "cmd/agent/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/name.h"
#include "lib/tz.h"

#define STORES_FILE_MAX (1u << 20)

/* --- the agent's own file --------------------------------------------------- */

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	while (len > 1 && folder[len - 1] == '/')
		len--;
	return strncmp(path, folder, len) == 0 &&
	       (path[len] == '/' || path[len] == 0 || (len == 1 && folder[0] == '/'));
}

/* Whether a component of the path is "..". */
static bool goes_up(const char *path)
{
	for (; path != NULL; path = strchr(path, '/')) {
		path += *path == '/';
		if (path[0] == '.' && path[1] == '.' && (path[2] == '/' || path[2] == 0))
			return true;
	}
	return false;
}

static bool is_listed(const struct agent_own *own, const char *path)
{
	size_t i;

	for (i = 0; i < own->read.count; i++)
		if (is_below(path, own->read.items[i]))
			return true;
	return false;
}

/* Checks both the path as written and its target. */
static bool may_read(const struct agent_own *own, const char *path)
{
	char *real;
	bool may;

	if (own->read.count == 0)
		return true;
	if (goes_up(path) || !is_listed(own, path))
		return false;
	real = realpath(path, NULL);
	may = real == NULL || is_listed(own, real); /* a path that does not exist can't be read */
	free(real);
	return may;
}

/* Checks what the agent's own configuration forbids. Returns 0, or -1 with err set. */
static int check(const struct manager_plan *plan, const struct agent_own *own, const char *agent,
	const char *recipients, struct err *err)
{
	char path[4200];
	size_t i, k;

	if (strcmp(plan->agent, agent) != 0)
		return err_set(err, ERR_DENIED, "it is the plan of another agent, %s", plan->agent);
	for (i = 0; i < plan->job_count; i++) {
		const struct manager_plan_job *job = &plan->jobs[i];

		if (job->unencrypted && !own->unencrypted)
			return err_set(err, ERR_DENIED,
				"job %s is to be stored unencrypted, which agent.conf does not "
				"allow",
				job->name);
		for (k = 0; k < job->recipients.count; k++) {
			snprintf(path, sizeof path, "%.4000s/%s.pub", recipients,
				job->recipients.items[k]);
			if (access(path, R_OK) != 0)
				return err_set(err, ERR_DENIED,
					"job %s is to be sealed to %s, which is not among the "
					"recipients that this agent was enrolled with",
					job->name, job->recipients.items[k]);
		}
		for (k = 0; k < job->paths.count; k++)
			if (!may_read(own, job->paths.items[k]))
				return err_set(err, ERR_DENIED,
					"job %s is to read %s, which agent.conf does not allow",
					job->name, job->paths.items[k]);
	}
	return 0;
}

/* --- the jobs --------------------------------------------------------------- */

static void set_slots(struct agent_job *job, const struct manager_plan *plan)
{
	struct err why = {0};

	job->valid = tz_load(job->plan->zone, &job->tz, &why) == 0 &&
		     manager_slots_init(&job->slots, job->plan->schedule, job->tz,
			     job->plan->jitter_sec, plan->agent, job->plan->name, &why) == 0;
	if (!job->valid)
		snprintf(job->why, sizeof job->why, "%.255s", why.message);
}

int agent_jobs_take(struct agent_jobs *jobs, const struct agent_own *own, const char *agent,
	const char *recipients, const void *bytes, size_t len, struct err *err)
{
	struct agent_jobs new = {.taken = true};
	size_t i;

	if (manager_plan_decode(&new.plan, bytes, len, err) != 0)
		return -1;
	new.jobs = calloc(new.plan.job_count + 1, sizeof *new.jobs);
	if (new.jobs == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	if (new.jobs == NULL || check(&new.plan, own, agent, recipients, err) != 0) {
		free(new.jobs);
		manager_plan_free(&new.plan);
		return -1;
	}
	for (i = 0; i < new.plan.job_count; i++) {
		new.jobs[i].plan = &new.plan.jobs[i];
		set_slots(&new.jobs[i], &new.plan);
	}
	new.count = new.plan.job_count;
	manager_plan_digest(bytes, len, new.digest);
	agent_jobs_free(jobs);
	*jobs = new;
	return 0;
}

void agent_jobs_free(struct agent_jobs *jobs)
{
	size_t i;

	for (i = 0; i < jobs->count; i++)
		tz_free(jobs->jobs[i].tz);
	free(jobs->jobs);
	if (jobs->taken)
		manager_plan_free(&jobs->plan);
	*jobs = (struct agent_jobs){.taken = false};
}

/* --- the file of stores ----------------------------------------------------- */

struct line {
	char name[NAME_LEN_MAX + 1], address[1024];
	char uid[2 * MANAGER_UID_LEN + 1], key[2 * MANAGER_KEY_LEN + 1]; /* "": unknown */
};

/* Finds a store's line in the file's text; all zeros if there is none. */
static struct line find_line(const char *text, const char *name)
{
	struct line line;

	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		line = (struct line){.name = ""};
		if (sscanf(text, "%63[^ \n]%*[ ]%1023[^ \n]%*[ ]%32[^ \n]%*[ ]%64[^ \n]", line.name,
			    line.address, line.uid, line.key) >= 2 &&
			strcmp(line.name, name) == 0)
			return line;
	}
	return (struct line){.name = ""};
}

static int add_store(
	struct buf *lines, const struct manager_plan_store *store, const char *old, struct err *err)
{
	struct line line = find_line(old, store->name);

	if (store->address != NULL)
		snprintf(line.address, sizeof line.address, "%s", store->address);
	if (store->has_uid && store->has_key) {
		esc_hex(line.uid, store->uid, sizeof store->uid);
		esc_hex(line.key, store->key, sizeof store->key);
	}
	if (line.address[0] == 0)
		return 0;
	if (buf_addf(lines, err, "%s %s", store->name, line.address) != 0)
		return -1;
	if (line.key[0] != 0 && buf_addf(lines, err, " %s %s", line.uid, line.key) != 0)
		return -1;
	return buf_addf(lines, err, "\n");
}

int agent_jobs_keep_stores(const struct agent_jobs *jobs, const char *path, struct err *err)
{
	struct buf old, lines;
	size_t i;
	int ret = 0;

	buf_init(&old, STORES_FILE_MAX);
	buf_init(&lines, STORES_FILE_MAX);
	/* If it can't be read it is rewritten. */
	(void)file_read_buf(path, &old, NULL, NULL);
	for (i = 0; i < jobs->plan.store_count && ret == 0; i++)
		ret = add_store(
			&lines, &jobs->plan.stores[i], old.len > 0 ? (char *)old.data : "", err);
	if (ret == 0)
		ret = file_write(path, lines.data, lines.len, 0600, err);
	buf_fini(&lines);
	buf_fini(&old);
	return ret;
}
