/*
 * Schedules as vixie cron and cronie write them. cron/SYNTAX.md has the
 * language and the rule for clock changes, with examples.
 *
 * cron_parse -> cron_next, cron_prev, cron_due, cron_describe. Pure
 * functions: the time and the zone are arguments, nothing is read, kept or
 * allocated. A struct cron is plain data: copy it, compare it, drop it; any
 * number of threads may use one together.
 *
 * Times are seconds since 1970-01-01T00:00:00Z; zones are lib/tz.h's. Runs
 * are found from CRON_TIME_MIN to CRON_TIME_MAX, the years 1 to 9999 but for
 * a day or two at the ends, so that every run has a local date in them.
 */
#ifndef FDUMP_CRON_CRON_H
#define FDUMP_CRON_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct tz;

#define CRON_TIME_MIN (-62135510400) /* 0001-01-02T00:00:00Z */
#define CRON_TIME_MAX 253402214399   /* 9999-12-30T23:59:59Z */

/* Longest expression, and longest description with its NUL, in bytes. */
#define CRON_EXPR_MAX     1000
#define CRON_DESCRIBE_MAX 2048

/* Of a job with a fixed time: longest gap after which it is made up for. */
#define CRON_GAP_MAX_SEC 10800

enum cron_flag {
	CRON_BOTH = 1,   /* day of month and day of week must both match, not one of them */
	CRON_WALL = 2,   /* minute or hour begins with '*': follows the wall clock */
	CRON_REBOOT = 4, /* @reboot: at the start of the agent, never at a time */
	CRON_RANDOM = 8, /* has a '~', so the seed had a say */
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
	unsigned field;  /* 1 minute, 2 hour, 3 day of month, 4 month, 5 day of week; 0 none */
	unsigned column; /* in bytes, from 1 */
};

/* Reads an expression. The seed, NULL for "", chooses the values of random
 * ranges ('~'): the same seed and expression give the same values on every
 * machine and in every version of FDump; SYNTAX.md has the function. where
 * may be NULL. Returns 0, or -1 with err set to ERR_USAGE, or to ERR_LIMIT
 * over CRON_EXPR_MAX; the message names field, column and what would be
 * right, and *cron is not to be used. */
int cron_parse(struct cron *cron, const char *expr, const char *seed, struct cron_where *where,
	struct err *err);

/* The name of the field that is numbered as in struct cron_where; "schedule"
 * for 0. */
const char *cron_field_name(unsigned field);

/* The first run after the given time. Returns 0 with *t set, or 1 if there
 * is none up to CRON_TIME_MAX. */
int cron_next(const struct cron *cron, const struct tz *tz, int64_t after, int64_t *t);

/* The last run before the given time. Returns 0 with *t set, or 1 if there is
 * none from CRON_TIME_MIN on. */
int cron_prev(const struct cron *cron, const struct tz *tz, int64_t before, int64_t *t);

/* Watching a schedule: done = now -> (wait a little, cron_due -> run, done = now)*. Whether there
 * is a run after *done, and not after now. All up to *done are done: if it is due that is `now`. A
 * caller for whom times that pass during a run need no run of their own sets it to the time at the
 * run's end. Times that were missed, while the machine was suspended or something else was run, are
 * made up for once, together. If the clock is set back by up to CRON_GAP_MAX_SEC no time comes
 * twice; if by more, it is assumed to have been wrong before, and times come as it says. */
bool cron_due(const struct cron *cron, const struct tz *tz, int64_t *done, int64_t now);

/* Writes what the schedule means as one English sentence. Returns text. */
char *cron_describe(const struct cron *cron, char text[CRON_DESCRIBE_MAX]);

/* The sentence about clock changes that goes with it; "" where there is
 * nothing to say. Static text. */
const char *cron_describe_clock(const struct cron *cron);

#endif
