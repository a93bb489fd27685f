/* Only the thread that holds the mutex writes the owner, and a thread only asks
 * whether it is the owner itself. So these accesses need no memory ordering. */
#include "lib/mutex.h"

#include <assert.h>

#include "lib/uptime.h"

static _Thread_local char self; /* its address identifies the thread */

static void own(struct mutex *m, const void *owner)
{
	atomic_store_explicit(&m->owner, owner, memory_order_relaxed);
}

void mutex_init(struct mutex *m)
{
	pthread_mutex_init(&m->mutex, NULL);
	atomic_init(&m->owner, NULL);
}

void mutex_fini(struct mutex *m)
{
	assert(atomic_load_explicit(&m->owner, memory_order_relaxed) == NULL);
	pthread_mutex_destroy(&m->mutex);
}

bool mutex_held(const struct mutex *m)
{
	return atomic_load_explicit(&m->owner, memory_order_relaxed) == &self;
}

void mutex_lock(struct mutex *m)
{
	assert(!mutex_held(m));
	pthread_mutex_lock(&m->mutex);
	own(m, &self);
}

bool mutex_trylock(struct mutex *m)
{
	assert(!mutex_held(m));
	if (pthread_mutex_trylock(&m->mutex) != 0)
		return false;
	own(m, &self);
	return true;
}

void mutex_unlock(struct mutex *m)
{
	assert(mutex_held(m));
	own(m, NULL);
	pthread_mutex_unlock(&m->mutex);
}

int mutex_wait(struct mutex *m, pthread_cond_t *cond)
{
	int ret;

	assert(mutex_held(m));
	own(m, NULL);
	ret = pthread_cond_wait(cond, &m->mutex);
	own(m, &self);
	return ret;
}

int mutex_wait_until(struct mutex *m, pthread_cond_t *cond, int64_t until_ms)
{
	struct timespec until = uptime_timespec(until_ms);
	int ret;

	assert(mutex_held(m));
	own(m, NULL);
	ret = pthread_cond_clockwait(cond, &m->mutex, CLOCK_MONOTONIC, &until);
	own(m, &self);
	return ret;
}
