/* fdump runs: what agents did. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/hash.h"

static const char help[] =
	"usage: fdump runs [--agent NAME] [--job NAME] [--count N] [--json]\n"
	"\n"
	"Lists the runs of jobs that have ended, the newest first: when, which, what came\n"
	"of it, how many stores have the dump, how much was new to them.\n"
	"\n"
	"      --agent NAME    only of this agent\n"
	"      --job NAME      only of this job\n"
	"      --count N       so many at most; default: 50\n"
	"      --identity DIR  who asks: a folder with an operator's files\n"
	"      --config DIR    where configuration is; default: /etc/fdump\n"
	"      --state DIR     the services' own files; default: /var/lib/fdump\n"
	"      --json          one JSON object a line\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: 0 done; 2 failed, or wrong usage; 6 not allowed.\n";

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
	char ended[UI_FLEET_TIME];

	if (r->o.json)
		return ui_fleet_json("run", "runs.run", manager_run_fields, row, err);
	if (r->shown++ == 0)
		printf("%-21s %-20s %-16s %-10s %6s %14s  %s\n", "ENDED", "AGENT", "JOB", "RESULT",
			"COPIES", "STORED", "");
	printf("%-21s %-20s %-16s %-10s %6" PRIu64 " %14" PRIu64 "  %s\n",
		ui_fleet_time(ended, run->ended), run->agent, run->job, run->result, run->copies,
		run->stored, run->text);
	return 0;
}

static int run(struct runs *r, struct err *err)
{
	uint8_t mem[256];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1 + (size_t)(r->o.agent != NULL) + (size_t)(r->job != NULL));
	cbor_put_text(&out, "count");
	cbor_put_uint(&out, (uint64_t)r->count);
	if (r->o.agent != NULL) {
		cbor_put_text(&out, "agent");
		cbor_put_text(&out, r->o.agent);
	}
	if (r->job != NULL) {
		cbor_put_text(&out, "job");
		cbor_put_text(&out, r->job);
	}
	return ui_fleet_rows(&r->fleet, MANAGER_METHOD_RUNS, &out, manager_run_fields,
		sizeof(struct manager_run_row), show, r, err);
}

enum { OPT_JOB = UI_OPTIONS_OWN, OPT_COUNT };

static const struct option own[] = {
	{"job", required_argument, NULL, OPT_JOB},
	{"count", required_argument, NULL, OPT_COUNT},
	{0},
};

static int take(void *ctx, int c)
{
	struct runs *r = ctx;
	struct err err = {0};

	if (c == OPT_COUNT && ui_number(optarg, 1, MANAGER_RUNS_MAX, &r->count) != 0)
		return ui_usage(
			"runs", "--count: expected a number from 1 to %d", MANAGER_RUNS_MAX);
	if (c == OPT_JOB) {
		if (name_check("--job", optarg, &err) != 0)
			return ui_usage("runs", "%s", err.message);
		r->job = optarg;
	}
	return -1;
}

int cmd_runs(int argc, char **argv)
{
	static struct runs r = {
		.o = {.command = "runs", .help = help, .shared = "jiSa", .own = own, .take = take},
		.count = 50};
	struct err err = {0};
	int status;

	r.o.ctx = &r;
	status = ui_options_parse(&r.o, argc, argv);
	if (status >= 0)
		return status;
	if (optind < argc)
		return ui_usage("runs", "'%s': it takes no arguments", argv[optind]);
	if (hash_crypto_init(&err) != 0 ||
		ui_fleet_open(&r.fleet, r.o.config, r.o.state, r.o.identity, &err) != 0 ||
		run(&r, &err) != 0)
		status = ui_fail("runs", &err);
	else
		status = UI_OK;
	ui_fleet_close(&r.fleet);
	ui_options_fini(&r.o);
	return status;
}
