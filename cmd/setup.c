/*
 * fdump setup: makes this machine the first of a fleet: a manager, a store, the fleet's keys, and a
 * configuration with one job.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/manager/proto.h"
#include "cmd/store/engine.h"
#include "cmd/ui/install.h"
#include "cmd/ui/keys.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "cmd/ui/role.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/key.h"
#include "lib/pass.h"
#include "lib/tz.h"
#include "rpc/token.h"

#define ADDRESS_MAX 300

struct setup {
	struct ui_options o;
	const char *name, *listen, *address, *store, *keys, *to;
	/* Derived from the options and the machine. */
	char own_name[NAME_LEN_MAX + 1], host[256], store_path[PATH_MAX], keys_path[PATH_MAX],
		root_cert[PATH_MAX + 16];
	struct store_address at; /* where the manager listens */
	unsigned port;
	struct ui_role manager, store_role, operator;
	bool has_keys; /* the fleet exists, and its manager is lost */
	struct rpc_ca *ca;
};

int cmd_setup_store(const char *dir, char *path, struct err *err)
{
	const struct engine_wait wait = {.sec = 0};
	struct engine *engine;
	int made = engine_make(dir, 64u << 20, err);

	if (made != 0 && (err == NULL || err->code != ERR_EXISTS))
		return -1;
	if (made != 0) {
		engine = engine_open(dir, ENGINE_READ, &wait, err);
		if (engine == NULL)
			return -1;
		engine_close(engine);
		*err = (struct err){0};
	}
	if (realpath(dir, path) == NULL)
		return err_errno(err, errno, "%s", dir);
	return made != 0;
}

/* --- names and addresses -------------------------------------------------------- */

static int find_names(struct setup *s, struct err *err)
{
	char host[256] = "";

	if (gethostname(host, sizeof host - 1) != 0)
		return err_errno(err, errno, "this machine's name");
	if (s->name == NULL) {
		if (name_from_host(s->own_name, host, err) != 0)
			return err_prefix(err, "give a --name");
		s->name = s->own_name;
	}
	if (s->listen == NULL)
		s->listen = "[::]:" MANAGER_PORT;
	if (ui_address(&s->at, s->listen, MANAGER_PORT, err) != 0)
		return -1;
	s->port = (unsigned)strtoul(s->at.port, NULL, 10);
	if (s->port < 1 || s->port > 65533)
		return err_set(err, ERR_USAGE, "--listen: expected a port from 1 to 65533");
	if (s->address != NULL)
		snprintf(s->host, sizeof s->host, "%s", s->address);
	else if (strcmp(s->at.host, "::") != 0 && strcmp(s->at.host, "0.0.0.0") != 0)
		snprintf(s->host, sizeof s->host, "%s", s->at.host);
	else
		snprintf(s->host, sizeof s->host, "%s", host);
	if (s->store == NULL)
		s->store = "/srv/fdump";
	if (s->keys == NULL)
		s->keys = "fdump-keys";
	return 0;
}

/* Formats HOST:PORT, where PORT is the manager's plus `plus`. */
static const char *address_of(
	char text[ADDRESS_MAX], const char *host, const struct setup *s, unsigned plus)
{
	snprintf(text, ADDRESS_MAX, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
		s->port + plus);
	return text;
}

static int find_roles(struct setup *s, struct err *err)
{
	char dir[PATH_MAX + 16];

	if (ui_role_set(&s->manager, s->o.config, s->o.state, "manager", err) != 0 ||
		ui_role_set(&s->store_role, s->o.config, s->o.state, "store", err) != 0)
		return -1;
	snprintf(dir, sizeof dir, "%s/operator", s->manager.dir);
	if (ui_role_at(&s->operator, s->o.config, dir, err) != 0)
		return -1;
	if (access(s->manager.cert, F_OK) == 0)
		return err_set(err, ERR_CONFIG, "%s: there already: this machine is a manager",
			s->manager.cert);
	if (access(s->store_role.cert, F_OK) == 0)
		return err_set(err, ERR_CONFIG,
			"%s: there already: this machine is a store of a fleet",
			s->store_role.cert);
	return 0;
}

/* --- identities ----------------------------------------------------------------- */

