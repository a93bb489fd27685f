/*
 * Lanes: jobs that pass through the same row of stages, several at once, on a
 * few threads, in order where order matters.
 *
 * A stage is parallel (any thread, any order), serial (one job at a time, in the
 * order in which the jobs began), or keyed: only jobs with the same key pass
 * one at a time and in order. The first stage is serial: it fills a
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

enum lane_kind { LANE_SERIAL = 0, LANE_PARALLEL = 1, LANE_KEYED = 2 };

struct lane_stage {
	enum lane_kind kind;
	lane_step *step;
	/* Keyed: a job's key; NULL: it waits for nobody. Known when the stage
	 * before, which must be serial, has been passed. Called under a lock. */
	const void *(*key)(const void *job);
};

/* Runs all jobs through all stages; returns when the last has left, or after
 * an error. One thread for each worker context; the caller's own is the first.
 * jobs: how many can be under way, at least 1. Returns 0, or -1 with err set:
 * the first error of a step, or that a thread could not be made. */
int lane_run(const struct lane_stage *stages, size_t stage_count, void *const *jobs,
	size_t job_count, void *const *workers, size_t worker_count, void *ctx, struct err *err);

#endif
