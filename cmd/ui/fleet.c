#include "cmd/ui/fleet.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/ui/options.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "rpc/ca.h"
#include "rpc/client.h"
#include "rpc/wire.h"

#define NEXT_MS     2000  /* connecting, while there is another manager to try */
#define CONNECT_MS  10000 /* connecting to the last one */
#define CLOSE_MS    2000
#define PATIENCE_MS 3700000 /* longer than any method's deadline */
#define LOST_MS     60000   /* without a connection, in the middle of a call */
#define PARAMS_MAX  512     /* bytes of a method's parameters */

/* --- identity and managers -------------------------------------------------- */

/* Returns the number of managers; 0 if the file can't be read. */
static size_t read_managers(const char *path, struct manager_peer managers[MANAGER_PEERS_MAX])
{
	FILE *file = fopen(path, "re");
	char text[1024], *words[UI_ROLE_WORDS];
	size_t n = 0, count;

	while (file != NULL && n < MANAGER_PEERS_MAX &&
		(count = ui_role_words(file, text, words)) > 0) {
		if (count < 2 || strlen(words[0]) >= sizeof managers->name ||
			strlen(words[1]) >= sizeof managers->address)
			continue;
		strcpy(managers[n].name, words[0]);
		strcpy(managers[n++].address, words[1]);
	}
	if (file != NULL)
		fclose(file);
	return n;
}

/* An operator whose certificate a manager has signed can use only that manager. */
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
	int found;

	*f = (struct ui_fleet){.count = 0};
	found = ui_role_find(&f->role, o->config, o->state, "manager/operator", o->identity, err);
	if (found < 0)
		return -1;
	if (found > 0)
		return err_set(err, ERR_DENIED,
			"no operator's identity: not in ~/.config/fdump ('fdump join' with an "
			"operator's token makes one), and not in %s (a manager's, which root can "
			"read)",
			f->role.dir);
	f->count = read_managers(f->role.managers, f->managers);
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

int ui_fleet_only(struct ui_fleet *f, size_t manager, const char *who, struct err *err)
{
	if (f->local && manager != f->at)
		return err_set(err, ERR_FAILED,
			"%s was not asked: the identity in %s is good for %s only; ask as an "
			"operator who joined with a token, or as root on %s",
			who, f->role.dir, f->managers[f->at].name, f->managers[manager].name);
	ui_fleet_close(f);
	f->at = manager;
	f->only = true;
	return 0;
}

/* --- learning the fleet ----------------------------------------------------- */

struct line {
	const char *name, *address, *rest;
};

struct lines {
	const struct line *at;
	size_t count;
	/* Whether the file has a line of this name; one more for other lines. */
	bool there[MANAGER_PEERS_MAX + MANAGER_STORES_MAX + 1];
};

static int add_missing(const struct lines *l, struct buf *to, struct err *err)
{
	int added = 0;
	size_t i;

	for (i = 0; i < l->count; i++) {
		const struct line *new = &l->at[i];

		if (l->there[i])
			continue;
		if (buf_addf(to, err, "%s %s%s%s\n", new->name, new->address,
			    new->rest[0] != 0 ? " " : "", new->rest) != 0)
			return -1;
		added = 1;
	}
	return added;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(text, word, len) == 0;
}

/* Sets the address in the line of a name; the rest of the line, a store's uid and key, is kept. At
 * the end adds the lines that are missing. */
static int set_line(void *ctx, const char *line, struct buf *to, struct err *err)
{
	struct lines *l = ctx;
	const char *name, *at;
	size_t name_len, len, i = 0;

	if (line == NULL)
		return add_missing(l, to, err);
	name = line + strspn(line, " \t");
	name_len = strcspn(name, " \t");
	at = name + name_len + strspn(name + name_len, " \t");
	len = strcspn(at, " \t");
	while (i < l->count && !is_word(name, name_len, l->at[i].name))
		i++;
	l->there[i] = true;
	if (i == l->count || len == 0 || is_word(at, len, l->at[i].address))
		return buf_addf(to, err, "%s\n", line);
	return buf_addf(to, err, "%.*s%s%s\n", (int)(at - line), line, l->at[i].address,
		       at + len) == 0
		       ? 1
		       : -1;
}

/* Sets the lines in the file at path, which is created if it is missing. Failures, such as a folder
 * without write permission, are ignored. */
