/* A dump's record: an HMAC, and a CBOR map with its keys in a fixed order. */
#include "cmd/store/dump.h"

#include <assert.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"

#define VERSION 1

/* --- encoding ------------------------------------------------------------ */

static void put_bytes(struct cbor_out *out, const char *key, const void *bytes, size_t len)
{
	cbor_put_text(out, key);
	cbor_put_bytes(out, bytes, len);
}

static void put_time(struct cbor_out *out, const char *key, struct store_time time)
{
	cbor_put_text(out, key);
	cbor_put_array(out, 2);
	cbor_put_int(out, time.sec);
	cbor_put_uint(out, time.nsec);
}

static void put_map(struct cbor_out *out, const struct store_dump *d)
{
	cbor_put_map(
		out, 13u + d->sealed + (d->lock != 0) + (d->fewer_than != 0) + (d->plan != NULL));
	cbor_put_text(out, "F");
	cbor_put_uint(out, VERSION);
	put_bytes(out, "I", d->id, STORE_DUMP_ID);
	cbor_put_text(out, "A");
	cbor_put_textn(out, d->agent, d->agent_len);
	cbor_put_text(out, "N");
	cbor_put_textn(out, d->name, d->name_len);
	put_bytes(out, "D", d->domain, STORE_DOMAIN_LEN);
	if (d->sealed) {
		cbor_put_text(out, "W");
		cbor_put_array(out, 2);
		cbor_put_bytes(out, d->ephemeral, 32);
		cbor_put_bytes(out, d->wraps, d->wrap_count * STORE_WRAP_LEN);
	}
	put_time(out, "t", d->began);
	put_time(out, "e", d->ended);
	put_bytes(out, "b", d->base, d->base_len);
	cbor_put_text(out, "p");
	cbor_put_array(out, d->path_count);
	cbor_put_encoded(out, d->paths, d->paths_len);
	cbor_put_text(out, "s");
	cbor_put_array(out, 3);
	cbor_put_uint(out, d->entries);
	cbor_put_uint(out, d->content);
	cbor_put_uint(out, d->statuses);
	cbor_put_text(out, "M");
	cbor_put_array(out, 2);
	cbor_put_uint(out, d->manifest_chunks);
	cbor_put_uint(out, d->manifest_len);
	cbor_put_text(out, "C");
	cbor_put_uint(out, d->chunks);
	put_bytes(out, "L", d->lists, d->list_count * STORE_ID_LEN);
	if (d->lock != 0) {
		cbor_put_text(out, "l");
		cbor_put_int(out, d->lock);
	}
	if (d->fewer_than != 0) {
		cbor_put_text(out, "u");
		cbor_put_uint(out, d->fewer_than);
	}
	if (d->plan != NULL) {
		cbor_put_text(out, "j");
		cbor_put_array(out, 2);
		cbor_put_int(out, d->slot);
		cbor_put_bytes(out, d->plan, STORE_PLAN_LEN);
	}
}

int store_dump_put(const struct store_dump *d, struct buf *out, struct err *err)
{
	struct cbor_out cbor;
	uint8_t *to;

	assert(d->wrap_count <= STORE_WRAPS_MAX);
	if (d->list_count > STORE_LIST_PIECES || d->path_count > STORE_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "too many %s for one dump",
			d->list_count > STORE_LIST_PIECES ? "chunks" : "paths");
	to = buf_room(out, STORE_DUMP_MAX, err);
	if (to == NULL)
		return -1;
	memset(to, 0, STORE_MAC_LEN);
	cbor_out_init(&cbor, to + STORE_MAC_LEN, STORE_DUMP_MAX - STORE_MAC_LEN);
	put_map(&cbor, d);
	if (cbor_out_full(&cbor))
		return err_set(
			err, ERR_LIMIT, "a dump's record takes over %u bytes", STORE_DUMP_MAX);
	buf_took(out, STORE_MAC_LEN + cbor_out_len(&cbor));
	return 0;
}

