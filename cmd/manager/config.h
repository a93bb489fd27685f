/*
 * The managers' configuration: manager.conf, and the *.conf in conf.d beside it. The
 * same on every manager. fdump-manager(1) describes it for people.
 *
 *   manager_config_load -> _plan, _expect ... -> manager_config_free
 *
 * A configuration is a value: it is read, checked as a whole, and never changed;
 * who wants another one loads another one, and keeps the old one until that is
 * right.
 */
#ifndef FDUMP_CMD_MANAGER_CONFIG_H
#define FDUMP_CMD_MANAGER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/syntax.h"

struct buf;
struct err;
struct tz;

#define MANAGER_CONFIG_PATH      "/etc/fdump/manager.conf"
#define MANAGER_CONFIG_FILES_MAX 1024 /* in conf.d */

/* A section of any kind; what does not belong to the kind is zero. */
struct manager_config_section {
	const char *name, *file; /* of an agent section a glob */
	unsigned line;
	/* Of a job. */
	struct manager_list agents; /* globs of agents' names */
	bool enabled;
	/* Of an agent. */
	int64_t expect_sec; /* 0: none */
	/* Of a store or a manager. */
	const char *address; /* NULL: as it says itself */
	/* What defaults, agents and jobs can say. The job's word counts before the agent's, that
	 * before the defaults'; patterns of all three are joined. */
	uint32_t given; /* bits of the keys, by their place in the table of config.c */
	struct manager_plan_job says;
};

struct manager_config {
	struct manager_config_section defaults;
	struct manager_config_section *jobs, *agents, *stores, *managers;
	size_t job_count, agent_count, store_count, manager_count;
	struct manager_list all_stores; /* every store that may be named */
	const char *alarm_hook, *metrics;
	bool has_defaults, has_alarm;
	struct manager_zone { /* every zone that is named, loaded */
		const char *name;
		struct tz *tz;
	} * zones;
	size_t zone_count;
	struct manager_syntax *files; /* own all texts */
	size_t file_count;
};

/* Loads path and, sorted by name, the *.conf of the folder conf.d beside it.
 * Returns 0 with *config to be freed; 1 if something is wrong in them: `problem`
 * was called for each thing, and there is nothing to free; -1 with err set: a
 * file can't be read (ERR_NOTFOUND for path itself), ERR_NOMEM. */
int manager_config_load(struct manager_config **config, const char *path, manager_problem *problem,
	void *ctx, struct err *err);

/* The same of texts, for tests. names, texts: count of them. */
int manager_config_parse(struct manager_config **config, const char *const *names,
	const char *const *texts, size_t count, manager_problem *problem, void *ctx,
	struct err *err);

void manager_config_free(struct manager_config *config);

/* Appends the plan of one agent, encoded, to buf (see plan.h). An agent that no job is for has a
 * plan without jobs. known: stores that have told who they are, in any order; may be NULL. What the
 * configuration says of a store's address wins. Returns 0, or -1 with err set: ERR_LIMIT for more
 * than a plan may have. */
int manager_config_plan(const struct manager_config *config, const char *agent,
	const struct manager_plan_store *known, size_t known_count, struct buf *buf,
	struct err *err);

/* How long an agent may be away without any noise; 0: not at all. */
int64_t manager_config_expect(const struct manager_config *config, const char *agent);

/* The zone of that name, which the configuration names somewhere. */
const struct tz *manager_config_zone(const struct manager_config *config, const char *name);

/* The section that counts for an agent: the one of its very name, else the first
 * whose glob matches it; NULL: none. */
const struct manager_config_section *manager_config_agent(
	const struct manager_config *config, const char *agent);

/* What a job says on agents that this section (NULL: none) is for: the defaults, then the section,
 * then the job. All is borrowed except for out->exclude.items, which the caller frees. Returns 0,
 * or -1: no memory. */
int manager_config_merge(const struct manager_config *config,
	const struct manager_config_section *agent, const struct manager_config_section *job,
	struct manager_plan_job *out);

/* Whether a job is for an agent: enabled, and one of its globs matches. */
bool manager_config_job_for(const struct manager_config_section *job, const char *agent);

/* Whether a name matches a glob: '*' is any bytes, also none; all else is itself.
 * Of two globs: whether a name can match both. Both at most NAME_LEN_MAX bytes. */
bool manager_glob_match(const char *glob, const char *name);

#endif
