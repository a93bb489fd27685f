/* cron/: the tables of SYNTAX.md and of test/data/, row by row; descriptions; no allocation; the
 * first and last possible times. cron_brute.c has the property test. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <time.h>

#include "cron/cron.h"
#include "lib/civil.h"
#include "lib/tz.h"

#define COLUMNS 8

static struct err err;

/* ---- allocations are counted; the linker redirects them here (--wrap) ---- */

static int allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

/* ---- helpers ---- */

static void parse(const char *expr, const char *seed, struct cron *cron)
{
	if (cron_parse(cron, expr, seed, NULL, &err) != 0)
		fail_msg("'%s': %s", expr, err.message);
}

/* Zones stay loaded; tests ask for the same ones again and again. */
static const struct tz *zone(const char *name)
{
	static struct {
		char name[64];
		struct tz *tz;
	} known[64];
	size_t i;

	for (i = 0; i < 64 && known[i].tz != NULL; i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].tz;
	assert_true(i < 64);
	if (tz_load(name, &known[i].tz, &err) != 0)
		fail_msg("%s: %s", name, err.message);
	snprintf(known[i].name, sizeof known[i].name, "%s", name);
	return known[i].tz;
}

static int64_t instant(const char *text, const struct tz *tz)
{
	struct civil_scan scan;

	if (civil_scan(text, &scan, &err) != 0)
		fail_msg("%s", err.message);
	return scan.has_offset ? scan.local - scan.offset : tz_instant(tz, scan.local);
}

static const char *print(int64_t t, const struct tz *tz)
{
	static char text[CIVIL_TEXT_MAX];
	struct tz_span span;

	tz_span(tz, t, &span);
	return civil_print(text, t, span.offset);
}

/* Whether a run is due at exactly this second. */
static bool is_run_at(const struct cron *cron, const struct tz *tz, int64_t t)
{
	int64_t next;

	return t > INT64_MIN && cron_next(cron, tz, t - 1, &next) == 0 && next == t;
}

/* The next run as text, or NEVER; prev from it, and match, must agree. */
static const char *next_text(const char *expr, const struct tz *tz, int64_t after, int64_t *t)
{
	struct cron cron;
	int64_t back;

	parse(expr, NULL, &cron);
	if (cron_next(&cron, tz, after, t) != 0)
		return "NEVER";
	assert_true(*t > after);
	assert_true(is_run_at(&cron, tz, *t));
	assert_int_equal(cron_prev(&cron, tz, *t + 1, &back), 0);
	assert_true(back == *t);
	if (cron_prev(&cron, tz, *t, &back) == 0)
		assert_true(back <= after);
	return print(*t, tz);
}

static FILE *open_file(const char *path)
{
	FILE *f = fopen(path, "r");

	if (f == NULL)
		fail_msg("%s is not there", path);
	return f;
}

/* ---- test/data: rows of columns between tabs ---- */

/* Returns the number of columns, 0 at the end. line owns the text. */
static size_t next_row(FILE *f, char line[2048], char *column[COLUMNS])
{
	char *p;
	size_t n;

	do {
		if (fgets(line, 2048, f) == NULL)
			return 0;
	} while (line[0] == '#');
	line[strcspn(line, "\n")] = 0;
	for (n = 0, p = line; n < COLUMNS && p != NULL; n++) {
		column[n] = p;
		if ((p = strchr(p, '\t')) != NULL)
			*p++ = 0;
	}
	return n;
}

