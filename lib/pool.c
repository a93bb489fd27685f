/*
 * Two lists under one mutex: waiting jobs and finished jobs. A job that runs is
 * in neither. A worker also takes a cancelled job off the waiting list but
 * skips its work, so that all jobs move through the lists in the same way.
 */
#include "lib/pool.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/mem.h"
#include "lib/mutex.h"

struct pool {
	struct mutex mutex;
	pthread_cond_t more;
	STAILQ_HEAD(, pool_job) waiting, over;
	size_t waiting_count, queue_max;
	bool stopping;
	void (*wake)(void *arg);
	void *arg;
	unsigned threads;
	pthread_t thread[];
};

static void *worker(void *arg)
{
	struct pool *pool = arg;
	struct pool_job *job;
	bool skip, first;

	mutex_lock(&pool->mutex);
	for (;;) {
		while ((job = STAILQ_FIRST(&pool->waiting)) == NULL && !pool->stopping)
			mutex_wait(&pool->mutex, &pool->more);
		if (job == NULL)
			break;
		STAILQ_REMOVE_HEAD(&pool->waiting, next);
		pool->waiting_count--;
		skip = job->cancelled || pool->stopping;
		job->cancelled = skip;
		mutex_unlock(&pool->mutex);
		if (!skip)
			job->work(job);
		mutex_lock(&pool->mutex);
		first = STAILQ_EMPTY(&pool->over);
		STAILQ_INSERT_TAIL(&pool->over, job, next);
		if (first && pool->wake != NULL)
			pool->wake(pool->arg);
	}
	mutex_unlock(&pool->mutex);
	return NULL;
}

/* Workers block all signals, which are for the loop. */
static unsigned start_threads(struct pool *pool, unsigned wanted)
{
	sigset_t all, before;
	unsigned n;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (n = 0; n < wanted; n++)
		if (pthread_create(&pool->thread[n], NULL, worker, pool) != 0)
			break;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return n;
}

struct pool *pool_new(
	unsigned threads, size_t queue_max, void (*wake)(void *arg), void *arg, struct err *err)
{
	struct pool *pool = mem_new(sizeof *pool + threads * sizeof *pool->thread, err);

	if (pool == NULL)
		return NULL;
	mutex_init(&pool->mutex);
	pthread_cond_init(&pool->more, NULL);
	STAILQ_INIT(&pool->waiting);
	STAILQ_INIT(&pool->over);
	pool->queue_max = queue_max;
	pool->wake = wake;
	pool->arg = arg;
	pool->threads = start_threads(pool, threads);
	if (pool->threads == 0) {
		err_set(err, ERR_FAILED, "worker pool: no thread could be started");
		pool_free(pool);
		return NULL;
	}
	return pool;
}

void pool_free(struct pool *pool)
{
	unsigned i;

	if (pool == NULL)
		return;
	mutex_lock(&pool->mutex);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->more);
	mutex_unlock(&pool->mutex);
	for (i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pool_drain(pool);
	assert(STAILQ_EMPTY(&pool->waiting));
	pthread_cond_destroy(&pool->more);
	mutex_fini(&pool->mutex);
	free(pool);
}

int pool_start(struct pool *pool, struct pool_job *job)
{
	int full;

	mutex_lock(&pool->mutex);
	full = pool->waiting_count >= pool->queue_max || pool->stopping;
	if (!full) {
		job->cancelled = false;
		STAILQ_INSERT_TAIL(&pool->waiting, job, next);
		pool->waiting_count++;
		pthread_cond_signal(&pool->more);
	}
	mutex_unlock(&pool->mutex);
	return full;
}

void pool_cancel(struct pool *pool, struct pool_job *job)
{
	mutex_lock(&pool->mutex);
	job->cancelled = true;
	mutex_unlock(&pool->mutex);
}

/* One at a time, because a callback may cancel the next one. */
void pool_drain(struct pool *pool)
{
	for (;;) {
		struct pool_job *job;
		bool cancelled = false;

		mutex_lock(&pool->mutex);
		job = STAILQ_FIRST(&pool->over);
		if (job != NULL) {
			STAILQ_REMOVE_HEAD(&pool->over, next);
			cancelled = job->cancelled;
		}
		mutex_unlock(&pool->mutex);
		if (job == NULL)
			return;
		if (!cancelled)
			job->done(job);
		else if (job->drop != NULL)
			job->drop(job);
	}
}