static void save_lines(const char *path, const struct line *lines, size_t count)
{
	struct lines l = {.at = lines, .count = count};

	(void)ui_role_edit(path, 0644, set_line, &l, NULL);
}

/* Adds or updates a manager in memory. The manager that is being asked keeps the address where it
 * was reached. */
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

/* Asks for the fleet's managers and stores, and saves them. The command does not depend on this, so
 * failures, such as a folder without write permission, are ignored. */
static void learn(struct ui_fleet *f)
{
	const struct rpc_client_request request = {.method = MANAGER_METHOD_FLEET};
	struct line lines[MANAGER_PEERS_MAX + MANAGER_STORES_MAX];
	char rest[MANAGER_STORES_MAX][2 * MANAGER_UID_LEN + 2 * MANAGER_KEY_LEN + 2];
	struct manager_welcome w;
	struct buf reply;
	size_t i;

	f->learned = true;
	buf_init(&reply, RPC_PAYLOAD_MAX);
	if (rpc_client_call(f->client, &request, &reply, NULL, NULL) != 0 ||
		manager_welcome_get(&w, reply.data, reply.len, NULL) != 0)
		goto out;
	for (i = 0; i < w.manager_count; i++)
		keep_manager(f, &w.managers[i]);
	if (f->local) /* a manager's own operator can't reach the others */
		goto out;
	for (i = 0; i < f->count; i++)
		lines[i] = (struct line){f->managers[i].name, f->managers[i].address, ""};
	save_lines(f->role.managers, lines, f->count);
	for (i = 0; i < w.store_count; i++) {
		esc_hex(rest[i], w.stores[i].uid, MANAGER_UID_LEN);
		rest[i][2 * MANAGER_UID_LEN] = ' ';
		esc_hex(rest[i] + 2 * MANAGER_UID_LEN + 1, w.stores[i].key, MANAGER_KEY_LEN);
		lines[i] = (struct line){w.stores[i].name, w.stores[i].address, rest[i]};
	}
	save_lines(f->role.stores, lines, w.store_count);
out:
	buf_fini(&reply);
}

/* --- calls ------------------------------------------------------------------ */

/* Whether this is the last manager to be tried. */
static bool is_last(const struct ui_fleet *f)
{
	return f->only || f->local || f->at + 1 == f->count;
}

static int dial(struct ui_fleet *f, struct err *err)
{
	const struct rpc_tls_opts tls = ui_role_tls(&f->role, NULL);
	bool waits_briefly = f->only ? f->count > 1 : !is_last(f);
	struct store_address address;
	struct rpc_client_opts opts = {.tls = &tls,
		.expect = {RPC_MANAGER, f->managers[f->at].name},
		.host = address.host,
		.port = address.port,
		.times = ui_test_times(NULL),
		.patience_ms = f->patience_ms != 0 ? f->patience_ms : PATIENCE_MS,
		.lost_ms = f->patience_ms != 0 ? 0 : LOST_MS,
		.connect_ms = waits_briefly ? NEXT_MS : CONNECT_MS};

	if (ui_address(&address, f->managers[f->at].address, MANAGER_PORT, err) != 0)
		return -1;
	f->client = rpc_client_open(&opts, err);
	return f->client != NULL ? 0 : -1;
}

/* Encodes the parameters as a CBOR map. Returns its length. */
static size_t put_params(uint8_t mem[PARAMS_MAX], const struct ui_field *params)
{
	const struct ui_field *f;
	struct cbor_out out;
	size_t count = 0;

	for (f = params; f->name != NULL; f++)
		count += f->type == UI_FIELD_INT || f->type == UI_FIELD_BOOL || f->bytes != NULL;
	cbor_out_init(&out, mem, PARAMS_MAX);
	cbor_put_map(&out, count);
	for (f = params; f->name != NULL; f++) {
		if (f->type == UI_FIELD_INT) {
			cbor_put_text(&out, f->name);
			cbor_put_uint(&out, (uint64_t)f->number);
		} else if (f->type == UI_FIELD_BOOL) {
			cbor_put_text(&out, f->name);
			cbor_put_bool(&out, f->number != 0);
		} else if (f->bytes != NULL) {
			cbor_put_text(&out, f->name);
			if (f->type == UI_FIELD_STRING)
				cbor_put_text(&out, f->bytes);
			else
				cbor_put_bytes(&out, f->bytes, f->len);
		}
	}
	assert(!cbor_out_full(&out));
	return cbor_out_len(&out);
}

