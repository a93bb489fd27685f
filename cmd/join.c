/* fdump join: makes this machine or this user a member of a fleet, with a token. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/manager/proto.h"
#include "cmd/store/proto.h"
#include "cmd/ui/install.h"
#include "cmd/ui/loop.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "cmd/ui/role.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/key.h"
#include "lib/pass.h"
#include "rpc/join.h"

#define POLL_MS  200
#define START_MS 60000 /* wait no longer for the first backup to begin */

struct join {
	struct ui_options o;
	const char *store, *listen;
	bool wait;
	int status; /* exit status for the first backup */
	struct ui_role role;
	char int_key[PATH_MAX], int_cert[PATH_MAX];
	char store_path[PATH_MAX];
	bool made_store; /* it was not there before */
	struct rpc_token token;
	struct ui_loop loop;
	struct err err;
	bool joined;
};

/* --- the token --------------------------------------------------------------- */

static int read_token(struct join *j, bool from_input, struct err *err)
{
	struct pass pass = {0};
	struct err why = {0};
	int ret;

	if (from_input || !isatty(STDIN_FILENO)) {
		pass.len = fread(pass.bytes, 1, sizeof pass.bytes, stdin);
		ret = ferror(stdin) ? err_errno(err, errno, "standard input") : 0;
	} else {
		ret = pass_ask_secret("token", &pass, err);
	}
	if (ret == 0 && pass.len == 0)
		ret = err_set(err, ERR_USAGE, "standard input is empty: it should have the token");
	if (ret == 0 && rpc_token_parse(&j->token, pass.bytes, pass.len, &why) != 0)
		ret = err_set(err, ERR_USAGE,
			"%s, the line fdump-token:... that 'fdump token' printed", why.message);
	pass_wipe(&pass);
	return ret;
}

/* --- what comes with the certificate ------------------------------------------- */

/* Saves a public key in a file named by the first digits of its id. Prints the id. */
static int write_recipient(const char *dir, const struct cbormap_blob *file, struct err *err)
{
	char path[PATH_MAX], id_text[KEY_ID_TEXT], name[16];
	uint8_t id[KEY_ID_LEN];
	struct key_file key;

	if (key_file_parse(&key, file->bytes, file->len, err) != 0)
		return err_prefix(err, "a public key from the manager");
	if (key.kind & KEY_SECRET)
		return err_set(err, ERR_FORMAT, "the manager sent a secret key");
	key_id(key.public, id);
	key_id_text(id, id_text);
	snprintf(name, sizeof name, "%.8s.pub", id_text);
	if (ui_path(path, dir, name, err) != 0 ||
		file_write(path, file->bytes, file->len, key.kind & KEY_SHARED ? 0600 : 0644,
			err) != 0)
		return -1;
	return ui_result("recipient", "join.recipient",
		(struct ui_field[]){UI_STRING("key", id_text), UI_STRING("path", path), {0}}, err,
		"Backups are sealed to the key %s\n", id_text);
}

/* Saves what comes with the certificate: managers and stores, and the keys to seal to. */
static int on_take(void *arg, const struct rpc_enroll_result *result, struct err *err)
{
	struct join *j = arg;
	const bool manager = j->token.role == RPC_MANAGER;
	char uid[2 * RPC_STORE_UID_LEN + 1], key[2 * RPC_STORE_KEY_LEN + 1], dir[PATH_MAX + 16];
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
	buf_clear(&text);
	for (i = 0; i < result->store_count && ret == 0 && !manager; i++) {
		esc_hex(uid, result->stores[i].uid, RPC_STORE_UID_LEN);
		esc_hex(key, result->stores[i].key, RPC_STORE_KEY_LEN);
		ret = buf_addf(&text, err, "%s %s %s %s\n", result->stores[i].name,
			result->stores[i].address, uid, key);
	}
	if (ret == 0 && !manager)
		ret = file_write(j->role.stores, text.data, text.len, 0644, err);
	buf_fini(&text);
	if (ret != 0 || (!manager && j->token.role != RPC_AGENT))
		return ret;
	/* A manager distributes these keys; an agent seals to them. */
	snprintf(dir, sizeof dir, "%s/recipients", manager ? j->role.dir : j->role.config);
	ret = ui_install_folder(dir, err);
	if (ret == 0 && !manager)
		chmod(dir, 0755);
	for (i = 0; i < result->recipient_count && ret == 0; i++)
		ret = write_recipient(dir, &result->recipients[i], err);
	return ret;
}

