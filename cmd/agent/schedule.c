/* Implements the rules of schedule.h. */
#include "cmd/agent/schedule.h"

#include <assert.h>
#include <string.h>

#include "cmd/manager/slots.h"

/* After the n-th failure of a slot's runs, and after their (n + 1)-th loss. */
static const int64_t retry_sec[] = {5 * 60, 15 * 60, 45 * 60};
#define RETRIES (sizeof retry_sec / sizeof retry_sec[0])

static void apply_starting(struct agent_job_state *state, const struct manager_record *record)
{
	if (record->slot != 0 && record->slot != state->slot) {
		state->failures = 0;
		state->losses = 0;
	}
	state->slot = record->slot;
	memcpy(state->run, record->run, sizeof state->run);
	state->started_once = true;
	state->running = true;
	state->started = record->time;
	if (record->time > state->seen) /* the clock may have been set back a little */
		state->seen = record->time;
	state->result = MANAGER_NONE;
}

static void apply_ended(struct agent_job_state *state, const struct manager_record *record)
{
	if (!state->running || memcmp(state->run, record->run, sizeof state->run) != 0)
		return;
	state->running = false;
	state->ended = record->time;
	state->result = record->result;
	switch (record->result) {
	case MANAGER_FAILED:
		state->failures++;
		state->losses = 0;
		break;
	case MANAGER_LOST:
		state->losses++;
		break;
	default:
		state->failures = 0;
		state->losses = 0;
	}
	if (manager_result_kept(record->result))
		state->succeeded = record->time;
}

void agent_state_apply(struct agent_job_state *state, const struct manager_record *record)
{
	if (strcmp(state->job, record->job) != 0)
		return;
	if (state->since == 0)
		state->since = record->time;
	switch (record->kind) {
	case MANAGER_STARTING:
		apply_starting(state, record);
		break;
	case MANAGER_ENDED:
		apply_ended(state, record);
		break;
	case MANAGER_HELD:
		state->held = true;
		break;
	case MANAGER_RELEASED:
		state->held = false;
		break;
	case MANAGER_CLOCK:
		state->seen = record->time;
		break;
	default:
		break;
	}
}

/* Whether it is time to retry the slot of the last run. */
static bool retry_due(const struct agent_job_state *state, int64_t now)
{
	int64_t delay;

	if (state->result == MANAGER_LOST) {
		assert(state->losses > 0);
		delay = state->losses == 1         ? 0
			: state->losses <= RETRIES ? retry_sec[state->losses - 2]
						   : retry_sec[RETRIES - 1];
	} else if (state->result == MANAGER_FAILED && state->failures <= RETRIES) {
		assert(state->failures > 0);
		delay = retry_sec[state->failures - 1];
	} else {
		return false;
	}
	return state->ended > now || /* the clock was set back */
	       now - state->ended >= delay;
}

struct agent_next agent_schedule_next(const struct manager_slots *slots,
	struct agent_job_state *state, int64_t min_interval_sec, int64_t now)
{
	bool early = state->started <= now && now - state->started < min_interval_sec;
	struct agent_next next = {.run = false};
	int64_t done = state->seen;

	if (state->held || state->running)
		return next;
	if (!state->started_once || manager_slots_due(slots, &done, now)) {
		next.run = !early;
		if (manager_slots_prev(slots, now + 1, &next.slot) != 0) {
			assert(!state->started_once);
			next.slot = now;
		}
		return next;
	}
	if (done != state->seen) {
		state->seen = done;
		next.clock_set = true;
	}
	if (retry_due(state, now) && !early) {
		next.run = true;
		next.slot = state->slot;
	}
	return next;
}
