/* fdump status: the fleet on one screen: what failed, is late, has too few copies; what comes next.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/manager/watch.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/hash.h"

#define PROBLEMS_MAX 12 /* on the screen */
#define NEXT_MAX     5

struct rows {
	void *at;
	size_t count, size;
};

struct status {
	struct ui_options o;
	struct ui_fleet fleet;
	bool all, check;
	struct rows jobs, hosts;
	size_t of[MANAGER_STATES]; /* jobs in each state */
	size_t agents, up;
};

/* --- what the manager says ---------------------------------------------------- */

static int keep(void *ctx, const void *row, struct err *err)
{
	struct rows *r = ctx;
	void *grown = realloc(r->at, (r->count + 1) * r->size);

	if (grown == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	r->at = grown;
	memcpy((char *)grown + r->count++ * r->size, row, r->size);
	return 0;
}

static int ask(struct status *s, struct err *err)
{
	const struct manager_status_row *jobs;
	const struct manager_host_row *hosts;
	size_t i;

	s->jobs.size = sizeof(struct manager_status_row);
	s->hosts.size = sizeof(struct manager_host_row);
	if (ui_fleet_open(&s->fleet, s->o.config, s->o.state, s->o.identity, err) != 0 ||
		ui_fleet_rows(&s->fleet, MANAGER_METHOD_STATUS, NULL, manager_status_fields,
			s->jobs.size, keep, &s->jobs, err) != 0 ||
		ui_fleet_rows(&s->fleet, MANAGER_METHOD_HOSTS, NULL, manager_host_fields,
			s->hosts.size, keep, &s->hosts, err) != 0)
		return -1;
	jobs = s->jobs.at;
	hosts = s->hosts.at;
	for (i = 0; i < s->jobs.count; i++)
		s->of[jobs[i].severity < MANAGER_STATES ? jobs[i].severity
							: MANAGER_STATE_FAILED]++;
	for (i = 0; i < s->hosts.count; i++)
		if (strcmp(hosts[i].role, "agent") == 0 && !hosts[i].denied) {
			s->agents++;
			s->up += hosts[i].up;
		}
	return 0;
}

/* --- for a monitoring system ---------------------------------------------------- */

enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

static int check(struct status *s)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
	const struct manager_status_row *jobs;
	struct err err = {0};
	int level;

	if (hash_crypto_init(&err) != 0 || ask(s, &err) != 0) {
		printf("FDUMP UNKNOWN - %s\n", err.message);
		return NAGIOS_UNKNOWN;
	}
	level = s->of[MANAGER_STATE_FAILED] + s->of[MANAGER_STATE_LATE] > 0      ? NAGIOS_CRITICAL
		: s->of[MANAGER_STATE_PARTIAL] + s->of[MANAGER_STATE_COPIES] > 0 ? NAGIOS_WARNING
										 : NAGIOS_OK;
	printf("FDUMP %s - %zu job%s on %zu agent%s", words[level], s->jobs.count,
		s->jobs.count == 1 ? "" : "s", s->agents, s->agents == 1 ? "" : "s");
	jobs = s->jobs.at; /* the worst first */
	if (level != NAGIOS_OK)
		printf("; %s on %s: %s: %s", jobs->job, jobs->agent, jobs->state, jobs->reason);
	printf(" | jobs=%zu late=%zu failed=%zu copies=%zu partial=%zu agents=%zu connected=%zu\n",
		s->jobs.count, s->of[MANAGER_STATE_LATE], s->of[MANAGER_STATE_FAILED],
		s->of[MANAGER_STATE_COPIES], s->of[MANAGER_STATE_PARTIAL], s->agents, s->up);
	return level;
}

/* --- for a person --------------------------------------------------------------- */

static void print_job(const struct manager_status_row *row)
{
	char kept[UI_FLEET_TIME];

	printf("  %-20s %-16s %-16s %-17s %s\n", row->agent, row->job, row->state,
		ui_fleet_time(kept, row->kept), row->reason);
}

static void print_jobs(const struct status *s)
{
	const struct manager_status_row *jobs = s->jobs.at;
	size_t i, shown = 0;

	for (i = 0; i < s->jobs.count; i++) {
		if (!s->all && jobs[i].severity < MANAGER_STATE_HELD)
			break; /* the worst come first */
		if (!s->all && shown == PROBLEMS_MAX) {
			printf("  ... --all shows all\n");
			break;
		}
		if (shown++ == 0)
			printf("\n  %-20s %-16s %-16s %-17s %s\n", "AGENT", "JOB", "STATE",
				"LAST DUMP", "");
		print_job(&jobs[i]);
	}
}

static void print_stores(const struct status *s)
{
	const struct manager_host_row *hosts = s->hosts.at;
	size_t i, shown = 0;

	for (i = 0; i < s->hosts.count; i++) {
		if (strcmp(hosts[i].role, "store") != 0 || hosts[i].denied)
			continue;
		if (shown++ == 0)
			printf("\n  %-20s %-16s %-24s %14s\n", "STORE", "", "ADDRESS", "GIB FREE");
		printf("  %-20s %-16s %-24s %14" PRIu64 "\n", hosts[i].name,
			hosts[i].up ? "connected" : "NOT CONNECTED", hosts[i].reach,
			hosts[i].free >> 30);
	}
}

