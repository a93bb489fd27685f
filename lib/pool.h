/*
 * A pool of threads for work that blocks: files, hashing, LMDB.
 *
 * pool_new -> pool_start ... pool_drain ... -> pool_free. The queue is bounded.
 * A job is a struct that the caller embeds in its own object and owns again
 * once `done` or `drop` has run. Exactly one of the two runs for each job that
 * pool_start accepted, never from inside pool_start or pool_cancel, and always
 * in the thread that calls pool_drain or pool_free: the owner of the pool.
 *
 * When there are jobs to drain, a worker calls `wake`. It must be thread-safe
 * and cheap; rpc/loop's rpc_async_send is made for it.
 */
#ifndef FDUMP_LIB_POOL_H
#define FDUMP_LIB_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct err;
struct pool;

struct pool_job {
	/* Runs in a worker. */
	void (*work)(struct pool_job *job);
	/* Runs in the owner's thread, after work. */
	void (*done)(struct pool_job *job);
	/* Runs there instead of done if the job was cancelled, whether or not work has
	 * run. Frees what done would have freed. NULL: nothing to do. */
	void (*drop)(struct pool_job *job);
	/* For the pool only. */
	STAILQ_ENTRY(pool_job) next;
	bool cancelled;
};

/* Starts the threads. At most queue_max jobs wait. wake may be NULL, for an
 * owner that polls. Returns NULL with err set if out of memory or no thread
 * could be started. */
struct pool *pool_new(
	unsigned threads, size_t queue_max, void (*wake)(void *arg), void *arg, struct err *err);

/* Waits for running jobs, drops those that wait (drop runs for them, and done
 * or drop for those that have finished), and frees the pool. NULL does nothing. */
void pool_free(struct pool *pool);

/* Queues the job; it must not move. Returns 0, or 1 if the queue is full: the
 * job is still the caller's; try again after a drain. */
int pool_start(struct pool *pool, struct pool_job *job);

/* The job's result is no longer wanted: a later pool_drain will run drop
 * instead of done. Only for a job that was started and whose done has not run. */
void pool_cancel(struct pool *pool, struct pool_job *job);

/* Runs done or drop of every finished job. They may start further jobs. */
void pool_drain(struct pool *pool);

#endif
