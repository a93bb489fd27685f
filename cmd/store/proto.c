#include "cmd/store/proto.h"

#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"

#define BYTES(k, n)                                                                                \
	{                                                                                          \
		.key = k, .type = RPC_BYTES, .need = true, .min = n, .max = n                      \
	}
#define MAYBE(k, n)                                                                                \
	{                                                                                          \
		.key = k, .type = RPC_BYTES, .min = n, .max = n                                    \
	}
#define NUMBER(k, to)                                                                              \
	{                                                                                          \
		.key = k, .type = RPC_UINT, .need = true, .max = to                                \
	}

const struct rpc_field store_begin_fields[] = {BYTES("run", STORE_RUN_LEN),
	BYTES("domain", STORE_DOMAIN_LEN), {.key = "name", .type = RPC_NAME},
	MAYBE("base", STORE_DUMP_ID), MAYBE("public", SEAL_SIGN_LEN), MAYBE("proof", SEAL_SIG_LEN),
	{0}};
const struct rpc_field store_have_fields[] = {BYTES("domain", STORE_DOMAIN_LEN),
	{.key = "ids", .type = RPC_BYTES, .need = true, .max = STORE_HAVE_MAX * STORE_ID_LEN}, {0}};
const struct rpc_field store_put_fields[] = {BYTES("domain", STORE_DOMAIN_LEN),
	BYTES("id", STORE_ID_LEN), NUMBER("size", STORE_RECORD_MAX), {0}};
const struct rpc_field store_commit_fields[] = {{.key = "time", .type = RPC_INT},
	MAYBE("store", STORE_UID_LEN), MAYBE("signature", SEAL_SIG_LEN), {0}};
const struct rpc_field store_end_fields[] = {BYTES("run", STORE_RUN_LEN), {0}};
const struct rpc_field store_dumps_fields[] = {{.key = "agent", .type = RPC_NAME},
	{.key = "name", .type = RPC_NAME}, {.key = "newest", .type = RPC_BOOL},
	{.key = "after", .type = RPC_UINT, .max = UINT64_MAX}, {0}};
const struct rpc_field store_dump_fields[] = {
	BYTES("dump", STORE_DUMP_ID), {.key = "until", .type = RPC_INT}, {0}};
const struct rpc_field store_get_fields[] = {
	BYTES("domain", STORE_DOMAIN_LEN), BYTES("id", STORE_ID_LEN), {0}};

const struct rpc_field store_about_fields[] = {BYTES("uid", STORE_UID_LEN),
	BYTES("public", SEAL_SIGN_LEN),
	{.key = "version", .type = RPC_TEXT, .need = true, .max = 64},
	{.key = "time", .type = RPC_INT, .need = true}, NUMBER("free", UINT64_MAX),
	NUMBER("reserve", UINT64_MAX), {.key = "size", .type = RPC_UINT, .max = UINT64_MAX},
	{.key = "used", .type = RPC_UINT, .max = UINT64_MAX},
	{.key = "own_used", .type = RPC_UINT, .max = UINT64_MAX},
	{.key = "own_quota", .type = RPC_UINT, .max = UINT64_MAX},
	{.key = "lock_max", .type = RPC_INT}, {0}};
const struct rpc_field store_flag_fields[] = {{.key = "is", .type = RPC_BOOL, .need = true}, {0}};
const struct rpc_field store_bits_fields[] = {
	{.key = "has", .type = RPC_BYTES, .need = true, .max = (STORE_HAVE_MAX + 7) / 8}, {0}};
const struct rpc_field store_receipt_fields[] = {{.key = "time", .type = RPC_INT},
	MAYBE("signature", SEAL_SIG_LEN), {.key = "missing", .type = RPC_BOOL}, {0}};

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
