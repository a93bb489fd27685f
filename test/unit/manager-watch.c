/* The states of agents and jobs, and the order in which they are listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/manager/config.h"
#include "cmd/manager/watch.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

#define HOUR     3600
#define DAY      86400
#define T0       1767225600 /* 2026-01-01T00:00:00Z */
#define AT(d, h) (T0 + (d)*DAY + (h)*HOUR)

static const char text[] =
	"defaults { stores = {\"s\", \"t\"} copies = 2 }\n"
	"job \"daily\" { agents = {\"*\"} paths = {\"/\"} schedule = \"0 2 * * *\" }\n"
	"job \"web\" { agents = {\"web*\"} paths = {\"/srv\"} schedule = \"15 */6 * * *\"\n"
	"  alarm_after = \"8h\" }\n"
	"agent \"lap*\" { expect = \"14d\" }\n";

static struct manager_config *config;

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	(void)ctx;
	(void)file;
	(void)line;
	(void)what;
}

static int setup(void **state)
{
	const char *name = "m", *texts[] = {text};
	struct err err = {0};

	(void)state;
	if (hash_crypto_init(&err) != 0)
		return -1;
	return manager_config_parse(&config, &name, texts, 1, on_problem, NULL, &err);
}

static int teardown(void **state)
{
	(void)state;
	manager_config_free(config);
	return 0;
}

static struct manager_host_row host_of(const char *name, int64_t since)
{
	struct manager_host_row host = {.role = "agent", .since = since};

	strcpy(host.name, name);
	return host;
}

/* The state of a job on one host, from what is known of it. */
static struct manager_status_row row_of(
	const char *name, int64_t since, const struct manager_last_row *last, int64_t now)
{
	struct manager_host_row host = host_of(name, since);
	struct manager_status_row *row, found = {.job = ""};
	struct err err = {0};
	struct buf rows;

	buf_init(&rows, SIZE_MAX);
	if (manager_watch(config, &host, 1, last, last != NULL, now, &rows, &err) != 0)
		fail_msg("%s", err.message);
	for (row = (void *)rows.data;
		row < (struct manager_status_row *)(void *)(rows.data + rows.len); row++)
		if (strcmp(row->job, last != NULL ? last->job : "daily") == 0)
			found = *row;
	buf_fini(&rows);
	assert_true(found.job[0] != 0);
	return found;
}

static void expect(struct manager_status_row row, enum manager_state state, const char *reason)
{
	static const char *const names[] = {"ok", "running", "not expected", "never", "held",
		"partial", "under-replicated", "failed", "late"};

	assert_string_equal(row.state, names[state]);
	assert_int_equal(row.severity, state);
	if (reason == NULL)
		return;
	if (strstr(row.reason, reason) == NULL || (reason[0] == 0 && row.reason[0] != 0))
		fail_msg("'%s' is not '%s'", row.reason, reason);
}

/* A run that ended well at that time. */
static struct manager_last_row kept(const char *agent, const char *job, int64_t slot)
{
	struct manager_last_row row = {.started = slot,
		.ended = slot + 600,
		.result = MANAGER_OK,
		.kept_slot = slot,
		.kept_started = slot,
		.kept_ended = slot + 600,
		.copies = 2};

	strcpy(row.agent, agent);
	strcpy(row.job, job);
	return row;
}

/* A slot has time until the next one. */
static void by_slots(void **state)
{
	struct manager_last_row last = kept("a", "daily", AT(5, 2));
	struct manager_status_row row;

	(void)state;
	row = row_of("a", T0, &last, AT(5, 3));
	expect(row, MANAGER_STATE_OK, "");
	assert_int_equal(row.last, AT(5, 2));
	assert_int_equal(row.next, AT(6, 2));
	expect(row_of("a", T0, &last, AT(6, 3)), MANAGER_STATE_OK, "");
	expect(row_of("a", T0, &last, AT(7, 2) - 1), MANAGER_STATE_OK, "");
	row = row_of("a", T0, &last, AT(7, 2));
	expect(row, MANAGER_STATE_LATE, "the last dump was made 1d 23h ago; due 0s ago");
	assert_int_equal(row.due, AT(7, 2));
	/* An ordered run counts. */
	last = kept("a", "daily", AT(5, 2));
	last.kept_slot = 0;
	last.kept_started = AT(6, 12);
	expect(row_of("a", T0, &last, AT(7, 12)), MANAGER_STATE_OK, "");
	/* A run that made up for a missed slot counts for that slot. */
	last = kept("a", "daily", AT(6, 2));
	expect(row_of("a", T0, &last, AT(7, 12)), MANAGER_STATE_OK, "");
}

static void by_age(void **state)
{
	struct manager_last_row last = kept("web1", "web", AT(5, 6));

	(void)state;
	expect(row_of("web1", T0, &last, AT(5, 14)), MANAGER_STATE_OK, "");
	expect(row_of("web1", T0, &last, AT(5, 15)), MANAGER_STATE_LATE, "8h 50m ago");
	last.running = true;
	last.started = AT(5, 12);
	expect(row_of("web1", T0, &last, AT(5, 14)), MANAGER_STATE_RUNNING, "for 2h 0m");
	expect(row_of("web1", T0, &last, AT(5, 15)), MANAGER_STATE_LATE, "; running for 3h 0m");
}

static void never(void **state)
{
	(void)state;
	expect(row_of("a", AT(5, 12), NULL, AT(5, 13)), MANAGER_STATE_NEVER, "first seen 1h 0m");
	expect(row_of("a", AT(5, 12), NULL, AT(7, 1)), MANAGER_STATE_NEVER, NULL);
	expect(row_of("a", AT(5, 12), NULL, AT(7, 2)), MANAGER_STATE_LATE, "no dump since");
}

