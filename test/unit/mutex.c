/* lib/mutex: who holds it, also during a wait for a condition. */
#include "test/unit/unit.h"

#include <errno.h>

#include "lib/mutex.h"
#include "lib/uptime.h"

static struct mutex mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool held_there, taken_there, ready;

static void *look(void *arg)
{
	(void)arg;
	held_there = mutex_held(&mutex);
	taken_there = mutex_trylock(&mutex);
	if (taken_there)
		mutex_unlock(&mutex);
	return NULL;
}

static void look_elsewhere(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, look, NULL), 0);
	pthread_join(thread, NULL);
}

static void is_held(void **state)
{
	(void)state;
	mutex_init(&mutex);
	assert_false(mutex_held(&mutex));
	mutex_lock(&mutex);
	assert_true(mutex_held(&mutex));
	look_elsewhere();
	assert_false(held_there);
	assert_false(taken_there);
	mutex_unlock(&mutex);
	assert_false(mutex_held(&mutex));
	look_elsewhere();
	assert_true(taken_there);
	mutex_fini(&mutex);
}

static void *signal_ready(void *arg)
{
	(void)arg;
	mutex_lock(&mutex);
	held_there = mutex_held(&mutex);
	ready = true;
	pthread_cond_signal(&cond);
	mutex_unlock(&mutex);
	return NULL;
}

static void waits(void **state)
{
	pthread_t thread;
	int64_t until;

	(void)state;
	mutex_init(&mutex);
	mutex_lock(&mutex);
	assert_int_equal(mutex_wait_until(&mutex, &cond, 1), ETIMEDOUT);
	assert_true(mutex_held(&mutex));
	until = uptime_ms() + 20;
	while (mutex_wait_until(&mutex, &cond, until) == 0)
		continue;
	assert_true(uptime_ms() >= until && uptime_ms() < until + 10000);
	assert_int_equal(pthread_create(&thread, NULL, signal_ready, NULL), 0);
	while (!ready)
		mutex_wait(&mutex, &cond);
	assert_true(mutex_held(&mutex));
	assert_true(held_there);
	mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	mutex_fini(&mutex);
}

static void is_static(void **state)
{
	static struct mutex one = MUTEX_INITIALIZER;

	(void)state;
	assert_true(mutex_trylock(&one));
	assert_true(mutex_held(&one));
	mutex_unlock(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_held),
		cmocka_unit_test(waits),
		cmocka_unit_test(is_static),
	};

	return RUN(tests);
}
