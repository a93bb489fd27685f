/*
 * fdump agent: runs the agent service in the foreground; its verb `accept` confirms that a store
 * was replaced.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/agent/service.h"
#include "cmd/cmd.h"
#include "cmd/manager/syntax.h"
#include "cmd/ui/conf.h"
#include "cmd/ui/log.h"
#include "cmd/ui/loop.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/role.h"
#include "lib/err.h"
#include "rpc/deny.h"

#define QUEUE_MAX 64
#define HOUR      3600

struct agent {
	struct ui_options o;
	struct ui_role role;
	const char *store; /* accept: the store's name */
	char program[PATH_MAX], recipients[PATH_MAX], hooks[PATH_MAX];
	struct manager_syntax conf;
	struct agent_own own;
	struct agent_place place;
	struct manager_uplink_peer managers[MANAGER_UPLINKS_MAX];
	size_t manager_count;
	struct rpc_deny deny;
	struct rpc_tls_conf *tls;
	struct ui_loop loop;
	struct agent_service *service;
};

/* --- agent.conf --------------------------------------------------------------- */

/* clang-format off */
#define KEY(key, member, kind) .name = (key), .type = (kind), \
	.at = offsetof(struct agent, member), .size = sizeof(((struct agent *)0)->member)
/* clang-format on */
static const struct manager_syntax_key keys[] = {
	{KEY("read", own.read, ui_conf_list), .list = true},
	{KEY("unencrypted", own.unencrypted, ui_conf_bool)},
	{KEY("accept_hidden", place.accept_hidden, ui_conf_bool)},
	{KEY("min_interval", own.min_interval_sec, ui_conf_time)},
	{KEY("warn_after", own.warn_after_sec, ui_conf_time)},
	{KEY("hooks", hooks, NULL)},
	{0},
};
static const struct manager_syntax_rule rules[] = {{.kind = "agent", .keys = keys}, {0}};

/* Reads agent.conf. Without that file the defaults apply. */
static int read_conf(struct agent *a, struct err *err)
{
	char path[PATH_MAX + 16];
	int ret;

	a->own = (struct agent_own){.warn_after_sec = 3 * 24 * HOUR};
	snprintf(a->hooks, sizeof a->hooks, "%.4000s/hooks", a->role.config);
	snprintf(path, sizeof path, "%s/agent.conf", a->role.config);
	ret = ui_conf_read(&a->conf, path, rules, ui_conf_problem, NULL, err);
	if (ret == 0 && a->conf.count > 0)
		ret = ui_conf_take(a, &a->conf.sections[0], err);
	return ret < 0 ? -1 : 0;
}

/* --- events -------------------------------------------------------------------- */

static void on_idle(void *ctx)
{
	rpc_loop_stop(((struct agent *)ctx)->loop.loop);
}

static void on_end(void *ctx)
{
	agent_service_shutdown(((struct agent *)ctx)->service, on_idle);
}

static int load_tls(struct agent *a, struct err *err)
{
	const struct rpc_tls_opts opts = ui_role_tls(&a->role, &a->deny);
	struct rpc_tls_conf *tls = rpc_tls_conf_new(&opts, err);

	if (tls == NULL)
		return -1;
	if (rpc_tls_conf_self(tls)->role != RPC_AGENT) {
		rpc_tls_conf_unref(tls);
		return err_set(err, ERR_CONFIG, "%s: not an agent's certificate", a->role.cert);
	}
	rpc_tls_conf_unref(a->tls);
	a->tls = tls;
	return 0;
}

static void on_renewed(void *ctx)
{
	struct agent *a = ctx;
	struct err err = {0};

	if (load_tls(a, &err) != 0)
		ui_log(UI_LOG_ERROR, "the certificate is not loaded: %s", err.message);
	else
		agent_service_conf(a->service, a->tls);
}

static void on_log(void *ctx, int priority, const char *text)
{
	(void)ctx;
	ui_log((enum ui_priority)priority, "%s", text);
}

/* --- start and stop -------------------------------------------------------------- */

