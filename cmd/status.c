/* fdump status: shows the fleet on one screen: what failed, is late or has too few copies, and what
 * comes next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/manager/watch.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/size.h"

#define LINES_MAX    12 /* of a table of jobs */
#define NEXT_MAX     5
#define HEADLINE_MAX 400

struct rows {
	void *at;
	size_t count, size;
};

struct status {
	struct ui_options o;
	struct ui_fleet fleet;
	bool all, check;
	struct rows jobs, hosts, alarms;
	size_t of[MANAGER_STATES]; /* jobs in each state */
	size_t cancelled;          /* among those that are held */
	size_t agents, up;
	size_t down;    /* stores that are not connected */
	size_t without; /* jobs that have no dump, and are neither late nor failed */
	int64_t first;  /* when the first of these is due; 0: it is running, or not known */
	size_t warnings, critical; /* alarms, including those about jobs */
};

/* --- asking the manager ------------------------------------------------------- */

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

static bool is_cancelled(const struct manager_status_row *job)
{
	return strcmp(job->state, manager_result_name(MANAGER_CANCELLED)) == 0;
}

static int ask(struct status *s, struct err *err)
{
	const struct manager_status_row *jobs;
	const struct manager_host_row *hosts;
	const struct manager_alarm_row *alarms;
	int64_t next;
	size_t i;

	s->alarms.size = sizeof(struct manager_alarm_row);
	s->jobs.size = sizeof(struct manager_status_row);
	s->hosts.size = sizeof(struct manager_host_row);
	if (ui_fleet_open(&s->fleet, &s->o, err) != 0 ||
		ui_fleet_rows(&s->fleet, MANAGER_METHOD_STATUS, NULL, manager_status_fields,
			s->jobs.size, keep, &s->jobs, err) != 0 ||
		ui_fleet_rows(&s->fleet, MANAGER_METHOD_ALARMS, NULL, manager_alarm_fields,
			s->alarms.size, keep, &s->alarms, err) != 0 ||
		ui_fleet_rows(&s->fleet, MANAGER_METHOD_HOSTS, NULL, manager_host_fields,
			s->hosts.size, keep, &s->hosts, err) != 0)
		return -1;
	jobs = s->jobs.at;
	hosts = s->hosts.at;
	alarms = s->alarms.at;
	for (i = 0; i < s->alarms.count; i++) {
		s->critical += alarms[i].critical;
		s->warnings += !alarms[i].critical;
	}
	for (i = 0; i < s->jobs.count; i++) {
		s->of[jobs[i].severity < MANAGER_STATES ? jobs[i].severity
							: MANAGER_STATE_FAILED]++;
		s->cancelled += is_cancelled(&jobs[i]);
		if (jobs[i].kept != 0 || jobs[i].severity >= MANAGER_STATE_HELD)
			continue;
		next = jobs[i].severity == MANAGER_STATE_RUNNING ? 0 : jobs[i].next;
		if (s->without++ == 0 || next < s->first)
			s->first = next;
	}
	for (i = 0; i < s->hosts.count; i++) {
		if (hosts[i].denied)
			continue;
		if (strcmp(hosts[i].role, "agent") == 0) {
			s->agents++;
			s->up += hosts[i].up;
		}
		s->down += strcmp(hosts[i].role, "store") == 0 && !hosts[i].up;
	}
	return 0;
}

/* Whether the table of jobs shows an alarm. */
static bool is_in_jobs(const struct status *s, const struct manager_alarm_row *alarm)
{
	const struct manager_status_row *jobs = s->jobs.at;
	size_t i;

	for (i = 0; i < s->jobs.count && strcmp(alarm->kind, "job") == 0; i++)
		if (strcmp(jobs[i].agent, alarm->name) == 0 &&
			strcmp(jobs[i].job, alarm->job) == 0 &&
			strcmp(jobs[i].state, alarm->state) == 0)
			return true;
	return false;
}

/* --- the headline --------------------------------------------------------------- */

static void add_count(char text[HEADLINE_MAX], size_t count, const char *one, const char *many)
{
	size_t len = strlen(text);

	if (count > 0)
		snprintf(text + len, HEADLINE_MAX - len, "%s%zu %s", len > 0 ? ", " : "", count,
			count == 1 ? one : many);
}

