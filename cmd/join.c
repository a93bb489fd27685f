/* fdump join: this machine, or this person, joins a fleet by a token. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/manager/proto.h"
#include "cmd/store/engine.h"
#include "cmd/store/proto.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/role.h"
#include "cmd/ui/systemd.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/key.h"
#include "lib/pass.h"
#include "lib/pool.h"
#include "rpc/join.h"
#include "rpc/loop.h"

static const char help[] =
	"usage: fdump join [-] [--store DIR] [--listen ADDRESS] [--json]\n"
	"\n"
	"Joins a fleet: asks for a token, which 'fdump token' on a manager has made, and\n"
	"gets a certificate for the role and the name in it. The token is read from the\n"
	"terminal, without echo, or from standard input with '-'.\n"
	"\n"
	"An agent's service is started, if systemd runs it, and begins with a first\n"
	"backup. An operator is the user who calls it.\n"
	"\n"
	"      --store DIR       of a store: its directory, made if it is not there;\n"
	"                        default: /srv/fdump\n"
	"      --listen ADDRESS  of a store or a manager: HOST:PORT to listen on\n"
	"      --config DIR      where configuration is; default: /etc/fdump\n"
	"      --state DIR       the services' own files; default: /var/lib/fdump\n"
	"      --identity DIR    an operator's files; default: ~/.config/fdump\n"
	"      --json            one JSON object a line\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 done; 2 failed, or wrong usage; 3 it has joined before; 6 the token\n"
	"was refused.\n";

#define PUBLIC_MAX 256

struct join {
	struct ui_options o;
	const char *store, *listen;
	struct ui_role role;
	char int_key[PATH_MAX], int_cert[PATH_MAX];
	struct rpc_token token;
	struct rpc_loop *loop;
	struct rpc_async wake;
	struct pool *pool;
	struct err err;
	bool joined;
};

/* --- the token --------------------------------------------------------------- */

static int read_token(struct join *j, bool from_input, struct err *err)
{
	struct pass pass = {0};
	int ret;

	if (from_input || !isatty(STDIN_FILENO)) {
		pass.len = fread(pass.bytes, 1, sizeof pass.bytes, stdin);
		ret = ferror(stdin) ? err_errno(err, errno, "standard input") : 0;
	} else {
		ret = pass_ask_secret("token", &pass, err);
	}
	if (ret == 0)
		ret = rpc_token_parse(&j->token, pass.bytes, pass.len, err);
	pass_wipe(&pass);
	return ret;
}

/* --- what comes with the certificate ------------------------------------------- */

static int write_managers(
	const struct join *j, const struct rpc_enroll_result *result, struct err *err)
{
	struct buf text;
	size_t i;
	int ret = 0;

	buf_init(&text, 1u << 20);
	for (i = 0; i < result->manager_count && ret == 0; i++)
		if (result->managers[i].address_count > 0)
			ret = buf_addf(&text, err, "%s %s\n", result->managers[i].name,
				result->managers[i].addresses[0]);
	if (ret == 0)
		ret = file_write(j->role.managers, text.data, text.len, 0644, err);
	buf_fini(&text);
	return ret;
}

static int write_stores(
	const struct join *j, const struct rpc_enroll_result *result, struct err *err)
{
	char uid[2 * RPC_STORE_UID_LEN + 1], key[2 * RPC_STORE_KEY_LEN + 1];
	struct buf text;
	size_t i;
	int ret = 0;

	buf_init(&text, 1u << 20);
	for (i = 0; i < result->store_count && ret == 0; i++) {
		esc_hex(uid, result->stores[i].uid, RPC_STORE_UID_LEN);
		esc_hex(key, result->stores[i].key, RPC_STORE_KEY_LEN);
		ret = buf_addf(&text, err, "%s %s %s %s\n", result->stores[i].name,
			result->stores[i].address, uid, key);
	}
	if (ret == 0)
		ret = file_write(j->role.stores, text.data, text.len, 0644, err);
	buf_fini(&text);
	return ret;
}

/* A public key is kept under the beginning of its id. Prints the id. */
static int write_recipient(
	const struct join *j, const char *dir, const struct rpc_bytes *file, struct err *err)
{
	char path[PATH_MAX], id_text[KEY_ID_TEXT];
	uint8_t id[KEY_ID_LEN];
	struct key_file key;
	json_t *object;
	int failed;

	if (key_file_parse(&key, file->bytes, file->len, err) != 0)
		return err_prefix(err, "a public key from the manager");
	if (key.kind & KEY_SECRET)
		return err_set(err, ERR_FORMAT, "the manager sent a secret key");
	key_id(key.public, id);
	key_id_text(id, id_text);
	if ((size_t)snprintf(path, sizeof path, "%s/%.8s.pub", dir, id_text) >= sizeof path)
		return err_set(err, ERR_LIMIT, "%.64s...: the path is too long", dir);
	if (file_write(path, file->bytes, file->len, key.kind & KEY_SHARED ? 0600 : 0644, err) != 0)
		return -1;
	if (!j->o.json) {
		printf("Backups are sealed to the key %s\n", id_text);
		return 0;
	}
	object = ui_json_new("recipient", "join.recipient");
	failed = ui_json_add(object, "key", json_string(id_text));
	failed |= ui_json_name(object, "path", path, strlen(path));
	return ui_json_print(object, failed, err);
}

