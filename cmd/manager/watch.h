/*
 * Watching: what should have been done by now on every agent, compared with what
 * is known to have been done. Pure; the time is an argument.
 *
 *   manager_watch -> rows, the worst first -> free(rows)
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

/* An agent that has joined. */
struct manager_host {
	const char *name;
	int64_t since; /* when it was first known here; seconds since 1970 */
};

/* What is known of a job on an agent: of the last run, and of the last that made a dump. */
struct manager_last {
	const char *agent, *job;
	bool running, held;
	int64_t started, ended; /* the last run; 0: none */
	enum manager_result
		result;       /* of the last run that ended; lost and cancelled count as failed */
	int64_t kept_slot;    /* of the last run that made a dump; 0: by order, or none */
	int64_t kept_started; /* likewise; 0: none */
	int64_t kept_ended;
	unsigned copies;  /* stores whose receipts of that dump are known */
	const char *text; /* what the last run had to say; NULL or "": nothing */
};

struct manager_row {
	const char *agent, *job; /* borrowed of hosts and config */
	enum manager_state state;
	char reason[MANAGER_REASON_MAX]; /* one line; "" if there is nothing to say */
	int64_t last, next;              /* slots around now; 0: none */
	int64_t due;                     /* by then a dump must have been made; 0: not known */
};

/* Makes a row for each job that the configuration has for each host. lasts: in any order; those
 * of jobs that are not in the configuration are ignored. *rows is to be freed, also if *count is
 * 0. Returns 0, or -1 with err set: ERR_NOMEM. */
int manager_watch(const struct manager_config *config, const struct manager_host *hosts,
	size_t host_count, const struct manager_last *lasts, size_t last_count, int64_t now,
	struct manager_row **rows, size_t *count, struct err *err);

#endif