/* --- decoding ------------------------------------------------------------ */

#define IN(member) CBORMAP_IN(struct store_dump, member)

static const struct cbormap_field time_items[] = {
	{CBORMAP_OF(struct store_time, INT, sec)},
	{CBORMAP_OF(struct store_time, UINT, nsec), .max = 999999999},
	{0},
};
static const struct cbormap_field sum_items[] = {
	{CBORMAP_OF(struct store_dump, UINT, entries)},
	{CBORMAP_OF(struct store_dump, UINT, content)},
	{CBORMAP_OF(struct store_dump, UINT, statuses)},
	{0},
};
static const struct cbormap_field manifest_items[] = {
	{.key = "chunks", .type = CBORMAP_UINT, .max = STORE_CHUNKS_MAX, IN(manifest_chunks)},
	{.key = "bytes", .type = CBORMAP_UINT, IN(manifest_len)},
	{0},
};
static const struct cbormap_field path_item = {.type = CBORMAP_BYTES, .max = STORE_DUMP_MAX};

enum { WRAP_EPHEMERAL, WRAP_ROWS, WRAP_ITEMS };
static const struct cbormap_field wrap_items[] = {
	[WRAP_EPHEMERAL] = {.key = "ephemeral", CBORMAP_FIXED(32)},
	[WRAP_ROWS] = {.key = "wraps",
		.type = CBORMAP_BYTES,
		.min = STORE_WRAP_LEN,
		.max = STORE_WRAPS_MAX * STORE_WRAP_LEN},
	[WRAP_ITEMS] = {0},
};

enum { JOB_SLOT, JOB_PLAN, JOB_ITEMS };
static const struct cbormap_field job_items[] = {
	[JOB_SLOT] = {.key = "slot", .type = CBORMAP_INT},
	[JOB_PLAN] = {.key = "plan", CBORMAP_FIXED(STORE_PLAN_LEN)},
	[JOB_ITEMS] = {0},
};

#define LISTS_LEN (STORE_LIST_PIECES * STORE_ID_LEN)
#define WHOLE     .size = sizeof(struct store_dump)

/* First the fields that store_dump_get copies itself. */
enum { ID, AGENT, NAME, DOMAIN, BASE, PATHS, LISTS, WRAPS, JOB };
static const struct cbormap_field fields[] = {
	[ID] = {.key = "I", CBORMAP_FIXED(STORE_DUMP_ID), .need = true},
	[AGENT] = {.key = "A", .type = CBORMAP_NAME, .need = true},
	[NAME] = {.key = "N", .type = CBORMAP_NAME, .need = true},
	[DOMAIN] = {.key = "D", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true},
	[BASE] = {.key = "b", .type = CBORMAP_BYTES, .need = true, .min = 1, .max = 65535},
	[PATHS] = {.key = "p", CBORMAP_LIST_OF(path_item, STORE_PATHS_MAX), .need = true},
	[LISTS] = {.key = "L", .type = CBORMAP_BYTES, .need = true, .max = LISTS_LEN},
	[WRAPS] = {.key = "W", .type = CBORMAP_TUPLE, .sub = wrap_items},
	[JOB] = {.key = "j", .type = CBORMAP_TUPLE, .sub = job_items},
	{.key = "F", .type = CBORMAP_VERSION, .need = true, .min = VERSION, .max = VERSION},
	{.key = "t", .type = CBORMAP_TUPLE, .need = true, .sub = time_items, IN(began)},
	{.key = "e", .type = CBORMAP_TUPLE, .need = true, .sub = time_items, IN(ended)},
	{.key = "s", .type = CBORMAP_TUPLE, .need = true, .sub = sum_items, WHOLE},
	{.key = "M", .type = CBORMAP_TUPLE, .need = true, .sub = manifest_items, WHOLE},
	{.key = "C", .type = CBORMAP_UINT, .need = true, .max = STORE_CHUNKS_MAX, IN(chunks)},
	{.key = "l", .type = CBORMAP_INT, IN(lock)},
	{.key = "u", .type = CBORMAP_UINT, IN(fewer_than)},
	{0},
};

