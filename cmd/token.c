/*
 * fdump token: lets a machine or a person join the fleet once. The manager makes the tokens of
 * agents and stores; those of managers and operators are made here, with the root's key, and this
 * command waits until they are used.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/ui/fleet.h"
#include "cmd/ui/result.h"
#include "cmd/ui/keys.h"
#include "cmd/ui/loop.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "rpc/dial.h"
#include "rpc/sponsor.h"
#include "rpc/wire.h"

#define SHOW_MS 100 /* from the request to sponsor a token until it is shown */

struct token {
	struct ui_options o;
	struct ui_fleet fleet;
	const char *keys, *name;
	enum rpc_role role;
	bool replace;
	int64_t valid_sec;
	unsigned untold; /* managers that don't know that the machine is replaced */
	/* While waiting until the token is used. */
	struct ui_loop loop;
	struct rpc_ca *root;
	struct rpc_token token;
	char host[RPC_HOST_LEN + 1];
	struct rpc_sponsor *sponsor;
	struct rpc_timer shown;
	struct err err;
	bool done;
};

/* --- asking the manager -------------------------------------------------------- */

/* Asks the manager for a token. hash: that of a token that is made here; NULL: the manager makes
 * it. */
static int ask(struct token *t, const uint8_t *hash, struct manager_msg_made *made, struct err *err)
{
	struct buf reply;
	int ret;
	const struct ui_field params[] = {UI_STRING("role", rpc_role_name(t->role)),
		UI_STRING("name", t->name), UI_BOOL("replace", t->replace),
		UI_INT_IF(t->valid_sec > 0, "valid", t->valid_sec),
		UI_HEX("hash", hash, RPC_DIGEST_LEN),
		UI_STRING("host", hash != NULL ? t->host : NULL), {0}};

	*made = (struct manager_msg_made){.token = ""};
	buf_init(&reply, RPC_PAYLOAD_MAX);
	ret = ui_fleet_call(&t->fleet, MANAGER_METHOD_TOKEN, params, &reply, NULL, err);
	if (ret == 0)
		ret = cbormap_read(made, manager_made_fields, reply.data, reply.len, err);
	buf_fini(&reply);
	return ret;
}

static int print(const struct token *t, const char *text, struct err *err)
{
	int64_t until = time(NULL) + (t->valid_sec > 0 ? t->valid_sec : RPC_TOKEN_SEC);
	char when[UI_FLEET_TIME];

	if (ui_result("token", "token.token",
		    (struct ui_field[]){UI_STRING("token", text),
			    UI_STRING("role", rpc_role_name(t->role)), UI_STRING("name", t->name),
			    UI_INT("until", until), {0}},
		    err, "%s\n", text) != 0)
		return -1;
	if (!t->o.json)
		ui_say(NULL, "paste it into 'fdump join' on %s%s; it can be used once, until %s",
			t->role == RPC_OPERATOR ? "the machine of " : "", t->name,
			ui_fleet_time(when, until));
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

/* --- telling the other managers -------------------------------------------------- */

/* Tells one manager to let a new machine take over the name. */
static int tell(struct token *t, size_t manager, struct err *err)
{
	struct ui_fleet one = t->fleet;
	int ret;

	one.client = NULL;
	if (ui_fleet_only(&one, manager, "it", err) != 0)
		return -1;
	ret = ui_fleet_call(&one, MANAGER_METHOD_REPLACE,
		(struct ui_field[]){UI_STRING("role", rpc_role_name(t->role)),
			UI_STRING("name", t->name),
			UI_INT_IF(t->valid_sec > 0, "valid", t->valid_sec), {0}},
		NULL, NULL, err);
	ui_fleet_close(&one);
	return ret;
}

/* Tells the managers that did not make the token, because each would refuse the new machine. */
static int tell_others(struct token *t, struct err *err)
{
	size_t i;

	for (i = 0; i < t->fleet.count; i++) {
		const char *manager = t->fleet.managers[i].name;
		struct err why = {0};
		bool told;

		if (i == t->fleet.at)
			continue;
		told = tell(t, i, &why) == 0;
		t->untold += !told;
		if (!told && !t->o.json)
			ui_say("token", "the manager %s goes on refusing the new %s: %s", manager,
				t->name, why.message);
		if (ui_result("manager", "token.manager",
			    (struct ui_field[]){UI_STRING("manager", manager),
				    UI_BOOL("told", told),
				    UI_STRING("what", told ? NULL : why.message), {0}},
			    err, NULL) != 0)
			return -1;
	}
	if (t->untold > 0 && !t->o.json)
		ui_say("token",
			"once %s can be asked, call 'fdump token %s %s --replace' again; its token "
			"is not needed if %s has joined by then",
			t->untold > 1 ? "they" : "it", rpc_role_name(t->role), t->name, t->name);
	return 0;
}

static int by_manager(struct token *t, struct err *err)
{
	struct manager_msg_made made;
	int ret = ask(t, NULL, &made, err);

	if (ret == 0 && made.token[0] == 0)
		ret = err_set(err, ERR_FORMAT, "the manager sent no token");
	if (ret == 0 && t->replace)
		ret = tell_others(t, err);
	if (ret == 0)
		ret = print(t, made.token, err);
	explicit_bzero(&made, sizeof made);
	return ret;
}

/* --- with the root's key ------------------------------------------------------- */

static void on_sponsored(void *arg, const struct err *err)
{
	struct token *t = arg;

	t->sponsor = NULL;
	t->done = true;
	if (err != NULL)
		t->err = *err;
	rpc_loop_stop(t->loop.loop);
}

/* Shows the token. The manager must know by now that this command waits: the token may be used at
 * once. */
static void show_token(void *arg)
{
	struct token *t = arg;
	char text[RPC_TOKEN_MAX];
	int ret = rpc_token_text(text, &t->token, &t->err);

	if (ret == 0)
		ret = print(t, text, &t->err);
	explicit_bzero(text, sizeof text);
	if (ret != 0)
		rpc_loop_stop(t->loop.loop);
	else if (!t->o.json)
		ui_say(NULL, "waiting until it was used ...");
}

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct token *t = arg;

	if (t->done)
		return;
	t->sponsor = rpc_sponsor_start(conn, t->root, &t->token, t->host, on_sponsored, t, &t->err);
	if (t->sponsor == NULL)
		rpc_loop_stop(t->loop.loop);
	else
		rpc_timer_start(&t->shown, t->loop.loop, SHOW_MS, show_token, t);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct token *t = arg;

	(void)wait_ms;
	if (t->done)
		return;
	t->err = *why;
	rpc_loop_stop(t->loop.loop);
}

