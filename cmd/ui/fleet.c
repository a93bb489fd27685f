#include "cmd/ui/fleet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/ui/json.h"
#include "cmd/ui/learn.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "rpc/ca.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define NEXT_MS     2000  /* then the next manager is tried */
#define CONNECT_MS  10000 /* of the last one */
#define CLOSE_MS    2000
#define PATIENCE_MS 3700000 /* longer than any method's deadline */

/* --- who and where ---------------------------------------------------------- */

size_t ui_fleet_managers(const char *path, struct manager_peer managers[MANAGER_PEERS_MAX])
{
	FILE *file = fopen(path, "re");
	char line[1024], *save, *name, *address;
	size_t n = 0;

	while (file != NULL && n < MANAGER_PEERS_MAX && fgets(line, sizeof line, file) != NULL) {
		name = strtok_r(line, " \t\n", &save);
		if (name == NULL || name[0] == '#')
			continue;
		address = strtok_r(NULL, " \t\n", &save);
		if (address == NULL || strlen(name) >= sizeof managers->name ||
			strlen(address) >= sizeof managers->address)
			continue;
		strcpy(managers[n].name, name);
		strcpy(managers[n++].address, address);
	}
	if (file != NULL)
		fclose(file);
	return n;
}

/* The identity. Returns 0, or -1 with err set. */
static int find_role(struct ui_role *role, const char *config, const char *state,
	const char *identity, struct err *err)
{
	char dir[PATH_MAX];

	if (identity != NULL)
		return ui_role_given(role, config, identity, err);
	if (ui_role_operator_dir(dir, NULL) == 0) {
		if (ui_role_at(role, config, dir, err) != 0)
			return -1;
		if (access(role->cert, F_OK) == 0)
			return 0;
	}
	if (ui_role_set(role, config, state, "manager/operator", err) != 0)
		return -1;
	if (access(role->key, R_OK) == 0)
		return 0;
	return err_set(err, ERR_DENIED,
		"no operator's identity: not in ~/.config/fdump ('fdump join' with an operator's "
		"token makes one), and not in %s (a manager's, which root can read)",
		role->dir);
}

/* An operator whom a manager has signed is one of that manager alone. */
static void note_signer(struct ui_fleet *f)
{
	struct rpc_cert_info info;
	size_t i;

	if (rpc_cert_info(f->role.cert, &info, NULL) != 0 || info.id.issuer.manager[0] == 0)
		return;
	f->local = true;
	for (i = 0; i < f->count; i++)
		if (strcmp(f->managers[i].name, info.id.issuer.manager) == 0)
			f->at = i;
}

int ui_fleet_open(struct ui_fleet *f, const struct ui_options *o, struct err *err)
{
	*f = (struct ui_fleet){.count = 0};
	if (hash_crypto_init(err) != 0 ||
		find_role(&f->role, o->config, o->state, o->identity, err) != 0)
		return -1;
	f->count = ui_fleet_managers(f->role.managers, f->managers);
	note_signer(f);
	return f->count > 0 ? 0
			    : err_set(err, ERR_CONFIG,
				      "%s: names no manager (lines NAME HOST[:PORT]); the manager "
				      "on this machine writes it when it starts",
				      f->role.managers);
}

void ui_fleet_close(struct ui_fleet *f)
{
	rpc_client_close(f->client, CLOSE_MS);
	f->client = NULL;
}

int ui_fleet_end(struct ui_fleet *f, struct ui_options *o, int ret, const struct err *err)
{
	int status = ret == 0 ? UI_OK : ui_fail(o->command, err);

	ui_fleet_close(f);
	ui_options_fini(o);
	return status;
}

/* --- what a manager tells --------------------------------------------------- */

/* In memory; the one that is asked is where it was reached. */
static void keep_manager(struct ui_fleet *f, const struct manager_peer *told)
{
	size_t i = 0;

	while (i < f->count && strcmp(f->managers[i].name, told->name) != 0)
		i++;
	if (i == f->at || i == MANAGER_PEERS_MAX)
		return;
	f->managers[i] = *told;
	if (i == f->count)
		f->count++;
}

static void keep_managers(const struct ui_fleet *f)
{
	struct ui_learn_line lines[MANAGER_PEERS_MAX];
	size_t i;

	for (i = 0; i < f->count; i++)
		lines[i] = (struct ui_learn_line){f->managers[i].name, f->managers[i].address, ""};
	ui_learn_file(f->role.managers, lines, f->count, NULL);
}

