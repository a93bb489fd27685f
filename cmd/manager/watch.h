/*
 * Watching: compares what should have been done on every agent by now with what is known to have
 * been done. Pure; the time is an argument.
 *
 * A job is late when no run has made a dump
 *   - for longer than its alarm_after, if it has one; else
 *   - for the slot before the last one: so for each slot there is time until the next one,
 * including all retries, before anything is reported.
 *
 * If the agent has an `expect`, it replaces the second rule and is the minimum for the first one,
 * so that a machine that is rarely on is not reported earlier. Time counts from when the agent was
 * first known (`since`).
 */
#ifndef FDUMP_CMD_MANAGER_WATCH_H
#define FDUMP_CMD_MANAGER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/report.h"
#include "cmd/manager/row.h"

struct buf;
struct err;
struct manager_config;

/* From the least severe to the worst. In a row .state is its name: "ok", "running", "not expected",
 * "never", "held", "partial", "under-replicated", "failed", "late"; or "cancelled". */
enum manager_state {
	MANAGER_STATE_OK,
	MANAGER_STATE_RUNNING,
	MANAGER_STATE_EXPECTED, /* away, but within its `expect` */
	MANAGER_STATE_NEVER,    /* no run yet, and none is late */
	MANAGER_STATE_HELD,     /* by a person; or a person has cancelled the last run */
	MANAGER_STATE_PARTIAL,
	MANAGER_STATE_COPIES, /* the last dump is on fewer stores than required */
	MANAGER_STATE_FAILED,
	MANAGER_STATE_LATE,
	MANAGER_STATES
};

/* Prints the largest units of a time: "3d 4h", "12m", "5s". Returns text. */
#define MANAGER_AGE_MAX 32
const char *manager_age(char text[MANAGER_AGE_MAX], int64_t sec);

/* Appends a struct manager_status_row for each job of the configuration on each agent among the
 * hosts, the worst first. The members about the progress of runs are zero. lasts: sorted by agent
 * and job. Returns 0, or -1 with err set: ERR_NOMEM. */
int manager_watch(const struct manager_config *config, const struct manager_host_row *hosts,
	size_t host_count, const struct manager_last_row *lasts, size_t last_count, int64_t now,
	struct buf *rows, struct err *err);

/* What is known of a job on an agent; NULL: nothing. Borrowed. */
const struct manager_last_row *manager_last_find(
	const struct manager_last_row *lasts, size_t count, const char *agent, const char *job);

#endif
