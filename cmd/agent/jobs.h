/*
 * The jobs of an agent: a plan that was checked against what the agent's own file decides, with
 * the slots of each job; and the file by which runs find the plan's stores.
 *
 *   zeroed -> agent_jobs_take ... -> agent_jobs_keep_stores, use .jobs -> agent_jobs_free
 */
#ifndef FDUMP_CMD_AGENT_JOBS_H
#define FDUMP_CMD_AGENT_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/slots.h"

struct err;
struct tz;

/* What the agent's own file decides, and no plan can change. Borrowed. */
struct agent_own {
	const char *const *read; /* paths below which a plan may back up; NULL: everywhere */
	size_t read_count;
	bool unencrypted;         /* whether a plan may ask for that */
	int64_t min_interval_sec; /* the shortest time between two starts of a job */
	int64_t warn_after_sec;   /* without any dump */
};

struct agent_job {
	const struct manager_plan_job *plan;
	struct tz *tz;
	struct manager_slots slots;
	bool valid; /* its slots could be computed; else it stays idle, and .why says why */
	char why[256];
};

struct agent_jobs {
	bool taken; /* there is a plan */
	struct manager_plan plan;
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct agent_job *jobs;
	size_t count;
};

/* Takes a plan on in place of the one before. agent: this agent's name; recipients: the folder of
 * the pinned public keys. Returns 0, or -1 with err set, and the plan before counts: ERR_DENIED
 * (the plan is another agent's, names a recipient that is not pinned, a path that may not be read,
 * or asks for no encryption), or what manager_plan_decode says. */
int agent_jobs_take(struct agent_jobs *jobs, const struct agent_own *own, const char *agent,
	const char *recipients, const void *bytes, size_t len, struct err *err);
void agent_jobs_free(struct agent_jobs *jobs);

/* Writes the file by which runs, which are processes of their own, find the plan's stores: lines
 * NAME ADDRESS [UID KEY]. What the plan does not say of one (the manager took the place of a lost
 * one, and the store has not called yet) stays as it is in the file; a store whose address is not
 * known is left out. Returns 0, or -1 with err set. */
int agent_jobs_keep_stores(const struct agent_jobs *jobs, const char *path, struct err *err);

#endif
