/*
 * fdump manager: the manager service (manager_service.c), and
 *
 * check: whether a configuration is right, and what it means for an agent.
 */
#include "cmd/cmd.h"

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
#include "cmd/ui/role.h"
#include "lib/buf.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "lib/name.h"
#include "lib/tz.h"

struct options {
	struct ui_options o;
	const char *file;
	size_t problems;
};

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	struct options *opt = ctx;
	opt->problems++;
	ui_problem(&(struct ui_problem){.command = "manager",
			   .id = "manager.config",
			   .json = opt->o.json ? stdout : NULL,
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
	struct err err = {0};
	json_t *object = ui_json_new("job", "manager.job");
	int failed = ui_json_add(object, "agent", json_string(opt->o.agent));

	failed |= ui_json_add(object, "job", json_string(job->name));
	failed |= ui_json_add(object, "schedule", json_string(job->schedule));
	failed |= ui_json_add(object, "zone", json_string(job->zone));
	failed |= ui_json_add(object, "next", json_string(next));
	failed |= ui_json_add(object, "epoch", json_integer(slot));
	failed |= json_list(object, "paths", &job->paths);
	failed |= json_list(object, "exclude", &job->exclude);
	failed |= json_list(object, "stores", &job->stores);
	failed |= ui_json_add(object, "copies", json_integer(job->copies));
	return ui_json_print(object, failed, &err) == 0 ? UI_OK : ui_fail("manager", &err);
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
		    &slots, job->schedule, tz, job->jitter_sec, opt->o.agent, job->name, &err) != 0)
		return ui_fail("manager", &err);
	if (manager_slots_next(&slots, (int64_t)time(NULL), &slot) == 0) {
		tz_span(tz, slot, &span);
		civil_print(next, slot, span.offset);
	}
	if (opt->o.json)
		return json_job(opt, job, next, slot);
	printf("%s: next at %s (%s, %s)\n", job->name, next, job->schedule, job->zone);
	print_list("paths:", &job->paths);
	print_list("exclude:", &job->exclude);
	print_list("stores:", &job->stores);
	if ((size_t)job->copies < job->stores.count)
		printf("  enough: %lld of these\n", (long long)job->copies);
	return UI_OK;
}

/* Says which agents there are jobs for. */
static int no_job(const struct options *opt, const struct manager_config *config)
{
	char text[200] = "";
	struct err err = {0};
	size_t i, k, len = 0;

	for (i = 0; i < config->job_count; i++)
		for (k = 0;
			k < config->jobs[i].agents.count && len + NAME_LEN_MAX + 8 < sizeof text;
			k++)
			len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%s\"",
				len > 0 ? ", " : "", config->jobs[i].agents.items[k]);
	err_set(&err, ERR_NOTFOUND, "%s: no job is for the agent %s (the agents of jobs are %s)",
		opt->file, opt->o.agent, len > 0 ? text : "none");
	return ui_fail("manager", &err);
}

static int print_plan(const struct options *opt, const struct manager_config *config)
{
	struct manager_plan plan = {0};
	struct err err = {0};
	struct buf buf;
	size_t i;
	int status = UI_OK;

	buf_init(&buf, MANAGER_PLAN_MAX);
	if (manager_config_plan(config, opt->o.agent, NULL, 0, &buf, &err) != 0 ||
		manager_plan_decode(&plan, buf.data, buf.len, &err) != 0) {
		buf_fini(&buf);
		return ui_fail("manager", &err);
	}
	for (i = 0; i < plan.job_count && status == UI_OK; i++)
		status = print_job(opt, config, &plan.jobs[i]);
	if (plan.job_count == 0)
		status = no_job(opt, config);
	manager_plan_free(&plan);
	buf_fini(&buf);
	return status;
}

static int run_check(void *own, struct err *err)
{
	struct options *opt = own;
	struct manager_config *config;
	int got, status = UI_OK;

	if (hash_crypto_init(err) != 0)
		return -1;
	got = manager_config_load(&config, opt->file, on_problem, opt, err);
	if (got < 0)
		return -1;
	if (got > 0)
		return err_set(err, ERR_CONFIG, "%s: %zu problem%s", opt->file, opt->problems,
			opt->problems == 1 ? "" : "s");
	if (opt->o.agent != NULL)
		status = print_plan(opt, config);
	if (status == UI_OK && opt->o.json) {
		const struct ui_json_row rows[] = {{"files", config->file_count},
			{"jobs", config->job_count}, {"stores", config->all_stores.count}};

		status = ui_json_result(stdout, "manager.check", rows, 3, err) == 0 ? UI_OK : -1;
	}
	if (status == UI_OK && !opt->o.json && opt->o.agent == NULL)
		printf("%s: valid; %zu file%s, %zu job%s, %zu store%s\n", opt->file,
			config->file_count, config->file_count == 1 ? "" : "s", config->job_count,
			config->job_count == 1 ? "" : "s", config->all_stores.count,
			config->all_stores.count == 1 ? "" : "s");
	manager_config_free(config);
	return status;
}

static int run_service(void *own, struct err *err)
{
	const struct options *opt = own;

	(void)err;
	return cmd_manager_service(opt->o.config, opt->o.state);
}

static int main_manager(int argc, char **argv)
{
	struct options opt = {.problems = 0};
	char path[PATH_MAX];
	struct err err = {0};
	int status = ui_options_parse(&opt.o, &cmd_manager, &opt, argc, argv);

	if (status >= 0)
		return status;
	snprintf(path, sizeof path, "%.4000s/manager.conf",
		opt.o.config != NULL ? opt.o.config : UI_CONFIG_DIR);
	opt.file = optind < argc ? argv[optind] : path;
	status = opt.o.verb->run(&opt, &err);
	return status < 0 ? ui_fail("manager", &err) : status;
}

static const struct ui_verb verbs[] = {
	{"-", "",
		"the manager service, in the foreground, as systemd runs it; 'fdump setup' or "
		"'fdump join' makes a machine a manager",
		run_service},
	{"check", "[FILE]",
		"check the managers' configuration: FILE (" MANAGER_CONFIG_PATH
		") and the *.conf files of the folder conf.d beside it; changes nothing",
		run_check},
	{0},
};

static const struct ui_option options[] = {
	{.shared = "I", .help = "where manager.conf and local.conf are; default: /etc/fdump"},
	{.shared = "S", .help = "the service's own files; default: /var/lib/fdump", .verbs = "-"},
	{.shared = "a",
		.help = "also print what this agent has to do, and when next",
		.verbs = "check"},
	{.shared = "j", .verbs = "check"},
	{0},
};

const struct ui_command cmd_manager = {
	.name = "manager",
	.summary = "the manager service; check its configuration",
	.about = "The manager service holds the plan of what is backed up, records runs, and "
		 "watches.",
	.verbs = verbs,
	.options = options,
	.exits = "0 valid; 2 failed or wrong usage; 3 the configuration is wrong.",
	.run = main_manager,
};