/* --- joining ------------------------------------------------------------------- */

static void on_done(void *arg, const struct err *err)
{
	struct join *j = arg;

	j->joined = err == NULL;
	if (err != NULL)
		j->err = *err;
	rpc_loop_stop(j->loop.loop);
}

static int enrol(struct join *j, struct err *err)
{
	struct rpc_join_opts opts = {.token = j->token,
		.paths = {j->role.key, j->role.cert, j->role.ca, j->int_key, j->int_cert},
		.arg = j,
		.take = on_take,
		.done = on_done};
	int ret = ui_loop_start(&j->loop, 1, 16, err);

	opts.pool = j->loop.pool;
	if (ret == 0 && rpc_join_start(j->loop.loop, &opts, err) == NULL)
		ret = -1;
	if (ret == 0) {
		rpc_loop_run(j->loop.loop);
		if (!j->joined) {
			*err = j->err;
			ret = -1;
		}
	}
	ui_loop_stop(&j->loop);
	return ret;
}

/* Finds the role's folder, and checks that it has no certificate yet. */
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
	return 0;
}

/* Checks for anything that would make joining fail, before the token is used up. */
static int look(struct join *j, struct err *err)
{
	bool manager = j->token.role == RPC_MANAGER, store = j->token.role == RPC_STORE;
	struct store_address at;
	unsigned port, last, i;

	if ((j->store != NULL && !store) || (j->listen != NULL && !store && !manager))
		return err_set(err, ERR_USAGE, "%s: not for the role of the token, %s",
			j->store != NULL ? "--store" : "--listen", rpc_role_name(j->token.role));
	if (j->store == NULL)
		j->store = "/srv/fdump";
	if (ui_install_can_write(j->role.dir, err) != 0 ||
		ui_install_can_write(j->role.config, err) != 0 ||
		(store && ui_install_can_write(j->store, err) != 0))
		return -1;
	if (j->listen == NULL || (!manager && !store))
		return 0;
	if (ui_address(&at, j->listen, manager ? MANAGER_PORT : STORE_PORT, err) != 0)
		return err_prefix(err, "--listen");
	port = (unsigned)strtoul(at.port, NULL, 10);
	last = manager ? 2 : 0; /* enrolment listens on the port after the next */
	if (port < 1 || port > 65535 - last)
		return err_set(
			err, ERR_USAGE, "--listen: expected a port from 1 to %u", 65535 - last);
	for (i = 0; i <= last; i += 2)
		if (ui_install_can_listen(at.host, port + i, "--listen", err) != 0)
			return -1;
	return 0;
}

/* Notes what will be made while the token may still turn out to be invalid, so that it can be
 * undone. */
static int note(const struct join *j, struct err *err)
{
	char path[PATH_MAX];

	if (ui_path(path, j->role.config, "recipients", err) != 0)
		return -1;
	ui_install_note(j->role.dir);
	ui_install_note(path);
	if (j->token.role == RPC_STORE)
		ui_install_note(j->store);
	return 0;
}

/* --- configuration ------------------------------------------------------------- */

/* Writes a manager's local.conf, as setup does. */
static int write_local(const struct join *j, struct err *err)
{
	struct store_address at;
	bool any;

	if (ui_address(&at, j->listen, MANAGER_PORT, err) != 0)
		return -1;
	any = strcmp(at.host, "::") == 0 || strcmp(at.host, "0.0.0.0") == 0;
	return ui_install_local_conf(j->role.config, &at, any ? NULL : at.host, err);
}

/* Writes the role's configuration; a file that exists stays as it is. Returns 0 or 1, or -1 with
 * err set. */
static int configure(struct join *j, struct err *err)
{
	char dir[PATH_MAX + 16];
	struct ui_role operator;
	struct rpc_ca *ca;
	int ret = -1;

	switch (j->token.role) {
	case RPC_AGENT:
		return ui_install_conf(j->role.config, "agent.conf",
			"# What this machine allows, whatever managers say: see fdump-agent(1).\n",
			err);
	case RPC_STORE:
		return ui_install_store_conf(j->role.config, j->store_path,
			j->listen != NULL ? j->listen : "[::]:" STORE_PORT, err);
	case RPC_MANAGER:
		/* The local operator's certificate, for root on this machine, signed by the
		 * manager's own intermediate. */
		snprintf(dir, sizeof dir, "%s/operator", j->role.dir);
		ca = rpc_ca_open(j->int_key, j->int_cert, NULL, NULL, err);
		if (ca != NULL && ui_role_at(&operator, NULL, dir, err) == 0)
			ret = ui_install_identity(
				&operator, RPC_OPERATOR, j->token.name, NULL, ca, j->role.ca, err);
		rpc_ca_close(ca);
		return ret == 0 && j->listen != NULL ? write_local(j, err) : ret;
	default:
		return 0;
	}
}

