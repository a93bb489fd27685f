/*
 * Which dumps are kept: the rules, and nothing else. Pure.
 *
 * Dumps are looked at from the newest to the oldest. A rule of N hours, days,
 * weeks (ISO 8601), months or years keeps the newest complete dump of each of the
 * last N such spans that have one; `last` the newest N; `within` all that are at most so much older
 * than the newest, so that a clock that is wrong now deletes nothing. A dump
 * that any rule keeps is kept. The newest one, and the newest complete one, are always kept.
 *
 * Incomplete dumps push no complete one out, and are not worthless, for that a log grew
 * while it was read is enough to make them such: of a span without a complete dump the newest
 * incomplete one is kept, of N such spans at most, and none that are older than the N-th with a
 * complete one.
 *
 * A dump whose time is not believed (cmd/dump/order.h) counts for no rule, and is kept.
 */
#ifndef FDUMP_CMD_DUMP_RETENTION_H
#define FDUMP_CMD_DUMP_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum dump_span {
	DUMP_LAST,
	DUMP_HOURLY,
	DUMP_DAILY,
	DUMP_WEEKLY,
	DUMP_MONTHLY,
	DUMP_YEARLY,
	DUMP_SPANS
};

struct dump_rules {
	unsigned keep[DUMP_SPANS]; /* 0: no such rule */
	int64_t within_sec;        /* 0: no such rule */
};

/* One dump of a row of one agent and name. */
struct dump_candidate {
	int64_t time;    /* of its commit, seconds since 1970 */
	bool incomplete; /* entries changed or could not be read, or are far fewer than before */
	const char *undated; /* why its time is not believed; NULL: it is */
	bool keep;           /* set: is kept */
	char reason[224];    /* set: "daily 3, monthly 1", "incomplete daily 2", or "" */
};

/* Judges the dumps, which stand from the oldest to the newest. Days and so on are those of
 * the process's time zone. Returns 0, or -1 with err set: out of memory. */
int dump_retention(const struct dump_rules *rules, struct dump_candidate *dumps, size_t count,
	struct err *err);

#endif
