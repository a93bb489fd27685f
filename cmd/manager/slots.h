/*
 * The slots of a job: the times at which it is due on one agent. Agents run by them and managers
 * watch by them, so both must compute the same ones:
 *
 * - the seed of random ranges ('~') is "JOB@AGENT";
 * - jitter moves all slots of a job later by the same time, at most the job's `jitter`. It depends
 *   on that seed, too: the first 8 bytes, little-endian, of SHA-256("fdump jitter " JOB@AGENT),
 *   modulo jitter + 1 seconds.
 *
 * manager_slots_init -> _next, _prev, _due. Pure: the time and the zone are arguments. The struct
 * is plain data; the zone is borrowed.
 */
#ifndef FDUMP_CMD_MANAGER_SLOTS_H
#define FDUMP_CMD_MANAGER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cron/cron.h"

struct err;
struct tz;

struct manager_slots {
	struct cron cron;
	const struct tz *tz;
	int64_t shift; /* seconds */
};

/* Returns 0, or -1 with err set: the schedule is invalid, has no time at all, or is @reboot, which
 * is not a time (ERR_USAGE). */
int manager_slots_init(struct manager_slots *slots, const char *schedule, const struct tz *tz,
	int64_t jitter_sec, const char *agent, const char *job, struct err *err);

/* Get the first slot after a time, or the last one before it. They return 0 with *slot set, or 1 if
 * there is none. */
int manager_slots_next(const struct manager_slots *slots, int64_t after, int64_t *slot);
int manager_slots_prev(const struct manager_slots *slots, int64_t before, int64_t *slot);

/* As cron_due (cron/cron.h): whether there is a slot after *done and not after now. */
bool manager_slots_due(const struct manager_slots *slots, int64_t *done, int64_t now);

#endif
