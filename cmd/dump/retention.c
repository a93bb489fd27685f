/* Each span of time has a number; dumps are in the same span if its number is the same. */
#include "cmd/dump/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/err.h"

static const char *const names[DUMP_SPANS] = {
	"last", "hourly", "daily", "weekly", "monthly", "yearly"};

/* The year and week of a day by ISO 8601: those of the Thursday in its week. */
static int64_t iso_week(struct tm tm)
{
	tm.tm_mday += 3 - (tm.tm_wday + 6) % 7;
	tm.tm_hour = 12;
	tm.tm_isdst = -1;
	mktime(&tm);
	return (int64_t)tm.tm_year * 100 + tm.tm_yday / 7;
}

static int64_t span_of(enum dump_span span, int64_t time, size_t index)
{
	time_t t = (time_t)time;
	struct tm tm = {0};
	int64_t day;

	localtime_r(&t, &tm);
	day = ((int64_t)tm.tm_year * 12 + tm.tm_mon) * 31 + tm.tm_mday;
	switch (span) {
	case DUMP_HOURLY:
		return time / 3600; /* correct also when the clocks go back */
	case DUMP_DAILY:
		return day;
	case DUMP_WEEKLY:
		return iso_week(tm);
	case DUMP_MONTHLY:
		return (int64_t)tm.tm_year * 12 + tm.tm_mon;
	case DUMP_YEARLY:
		return tm.tm_year;
	default:
		return (int64_t)index;
	}
}

/* n: the number of this dump within its rule; 0: the rule has no numbers. */
static void keep(struct dump_candidate *dump, const char *name, unsigned n)
{
	size_t len = strlen(dump->reason);
	char number[16] = "";

	if (n > 0)
		snprintf(number, sizeof number, " %u", n);
	dump->keep = true;
	snprintf(dump->reason + len, sizeof dump->reason - len, "%s%s%s%s", len > 0 ? ", " : "",
		n > 0 && dump->incomplete ? "incomplete " : "", name, number);
}

/* Chooses the dump to keep for the span of the last of `count` dumps: the newest complete one, else
 * the newest. *first: set to the index where the span begins. */
static struct dump_candidate *best_of(
	enum dump_span span, struct dump_candidate **dumps, size_t count, size_t *first)
{
	int64_t here = span_of(span, dumps[count - 1]->time, count - 1);
	size_t best = count - 1, i = count - 1;

	while (i > 0 && span_of(span, dumps[i - 1]->time, i - 1) == here) {
		i--;
		if (dumps[best]->incomplete && !dumps[i]->incomplete)
			best = i;
	}
	*first = i;
	return dumps[best];
}

static void apply(enum dump_span span, unsigned n, struct dump_candidate **dumps, size_t count)
{
	unsigned complete = 0, incomplete = 0;

	while (count > 0 && complete < n) {
		struct dump_candidate *best = best_of(span, dumps, count, &count);

		if (!best->incomplete)
			keep(best, names[span], ++complete);
		else if (incomplete < n)
			keep(best, names[span], ++incomplete);
	}
}

int dump_retention(
	const struct dump_rules *rules, struct dump_candidate *dumps, size_t count, struct err *err)
{
	struct dump_candidate **dated = calloc(count + 1, sizeof(struct dump_candidate *));
	enum dump_span span;
	size_t i, n = 0;

	if (dated == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < count; i++) {
		dumps[i].keep = false;
		dumps[i].reason[0] = 0;
		if (dumps[i].undated != NULL)
			keep(&dumps[i], dumps[i].undated, 0);
		else
			dated[n++] = &dumps[i];
	}
	for (span = DUMP_LAST; span < DUMP_SPANS; span++)
		apply(span, rules->keep[span], dated, n);
	for (i = 0; i < n; i++)
		if (rules->within_sec > 0 &&
			dated[n - 1]->time - dated[i]->time <= rules->within_sec)
			keep(dated[i], "within", 0);
	if (n > 0 && !dated[n - 1]->keep)
		keep(dated[n - 1], "the newest", 0);
	for (i = n; i > 0 && dated[i - 1]->incomplete; i--)
		continue;
	if (i > 0 && !dated[i - 1]->keep)
		keep(dated[i - 1], "the newest complete", 0);
	free(dated);
	return 0;
}
