/*
 * Which dumps are kept: the rules, and nothing else. Pure; the time is an
 * argument.
 *
 * Dumps are looked at from the newest to the oldest. A rule of N hours, days,
 * weeks (ISO 8601), months or years keeps the newest of each of the last N such
 * spans that have a dump; `last` the newest N; `within` all that are younger. A dump
 * that any rule keeps is kept. The newest whole one is always kept.
 */
#ifndef FDUMP_CMD_AGENT_RETENTION_H
#define FDUMP_CMD_AGENT_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum agent_span {
	AGENT_LAST,
	AGENT_HOURLY,
	AGENT_DAILY,
	AGENT_WEEKLY,
	AGENT_MONTHLY,
	AGENT_YEARLY,
	AGENT_SPANS
};

struct agent_rules {
	unsigned keep[AGENT_SPANS]; /* 0: no such rule */
	int64_t within_sec;         /* 0: no such rule */
};

/* One dump of a row of one agent and name. */
struct agent_candidate {
	int64_t time;    /* of its commit, seconds since 1970 */
	bool keep;       /* set: is kept */
	char reason[96]; /* set: "daily 3, monthly 1", or "" */
};

/* Judges the dumps, which stand from the oldest to the newest. Days and so on are those of
 * the process's time zone. */
void agent_retention(
	const struct agent_rules *rules, struct agent_candidate *dumps, size_t count, int64_t now);

#endif
