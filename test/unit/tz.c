/* lib/tz: the same offsets as the C library's, in every zone there is; invalid names, rules and
 * files are refused. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/civil.h"
#include "lib/tz.h"

static void load(const char *name, struct tz **tz)
{
	struct err err = {0};

	if (tz_load(name, tz, &err) != 0)
		fail_msg("%s: %s", name, err.message);
}

/* The offset; checks that the span contains t and ends where it says. */
static int32_t offset_at(const struct tz *tz, int64_t t)
{
	struct tz_span s, beside;

	tz_span(tz, t, &s);
	assert_true(s.start <= t && t < s.end);
	if (s.start != INT64_MIN) {
		tz_span(tz, s.start - 1, &beside);
		assert_true(beside.end == s.start);
	}
	if (s.end != INT64_MAX) {
		tz_span(tz, s.end, &beside);
		assert_true(beside.start == s.end);
	}
	return s.offset;
}

static void compare_zone(const char *name)
{
	int64_t step = 86400 * 11 + 3601, t;
	struct tz_span span;
	struct tz *tz;
	struct tm tm;
	time_t at;
	int i;

	load(name, &tz);
	setenv("TZ", name, 1);
	tzset();
	for (t = civil_days(1935, 1, 1) * 86400; t < civil_days(2110, 1, 1) * 86400; t += step) {
		tz_span(tz, t, &span);
		for (i = 0; i < 3; i++) {
			at = (time_t)(i == 0 || span.end == INT64_MAX ? t : span.end - 2 + i);
			localtime_r(&at, &tm);
			if (tm.tm_gmtoff != offset_at(tz, at))
				fail_msg("%s at %lld: %d, not %ld", name, (long long)at,
					offset_at(tz, at), tm.tm_gmtoff);
		}
	}
	tz_free(tz);
}

static void agrees_with_libc(void **state)
{
	FILE *list = fopen("/usr/share/zoneinfo/zone1970.tab", "r");
	char line[1024], *name;
	int count = 0;

	(void)state;
	if (list == NULL)
		skip();
	while (fgets(line, sizeof line, list) != NULL) {
		if (line[0] == '#' || strtok(line, "\t\n") == NULL ||
			strtok(NULL, "\t\n") == NULL || (name = strtok(NULL, "\t\n")) == NULL)
			continue;
		compare_zone(name);
		count++;
	}
	fclose(list);
	assert_true(count > 200);
	compare_zone("UTC");
	compare_zone("Etc/GMT-14");
	compare_zone("America/Indiana/Knox");
	unsetenv("TZ");
	tzset();
}

static void follows_rules(void **state)
{
	static const struct {
		const char *rule;
		const char *at;
		int32_t offset;
	} cases[] = {
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2400-07-01T00:00Z", 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00Z", 0},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00Z", 3600},
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00Z", 39600},
		{"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00Z", 39600},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200},
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600},
		{"XXX3EDT4,0/0,J365/23", "2026-12-31T23:59:59Z", -14400}, /* summer all year */
		{"XXX3EDT4,0/0,J365/23", "2027-01-01T03:00:00Z", -14400},
		{"AAA0BBB,J60/0,J61/0", "2024-03-01T12:00Z", 3600}, /* J60 is 1 March always */
		{"AAA0BBB,59/0,60/0", "2024-02-29T12:00Z", 3600},
		{"AAA0BBB,59/0,60/0", "2023-03-01T12:00Z", 3600},
		{"AAA0BBB,M1.1.1/-167,M1.1.1/167", "2023-12-26T00:00Z", 3600},
		{"EST5", "2026-07-01T00:00Z", -18000},
	};
	static const char *const bad[] = {"", "CET", "CE-1", "CET-1CEST", "CET-1CEST,M3.5.0",
		"CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M13.5.0,M10.5.0",
		"CET-25", "CET-1CEST,J0,J1", "CET-1CEST,366,1", "CET-1CEST,M3.5.0/168,M10.5.0",
		"CET-1CEST,M3.5.0,M10.5.0 ", "<+01-1", "CET-1:60"};
	struct civil_scan scan;
	struct err err = {0};
	struct tz *tz;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(tz_parse_rule(cases[i].rule, strlen(cases[i].rule), &tz, &err), 0);
		assert_int_equal(civil_scan(cases[i].at, &scan, &err), 0);
		if (offset_at(tz, scan.local) != cases[i].offset)
			fail_msg("%s at %s: %d", cases[i].rule, cases[i].at,
				offset_at(tz, scan.local));
		tz_free(tz);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (tz_parse_rule(bad[i], strlen(bad[i]), &tz, &err) != -1)
			fail_msg("'%s' is taken", bad[i]);
		assert_null(tz);
	}
}

