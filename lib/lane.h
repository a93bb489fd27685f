/*
 * Lanes: jobs that pass through the same row of stages, several at once, on a
 * few threads, in order where order matters.
 *
 * A stage is parallel (any thread, any order), serial (one job at a time, in the
 * order in which the jobs began), keyed: only jobs with the same key pass
 * one at a time and in order; or gathered: it takes all jobs at once that have
 * come to it, in order, when they are half of all there are, or no more will
 * come. The first stage is serial: it fills a
 * job, or says that there are no more. A thread takes the oldest job that can
 * move on; when none can, it begins a new one if a job is free, else it
 * waits. So at most as many jobs are under way as there are, which bounds
 * memory, and nothing needs a queue.
 */
#ifndef FDUMP_LIB_LANE_H
#define FDUMP_LIB_LANE_H

#include <stddef.h>

struct err;

#define LANE_STAGES_MAX  8
#define LANE_THREADS_MAX 64

/* One step of one job. worker is the thread's own context. Returns 0; 1, from
 * the first stage only: no job was made and there are no more; -1 with err
 * set: everything stops. */
typedef int lane_step(void *ctx, void *worker, void *job, struct err *err);

/* The same for jobs that were gathered, in their order; count is at least 1. Never 1. */
typedef int lane_gathered_step(
	void *ctx, void *worker, void *const *jobs, size_t count, struct err *err);

enum lane_kind { LANE_SERIAL = 0, LANE_PARALLEL = 1, LANE_KEYED = 2, LANE_GATHERED = 3 };

struct lane_stage {
	enum lane_kind kind;
	lane_step *step;
	/* Keyed: a job's key; NULL: it waits for nobody. Known when the stage
	 * before, which must be serial, has been passed. Called under a lock. */
	const void *(*key)(const void *job);
	/* Gathered, in place of .step. At most one stage of a row is so, and not the first. */
	lane_gathered_step *gathered;
};

/* Runs all jobs through all stages; returns when the last has left, or after
 * an error. One thread for each worker context; the caller's own is the first.
 * jobs: how many can be under way, at least 1. Returns 0, or -1 with err set:
 * the first error of a step, or that a thread could not be made. */
int lane_run(const struct lane_stage *stages, size_t stage_count, void *const *jobs,
	size_t job_count, void *const *workers, size_t worker_count, void *ctx, struct err *err);

#endif
