/* fdump run: has agents run a job now. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/uptime.h"

#define POLL_MS    500
#define POLLS_UP   6     /* polls between checks whether the agents are connected */
#define POLLS_SHOW 4     /* polls between updates of the progress, on a terminal */
#define LOOK_COUNT 16    /* newest runs of an agent to check: more can't end between two polls */
#define AWAY_MS    60000 /* how long an agent may be away, or the manager unable to record runs */

/* An agent that has accepted the order. */
struct waited {
	char agent[NAME_LEN_MAX + 1];
	uint8_t id[MANAGER_RUN_LEN]; /* the run's id */
	bool ended;
	bool up;         /* the agent is connected to the manager */
	int64_t away_ms; /* since when it is not connected; 0: it is */
	struct manager_run_row run;
};

struct run {
	struct ui_options o;
	struct ui_fleet fleet;
	const char *job;
	unsigned method;
	bool wait, cancel, hold, release;
	int64_t away_ms; /* how long an agent may be away; the manager may be away twice as long */
	int64_t unsaved_ms;               /* since when the manager can't record runs; 0: it can */
	char unsaved[MANAGER_REASON_MAX]; /* why; "": it can */
	struct waited *waited;
	size_t count;
	uint64_t bytes, entries, total; /* sums for the runs that are waited for */
	int status;
};

/* --- the order ----------------------------------------------------------------- */

static int show_order(void *ctx, const void *row, struct err *err)
{
	static const char *const done[] = {"accepted", "cancelled", "held", "released"};
	const struct manager_order_row *order = row;
	struct run *r = ctx;
	struct waited *grown;

	if (order->error[0] != 0) {
		r->status = UI_FAILED;
	} else {
		grown = realloc(r->waited, (r->count + 1) * sizeof *grown);
		if (grown == NULL)
			return err_set(err, ERR_NOMEM, "out of memory");
		r->waited = grown;
		grown[r->count] = (struct waited){.ended = false};
		memcpy(grown[r->count].id, order->run, sizeof order->run);
		strcpy(grown[r->count++].agent, order->agent);
	}
	if (r->o.json)
		return ui_fleet_json("order", "run.order", manager_order_fields, row, err);
	if (order->error[0] != 0)
		ui_say("run", "%s: %s", order->agent, order->error);
	else
		printf("%s: %s\n", order->agent, done[r->method - MANAGER_METHOD_RUN]);
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

/* --- waiting ------------------------------------------------------------------- */

static int keep_run(void *ctx, const void *row, struct err *err)
{
	const struct manager_run_row *run = row;
	struct waited *w = ctx;

	(void)err;
	if (memcmp(run->run, w->id, sizeof w->id) == 0) {
		w->run = *run;
		w->ended = true;
	}
	return 0;
}

static int status_of(const struct manager_run_row *run)
{
	static const struct {
		enum manager_result result;
		int status;
	} known[] = {{MANAGER_OK, UI_OK}, {MANAGER_PARTIAL, UI_SOME}, {MANAGER_COPIES, UI_COPIES}};
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(run->result, manager_result_name(known[i].result)) == 0)
			return known[i].status;
	return UI_FAILED;
}

