/*
 * Extracts the plan of one agent from the configuration: which jobs are for it, with which
 * settings.
 */
#include "cmd/manager/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/mem.h"
#include "lib/name.h"

const struct manager_config_section *manager_config_agent(
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

const char *manager_config_address(const struct manager_config *config, const char *store)
{
	size_t i;

	for (i = 0; i < config->store_count; i++)
		if (strcmp(config->stores[i].name, store) == 0)
			return config->stores[i].address;
	return NULL;
}

int64_t manager_config_expect(const struct manager_config *config, const char *agent)
{
	const struct manager_config_section *section = manager_config_agent(config, agent);

	return section != NULL ? section->expect_sec : 0;
}

bool manager_config_job_for(const struct manager_config_section *job, const char *agent)
{
	size_t i;

	for (i = 0; i < job->agents.count && job->enabled; i++)
		if (manager_glob_match(job->agents.items[i], agent))
			return true;
	return false;
}

/* ---- the plan ---- */

/* Adds a store to the plan's list unless it is there. */
static int add_store(struct manager_plan *plan, const struct manager_config *config,
	const char *name, const struct manager_plan_store *known, size_t known_count,
	struct err *err)
{
	const char *address = manager_config_address(config, name);
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
	for (i = 0; i < known_count; i++)
		if (strcmp(known[i].name, name) == 0)
			*store = known[i];
	if (address != NULL)
		store->address = address;
	return 0;
}

int manager_config_plan(const struct manager_config *config, const char *agent,
	const struct manager_plan_store *known, size_t known_count, struct buf *buf,
	struct err *err)
{
	const struct manager_config_section *section = manager_config_agent(config, agent);
	struct manager_plan plan = {.agent = agent};
	size_t i, k;
	int ret = -1;

	assert(name_ok(agent, strlen(agent)));
	plan.jobs = mem_new(MANAGER_JOBS_MAX * sizeof *plan.jobs, err);
	plan.stores = mem_new(MANAGER_STORES_MAX * sizeof *plan.stores, err);
	if (plan.jobs == NULL || plan.stores == NULL)
		goto out;
	for (i = 0; i < config->job_count; i++) {
		struct manager_plan_job *job = &plan.jobs[plan.job_count];

		if (!manager_config_job_for(&config->jobs[i], agent))
			continue;
		if (plan.job_count == MANAGER_JOBS_MAX) {
			err_set(err, ERR_LIMIT, "plan of %s: more than %d jobs", agent,
				MANAGER_JOBS_MAX);
			goto out;
		}
		if (manager_config_merge(config, section, &config->jobs[i], job, err) != 0)
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