int ui_fleet_call(struct ui_fleet *f, uint16_t method, const struct ui_field *params,
	struct buf *reply, struct buf *blob, struct err *err)
{
	uint8_t mem[PARAMS_MAX];
	struct rpc_client_request request = {.method = method,
		.params = params != NULL ? mem : NULL,
		.len = params != NULL ? put_params(mem, params) : 0,
		.reply_max = blob != NULL ? MANAGER_LISTING_MAX : 0};
	struct rpc_client_stats stats;
	struct err why = {0};

	for (;;) {
		if (f->client == NULL && dial(f, err) != 0)
			return -1;
		if (rpc_client_call(f->client, &request, reply, blob, &why) == 0) {
			if (!f->learned)
				learn(f);
			return 0;
		}
		rpc_client_stats(f->client, &stats);
		if (stats.connections > 0 || is_last(f))
			break;
		ui_fleet_close(f);
		f->at++;
	}
	if (why.code == ERR_DENIED)
		return err_set(err, why.code, "%.400s (asked as the identity in %s%s)", why.message,
			f->role.dir, stats.connections > 0 ? "" : "; was it revoked?");
	if (stats.connections > 0) {
		*err = why;
		return -1;
	}
	return err_set(err, why.code, "%.300s (does the manager run, at the address in %s?)",
		why.message, f->role.managers);
}

int ui_fleet_rows(struct ui_fleet *f, uint16_t method, const struct ui_field *params,
	const struct cbormap_field *fields, size_t row_size, ui_fleet_row *each, void *ctx,
	struct err *err)
{
	struct manager_msg_listing listing;
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
		ret = cbormap_read(&listing, manager_listing_fields, reply.data, reply.len, err);
	if (ret == 0) {
		f->now = listing.now;
		strcpy(f->manager, listing.manager);
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

/* --- output ----------------------------------------------------------------- */

struct printed {
	struct ui_field fields[2 * CBORMAP_FIELDS_MAX + 2];
	char times[CBORMAP_FIELDS_MAX][CIVIL_TEXT_MAX], keys[CBORMAP_FIELDS_MAX][64];
};

/* Converts a row to the fields that are printed. manager: or NULL. */
static void set_printed(
	struct printed *p, const struct cbormap_field *fields, const void *row, const char *manager)
{
	struct ui_field *to = p->fields;
	int64_t time;
	size_t i;

	for (i = 0; fields[i].type != 0; i++) {
		const struct cbormap_field *f = &fields[i];
		const void *at = (const uint8_t *)row + f->at;

		switch (f->type) {
		case CBORMAP_TEXT:
			*to++ = (struct ui_field)UI_STRING(f->key, (const char *)at);
			break;
		case CBORMAP_BYTES:
			*to++ = (struct ui_field)UI_HEX(f->key, at, f->size);
			break;
		case CBORMAP_BOOL:
			*to++ = (struct ui_field)UI_BOOL(f->key, *(const bool *)at);
			break;
		case CBORMAP_UINT:
		case CBORMAP_INT:
			*to++ = (struct ui_field)UI_INT(f->key, *(const int64_t *)at);
			break;
		case CBORMAP_TIME:
			time = *(const int64_t *)at;
			if (time == 0) {
				*to++ = (struct ui_field)UI_JSON(f->key, json_null());
				break;
			}
			snprintf(p->keys[i], sizeof p->keys[i], "%s_epoch", f->key);
			*to++ = (struct ui_field)UI_STRING(
				f->key, civil_print(p->times[i], time, 0));
			*to++ = (struct ui_field)UI_INT(p->keys[i], time);
			break;
		default: /* a CBORMAP_BLOB */
			break;
		}
	}
	*to++ = (struct ui_field)UI_STRING("manager", manager);
	*to = (struct ui_field){0};
}

int ui_fleet_json(const char *type, const char *id, const struct cbormap_field *fields,
	const void *row, struct err *err)
{
	struct printed p;

	set_printed(&p, fields, row, NULL);
	return ui_result(type, id, p.fields, err, NULL);
}

int ui_fleet_json_put(const char *type, const char *id, const char *manager,
	const struct cbormap_field *fields, const void *row, struct buf *line, struct err *err)
{
	struct printed p;

	set_printed(&p, fields, row, manager);
	return ui_result_put(line, type, id, p.fields, err);
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