/* "\t" stands for a tab. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text != 0; text++, to++) {
		*to = *text;
		if (text[0] == '\\' && text[1] == 't') {
			*to = '\t';
			text++;
		}
	}
	*to = 0;
}

static void next_of_others(void **state)
{
	FILE *f = open_file("test/data/cron-next.tsv");
	char line[2048], *c[COLUMNS];
	int64_t t;
	int rows = 0;

	(void)state;
	while (next_row(f, line, c) > 0) {
		const char *got = next_text(c[0], zone(c[1]), instant(c[2], zone(c[1])), &t);

		if (strcmp(got, c[3]) != 0)
			fail_msg("'%s' after %s is %s, not %s", c[0], c[2], c[3], got);
		rows++;
	}
	fclose(f);
	assert_int_equal(rows, 287);
}

static void clock_changes_of_others(void **state)
{
	FILE *f = open_file("test/data/cron-dst.tsv");
	char line[2048], *c[COLUMNS];
	int64_t t;
	int agree = 0, differ = 0;

	(void)state;
	while (next_row(f, line, c) > 0) {
		const char *got = next_text(c[0], zone(c[1]), instant(c[2], zone(c[1])), &t);

		if (strcmp(got, c[7]) != 0)
			fail_msg("'%s' after %s is %s, not %s", c[0], c[2], c[7], got);
		if (strcmp(c[6], "agree") == 0) {
			assert_string_equal(c[3], c[7]);
			agree++;
		} else {
			differ++;
		}
	}
	fclose(f);
	assert_int_equal(agree + differ, 122);
	assert_true(differ > 0);
}

static void syntax_of_others(void **state)
{
	FILE *f = open_file("test/data/cron-parse.tsv");
	char line[2048], *c[COLUMNS];
	struct cron cron;
	int rows = 0;

	(void)state;
	while (next_row(f, line, c) > 0) {
		int want = strcmp(c[1], "VALID") == 0 ? 0 : -1;

		unescape(c[0]);
		if (cron_parse(&cron, c[0], NULL, NULL, &err) != want)
			fail_msg("'%s' should be %s", c[0], c[1]);
		rows++;
	}
	fclose(f);
	assert_int_equal(rows, 182);
}

/* ---- SYNTAX.md: tables, recognised by their heads ---- */

/* Splits a line like "| `a` | `b` |" in place and takes the backticks off;
 * returns how many columns, 0 for other lines. */
static size_t table_row(char *line, char *column[COLUMNS])
{
	size_t n = 0;
	char *p = line;

	if (*p++ != '|')
		return 0;
	line[strcspn(line, "\n")] = 0;
	while (n < COLUMNS && *p != 0) {
		char *end = strstr(p, " |");

		if (*p == ' ')
			p++;
		if (end == NULL)
			break;
		*end = 0;
		column[n++] = p;
		p = end + 2;
	}
	return n;
}

/* Takes off the backticks around a column. */
static char *plain(char *column)
{
	size_t len = strlen(column);

	if (len >= 2 && column[0] == '`' && column[len - 1] == '`') {
		column[len - 1] = 0;
		return column + 1;
	}
	return column;
}

static void same_as(char *a, const char *seed, char *b)
{
	struct cron x, y;

	parse(a, seed, &x);
	parse(b, NULL, &y);
	if (x.minutes != y.minutes || x.hours != y.hours || x.days != y.days ||
		x.months != y.months || x.weekdays != y.weekdays)
		fail_msg("'%s' is not the same as '%s'", a, b);
}

static void row_of_runs(char **c)
{
	const char *expr = plain(c[0]);
	const struct tz *tz = zone(plain(c[1]));
	int64_t t = instant(plain(c[2]), tz);
	char *want;

	if (strcmp(c[3], "never") == 0) {
		assert_string_equal(next_text(expr, tz, t, &t), "NEVER");
		return;
	}
	for (want = strtok(c[3], ","); want != NULL; want = strtok(NULL, ",")) {
		const char *got = next_text(expr, tz, t, &t);

		want += *want == ' ';
		want = plain(want);
		if (strcmp(got, want) != 0)
			fail_msg("'%s': %s, not %s", expr, got, want);
	}
}

static void row_refused(char **c)
{
	struct cron_where where = {99, 99};
	struct cron cron;
	char *expr = plain(c[0]);

	err.message[0] = 0;
	if (cron_parse(&cron, expr, NULL, &where, &err) != -1)
		fail_msg("'%s' is taken", expr);
	assert_int_equal(err.code, ERR_USAGE);
	if ((int)where.field != atoi(c[1]) || (int)where.column != atoi(c[2]) ||
		strstr(err.message, c[3]) == NULL)
		fail_msg("'%s': field %u, column %u: %s", expr, where.field, where.column,
			err.message);
}

