/* What an agent's jobs do next: each rule, and random days with kills, restarts and clocks that are
 * set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/agent/schedule.h"
#include "cmd/manager/slots.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/tz.h"

#define MIN      60
#define HOUR     3600
#define DAY      86400
#define T0       1767225600 /* 2026-01-01T00:00:00Z */
#define AT(h, m) (T0 + (h)*HOUR + (m)*MIN)

static struct tz *utc;
static struct manager_slots daily, hourly; /* 02:00; each hour at 30 */

static int setup(void **state)
{
	struct err err = {0};

	(void)state;
	if (hash_crypto_init(&err) != 0 || tz_load("UTC", &utc, &err) != 0)
		return -1;
	return manager_slots_init(&daily, "0 2 * * *", utc, 0, "a", "j", &err) != 0 ||
	       manager_slots_init(&hourly, "30 * * * *", utc, 0, "a", "j", &err) != 0;
}

static int teardown(void **state)
{
	(void)state;
	tz_free(utc);
	return 0;
}

/* ---- by hand ---- */

static struct agent_job_state job;
static unsigned runs;

static void begin(void)
{
	job = (struct agent_job_state){.job = "j"};
	runs = 0;
}

static void starting(int64_t slot, int64_t time)
{
	struct manager_record record = {
		.kind = MANAGER_STARTING, .job = "j", .slot = slot, .time = time};

	record.run[0] = (uint8_t)++runs;
	agent_state_apply(&job, &record);
}

static void ended(enum manager_result result, int64_t time)
{
	struct manager_record record = {
		.kind = MANAGER_ENDED, .job = "j", .result = result, .time = time};

	record.run[0] = (uint8_t)runs;
	agent_state_apply(&job, &record);
}

static void other(enum manager_kind kind, int64_t time)
{
	struct manager_record record = {.kind = kind, .job = "j", .time = time};

	agent_state_apply(&job, &record);
}

enum action { NOTHING, WAIT, RUN };

static struct agent_next next_at(const struct manager_slots *slots, int64_t now)
{
	struct agent_job_state then = job;

	return agent_schedule_next(slots, &then, 0, now);
}

/* RUN: value is the slot. WAIT: nothing runs before the time in value. */
static void expect(
	const struct manager_slots *slots, int64_t now, enum action action, int64_t value)
{
	struct agent_next next = agent_schedule_next(slots, &job, 0, now);

	assert_int_equal(next.run, action == RUN);
	if (action == RUN)
		assert_int_equal(next.slot, value);
	if (action == WAIT) {
		assert_false(next_at(slots, value - 1).run);
		assert_true(next_at(slots, value).run);
	}
}

/* A newly joined agent runs its job at once; then by the schedule. */
static void joined(void **state)
{
	(void)state;
	begin();
	expect(&daily, AT(14, 0), RUN, AT(2, 0));
	starting(AT(2, 0), AT(14, 0));
	expect(&daily, AT(14, 1), NOTHING, 0);
	ended(MANAGER_OK, AT(15, 0));
	expect(&daily, AT(15, 0), WAIT, AT(26, 0));
	expect(&daily, AT(25, 59), WAIT, AT(26, 0));
	expect(&daily, AT(26, 0), RUN, AT(26, 0));
	starting(AT(26, 0), AT(26, 0));
	ended(MANAGER_PARTIAL, AT(26, 0) + 1);
	expect(&daily, AT(26, 0) + 1, WAIT, AT(50, 0));
	assert_int_equal(job.succeeded, AT(26, 0) + 1);
}

/* Missed slots are made up for once, by the newest of them. */
static void missed(void **state)
{
	(void)state;
	begin();
	starting(AT(2, 0), AT(2, 0));
	ended(MANAGER_OK, AT(3, 0));
	expect(&daily, AT(5 * 24, 0), RUN, AT(4 * 24 + 2, 0));
	starting(AT(4 * 24 + 2, 0), AT(5 * 24, 0));
	ended(MANAGER_OK, AT(5 * 24, 9));
	expect(&daily, AT(5 * 24, 9), WAIT, AT(5 * 24 + 2, 0));
	/* A run takes longer than the interval: the newest slot that passed is next. */
	begin();
	starting(AT(1, 30), AT(1, 30));
	ended(MANAGER_OK, AT(4, 40));
	expect(&hourly, AT(4, 40), RUN, AT(4, 30));
	starting(AT(4, 30), AT(4, 40));
	ended(MANAGER_OK, AT(4, 41));
	expect(&hourly, AT(4, 41), WAIT, AT(5, 30));
}