/* Returns the counts of everything that is wrong, or that all is well. */
static const char *headline(const struct status *s, char text[HEADLINE_MAX])
{
	const struct manager_alarm_row *alarms = s->alarms.at;
	size_t i, warnings = 0, critical = 0;
	char first[UI_FLEET_TIME];

	for (i = 0; i < s->alarms.count; i++) {
		/* Stores that are away are counted by themselves. */
		if (strcmp(alarms[i].kind, "away") == 0 || is_in_jobs(s, &alarms[i]))
			continue;
		critical += alarms[i].critical;
		warnings += !alarms[i].critical;
	}
	text[0] = 0;
	add_count(text, s->of[MANAGER_STATE_LATE], "late", "late");
	add_count(text, s->of[MANAGER_STATE_FAILED], "failed", "failed");
	add_count(text, s->of[MANAGER_STATE_COPIES], "with too few copies", "with too few copies");
	add_count(text, s->of[MANAGER_STATE_PARTIAL], "partial", "partial");
	add_count(text, s->of[MANAGER_STATE_HELD] - s->cancelled, "held", "held");
	add_count(text, s->cancelled, "cancelled", "cancelled");
	add_count(text, critical, "critical alarm", "critical alarms");
	add_count(text, warnings, "warning", "warnings");
	add_count(text, s->down, "store not connected", "stores not connected");
	add_count(text, s->without, "without a dump yet", "without a dump yet");
	if (s->without > 0 && s->first != 0)
		snprintf(text + strlen(text), HEADLINE_MAX - strlen(text), " (next run: %s)",
			ui_fleet_time(first, s->first));
	if (s->jobs.count == 0)
		snprintf(text + strlen(text), HEADLINE_MAX - strlen(text),
			"%snothing is backed up%s", text[0] != 0 ? "; " : "",
			s->agents > 0 ? ": manager.conf has no job for an agent"
				      : " yet: 'fdump token agent NAME' lets a machine join");
	return text[0] != 0 ? text : "all is well";
}

/* --- for a monitoring system ---------------------------------------------------- */

enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

static int check(struct status *s)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL"};
	const struct manager_alarm_row *worst;
	char text[HEADLINE_MAX];
	struct err err = {0};
	int level;

	if (ask(s, &err) != 0) {
		printf("FDUMP UNKNOWN - %s\n", err.message);
		return NAGIOS_UNKNOWN;
	}
	level = s->critical > 0             ? NAGIOS_CRITICAL
		: s->warnings + s->down > 0 ? NAGIOS_WARNING
					    : NAGIOS_OK;
	printf("FDUMP %s - %zu job%s on %zu agent%s: %s", words[level], s->jobs.count,
		s->jobs.count == 1 ? "" : "s", s->agents, s->agents == 1 ? "" : "s",
		headline(s, text));
	worst = s->alarms.at; /* critical ones come first */
	if (s->alarms.count > 0)
		printf("; %s%s%s: %s: %s", worst->job[0] != 0 ? worst->job : worst->role,
			worst->job[0] != 0 ? " on " : " ", worst->name, worst->state,
			worst->reason);
	printf(" | jobs=%zu late=%zu failed=%zu copies=%zu partial=%zu agents=%zu connected=%zu "
	       "warnings=%zu critical=%zu\n",
		s->jobs.count, s->of[MANAGER_STATE_LATE], s->of[MANAGER_STATE_FAILED],
		s->of[MANAGER_STATE_COPIES], s->of[MANAGER_STATE_PARTIAL], s->agents, s->up,
		s->warnings, s->critical);
	return level;
}

/* --- for a person --------------------------------------------------------------- */

/* Prints the jobs in these states, the worst first. */
static void print_jobs(const struct status *s, enum manager_state least, enum manager_state most)
{
	const struct manager_status_row *jobs = s->jobs.at;
	char kept[UI_FLEET_TIME];
	size_t i, shown = 0;

	for (i = 0; i < s->jobs.count; i++) {
		if (jobs[i].severity < least || jobs[i].severity > most)
			continue;
		if (!s->all && shown == LINES_MAX) {
			printf("  ... --all shows all\n");
			break;
		}
		if (shown++ == 0)
			printf("\n  %-20s %-16s %-16s %-21s %s\n", "AGENT", "JOB", "STATE",
				"LAST DUMP", "");
		printf("  %-20s %-16s %-16s %-21s %s\n", jobs[i].agent, jobs[i].job, jobs[i].state,
			ui_fleet_time(kept, jobs[i].kept), jobs[i].reason);
	}
}

/* Prints the alarms that the table of jobs does not show. */
static void print_alarms(const struct status *s)
{
	const struct manager_alarm_row *alarms = s->alarms.at;
	char since[UI_FLEET_TIME], whose[2 * NAME_LEN_MAX + MANAGER_ROLE_MAX + 8];
	size_t i, shown = 0;

	for (i = 0; i < s->alarms.count; i++) {
		const struct manager_alarm_row *a = &alarms[i];

		if (is_in_jobs(s, a))
			continue;
		if (shown++ == 0)
			printf("\n  %-29s %-24s %-21s %s\n", "ALARM", "OF", "SINCE", "");
		snprintf(whose, sizeof whose, "%s %s%s%s", a->role, a->name,
			a->job[0] != 0 ? ", " : "", a->job);
		printf("  %-29s %-24s %-21s %s\n", a->state, whose, ui_fleet_time(since, a->since),
			a->reason);
	}
}