/* Waits for the machine that joins, and signs its certificate. */
static int sponsor(struct token *t, struct err *err)
{
	const struct rpc_tls_opts tls = ui_role_tls(&t->fleet.role, NULL);
	const struct manager_peer *manager = &t->fleet.managers[t->fleet.at];
	struct store_address address;
	struct rpc_dial_opts opts = {.expect = {RPC_MANAGER, manager->name},
		.host = address.host,
		.port = address.port,
		.once = true,
		.arg = t,
		.up = on_up,
		.down = on_down};
	struct rpc_dial *dial = NULL;
	int ret = -1;

	if (ui_address(&address, manager->address, MANAGER_PORT, err) != 0)
		return -1;
	opts.conf = rpc_tls_conf_new(&tls, err);
	if (opts.conf == NULL || ui_loop_start(&t->loop, 1, 16, err) != 0)
		goto out;
	opts.pool = t->loop.pool;
	dial = rpc_dial_new(t->loop.loop, &opts, err);
	if (dial == NULL)
		goto out;
	rpc_loop_run(t->loop.loop);
	ret = t->done && t->err.code == ERR_NONE ? 0 : -1;
	if (ret != 0)
		*err = t->err;
out:
	rpc_timer_stop(&t->shown);
	if (t->sponsor != NULL)
		rpc_sponsor_cancel(t->sponsor);
	rpc_dial_free(dial);
	ui_loop_stop(&t->loop);
	rpc_tls_conf_unref(opts.conf);
	return ret;
}

/* Makes a token that only this process and its recipient know. */
static int prepare(struct token *t, struct ui_keys *keys, struct err *err)
{
	uint8_t ticket[RPC_DIGEST_LEN], hash[RPC_DIGEST_LEN];
	struct manager_msg_made made;

	t->token = (struct rpc_token){.role = t->role, .address_count = 1};
	strcpy(t->token.name, t->name);
	memcpy(t->token.fingerprint, keys->fingerprint, RPC_DIGEST_LEN);
	memcpy(t->token.recipients, keys->recipients, RPC_DIGEST_LEN);
	if (rpc_host_new(t->host, err) != 0 || rpc_token_secret(&t->token, err) != 0 ||
		rpc_token_ticket(ticket, &t->token, err) != 0)
		return -1;
	rpc_ticket_hash(hash, ticket);
	if (ask(t, hash, &made, err) != 0)
		return -1;
	strcpy(t->token.manager, made.manager);
	snprintf(t->token.addresses[0], sizeof t->token.addresses[0], "%s", made.address);
	return 0;
}

/* Checks that the keys are those of the manager's fleet; nobody there would trust a certificate by
 * other keys. */