static int write_recipients(
	const struct join *j, const struct rpc_enroll_result *result, struct err *err)
{
	char dir[PATH_MAX + 16];
	struct ui_role at;
	size_t i;
	int ret;

	/* A manager hands them on; an agent seals to them. */
	if (j->token.role == RPC_MANAGER)
		snprintf(dir, sizeof dir, "%s/recipients", j->role.dir);
	else
		snprintf(dir, sizeof dir, "%s/recipients", j->role.config);
	ret = ui_role_at(&at, NULL, dir, err) == 0 ? ui_role_make(&at, err) : -1;
	if (ret == 0 && j->token.role != RPC_MANAGER)
		chmod(dir, 0755);
	for (i = 0; i < result->recipient_count && ret == 0; i++)
		ret = write_recipient(j, dir, &result->recipients[i], err);
	return ret;
}

static int on_take(void *arg, const struct rpc_enroll_result *result, struct err *err)
{
	struct join *j = arg;

	if (write_managers(j, result, err) != 0)
		return -1;
	if (j->token.role != RPC_MANAGER && write_stores(j, result, err) != 0)
		return -1;
	if (j->token.role == RPC_AGENT || j->token.role == RPC_MANAGER)
		return write_recipients(j, result, err);
	return 0;
}

/* --- joining ------------------------------------------------------------------- */

static void on_wake(void *arg)
{
	pool_drain(((struct join *)arg)->pool);
}

static void on_done(void *arg, const struct err *err)
{
	struct join *j = arg;

	j->joined = err == NULL;
	if (err != NULL)
		j->err = *err;
	rpc_loop_stop(j->loop);
}

static int enrol(struct join *j, struct err *err)
{
	struct rpc_join_opts opts = {.token = j->token,
		.paths = {j->role.key, j->role.cert, j->role.ca, j->int_key, j->int_cert},
		.arg = j,
		.take = on_take,
		.done = on_done};
	int ret = -1;

	j->loop = rpc_loop_new(err);
	if (j->loop == NULL)
		return -1;
	rpc_async_start(&j->wake, j->loop, on_wake, j);
	j->pool = pool_new(1, 16, rpc_async_send, &j->wake, err);
	opts.pool = j->pool;
	if (j->pool != NULL && rpc_join_start(j->loop, &opts, err) != NULL) {
		rpc_loop_run(j->loop);
		ret = j->joined ? 0 : -1;
		if (ret != 0)
			*err = j->err;
	}
	pool_free(j->pool);
	rpc_async_stop(&j->wake);
	rpc_loop_free(j->loop);
	return ret;
}

/* Which folder it is; that nothing is in it yet. */
static int find_role(struct join *j, struct err *err)
{
	char dir[PATH_MAX];
	int ret;

	if (j->token.role == RPC_OPERATOR) {
		if (j->o.identity == NULL && ui_role_operator_dir(dir, err) != 0)
			return -1;
		ret = ui_role_at(
			&j->role, j->o.config, j->o.identity != NULL ? j->o.identity : dir, err);
	} else {
		ret = ui_role_set(
			&j->role, j->o.config, j->o.state, rpc_role_name(j->token.role), err);
	}
	if (ret != 0)
		return -1;
	snprintf(j->int_key, sizeof j->int_key, "%.4000s/int.key", j->role.dir);
	snprintf(j->int_cert, sizeof j->int_cert, "%.4000s/int.pem", j->role.dir);
	if (access(j->role.cert, F_OK) == 0)
		return err_set(err, ERR_CONFIG,
			"%s: there already: this %s has joined a fleet; to join again, move the "
			"folder %s away",
			j->role.cert, j->token.role == RPC_OPERATOR ? "user" : "machine",
			j->role.dir);
	return ui_role_make(&j->role, err);
}

/* --- configuration ------------------------------------------------------------- */

