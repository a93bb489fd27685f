/*
 * A pipeline: jobs pass through the same stages, several at once, on a few
 * threads, in order where order matters.
 *
 * A stage is serial (one job at a time, in the order in which the jobs began),
 * parallel (any thread, any order), keyed (jobs with the same key one at a time
 * and in order) or gathered (all waiting jobs at once, in order, when half of
 * all jobs are waiting or no more will come). The first stage is serial: it
 * fills a job, or reports that there are no more. A thread takes the oldest job
 * that can run its next stage. If there is none, it begins a new job if one is
 * free; else it waits. So no more jobs are in progress than the caller
 * supplied, which bounds memory, and no queues are needed.
 */
#ifndef FDUMP_LIB_LANE_H
#define FDUMP_LIB_LANE_H

#include <stddef.h>

struct err;

#define LANE_STAGES_MAX  8
#define LANE_THREADS_MAX 64

/* One step of one job. worker is the context of the thread. Returns 0; 1, from
 * the first stage only: no job was made and there are no more; -1 with err set:
 * everything stops. */
typedef int lane_step(void *ctx, void *worker, void *job, struct err *err);

/* The same for gathered jobs, in their order; count is at least 1. Never
 * returns 1. */
typedef int lane_gathered_step(
	void *ctx, void *worker, void *const *jobs, size_t count, struct err *err);

enum lane_kind { LANE_SERIAL = 0, LANE_PARALLEL = 1, LANE_KEYED = 2, LANE_GATHERED = 3 };

struct lane_stage {
	enum lane_kind kind;
	lane_step *step;
	/* Keyed: returns a job's key; NULL: the job waits for no other. The key must be
	 * known after the stage before, which must be serial. Called under a lock. */
	const void *(*key)(const void *job);
	/* Gathered: replaces .step. At most one stage may be gathered, and not the first. */
	lane_gathered_step *gathered;
};

/* Runs all jobs through all stages. Returns when the last job has finished, or
 * after an error. Runs one thread for each worker context, of which the
 * caller's own thread is the first. job_count: how many jobs can be in
 * progress, at least 1. Returns 0, or -1 with err set: the first error of a
 * step, or ERR_NOMEM. If a thread can't be created, fewer do the work. */
int lane_run(const struct lane_stage *stages, size_t stage_count, void *const *jobs,
	size_t job_count, void *const *workers, size_t worker_count, void *ctx, struct err *err);

#endif
