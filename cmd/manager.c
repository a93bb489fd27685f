/*
 * fdump manager: runs the manager service (manager_service.c). Its verb `check` checks a
 * configuration, and shows what it means for an agent.
 */
#include "cmd/cmd.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/manager/config.h"
#include "cmd/manager/slots.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "cmd/ui/role.h"
#include "lib/buf.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/name.h"
#include "lib/tz.h"

#define SHOWN_MAX 20 /* problems that are printed */

struct options {
	struct ui_options o;
	const char *file;
	size_t problems;
};

static void on_problem(void *ctx, const char *file, unsigned line, const char *what)
{
	struct options *opt = ctx;

	if (++opt->problems > SHOWN_MAX)
		return;
	ui_problem(
		&(struct ui_problem){
			.id = "manager.config", .file = file, .line = line, .what = what},
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

static json_t *json_list(const struct manager_list *list)
{
	char text[ESC_MAX(MANAGER_PATH_MAX)];
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < list->count; i++) {
		esc_line(text, sizeof text, list->items[i], strlen(list->items[i]));
		json_array_append_new(array, json_string(text));
	}
	return array;
}

/* Prints one job of an agent's plan, with its next slot. */
static int print_job(const struct options *opt, const struct manager_config *config,
	const struct manager_plan_job *job, struct err *err)
{
	const struct tz *tz = manager_config_zone(config, job->zone);
	char next[CIVIL_TEXT_MAX] = "never";
	struct manager_slots slots;
	struct tz_span span;
	int64_t slot = 0;

	if (manager_slots_init(
		    &slots, job->schedule, tz, job->jitter_sec, opt->o.agent, job->name, err) != 0)
		return -1;
	if (manager_slots_next(&slots, (int64_t)time(NULL), &slot) == 0) {
		tz_span(tz, slot, &span);
		civil_print(next, slot, span.offset);
	}
	if (opt->o.json)
		return ui_result("job", "manager.job",
			(struct ui_field[]){UI_STRING("agent", opt->o.agent),
				UI_STRING("job", job->name), UI_STRING("schedule", job->schedule),
				UI_STRING("zone", job->zone), UI_STRING("next", next),
				UI_INT("epoch", slot), UI_JSON("paths", json_list(&job->paths)),
				UI_JSON("exclude", json_list(&job->exclude)),
				UI_JSON("stores", json_list(&job->stores)),
				UI_INT("copies", job->copies), {0}},
			err, NULL);
	printf("%s: next at %s (%s, %s)\n", job->name, next, job->schedule, job->zone);
	print_list("paths:", &job->paths);
	print_list("exclude:", &job->exclude);
	print_list("stores:", &job->stores);
	if ((size_t)job->copies < job->stores.count)
		printf("  enough: %lld of these\n", (long long)job->copies);
	return 0;
}

/* Sets err to name the agents that there are jobs for. Returns -1. */
static int no_job(const struct options *opt, const struct manager_config *config, struct err *err)
{
	char text[200] = "";
	size_t i, k, len = 0;

	for (i = 0; i < config->job_count; i++)
		for (k = 0;
			k < config->jobs[i].agents.count && len + NAME_LEN_MAX + 8 < sizeof text;
			k++)
			len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%s\"",
				len > 0 ? ", " : "", config->jobs[i].agents.items[k]);
	return err_set(err, ERR_NOTFOUND,
		"%s: no job is for the agent %s (the agents of jobs are %s)", opt->file,
		opt->o.agent, len > 0 ? text : "none");
}

static int print_plan(
	const struct options *opt, const struct manager_config *config, struct err *err)
{
	struct manager_plan plan = {0};
	struct buf buf;
	size_t i;
	int ret;

	buf_init(&buf, MANAGER_PLAN_MAX);
	if (manager_config_plan(config, opt->o.agent, NULL, 0, &buf, err) != 0 ||
		manager_plan_decode(&plan, buf.data, buf.len, err) != 0) {
		buf_fini(&buf);
		return -1;
	}
	ret = plan.job_count > 0 ? 0 : no_job(opt, config, err);
	for (i = 0; i < plan.job_count && ret == 0; i++)
		ret = print_job(opt, config, &plan.jobs[i], err);
	manager_plan_free(&plan);
	buf_fini(&buf);
	return ret;
}

static int run_check(void *own, struct err *err)
{
	struct options *opt = own;
	const char *slash = strrchr(opt->file, '/');
	struct manager_config *config = NULL;
	char local[PATH_MAX + 16];
	struct err why = {0};
	size_t before;
	int got = 0;

	if (manager_config_load(&config, opt->file, on_problem, opt, err) < 0)
		return -1;
	before = opt->problems;
	snprintf(local, sizeof local, "%.*slocal.conf",
		slash != NULL ? (int)(slash - opt->file) + 1 : 0, opt->file);
	if (cmd_manager_local(local, on_problem, opt, &why) != 0 && opt->problems == before)
		on_problem(opt, NULL, 0, why.message);
	if (opt->problems > 0) {
		manager_config_free(config);
		return err_set(err, ERR_CONFIG, "%s: %zu problem%s%s", opt->file, opt->problems,
			opt->problems == 1 ? "" : "s",
			opt->problems > SHOWN_MAX ? "; only the first are shown" : "");
	}
	if (!config->has_job)
		ui_say("manager", "%s: warning: no jobs: nothing will be backed up", opt->file);
	if (opt->o.agent != NULL)
		got = print_plan(opt, config, err);
	if (got == 0 && (opt->o.json || opt->o.agent == NULL))
		got = ui_result("result", "manager.check",
			(struct ui_field[]){UI_INT("files", config->file_count),
				UI_INT("jobs", config->job_count),
				UI_INT("stores", config->all_stores.count), {0}},
			err, "%s: valid; %zu file%s, %zu job%s, %zu store%s\n", opt->file,
			config->file_count, config->file_count == 1 ? "" : "s", config->job_count,
			config->job_count == 1 ? "" : "s", config->all_stores.count,
			config->all_stores.count == 1 ? "" : "s");
	manager_config_free(config);
	return got;
}

static int run_service(void *own, struct err *err)
{
	return cmd_manager_service(own, err);
}

static struct options manager_options;

static int run(void *own, struct err *err)
{
	static char path[PATH_MAX];
	struct options *opt = own;

	snprintf(path, sizeof path, "%.4000s/manager.conf",
		opt->o.config != NULL ? opt->o.config : UI_CONFIG_DIR);
	opt->file = opt->o.arg_count > 0 ? opt->o.args[0] : path;
	return opt->o.verb->run(opt, err);
}

static const struct ui_verb verbs[] = {
	{"-", "",
		"the manager service, in the foreground, as systemd runs it; 'fdump setup' or "
		"'fdump join' makes a machine a manager",
		run_service},
	{"check", "[FILE]",
		"check the managers' configuration: FILE (" MANAGER_CONFIG_PATH
		"), the *.conf files of the folder conf.d beside it, and local.conf beside it; "
		"changes nothing",
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
	.own = &manager_options,
	.run = run,
};
