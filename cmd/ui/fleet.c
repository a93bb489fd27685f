#include "cmd/ui/fleet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define NEXT_MS    2000  /* then the next manager is tried */
#define CONNECT_MS 10000 /* of the last one */
#define CLOSE_MS   2000
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

int ui_fleet_open(struct ui_fleet *f, const struct ui_options *o, struct err *err)
{
	*f = (struct ui_fleet){.count = 0};
	if (hash_crypto_init(err) != 0 ||
		find_role(&f->role, o->config, o->state, o->identity, err) != 0)
		return -1;
	f->count = ui_fleet_managers(f->role.managers, f->managers);
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

/* --- calls ------------------------------------------------------------------ */

static int dial(struct ui_fleet *f, struct err *err)
{
	const struct rpc_tls_opts tls = {
		.kind = RPC_TLS_MUTUAL, .cert = f->role.cert, .key = f->role.key, .ca = f->role.ca};
	struct store_address address;
	struct rpc_client_opts opts = {.tls = &tls,
		.expect = {RPC_MANAGER, f->managers[f->at].name},
		.host = address.host,
		.port = address.port,
		.times = ui_test_times(NULL),
		.patience_ms = f->patience_ms != 0 ? f->patience_ms : PATIENCE_MS,
		.connect_ms = f->at + 1 < f->count ? NEXT_MS : CONNECT_MS};

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
		if (rpc_client_call(f->client, &request, reply, blob, err) == 0)
			return 0;
		rpc_client_stats(f->client, &stats);
		if (stats.connections > 0)
			return refused(f, err);
		if (f->at + 1 == f->count)
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