/* Checks what the tables can't express. */
static int check(const struct store_dump *d, const struct cbormap_value *v, size_t wraps_len,
	struct err *err)
{
	if (d->base[0] != '/' || memchr(d->base, 0, d->base_len) != NULL)
		return err_set(err, ERR_FORMAT, "dump record: key 'b' is not an absolute path");
	if (v[LISTS].len % STORE_ID_LEN != 0 || wraps_len % STORE_WRAP_LEN != 0)
		return err_set(err, ERR_FORMAT,
			"dump record: key '%s': not a whole number of items",
			v[LISTS].len % STORE_ID_LEN != 0 ? "L" : "W");
	if (d->manifest_chunks > d->chunks ||
		d->chunks > (uint64_t)d->list_count * STORE_LIST_MAX || d->chunks < d->list_count)
		return err_set(err, ERR_FORMAT, "dump record: inconsistent counts");
	return 0;
}

int store_dump_get(struct store_dump *d, const uint8_t *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[sizeof fields / sizeof *fields], wrap[WRAP_ITEMS] = {{0}},
								job[JOB_ITEMS];

	if (len <= STORE_MAC_LEN || len > STORE_DUMP_MAX)
		return err_set(err, ERR_FORMAT, "dump record of %zu bytes", len);
	*d = (struct store_dump){
		.mac = bytes,
		.signed_at = bytes + STORE_MAC_LEN,
		.signed_len = len - STORE_MAC_LEN,
	};
	if (cbormap_get(v, fields, d->signed_at, d->signed_len, err) != 0) {
		if (err != NULL && err->code == ERR_LIMIT)
			err->code = ERR_FORMAT;
		return err_prefix(err, "dump record");
	}
	cbormap_store(d, fields, v);
	d->id = v[ID].bytes;
	d->agent = (const char *)v[AGENT].bytes;
	d->agent_len = v[AGENT].len;
	d->name = (const char *)v[NAME].bytes;
	d->name_len = v[NAME].len;
	d->domain = v[DOMAIN].bytes;
	d->base = v[BASE].bytes;
	d->base_len = v[BASE].len;
	d->paths = v[PATHS].bytes;
	d->paths_len = v[PATHS].len;
	d->path_count = (size_t)v[PATHS].number;
	d->lists = v[LISTS].bytes;
	d->list_count = v[LISTS].len / STORE_ID_LEN;
	d->sealed = v[WRAPS].has;
	if (d->sealed) {
		cbormap_inner(wrap, &fields[WRAPS], &v[WRAPS]);
		d->ephemeral = wrap[WRAP_EPHEMERAL].bytes;
		d->wraps = wrap[WRAP_ROWS].bytes;
		d->wrap_count = wrap[WRAP_ROWS].len / STORE_WRAP_LEN;
	}
	if (v[JOB].has) {
		cbormap_inner(job, &fields[JOB], &v[JOB]);
		d->slot = job[JOB_SLOT].integer;
		d->plan = job[JOB_PLAN].bytes;
	}
	return check(d, v, wrap[WRAP_ROWS].len, err);
}

bool store_dump_path(
	const struct store_dump *d, const uint8_t **at, const uint8_t **path, size_t *len)
{
	struct cbor_in in;
	struct cbor_item item;
	const uint8_t *from = *at != NULL ? *at : d->paths;

	cbor_in_init(&in, from, d->paths_len - (size_t)(from - d->paths));
	if (cbor_get(&in, &item) != CBOR_OK)
		return false;
	*at = in.at;
	*path = item.bytes;
	*len = item.len;
	return true;
}