static void keep_stores(const struct ui_fleet *f, struct manager_welcome *w)
{
	struct manager_store_text stores[MANAGER_STORES_MAX];
	struct ui_learn_line lines[MANAGER_STORES_MAX];
	char rest[MANAGER_STORES_MAX][2 * MANAGER_UID_LEN + 2 * MANAGER_KEY_LEN + 2];
	size_t n = 0;

	while (n < MANAGER_STORES_MAX && manager_welcome_store(w, &stores[n])) {
		esc_hex(rest[n], stores[n].uid, MANAGER_UID_LEN);
		rest[n][2 * MANAGER_UID_LEN] = ' ';
		esc_hex(rest[n] + 2 * MANAGER_UID_LEN + 1, stores[n].key, MANAGER_KEY_LEN);
		lines[n] = (struct ui_learn_line){stores[n].name, stores[n].address, rest[n]};
		n++;
	}
	ui_learn_file(f->role.stores, lines, n, NULL);
}

/* Asks for the fleet's managers and stores, and keeps them. It is no part of what the command does:
 * what fails (a folder that may not be written) is left. */
static void learn(struct ui_fleet *f)
{
	const struct rpc_client_request request = {.method = MANAGER_METHOD_FLEET};
	struct manager_peer told;
	struct manager_welcome w;
	struct buf reply;

	f->learned = true;
	buf_init(&reply, RPC_PAYLOAD_MAX);
	if (rpc_client_call(f->client, &request, &reply, NULL, NULL) == 0 &&
		manager_welcome_get(&w, reply.data, reply.len, NULL) == 0) {
		while (manager_welcome_manager(&w, &told))
			keep_manager(f, &told);
		/* One manager's own operator gets nowhere else. */
		if (!f->local) {
			keep_managers(f);
			keep_stores(f, &w);
		}
	}
	buf_fini(&reply);
}

/* --- calls ------------------------------------------------------------------ */

/* Whether no other manager is tried after this one. */
static bool is_last(const struct ui_fleet *f)
{
	return f->only || f->local || f->at + 1 == f->count;
}

static int dial(struct ui_fleet *f, struct err *err)
{
	const struct rpc_tls_opts tls = {
		.kind = RPC_TLS_MUTUAL, .cert = f->role.cert, .key = f->role.key, .ca = f->role.ca};
	bool waits_briefly = f->only ? f->count > 1 : !is_last(f);
	struct store_address address;
	struct rpc_client_opts opts = {.tls = &tls,
		.expect = {RPC_MANAGER, f->managers[f->at].name},
		.host = address.host,
		.port = address.port,
		.times = ui_test_times(NULL),
		.patience_ms = f->patience_ms != 0 ? f->patience_ms : PATIENCE_MS,
		.connect_ms = waits_briefly ? NEXT_MS : CONNECT_MS};

	if (ui_address(&address, f->managers[f->at].address, MANAGER_PORT, err) != 0)
		return -1;
	f->client = rpc_client_open(&opts, err);
	return f->client != NULL ? 0 : -1;
}

/* Returns -1: says as who it was asked, if that may not ask. */
static int refused(const struct ui_fleet *f, struct err *err)
{
	struct err why = *err;

	return why.code != ERR_DENIED
		       ? -1
		       : err_set(err, why.code, "%.400s (asked as the identity in %s)", why.message,
				 f->role.dir);
}

/* Returns -1: says where the address comes from. */
static int unreachable(const struct ui_fleet *f, struct err *err)
{
	struct err why = *err;

	if (why.code == ERR_DENIED)
		return err_set(err, why.code,
			"%.400s (asked as the identity in %s; was it revoked?)", why.message,
			f->role.dir);
	return err_set(err, why.code, "%.300s (does the manager run, at the address in %s?)",
		why.message, f->role.managers);
}

int ui_fleet_call(struct ui_fleet *f, uint16_t method, const struct cbor_out *params,
	struct buf *reply, struct buf *blob, struct err *err)
{
	struct rpc_client_request request = {.method = method,
		.params = params != NULL ? params->start : NULL,
		.len = params != NULL ? cbor_out_len(params) : 0,
		.reply_max = blob != NULL ? MANAGER_LISTING_MAX : 0};
	struct rpc_client_stats stats;