static void syntax_page(void **state)
{
	FILE *f = open_file("cron/SYNTAX.md");
	enum { NONE, SAME, RUNS, SEEDS, REFUSED } kind = NONE;
	int rows[5] = {0};
	char line[2048], *c[COLUMNS];
	size_t n;

	(void)state;
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "|-", 2) == 0)
			continue;
		if ((n = table_row(line, c)) == 0) {
			kind = NONE;
			continue;
		}
		if (strcmp(c[0], "Expression") == 0) {
			kind = n == 2                      ? SAME
			       : strcmp(c[1], "Zone") == 0 ? RUNS
			       : n == 3                    ? SEEDS
							   : REFUSED;
			continue;
		}
		if (kind == NONE || c[0][0] != '`')
			continue;
		rows[kind]++;
		if (kind == SAME)
			same_as(plain(c[0]), NULL, plain(c[1]));
		else if (kind == SEEDS)
			same_as(plain(c[0]), plain(c[1]), plain(c[2]));
		else if (kind == RUNS)
			row_of_runs(c);
		else
			row_refused(c);
	}
	fclose(f);
	assert_int_equal(rows[SAME], 21);
	assert_int_equal(rows[RUNS], 33);
	assert_int_equal(rows[SEEDS], 7);
	assert_int_equal(rows[REFUSED], 35);
}

/* ---- cases that are in no table ---- */

static void flags(void **state)
{
	static const struct {
		const char *expr;
		unsigned flags;
	} cases[] = {
		{"0 0 1 1 1", 0},
		{"* 0 1 1 1", CRON_WALL},
		{"*/5 0 1 1 1", CRON_WALL},
		{"0 *,3 1 1 1", CRON_WALL},
		{"0 3,* 1 1 1", 0},
		{"0-59 0-23 1 * 1", 0},
		{"0 0 * * 1", CRON_BOTH},
		{"0 0 1 * */2", CRON_BOTH},
		{"0 0 1,* * 2", 0},
		{"~ 1~2 1 1 1", CRON_RANDOM},
		{"@hourly", CRON_WALL | CRON_BOTH},
		{"@daily", CRON_BOTH},
		{"@weekly", CRON_BOTH},
		{"@reboot", CRON_REBOOT | CRON_NEVER},
		{"0 0 30 2 *", CRON_BOTH | CRON_NEVER},
		{"0 0 30 2 1", 0},
		{"0 0 31 feb-apr *", CRON_BOTH},
		{"  @daily\t ", CRON_BOTH},
	};
	struct cron cron;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		parse(cases[i].expr, "seed", &cron);
		if (cron.flags != cases[i].flags)
			fail_msg("'%s': %u", cases[i].expr, cron.flags);
	}
}

