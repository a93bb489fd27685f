/* lib/lane: order, keys, gathering, bounds, errors, with 1 to 8 threads. */
#include "test/unit/unit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "lib/lane.h"

#define JOBS_MAX 16

static struct err err;

struct job {
	unsigned number;
	unsigned steps;
};

struct worker {
	atomic_int inside; /* a thread's own: never two at once */
};

struct run {
	unsigned made, wanted;
	unsigned joined, left;
	unsigned fail_at, fail_stage; /* fail_stage 0: nowhere */
	atomic_int serial[3];
	atomic_int inside[2]; /* of a keyed stage, by key */
	unsigned keyed[2];    /* the next one allowed there */
	unsigned gathered, gatherings;
	size_t largest; /* gathering */
	atomic_int gathering;
};

/* In threads cmocka's own assertions would jump to another thread's stack. */
#define CHECK(what) ((what) ? (void)0 : abort())

static void enter(struct run *r, struct worker *w, int serial)
{
	CHECK(atomic_fetch_add(&w->inside, 1) == 0);
	if (serial >= 0)
		CHECK(atomic_fetch_add(&r->serial[serial], 1) == 0);
}

static void leave(struct run *r, struct worker *w, int serial)
{
	if (serial >= 0)
		atomic_fetch_sub(&r->serial[serial], 1);
	atomic_fetch_sub(&w->inside, 1);
}

static int fails(const struct run *r, const struct job *job, unsigned stage, struct err *e)
{
	if (r->fail_stage != stage || job->number != r->fail_at)
		return 0;
	return err_set(e, ERR_IO, "job %u, stage %u", job->number, stage);
}

static int make(void *ctx, void *worker, void *job_, struct err *e)
{
	struct run *r = ctx;
	struct job *job = job_;
	int got;

	enter(r, worker, 0);
	job->number = r->made;
	job->steps = 1;
	got = r->made == r->wanted ? 1 : fails(r, job, 1, e);
	r->made += got == 0;
	leave(r, worker, 0);
	return got;
}

static int work(void *ctx, void *worker, void *job_, struct err *e)
{
	struct run *r = ctx;
	struct job *job = job_;
	struct timespec nap = {0, (job->number * 7919 % 13) * 1000};

	enter(r, worker, -1);
	nanosleep(&nap, NULL);
	CHECK(job->steps++ == 1);
	leave(r, worker, -1);
	return fails(r, job, 2, e);
}

static int join(void *ctx, void *worker, void *job_, struct err *e)
{
	struct run *r = ctx;
	struct job *job = job_;

	enter(r, worker, 1);
	CHECK(job->number == r->joined++);
	CHECK(job->steps++ == 2);
	leave(r, worker, 1);
	return fails(r, job, 3, e);
}

/* Every third job is free; of the others, the even and the odd ones proceed independently. */
static const void *key(const void *job_)
{
	static const char keys[2];
	const struct job *job = job_;

	return job->number % 3 == 0 ? NULL : &keys[job->number % 2];
}

static int keyed(void *ctx, void *worker, void *job_, struct err *e)
{
	struct run *r = ctx;
	struct job *job = job_;
	struct timespec nap = {0, (job->number * 104729 % 17) * 1000};
	unsigned parity = job->number % 2;

	(void)e;
	enter(r, worker, -1);
	if (key(job) != NULL) {
		CHECK(atomic_fetch_add(&r->inside[parity], 1) == 0);
		CHECK(job->number >= r->keyed[parity]);
		r->keyed[parity] = job->number + 1;
	}
	nanosleep(&nap, NULL);
	if (key(job) != NULL)
		atomic_fetch_sub(&r->inside[parity], 1);
	leave(r, worker, -1);
	return 0;
}

static int emit(void *ctx, void *worker, void *job_, struct err *e)
{
	struct run *r = ctx;
	struct job *job = job_;

	enter(r, worker, 2);
	CHECK(job->number == r->left++);
	CHECK(job->steps == 3);
	leave(r, worker, 2);
	return fails(r, job, 5, e);
}

/* In order, none twice, and no other call of this stage at the same time. */
static int gather(void *ctx, void *worker, void *const *jobs, size_t count, struct err *e)
{
	struct run *r = ctx;
	size_t i;
	int got = 0;

	enter(r, worker, -1);
	CHECK(atomic_fetch_add(&r->gathering, 1) == 0);
	CHECK(count > 0);
	for (i = 0; i < count; i++) {
		const struct job *job = jobs[i];

		CHECK(job->number == r->gathered++ && job->steps == 3);
		if (got == 0)
			got = fails(r, job, 4, e);
	}
	r->gatherings++;
	r->largest = count > r->largest ? count : r->largest;
	atomic_fetch_sub(&r->gathering, 1);
	leave(r, worker, -1);
	return got;
}

static int run(struct run *r, size_t jobs, size_t threads)
{
	static const struct lane_stage stages[] = {
		{.kind = LANE_SERIAL, .step = make},
		{.kind = LANE_PARALLEL, .step = work},
		{.kind = LANE_SERIAL, .step = join},
		{.kind = LANE_KEYED, .step = keyed, .key = key},
		{.kind = LANE_GATHERED, .gathered = gather},
		{.kind = LANE_SERIAL, .step = emit},
	};
	struct job job[JOBS_MAX];
	struct worker worker[8];
	void *job_at[JOBS_MAX], *worker_at[8];
	size_t i;

	memset(worker, 0, sizeof worker);
	for (i = 0; i < jobs; i++)
		job_at[i] = &job[i];
	for (i = 0; i < threads; i++)
		worker_at[i] = &worker[i];
	err = (struct err){0};
	return lane_run(stages, 6, job_at, jobs, worker_at, threads, r, &err);
}

static void in_order(void **state)
{
	static const size_t jobs[] = {1, 2, 5, JOBS_MAX};
	size_t threads, i;

	(void)state;
	for (threads = 1; threads <= 8; threads++)
		for (i = 0; i < sizeof jobs / sizeof *jobs; i++) {
			struct run r = {.wanted = 500};

			assert_int_equal(run(&r, jobs[i], threads), 0);
			assert_int_equal(r.left, 500);
			assert_int_equal(r.gathered, 500);
			assert_true(r.largest <= jobs[i]);
		}
}

/* With one thread it waits for half of the jobs, if there are so many. */
static void gathers_half(void **state)
{
	struct run r = {.wanted = 27};

	(void)state;
	assert_int_equal(run(&r, 10, 1), 0);
	assert_int_equal(r.largest, 5);
	assert_int_equal(r.gatherings, 6); /* five of five, and two */
}

static void nothing_to_do(void **state)
{
	struct run r = {.wanted = 0};

	(void)state;
	assert_int_equal(run(&r, 4, 1), 0);
	assert_int_equal(run(&r, 4, 8), 0);
	assert_int_equal(r.left, 0);
}

/* The first error is returned; earlier jobs may have left, in order; later ones have not. */
static void an_error_stops_all(void **state)
{
	unsigned stage;
	size_t threads;

	(void)state;
	for (stage = 1; stage <= 5; stage++)
		for (threads = 1; threads <= 8; threads++) {
			struct run r = {.wanted = 500, .fail_at = 100, .fail_stage = stage};
			char want[32];

			assert_int_equal(run(&r, 10, threads), -1);
			assert_int_equal(err.code, ERR_IO);
			snprintf(want, sizeof want, "job 100, stage %u", stage);
			assert_string_equal(err.message, want);
			assert_true(r.left <= 101);
			assert_true(r.made <= 111);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(gathers_half),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(an_error_stops_all),
	};

	return RUN(tests);
}
