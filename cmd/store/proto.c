#include "cmd/store/proto.h"

#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"

#define PARAM(member) CBORMAP_IN(struct store_params, member)

const struct cbormap_field store_begin_fields[] = {
	{.key = "run", CBORMAP_FIXED(STORE_RUN_LEN), .need = true, PARAM(run)},
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true, PARAM(domain)},
	{.key = "name", .type = CBORMAP_NAME, PARAM(name)},
	{.key = "base", CBORMAP_FIXED(STORE_DUMP_ID), PARAM(dump)},
	{.key = "public", CBORMAP_FIXED(SEAL_SIGN_LEN), PARAM(public)},
	{.key = "proof", CBORMAP_FIXED(SEAL_SIG_LEN), PARAM(proof)},
	{0},
};
const struct cbormap_field store_have_fields[] = {
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true, PARAM(domain)},
	{.key = "ids",
		.type = CBORMAP_BLOB,
		.need = true,
		.max = STORE_HAVE_MAX * STORE_ID_LEN,
		PARAM(ids)},
	{0},
};
const struct cbormap_field store_put_fields[] = {
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true, PARAM(domain)},
	{.key = "id", CBORMAP_FIXED(STORE_ID_LEN), .need = true, PARAM(id)},
	{.key = "size", .type = CBORMAP_UINT, .need = true, .max = STORE_RECORD_MAX, PARAM(size)},
	{0},
};
const struct cbormap_field store_commit_fields[] = {
	{.key = "time", .type = CBORMAP_INT, PARAM(first.time)},
	{.key = "store", CBORMAP_FIXED(STORE_UID_LEN), PARAM(first.store)},
	{.key = "signature", CBORMAP_FIXED(SEAL_SIG_LEN), PARAM(first.signature)},
	{0},
};
const struct cbormap_field store_end_fields[] = {
	{.key = "run", CBORMAP_FIXED(STORE_RUN_LEN), .need = true, PARAM(run)},
	{0},
};
const struct cbormap_field store_dumps_fields[] = {
	{.key = "agent", .type = CBORMAP_NAME, PARAM(agent)},
	{.key = "name", .type = CBORMAP_NAME, PARAM(name)},
	{.key = "after", .type = CBORMAP_UINT, PARAM(after)},
	{0},
};
const struct cbormap_field store_dump_fields[] = {
	{.key = "dump", CBORMAP_FIXED(STORE_DUMP_ID), .need = true, PARAM(dump)},
	{.key = "until", .type = CBORMAP_INT, PARAM(until)},
	{0},
};
const struct cbormap_field store_get_fields[] = {
	{.key = "domain", CBORMAP_FIXED(STORE_DOMAIN_LEN), .need = true, PARAM(domain)},
	{.key = "id", CBORMAP_FIXED(STORE_ID_LEN), .need = true, PARAM(id)},
	{0},
};

#define GREETING(member) CBORMAP_IN(struct store_greeting, member)

const struct cbormap_field store_about_fields[STORE_ABOUT_FIELDS + 1] = {
	{.key = "uid", CBORMAP_FIXED(STORE_UID_LEN), .need = true, GREETING(uid)},
	{.key = "public", CBORMAP_FIXED(SEAL_SIGN_LEN), .need = true, GREETING(public)},
	{.key = "version", .type = CBORMAP_TEXT, .need = true, GREETING(version)},
	{.key = "time", .type = CBORMAP_INT, .need = true, GREETING(about.time)},
	{.key = "free", .type = CBORMAP_UINT, .need = true, GREETING(about.free)},
	{.key = "reserve", .type = CBORMAP_UINT, .need = true, GREETING(about.reserve)},
	{.key = "size", .type = CBORMAP_UINT, GREETING(about.size)},
	{.key = "used", .type = CBORMAP_UINT, GREETING(about.used)},
	[STORE_ABOUT_OWN_USED] = {.key = "own_used",
		.type = CBORMAP_UINT,
		GREETING(about.own_used)},
	{.key = "own_quota", .type = CBORMAP_UINT, GREETING(about.own_quota)},
	{.key = "lock_max", .type = CBORMAP_INT, GREETING(about.lock_max_sec)},
	{0},
};
const struct cbormap_field store_flag_fields[] = {
	{.key = "is", .type = CBORMAP_BOOL, .need = true, .size = sizeof(bool)},
	{0},
};
const struct cbormap_field store_bits_fields[] = {
	{.key = "has",
		.type = CBORMAP_BLOB,
		.need = true,
		.max = (STORE_HAVE_MAX + 7) / 8,
		.size = sizeof(struct cbormap_blob)},
	{0},
};

