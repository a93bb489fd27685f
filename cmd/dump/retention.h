/*
 * Decides which dumps are kept, by the retention rules. Pure.
 *
 * Dumps are examined from the newest to the oldest. A rule of N hours, days, weeks (ISO 8601),
 * months or years keeps the newest complete dump of each of the last N such spans that have one.
 * `last` keeps the newest N. `within` keeps all that are at most so much older than the newest; it
 * does not ask for the current time, so a wrong clock deletes nothing. A dump is kept if any rule
 * keeps it. The newest dump and the newest complete one are always kept.
 *
 * Incomplete dumps never take the place of complete ones. But they are worth keeping: a log that
 * grew while it was read is enough to make a dump incomplete. So the newest incomplete dump is kept
 * of each span without a complete one, for at most N such spans, and none older than the N-th span
 * with a complete one.
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

/* One dump of a sequence with the same agent and name. */
struct dump_candidate {
	int64_t time;    /* of its commit; seconds since 1970 */
	bool incomplete; /* entries changed or could not be read, or are far fewer than before */
	const char *undated; /* why its time is not believed; NULL if it is believed */
	bool keep;           /* result: keep it */
	char reason[224];    /* result: "daily 3, monthly 1", "incomplete daily 2", or "" */
};

/* Judges the dumps, which are sorted from the oldest to the newest. Days and so on are those of the
 * process's time zone. Returns 0, or -1 with err set: out of memory. */
int dump_retention(const struct dump_rules *rules, struct dump_candidate *dumps, size_t count,
	struct err *err);

#endif
