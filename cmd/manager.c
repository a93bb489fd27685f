/*
 * fdump manager: the manager service (manager_service.c), and
 *
 * check: whether a configuration is right, and what it means for an agent.
 */
#include "cmd/cmd.h"

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/config.h"
#include "cmd/manager/slots.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "lib/name.h"
#include "lib/tz.h"

struct options {
	const char *file, *agent;
	bool json;
	size_t problems;
};

static void help(void)
{
	fputs("usage: fdump manager [--config DIR] [--state DIR]\n"
	      "       fdump manager check [--agent NAME] [--json] [FILE]\n\n"
	      "Without a verb: the manager service, in the foreground, as systemd runs it.\n"
	      "'fdump setup' or 'fdump join' makes a machine a manager.\n\n"
	      "      --config DIR  where manager.conf and local.conf are; default: /etc/fdump\n"
	      "      --state DIR   the service's own files; default: /var/lib/fdump\n\n"
	      "check looks at the managers' configuration: FILE (" MANAGER_CONFIG_PATH ") and\n"
	      "the *.conf files of the folder conf.d beside it. It changes nothing.\n\n"
	      "      --agent NAME  also print what this agent has to do, and when next\n"
	      "      --json        one JSON object a line\n"
	      "  -h, --help        this text\n\n"
	      "Exit status: 0 valid, 2 failed or wrong usage, 3 the configuration is wrong.\n",
		stdout);
}

static int get_options(int argc, char **argv, struct options *opt)
{
	static const struct option longs[] = {
		{"agent", required_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	struct err err = {0};
	uint64_t seen = 0;
	int c;

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (ui_options_once("manager", &seen, longs, c) >= 0)
			return UI_FAILED;
		if (c == 'a')
			opt->agent = optarg;
		else if (c == 'j')
			opt->json = true;
		else
			return ui_options_wrong("manager", c, argv);
	}
	if (optind + 1 < argc)
		return ui_usage("manager", "check: one FILE at most");
	opt->file = optind < argc ? argv[optind] : MANAGER_CONFIG_PATH;
	if (ui_options_path("manager", opt->file) >= 0)
		return UI_FAILED;
	if (opt->agent != NULL && name_check("--agent", opt->agent, &err) != 0)
		return ui_usage("manager", "%s", err.message);
	return UI_OK;
}

/* Prints the object; failed: that something could not be added. */
static int print_json(json_t *object, int failed)
{
	struct err err = {0};

	return ui_json_print(object, failed, &err) == 0 ? UI_OK : ui_fail("manager", &err);
}

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	struct options *opt = ctx;
	opt->problems++;
	ui_problem(&(struct ui_problem){.command = "manager",
			   .id = "manager.config",
			   .json = opt->json ? stdout : NULL,
			   .file = file,
			   .line = line,
			   .what = what},
		NULL);
}

static void print_list(const char *what, const struct manager_list *list)
{
	char text[ESC_MAX(256)];
	size_t i;

	if (list->count == 0)
		return;
	printf("  %s", what);
	for (i = 0; i < list->count; i++) {
		esc_name(text, sizeof text, list->items[i], strlen(list->items[i]));
		printf(" %s", text);
	}
	putchar('\n');
}

static int json_list(json_t *object, const char *key, const struct manager_list *list)
{
	char text[ESC_MAX(MANAGER_PATH_MAX)];
	json_t *array = json_array();
	size_t i;
	int failed = 0;

	for (i = 0; i < list->count; i++) {
		esc_line(text, sizeof text, list->items[i], strlen(list->items[i]));
		failed |= json_array_append_new(array, json_string(text));
	}
	return failed | ui_json_add(object, key, array);
}

static int json_job(const struct options *opt, const struct manager_plan_job *job, const char *next,
	int64_t slot)
{
	json_t *object = ui_json_new("job", "manager.job");
	int failed = ui_json_add(object, "agent", json_string(opt->agent));

	failed |= ui_json_add(object, "job", json_string(job->name));
	failed |= ui_json_add(object, "schedule", json_string(job->schedule));
	failed |= ui_json_add(object, "zone", json_string(job->zone));
	failed |= ui_json_add(object, "next", json_string(next));
	failed |= ui_json_add(object, "epoch", json_integer(slot));
	failed |= json_list(object, "paths", &job->paths);
	failed |= json_list(object, "exclude", &job->exclude);
	failed |= json_list(object, "stores", &job->stores);
	failed |= ui_json_add(object, "copies", json_integer(job->copies));
	return print_json(object, failed);
}

