/* lib/pool: each job ends in done or in drop, once, in the owner's thread. */
#include "test/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/pool.h"

struct job {
	struct pool_job job;
	atomic_int worked;
	int done, dropped;
	pthread_t owner;
};

static atomic_int wakes;

static void wake(void *arg)
{
	(void)arg;
	wakes++;
}

static void work(struct pool_job *job)
{
	usleep(1000);
	((struct job *)job)->worked++;
}

static void done(struct pool_job *job)
{
	struct job *j = (struct job *)job;

	j->done++;
	assert_true(pthread_equal(j->owner, pthread_self()));
}

static void drop(struct pool_job *job)
{
	((struct job *)job)->dropped++;
}

static void init(struct job *j, size_t count)
{
	while (count-- > 0)
		j[count] = (struct job){
			.job = {.work = work, .done = done, .drop = drop}, .owner = pthread_self()};
}

static void every_job_ends_once(void **state)
{
	static struct job j[100];
	struct err err = {0};
	struct pool *pool = pool_new(3, 60, wake, NULL, &err);
	int i, taken = 0, left;

	(void)state;
	assert_non_null(pool);
	init(j, 100);
	for (i = 0; i < 100; i++) {
		if (pool_start(pool, &j[i].job) != 0)
			break;
		taken++;
	}
	assert_in_range(taken, 60, 70);
	for (i = 1; i < taken; i += 2)
		pool_cancel(pool, &j[i].job);
	do {
		usleep(500);
		pool_drain(pool);
		for (left = i = 0; i < taken; i++)
			left += j[i].done + j[i].dropped == 0;
	} while (left > 0);
	for (i = 0; i < taken; i++) {
		assert_int_equal(j[i].done, i % 2 == 0);
		assert_int_equal(j[i].dropped, i % 2);
		assert_true(j[i].worked == 1 || i % 2 == 1);
	}
	assert_true(wakes > 0);
	pool_free(pool);
	assert_int_equal(j[0].done, 1);
}

static void freeing_drops_what_waits(void **state)
{
	static struct job j[50];
	struct err err = {0};
	struct pool *pool = pool_new(2, 100, NULL, NULL, &err);
	int i;

	(void)state;
	init(j, 50);
	for (i = 0; i < 50; i++)
		assert_int_equal(pool_start(pool, &j[i].job), 0);
	pool_free(pool);
	for (i = 0; i < 50; i++) {
		assert_int_equal(j[i].done + j[i].dropped, 1);
		assert_int_equal(j[i].worked, j[i].done);
	}
	pool_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_ends_once),
		cmocka_unit_test(freeing_drops_what_waits),
	};
	return RUN(tests);
}
