/*
 * The managers' configuration: manager.conf, and the *.conf files in conf.d next to it. It is the
 * same on every manager. fdump-manager(1) describes it for people.
 *
 *   manager_config_load -> _plan, _expect ... -> manager_config_free
 *
 * A configuration is a value: it is read, checked as a whole, and never changed. To change to
 * another one, load it, and keep the old one until the new one has turned out to be valid.
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

/* A section of any kind; members that its kind does not have are zero. */
struct manager_config_section {
	const char *name, *file; /* an agent section has a glob as its name */
	unsigned line;
	bool broken; /* while it is checked: some of its keys could not be read */
	/* Only job sections. */
	struct manager_list agents; /* globs that match agents' names */
	bool enabled;
	/* Only agent sections. */
	int64_t expect_sec; /* 0: none */
	/* Only store and manager sections. */
	const char *address; /* NULL: what the store or manager itself says */
	/* Settings of defaults, agents and jobs. A job's setting wins over the agent's, and that
	 * over the defaults'; but the patterns of all three are combined. */
	uint32_t given; /* which keys were given: a bit for each, by its index in shared_keys
			   (config.c) */
	struct manager_plan_job says;
};

struct manager_config {
	struct manager_config_section defaults;
	struct manager_config_section *jobs, *agents, *stores, *managers;
	size_t job_count, agent_count, store_count, manager_count;
	struct manager_list all_stores; /* all stores that may be named */
	const char *alarm_hook, *metrics;
	bool has_defaults, has_alarm;
	bool has_job; /* one that is enabled; a configuration without is valid, but hardly meant */
	struct manager_zone { /* all time zones that are named, loaded */
		const char *name;
		struct tz *tz;
	} * zones;
	size_t zone_count;
	struct manager_syntax *files; /* own all strings */
	size_t file_count;
};

/* Loads path, and then, sorted by name, the *.conf files of the folder conf.d next to it. Returns 0
 * with *config, which must be freed; 1 if they are invalid: `problem` was called for each problem,
 * and there is nothing to free; -1 with err set: a file can't be read (ERR_NOTFOUND: path does not
 * exist), ERR_LIMIT (too many files), ERR_NOMEM. */
int manager_config_load(struct manager_config **config, const char *path, manager_problem *problem,
	void *ctx, struct err *err);

/* The same from strings, for tests. names, texts: `count` each. */
int manager_config_parse(struct manager_config **config, const char *const *names,
	const char *const *texts, size_t count, manager_problem *problem, void *ctx,
	struct err *err);

void manager_config_free(struct manager_config *config);

/* Appends an agent's plan, encoded, to buf (see plan.h). If no job is for the agent the plan has no
 * jobs. known: the stores that have said hello, in any order; may be NULL. If the configuration has
 * an address for a store, it wins. Returns 0, or -1 with err set: ERR_LIMIT (more than fits into a
 * plan), ERR_NOMEM. */
int manager_config_plan(const struct manager_config *config, const char *agent,
	const struct manager_plan_store *known, size_t known_count, struct buf *buf,
	struct err *err);

/* How long an agent may be away without being reported as late, in seconds; 0: no allowance. */
int64_t manager_config_expect(const struct manager_config *config, const char *agent);

/* The time zone of this name, which the configuration must name; NULL if it does not. Borrowed. */
const struct tz *manager_config_zone(const struct manager_config *config, const char *name);

/* The address that the configuration has for a store; NULL if none. Borrowed. */
const char *manager_config_address(const struct manager_config *config, const char *store);

/* The section that applies to an agent: the one with exactly its name, else the first whose glob
 * matches it; NULL if there is none. */
const struct manager_config_section *manager_config_agent(
	const struct manager_config *config, const char *agent);

/* Combines the settings of a job on the agents that this section (NULL: none) is for: first the
 * defaults, then the section, then the job. Everything is borrowed except out->exclude.items, which
 * the caller frees. Returns 0, or -1 with err set: out of memory. */
int manager_config_merge(const struct manager_config *config,
	const struct manager_config_section *agent, const struct manager_config_section *job,
	struct manager_plan_job *out, struct err *err);

/* Whether a job is for an agent: it is enabled, and one of its globs matches. */
bool manager_config_job_for(const struct manager_config_section *job, const char *agent);

/* Whether a name matches a glob: '*' stands for any bytes, or none; other characters for
 * themselves. If both are globs: whether some name matches both. Both have at most NAME_LEN_MAX
 * bytes. */
bool manager_glob_match(const char *glob, const char *name);

#endif