/* A failed run is retried after 5, 15, 45 minutes, until the next slot. */
static void failed(void **state)
{
	static const int64_t delays[] = {5, 15, 45};
	int64_t now = AT(2, 0);
	size_t i;

	(void)state;
	begin();
	starting(AT(2, 0), now);
	for (i = 0; i < 3; i++) {
		now += MIN;
		ended(MANAGER_FAILED, now);
		expect(&daily, now, WAIT, now + delays[i] * MIN);
		now += delays[i] * MIN;
		expect(&daily, now, RUN, AT(2, 0));
		starting(AT(2, 0), now);
	}
	ended(MANAGER_FAILED, now + MIN);
	expect(&daily, now + MIN, WAIT, AT(26, 0));
	/* A successful try ends the tries. */
	begin();
	starting(AT(2, 0), AT(2, 0));
	ended(MANAGER_FAILED, AT(2, 1));
	starting(AT(2, 0), AT(2, 6));
	ended(MANAGER_OK, AT(2, 9));
	expect(&daily, AT(2, 9), WAIT, AT(26, 0));
	/* The next slot comes before the next try, and its tries are counted from the start. */
	begin();
	starting(AT(1, 30), AT(1, 30));
	ended(MANAGER_FAILED, AT(2, 20));
	expect(&hourly, AT(2, 24), WAIT, AT(2, 25));
	starting(AT(1, 30), AT(2, 25));
	ended(MANAGER_FAILED, AT(2, 26));
	expect(&hourly, AT(2, 26), WAIT, AT(2, 30));
	expect(&hourly, AT(2, 30), RUN, AT(2, 30));
	starting(AT(2, 30), AT(2, 30));
	ended(MANAGER_FAILED, AT(2, 31));
	expect(&hourly, AT(2, 31), WAIT, AT(2, 36));
	/* Not tried again: a run with fewer copies, a cancelled run. */
	starting(AT(2, 30), AT(2, 36));
	ended(MANAGER_COPIES, AT(2, 37));
	expect(&hourly, AT(2, 37), WAIT, AT(3, 30));
	starting(AT(3, 30), AT(3, 30));
	ended(MANAGER_CANCELLED, AT(3, 31));
	expect(&hourly, AT(3, 31), WAIT, AT(4, 30));
}

/* A lost run is tried again at once, then at growing intervals, without a limit. */
static void lost(void **state)
{
	static const int64_t delays[] = {0, 5, 15, 45, 45, 45};
	int64_t now = AT(2, 0);
	size_t i;

	(void)state;
	begin();
	starting(AT(2, 0), now);
	for (i = 0; i < 6; i++) {
		ended(MANAGER_LOST, now);
		if (delays[i] > 0)
			expect(&daily, now, WAIT, now + delays[i] * MIN);
		now += delays[i] * MIN;
		expect(&daily, now, RUN, AT(2, 0));
		starting(AT(2, 0), now);
	}
	/* An end record that belongs to another run has no effect. */
	runs++;
	ended(MANAGER_OK, now);
	expect(&daily, now, NOTHING, 0);
	/* The machine is off for days in the middle of a run: only the newest slot is made up for.
	 */
	runs--;
	ended(MANAGER_LOST, AT(72, 0));
	expect(&daily, AT(72, 0), RUN, AT(50, 0));
}