/* Makes the manager's intermediate, signed by the root. */
static int make_intermediate(struct setup *s, const struct pass *pass, struct err *err)
{
	char key[PATH_MAX + 16], cert[PATH_MAX + 16], root_key[PATH_MAX + 16],
		host[RPC_HOST_LEN + 1];
	struct rpc_ca *root = NULL;
	struct buf csr, pem;

	snprintf(key, sizeof key, "%s/int.key", s->manager.dir);
	snprintf(cert, sizeof cert, "%s/int.pem", s->manager.dir);
	snprintf(root_key, sizeof root_key, "%s/root.key", s->keys_path);
	buf_init(&csr, RPC_CSR_MAX);
	buf_init(&pem, RPC_CHAIN_MAX);
	root = rpc_ca_open(root_key, s->root_cert, ui_keys_known, (const void *)pass, err);
	if (root != NULL && rpc_key_make(key, err) == 0 && rpc_csr_make(key, &csr, err) == 0 &&
		rpc_host_new(host, err) == 0 &&
		rpc_ca_intermediate(root, csr.data, csr.len, s->name, host, &pem, err) == 0 &&
		file_write(cert, pem.data, pem.len, 0644, err) == 0)
		s->ca = rpc_ca_open(key, cert, NULL, NULL, err);
	rpc_ca_close(root);
	buf_fini(&csr);
	buf_fini(&pem);
	return s->ca != NULL ? 0 : -1;
}

static int make_identities(struct setup *s, const struct pass *pass, struct err *err)
{
	char from[PATH_MAX + 32], dir[PATH_MAX + 32], to[PATH_MAX + 64], line[ADDRESS_MAX + 80],
		address[ADDRESS_MAX];

	snprintf(s->root_cert, sizeof s->root_cert, "%s/root.pem", s->keys_path);
	snprintf(dir, sizeof dir, "%s/recipients", s->manager.dir);
	snprintf(from, sizeof from, "%s/backup.key.pub", s->keys_path);
	snprintf(to, sizeof to, "%s/backup.pub", dir);
	snprintf(line, sizeof line, "%s %s\n", s->name, address_of(address, s->host, s, 0));
	if (ui_install_folder(s->manager.dir, err) != 0 || make_intermediate(s, pass, err) != 0 ||
		ui_install_folder(dir, err) != 0 || ui_install_copy(from, to, err) != 0 ||
		ui_install_identity(
			&s->operator, RPC_OPERATOR, s->name, NULL, s->ca, s->root_cert, err) != 0 ||
		ui_install_identity(
			&s->store_role, RPC_STORE, s->name, NULL, s->ca, s->root_cert, err) != 0 ||
		file_write(s->store_role.managers, line, strlen(line), 0644, err) != 0)
		return -1;
	/* The certificate makes this machine a manager, so it comes last. */
	return ui_install_identity(&s->manager, RPC_MANAGER, s->name, rpc_ca_issuer(s->ca)->host,
		s->ca, s->root_cert, err);
}

/* --- configuration ---------------------------------------------------------------- */

/* Finds the name of the machine's time zone; UTC if it has none. */
static void find_zone(char zone[128])
{
	char path[PATH_MAX];
	ssize_t len = readlink("/etc/localtime", path, sizeof path - 1);
	const char *at;
	struct tz *tz;

	strcpy(zone, "UTC");
	path[len > 0 ? len : 0] = 0;
	at = strstr(path, "zoneinfo/");
	if (at == NULL || strlen(at + 9) >= 128 || tz_load(at + 9, &tz, NULL) != 0)
		return;
	tz_free(tz);
	strcpy(zone, at + 9);
}

static int write_manager_conf(const struct setup *s, struct err *err)
{
	char zone[128], address[ADDRESS_MAX], state[PATH_MAX], text[3 * PATH_MAX];

	if (ui_install_folder(s->manager.dir, err) != 0)
		return -1;
	if (realpath(s->manager.dir, state) == NULL)
		return err_errno(err, errno, "%s", s->manager.dir);
	*strrchr(state, '/') = 0;
	find_zone(zone);
	snprintf(text, sizeof text,
		"# What this fleet backs up, when and where: see fdump-manager(1).\n"
		"# Check it with 'fdump manager check', then 'systemctl reload fdump-manager'.\n"
		"#\n"
		"# How long dumps are kept is not said here: a store keeps them until an operator\n"
		"# (fdump token operator) deletes them, for example every day with\n"
		"#   fdump forget -s %s --keep-daily 14 --keep-weekly 8 --keep-monthly 12 --yes\n"
		"# See fdump-forget(1).\n"
		"\n"
		"defaults {\n"
		"  stores = {\"%s\"}\n"
		"  zone = \"%s\"\n"
		"  exclude = {\"%s/\", \"%s/\", \"/var/cache/\"}\n"
		"}\n"
		"\n"
		"# Every machine, once a night, at a minute of its own.\n"
		"job \"system\" {\n"
		"  agents = {\"*\"}\n"
		"  paths = {\"/etc\", \"/home\", \"/root\", \"/var/lib\"}\n"
		"  schedule = \"~ 1~4 * * *\"\n"
		"}\n"
		"\n"
		"store \"%s\" { address = \"%s\" }\n",
		s->name, s->name, zone, s->store_path, state, s->name,
		address_of(address, s->host, s, 1));
	return ui_install_conf(s->manager.config, "manager.conf", text, err);
}

