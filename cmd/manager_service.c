/*
 * fdump manager, without a verb: the manager service, in the foreground. It has one loop.
 * manager.conf is the same on every manager; the settings of this machine are in local.conf beside
 * it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/manager/config.h"
#include "cmd/manager/proto.h"
#include "cmd/manager/row.h"
#include "cmd/manager/service.h"
#include "cmd/manager/syntax.h"
#include "cmd/ui/conf.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/log.h"
#include "cmd/ui/loop.h"
#include "cmd/ui/options.h"
#include "cmd/ui/role.h"
#include "lib/buf.h"
#include "lib/err.h"

#define HOOK_INPUT_MAX 4096 /* bytes; writing as many to an empty pipe never blocks */

extern char **environ;

/* The settings in local.conf. */
struct local {
	char listen[256], enroll[256], address[256];
	struct store_address listen_at, enroll_at, address_at; /* parsed from these */
};

struct serve {
	struct ui_role role;
	struct local local;
	char config_path[PATH_MAX + 16];
	struct ui_loop loop;
	struct rpc_signal child;
	struct manager_service *service;
};

/* --- configuration ---------------------------------------------------------- */

/* clang-format off */
#define TEXT(member) {.name = #member, .at = offsetof(struct local, member), \
	.size = sizeof(((struct local *)0)->member)}
/* clang-format on */
static const struct manager_syntax_key keys[] = {TEXT(listen), TEXT(enroll), TEXT(address), {0}};
static const struct manager_syntax_rule rules[] = {{.kind = "manager", .keys = keys}, {0}};

/* Reads local.conf. Without an address there it is this machine's name. problem: called for each
 * mistake in the file. Returns 0, or -1 with err set: ERR_CONFIG. */
static int read_local(
	struct local *l, const char *path, manager_problem *problem, void *ctx, struct err *err)
{
	struct manager_syntax syntax;
	int ret;

	*l = (struct local){.listen = "[::]:" MANAGER_PORT, .enroll = "[::]:" MANAGER_ENROLL_PORT};
	if (gethostname(l->address, sizeof l->address - 1) != 0)
		return err_set(err, ERR_FAILED, "this machine has no name");
	ret = ui_conf_read(&syntax, path, rules, problem, ctx, err);
	if (ret == 0 && syntax.count > 0)
		ret = ui_conf_take(l, &syntax.sections[0], err);
	manager_syntax_free(&syntax);
	if (ret < 0)
		return -1;
	if (ui_address(&l->listen_at, l->listen, MANAGER_PORT, err) == 0 &&
		ui_address(&l->enroll_at, l->enroll, MANAGER_ENROLL_PORT, err) == 0 &&
		ui_address(&l->address_at, l->address, "", err) == 0)
		return 0;
	err->code = ERR_CONFIG;
	return err_prefix(err, "%s", path);
}

int cmd_manager_local(const char *path, manager_problem *problem, void *ctx, struct err *err)
{
	struct local local;

	return read_local(&local, path, problem, ctx, err);
}

/* Returns NULL with err set if the configuration is not valid. */
static struct manager_config *load_config(struct serve *s, struct err *err)
{
	struct manager_config *config = NULL;
	int got = manager_config_load(&config, s->config_path, ui_conf_problem, NULL, err);

	if (got > 0)
		err_set(err, ERR_CONFIG, "%s: not taken", s->config_path);
	if (got == 0 && !config->has_job)
		ui_log(UI_LOG_WARNING, "%s: no jobs: nothing will be backed up", s->config_path);
	return got == 0 ? config : NULL;
}

/* --- events ------------------------------------------------------------------ */

static void on_log(void *ctx, enum manager_level level, const char *text)
{
	(void)ctx;
	ui_log((enum ui_priority)level, "%s", text);
}

static void on_access(void *ctx, const struct rpc_access *access)
{
	(void)ctx;
	ui_log_access(access);
}

/* Starts a program with some bytes on its standard input, and does not wait for it. Its output goes
 * to the log. Returns 0, or -1 with err set: ERR_NOTFOUND if the program does not exist or is not
 * executable. */
