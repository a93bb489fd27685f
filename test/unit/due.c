/* When a watched schedule is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cron/cron.h"
#include "lib/err.h"
#include "lib/tz.h"

#define DAY   86400
#define START 1767225600 /* 2026-01-01T00:00:00Z, a Thursday */
#define SEVEN (START + 7 * 3600)

static struct tz *utc;
static struct cron daily;

static int setup(void **state)
{
	struct err err;

	(void)state;
	return tz_load("UTC", &utc, &err) != 0 || cron_parse(&daily, "0 7 * * *", NULL, NULL, &err);
}

static int teardown(void **state)
{
	(void)state;
	tz_free(utc);
	return 0;
}

/* Each time is due once, however often it is asked for. */
static void once(void **state)
{
	int64_t done = START, now;
	int runs = 0;

	(void)state;
	for (now = START; now < START + 3 * DAY; now += 7)
		runs += cron_due(&daily, utc, &done, now);
	assert_int_equal(runs, 3);
	done = SEVEN - 1;
	assert_false(cron_due(&daily, utc, &done, SEVEN - 1));
	assert_true(cron_due(&daily, utc, &done, SEVEN));
	assert_false(cron_due(&daily, utc, &done, SEVEN));
}

/* Missed times are made up for once. */
static void missed(void **state)
{
	int64_t done = START;

	(void)state;
	assert_true(cron_due(&daily, utc, &done, START + 10 * DAY));
	assert_false(cron_due(&daily, utc, &done, START + 10 * DAY + 1));
	assert_true(cron_due(&daily, utc, &done, SEVEN + 10 * DAY));
	done = SEVEN + 11 * DAY + 5; /* times that passed during a run */
	assert_false(cron_due(&daily, utc, &done, SEVEN + 11 * DAY + 6));
}

/* A clock that is set. */
static void set(void **state)
{
	int64_t done = START;

	(void)state;
	assert_true(cron_due(&daily, utc, &done, SEVEN + 60));
	assert_false(cron_due(&daily, utc, &done, SEVEN - 60)); /* a little back */
	assert_false(cron_due(&daily, utc, &done, SEVEN));
	assert_true(cron_due(&daily, utc, &done, SEVEN + 365 * DAY)); /* far ahead, wrongly */
	assert_false(cron_due(&daily, utc, &done, SEVEN + 3600));
	assert_true(cron_due(&daily, utc, &done, SEVEN + DAY));
}

static void never(void **state)
{
	int64_t done = START;
	struct cron cron;
	struct err err;

	(void)state;
	assert_int_equal(cron_parse(&cron, "0 0 30 2 *", NULL, NULL, &err), 0);
	assert_false(cron_due(&cron, utc, &done, START + 5000 * (int64_t)DAY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(once),
		cmocka_unit_test(missed),
		cmocka_unit_test(set),
		cmocka_unit_test(never),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
