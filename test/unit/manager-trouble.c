/* Troubles of the fleet, and when they are reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/manager/trouble.h"
#include "cmd/manager/watch.h"
#include "lib/buf.h"
#include "lib/err.h"

#define HOUR 3600
#define DAY  86400
#define NOW  1767225600 /* 2026-01-01T00:00:00Z */
#define GIB  (UINT64_C(1) << 30)

static struct buf found;

static int setup(void **state)
{
	(void)state;
	buf_init(&found, SIZE_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&found);
	return 0;
}

/* Collects all troubles. Returns how many there are. */
static size_t list(const struct manager_facts *facts, int64_t now)
{
	struct manager_facts f = *facts;
	struct err err = {0};

	f.manager = "m1";
	buf_clear(&found);
	if (manager_trouble_list(&f, now, &found, &err) != 0)
		fail_msg("%s", err.message);
	return found.len / sizeof(struct manager_trouble);
}

static const struct manager_trouble *nth(size_t n)
{
	return (const struct manager_trouble *)(const void *)found.data + n;
}

/* The only trouble of a machine. */
static const struct manager_trouble *only(const struct manager_host_row *host, int64_t now)
{
	const struct manager_facts facts = {.hosts = host, .host_count = 1};

	assert_int_equal(list(&facts, now), 1);
	return nth(0);
}

static void none(const struct manager_host_row *host, int64_t now)
{
	const struct manager_facts facts = {.hosts = host, .host_count = 1};

	if (list(&facts, now) != 0)
		fail_msg("%s: %s", nth(0)->row.alarm, nth(0)->row.reason);
}

static void expect(const struct manager_trouble *t, const char *alarm, const char *state,
	bool critical, const char *reason)
{
	assert_string_equal(t->row.alarm, alarm);
	assert_string_equal(t->row.state, state);
	assert_int_equal(t->row.critical, critical);
	if (strstr(t->row.reason, reason) == NULL)
		fail_msg("'%s' is not '%s'", t->row.reason, reason);
}

static void machines(void **state)
{
	struct manager_host_row a = {.name = "web1", .role = "agent", .address = "10.0.0.1:5"};

	(void)state;
	none(&a, NOW);
	strcpy(a.address_before, "10.0.0.2:6");
	a.cloned = NOW - 60;
	expect(only(&a, NOW), "agent/web1/clone", "cloned", true,
		"at 10.0.0.1:5 and at 10.0.0.2:6");
	none(&a, NOW + HOUR);
	a.cloned = 0;
	a.strange = NOW;
	strcpy(a.stranger, "from 10.0.0.3:7: another machine");
	expect(only(&a, NOW + HOUR - 1), "agent/web1/stranger", "name taken twice", true,
		"from 10.0.0.3:7: another machine");
	none(&a, NOW + HOUR);
	a.clock_off = 300;
	none(&a, NOW + HOUR);
	a.clock_off = 301;
	expect(only(&a, NOW + HOUR), "agent/web1/clock", "clock wrong", false, "5m ahead");
	a.clock_off = -7200;
	expect(only(&a, NOW + HOUR), "agent/web1/clock", "clock wrong", false, "2h 0m behind");
}

/* Certificates of agents and stores are reported with less than 20 days left, those of people with
 * less than 30. */
static void certificates(void **state)
{
	struct manager_host_row h = {.name = "web1", .role = "agent", .expires = NOW + 21 * DAY};
	const struct manager_facts own = {.expires = NOW + 10 * DAY, .signs_until = NOW + 29 * DAY};

	(void)state;
	none(&h, NOW);
	expect(only(&h, NOW + 2 * DAY), "agent/web1/certificate", "certificate expiring", false,
		"it ends in 19d 0h: it is not renewed");
	expect(only(&h, NOW + 22 * DAY), "agent/web1/certificate", "certificate expired", true,
		"ended 1d 0h ago");
	strcpy(h.role, "operator");
	none(&h, NOW - 10 * DAY);
	expect(only(&h, NOW), "operator/web1/certificate", "certificate expiring", false,
		"new token");
	assert_int_equal(list(&own, NOW), 2);
	expect(nth(0), "manager/m1/certificate", "certificate expiring", false, "in 10d 0h");
	expect(nth(1), "manager/m1/intermediate", "certificate expiring", false, "join again");
}

