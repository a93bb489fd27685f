/* A dump's record: an HMAC, and a CBOR map in canonical order. */
#include "cmd/store/dump.h"

#include <assert.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"

#define VERSION    1
#define SKIP_DEPTH 8

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

static bool get(struct cbor_in *in, enum cbor_kind kind, struct cbor_item *item)
{
	return cbor_get(in, item) == CBOR_OK && item->type == kind;
}

static bool get_uint(struct cbor_in *in, uint64_t max, uint64_t *value)
{
	struct cbor_item item;

	if (!get(in, CBOR_UINT, &item) || item.value > max)
		return false;
	*value = item.value;
	return true;
}

static bool get_int(struct cbor_in *in, int64_t *value)
{
	struct cbor_item item;

	return cbor_get(in, &item) == CBOR_OK && cbor_as_int(&item, value);
}

static bool get_array(struct cbor_in *in, uint64_t count)
{
	struct cbor_item item;

	return get(in, CBOR_ARRAY, &item) && item.value == count;
}

static bool get_fixed(struct cbor_in *in, size_t len, const uint8_t **bytes)
{
	struct cbor_item item;

	if (!get(in, CBOR_BYTES, &item) || item.len != len)
		return false;
	*bytes = item.bytes;
	return true;
}

static bool get_name(struct cbor_in *in, const char **name, size_t *len)
{
	struct cbor_item item;

	if (!get(in, CBOR_TEXT, &item) || !name_ok(item.bytes, item.len))
		return false;
	*name = (const char *)item.bytes;
	*len = item.len;
	return true;
}

static bool get_time(struct cbor_in *in, struct store_time *time)
{
	uint64_t nsec;

	if (!get_array(in, 2) || !get_int(in, &time->sec) || !get_uint(in, 999999999, &nsec))
		return false;
	time->nsec = (uint32_t)nsec;
	return true;
}

static bool get_base(struct cbor_in *in, struct store_dump *d)
{
	struct cbor_item item;

	if (!get(in, CBOR_BYTES, &item) || item.len == 0 || item.len > 65535 ||
		item.bytes[0] != '/' || memchr(item.bytes, 0, item.len) != NULL)
		return false;
	d->base = item.bytes;
	d->base_len = item.len;
	return true;
}

static bool get_paths(struct cbor_in *in, struct store_dump *d)
{
	struct cbor_item item;
	size_t i;

	if (!get(in, CBOR_ARRAY, &item) || item.value > STORE_PATHS_MAX)
		return false;
	d->path_count = item.value;
	d->paths = in->at;
	for (i = 0; i < d->path_count; i++)
		if (!get(in, CBOR_BYTES, &item))
			return false;
	d->paths_len = (size_t)(in->at - d->paths);
	return true;
}

/* A row of items of `size` bytes each, at most `max`. */
static bool get_row(struct cbor_in *in, size_t size, size_t max, const uint8_t **row, size_t *count)
{
	struct cbor_item item;

	if (!get(in, CBOR_BYTES, &item) || item.len % size != 0 || item.len / size > max)
		return false;
	*row = item.bytes;
	*count = item.len / size;
	return true;
}

static bool get_wraps(struct cbor_in *in, struct store_dump *d)
{
	d->sealed = true;
	return get_array(in, 2) && get_fixed(in, 32, &d->ephemeral) &&
	       get_row(in, STORE_WRAP_LEN, STORE_WRAPS_MAX, &d->wraps, &d->wrap_count) &&
	       d->wrap_count > 0;
}

/* The keys, each with a bit; those before LOCK are required, but WRAPS. */
enum {
	FORMAT,
	ID,
	AGENT,
	NAME,
	DOMAIN,
	BEGAN,
	ENDED,
	BASE,
	PATHS,
	SUMS,
	MANIFEST,
	CHUNKS,
	LISTS,
	WRAPS,
	LOCK,
	FEWER,
	JOB,
	KEYS
};
static const char *const keys[KEYS] = {
	"F", "I", "A", "N", "D", "t", "e", "b", "p", "s", "M", "C", "L", "W", "l", "u", "j"};