static int set_up(struct agent *a, struct err *err)
{
	struct agent_service_opts opts = {
		.uplink = {.deny = &a->deny,
			.deny_path = a->role.deny,
			.managers_path = a->role.managers,
			.paths = {.key = a->role.key, .cert = a->role.cert, .ca = a->role.ca},
			.peers = a->managers,
			.times = ui_test_times(NULL)},
		.dir = a->role.dir,
		.stores_path = a->role.stores,
		.ctx = a,
		.log = on_log,
		.renewed = on_renewed,
	};
	ssize_t n = readlink("/proc/self/exe", a->program, sizeof a->program - 1);

	if (n < 0)
		return err_errno(err, errno, "/proc/self/exe");
	a->program[n] = 0;
	a->place.program = a->program;
	a->place.config = a->role.config;
	a->place.recipients = a->recipients;
	a->place.hooks = a->hooks;
	snprintf(a->recipients, sizeof a->recipients, "%.4000s/recipients", a->role.config);
	if (read_conf(a, err) != 0 ||
		ui_role_managers(&a->role, a->managers, &a->manager_count, err) != 0 ||
		rpc_join_mend(a->role.key, a->role.cert, err) != 0 ||
		rpc_deny_load(&a->deny, a->role.deny, err) != 0 || load_tls(a, err) != 0)
		return -1;
	a->loop.ctx = a;
	a->loop.end = on_end;
	a->loop.reload = on_renewed;
	if (ui_loop_start(&a->loop, 2, QUEUE_MAX, err) != 0)
		return -1;
	opts.uplink.loop = a->loop.loop;
	opts.uplink.pool = a->loop.pool;
	opts.uplink.conf = a->tls;
	opts.uplink.peer_count = a->manager_count;
	opts.own = a->own;
	opts.place = a->place;
	a->service = agent_service_new(&opts, err);
	return a->service != NULL ? 0 : -1;
}

static int serve(void *own, struct err *err)
{
	struct agent *a = own;
	int ret = -1;

	ui_log_start(true);
	if (set_up(a, err) == 0) {
		ui_log(UI_LOG_NOTICE, "agent %s, managers: %zu", rpc_tls_conf_self(a->tls)->name,
			a->manager_count);
		ui_loop_serve(&a->loop);
		ret = UI_OK;
	}
	agent_service_free(a->service);
	ui_loop_stop(&a->loop);
	rpc_tls_conf_unref(a->tls);
	rpc_deny_fini(&a->deny);
	manager_syntax_free(&a->conf);
	return ret;
}

static int accept_store(void *own, struct err *err)
{
	const struct agent *a = own;
	int ret = ui_role_forget_store(&a->role, a->store, err);

	if (ret == 1)
		return err_set(err, ERR_NOTFOUND, "%s: %s knows no store of this name", a->store,
			a->o.identity != NULL ? a->role.dir : "this agent");
	if (ret < 0)
		return -1;
	printf("The next store that answers as %s will be accepted.\n", a->store);
	return UI_OK;
}

static struct agent agent;

static int run(void *own, struct err *err)
{
	struct agent *a = own;

	a->place.state = a->o.state != NULL ? a->o.state : UI_STATE_DIR;
	a->store = a->o.args[0];
	rpc_deny_init(&a->deny);
	if ((a->o.identity != NULL
			    ? ui_role_given(&a->role, a->o.config, a->o.identity, err)
			    : ui_role_set(&a->role, a->o.config, a->o.state, "agent", err)) != 0)
		return -1;
	return a->o.verb->run(a, err);
}

static const struct ui_verb verbs[] = {
	{"-", "", "the agent service", serve},
	{"accept", "STORE",
		"forget which store answered by this name until now: it was replaced on purpose",
		accept_store},
	{0},
};

static const struct ui_option options[] = {
	{.shared = "o",
		.help = "the identity that is to accept it, an operator's; default: this machine's "
			"agent",
		.verbs = "accept"},
	{.shared = "I", .help = "where agent.conf and recipients are; default: /etc/fdump"},
	{.shared = "S", .help = "the agent's own files are in DIR/agent; default: /var/lib/fdump"},
	{0},
};

const struct ui_command cmd_agent = {
	.name = "agent",
	.summary = "the agent service: backs up by the managers' plan",
	.about = "The agent service, in the foreground, as systemd runs it: asks the managers "
		 "for the plan, backs up by its schedules, reports every run. It goes on by the "
		 "last plan while no manager can be reached.",
	.verbs = verbs,
	.options = options,
	.exits = "0 ended on request; 2 failed; 3 the configuration is wrong, or this machine has "
		 "joined no fleet.",
	.own = &agent,
	.run = run,
};