static void manager(void **state)
{
	(void)state;
	assert_int_equal(list(&(struct manager_facts){.unsaved = "commit: full"}, NOW), 1);
	expect(nth(0), "manager/m1/unsaved", "state not saved", true, ": commit: full");
}

static void agents(void **state)
{
	struct manager_host_row a = {.name = "web1", .role = "agent", .differs = true};

	(void)state;
	none(&a, NOW); /* it follows no manager */
	strcpy(a.follows, "m2");
	expect(only(&a, NOW), "agent/web1/plan", "plans differ", false,
		"the manager m2 has a different plan");
	assert_int_equal(nth(0)->wait_sec, 900);
	a.differs = false;
	a.overdue = true;
	expect(only(&a, NOW), "agent/web1/overdue", "no success", true, "warn_after");
	a.overdue = false;
	strcpy(a.refused, MANAGER_SAYS_REFUSED);
	expect(only(&a, NOW), "agent/web1/refused", "plan refused", true, ": its log says why");
	strcpy(a.refused, MANAGER_SAYS_REFUSED ": job x is to read /etc");
	expect(only(&a, NOW), "agent/web1/refused", "plan refused", true,
		"plan: job x is to read /etc");
	assert_int_equal(nth(0)->wait_sec, 0);
}

/* A store that the configuration names, but that has not joined. */
static void absent(void **state)
{
	static const char *const names[] = {"nas33"};
	const struct manager_facts facts = {.absent = names, .absent_count = 1};

	(void)state;
	assert_int_equal(list(&facts, NOW), 1);
	expect(nth(0), "store/nas33/unknown", "unknown store", false,
		"names the store nas33, which has not joined and has no address");
}

static void stores(void **state)
{
	struct manager_host_row s = {.name = "nas1",
		.role = "store",
		.reach = "nas1:7421",
		.up = true,
		.seen = NOW,
		.size = 100 * GIB,
		.free = 5 * GIB};
	struct manager_facts facts = {.hosts = &s, .host_count = 1};

	(void)state;
	none(&s, NOW);
	s.free = 4 * GIB;
	expect(only(&s, NOW), "store/nas1/space", "nearly full", false,
		"it may use 4.0 GiB more, on a disk of 100 GiB");
	s.free = 0;
	expect(only(&s, NOW), "store/nas1/space", "full", true, "0 B more");
	s.size = 0; /* it has not reported its space */
	s.damaged = 3;
	expect(only(&s, NOW), "store/nas1/damage", "damaged", true, "3 chunks or dumps");
	s.damaged = 0;
	s.up = false;
	none(&s, NOW + 1800);
	expect(only(&s, NOW + 7200), "store/nas1/away", "not connected", true,
		"seen last 2h 0m ago");
	facts.started = NOW + 7000; /* the manager itself was down */
	assert_int_equal(list(&facts, NOW + 7200), 0);
	strcpy(s.fault, "the index is damaged");
	expect(only(&s, NOW), "store/nas1/stopped", "stopped", true, ": the index is damaged");
}

static void jobs(void **state)
{
	struct manager_last_row lasts[] = {
		{.agent = "web1", .job = "system", .entries = 12, .content = GIB},
		{.agent = "web1", .job = "web", .content = GIB, .content_before = 4 * GIB}};
	struct manager_status_row rows[] = {
		{.agent = "web1", .job = "web", .severity = MANAGER_STATE_OK, .state = "ok"},
		{.agent = "web1", .job = "system", .severity = MANAGER_STATE_OK, .state = "ok"}};
	const struct manager_facts facts = {
		.lasts = lasts, .last_count = 2, .jobs = rows, .job_count = 2};

	(void)state;
	assert_int_equal(list(&facts, NOW), 0);
	lasts[1].content--;
	lasts[0].fewer_than = 5000;
	assert_int_equal(list(&facts, NOW), 2);
	expect(nth(0), "agent/web1/small/web", "dump too small", false,
		"1.0 GiB, the one before had 4.0 GiB");
	expect(nth(1), "agent/web1/small/system", "dump too small", false,
		"12 entries, the last whole one had 5000");
	lasts[0].fewer_than = 0;
	lasts[1].content = 0;
	lasts[1].content_before = 1000; /* next to nothing */
	lasts[1].changed = true;
	strcpy(lasts[1].text, "s1: another key");
	assert_int_equal(list(&facts, NOW), 1);
	expect(nth(0), "agent/web1/identity/web", "store changed", true,
		"identity: s1: another key (if");
	lasts[1].changed = false;
	/* The state of a job. */
	rows[0].severity = MANAGER_STATE_COPIES;
	strcpy(rows[0].state, "under-replicated");
	strcpy(rows[0].reason, "on 1 of 2");
	rows[0].kept = NOW - 5;
	rows[1].severity = MANAGER_STATE_LATE;
	strcpy(rows[1].state, "late");
	assert_int_equal(list(&facts, NOW), 2);
	expect(nth(0), "agent/web1/job/web", "under-replicated", false, "on 1 of 2");
	assert_int_equal(nth(0)->row.kept, NOW - 5);
	expect(nth(1), "agent/web1/job/system", "late", true, "");
	rows[1].severity = MANAGER_STATE_RUNNING;
	rows[0].severity = MANAGER_STATE_HELD;
	assert_int_equal(list(&facts, NOW), 0);
}

