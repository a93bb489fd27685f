#include "cmd/agent/command.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/dump.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

/* A command line in the making. */
struct args {
	struct buf argv; /* char *, allocated */
	bool failed;
};

static void add_arg(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_arg(struct args *a, const char *fmt, ...)
{
	va_list list;
	char *text;

	va_start(list, fmt);
	if (vasprintf(&text, fmt, list) < 0)
		text = NULL;
	va_end(list);
	if (text != NULL && buf_add(&a->argv, &text, sizeof text, NULL) == 0)
		return;
	a->failed = true;
	free(text);
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

char **agent_command_make(const struct agent_place *place, const char *agent,
	const struct agent_order *order, struct err *err)
{
	const struct manager_plan_job *job = order->job;
	char plan[2 * STORE_PLAN_LEN + 1], *end = NULL;
	struct args args = {.failed = false}, *a = &args;
	size_t i;

	buf_init(&a->argv, SIZE_MAX);
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
	if (!a->failed && buf_add(&a->argv, &end, sizeof end, NULL) == 0)
		return (char **)(void *)a->argv.data;
	err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < a->argv.len / sizeof end; i++)
		free(((char **)(void *)a->argv.data)[i]);
	buf_fini(&a->argv);
	return NULL;
}

void agent_command_free(char **argv)
{
	size_t i;

	for (i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}
