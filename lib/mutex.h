/*
 * A mutex that knows which thread holds it, so that code can assert that it
 * runs under the mutex (mutex_held), or that it does not.
 *
 *   mutex_init -> (mutex_lock -> mutex_wait ... -> mutex_unlock)* -> mutex_fini
 *
 * Not recursive: a thread that holds the mutex must not lock it again, which is
 * asserted.
 */
#ifndef FDUMP_LIB_MUTEX_H
#define FDUMP_LIB_MUTEX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mutex {
	pthread_mutex_t mutex;
	_Atomic(const void *) owner; /* an address in the thread that holds it; NULL: free */
};

/* For a static mutex. */
#define MUTEX_INITIALIZER                                                                          \
	{                                                                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER                                                 \
	}

void mutex_init(struct mutex *mutex);
void mutex_fini(struct mutex *mutex);

void mutex_lock(struct mutex *mutex);
/* Returns true if the mutex was free and is now held by this thread. */
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
/* True if this thread holds it. For assertions. */
bool mutex_held(const struct mutex *mutex);

/* Releases the mutex, waits for the condition, and takes the mutex again.
 * Return values as of pthread_cond_wait and pthread_cond_timedwait. until_ms is
 * a time of uptime_ms (lib/uptime.h), whichever clock the condition uses. */
int mutex_wait(struct mutex *mutex, pthread_cond_t *cond);
int mutex_wait_until(struct mutex *mutex, pthread_cond_t *cond, int64_t until_ms);

#endif