	assert(params == NULL || !cbor_out_full(params));
	for (;;) {
		if (f->client == NULL && dial(f, err) != 0)
			return -1;
		if (rpc_client_call(f->client, &request, reply, blob, err) == 0) {
			if (!f->learned)
				learn(f);
			return 0;
		}
		rpc_client_stats(f->client, &stats);
		if (stats.connections > 0)
			return refused(f, err);
		if (is_last(f))
			return unreachable(f, err);
		ui_fleet_close(f);
		f->at++;
	}
}

int ui_fleet_rows(struct ui_fleet *f, uint16_t method, const struct cbor_out *params,
	const struct cbormap_field *fields, size_t row_size, ui_fleet_row *each, void *ctx,
	struct err *err)
{
	struct cbormap_value v[MANAGER_LISTING_FIELDS];
	uint8_t row[sizeof(struct manager_host_row) + sizeof(struct manager_run_row)]
		__attribute__((aligned(16)));
	struct buf reply, blob;
	const uint8_t *at;
	size_t left;
	int ret, got;

	assert(row_size <= sizeof row);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	buf_init(&blob, MANAGER_LISTING_MAX);
	ret = ui_fleet_call(f, method, params, &reply, &blob, err);
	if (ret == 0)
		ret = cbormap_get(v, manager_listing_fields, reply.data, reply.len, err);
	if (ret == 0) {
		f->now = v[MANAGER_LISTING_NOW].integer;
		snprintf(f->manager, sizeof f->manager, "%.*s", (int)v[MANAGER_LISTING_MANAGER].len,
			(const char *)v[MANAGER_LISTING_MANAGER].bytes);
	}
	at = blob.data;
	left = blob.len;
	while (ret == 0) {
		got = manager_row_get(row, row_size, fields, &at, &left, err);
		if (got == 1)
			break;
		ret = got == 0 ? each(ctx, row, err) : -1;
	}
	buf_fini(&reply);
	buf_fini(&blob);
	return ret;
}

/* --- showing ---------------------------------------------------------------- */

static int json_field(json_t *object, const struct cbormap_field *f, const uint8_t *at)
{
	char text[CIVIL_TEXT_MAX], key[64];
	int64_t time;

	switch (f->type) {
	case CBORMAP_TEXT:
		return ui_json_name(object, f->key, at, strlen((const char *)at));
	case CBORMAP_BYTES:
		return ui_json_hex(object, f->key, at, f->size);
	case CBORMAP_UINT:
		return ui_json_rows(object,
			&(struct ui_json_row){f->key, *(const uint64_t *)(const void *)at}, 1);
	case CBORMAP_BOOL:
		return ui_json_add(object, f->key, json_boolean(*(const bool *)at));
	case CBORMAP_INT:
		return ui_json_add(
			object, f->key, json_integer(*(const int64_t *)(const void *)at));
	case CBORMAP_TIME:
		time = *(const int64_t *)(const void *)at;
		if (time == 0)
			return ui_json_add(object, f->key, json_null());
		civil_print(text, time, 0);
		snprintf(key, sizeof key, "%s_epoch", f->key);
		return ui_json_add(object, f->key, json_string(text)) |
		       ui_json_add(object, key, json_integer(time));
	default: /* a CBORMAP_BLOB */
		return 0;
	}
}

static json_t *json_row(const char *type, const char *id, const struct cbormap_field *fields,
	const void *row, int *failed)
{
	json_t *object = ui_json_new(type, id);

	for (*failed = 0; fields->type != 0; fields++)
		*failed |= json_field(object, fields, (const uint8_t *)row + fields->at);
	return object;
}

int ui_fleet_json(const char *type, const char *id, const struct cbormap_field *fields,
	const void *row, struct err *err)
{
	int failed;
	json_t *object = json_row(type, id, fields, row, &failed);

	return ui_json_print(object, failed, err);
}

int ui_fleet_json_put(const char *type, const char *id, const char *manager,
	const struct cbormap_field *fields, const void *row, struct buf *line, struct err *err)
{
	int failed;
	json_t *object = json_row(type, id, fields, row, &failed);

	failed |= ui_json_add(object, "manager", json_string(manager));
	return ui_json_put(object, failed, line, err);
}

const char *ui_fleet_time(char text[UI_FLEET_TIME], int64_t time)
{
	time_t t = (time_t)time;
	struct tm tm;

	if (time == 0 || localtime_r(&t, &tm) == NULL ||
		strftime(text, UI_FLEET_TIME, "%Y-%m-%d %H:%M %Z", &tm) == 0)
		strcpy(text, "-");
	return text;
}