static int check_fleet(const struct token *t, const struct ui_keys *keys, struct err *err)
{
	uint8_t own[RPC_DIGEST_LEN];
	struct buf der;
	int ret;

	buf_init(&der, RPC_CA_DER_MAX);
	ret = rpc_ca_der(t->fleet.role.ca, &der, own, err);
	buf_fini(&der);
	if (ret != 0 || memcmp(own, keys->fingerprint, sizeof own) == 0)
		return ret;
	return err_set(err, ERR_DENIED,
		"%s: the keys of another fleet than that of the manager %s (asked as the identity "
		"in %s)",
		t->keys, t->fleet.managers[0].name, t->fleet.role.dir);
}

static int by_root(struct token *t, struct err *err)
{
	struct ui_keys keys;
	int ret = -1;

	if (ui_keys_open(&keys, t->keys, t->o.unseal.passphrase_file, err) != 0)
		return -1;
	t->root = keys.root;
	if (check_fleet(t, &keys, err) == 0 && prepare(t, &keys, err) == 0)
		ret = sponsor(t, err);
	if (ret == 0 && !t->o.json)
		ui_say(NULL, "the %s %s has joined", rpc_role_name(t->role), t->name);
	explicit_bzero(&t->token, sizeof t->token);
	ui_keys_close(&keys);
	return ret;
}

/* --- options ------------------------------------------------------------------- */

static struct token token;

static int run(void *own, struct err *err)
{
	struct token *t = own;
	bool by_keys;
	int ret;

	t->role = rpc_role_get(t->o.verb->name, strlen(t->o.verb->name));
	t->name = t->o.args[0];
	if (name_check("NAME", t->name, err) != 0)
		return ui_usage("%s", err->message);
	by_keys = t->role == RPC_MANAGER || t->role == RPC_OPERATOR;
	if (by_keys && t->keys == NULL)
		return ui_usage(
			"the fleet's root key signs this role (%s): give the folder that 'fdump "
			"setup' made (--keys DIR)",
			rpc_role_name(t->role));
	if (by_keys && t->valid_sec > RPC_TOKEN_SEC)
		return ui_usage("--valid: at most 1h for this role (%s), because this command "
				"waits until the token "
				"is used",
			rpc_role_name(t->role));
	/* Managers that don't make the token would still accept the old operator. */
	if (t->role == RPC_OPERATOR && t->replace)
		return ui_usage(
			"an operator has no --replace: 'fdump revoke operator %s' first, which "
			"reaches "
			"all managers; the name is free then",
			t->name);
	ret = ui_fleet_open(&t->fleet, &t->o, err);
	if (ret == 0)
		ret = by_keys ? by_root(t, err) : by_manager(t, err);
	ui_fleet_close(&t->fleet);
	return ret == 0 && t->untold > 0 ? UI_SOME : ret;
}

static const struct ui_verb roles[] = {{"agent", "NAME", NULL, NULL}, {"store", "NAME", NULL, NULL},
	{"manager", "--keys DIR NAME", NULL, NULL}, {"operator", "--keys DIR NAME", NULL, NULL},
	{0}};

static const struct ui_option options[] = {
	{0, "replace", UI_FLAG,
		"NAME has joined before: the new machine takes its place on all managers, and "
		"the old one is denied",
		UI_AT(struct token, replace)},
	{0, "valid", UI_TIME,
		"how long it can be used, like 30m or 2h, at most 7d (a manager's or operator's: "
		"1h); default: 1h",
		UI_AT(struct token, valid_sec), .min = 1, .max = MANAGER_TOKEN_SEC_MAX},
	{0, "keys", UI_DIR, "the folder with the fleet's keys", UI_AT(struct token, keys),
		.verbs = "manager operator"},
	{.shared = "p", .help = "read the root key's passphrase from the first line of FILE"},
	{.shared = "oISj"},
	{0},
};

const struct ui_command cmd_token = {
	.name = "token",
	.summary = "let a machine or a person join the fleet",
	.about = "Prints a token, by which one machine (an agent, a store, a manager) or one "
		 "person (an operator) joins the fleet: 'fdump join' there asks for it. It can "
		 "be used once, within an hour.\n"
		 "\n"
		 "Managers and operators are signed by the fleet's root key, which 'fdump setup' "
		 "has put into a folder: --keys names it. The command then waits until the token "
		 "was used.",
	.verbs = roles,
	.options = options,
	.hint = "for example: fdump token agent web1",
	.exits = "0 done; 1 the token is made, but not all managers know of --replace; 2 failed, "
		 "or wrong usage; 6 not allowed, or wrong passphrase.",
	.own = &token,
	.run = run,
};