/* A file of the configuration, unless there is one. */
static int write_conf(const struct join *j, const char *name, const char *text, struct err *err)
{
	char path[PATH_MAX + 64];
	struct ui_role at;

	if (ui_role_at(&at, NULL, j->role.config, err) != 0)
		return -1;
	if (access(j->role.config, F_OK) != 0 &&
		(ui_role_make(&at, err) != 0 || chmod(j->role.config, 0755) != 0))
		return -1;
	snprintf(path, sizeof path, "%s/%s", j->role.config, name);
	if (access(path, F_OK) == 0)
		return 0;
	return file_write_new(path, text, strlen(text), 0644, err);
}

static int configure(struct join *j, struct err *err)
{
	const char *dir = j->store != NULL ? j->store : "/srv/fdump";
	char text[PATH_MAX + 512], full[PATH_MAX];

	if (j->token.role == RPC_AGENT)
		return write_conf(j, "agent.conf",
			"# What this machine allows, whatever managers say: see "
			"fdump-agent(1).\n",
			err);
	if (j->token.role == RPC_MANAGER) {
		if (j->listen == NULL)
			return 0;
		snprintf(text, sizeof text, "manager {\n  listen = \"%s\"\n}\n", j->listen);
		return write_conf(j, "local.conf", text, err);
	}
	if (j->token.role != RPC_STORE)
		return 0;
	if (engine_make(dir, 64u << 20, err) != 0 && err->code != ERR_EXISTS)
		return -1;
	*err = (struct err){0};
	if (realpath(dir, full) == NULL)
		return err_errno(err, errno, "%s", dir);
	snprintf(text, sizeof text, "store {\n  path = \"%s\"\n  listen = \"%s\"\n}\n", full,
		j->listen != NULL ? j->listen : "[::]:" STORE_PORT);
	return write_conf(j, "store.conf", text, err);
}

/* --- what comes next ----------------------------------------------------------- */

static int tell(struct join *j, struct err *err)
{
	const char *role = rpc_role_name(j->token.role);
	bool usual = j->o.config == NULL && j->o.state == NULL;
	char unit[64];
	json_t *object;
	int started = 1, failed;

	snprintf(unit, sizeof unit, "fdump-%s.service", role);
	if (usual && j->token.role != RPC_OPERATOR)
		started = ui_systemd_start(unit);
	if (j->o.json) {
		object = ui_json_new("result", "join.result");
		failed = ui_json_add(object, "role", json_string(role));
		failed |= ui_json_add(object, "name", json_string(j->token.name));
		failed |= ui_json_add(object, "manager", json_string(j->token.manager));
		failed |= ui_json_add(object, "started", json_boolean(started == 0));
		return ui_json_print(object, failed, err);
	}
	printf("Joined as the %s %s, by the manager %s.\n", role, j->token.name, j->token.manager);
	if (j->token.role == RPC_OPERATOR)
		printf("Next: fdump status\n");
	else if (started == 0)
		printf("%s is running%s.\n", unit,
			j->token.role == RPC_AGENT ? ", and begins with a first backup: 'fdump "
						     "status' on the manager shows it"
						   : "");
	else
		printf("Next, start its service: fdump %s%s%s%s%s\n", role,
			j->o.config != NULL ? " --config " : "",
			j->o.config != NULL ? j->o.config : "",
			j->o.state != NULL ? " --state " : "",
			j->o.state != NULL ? j->o.state : "");
	return 0;
}

enum { OPT_STORE = UI_OPTIONS_OWN, OPT_LISTEN };

static const struct option own[] = {
	{"store", required_argument, NULL, OPT_STORE},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{0},
};

static int take(void *ctx, int c)
{
	struct join *j = ctx;

	if (c == OPT_STORE)
		j->store = optarg;
	else
		j->listen = optarg;
	return -1;
}

static int run(struct join *j, bool from_input, struct err *err)
{
	if (hash_crypto_init(err) != 0 || read_token(j, from_input, err) != 0 ||
		find_role(j, err) != 0 || enrol(j, err) != 0 || configure(j, err) != 0 ||
		(j->token.role != RPC_OPERATOR && ui_role_give(&j->role, err) != 0))
		return -1;
	return tell(j, err);
}

int cmd_join(int argc, char **argv)
{
	static struct join j = {
		.o = {.command = "join", .help = help, .shared = "jiS", .own = own, .take = take}};
	struct err err = {0};
	int status;

	j.o.ctx = &j;
	status = ui_options_parse(&j.o, argc, argv);
	if (status >= 0)
		return status;
	if (argc - optind > 1 || (argc > optind && strcmp(argv[optind], "-") != 0))
		return ui_usage("join",
			"a token is never an argument: it is asked for, or read from standard "
			"input with '-'");
	status = run(&j, argc > optind, &err) == 0 ? UI_OK : ui_fail("join", &err);
	explicit_bzero(&j.token, sizeof j.token);
	ui_options_fini(&j.o);
	return status;
}
