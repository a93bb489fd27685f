#include "cmd/agent/command.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/dump.h"
#include "lib/err.h"
#include "lib/esc.h"

/* A command line in the making. */
struct args {
	struct agent_command *to;
	bool failed, full;
};

static void add_arg(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_arg(struct args *a, const char *fmt, ...)
{
	va_list list;
	char *text;

	if (a->to->count == AGENT_COMMAND_MAX) {
		a->full = true;
		return;
	}
	va_start(list, fmt);
	if (vasprintf(&text, fmt, list) < 0)
		a->failed = true;
	else
		a->to->argv[a->to->count++] = text;
	va_end(list);
}

/* The public keys that the job names; none: all that are pinned. */
static void add_recipients(
	const struct agent_place *place, const struct manager_plan_job *job, struct args *a)
{
	DIR *dir;
	struct dirent *entry;
	size_t i, len;

	for (i = 0; i < job->recipients.count; i++)
		add_arg(a, "--to=%s/%s.pub", place->recipients, job->recipients.items[i]);
	if (job->recipients.count > 0)
		return;
	dir = opendir(place->recipients);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		len = strlen(entry->d_name);
		if (len > 4 && strcmp(entry->d_name + len - 4, ".pub") == 0)
			add_arg(a, "--to=%s/%s", place->recipients, entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
}

/* The command line of a job. */
static void make_args(const struct agent_place *place, const char *agent,
	const struct agent_order *order, struct args *a)
{
	const struct manager_plan_job *job = order->job;
	char plan[2 * STORE_PLAN_LEN + 1];
	size_t i;

	esc_hex(plan, order->plan, STORE_PLAN_LEN);
	add_arg(a, "%s", place->program);
	add_arg(a, "backup");
	add_arg(a, "--json");
	add_arg(a, "--progress");
	add_arg(a, "--config=%s", place->config);
	add_arg(a, "--state=%s", place->state);
	add_arg(a, "--agent=%s", agent);
	add_arg(a, "--name=%s", job->name);
	add_arg(a, "--job=%lld:%s", (long long)order->slot, plan);
	for (i = 0; i < job->stores.count; i++)
		add_arg(a, "--store=%s", job->stores.items[i]);
	if (job->copies > 0)
		add_arg(a, "--copies=%lld", (long long)job->copies);
	if (job->unencrypted)
		add_arg(a, "--unencrypted");
	else
		add_recipients(place, job, a);
	for (i = 0; i < job->exclude.count; i++)
		add_arg(a, "--exclude=%s", job->exclude.items[i]);
	add_arg(a, "--level=%lld", (long long)job->level);
	if (job->lock_sec > 0)
		add_arg(a, "--lock=%llds", (long long)job->lock_sec);
	if (job->one_file_system)
		add_arg(a, "--one-file-system");
	if (job->exclude_caches)
		add_arg(a, "--exclude-caches");
	if (job->before != NULL)
		add_arg(a, "--before=%s", job->before);
	if (job->after != NULL)
		add_arg(a, "--after=%s", job->after);
	add_arg(a, "--hooks=%s", place->hooks);
	if (place->accept_hidden)
		add_arg(a, "--accept-hidden");
	add_arg(a, "--");
	for (i = 0; i < job->paths.count; i++)
		add_arg(a, "%s", job->paths.items[i]);
}

struct agent_command *agent_command_make(const struct agent_place *place, const char *agent,
	const struct agent_order *order, struct err *err)
{
	struct args args = {.to = calloc(1, sizeof *args.to)};

	if (args.to != NULL)
		make_args(place, agent, order, &args);
	if (args.to != NULL && !args.failed && !args.full)
		return args.to;
	if (args.full)
		err_set(err, ERR_LIMIT, "the job has too many paths and patterns");
	else
		err_set(err, ERR_NOMEM, "out of memory");
	agent_command_free(args.to);
	return NULL;
}

void agent_command_free(struct agent_command *command)
{
	size_t i;

	if (command == NULL)
		return;
	for (i = 0; i < command->count; i++)
		free(command->argv[i]);
	free(command);
}