/* Reports a file that was there already. written: what ui_install_conf returned. Returns 0, or -1
 * if that was -1. */
static int tell_kept(const struct setup *s, const char *name, int written)
{
	if (written == 1)
		ui_say("setup", "%s/%s: there already, and stays as it is", s->manager.config,
			name);
	return written < 0 ? -1 : 0;
}

static int configure(const struct setup *s, struct err *err)
{
	const char *config = s->manager.config;
	char store[ADDRESS_MAX];

	address_of(store, s->at.host, s, 1);
	if (tell_kept(s, "manager.conf", write_manager_conf(s, err)) != 0 ||
		tell_kept(s, "local.conf", ui_install_local_conf(config, &s->at, s->host, err)) !=
			0)
		return -1;
	return tell_kept(s, "store.conf", ui_install_store_conf(config, s->store_path, store, err));
}

/* --- what comes next ---------------------------------------------------------------- */

static int tell(struct setup *s, struct err *err)
{
	bool usual = s->o.config == NULL && s->o.state == NULL;
	bool started = usual && ui_install_start("fdump-manager.service") == 0 &&
		       ui_install_start("fdump-store.service") == 0;
	char options[2 * PATH_MAX + 32] = "", start[5 * PATH_MAX] = "";

	if (!usual)
		snprintf(options, sizeof options, "%s%s%s%s",
			s->o.config != NULL ? " --config " : "",
			s->o.config != NULL ? s->o.config : "",
			s->o.state != NULL ? " --state " : "",
			s->o.state != NULL ? s->o.state : "");
	if (!started)
		snprintf(start, sizeof start,
			"Start the services:\n  fdump manager%s\n  fdump store%s\n\n", options,
			options);
	return ui_result("result", "setup.result",
		(struct ui_field[]){UI_STRING("name", s->name), UI_STRING("keys", s->keys_path),
			UI_STRING("store", s->store_path), UI_BOOL("started", started), {0}},
		err,
		"This machine is the manager and the store %s.\n\n"
		"The fleet's keys are in %s.\n"
		"Move this folder away, to a safe place, and keep a copy elsewhere: without it "
		"and\n"
		"its passphrase no backup can be read%s.\n\n%s"
		"For each machine to be backed up, type here\n  fdump token agent NAME%s\n"
		"and there, with the token that it prints\n  fdump join\n",
		s->name, s->keys_path,
		s->to != NULL ? " (the key itself is where you have it)" : "", start, options);
}

/* --- the command ---------------------------------------------------------------------- */

/* Checks a text that will be in quotes in a configuration file. */
static int look_at_text(const char *option, const char *text, struct err *err)
{
	const char *at;

	for (at = text; *at != 0; at++)
		if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ')
			return err_set(err, ERR_USAGE,
				"%s: quotes, backslashes and line ends can't be in it", option);
	return 0;
}

/* Checks for anything that would make setup fail, before anything is made. */
static int look(struct setup *s, struct err *err)
{
	char conf[PATH_MAX + 16];
	char text[ADDRESS_MAX], host[RPC_HOST_PORT_MAX + 1], port[8];
	uint8_t in6[16];
	unsigned i;
	int found;

	if (rpc_address_split(address_of(text, s->host, s, 0), host, port, MANAGER_PORT, err) !=
			0 ||
		(strchr(s->host, ':') != NULL && inet_pton(AF_INET6, s->host, in6) != 1))
		return err_set(err, ERR_USAGE,
			"--address '%s': expected a name or an address, without a port (ports are "
			"set by --listen)",
			s->host);
	if (look_at_text("--address", s->host, err) != 0 ||
		look_at_text("--store", s->store, err) != 0 ||
		look_at_text("--state", s->manager.dir, err) != 0 ||
		ui_install_can_write(s->manager.config, err) != 0 ||
		ui_install_can_write(s->manager.dir, err) != 0 ||
		ui_install_can_write(s->store_role.dir, err) != 0 ||
		ui_install_can_write(s->store, err) != 0 || ui_install_can_write(s->keys, err) != 0)
		return -1;
	found = ui_keys_look(s->keys, err);
	if (found < 0)
		return -1;
	s->has_keys = found == 1;
	if (s->has_keys && s->to != NULL)
		return err_set(err, ERR_USAGE, "--to: the fleet's keys are in %s already", s->keys);
	snprintf(conf, sizeof conf, "%s/manager.conf", s->manager.config);
	if (s->has_keys && access(conf, F_OK) != 0)
		return err_set(err, ERR_CONFIG,
			"%s has a fleet's keys, so this machine takes the place of a lost manager: "
			"put the lost one's manager.conf in %s first, or write one, for the agents "
			"will follow it (for a new fleet choose another folder: --keys DIR)",
			s->keys, s->manager.config);
	/* The ports of the manager, the store and enrolment. */
	for (i = 0; i < 3; i++)
		if (ui_install_can_listen(s->at.host, s->port + i, "--listen", err) != 0)
			return -1;
	return 0;
}