/* --- when it is reported ----------------------------------------------------------- */

static struct manager_alarm_row row;

static enum manager_trouble_step step(
	const struct manager_trouble *t, int64_t wait_sec, int64_t now)
{
	enum manager_trouble_step got = manager_trouble_step(&row, t, wait_sec, now);

	if (got == MANAGER_TROUBLE_RAISE)
		memcpy(row.told, row.state, sizeof row.told);
	return got;
}

/* Once for each change; the end is reported to those who were told of the trouble. */
static void told(void **state)
{
	struct manager_trouble t = {.row = {.alarm = "agent/a/job/b", .state = "failed"}};

	(void)state;
	memset(&row, 0, sizeof row);
	assert_int_equal(step(&t, 0, NOW), MANAGER_TROUBLE_RAISE);
	assert_string_equal(row.alarm, "agent/a/job/b");
	assert_int_equal(row.since, NOW);
	assert_int_equal(step(&t, 0, NOW + 60), MANAGER_TROUBLE_SAME);
	strcpy(t.row.state, "late");
	assert_int_equal(step(&t, 0, NOW + 120), MANAGER_TROUBLE_RAISE);
	assert_int_equal(row.since, NOW + 120);
	assert_int_equal(step(NULL, 0, NOW + 240), MANAGER_TROUBLE_OVER);
}

/* A manager that is not the first waits; a trouble that must last some time is not reported
 * earlier. */
static void waits(void **state)
{
	struct manager_trouble t = {
		.row = {.alarm = "agent/a/plan", .state = "plans differ"}, .wait_sec = 900};

	(void)state;
	memset(&row, 0, sizeof row);
	assert_int_equal(step(&t, 600, NOW), MANAGER_TROUBLE_KEEP);
	assert_int_equal(step(&t, 600, NOW + 1499), MANAGER_TROUBLE_SAME);
	assert_int_equal(step(NULL, 600, NOW + 1499), MANAGER_TROUBLE_DROP);
	assert_int_equal(step(&t, 600, NOW + 1500), MANAGER_TROUBLE_RAISE);
	assert_int_equal(step(NULL, 600, NOW + 1501), MANAGER_TROUBLE_OVER);
}

/* What a person who asks sees. */
static void shown(void **state)
{
	struct manager_trouble t = {
		.row = {.alarm = "agent/a/plan", .state = "plans differ"}, .wait_sec = 900};
	struct manager_alarm_row kept = {
		.alarm = "agent/a/plan", .state = "plans differ", .since = NOW, .told = "x"};
	struct manager_alarm_row out;

	(void)state;
	assert_false(manager_trouble_show(&out, &t, NULL, NOW));
	assert_false(manager_trouble_show(&out, &t, &kept, NOW + 899));
	assert_true(manager_trouble_show(&out, &t, &kept, NOW + 900));
	assert_int_equal(out.since, NOW);
	assert_string_equal(out.told, "");
	/* A state other than before is new. */
	strcpy(kept.state, "else");
	t.wait_sec = 0;
	assert_true(manager_trouble_show(&out, &t, &kept, NOW + 5));
	assert_int_equal(out.since, NOW + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines),
		cmocka_unit_test(certificates),
		cmocka_unit_test(manager),
		cmocka_unit_test(agents),
		cmocka_unit_test(absent),
		cmocka_unit_test(stores),
		cmocka_unit_test(jobs),
		cmocka_unit_test(told),
		cmocka_unit_test(waits),
		cmocka_unit_test(shown),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