static void held(void **state)
{
	(void)state;
	begin();
	other(MANAGER_HELD, AT(1, 0));
	expect(&daily, AT(2, 0), NOTHING, 0);
	other(MANAGER_RELEASED, AT(3, 0));
	expect(&daily, AT(3, 0), RUN, AT(2, 0));
	starting(AT(2, 0), AT(3, 0));
	other(MANAGER_HELD, AT(3, 1));
	expect(&daily, AT(3, 1), NOTHING, 0);
	ended(MANAGER_FAILED, AT(4, 0));
	expect(&daily, AT(80, 0), NOTHING, 0);
	other(MANAGER_RELEASED, AT(80, 0));
	expect(&daily, AT(80, 0), RUN, AT(74, 0));
}

/* Ordered runs have no slot of their own; their result counts for the previous slot. */
static void ordered(void **state)
{
	(void)state;
	begin();
	starting(AT(2, 0), AT(2, 0));
	ended(MANAGER_FAILED, AT(2, 1));
	starting(0, AT(2, 2));
	ended(MANAGER_OK, AT(2, 3));
	expect(&daily, AT(2, 30), WAIT, AT(26, 0));
	starting(0, AT(3, 0));
	ended(MANAGER_FAILED, AT(3, 1));
	expect(&daily, AT(3, 1), WAIT, AT(3, 6));
	expect(&daily, AT(3, 6), RUN, 0);
	/* A lost ordered run is tried again; the slot that was done is not. */
	starting(AT(26, 0), AT(26, 0));
	ended(MANAGER_OK, AT(26, 1));
	starting(0, AT(27, 0));
	assert_int_equal(job.slot, 0);
	ended(MANAGER_LOST, AT(27, 1));
	expect(&daily, AT(27, 1), RUN, 0);
}

static void shortest_interval(void **state)
{
	struct agent_next next;

	(void)state;
	begin();
	starting(AT(1, 30), AT(1, 40));
	ended(MANAGER_OK, AT(1, 41));
	assert_false(agent_schedule_next(&hourly, &job, 2 * HOUR, AT(2, 0)).run);
	assert_false(agent_schedule_next(&hourly, &job, 2 * HOUR, AT(3, 40) - 1).run);
	next = agent_schedule_next(&hourly, &job, 2 * HOUR, AT(3, 40));
	assert_true(next.run);
	assert_int_equal(next.slot, AT(3, 30));
	/* The clock was set back: no wait is longer than its interval from now. */
	assert_false(agent_schedule_next(&hourly, &job, 2 * HOUR, AT(0, 0)).run);
}

static void clock_set(void **state)
{
	struct agent_next next;

	(void)state;
	begin();
	starting(AT(10, 30), AT(10, 30));
	ended(MANAGER_OK, AT(10, 31));
	/* A little back: no slot comes twice. */
	expect(&hourly, AT(8, 31), WAIT, AT(11, 30));
	expect(&hourly, AT(9, 30), WAIT, AT(11, 30));
	starting(0, AT(9, 0)); /* not even after a run in between */
	ended(MANAGER_OK, AT(9, 1));
	expect(&hourly, AT(9, 30), WAIT, AT(11, 30));
	/* Far back: slots follow the new clock. */
	next = agent_schedule_next(&hourly, &job, 0, AT(4, 0));
	assert_true(next.clock_set);
	assert_false(next.run);
	assert_int_equal(job.seen, AT(4, 0));
	expect(&hourly, AT(4, 30), RUN, AT(4, 30));
	/* The same states, read from the journal. */
	begin();
	starting(AT(10, 30), AT(10, 30));
	ended(MANAGER_FAILED, AT(10, 31));
	other(MANAGER_CLOCK, AT(4, 0));
	assert_int_equal(job.seen, AT(4, 0));
	expect(&hourly, AT(4, 30), RUN, AT(4, 30));
	/* A clock that was set back does not delay a try for ever. */
	expect(&hourly, AT(4, 10), RUN, AT(10, 30));
}