static void odd_texts(void **state)
{
	static const char *const bad[] = {"", " ", "\t", "* * * * *\n", "\n* * * * *",
		"* * * * *\r", "*\v* * * *", "\xff * * * *", "@", "@\xff", "* * * * \x01", "*,",
		"* * * * ,", "~~ * * * *", "1~2~3 * * * *", "1-2~3 * * * *", "~/5 * * * *",
		"* * * * mon-", "* * * * -mon", "* * * * mo", "* * * * mon1", "* * * * 1mon",
		"1 2 3 4 5 6 7 8 9", "'* * * * *'", "* * * * * command"};
	char longest[CRON_EXPR_MAX + 2];
	struct cron_where where;
	struct cron cron;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		err.code = ERR_NONE;
		if (cron_parse(&cron, bad[i], NULL, &where, &err) != -1)
			fail_msg("'%s' is taken", bad[i]);
		assert_int_equal(err.code, ERR_USAGE);
		assert_true(where.column >= 1 && where.column <= strlen(bad[i]) + 1);
		assert_int_equal(cron_parse(&cron, bad[i], NULL, NULL, NULL), -1);
	}
	memset(longest, ' ', sizeof longest);
	memcpy(longest, "* * * * *", 9);
	longest[CRON_EXPR_MAX] = 0;
	parse(longest, NULL, &cron);
	longest[CRON_EXPR_MAX] = ' ';
	longest[CRON_EXPR_MAX + 1] = 0;
	assert_int_equal(cron_parse(&cron, longest, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

/* Six thousand hosts spread over the hour: every minute has its share. */
static void seeds_spread(void **state)
{
	int hosts[60] = {0}, i;
	struct cron cron;
	char seed[64];

	(void)state;
	for (i = 0; i < 6000; i++) {
		snprintf(seed, sizeof seed, "nightly@web%d.example.net", i);
		parse("~ 3 * * *", seed, &cron);
		hosts[__builtin_ctzll(cron.minutes)]++;
	}
	for (i = 0; i < 60; i++)
		assert_true(hosts[i] > 60 && hosts[i] < 150);
}

static void describes(void **state)
{
	static const char *const cases[][2] = {
		{"* * * * *", "Every minute."},
		{"*/15 * * * *", "Every 15 minutes."},
		{"5-59/15 * * * *", "Every 15 minutes, first at minute 5."},
		{"*/7 * * * *", "At every 7th minute from 0 through 56 of every hour."},
		{"0 * * * *", "At minute 0 of every hour."},
		{"5 4 * * sun", "At 04:05 on Sunday."},
		{"30 7,12,17 * * *", "At 07:30, 12:30 and 17:30 every day."},
		{"0 22 * * 1-5", "At 22:00 on Monday through Friday."},
		{"0 9-17 * * 1-5", "At minute 0 of hours 9 through 17, on Monday through Friday."},
		{"*/2 1-4 * * *", "Every 2 minutes from 01:00 through 04:59, every day."},
		{"5-59/10 1-4 * * *", "Every 10 minutes, first at minute 5, from 01:00 through "
				      "04:59, every day."},
		{"* */2 * * *", "Every minute in every 2nd hour from 0 through 22, every day."},
		{"0 0 1,15 * 5", "At 00:00 on days 1 and 15 of the month, and also on Friday."},
		{"0 0 */2 * 1", "At 00:00 on every 2nd day from 1 through 31 of the month, if that "
				"is Monday."},
		{"0 0 1-7 * */6", "At 00:00 on days 1 through 7 of the month, if that is "
				  "Saturday or Sunday."},
		{"0 0 1-31 * 1", "At 00:00 every day."},
		{"0 0 1-31 6 1", "At 00:00 every day in June."},
		{"* * * 3 *", "Every minute in March."},
		{"0 0 29 2 *", "At 00:00 on 29 February."},
		{"0 0 1 */3 *",
			"At 00:00 on day 1 of the month in January, April, July and October."},
		{"0 6 13 1 5",
			"At 06:00 on day 13 of the month, and also on Friday, all in January."},
		{"0 0 30 2 *", "At 00:00 on 30 February. No such date exists: it never runs."},
		{"@reboot", "Once when the agent starts, at no set time."},
	};
	char text[CRON_DESCRIBE_MAX];
	struct cron cron;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		parse(cases[i][0], NULL, &cron);
		assert_string_equal(cron_describe(&cron, text), cases[i][1]);
	}
	/* The longest possible description fits its buffer. */
	parse("0,2,5,7,10,12,15,17,20,22,25,27,30,32,35,37,40,42,45,47,50,52,55,57 "
	      "0,1,3,5,8,9,11,13,16,18,21,23 1,3,6,8,11,13,16,18,21,23,26,28,31 "
	      "1,2,4,6,8,9,11 0,2,3,5",
		NULL, &cron);
	assert_true(strlen(cron_describe(&cron, text)) < CRON_DESCRIBE_MAX / 2);
}

static void ends_of_time(void **state)
{
	static const char *const zones[] = {
		"UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "Africa/Monrovia"};
	struct cron cron;
	size_t i;
	int64_t t;

	(void)state;
	for (i = 0; i < sizeof zones / sizeof *zones; i++) {
		const struct tz *tz = zone(zones[i]);

		parse("* * * * *", NULL, &cron);
		assert_int_equal(cron_next(&cron, tz, INT64_MIN, &t), 0);
		assert_true(t >= CRON_TIME_MIN && t < CRON_TIME_MIN + 60);
		assert_int_equal(cron_prev(&cron, tz, INT64_MAX, &t), 0);
		assert_true(t <= CRON_TIME_MAX && t > CRON_TIME_MAX - 60);
		assert_int_equal(cron_next(&cron, tz, CRON_TIME_MAX, &t), 1);
		assert_int_equal(cron_next(&cron, tz, INT64_MAX, &t), 1);
		assert_int_equal(cron_prev(&cron, tz, CRON_TIME_MIN, &t), 1);
		assert_int_equal(cron_prev(&cron, tz, INT64_MIN, &t), 1);
		assert_false(is_run_at(&cron, tz, INT64_MIN));
		assert_false(is_run_at(&cron, tz, INT64_MAX));
		parse("0 0 29 2 *", NULL, &cron);
		assert_int_equal(cron_next(&cron, tz, INT64_MIN, &t), 0);
		assert_int_equal(civil_date(civil_day_of(t + 86400)).year, 4);
		assert_int_equal(cron_next(&cron, tz, CRON_TIME_MAX - 86400 * 365, &t), 1);
	}
}

/* Before 1972 Monrovia was 44 minutes and 30 seconds behind: its minutes do
 * not begin with UTC's. The gap back to UTC is owed a run at 00:44:30 + 30 s. */
static void offsets_with_seconds(void **state)
{
	const struct tz *tz = zone("Africa/Monrovia");
	int64_t t = instant("1972-01-06T12:00", tz);

	(void)state;
	assert_string_equal(next_text("30 0 * * *", tz, t, &t), "1972-01-07T00:45:00+00:00");
	t = instant("1971-12-31T23:00", tz);
	assert_string_equal(next_text("* * * * *", tz, t, &t), "1971-12-31T23:01:00-00:44:30");
}

static void allocates_nothing(void **state)
{
	static const char *const exprs[] = {
		"* * * * *", "30 2 * * *", "0 0 29 2 */7", "*/10 2 8 3 */7", "~ ~ * * ~", "@daily"};
	const struct tz *tz = zone("America/New_York");
	char text[CRON_DESCRIBE_MAX];
	struct cron cron;
	int64_t t;
	size_t i;
	int j, before = allocations;
	struct tz *other;

	(void)state;
	for (i = 0; i < sizeof exprs / sizeof *exprs; i++) {
		parse(exprs[i], "seed", &cron);
		t = 1700000000;
		for (j = 0; j < 100 && cron_next(&cron, tz, t, &t) == 0; j++)
			;
		for (j = 0; j < 100 && cron_prev(&cron, tz, t, &t) == 0; j++)
			is_run_at(&cron, tz, t);
		cron_describe(&cron, text);
	}
	assert_int_equal(allocations, before);
	assert_int_equal(tz_load("UTC", &other, &err), 0); /* counting works */
	assert_true(allocations > before);
	tz_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax_page),
		cmocka_unit_test(next_of_others),
		cmocka_unit_test(clock_changes_of_others),
		cmocka_unit_test(syntax_of_others),
		cmocka_unit_test(flags),
		cmocka_unit_test(odd_texts),
		cmocka_unit_test(seeds_spread),
		cmocka_unit_test(describes),
		cmocka_unit_test(ends_of_time),
		cmocka_unit_test(offsets_with_seconds),
		cmocka_unit_test(allocates_nothing),
	};
	return RUN(tests);
}