/* One job of an agent's plan, with its next slot. */
static int print_job(const struct options *opt, const struct manager_config *config,
	const struct manager_plan_job *job)
{
	const struct tz *tz = manager_config_zone(config, job->zone);
	char next[CIVIL_TEXT_MAX] = "never";
	struct manager_slots slots;
	struct err err = {0};
	struct tz_span span;
	int64_t slot = 0;

	if (manager_slots_init(
		    &slots, job->schedule, tz, job->jitter_sec, opt->agent, job->name, &err) != 0)
		return ui_fail("manager", &err);
	if (manager_slots_next(&slots, (int64_t)time(NULL), &slot) == 0) {
		tz_span(tz, slot, &span);
		civil_print(next, slot, span.offset);
	}
	if (opt->json)
		return json_job(opt, job, next, slot);
	printf("%s: next at %s (%s, %s)\n", job->name, next, job->schedule, job->zone);
	print_list("paths:", &job->paths);
	print_list("exclude:", &job->exclude);
	print_list("stores:", &job->stores);
	if (job->copies < job->stores.count)
		printf("  enough: %u of these\n", job->copies);
	return UI_OK;
}

static int print_plan(const struct options *opt, const struct manager_config *config)
{
	struct manager_plan plan = {0};
	struct err err = {0};
	struct buf buf;
	size_t i;
	int status = UI_OK;

	buf_init(&buf, MANAGER_PLAN_MAX);
	if (manager_config_plan(config, opt->agent, NULL, 0, &buf, &err) != 0 ||
		manager_plan_decode(&plan, buf.data, buf.len, &err) != 0) {
		buf_fini(&buf);
		return ui_fail("manager", &err);
	}
	for (i = 0; i < plan.job_count && status == UI_OK; i++)
		status = print_job(opt, config, &plan.jobs[i]);
	if (plan.job_count == 0)
		ui_say("manager", "%s: no job is for this agent", opt->agent);
	manager_plan_free(&plan);
	buf_fini(&buf);
	return status;
}

static int json_result(const struct manager_config *config)
{
	const struct ui_json_row rows[] = {
		{"files", config->file_count},
		{"jobs", config->job_count},
		{"stores", config->all_stores.count},
	};
	json_t *object = ui_json_new("result", "manager.check");

	return print_json(object, ui_json_rows(object, rows, sizeof rows / sizeof rows[0]));
}

static int run_check(struct options *opt)
{
	struct manager_config *config;
	struct err err = {0};
	int got, status = UI_OK;

	if (hash_crypto_init(&err) != 0)
		return ui_fail("manager", &err);
	got = manager_config_load(&config, opt->file, on_problem, opt, &err);
	if (got < 0)
		return ui_fail("manager", &err);
	if (got > 0) {
		err_set(&err, ERR_CONFIG, "%s: %zu problem%s", opt->file, opt->problems,
			opt->problems == 1 ? "" : "s");
		return ui_fail("manager", &err);
	}
	if (opt->agent != NULL)
		status = print_plan(opt, config);
	if (status == UI_OK && opt->json)
		status = json_result(config);
	else if (status == UI_OK && opt->agent == NULL)
		printf("%s: valid; %zu file%s, %zu job%s, %zu store%s\n", opt->file,
			config->file_count, config->file_count == 1 ? "" : "s", config->job_count,
			config->job_count == 1 ? "" : "s", config->all_stores.count,
			config->all_stores.count == 1 ? "" : "s");
	manager_config_free(config);
	return status;
}

static int run_service(int argc, char **argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"state", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	const char *config = NULL, *state = NULL;
	uint64_t seen = 0;
	int c;

	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		if (ui_options_once("manager", &seen, longs, c) >= 0)
			return UI_FAILED;
		if (c == 'c')
			config = optarg;
		else if (c == 's')
			state = optarg;
		else
			return ui_options_wrong("manager", c, argv);
	}
	if (optind < argc)
		return ui_usage("manager", "unknown command '%s'; there is: check", argv[optind]);
	return cmd_manager_service(config, state);
}

int cmd_manager(int argc, char **argv)
{
	struct options opt = {0};
	int i, status;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help();
			return UI_OK;
		}
	}
	if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
		return run_service(argc, argv);
	if (strcmp(argv[1], "check") != 0)
		return ui_usage("manager", "unknown command '%s'; there is: check", argv[1]);
	status = get_options(argc - 1, argv + 1, &opt);
	return status == UI_OK ? run_check(&opt) : status;
}
