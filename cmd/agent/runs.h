/*
 * The runs in progress. Each is an `fdump backup` child process, whose JSON lines tell the outcome.
 * So a crash, or the memory that a run needs, stays in the child, and a backup always works in the
 * same way, no matter who ordered it. A child does not outlive this process: the kernel sends it
 * SIGTERM when its parent ends.
 *
 * Each step is in the journal: `starting` before the child starts, `ended` when it has ended.
 *
 *   filled in -> agent_runs_end_lost -> agent_runs_start ...
 *             -> agent_runs_shutdown -> agent_runs_fini
 *
 * Loop thread only.
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

#define AGENT_RUNS_MAX 4 /* with this many in progress no scheduled run is started */

/* Files and folders of the agent; borrowed. */
struct agent_place {
	const char *program;        /* path of this executable */
	const char *config, *state; /* folders, passed on to the children */
	const char *recipients;     /* folder of the pinned public keys, NAME.pub */
	const char *hooks;          /* folder of the hooks */
	bool accept_hidden;         /* --accept-hidden */
};

/* What to run: a job of a plan, for a slot. */
struct agent_order {
	const struct manager_plan_job *job;
	int64_t slot;        /* 0: ordered by a person */
	const uint8_t *plan; /* its digest, MANAGER_DIGEST_LEN bytes */
};

/* The caller sets the members up to .progress_ctx, and keeps what they point to. */
struct agent_runs {
	struct rpc_loop *loop;
	const struct agent_place *place;
	struct agent_notes *notes;
	/* The progress of a run, which it reports every few seconds; may be NULL. */
	void (*progress)(void *ctx, const char *job, uint64_t bytes, uint64_t entries);
	void *progress_ctx;
	/* Used by this module. */
	size_t count;
	struct agent_run *first;
	void (*idle)(void *ctx);
	void *idle_ctx;
};

/* Kills the runs in progress; nothing is recorded. */
void agent_runs_fini(struct agent_runs *runs);

/* Records the end of runs that are in progress according to the journal: they ended together with
 * the previous service. Returns 0, or -1 with err set. */
int agent_runs_end_lost(struct agent_runs *runs, struct err *err);

/* Starts a run of a job of this agent that is not running. id: set to the run's id; may be NULL.
 * Returns 0, or -1 with err set: it was not started, or it failed at once, which is recorded. */
int agent_runs_start(struct agent_runs *runs, const char *agent, const struct agent_order *order,
	uint8_t id[MANAGER_RUN_LEN], struct err *err);
/* Whether this job is running. */
bool agent_runs_has(const struct agent_runs *runs, const char *job);
/* Asks this job's run to end, by order of an operator, which came through this manager: SIGTERM,
 * and SIGKILL a minute later. Returns 0, or -1 with err set: ERR_NOTFOUND if it is not running. */
int agent_runs_cancel(
	struct agent_runs *runs, const char *job, const char *manager, struct err *err);

/* Ends all runs; they count as lost, so the next service tries them again. idle: called once, when
 * no run is left; possibly before this returns. */
void agent_runs_shutdown(struct agent_runs *runs, void (*idle)(void *ctx), void *ctx);

#endif
