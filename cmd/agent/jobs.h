/*
 * The jobs of an agent: a plan that was checked against the agent's own configuration, with the
 * slots of each job; and the file in which runs look up the plan's stores.
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

/* What the agent's own configuration decides; no plan can change it. Borrowed. */
struct agent_own {
	struct manager_list read; /* a plan may back up only below these; none: anything */
	bool unencrypted;         /* whether a plan may ask for unencrypted dumps */
	int64_t min_interval_sec; /* shortest time between two starts of a job */
	int64_t warn_after_sec;   /* warn if no dump was made for this long */
};

struct agent_job {
	const struct manager_plan_job *plan;
	struct tz *tz;
	struct manager_slots slots;
	bool valid; /* its slots could be computed; otherwise the job never runs by schedule, and
		       .why says why */
	char why[256];
};

struct agent_jobs {
	bool taken; /* there is a plan */
	struct manager_plan plan;
	uint8_t digest[MANAGER_DIGEST_LEN];
	struct agent_job *jobs;
	size_t count;
};

/* Replaces the current plan with this one. agent: this agent's name; recipients: the folder of the
 * pinned public keys. Returns 0, or -1 with err set, and the current plan stays: ERR_DENIED (the
 * plan is another agent's, names a recipient that is not pinned or a path that may not be read, or
 * asks for no encryption), ERR_NOMEM, or as manager_plan_decode. */
int agent_jobs_take(struct agent_jobs *jobs, const struct agent_own *own, const char *agent,
	const char *recipients, const void *bytes, size_t len, struct err *err);
void agent_jobs_free(struct agent_jobs *jobs);

/* Writes the file in which runs, which are processes of their own, look up the plan's stores: lines
 * of NAME ADDRESS [UID KEY]. If the plan lacks an address, or uid and key, those in the current
 * file are kept (a manager that replaces a lost one knows them only after the store has connected).
 * A store without a known address is left out. Returns 0, or -1 with err set. */
int agent_jobs_keep_stores(const struct agent_jobs *jobs, const char *path, struct err *err);

#endif