/* Manager and agent compute the same slots: values that must never change. */
static void slots(void **state)
{
	struct manager_slots s;
	struct err err = {0};
	int64_t slot;

	(void)state;
	assert_int_equal(manager_slots_init(&s, "~ 1~4 * * *", utc, 0, "web1", "system", &err), 0);
	assert_int_equal(manager_slots_next(&s, T0, &slot), 0);
	assert_int_equal(slot, AT(2, 11));
	assert_int_equal(manager_slots_init(&s, "0 2 * * *", utc, 3600, "web1", "system", &err), 0);
	assert_in_range(s.shift, 0, 3600);
	assert_int_equal(manager_slots_next(&s, T0, &slot), 0);
	assert_int_equal(slot, AT(2, 0) + s.shift);
	assert_int_equal(manager_slots_prev(&s, slot + 1, &slot), 0);
	assert_int_equal(slot, AT(2, 0) + s.shift);
	slot = AT(2, 0) + s.shift - 1;
	assert_false(manager_slots_due(&s, &slot, slot));
	assert_true(manager_slots_due(&s, &slot, slot + 1));
	assert_int_equal(s.shift, 201);
	assert_int_equal(manager_slots_init(&s, "@reboot", utc, 0, "a", "j", &err), -1);
	assert_int_equal(manager_slots_init(&s, "0 0 30 2 *", utc, 0, "a", "j", &err), -1);
	assert_int_equal(manager_slots_init(&s, "x", utc, 0, "a", "j", &err), -1);
}

/* ---- random days ---- */

#define LOG_MAX 4096

static struct manager_record log_[LOG_MAX]; /* the durable records */
static size_t log_count;
static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void append(struct manager_record record)
{
	assert_true(log_count < LOG_MAX);
	log_[log_count++] = record;
	agent_state_apply(&job, &record);
}

/* The daemon starts: the state comes from the log; the run in progress is lost. */
static void restart(int64_t now)
{
	size_t i;

	job = (struct agent_job_state){.job = "j"};
	for (i = 0; i < log_count; i++)
		agent_state_apply(&job, &log_[i]);
	if (job.running) {
		struct manager_record record = {.kind = MANAGER_ENDED,
			.job = "j",
			.slot = job.slot,
			.result = MANAGER_LOST,
			.time = now};

		memcpy(record.run, job.run, sizeof record.run);
		append(record);
	}
}

struct day {
	const struct manager_slots *slots;
	int64_t length;
	int64_t step_max;    /* the clock is set by at most so much; 0: never */
	unsigned kills;      /* one in so many ticks; 0: none */
	unsigned ends_badly; /* one run in so many; 0: none */
	bool far;            /* steps may be over three hours */
	unsigned orders;     /* one in so many ticks; 0: none */
};

/* Whether before log entry n the slot had a run that made a dump or was given up. */
static bool is_settled(int64_t slot, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		if (log_[i].kind != MANAGER_STARTING || log_[i].slot != slot)
			continue;
		for (k = i + 1; k < n; k++)
			if (log_[k].kind == MANAGER_ENDED &&
				memcmp(log_[k].run, log_[i].run, sizeof log_[i].run) == 0 &&
				manager_result_kept(log_[k].result))
				return true;
	}
	return false;
}

