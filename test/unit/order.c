/* The order of dumps when clocks were wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/dump/order.h"

#define DAY 86400

static const int64_t now = 1795500000;
static struct dump_dated dumps[8];

/* Makes dumps that are days[i] days before now, in the order of commits. */
static void order(const int *days, size_t count)
{
	struct dump_dated *all[8];
	size_t i;

	for (i = 0; i < count; i++) {
		dumps[i].time = now + (int64_t)days[i] * DAY;
		dumps[i].seq = i + 1;
		snprintf(dumps[i].agent, sizeof dumps[i].agent, "web");
		all[i] = &dumps[i];
	}
	dump_order(all, count, now);
}

static void in_order(size_t count)
{
	size_t i;

	for (i = 1; i < count; i++)
		assert_true(dump_order_compare(&dumps[i - 1], &dumps[i]) < 0);
}

/* A clock that was ahead, and one that was behind, change no dump's place. */
static void wrong(void **state)
{
	(void)state;
	memset(dumps, 0, sizeof dumps);
	order((const int[]){-4, 2000, -2, -15000, -1}, 5);
	in_order(5);
	assert_int_equal(dumps[1].clock, DUMP_CLOCK_AHEAD);
	assert_int_equal(dumps[3].clock, DUMP_CLOCK_ASTRAY);
	assert_int_equal(dumps[0].clock | dumps[2].clock | dumps[4].clock, DUMP_CLOCK_RIGHT);
	assert_int_equal(dumps[3].when, dumps[2].time);
	/* The wrong dump is the first; it was ahead, but is by now in the past. */
	order((const int[]){-1, -5, -4, -3}, 4);
	in_order(4);
	assert_int_equal(dumps[0].clock, DUMP_CLOCK_ASTRAY);
	/* Nothing shows which one is wrong. */
	order((const int[]){-9, -20, -3}, 3);
	in_order(3);
	assert_int_equal(dumps[0].clock, DUMP_CLOCK_ASTRAY);
	assert_int_equal(dumps[1].clock, DUMP_CLOCK_ASTRAY);
	assert_int_equal(dumps[2].clock, DUMP_CLOCK_RIGHT);
	/* A machine without a clock battery. */
	order((const int[]){-9, -20700, -3}, 3);
	in_order(3);
	assert_int_equal(dumps[0].clock, DUMP_CLOCK_RIGHT);
	assert_int_equal(dumps[1].clock, DUMP_CLOCK_ASTRAY);
	/* All of them are ahead. */
	order((const int[]){900, 901, 902}, 3);
	in_order(3);
}

/* Backups of different names are independent; a copied dump has its place by its time; a clock that
 * is corrected by a little is not wrong. */
static void right(void **state)
{
	(void)state;
	memset(dumps, 0, sizeof dumps);
	dumps[3].copied = true;
	snprintf(dumps[2].name, sizeof dumps[2].name, "other");
	order((const int[]){-4, -2, -9, -3, -1}, 5);
	assert_int_equal(dumps[2].clock | dumps[3].clock, DUMP_CLOCK_RIGHT);
	assert_true(dump_order_compare(&dumps[3], &dumps[1]) < 0);
	memset(dumps, 0, sizeof dumps);
	order((const int[]){-4, -2, -2}, 3);
	dumps[2].time -= 60;
	dump_order((struct dump_dated *[]){&dumps[0], &dumps[1], &dumps[2]}, 3, now);
	assert_int_equal(dumps[2].clock, DUMP_CLOCK_RIGHT);
	in_order(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(wrong), cmocka_unit_test(right)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