/* Notes everything that will be made, so that it can be undone. */
static int note(const struct setup *s, struct err *err)
{
	static const char *const names[] = {"manager.conf", "local.conf", "store.conf"};
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (ui_path(path, s->manager.config, names[i], err) != 0)
			return -1;
		ui_install_note(path);
	}
	ui_install_note(s->manager.dir);
	ui_install_note(s->store_role.dir);
	ui_install_note(s->store);
	ui_install_note(s->keys);
	return 0;
}

static int make(struct setup *s, const struct pass *pass, struct err *err)
{
	int made;

	if (ui_install_parents(s->store, err) != 0)
		return -1;
	made = cmd_setup_store(s->store, s->store_path, err);
	if (made < 0)
		return -1;
	if (!s->has_keys && (ui_install_parents(s->keys, err) != 0 ||
				    ui_keys_make(s->keys, s->name, s->to, pass, err) != 0))
		return -1;
	if (realpath(s->keys, s->keys_path) == NULL)
		return err_errno(err, errno, "%s", s->keys);
	if (configure(s, err) != 0 || make_identities(s, pass, err) != 0 ||
		ui_install_give(&s->manager, s->manager.dir, err) != 0 ||
		ui_install_give(&s->store_role, s->store_role.dir, err) != 0)
		return -1;
	return made == 0 ? ui_install_give(&s->store_role, s->store_path, err) : 0;
}

static struct setup setup;

static int run(void *own, struct err *err)
{
	struct setup *s = own;
	struct pass pass = {0};
	struct key_public to = {0};
	int ret = -1;

	if (find_names(s, err) != 0 || find_roles(s, err) != 0 || look(s, err) != 0 ||
		(s->to != NULL && key_public_load(s->to, &to, err) != 0) || note(s, err) != 0)
		goto out;
	if (s->has_keys ? ui_keys_ask(s->keys, s->o.unseal.passphrase_file, &pass, err) != 0
			: pass_ask_new(
				  s->o.unseal.passphrase_file, "the fleet's keys", &pass, err) != 0)
		goto out;
	ret = make(s, &pass, err);
	if (ret == 0)
		ret = tell(s, err);
	else
		ui_install_undo();
out:
	key_public_wipe(&to);
	pass_wipe(&pass);
	rpc_ca_close(s->ca);
	return ret;
}

static const struct ui_option options[] = {
	{0, "name", UI_NAME, "name of the manager and of the store; default: the host's",
		UI_AT(struct setup, name)},
	{0, "listen", UI_TEXT,
		"HOST:PORT of the manager; the store has the next port, enrolment the one after "
		"it; default: [::]:7420",
		UI_AT(struct setup, listen), .value = "ADDRESS"},
	{0, "address", UI_TEXT, "how other machines reach this one; default: its name",
		UI_AT(struct setup, address), .value = "HOST"},
	{0, "store", UI_DIR, "the store's directory; default: /srv/fdump",
		UI_AT(struct setup, store)},
	{0, "keys", UI_DIR,
		"where the fleet's keys go, or are if its manager is lost; default: ./fdump-keys",
		UI_AT(struct setup, keys)},
	{0, "to", UI_FILE, "encrypt the fleet's backups to this public key, instead of making one",
		UI_AT(struct setup, to), .value = "FILE.pub"},
	{.shared = "pISj"},
	{0},
};

const struct ui_command cmd_setup = {
	.name = "setup",
	.summary = "make this machine the first of a fleet",
	.usage = "[options]",
	.about = "Makes this machine the first of a fleet: a manager, and a store. Makes the "
		 "fleet's keys, under a passphrase that it asks for, in a folder that is then to "
		 "be moved away from this machine; and a configuration with one job. Says what "
		 "to type next.",
	.options = options,
	.arguments = "",
	.exits = "0 done; 2 failed, or wrong usage; 3 it is set up already.",
	.own = &setup,
	.run = run,
};
