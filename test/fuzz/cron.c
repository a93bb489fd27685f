/* The parser of schedules, and what must hold for any that it accepts: the description ends, next
 * and prev agree with match; the error for a refused schedule has a position in it. Input: a zone's
 * number, a time (8 bytes), a seed up to a NUL, the expression. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cron/cron.h"
#include "lib/err.h"
#include "lib/tz.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct tz *zone(unsigned n)
{
	static const char *const rules[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
		"EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
		"XXX3EDT4,0/0,J365/23", "AAA-14:59:59BBB-17:59:59,M1.1.1/-167,M12.5.5/167"};
	static struct tz *zones[6];

	n %= 6;
	if (zones[n] == NULL)
		MUST(tz_parse_rule(rules[n], strlen(rules[n]), &zones[n], NULL) == 0);
	return zones[n];
}

/* Whether a run is due at exactly this second. */
static bool is_run_at(const struct cron *cron, const struct tz *tz, int64_t t)
{
	int64_t next;

	return t > INT64_MIN && cron_next(cron, tz, t - 1, &next) == 0 && next == t;
}

static void check_times(const struct cron *cron, const struct tz *tz, int64_t at)
{
	int64_t next, prev, back;

	if (cron_next(cron, tz, at, &next) == 0) {
		MUST(next > at && next >= CRON_TIME_MIN && next <= CRON_TIME_MAX);
		MUST(is_run_at(cron, tz, next));
		MUST(cron_prev(cron, tz, next + 1, &back) == 0 && back == next);
		if (cron_prev(cron, tz, next, &back) == 0)
			MUST(back <= at);
	}
	if (cron_prev(cron, tz, at, &prev) == 0) {
		MUST(prev < at && prev >= CRON_TIME_MIN && prev <= CRON_TIME_MAX);
		MUST(is_run_at(cron, tz, prev));
		MUST(cron_next(cron, tz, prev - 1, &back) == 0 && back == prev);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[2048], description[CRON_DESCRIBE_MAX];
	const char *expr;
	struct cron_where where = {0};
	struct err err = {0};
	struct cron cron;
	int64_t at;

	if (len < 9 || len - 9 >= sizeof text)
		return 0;
	memcpy(&at, data + 1, sizeof at);
	memcpy(text, data + 9, len - 9);
	text[len - 9] = 0;
	expr = strlen(text) < len - 9 ? text + strlen(text) + 1 : text;
	if (cron_parse(&cron, expr, text, &where, &err) != 0) {
		MUST(where.column >= 1 && where.column <= strlen(expr) + 1 && where.field <= 5);
		MUST(err.code != ERR_NONE && err.message[0] != 0);
		return 0;
	}
	cron_describe(&cron, description);
	MUST(strlen(description) < CRON_DESCRIBE_MAX - 1);
	MUST((cron.flags & CRON_NEVER) || (cron.minutes && cron.hours && cron.months));
	check_times(&cron, zone(data[0]), at);
	check_times(&cron, zone(data[0]), at % 4102444800); /* to 2100, in both directions */
	return 0;
}