/* --- the first backup ------------------------------------------------------------- */

/* Reads the agent's journal: sets *started if a run has started. Returns whether a run has ended,
 * and the first such in *ended. */
static bool read_journal(const char *path, bool *started, struct manager_record *ended)
{
	const uint8_t *at, *payload;
	struct manager_record record;
	size_t left, skipped, n;
	struct buf frames;
	bool found = false;

	buf_init(&frames, 1u << 20);
	(void)file_read_buf(path, &frames, NULL, NULL);
	at = frames.data;
	left = frames.len;
	while (!found && manager_frame_find(at, left, &skipped, &payload, &n)) {
		left -= (size_t)(payload + n - at);
		at = payload + n;
		if (manager_record_decode(&record, payload, n, NULL) != 0)
			continue;
		*started |= record.kind == MANAGER_STARTING;
		found = record.kind == MANAGER_ENDED;
		*ended = record;
	}
	buf_fini(&frames);
	return found;
}

static int show_first(struct join *j, const struct manager_record *ended, struct err *err)
{
	bool kept = manager_result_kept(ended->result);
	char text[ESC_MAX(MANAGER_NOTE_MAX)];
	const char *colon;

	esc_line(text, sizeof text, ended->text, strlen(ended->text));
	colon = text[0] != 0 ? ": " : "";
	j->status = ended->result == MANAGER_OK        ? UI_OK
		    : ended->result == MANAGER_PARTIAL ? UI_SOME
		    : ended->result == MANAGER_COPIES  ? UI_COPIES
						       : UI_FAILED;
	if (!kept && !j->o.json) {
		ui_say("join",
			"the first backup (%s) has failed%s%s; it is tried again, see "
			"'journalctl -u fdump-agent'",
			ended->job, colon, text);
		return 0;
	}
	return ui_result("run", "join.run",
		(struct ui_field[]){UI_STRING("job", ended->job),
			UI_STRING("result", manager_result_name(ended->result)),
			UI_STRING("what", text), {0}},
		err, "The first backup (%s) is kept%s%s.\n", ended->job, colon, text);
}

