/* The progress of runs, as agents report it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/manager/running.h"

#define MIB (UINT64_C(1) << 20)

static void one(void **state)
{
	struct manager_runnings r = {.runs[0].bytes = 0};
	const struct manager_running *run;
	char text[MANAGER_RUNNING_TEXT];

	(void)state;
	assert_null(manager_running_find(&r, "system"));
	manager_running_take(&r, "system", 100 * MIB, 5, 1000);
	run = manager_running_find(&r, "system");
	assert_non_null(run);
	assert_int_equal(run->rate, 0);
	assert_string_equal(manager_running_print(text, run, 0, 1000), "100 MiB, 5 entries");
	manager_running_take(&r, "system", 200 * MIB, 9, 6000);
	assert_int_equal(run->rate, 20 * MIB);
	assert_int_equal(run->entries, 9);
	assert_string_equal(manager_running_print(text, run, 400 * MIB, 6000),
		"200 MiB of 400 MiB (50 %), 20.0 MiB/s");
	/* Soon after: the latest value is known, the rate is the previous one. */
	manager_running_take(&r, "system", 201 * MIB, 9, 6100);
	assert_int_equal(run->bytes, 201 * MIB);
	assert_int_equal(run->rate, 20 * MIB);
	manager_running_take(&r, "system", 202 * MIB, 9, 6200);
	/* More than the total of the last time. */
	assert_string_equal(
		manager_running_print(text, run, MIB, 6200), "202 MiB, 9 entries, 20.0 MiB/s");
	/* No news for long. */
	assert_false(manager_running_silent(run, 65999));
	assert_true(manager_running_silent(run, 66000));
	assert_string_equal(manager_running_print(text, run, 404 * MIB, 186000),
		"202 MiB of 404 MiB (50 %), no progress reported for 3m");
	/* It begins again. */
	manager_running_take(&r, "system", MIB, 1, 7000);
	assert_int_equal(run->bytes, MIB);
	assert_int_equal(run->rate, 0);
	manager_running_end(&r, "system");
	assert_null(manager_running_find(&r, "system"));
	assert_null(manager_running_find(&r, ""));
}

/* Their number is limited. */
static void many(void **state)
{
	struct manager_runnings r = {.runs[0].bytes = 0};
	char job[16];
	int i;

	(void)state;
	for (i = 0; i < MANAGER_RUNNING_MAX + 2; i++) {
		snprintf(job, sizeof job, "job%d", i);
		manager_running_take(&r, job, 1, 1, 1000 + i);
	}
	assert_null(manager_running_find(&r, "job0"));
	assert_null(manager_running_find(&r, "job1"));
	assert_non_null(manager_running_find(&r, "job2"));
	assert_non_null(manager_running_find(&r, job));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one), cmocka_unit_test(many)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