static bool get_value(struct cbor_in *in, int key, struct store_dump *d, uint64_t *version)
{
	switch (key) {
	case FORMAT:
		return get_uint(in, UINT64_MAX, version);
	case ID:
		return get_fixed(in, STORE_DUMP_ID, &d->id);
	case AGENT:
		return get_name(in, &d->agent, &d->agent_len);
	case NAME:
		return get_name(in, &d->name, &d->name_len);
	case DOMAIN:
		return get_fixed(in, STORE_DOMAIN_LEN, &d->domain);
	case BEGAN:
		return get_time(in, &d->began);
	case ENDED:
		return get_time(in, &d->ended);
	case BASE:
		return get_base(in, d);
	case PATHS:
		return get_paths(in, d);
	case SUMS:
		return get_array(in, 3) && get_uint(in, UINT64_MAX, &d->entries) &&
		       get_uint(in, UINT64_MAX, &d->content) &&
		       get_uint(in, UINT64_MAX, &d->statuses);
	case MANIFEST:
		return get_array(in, 2) && get_uint(in, STORE_CHUNKS_MAX, &d->manifest_chunks) &&
		       get_uint(in, UINT64_MAX, &d->manifest_len);
	case CHUNKS:
		return get_uint(in, STORE_CHUNKS_MAX, &d->chunks);
	case LISTS:
		return get_row(in, STORE_ID_LEN, STORE_LIST_PIECES, &d->lists, &d->list_count);
	case WRAPS:
		return get_wraps(in, d);
	case LOCK:
		return get_int(in, &d->lock);
	case FEWER:
		return get_uint(in, UINT64_MAX, &d->fewer_than);
	case JOB:
		return get_array(in, 2) && get_int(in, &d->slot) &&
		       get_fixed(in, STORE_PLAN_LEN, &d->plan);
	default: /* a key that is not known here, and may be ignored */
		return cbor_skip(in, SKIP_DEPTH) == CBOR_OK;
	}
}

static int key_of(const struct cbor_item *item)
{
	int i;

	for (i = 0; i < KEYS; i++)
		if (cbor_is_text(item, keys[i]))
			return i;
	return KEYS;
}

static int get_map(struct cbor_in *in, struct store_dump *d, struct err *err)
{
	struct cbor_item map, item;
	uint64_t i, version = 0;
	unsigned seen = 0;
	int key;

	if (!get(in, CBOR_MAP, &map))
		return err_set(err, ERR_FORMAT, "malformed dump record");
	for (i = 0; i < map.value; i++) {
		if (!get(in, CBOR_TEXT, &item) || item.len == 0)
			return err_set(err, ERR_FORMAT, "malformed dump record");
		key = key_of(&item);
		if (key == KEYS && item.bytes[0] >= 'A' && item.bytes[0] <= 'Z')
			return err_set(err, ERR_UNSUPPORTED,
				"dump record refused: unknown key \"%.*s\"",
				(int)(item.len < 16 ? item.len : 16), (const char *)item.bytes);
		if (key < KEYS && (seen & 1u << key || !get_value(in, key, d, &version)))
			return err_set(
				err, ERR_FORMAT, "malformed dump record: key \"%s\"", keys[key]);
		if (key == KEYS && !get_value(in, key, d, &version))
			return err_set(err, ERR_FORMAT, "malformed dump record");
		seen |= key < KEYS ? 1u << key : 0;
		if (seen & 1u << FORMAT && version != VERSION)
			return err_set(err, ERR_UNSUPPORTED, "dump record of version %llu",
				(unsigned long long)version);
	}
	if ((~seen & ((1u << WRAPS) - 1)) != 0 || in->at != in->end)
		return err_set(err, ERR_FORMAT, "malformed dump record: a key is missing");
	if (d->manifest_chunks > d->chunks ||
		d->chunks > (uint64_t)d->list_count * STORE_LIST_MAX || d->chunks < d->list_count)
		return err_set(err, ERR_FORMAT, "dump record: its numbers do not agree");
	return 0;
}

int store_dump_get(struct store_dump *d, const uint8_t *bytes, size_t len, struct err *err)
{
	struct cbor_in in;

	if (len <= STORE_MAC_LEN || len > STORE_DUMP_MAX)
		return err_set(err, ERR_FORMAT, "dump record of %zu bytes", len);
	*d = (struct store_dump){
		.mac = bytes,
		.signed_at = bytes + STORE_MAC_LEN,
		.signed_len = len - STORE_MAC_LEN,
	};
	cbor_in_init(&in, d->signed_at, d->signed_len);
	return get_map(&in, d, err);
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