static int by_next(const void *a, const void *b)
{
	const struct manager_status_row *x = a, *y = b;

	return x->next < y->next ? -1 : x->next > y->next;
}

static void print_next(struct status *s)
{
	struct manager_status_row *jobs = s->jobs.at;
	char next[UI_FLEET_TIME];
	size_t i, shown = 0;

	if (s->jobs.count > 0)
		qsort(jobs, s->jobs.count, sizeof *jobs, by_next);
	for (i = 0; i < s->jobs.count && shown < NEXT_MAX; i++) {
		if (jobs[i].next == 0)
			continue;
		if (shown++ == 0)
			printf("\n  NEXT\n");
		printf("  %-17s %-20s %s\n", ui_fleet_time(next, jobs[i].next), jobs[i].agent,
			jobs[i].job);
	}
}

static void print(struct status *s)
{
	size_t bad = s->of[MANAGER_STATE_LATE] + s->of[MANAGER_STATE_FAILED] +
		     s->of[MANAGER_STATE_COPIES] + s->of[MANAGER_STATE_PARTIAL];
	char now[UI_FLEET_TIME];

	printf("manager %s, %s: %zu job%s on %zu agent%s (%zu connected): ", s->fleet.manager,
		ui_fleet_time(now, s->fleet.now), s->jobs.count, s->jobs.count == 1 ? "" : "s",
		s->agents, s->agents == 1 ? "" : "s", s->up);
	if (bad == 0)
		printf("%s\n", s->jobs.count > 0 ? "all is well"
						 : "nothing is backed up yet: 'fdump token agent "
						   "NAME' lets a machine join");
	else
		printf("%zu late, %zu failed, %zu with too few copies, %zu partial\n",
			s->of[MANAGER_STATE_LATE], s->of[MANAGER_STATE_FAILED],
			s->of[MANAGER_STATE_COPIES], s->of[MANAGER_STATE_PARTIAL]);
	print_jobs(s);
	print_stores(s);
	print_next(s);
}

static int print_json(struct status *s, struct err *err)
{
	const struct manager_status_row *jobs = s->jobs.at;
	const struct ui_json_row rows[] = {{"jobs", s->jobs.count},
		{"late", s->of[MANAGER_STATE_LATE]}, {"failed", s->of[MANAGER_STATE_FAILED]},
		{"copies", s->of[MANAGER_STATE_COPIES]}, {"partial", s->of[MANAGER_STATE_PARTIAL]},
		{"agents", s->agents}, {"connected", s->up}};
	json_t *object;
	size_t i;
	int failed;

	for (i = 0; i < s->jobs.count; i++)
		if (ui_fleet_json("job", "status.job", manager_status_fields, &jobs[i], err) != 0)
			return -1;
	object = ui_json_new("result", "status.result");
	failed = ui_json_add(object, "manager", json_string(s->fleet.manager));
	failed |= ui_json_rows(object, rows, sizeof rows / sizeof *rows);
	return ui_json_print(object, failed, err);
}

static int main_status(int argc, char **argv)
{
	static struct status s;
	struct err err = {0};
	int status;

	status = ui_options_parse(&s.o, &cmd_status, &s, argc, argv);
	if (status >= 0)
		return status;
	if (s.check && s.o.json)
		return ui_usage("status", "--check and --json exclude each other");
	if (s.check) {
		status = check(&s);
	} else if (hash_crypto_init(&err) != 0 || ask(&s, &err) != 0 ||
		   (s.o.json && print_json(&s, &err) != 0)) {
		status = ui_fail("status", &err);
	} else {
		if (!s.o.json)
			print(&s);
		status = UI_OK;
	}
	ui_fleet_close(&s.fleet);
	free(s.jobs.at);
	free(s.hosts.at);
	ui_options_fini(&s.o);
	return status;
}

static const struct ui_option options[] = {
	{0, "all", UI_FLAG, "all jobs, not only those with problems", UI_AT(struct status, all)},
	{0, "check", UI_FLAG,
		"one line and an exit status for Nagios and the like: 0 all is well, 1 partial or "
		"too few copies, 2 failed or late, 3 unknown",
		UI_AT(struct status, check)},
	{.shared = "iS"},
	{.shared = "j", .help = "print JSON, one object a line: all jobs, and the result"},
	{0},
};

const struct ui_command cmd_status = {
	.name = "status",
	.summary = "the fleet on one screen: what failed, is late, comes next",
	.usage = "[--all] [--json]\n"
		 "--check",
	.about = "The fleet on one screen: which jobs failed, are late, or have too few copies, "
		 "and why; "
		 "stores; what comes next.",
	.options = options,
	.arguments = "",
	.exits = "0 done, whatever it shows; 2 failed, or wrong usage; 6 not allowed. With --check "
		 "see "
		 "there.",
	.run = main_status,
};
