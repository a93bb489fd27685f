/*
 * The runs that are under way: each is `fdump backup` as a child process, whose JSON lines say what
 * came of it. So a crash, or what a run takes of memory, stays in the child, and there is one way
 * to back up, no matter who ordered it. A child ends with this process: it gets SIGTERM from the
 * kernel when its parent ends.
 *
 * What a run does is in the journal before it is done: `starting` before the child starts, `ended`
 * when it has ended.
 *
 *   filled in -> agent_runs_end_lost -> agent_runs_start ...
 *             -> agent_runs_shutdown -> agent_runs_fini
 *
 * All from the loop's thread.
 */
#ifndef FDUMP_CMD_AGENT_RUNS_H
#define FDUMP_CMD_AGENT_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/plan.h"
#include "cmd/manager/report.h"

struct agent_notes;
struct agent_run;
struct err;
struct rpc_loop;

#define AGENT_RUNS_MAX 4 /* at the same time, of those that are due */

/* Where the agent's things are; borrowed. */
struct agent_place {
	const char *program;        /* path of this executable */
	const char *config, *state; /* folders, as its children get them */
	const char *recipients;     /* folder of the pinned public keys, NAME.pub */
	const char *hooks;          /* folder of the hooks */
	bool accept_hidden;         /* --accept-hidden */
};

/* What is run: a job of a plan, for a slot. */
struct agent_order {
	const struct manager_plan_job *job;
	int64_t slot;        /* 0: by order */
	const uint8_t *plan; /* its digest, MANAGER_DIGEST_LEN bytes */
};

/* All is borrowed. */
struct agent_runs {
	struct rpc_loop *loop;
	const struct agent_place *place;
	struct agent_notes *notes;
	/* How far a run is, as it tells itself every few seconds. */
	void (*progress)(void *ctx, const char *job, uint64_t bytes, uint64_t entries);
	void *progress_ctx;
	/* Its own. */
	size_t count;
	struct agent_run *first;
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* Kills what is under way; nothing is recorded. */
void agent_runs_fini(struct agent_runs *runs);

/* Records the end of the runs that the journal has as under way: they ended with the service
 * before. Returns 0, or -1 with err set. */
int agent_runs_end_lost(struct agent_runs *runs, struct err *err);

/* Starts a run of this agent. id (may be NULL) gets the run's. Returns 0, or -1 with err set: none
 * was started, or it has failed at once, which is recorded. */
int agent_runs_start(struct agent_runs *runs, const char *agent, const struct agent_order *order,
	uint8_t id[MANAGER_RUN_LEN], struct err *err);
/* Whether a run of this job is under way. */
bool agent_runs_has(const struct agent_runs *runs, const char *job);
/* Asks this job's run to end: SIGTERM, and SIGKILL a minute later. Returns 0, or -1 with err set:
 * ERR_NOTFOUND. */
int agent_runs_cancel(struct agent_runs *runs, const char *job, struct err *err);

/* Cancels all. idle: once, when none is left; perhaps from inside. */
void agent_runs_shutdown(struct agent_runs *runs, void (*idle)(void *ctx), void *ctx);

#endif