static void print_stores(const struct status *s)
{
	const struct manager_host_row *h = s->hosts.at, *end = h + s->hosts.count;
	char used[SIZE_TEXT_MAX], left[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX];
	size_t shown = 0;

	for (; h < end; h++) {
		const bool known = h->size > 0; /* the store has reported its disk */

		if (strcmp(h->role, "store") != 0 || h->denied)
			continue;
		if (shown++ == 0)
			printf("\n  %-20s %-16s %-24s %10s %10s %10s\n", "STORE", "", "ADDRESS",
				"USED", "FREE", "DISK");
		printf("  %-20s %-16s %-24s %10s %10s %10s\n", h->name,
			h->up ? "connected" : "NOT CONNECTED", h->reach,
			known ? size_print(used, (double)h->used) : "-",
			known ? size_print(left, (double)h->free) : "-",
			known ? size_print(size, (double)h->size) : "-");
	}
	if (shown == 0)
		printf("\n  No store has joined yet: 'fdump token store NAME' lets one join.\n");
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
		bool held = jobs[i].severity == MANAGER_STATE_HELD && !is_cancelled(&jobs[i]);

		if (jobs[i].next == 0 || held)
			continue;
		if (shown++ == 0)
			printf("\n  NEXT\n");
		printf("  %-21s %-20s %s\n", ui_fleet_time(next, jobs[i].next), jobs[i].agent,
			jobs[i].job);
	}
}

static void print(struct status *s)
{
	char text[HEADLINE_MAX], now[UI_FLEET_TIME];

	printf("manager %s, %s: %zu job%s on %zu agent%s (%zu connected): %s\n", s->fleet.manager,
		ui_fleet_time(now, s->fleet.now), s->jobs.count, s->jobs.count == 1 ? "" : "s",
		s->agents, s->agents == 1 ? "" : "s", s->up, headline(s, text));
	if (s->all) {
		print_jobs(s, MANAGER_STATE_OK, MANAGER_STATE_LATE);
	} else {
		print_jobs(s, MANAGER_STATE_HELD, MANAGER_STATE_LATE);
		print_jobs(s, MANAGER_STATE_RUNNING, MANAGER_STATE_RUNNING);
	}
	print_alarms(s);
	print_stores(s);
	print_next(s);
}

static int print_json(struct status *s, struct err *err)
{
	const struct manager_status_row *jobs = s->jobs.at;
	const struct manager_alarm_row *alarms = s->alarms.at;
	size_t i;

	for (i = 0; i < s->jobs.count; i++)
		if (ui_fleet_json("job", "status.job", manager_status_fields, &jobs[i], err) != 0)
			return -1;
	for (i = 0; i < s->alarms.count; i++)
		if (ui_fleet_json("alarm", "status.alarm", manager_alarm_fields, &alarms[i], err) !=
			0)
			return -1;
	return ui_result("result", "status.result",
		(struct ui_field[]){UI_STRING("manager", s->fleet.manager),
			UI_INT("jobs", s->jobs.count), UI_INT("late", s->of[MANAGER_STATE_LATE]),
			UI_INT("failed", s->of[MANAGER_STATE_FAILED]),
			UI_INT("copies", s->of[MANAGER_STATE_COPIES]),
			UI_INT("partial", s->of[MANAGER_STATE_PARTIAL]),
			UI_INT("agents", s->agents), UI_INT("connected", s->up),
			UI_INT("warnings", s->warnings), UI_INT("critical", s->critical), {0}},
		err, NULL);
}

static struct status status;

static int run(void *own, struct err *err)
{
	struct status *s = own;
	int ret;

	if (s->check && s->o.json)
		return ui_usage("--check and --json exclude each other");
	if (s->check) {
		ret = check(s);
	} else {
		ui_pipe_ends(UI_OK);
		ret = ask(s, err);
		if (ret == 0 && s->o.json)
			ret = print_json(s, err);
		else if (ret == 0)
			print(s);
	}
	free(s->jobs.at);
	free(s->hosts.at);
	free(s->alarms.at);
	ui_fleet_close(&s->fleet);
	return ret;
}

static const struct ui_option options[] = {
	{0, "all", UI_FLAG, "show all jobs, not only those with problems or running now",
		UI_AT(struct status, all)},
	{0, "check", UI_FLAG,
		"print one line and an exit status for Nagios and the like: 0 all is well, 1 "
		"warnings (as partial, or a store that is not connected), 2 critical (as late), 3 "
		"unknown",
		UI_AT(struct status, check)},
	{.shared = "oIS"},
	{.shared = "j", .help = "print JSON, one object a line: jobs, alarms and the result"},
	{0},
};

const struct ui_command cmd_status = {
	.name = "status",
	.summary = "show the fleet: what failed, is late, comes next",
	.usage = "[--all] [--json]\n"
		 "--check",
	.about = "Shows the fleet on one screen: which jobs failed, are late, or have too few "
		 "copies, and why; which are running, and how far they are; what else is wrong; "
		 "stores; what comes next.",
	.options = options,
	.arguments = "",
	.exits = "0 done, whatever it shows; 2 failed, or wrong usage; 6 not allowed. With "
		 "--check see there.",
	.own = &status,
	.run = run,
};
