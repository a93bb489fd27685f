#include "cmd/store/proto.h"

#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"

const struct cbormap_field store_begin_fields[] = {
	{.key = "run", CBORMAP_FIXED(STORE_RUN_LEN), .need = true},
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true},
	{.key = "name", .type = CBORMAP_NAME},
	{.key = "base", CBORMAP_FIXED(STORE_DUMP_ID)},
	{.key = "public", CBORMAP_FIXED(SEAL_SIGN_LEN)},
	{.key = "proof", CBORMAP_FIXED(SEAL_SIG_LEN)},
	{0},
};
const struct cbormap_field store_have_fields[] = {
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true},
	{.key = "ids", .type = CBORMAP_BYTES, .need = true, .max = STORE_HAVE_MAX * STORE_ID_LEN},
	{0},
};
const struct cbormap_field store_put_fields[] = {
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true},
	{.key = "id", CBORMAP_FIXED(STORE_ID_LEN), .need = true},
	{.key = "size", .type = CBORMAP_UINT, .need = true, .max = STORE_RECORD_MAX},
	{0},
};
const struct cbormap_field store_commit_fields[] = {
	{.key = "time", .type = CBORMAP_INT},
	{0},
};
const struct cbormap_field store_end_fields[] = {
	{.key = "run", CBORMAP_FIXED(STORE_RUN_LEN), .need = true},
	{0},
};
const struct cbormap_field store_dumps_fields[] = {
	{.key = "agent", .type = CBORMAP_NAME},
	{.key = "name", .type = CBORMAP_NAME},
	{.key = "newest", .type = CBORMAP_BOOL},
	{.key = "after", .type = CBORMAP_UINT},
	{0},
};
const struct cbormap_field store_dump_fields[] = {
	{.key = "dump", CBORMAP_FIXED(STORE_DUMP_ID), .need = true},
	{.key = "until", .type = CBORMAP_INT},
	{0},
};
const struct cbormap_field store_get_fields[] = {
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true},
	{.key = "id", CBORMAP_FIXED(STORE_ID_LEN), .need = true},
	{0},
};

const struct cbormap_field store_about_fields[] = {
	{.key = "uid", CBORMAP_FIXED(STORE_UID_LEN), .need = true},
	{.key = "public", CBORMAP_FIXED(SEAL_SIGN_LEN), .need = true},
	{.key = "version", .type = CBORMAP_TEXT, .need = true, .max = 64},
	{.key = "time", .type = CBORMAP_INT, .need = true},
	{.key = "free", .type = CBORMAP_UINT, .need = true},
	{.key = "reserve", .type = CBORMAP_UINT, .need = true},
	{0},
};
const struct cbormap_field store_flag_fields[] = {
	{.key = "is", .type = CBORMAP_BOOL, .need = true},
	{0},
};
const struct cbormap_field store_bits_fields[] = {
	{.key = "has", .type = CBORMAP_BYTES, .need = true, .max = (STORE_HAVE_MAX + 7) / 8},
	{0},
};
const struct cbormap_field store_receipt_fields[] = {
	{.key = "time", .type = CBORMAP_INT},
	{.key = "signature", CBORMAP_FIXED(SEAL_SIG_LEN)},
	{.key = "missing", .type = CBORMAP_BOOL},
	{0},
};

int store_entry_put(struct buf *out, const struct store_entry *e, struct err *err)
{
	size_t room = 9 * (size_t)CBOR_HEAD_MAX + SEAL_SIG_LEN + STORE_DUMP_ID + e->record_len;
	uint8_t *to = buf_room(out, room, err);
	struct cbor_out o;

	if (to == NULL)
		return -1;
	cbor_out_init(&o, to, room);
	cbor_put_array(&o, 8);
	cbor_put_uint(&o, e->seq);
	cbor_put_int(&o, e->committed);
	cbor_put_int(&o, e->lock);
	cbor_put_bool(&o, e->damaged);
	cbor_put_bool(&o, e->copied);
	cbor_put_bytes(&o, e->receipt.signature, SEAL_SIG_LEN);
	cbor_put_bytes(&o, e->dump.id, STORE_DUMP_ID);
	if (e->record != NULL)
		cbor_put_bytes(&o, e->record, e->record_len);
	else
		cbor_put_null(&o);
	buf_took(out, cbor_out_len(&o));
	return 0;
}

static bool get_bytes(struct cbor_in *in, size_t len, const uint8_t **bytes)
{
	struct cbor_item item;

	if (cbor_get(in, &item) != CBOR_OK || item.type != CBOR_BYTES || item.len != len)
		return false;
	*bytes = item.bytes;
	return true;
}

static bool get_int(struct cbor_in *in, int64_t *value)
{
	struct cbor_item item;

	return cbor_get(in, &item) == CBOR_OK && cbor_as_int(&item, value);
}

int store_entry_next(struct cbor_in *in, const uint8_t uid[STORE_UID_LEN], struct store_entry *e,
	struct err *err)
{
	const uint8_t *signature, *id;
	struct cbor_item item;
	int64_t damaged = 0;
	enum cbor_got got = cbor_get(in, &item);

	*e = (struct store_entry){0};
	if (got == CBOR_END)
		return 1;
	if (got != CBOR_OK || item.type != CBOR_ARRAY || item.value != 8 ||
		cbor_get(in, &item) != CBOR_OK || item.type != CBOR_UINT)
		goto malformed;
	e->seq = item.value;
	if (!get_int(in, &e->committed) || !get_int(in, &e->lock) ||
		cbor_get(in, &item) != CBOR_OK || item.type != CBOR_BOOL)
		goto malformed;
	damaged = (int64_t)item.value;
	if (cbor_get(in, &item) != CBOR_OK || item.type != CBOR_BOOL)
		goto malformed;
	e->copied = item.value != 0;
	if (!get_bytes(in, SEAL_SIG_LEN, &signature) || !get_bytes(in, STORE_DUMP_ID, &id) ||
		cbor_get(in, &item) != CBOR_OK ||
		(item.type != CBOR_BYTES && item.type != CBOR_NULL))
		goto malformed;
	e->damaged = damaged != 0;
	e->dump.id = id;
	if (item.type == CBOR_NULL)
		return 0;
	e->record = item.bytes;
	e->record_len = item.len;
	if (store_dump_get(&e->dump, e->record, e->record_len, err) != 0)
		return -1;
	e->receipt.time = e->committed;
	memcpy(e->receipt.store, uid, STORE_UID_LEN);
	memcpy(e->receipt.dump, id, STORE_DUMP_ID);
	memcpy(e->receipt.signature, signature, SEAL_SIG_LEN);
	hash_sha256(e->record, e->record_len, e->receipt.record);
	return 0;
malformed:
	return err_set(err, ERR_FORMAT, "a list of dumps is malformed");
}