static int show_run(struct run *r, const struct manager_run_row *run, struct err *err)
{
	int status = status_of(run);

	/* The worst of several counts: failed, then too few copies, then some entries. */
	if (r->status != UI_FAILED && (status == UI_FAILED || status > r->status))
		r->status = status;
	if (r->o.json)
		return ui_fleet_json("run", "run.run", manager_run_fields, run, err);
	printf("%s: %s, %" PRIu64 " cop%s, %" PRIu64 " bytes stored%s%s\n", run->agent, run->result,
		run->copies, run->copies == 1 ? "y" : "ies", run->stored,
		run->text[0] != 0 ? ": " : "", run->text);
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

static int keep_up(void *ctx, const void *row, struct err *err)
{
	const struct manager_host_row *host = row;
	struct run *r = ctx;
	size_t i;

	(void)err;
	for (i = 0; i < r->count; i++)
		if (host->up && strcmp(host->role, rpc_role_name(RPC_AGENT)) == 0 &&
			strcmp(host->name, r->waited[i].agent) == 0)
			r->waited[i].up = true;
	return 0;
}

/* Stops waiting for a run. when: it will be known. Returns 0 or -1. */
static int give_up(struct run *r, struct waited *w, const char *when, struct err *err)
{
	char what[200];

	w->ended = true;
	if (r->status != UI_FAILED)
		r->status = UI_BUSY;
	snprintf(what, sizeof what,
		"it is not known how its run ended ('fdump runs' says so when %s)", when);
	return ui_problem(
		&(struct ui_problem){.id = "run.unknown", .agent = w->agent, .what = what}, err);
}

/* Stops waiting for an agent that was away for too long. Returns 0 or -1. */
static int look_away(struct run *r, struct waited *w, struct err *err)
{
	if (w->up) {
		w->away_ms = 0;
		return 0;
	}
	if (w->away_ms == 0) {
		w->away_ms = uptime_ms();
		return ui_problem(&(struct ui_problem){.id = "run.away",
					  .agent = w->agent,
					  .what = "is not connected any more; its run may go on"},
			err);
	}
	return uptime_ms() - w->away_ms < r->away_ms
		       ? 0
		       : give_up(r, w, "the agent is connected again", err);
}

static int keep_unsaved(void *ctx, const void *row, struct err *err)
{
	const struct manager_alarm_row *alarm = row;
	struct run *r = ctx;

	(void)err;
	if (strcmp(alarm->kind, "unsaved") == 0)
		memcpy(r->unsaved, alarm->reason, sizeof r->unsaved);
	return 0;
}

/* Stops waiting for all runs if the manager could not record any for too long. Returns 0 or -1. */
static int look_unsaved(struct run *r, struct err *err)
{
	char what[MANAGER_REASON_MAX + NAME_LEN_MAX + 80];
	size_t i;

	r->unsaved[0] = 0;
	if (ui_fleet_rows(&r->fleet, MANAGER_METHOD_ALARMS, NULL, manager_alarm_fields,
		    sizeof(struct manager_alarm_row), keep_unsaved, r, err) != 0)
		return -1;
	if (r->unsaved[0] == 0) {
		r->unsaved_ms = 0;
	} else if (r->unsaved_ms == 0) {
		r->unsaved_ms = uptime_ms();
		snprintf(what, sizeof what, "the manager %s can't record how runs end: %s",
			r->fleet.manager, r->unsaved);
		return ui_problem(&(struct ui_problem){.id = "run.unsaved", .what = what}, err);
	} else if (uptime_ms() - r->unsaved_ms >= r->away_ms) {
		for (i = 0; i < r->count; i++)
			if (!r->waited[i].ended &&
				give_up(r, &r->waited[i], "the manager can record it", err) != 0)
				return -1;
	}
	return 0;
}

/* Checks which agents are connected; if one agent was named, only that one. */
static int look_up(struct run *r, struct err *err)
{
	const struct ui_field filter[] = {UI_STRING("agent", r->o.agent), {0}};
	size_t i;

	for (i = 0; i < r->count; i++)
		r->waited[i].up = false;
	if (ui_fleet_rows(&r->fleet, MANAGER_METHOD_HOSTS, filter, manager_host_fields,
		    sizeof(struct manager_host_row), keep_up, r, err) != 0)
		return -1;
	for (i = 0; i < r->count; i++)
		if (!r->waited[i].ended && look_away(r, &r->waited[i], err) != 0)
			return -1;
	return 0;
}

static int add_progress(void *ctx, const void *row, struct err *err)
{
	const struct manager_status_row *status = row;
	struct run *r = ctx;
	size_t i;

	(void)err;
	for (i = 0; i < r->count; i++)
		if (!r->waited[i].ended && strcmp(r->waited[i].agent, status->agent) == 0) {
			r->bytes += status->bytes;
			r->entries += status->entries;
			r->total += status->total;
		}
	return 0;
}

/* Updates the progress on the terminal. */
static int show_progress(struct run *r, struct err *err)
{
	const struct ui_field filter[] = {
		UI_STRING("job", r->job), UI_STRING("agent", r->o.agent), {0}};

	r->bytes = r->entries = r->total = 0;
	if (ui_fleet_rows(&r->fleet, MANAGER_METHOD_STATUS, filter, manager_status_fields,
		    sizeof(struct manager_status_row), add_progress, r, err) != 0)
		return -1;
	ui_progress_set(r->bytes, r->entries, r->total);
	return 0;
}

/* Checks of each run that has not ended whether it is among the newest runs of its agent that have
 * ended. Returns how many are left, or -1. */
static int look_all(struct run *r, struct err *err)
{
	size_t i;
	int left = 0;

	for (i = 0; i < r->count; i++) {
		struct waited *w = &r->waited[i];

		if (w->ended)
			continue;
		if (ui_fleet_rows(&r->fleet, MANAGER_METHOD_RUNS,
			    (struct ui_field[]){UI_STRING("job", r->job),
				    UI_STRING("agent", w->agent), UI_INT("count", LOOK_COUNT), {0}},
			    manager_run_fields, sizeof(struct manager_run_row), keep_run, w,
			    err) != 0)
			return -1;
		left += !w->ended;
		if (!w->ended)
			continue;
		ui_progress_hush();
		if (show_run(r, &w->run, err) != 0)
			return -1;
	}
	return left;
}

static int wait_all(struct run *r, struct err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	bool shown = !r->o.json && isatty(STDERR_FILENO);
	unsigned polls = 0;
	int left;

	if (shown)
		ui_progress_start(0, false);
	do {
		nanosleep(&pause, NULL);
		left = look_all(r, err);
		if (left > 0 && ++polls % POLLS_UP == 0 &&
			(look_up(r, err) != 0 || look_unsaved(r, err) != 0))
			left = -1;
		if (left > 0 && shown && polls % POLLS_SHOW == 1 && show_progress(r, err) != 0)
			left = -1;
	} while (left > 0);
	if (shown)
		ui_progress_stop();
	if (left == 0)
		return 0;
	if (err->code == ERR_TIMEOUT || err->code == ERR_CLOSED) {
		err->code = ERR_BUSY;
		err_prefix(err, "it is not known how the runs ended");
	}
	return -1;
}

/* --- the command ----------------------------------------------------------------- */

static struct run run_options;

static int run(void *own, struct err *err)
{
	struct run *r = own;
	int ret;

	if (r->cancel + r->hold + r->release > 1)
		return ui_usage("--cancel, --hold and --release exclude each other");
	r->method = r->cancel    ? MANAGER_METHOD_CANCEL
		    : r->hold    ? MANAGER_METHOD_HOLD
		    : r->release ? MANAGER_METHOD_RELEASE
				 : MANAGER_METHOD_RUN;
	r->job = r->o.args[0];
	if (name_check("JOB", r->job, err) != 0)
		return ui_usage("%s", err->message);
	if (r->wait && r->method != MANAGER_METHOD_RUN)
		return ui_usage("--wait goes with a run only");
	r->away_ms = AWAY_MS;
	ui_test_times(&r->away_ms);
	if (ui_fleet_open(&r->fleet, &r->o, err) != 0)
		return -1;
	r->fleet.patience_ms = 2 * r->away_ms;
	ret = ui_fleet_rows(&r->fleet, MANAGER_METHOD_ORDER,
		(struct ui_field[]){UI_INT("method", r->method), UI_STRING("job", r->job),
			UI_STRING("agent", r->o.agent), {0}},
		manager_order_fields, sizeof(struct manager_order_row), show_order, r, err);
	if (ret == 0 && r->wait)
		ret = wait_all(r, err);
	ui_fleet_close(&r->fleet);
	free(r->waited);
	return ret == 0 ? r->status : -1;
}

static const struct ui_option options[] = {
	{.shared = "a", .help = "only this agent"},
	{0, "wait", UI_FLAG, "wait until the runs have ended, and print their results",
		UI_AT(struct run, wait)},
	{0, "cancel", UI_FLAG, "instead: end the runs that are under way",
		UI_AT(struct run, cancel)},
	{0, "hold", UI_FLAG, "instead: start no scheduled run until it is released",
		UI_AT(struct run, hold)},
	{0, "release", UI_FLAG, "instead: let runs start again", UI_AT(struct run, release)},
	{.shared = "oISj"},
	{0},
};

const struct ui_command cmd_run = {
	.name = "run",
	.summary = "have agents run a job now",
	.usage = "JOB [--agent NAME] [--wait] [--json]\n"
		 "JOB --cancel|--hold|--release [--agent NAME] [--json]",
	.about = "Has agents run a job now: all that have it and are connected, or one.",
	.options = options,
	.arguments = "JOB",
	.exits = "0 done; 1 some entries changed or could not be read; 2 failed on an agent, or "
		 "wrong usage; 4 fewer copies than asked for; 6 not allowed; 8 it is not known "
		 "how a run ended, for its agent or the manager was lost, or the manager can't "
		 "record it.",
	.own = &run_options,
	.run = run,
};
