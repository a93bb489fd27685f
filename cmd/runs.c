/* fdump runs: lists the runs of jobs that have ended. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/size.h"

struct runs {
	struct ui_options o;
	struct ui_fleet fleet;
	const char *job;
	long count;
	size_t shown;
};

static int show(void *ctx, const void *row, struct err *err)
{
	const struct manager_run_row *run = row;
	struct runs *r = ctx;
	char ended[UI_FLEET_TIME], stored[SIZE_TEXT_MAX];

	if (r->o.json)
		return ui_fleet_json("run", "runs.run", manager_run_fields, row, err);
	if (r->shown++ == 0)
		printf("%-21s %-20s %-16s %-10s %6s %9s  %s\n", "ENDED", "AGENT", "JOB", "RESULT",
			"COPIES", "STORED", "");
	printf("%-21s %-20s %-16s %-10s %6" PRIu64 " %9s  %s\n", ui_fleet_time(ended, run->ended),
		run->agent, run->job, run->result, run->copies,
		size_print(stored, (double)run->stored), run->text);
	return 0;
}

static struct runs runs = {.count = 50};

static int run(void *own, struct err *err)
{
	struct runs *r = own;
	const struct ui_field filter[] = {UI_INT("count", r->count), UI_STRING("agent", r->o.agent),
		UI_STRING("job", r->job), {0}};
	int ret;

	ui_pipe_ends(UI_OK);
	ret = ui_fleet_open(&r->fleet, &r->o, err);
	if (ret == 0)
		ret = ui_fleet_rows(&r->fleet, MANAGER_METHOD_RUNS, filter, manager_run_fields,
			sizeof(struct manager_run_row), show, r, err);
	if (ret == 0 && r->shown == 0 && !r->o.json)
		printf("No run%s%s%s%s has ended yet.\n", r->job != NULL ? " of the job " : "",
			r->job != NULL ? r->job : "", r->o.agent != NULL ? " on the agent " : "",
			r->o.agent != NULL ? r->o.agent : "");
	ui_fleet_close(&r->fleet);
	return ret;
}

static const struct ui_option options[] = {
	{.shared = "a", .help = "only runs of this agent"},
	{0, "job", UI_NAME, "only runs of this job", UI_AT(struct runs, job)},
	{0, "count", UI_NUMBER, "at most this many; default: 50", UI_AT(struct runs, count),
		.min = 1, .max = MANAGER_RUNS_MAX},
	{.shared = "oISj"},
	{0},
};

const struct ui_command cmd_runs = {
	.name = "runs",
	.summary = "list what was backed up",
	.usage = "[--agent NAME] [--job NAME] [--count N] [--json]",
	.about = "Lists the runs of jobs that have ended, the newest first: when, which, with "
		 "what result, how many stores have the dump, how much was new to them.",
	.options = options,
	.arguments = "",
	.exits = "0 done; 2 failed, or wrong usage; 6 not allowed.",
	.own = &runs,
	.run = run,
};
