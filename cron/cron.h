/*
 * Schedules as vixie cron and cronie write them. cron/SYNTAX.md describes the language and the
 * rule for clock changes, with examples.
 *
 * cron_parse -> cron_next, cron_prev, cron_due, cron_describe. Pure functions: time and zone
 * are arguments, and nothing is read, kept or allocated. A struct cron is plain data: copy it,
 * compare it, drop it. Any number of threads may share one.
 *
 * Times are seconds since 1970-01-01T00:00:00Z; zones are those of lib/tz.h. Runs are found
 * from CRON_TIME_MIN to CRON_TIME_MAX: the years 1 to 9999 without a day or two at the ends, so
 * that every run has a local date in that range.
 */
#ifndef FDUMP_CRON_CRON_H
#define FDUMP_CRON_CRON_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct tz;

#define CRON_TIME_MIN (-62135510400) /* 0001-01-02T00:00:00Z */
#define CRON_TIME_MAX 253402214399   /* 9999-12-30T23:59:59Z */

/* Longest expression, and longest description with its NUL, in bytes. */
#define CRON_EXPR_MAX     1000
#define CRON_DESCRIBE_MAX 2048

/* Longest gap after which a job with a fixed time runs late instead of not at all. */
#define CRON_GAP_MAX_SEC 10800

enum cron_flag {
	CRON_BOTH = 1,   /* day of month and day of week must both match; without it, one of them */
	CRON_WALL = 2,   /* minute or hour begins with '*': follows the wall clock */
	CRON_REBOOT = 4, /* @reboot: when the agent starts, never at a time */
	CRON_RANDOM = 8, /* has a '~': the seed chose a value */
	CRON_NEVER = 16, /* no date in the calendar matches, or @reboot */
};

/* Bit n stands for the value n. */
struct cron {
	uint64_t minutes; /* 0 to 59 */
	uint32_t hours;   /* 0 to 23 */
	uint32_t days;    /* 1 to 31 */
	uint16_t months;  /* 1 to 12 */
	uint8_t weekdays; /* 0 to 6, 0 is Sunday */
	uint8_t flags;    /* enum cron_flag */
};

/* Where an expression is wrong. */
struct cron_where {
	unsigned field; /* 1 minute, 2 hour, 3 day of month, 4 month, 5 day of week; 0: none of them
			 */
	unsigned column; /* in bytes, from 1 */
};

/* Parses an expression. seed (NULL means "") chooses the values of random ranges ('~'): the
 * same seed and expression give the same values on every machine and in every version of FDump;
 * SYNTAX.md defines the function. where may be NULL. Returns 0, or -1 with err set: ERR_USAGE,
 * or ERR_LIMIT for more than CRON_EXPR_MAX bytes. Then the message names the field, the column
 * and what would be right, and *cron must not be used. */
int cron_parse(struct cron *cron, const char *expr, const char *seed, struct cron_where *where,
	struct err *err);

/* The name of a field, numbered as in struct cron_where; "schedule" for 0. Static text. */
const char *cron_field_name(unsigned field);

/* The first run after the given time. Returns 0 with *t set, or 1 if there is none up to
 * CRON_TIME_MAX. */
int cron_next(const struct cron *cron, const struct tz *tz, int64_t after, int64_t *t);

/* The last run before the given time. Returns 0 with *t set, or 1 if there is none from
 * CRON_TIME_MIN on. */
int cron_prev(const struct cron *cron, const struct tz *tz, int64_t before, int64_t *t);

/* Whether a run is due: whether the schedule has a time after *done and not after now. If so,
 * sets *done to now, so that all times up to now are done. To watch a schedule, start with
 * *done = now and call this every few seconds.
 *
 * Times that were missed, because the machine was suspended or busy with another run, are made
 * up for by one run. A caller that does not want that for the times during a run sets *done to
 * the end of the run. If the clock is set back by up to CRON_GAP_MAX_SEC, no time comes twice.
 * If it is set back further, it is assumed to have been wrong before, and *done is set to now. */
bool cron_due(const struct cron *cron, const struct tz *tz, int64_t *done, int64_t now);

/* Describes the schedule in one English sentence. Returns text. */
char *cron_describe(const struct cron *cron, char text[CRON_DESCRIBE_MAX]);

/* A sentence about clock changes to go with it; "" if there is nothing to say. Static text. */
const char *cron_describe_clock(const struct cron *cron);

#endif