static void reads_local_times(void **state)
{
	static const struct {
		const char *zone, *local;
		const char *printed;
	} cases[] = {
		{"Europe/Paris", "2020-03-29T02:30", "2020-03-29T03:30:00+02:00"},
		{"Europe/Paris", "2020-10-25T02:30", "2020-10-25T02:30:00+02:00"},
		{"Europe/Paris", "2020-07-01", "2020-07-01T00:00:00+02:00"},
		{"Pacific/Apia", "2011-12-30T12:00", "2011-12-31T12:00:00+14:00"},
		{"UTC", "0001-01-01", "0001-01-01T00:00:00+00:00"},
		{"America/New_York", "9999-12-31T12:00", "9999-12-31T12:00:00-05:00"},
	};
	char text[CIVIL_TEXT_MAX];
	struct civil_scan scan;
	struct err err = {0};
	struct tz *tz;
	int64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		load(cases[i].zone, &tz);
		assert_int_equal(civil_scan(cases[i].local, &scan, &err), 0);
		t = tz_instant(tz, scan.local);
		assert_string_equal(civil_print(text, t, offset_at(tz, t)), cases[i].printed);
		tz_free(tz);
	}
}

static void refuses_names(void **state)
{
	static const struct {
		const char *name;
		enum err_code code;
	} bad[] = {
		{"", ERR_USAGE},
		{"/etc/passwd", ERR_USAGE},
		{"../../../etc/passwd", ERR_USAGE},
		{"Europe/../Europe/Paris", ERR_USAGE},
		{"Europe/", ERR_USAGE},
		{"Europe//Paris", ERR_USAGE},
		{"Europe/Paris\n", ERR_USAGE},
		{".", ERR_USAGE},
		{"Europe/Pari", ERR_NOTFOUND},
		{"Europe", ERR_NOTFOUND},
		{"zone1970.tab", ERR_FORMAT},
	};
	char longest[400];
	struct tz *tz;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = {0};

		assert_int_equal(tz_load(bad[i].name, &tz, &err), -1);
		if (err.code != bad[i].code)
			fail_msg("'%s': %s", bad[i].name, err.message);
	}
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = 0;
	assert_int_equal(tz_load(longest, &tz, NULL), -1);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t len;

	assert_non_null(f);
	len = fread(bytes, 1, cap, f);
	fclose(f);
	return len;
}

/* Every truncated file is refused, and any changed byte is survived. */
static void survives_damage(void **state)
{
	static uint8_t bytes[65536];
	size_t len = read_file("/usr/share/zoneinfo/Australia/Lord_Howe", bytes, sizeof bytes), i;
	struct tz_span span;
	struct tz *tz;

	(void)state;
	for (i = 0; i < len; i++)
		assert_int_equal(tz_parse(bytes, i, &tz, NULL), -1);
	for (i = 0; i < len; i++) {
		bytes[i] ^= 0x81;
		if (tz_parse(bytes, len, &tz, NULL) == 0) {
			tz_span(tz, 1700000000, &span);
			assert_true(span.start <= 1700000000 && span.end > 1700000000);
			tz_free(tz);
		}
		bytes[i] ^= 0x81;
	}
	assert_int_equal(tz_parse(bytes, len, &tz, NULL), 0);
	tz_free(tz);
}

static void local_zone(void **state)
{
	struct err err = {0};
	struct tz *tz;

	(void)state;
	setenv("TZ", ":Europe/Paris", 1);
	assert_int_equal(tz_local(&tz, &err), 0);
	assert_int_equal(offset_at(tz, 1782864000), 7200);
	tz_free(tz);
	setenv("TZ", "<+03>-3", 1);
	assert_int_equal(tz_local(&tz, &err), 0);
	assert_int_equal(offset_at(tz, 1782864000), 10800);
	tz_free(tz);
	setenv("TZ", "", 1);
	assert_int_equal(tz_local(&tz, &err), 0);
	assert_int_equal(offset_at(tz, 1782864000), 0);
	tz_free(tz);
	setenv("TZ", "/usr/share/zoneinfo/Asia/Kolkata", 1);
	assert_int_equal(tz_local(&tz, &err), 0);
	assert_int_equal(offset_at(tz, 1782864000), 19800);
	tz_free(tz);
	setenv("TZ", "Nowhere/None", 1);
	assert_int_equal(tz_local(&tz, &err), -1);
	unsetenv("TZ");
	assert_int_equal(tz_local(&tz, &err), 0);
	tz_free(tz);
	setenv("TZDIR", "/usr/share/zoneinfo/Europe", 1);
	load("Paris", &tz);
	tz_free(tz);
	unsetenv("TZDIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_libc),
		cmocka_unit_test(follows_rules),
		cmocka_unit_test(reads_local_times),
		cmocka_unit_test(refuses_names),
		cmocka_unit_test(survives_damage),
		cmocka_unit_test(local_zone),
	};
	return RUN(tests);
}
