/*
 * A mutex that knows which thread holds it: what must be done under it asserts mutex_held, and what
 * must not asserts that it is not.
 *
 *   mutex_init -> (mutex_lock -> mutex_wait ... -> mutex_unlock)* -> mutex_fini
 *
 * Not recursive: who has it must not take it again, which is asserted.
 */
#ifndef FDUMP_LIB_MUTEX_H
#define FDUMP_LIB_MUTEX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mutex {
	pthread_mutex_t mutex;
	_Atomic(const void *) owner; /* a thing of the thread that holds it; NULL: none does */
};

/* For one that is static. */
#define MUTEX_INITIALIZER                                                                          \
	{                                                                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER                                                 \
	}

void mutex_init(struct mutex *mutex);
void mutex_fini(struct mutex *mutex);

void mutex_lock(struct mutex *mutex);
/* Returns whether it was free, and is taken now. */
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
/* Whether this thread holds it. For assertions. */
bool mutex_held(const struct mutex *mutex);

/* Waits for the condition, without the mutex in the meantime; as pthread_cond_wait and
 * pthread_cond_timedwait, whose return values these are. until_ms: by uptime_ms (lib/uptime.h),
 * whatever the clock of the condition is. */
int mutex_wait(struct mutex *mutex, pthread_cond_t *cond);
int mutex_wait_until(struct mutex *mutex, pthread_cond_t *cond, int64_t until_ms);

#endif