static int start_hook(const char *program, const void *input, size_t len, struct err *err)
{
	const char *const argv[] = {program, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int fds[2], got;
	pid_t pid;

	assert(len <= HOOK_INPUT_MAX);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	got = posix_spawn(&pid, program, &actions, &attr, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close(fds[0]);
	/* The pipe has room for all of it. */
	if (got == 0)
		(void)!write(fds[1], input, len);
	close(fds[1]);
	if (got == ENOENT || got == EACCES)
		return err_set(err, ERR_NOTFOUND, "hook %s: not found, or not executable", program);
	return got == 0 ? 0 : err_errno(err, got, "hook %s", program);
}

/* Logs an alarm, and runs the hook with the alarm as a line of JSON on its standard input. Returns
 * false if it should be tried again. */
static bool on_alarm(void *ctx, const char *hook, const struct manager_alarm_row *row, bool raised)
{
	struct serve *s = ctx;
	struct err err = {0};
	struct buf line;
	bool ret = true;

	ui_log(raised ? row->critical ? UI_LOG_ERROR : UI_LOG_WARNING : UI_LOG_NOTICE,
		"alarm%s: %s %s%s%s: %s: %s", raised ? "" : " over", row->role, row->name,
		row->job[0] != 0 ? ", job " : "", row->job, row->state, row->reason);
	if (hook == NULL)
		return true;
	buf_init(&line, HOOK_INPUT_MAX);
	if (ui_fleet_json_put("alarm", raised ? "alarm.raised" : "alarm.over",
		    manager_service_name(s->service), manager_alarm_fields, row, &line,
		    &err) != 0 ||
		start_hook(hook, line.data, line.len, &err) != 0) {
		ui_log(UI_LOG_ERROR, "alarm: %s", err.message);
		ret = err.code == ERR_NOTFOUND; /* trying again would not help */
	}
	buf_fini(&line);
	return ret;
}

/* Collects hooks that have ended, and logs failures. */
static void on_child(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (status != 0)
			ui_log(UI_LOG_WARNING, "the alarm's hook (process %ld) failed: %s %d",
				(long)pid, WIFEXITED(status) ? "status" : "signal",
				WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void on_end(void *ctx)
{
	manager_service_shutdown(((struct serve *)ctx)->service);
}

static bool is_idle(void *ctx)
{
	return manager_service_is_idle(((struct serve *)ctx)->service);
}

/* Reads configuration, certificates and public keys again. If that fails, nothing changes. */
static void reload(void *ctx)
{
	struct serve *s = ctx;
	struct manager_config *config;
	struct err err = {0};

	config = load_config(s, &err);
	if (config != NULL && manager_service_reload(s->service, &err) != 0) {
		manager_config_free(config);
		config = NULL;
	}
	if (config == NULL) {
		ui_log(UI_LOG_ERROR, "not reloaded, all is as before: %s", err.message);
	} else {
		manager_service_config(s->service, config);
		ui_log(UI_LOG_NOTICE, "reloaded");
	}
}

/* --- start and stop ----------------------------------------------------------- */

static const char *any(const char *host)
{
	return strcmp(host, "*") == 0 ? NULL : host;
}

static int set_up(struct serve *s, struct err *err)
{
	struct manager_service_opts opts = {.dir = s->role.dir,
		.times = ui_test_times(NULL),
		.ctx = s,
		.log = on_log,
		.access = on_access,
		.alarm = on_alarm};
	char path[PATH_MAX + 16];

	if (access(s->role.cert, F_OK) != 0)
		return err_set(err, ERR_CONFIG,
			"%s: not found: this machine is not a manager ('fdump setup' or 'fdump "
			"join' "
			"makes it one)",
			s->role.cert);
	snprintf(s->config_path, sizeof s->config_path, "%s/manager.conf", s->role.config);
	snprintf(path, sizeof path, "%s/local.conf", s->role.config);
	if (read_local(&s->local, path, ui_conf_problem, NULL, err) != 0)
		return -1;
	opts.config = load_config(s, err);
	if (opts.config == NULL)
		return -1;
	if (ui_loop_start(&s->loop, 0, 0, err) != 0) {
		manager_config_free(opts.config);
		return -1;
	}
	opts.loop = s->loop.loop;
	opts.host = any(s->local.listen_at.host);
	opts.port = s->local.listen_at.port;
	opts.enroll_host = any(s->local.enroll_at.host);
	opts.enroll_port = s->local.enroll_at.port;
	opts.address = s->local.address_at.host;
	opts.address_port = s->local.address_at.port;
	s->service = manager_service_new(&opts, err);
	if (s->service == NULL)
		return -1;
	rpc_signal_start(&s->child, s->loop.loop, SIGCHLD, on_child, s);
	return 0;
}

int cmd_manager_service(const struct ui_options *o, struct err *err)
{
	struct serve s = {.loop = {.ctx = &s, .end = on_end, .idle = is_idle, .reload = reload}};
	int ret = ui_role_set(&s.role, o->config, o->state, "manager", err);

	ui_log_start(false);
	if (ret == 0)
		ret = set_up(&s, err);
	if (ret == 0) {
		ui_log(UI_LOG_NOTICE, "manager %s, port %u, enrolment port %u",
			manager_service_name(s.service), manager_service_port(s.service),
			manager_service_enroll_port(s.service));
		ui_loop_serve(&s.loop);
	}
	rpc_signal_stop(&s.child);
	manager_service_free(s.service);
	ui_loop_stop(&s.loop);
	return ret;
}