/* Plays a day, and checks the invariants at each step. */
static void play(const struct day *day)
{
	int64_t t, offset = 0, end_at = 0, now, newest;
	struct agent_next next;
	unsigned run = 0;

	log_count = 0;
	job = (struct agent_job_state){.job = "j"};
	for (t = T0; t < T0 + day->length; t += 1 + pick(120)) {
		if (day->step_max > 0 && pick(400) == 0)
			offset = (int64_t)pick((unsigned)(2 * day->step_max)) - day->step_max;
		now = t + offset;
		if (day->kills > 0 && pick(day->kills) == 0) {
			if (pick(2) == 0)
				t += pick(6 * HOUR); /* the machine is off */
			now = t + offset;
			restart(now);
		}
		if (job.running && t >= end_at) {
			struct manager_record record = {.kind = MANAGER_ENDED,
				.job = "j",
				.slot = job.slot,
				.time = now,
				.result = day->ends_badly > 0 && pick(day->ends_badly) == 0
						  ? MANAGER_FAILED
						  : MANAGER_OK};

			memcpy(record.run, job.run, sizeof record.run);
			append(record);
		}
		next = agent_schedule_next(day->slots, &job, 0, now);
		if (next.clock_set)
			append((struct manager_record){
				.kind = MANAGER_CLOCK, .job = "j", .time = now});
		if (next.run) {
			struct manager_record record = {.kind = MANAGER_STARTING,
				.job = "j",
				.slot = next.slot,
				.time = now};

			assert_false(job.running);
			if (!day->far && next.slot != 0) /* no slot is run twice */
				assert_false(is_settled(next.slot, log_count));
			record.run[0] = (uint8_t)++run;
			record.run[1] = (uint8_t)(run >> 8);
			record.run[2] = 1;
			append(record);
			end_at = t + pick(2 * HOUR);
		} else if (day->orders > 0 && !job.running && pick(day->orders) == 0) {
			run++;
			append((struct manager_record){.kind = MANAGER_STARTING,
				.job = "j",
				.time = now,
				.run = {(uint8_t)run, (uint8_t)(run >> 8), 2}});
			end_at = t + pick(2 * HOUR);
		} else if (!job.running) {
			/* No slot is lost: all up to now are dealt with, and the next one is waited
			 * for. */
			assert_true(job.seen <= now + CRON_GAP_MAX_SEC);
			assert_int_equal(manager_slots_prev(day->slots, now + 1, &newest), 0);
			assert_true(newest <= job.seen);
			assert_int_equal(manager_slots_next(day->slots,
						 job.seen > now ? job.seen : now, &newest),
				0);
			assert_true(next_at(day->slots, newest).run);
		}
	}
}

/* Every slot of a quiet day is run, once. */
static void quiet_day(void **state)
{
	struct day day = {.slots = &hourly, .length = 2 * DAY};
	int64_t slot;
	size_t i, n;

	(void)state;
	for (seed = 1; seed < 20; seed++) {
		uint64_t kept = seed;

		play(&day);
		seed = kept;
		/* A run takes up to two hours, so slots may be skipped, but each start has a slot
		 * of its own, and none is older than the newest slot at that time. */
		for (i = 0; i < log_count; i++) {
			if (log_[i].kind != MANAGER_STARTING)
				continue;
			assert_int_equal(manager_slots_prev(&hourly, log_[i].time + 1, &slot), 0);
			assert_int_equal(log_[i].slot, slot);
			for (n = 0; n < i; n++)
				assert_true(
					log_[n].kind != MANAGER_STARTING || log_[n].slot != slot);
		}
	}
}

static void bad_days(void **state)
{
	struct day days[] = {
		{.slots = &hourly, .length = 3 * DAY, .kills = 50},
		{.slots = &hourly, .length = 3 * DAY, .kills = 5, .ends_badly = 2},
		{.slots = &daily, .length = 10 * DAY, .kills = 300, .ends_badly = 2},
		{.slots = &hourly, .length = 3 * DAY, .step_max = HOUR, .ends_badly = 3},
		{.slots = &hourly, .length = 3 * DAY, .step_max = HOUR, .kills = 60},
		{.slots = &daily, .length = 10 * DAY, .step_max = HOUR, .kills = 300},
		{.slots = &hourly, .length = 3 * DAY, .kills = 20, .ends_badly = 2, .orders = 20},
		{.slots = &daily, .length = 10 * DAY, .kills = 100, .orders = 300},
		{.slots = &hourly,
			.length = 3 * DAY,
			.step_max = 5 * DAY,
			.kills = 60,
			.ends_badly = 3,
			.far = true},
		{.slots = &daily,
			.length = 20 * DAY,
			.step_max = 40 * DAY,
			.kills = 300,
			.far = true},
	};
	uint64_t s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof days / sizeof days[0]; i++)
		for (s = 1; s < 40; s++) {
			seed = s * 1000 + i;
			play(&days[i]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined),
		cmocka_unit_test(missed),
		cmocka_unit_test(failed),
		cmocka_unit_test(lost),
		cmocka_unit_test(held),
		cmocka_unit_test(ordered),
		cmocka_unit_test(shortest_interval),
		cmocka_unit_test(clock_set),
		cmocka_unit_test(slots),
		cmocka_unit_test(quiet_day),
		cmocka_unit_test(bad_days),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