/* Waits for the first backup, by polling the agent's journal. An agent without a job has none. */
static int wait_first(struct join *j, struct err *err)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	struct manager_record ended;
	char path[PATH_MAX + 16];
	bool started = false;
	unsigned polls;

	snprintf(path, sizeof path, "%s/journal", j->role.dir);
	if (!j->o.json)
		printf("Waiting for the first backup (Ctrl-C ends only the waiting) ...\n");
	fflush(stdout);
	for (polls = 0; !read_journal(path, &started, &ended); polls++) {
		if (!started && polls > START_MS / POLL_MS) {
			ui_say("join", "no backup has begun yet: is there a job for this agent in "
				       "the manager's manager.conf?");
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return show_first(j, &ended, err);
}

/* --- what comes next ----------------------------------------------------------- */

static int tell(struct join *j, struct err *err)
{
	const enum rpc_role kind = j->token.role;
	const char *role = rpc_role_name(kind);
	bool usual = j->o.config == NULL && j->o.state == NULL;
	char unit[64];
	int started = 1;

	snprintf(unit, sizeof unit, "fdump-%s.service", role);
	if (usual && kind != RPC_OPERATOR && kind != RPC_MANAGER)
		started = ui_install_start(unit);
	j->wait = kind == RPC_AGENT && (j->wait || started == 0);
	if (ui_result("result", "join.result",
		    (struct ui_field[]){UI_STRING("role", role), UI_STRING("name", j->token.name),
			    UI_STRING("manager", j->token.manager),
			    UI_BOOL("started", started == 0), {0}},
		    err, "Joined as the %s %s, by the manager %s.\n", role, j->token.name,
		    j->token.manager) != 0)
		return -1;
	if (j->o.json)
		return 0;
	if (kind == RPC_OPERATOR)
		printf("Next: fdump status\n");
	else if (kind == RPC_MANAGER)
		printf("Next: copy manager.conf and conf.d from %s to %s: they are the same on "
		       "every\n"
		       "manager; name both there (manager \"%s\" { address = ... }); then\n"
		       "'systemctl enable --now fdump-manager' here, and reload it on %s.\n",
			j->token.manager, j->role.config, j->token.name, j->token.manager);
	else if (started == 0)
		printf("%s is running.\n", unit);
	else
		printf("Next, start its service: fdump %s%s%s%s%s\n", role,
			j->o.config != NULL ? " --config " : "",
			j->o.config != NULL ? j->o.config : "",
			j->o.state != NULL ? " --state " : "",
			j->o.state != NULL ? j->o.state : "");
	if (kind == RPC_STORE)
		printf("Then name it in manager.conf on the managers, under 'stores': backups go "
		       "to the\n"
		       "stores that are named there.\n");
	return 0;
}

/* Completes the role. The token is used up, so whatever fails now can't be repeated with it. */
static int finish(struct join *j, struct err *err)
{
	const char *role = rpc_role_name(j->token.role);

	if (configure(j, err) >= 0 &&
		(j->token.role == RPC_OPERATOR ||
			ui_install_give(&j->role, j->role.dir, err) == 0) &&
		(!j->made_store || ui_install_give(&j->role, j->store_path, err) == 0))
		return 0;
	return err_prefix(err,
		"the token is used, but this %s is not complete (to join again, move %s away, and "
		"make a token with 'fdump token %s %s --replace')",
		role, j->role.dir, role, j->token.name);
}

static struct join join;

static int run(void *own, struct err *err)
{
	struct join *j = own;
	const char *word = j->o.args[0];
	int made = 1, ret = -1;

	if (word != NULL && strcmp(word, "-") != 0)
		return ui_usage("a token can't be an argument: 'fdump join' asks for it, "
				"or reads it from standard input with '-'");
	if (read_token(j, word != NULL, err) != 0 || find_role(j, err) != 0 || look(j, err) != 0 ||
		note(j, err) != 0)
		goto out;
	/* Before the token is used up. */
	ret = ui_install_folder(j->role.dir, err);
	if (ret == 0 && j->token.role == RPC_STORE) {
		ret = ui_install_parents(j->store, err);
		made = ret == 0 ? cmd_setup_store(j->store, j->store_path, err) : -1;
	}
	j->made_store = made == 0;
	if (ret == 0 && made >= 0)
		ret = enrol(j, err);
	if (ret != 0 || made < 0) {
		ui_install_undo();
		ret = -1;
		goto out;
	}
	ret = finish(j, err) == 0 ? tell(j, err) : -1;
	if (ret == 0 && j->wait)
		ret = wait_first(j, err);
out:
	explicit_bzero(&j->token, sizeof j->token);
	return ret == 0 ? j->status : -1;
}

static const struct ui_option options[] = {
	{0, "store", UI_DIR,
		"for a store: its directory, made if it does not exist; default: /srv/fdump",
		UI_AT(struct join, store)},
	{0, "wait", UI_FLAG,
		"for an agent: wait for the first backup even if its service is not started by "
		"systemd",
		UI_AT(struct join, wait)},
	{0, "listen", UI_TEXT, "for a store or a manager: HOST:PORT to listen on",
		UI_AT(struct join, listen), .value = "ADDRESS"},
	{.shared = "oISj"},
	{0},
};

const struct ui_command cmd_join = {
	.name = "join",
	.summary = "join a fleet by a token",
	.usage = "[-] [--store DIR] [--listen ADDRESS] [--wait] [--json]",
	.about = "Joins a fleet: asks for a token, which 'fdump token' on a manager has made, and "
		 "gets a certificate for the role and the name in it. The token is read from the "
		 "terminal, without echo, or from standard input with '-'.\n"
		 "\n"
		 "An agent's service is started, if systemd runs it, and begins with a first "
		 "backup, which is waited for. An operator is the user who calls it.",
	.options = options,
	.arguments = "[-]",
	.exits = "0 done; 2 failed, or wrong usage; 3 it has joined before; 6 the token was "
		 "refused. After the first backup of an agent: as fdump-backup(1).",
	.own = &join,
	.run = run,
};