#define RESULT(member) CBORMAP_IN(struct store_commit_result, member)

const struct cbormap_field store_result_fields[] = {
	{.key = "time", .type = CBORMAP_INT, RESULT(receipt.time)},
	{.key = "signature", CBORMAP_FIXED(SEAL_SIG_LEN), RESULT(receipt.signature)},
	{.key = "missing", .type = CBORMAP_BOOL, RESULT(missing)},
	{0},
};

#define ENTRY(member) CBORMAP_IN(struct store_entry, member)

enum { ENTRY_ID = 6, ENTRY_RECORD, ENTRY_ITEMS };
static const struct cbormap_field entry_items[] = {
	{CBORMAP_OF(struct store_entry, UINT, seq)},
	{CBORMAP_OF(struct store_entry, INT, committed)},
	{CBORMAP_OF(struct store_entry, INT, lock)},
	{CBORMAP_OF(struct store_entry, BOOL, damaged)},
	{CBORMAP_OF(struct store_entry, BOOL, copied)},
	{.key = "signature", CBORMAP_FIXED(SEAL_SIG_LEN), ENTRY(receipt.signature)},
	[ENTRY_ID] = {.key = "id", CBORMAP_FIXED(STORE_DUMP_ID)},
	[ENTRY_RECORD] = {.key = "record", .type = CBORMAP_ANY}, /* bytes, or null */
	[ENTRY_ITEMS] = {0},
};

int store_entry_put(struct buf *out, const struct store_entry *e, struct err *err)
{
	size_t room = 9 * (size_t)CBOR_HEAD_MAX + SEAL_SIG_LEN + STORE_DUMP_ID + e->record_len;
	uint8_t *to = buf_room(out, room, err);
	const struct cbormap_field *i;
	struct cbor_out o;

	if (to == NULL)
		return -1;
	cbor_out_init(&o, to, room);
	cbor_put_array(&o, ENTRY_ITEMS);
	for (i = entry_items; i < entry_items + ENTRY_ID; i++)
		cbormap_put_item(&o, i, (const uint8_t *)e + i->at);
	cbor_put_bytes(&o, e->dump.id, STORE_DUMP_ID);
	if (e->record != NULL)
		cbor_put_bytes(&o, e->record, e->record_len);
	else
		cbor_put_null(&o);
	buf_took(out, cbor_out_len(&o));
	return 0;
}

int store_entry_next(struct cbor_in *in, const uint8_t uid[STORE_UID_LEN], struct store_entry *e,
	struct err *err)
{
	struct cbormap_value v[ENTRY_ITEMS];
	struct cbor_item record = {0};
	struct cbor_in any;

	*e = (struct store_entry){0};
	if (in->at == in->end)
		return 1;
	if (cbormap_take_tuple(v, entry_items, in, err) != 0)
		return err_prefix(err, "list of dumps");
	cbormap_store(e, entry_items, v);
	e->dump.id = v[ENTRY_ID].bytes;
	cbor_in_init(&any, v[ENTRY_RECORD].bytes, v[ENTRY_RECORD].len);
	cbor_get(&any, &record);
	if (record.type == CBOR_NULL)
		return 0;
	if (record.type != CBOR_BYTES)
		return err_set(err, ERR_FORMAT, "list of dumps: record: expected a byte string");
	e->record = record.bytes;
	e->record_len = record.len;
	if (store_dump_get(&e->dump, e->record, e->record_len, err) != 0)
		return -1;
	e->receipt.time = e->committed;
	memcpy(e->receipt.store, uid, STORE_UID_LEN);
	memcpy(e->receipt.dump, v[ENTRY_ID].bytes, STORE_DUMP_ID);
	hash_sha256(e->record, e->record_len, e->receipt.record);
	return 0;
}
