/*
 * Decides what an agent's jobs do next. Pure: the time is an argument, and the state comes from the
 * journal (journal.h) alone, so the same records and the same time always give the same answer.
 *
 *   state = zeros -> agent_state_apply for each record of the journal
 *   agent_schedule_next -> .run: append `starting`, apply it, start the child
 *                       -> at its end: append `ended`, apply it, ask again
 *
 * The rules:
 * - `starting` is durable before the child starts. It settles all slots up to its time, so no slot
 *   is run twice by schedule.
 * - One run of a job at a time. If several slots have passed (the machine was off, or a run took
 *   long), only the newest is due, once.
 * - A job that never ran is due at once, for the newest slot that has passed.
 * - A run that failed is retried after 5, 15 and 45 minutes, until the next slot comes. A run that
 *   was lost is retried at once and, if it is lost again, after 5, 15, 45, 45, ... minutes. A run
 *   that made a dump, complete or not, is not retried; nor is one that a person cancelled.
 * - A run that a person ordered (slot 0) counts as a try of the slot before it. Its retries have
 *   slot 0 too, as that slot may have been done.
 * - Held: nothing is started until the job is released; then the newest slot is run, once.
 * - If the clock is set back by up to three hours, no slot comes twice. If it is set back by more,
 *   it counts as having been corrected, and slots come by the new time (cron/cron.h).
 *
 * When the agent starts, a state may say that a run is in progress. It is not, since its process
 * ended with the agent. Append `ended` with the result `lost` first.
 */
#ifndef FDUMP_CMD_AGENT_SCHEDULE_H
#define FDUMP_CMD_AGENT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/manager/report.h"

struct manager_slots;

struct agent_job_state {
	char job[NAME_LEN_MAX + 1];
	int64_t since;     /* time of the first record about this job; 0: none */
	bool started_once; /* some run was started; then `seen` is valid */
	int64_t seen;      /* all slots up to here are settled */
	bool running, held;
	/* The last run. */
	uint8_t run[MANAGER_RUN_LEN];
	int64_t slot; /* 0: ordered by a person */
	int64_t started, ended;
	enum manager_result result; /* MANAGER_NONE: running, or never ran */
	unsigned failures, losses;  /* of runs for this slot */
	int64_t succeeded;          /* when the last run that made a dump ended; 0: never */
};

struct agent_next {
	bool run;     /* run `slot` now; otherwise do nothing */
	int64_t slot; /* 0: ordered by a person */
	/* The clock was set back, and the state's `seen` was set to now. Append a `clock` record
	 * with this time, so that this survives a restart. */
	bool clock_set;
};

/* Applies a record to the state. Ignores records of other jobs, and an `ended` that is not of the
 * run in progress. */
void agent_state_apply(struct agent_job_state *state, const struct manager_record *record);

/* Decides what a job does now; call it every second. min_interval_sec: shortest time from one start
 * to the next. */
struct agent_next agent_schedule_next(const struct manager_slots *slots,
	struct agent_job_state *state, int64_t min_interval_sec, int64_t now);

#endif
