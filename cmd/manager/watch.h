/*
 * Watching: what should have been done by now on every agent, compared with what
 * is known to have been done. Pure; the time is an argument.
 *
 * A job is late when no run has made a dump
 *   - for longer than its alarm_after, where it has one; else
 *   - for the slot before the last one: so a slot has until the next one, with
 *     all tries in between, before anybody is told.
 * What `expect` says of an agent takes the place of the second rule, and is the
 * least that the first one can be: a machine that is seldom on is not late before.
 * Counting begins when the agent was first known (`since`).
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

/* From the least severe to the worst. */
enum manager_state {
	MANAGER_STATE_OK,
	MANAGER_STATE_RUNNING,
	MANAGER_STATE_EXPECTED, /* away, but within its `expect` */
	MANAGER_STATE_NEVER,    /* no run was made yet, and none is late */
	MANAGER_STATE_HELD,     /* by a person's wish */
	MANAGER_STATE_PARTIAL,
	MANAGER_STATE_COPIES, /* the last dump is on fewer stores than asked */
	MANAGER_STATE_FAILED,
	MANAGER_STATE_LATE,
	MANAGER_STATES
};

/* "ok", "running", "not expected", "never", "held", "partial", "under-replicated",
 * "failed", "late". */
const char *manager_state_name(enum manager_state state);

/* "3d 4h", "12m": of the two largest units. Returns text. */
#define MANAGER_AGE_MAX 32
const char *manager_age(char text[MANAGER_AGE_MAX], int64_t sec);

/* Appends a struct manager_status_row for each job that the configuration has for each agent among
 * the hosts, the worst first; what is told of runs under way (bytes, rate ...) is zero. lasts:
 * sorted by agent and job. Returns 0, or -1 with err set: ERR_NOMEM. */
int manager_watch(const struct manager_config *config, const struct manager_host_row *hosts,
	size_t host_count, const struct manager_last_row *lasts, size_t last_count, int64_t now,
	struct buf *rows, struct err *err);

/* What is known of a job on an agent; NULL: nothing. */
const struct manager_last_row *manager_last_find(
	const struct manager_last_row *lasts, size_t count, const char *agent, const char *job);

#endif
