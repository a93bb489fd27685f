/*
 * What an agent's jobs do next. Pure: the time is an argument, and the state is
 * what the journal tells (journal.h), so that the same records and the same
 * time always give the same answer.
 *
 *   state = zeros -> agent_state_apply for each record of the journal
 *   agent_schedule_next -> .run: append `starting`, apply it, start the child
 *                       -> at its end: append `ended`, apply it, ask again
 *
 * The rules:
 * - `starting` is durable before the child starts, and says which slots are
 *   dealt with: all up to its time. So no slot is run twice by itself.
 * - One run of a job at a time. Of several slots that passed (the machine was
 *   off, a run took long) only the newest is due, once.
 * - A job that never ran is due at once, for the newest slot that passed.
 * - A run that failed is tried again after 5, 15 and 45 minutes, until the next
 *   slot comes. One that was lost is tried again at once, and, if it is lost
 *   again, after 5, 15, 45, 45, ... minutes. What made a dump, whole or not, is
 *   not tried again; nor what a person cancelled.
 * - A run by order (slot 0) counts as a try of the slot before it; when it is tried
 *   again it is by order too, for that slot may have been done.
 * - Held: nothing runs until released, and then the newest slot, once.
 * - The clock: set back by up to three hours, no slot comes twice. If by more, it
 *   is taken for set right, and slots come as it says (cron/cron.h).
 *
 * At the daemon's start a state may say that a run is under way. It is not: its
 * process ended with the daemon. Append `ended` with the result `lost` first.
 */
#ifndef FDUMP_CMD_AGENT_SCHEDULE_H
#define FDUMP_CMD_AGENT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/manager/report.h"

struct manager_slots;

struct agent_job_state {
	char job[NAME_LEN_MAX + 1];
	int64_t since;     /* time of the first record about this job; 0: there is none */
	bool started_once; /* a run was started, ever; then `seen` counts */
	int64_t seen;      /* all slots up to here are dealt with */
	bool running, held;
	/* The last run. */
	uint8_t run[MANAGER_RUN_LEN];
	int64_t slot; /* 0: by order */
	int64_t started, ended;
	enum manager_result result; /* MANAGER_NONE: under way, or never */
	unsigned failures, losses;  /* of this slot's runs */
	int64_t succeeded;          /* the last end of a run that made a dump; 0: never */
};

struct agent_next {
	bool run;     /* run `slot` now; else there is nothing to do */
	int64_t slot; /* 0: by order */
	/* The clock was set back, and the state's `seen` was moved to now: append a
	 * `clock` record (with this time), so that it stays so. */
	bool clock_set;
};

/* Takes a record in. Those of other jobs are ignored; so is an `ended` of
 * another run than the one under way. */
void agent_state_apply(struct agent_job_state *state, const struct manager_record *record);

/* What a job is to do now; ask every second. min_interval_sec: the shortest time from one start to
 * the next. */
struct agent_next agent_schedule_next(const struct manager_slots *slots,
	struct agent_job_state *state, int64_t min_interval_sec, int64_t now);

#endif
