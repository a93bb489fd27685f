/* lib/civil: dates and ISO 8601 texts, in both directions. */
#include "test/unit/unit.h"

#include "lib/civil.h"

static void every_day_of_400_years(void **state)
{
	struct civil_date date;
	int64_t day, year = 1600;
	unsigned month = 1, of_month = 1;

	(void)state;
	assert_int_equal(civil_days(1970, 1, 1), 0);
	for (day = civil_days(1600, 1, 1); year < 2001; day++) {
		date = civil_date(day);
		assert_true(date.year == year && date.month == month && date.day == of_month);
		assert_int_equal(civil_days(year, month, of_month), day);
		if (++of_month > civil_month_len(year, month)) {
			of_month = 1;
			if (++month > 12) {
				month = 1;
				year++;
			}
		}
	}
	assert_int_equal(civil_date(civil_days(-4, 2, 29)).day, 29);
	assert_int_equal(civil_weekday(civil_days(2000, 1, 1)), 6);
	assert_int_equal(civil_weekday(civil_days(1, 1, 1)), 1);
	assert_int_equal(civil_day_of(-1), -1);
	assert_int_equal(civil_day_of(86399), 0);
}

static void prints(void **state)
{
	char text[CIVIL_TEXT_MAX];

	(void)state;
	assert_string_equal(civil_print(text, 0, 0), "1970-01-01T00:00:00+00:00");
	assert_string_equal(civil_print(text, -1, -34200), "1969-12-31T14:29:59-09:30");
	assert_string_equal(civil_print(text, 0, 561), "1970-01-01T00:09:21+00:09:21");
	assert_string_equal(
		civil_print(text, INT64_C(253402214399), 0), "9999-12-30T23:59:59+00:00");
}

static void scans(void **state)
{
	static const struct {
		const char *text;
		int64_t local;
		int32_t offset;
		bool has_offset, fraction;
	} good[] = {
		{"1970-01-02", 86400, 0, false, false},
		{"1970-01-01T01:02", 3720, 0, false, false},
		{"1970-01-01 01:02:03", 3723, 0, false, false},
		{"1970-01-01T00:00:01Z", 1, 0, true, false},
		{"1970-01-01T00:00:01.500+05:30", 1, 19800, true, true},
		{"1970-01-01T00:00:01.000-0930", 1, -34200, true, false},
		{"1970-01-01T00:00:01-03", 1, -10800, true, false},
		{"1970-01-01T00:09:21+00:09:21", 561, 561, true, false},
	};
	static const char *const bad[] = {"", "1970", "1970-1-1", "1970-02-30", "0000-01-01",
		"1970-01-01T", "1970-01-01T24:00", "1970-01-01T00:60", "1970-01-01T00:00:60",
		"1970-01-01T00:00:00.", "1970-01-01T00:00Zx", "1970-01-01T00:00+26:00",
		"1970-01-01T00:00+1", "1970-01-01Z", "now", "1970-13-01", "1970-00-01",
		"-970-01-01", "1970-01-01T00:00:00+00:00 "};
	struct civil_scan scan;
	struct err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(civil_scan(good[i].text, &scan, &err), 0);
		assert_int_equal(scan.local, good[i].local);
		assert_int_equal(scan.offset, good[i].offset);
		assert_true(scan.has_offset == good[i].has_offset);
		assert_true(scan.fraction == good[i].fraction);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		err.code = ERR_NONE;
		assert_int_equal(civil_scan(bad[i], &scan, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_day_of_400_years),
		cmocka_unit_test(prints),
		cmocka_unit_test(scans),
	};
	return RUN(tests);
}