static void results(void **state)
{
	struct manager_last_row last = kept("a", "daily", AT(5, 2));

	(void)state;
	last.result = MANAGER_PARTIAL;
	expect(row_of("a", T0, &last, AT(5, 3)), MANAGER_STATE_PARTIAL, "changed or");
	last.copies = 1;
	expect(row_of("a", T0, &last, AT(5, 3)), MANAGER_STATE_COPIES, "on 1 of 2 stores");
	/* It caught up. */
	last.result = MANAGER_COPIES;
	last.copies = 2;
	expect(row_of("a", T0, &last, AT(5, 3)), MANAGER_STATE_OK, "");
	last.ended = AT(6, 3);
	last.result = MANAGER_FAILED;
	expect(row_of("a", T0, &last, AT(6, 4)), MANAGER_STATE_FAILED, "a failure 1h 0m ago");
	last.result = MANAGER_LOST;
	expect(row_of("a", T0, &last, AT(6, 4)), MANAGER_STATE_FAILED, "lost");
	expect(row_of("a", T0, &last, AT(7, 4)), MANAGER_STATE_LATE, NULL);
	/* While another run is in progress too. */
	last.running = true;
	last.started = AT(6, 3) + 1800;
	expect(row_of("a", T0, &last, AT(6, 4)), MANAGER_STATE_FAILED, "ago; running for 30m");
	last.running = false;
	last.held = true;
	expect(row_of("a", T0, &last, AT(7, 4)), MANAGER_STATE_HELD, "it would be late");
	last.held = false;
	last.kept_slot = last.kept_started = last.kept_ended = 0;
	expect(row_of("a", AT(5, 3), &last, AT(6, 4)), MANAGER_STATE_FAILED, "no dump yet");
}

/* A cancelled run is nothing to worry about, but what was wrong before may still be. */
static void cancelled(void **state)
{
	struct manager_last_row last = kept("a", "daily", AT(5, 2));
	struct manager_status_row row;

	(void)state;
	last.result = MANAGER_CANCELLED;
	last.ended = AT(6, 3);
	strcpy(last.text, "by the operator o");
	row = row_of("a", T0, &last, AT(6, 4));
	assert_string_equal(row.state, "cancelled");
	assert_int_equal(row.severity, MANAGER_STATE_HELD);
	assert_string_equal(row.reason, "the last run was cancelled 1h 0m ago by the operator o");
	expect(row_of("a", T0, &last, AT(7, 4)), MANAGER_STATE_LATE, NULL);
	last.running = true;
	expect(row_of("a", T0, &last, AT(6, 4)), MANAGER_STATE_RUNNING, "for ");
	last.running = false;
	last.copies = 1;
	row = row_of("a", T0, &last, AT(6, 4));
	expect(row, MANAGER_STATE_COPIES, "on 1 of 2 stores");
	assert_null(strstr(row.reason, "operator"));
	last.copies = 0;
	last.kept_slot = last.kept_started = last.kept_ended = 0;
	row = row_of("a", AT(5, 3), &last, AT(6, 4));
	assert_string_equal(row.state, "cancelled");
	assert_non_null(strstr(row.reason, "by the operator o; there is no dump yet"));
}

/* A machine that is seldom on. */
static void seldom(void **state)
{
	struct manager_last_row last = kept("lap", "daily", AT(5, 2));

	(void)state;
	expect(row_of("lap", T0, &last, AT(5, 9)), MANAGER_STATE_OK, "");
	expect(row_of("lap", T0, &last, AT(9, 9)), MANAGER_STATE_EXPECTED, "another 9d 17h");
	expect(row_of("lap", T0, &last, AT(19, 3)), MANAGER_STATE_LATE, "14d 0h ago");
	last.result = MANAGER_FAILED; /* it was on, and failed */
	expect(row_of("lap", T0, &last, AT(9, 9)), MANAGER_STATE_FAILED, NULL);
}

/* The worst first; then by name. */
static void order(void **state)
{
	const struct manager_host_row hosts[] = {host_of("web2", T0), host_of("web1", T0),
		host_of("b", T0), host_of("a", T0), {.name = "s", .role = "store"}};
	struct manager_last_row lasts[] = {kept("a", "daily", AT(7, 2)),
		kept("b", "daily", AT(7, 2)), kept("gone", "daily", AT(7, 2)),
		kept("web1", "daily", AT(7, 2)), kept("web1", "web", AT(6, 0)),
		kept("web2", "daily", AT(7, 2)), kept("web2", "web", AT(7, 0))};
	static const char *const names[] = {
		"web1 web", "b daily", "web1 daily", "a daily", "web2 daily", "web2 web"};
	const struct manager_status_row *row;
	struct err err = {0};
	struct buf rows;
	char name[160];
	size_t i;

	(void)state;
	lasts[1].result = MANAGER_FAILED;
	lasts[3].copies = 0;
	buf_init(&rows, SIZE_MAX);
	assert_int_equal(manager_watch(config, hosts, 5, lasts, 7, AT(7, 4), &rows, &err), 0);
	assert_int_equal(rows.len, 6 * sizeof *row);
	for (i = 0, row = (void *)rows.data; i < 6; i++, row++) {
		snprintf(name, sizeof name, "%s %s", row->agent, row->job);
		assert_string_equal(name, names[i]);
	}
	buf_clear(&rows);
	assert_int_equal(manager_watch(config, NULL, 0, NULL, 0, T0, &rows, &err), 0);
	assert_int_equal(rows.len, 0);
	buf_fini(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_slots),
		cmocka_unit_test(by_age),
		cmocka_unit_test(never),
		cmocka_unit_test(results),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(seldom),
		cmocka_unit_test(order),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
