/* Which dumps the rules keep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cmd/dump/retention.h"

#define HOUR 3600
#define DAY  (24 * HOUR)

static struct dump_candidate dumps[4000];
static size_t count;
static const int64_t now = 1795500000; /* 2026-11-24T06:00Z */

/* One dump each `step`, the last one now. */
static void fill(size_t n, int64_t step)
{
	size_t i;

	memset(dumps, 0, sizeof dumps);
	count = n;
	for (i = 0; i < n; i++)
		dumps[i].time = now - (int64_t)(n - 1 - i) * step;
}

static size_t kept(void)
{
	size_t i, n = 0;

	for (i = 0; i < count; i++)
		n += dumps[i].keep;
	return n;
}

static void judge(struct dump_rules rules)
{
	assert_int_equal(dump_retention(&rules, dumps, count, NULL), 0);
}

static void counts(void **state)
{
	(void)state;
	fill(1000, HOUR);
	judge((struct dump_rules){.keep = {[DUMP_LAST] = 5}});
	assert_int_equal(kept(), 5);
	assert_true(dumps[999].keep && dumps[995].keep);
	judge((struct dump_rules){.keep = {[DUMP_DAILY] = 7}});
	assert_int_equal(kept(), 7);
	assert_string_equal(dumps[999].reason, "daily 1");
	assert_true(dumps[998].time % DAY > dumps[999].time % DAY || !dumps[998].keep);
	judge((struct dump_rules){.keep = {[DUMP_HOURLY] = 10}});
	assert_int_equal(kept(), 10);
	fill(3000, DAY);
	judge((struct dump_rules){.keep = {[DUMP_MONTHLY] = 12}});
	assert_int_equal(kept(), 12);
	judge((struct dump_rules){.keep = {[DUMP_YEARLY] = 3}});
	assert_int_equal(kept(), 3);
	judge((struct dump_rules){.keep = {[DUMP_WEEKLY] = 60}}); /* over a year's end */
	assert_int_equal(kept(), 60);
	judge((struct dump_rules){.within_sec = 10 * DAY});
	assert_int_equal(kept(), 11);
}

/* Periods without a dump are not counted; rules add up. */
static void gaps(void **state)
{
	(void)state;
	fill(10, 40 * DAY);
	judge((struct dump_rules){.keep = {[DUMP_DAILY] = 5, [DUMP_LAST] = 2}});
	assert_int_equal(kept(), 5);
	assert_string_equal(dumps[9].reason, "last 1, daily 1");
	assert_string_equal(dumps[5].reason, "daily 5");
	assert_string_equal(dumps[4].reason, "");
}

/* Whatever the rules say, one dump stays. */
static void newest(void **state)
{
	(void)state;
	fill(3, DAY);
	judge((struct dump_rules){.within_sec = 1});
	assert_int_equal(kept(), 1);
	assert_string_equal(dumps[2].reason, "within");
	fill(0, DAY);
	judge((struct dump_rules){.keep = {[DUMP_LAST] = 1}});
}

/* Incomplete dumps displace no complete one, and count where there is none. */
static void incomplete(void **state)
{
	size_t i;

	(void)state;
	fill(2, HOUR); /* good, then failed */
	dumps[1].incomplete = true;
	judge((struct dump_rules){.keep = {[DUMP_DAILY] = 7}});
	assert_string_equal(dumps[0].reason, "daily 1");
	assert_string_equal(dumps[1].reason, "the newest");
	fill(20, DAY); /* ten good days, ten bad ones */
	for (i = 10; i < 20; i++)
		dumps[i].incomplete = true;
	judge((struct dump_rules){.keep = {[DUMP_DAILY] = 3}});
	assert_int_equal(kept(), 6);
	assert_string_equal(dumps[9].reason, "daily 1");
	assert_string_equal(dumps[7].reason, "daily 3");
	assert_string_equal(dumps[19].reason, "incomplete daily 1");
	assert_string_equal(dumps[17].reason, "incomplete daily 3");
	judge((struct dump_rules){.within_sec = 5 * HOUR});
	assert_int_equal(kept(), 2);
	assert_string_equal(dumps[9].reason, "the newest complete");
	fill(20, DAY); /* an old failed one goes */
	dumps[0].incomplete = true;
	judge((struct dump_rules){.keep = {[DUMP_LAST] = 19}});
	assert_true(!dumps[0].keep && kept() == 19);
	fill(20, DAY); /* a log that always grows */
	for (i = 0; i < 20; i++)
		dumps[i].incomplete = true;
	judge((struct dump_rules){.keep = {[DUMP_DAILY] = 7}});
	assert_int_equal(kept(), 7);
}

/* A dump whose time is not trusted does not count in the rules, and stays. */
static void undated(void **state)
{
	(void)state;
	fill(10, DAY);
	dumps[9].undated = "dated in the future";
	dumps[9].time = now + 1000 * DAY;
	dumps[5].undated = "dated against the order";
	dumps[5].time = 0;
	judge((struct dump_rules){.keep = {[DUMP_DAILY] = 2}});
	assert_int_equal(kept(), 4);
	assert_string_equal(dumps[9].reason, "dated in the future");
	assert_string_equal(dumps[8].reason, "daily 1");
	assert_string_equal(dumps[7].reason, "daily 2");
	assert_true(dumps[5].keep);
	judge((struct dump_rules){.within_sec = 4 * DAY}); /* than the newest dated one */
	assert_int_equal(kept(), 6);
	assert_true(dumps[4].keep && !dumps[3].keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(gaps),
		cmocka_unit_test(newest),
		cmocka_unit_test(incomplete),
		cmocka_unit_test(undated),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
