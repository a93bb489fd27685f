/* One writer and one reader for all rows. */
#include "cmd/manager/row.h"

#include <assert.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "rpc/param.h"

/* --- tables ---------------------------------------------------------------- */

#define FIELD(row, type, member)                                                                   \
	{                                                                                          \
#member, MANAGER_ROW_##type, false, offsetof(struct row, member),                  \
			sizeof(((struct row *)0)->member)                                          \
	}
#define TIME(row, member)                                                                          \
	{                                                                                          \
#member, MANAGER_ROW_INT, true, offsetof(struct row, member), sizeof(int64_t)      \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, 0, false, 0, 0                                                               \
	}

const struct manager_row_field manager_host_fields[] = {
	FIELD(manager_host_row, TEXT, name),
	FIELD(manager_host_row, TEXT, role),
	FIELD(manager_host_row, TEXT, host),
	TIME(manager_host_row, since),
	TIME(manager_host_row, seen),
	FIELD(manager_host_row, TEXT, address),
	FIELD(manager_host_row, TEXT, version),
	FIELD(manager_host_row, BYTES, boot),
	FIELD(manager_host_row, BYTES, boot_before),
	FIELD(manager_host_row, TEXT, address_before),
	TIME(manager_host_row, cloned),
	FIELD(manager_host_row, INT, clock_off),
	TIME(manager_host_row, expires),
	FIELD(manager_host_row, BOOL, up),
	FIELD(manager_host_row, BOOL, denied),
	FIELD(manager_host_row, BYTES, journal),
	FIELD(manager_host_row, UINT, acked),
	FIELD(manager_host_row, TEXT, follows),
	FIELD(manager_host_row, BYTES, digest),
	FIELD(manager_host_row, BOOL, differs),
	FIELD(manager_host_row, BOOL, overdue),
	FIELD(manager_host_row, TEXT, refused),
	FIELD(manager_host_row, BYTES, uid),
	FIELD(manager_host_row, BYTES, key),
	FIELD(manager_host_row, TEXT, reach),
	FIELD(manager_host_row, UINT, size),
	FIELD(manager_host_row, UINT, used),
	FIELD(manager_host_row, UINT, free),
	FIELD(manager_host_row, UINT, damaged),
	FIELD(manager_host_row, TEXT, fault),
	END,
};

const struct manager_row_field manager_last_fields[] = {
	FIELD(manager_last_row, TEXT, agent),
	FIELD(manager_last_row, TEXT, job),
	FIELD(manager_last_row, BOOL, running),
	FIELD(manager_last_row, BOOL, held),
	FIELD(manager_last_row, BYTES, run),
	TIME(manager_last_row, started),
	TIME(manager_last_row, ended),
	FIELD(manager_last_row, UINT, result),
	TIME(manager_last_row, kept_slot),
	TIME(manager_last_row, kept_started),
	TIME(manager_last_row, kept_ended),
	FIELD(manager_last_row, UINT, copies),
	FIELD(manager_last_row, UINT, entries),
	FIELD(manager_last_row, UINT, content),
	FIELD(manager_last_row, UINT, content_before),
	FIELD(manager_last_row, UINT, fewer_than),
	FIELD(manager_last_row, BOOL, changed),
	FIELD(manager_last_row, TEXT, text),
	END,
};

const struct manager_row_field manager_run_fields[] = {
	FIELD(manager_run_row, TEXT, agent),
	FIELD(manager_run_row, TEXT, job),
	FIELD(manager_run_row, TEXT, result),
	FIELD(manager_run_row, BYTES, run),
	FIELD(manager_run_row, BYTES, dump),
	TIME(manager_run_row, slot),
	TIME(manager_run_row, started),
	TIME(manager_run_row, ended),
	FIELD(manager_run_row, UINT, copies),
	FIELD(manager_run_row, UINT, entries),
	FIELD(manager_run_row, UINT, content),
	FIELD(manager_run_row, UINT, read),
	FIELD(manager_run_row, UINT, stored),
	FIELD(manager_run_row, UINT, problems),
	FIELD(manager_run_row, TEXT, text),
	FIELD(manager_run_row, BLOB, record),
	END,
};

const struct manager_row_field manager_status_fields[] = {
	FIELD(manager_status_row, TEXT, agent),
	FIELD(manager_status_row, TEXT, job),
	FIELD(manager_status_row, TEXT, state),
	FIELD(manager_status_row, TEXT, reason),
	TIME(manager_status_row, last),
	TIME(manager_status_row, next),
	TIME(manager_status_row, due),
	TIME(manager_status_row, kept),
	FIELD(manager_status_row, UINT, severity),
	FIELD(manager_status_row, UINT, bytes),
	FIELD(manager_status_row, UINT, entries),
	FIELD(manager_status_row, UINT, rate),
	FIELD(manager_status_row, UINT, total),
	END,
};

const struct manager_row_field manager_alarm_fields[] = {
	FIELD(manager_alarm_row, TEXT, alarm),
	FIELD(manager_alarm_row, TEXT, kind),
	FIELD(manager_alarm_row, TEXT, role),
	FIELD(manager_alarm_row, TEXT, name),
	FIELD(manager_alarm_row, TEXT, job),
	FIELD(manager_alarm_row, TEXT, state),
	FIELD(manager_alarm_row, TEXT, reason),
	FIELD(manager_alarm_row, BOOL, critical),
	TIME(manager_alarm_row, since),
	TIME(manager_alarm_row, kept),
	FIELD(manager_alarm_row, TEXT, told),
	END,
};

const struct manager_row_field manager_token_fields[] = {
	FIELD(manager_token_row, TEXT, name),
	FIELD(manager_token_row, TEXT, role),
	TIME(manager_token_row, until),
	TIME(manager_token_row, used),
	FIELD(manager_token_row, BOOL, replace),
	FIELD(manager_token_row, TEXT, host),
	END,
};

const struct manager_row_field manager_denied_fields[] = {
	FIELD(manager_denied_row, TEXT, host),
	FIELD(manager_denied_row, TEXT, name),
	FIELD(manager_denied_row, TEXT, role),
	TIME(manager_denied_row, time),
	FIELD(manager_denied_row, TEXT, by),
	END,
};

const struct manager_row_field manager_audit_fields[] = {
	TIME(manager_audit_row, time),
	FIELD(manager_audit_row, TEXT, who),
	FIELD(manager_audit_row, TEXT, what),
	END,
};

const struct manager_row_field manager_order_fields[] = {
	FIELD(manager_order_row, TEXT, agent),
	FIELD(manager_order_row, TEXT, error),
	FIELD(manager_order_row, BYTES, run),
	END,
};

/* --- writing --------------------------------------------------------------- */

static bool is_set(const struct manager_row_field *f, const uint8_t *at)
{
	size_t i;

	if (f->type == MANAGER_ROW_TEXT)
		return at[0] != 0;
	if (f->type == MANAGER_ROW_BLOB)
		return ((const struct manager_blob *)(const void *)at)->len > 0;
	for (i = 0; i < f->size; i++)
		if (at[i] != 0)
			return true;
	return false;
}

static void put_value(struct cbor_out *out, const struct manager_row_field *f, const void *at)
{
	const struct manager_blob *blob = at;

	cbor_put_text(out, f->key);
	switch (f->type) {
	case MANAGER_ROW_TEXT:
		cbor_put_text(out, at);
		break;
	case MANAGER_ROW_BYTES:
		cbor_put_bytes(out, at, f->size);
		break;
	case MANAGER_ROW_INT:
		cbor_put_int(out, *(const int64_t *)at);
		break;
	case MANAGER_ROW_UINT:
		cbor_put_uint(out, *(const uint64_t *)at);
		break;
	case MANAGER_ROW_BOOL:
		cbor_put_bool(out, *(const bool *)at);
		break;
	case MANAGER_ROW_BLOB:
		cbor_put_bytes(out, blob->bytes, blob->len);
		break;
	}
}

int manager_row_put(
	struct buf *buf, const struct manager_row_field *fields, const void *row, struct err *err)
{
	uint8_t *to = buf_room(buf, MANAGER_ROW_MAX, err);
	const struct manager_row_field *f;
	struct cbor_out out;
	size_t count = 0;

	if (to == NULL)
		return -1;
	for (f = fields; f->key != NULL; f++)
		count += is_set(f, (const uint8_t *)row + f->at);
	cbor_out_init(&out, to, MANAGER_ROW_MAX);
	cbor_put_map(&out, count);
	for (f = fields; f->key != NULL; f++)
		if (is_set(f, (const uint8_t *)row + f->at))
			put_value(&out, f, (const uint8_t *)row + f->at);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

/* --- reading --------------------------------------------------------------- */

/* Returns false if the item is not what the field takes. */
static bool take_value(void *at, const struct manager_row_field *f, const struct cbor_item *item)
{
	switch (f->type) {
	case MANAGER_ROW_TEXT:
		if (item->type != CBOR_TEXT || item->len >= f->size ||
			memchr(item->bytes, 0, item->len) != NULL)
			return false;
		memcpy(at, item->bytes, item->len);
		return true;
	case MANAGER_ROW_BYTES:
		if (item->type != CBOR_BYTES || item->len != f->size)
			return false;
		memcpy(at, item->bytes, f->size);
		return true;
	case MANAGER_ROW_INT:
		return cbor_as_int(item, at);
	case MANAGER_ROW_UINT:
		*(uint64_t *)at = item->value;
		return item->type == CBOR_UINT;
	case MANAGER_ROW_BOOL:
		*(bool *)at = item->value != 0;
		return item->type == CBOR_BOOL;
	case MANAGER_ROW_BLOB:
		*(struct manager_blob *)at = (struct manager_blob){item->bytes, item->len};
		return item->type == CBOR_BYTES;
	}
	return false;
}

static const struct manager_row_field *find_field(
	const struct manager_row_field *fields, const struct cbor_item *key)
{
	for (; fields->key != NULL; fields++)
		if (cbor_is_text(key, fields->key))
			return fields;
	return NULL;
}

int manager_row_get(void *row, size_t row_size, const struct manager_row_field *fields,
	const uint8_t **bytes, size_t *len, struct err *err)
{
	const struct manager_row_field *f;
	struct cbor_item head, key, item;
	struct cbor_in in;
	uint64_t i;

	memset(row, 0, row_size);
	if (*len == 0)
		return 1;
	cbor_in_init(&in, *bytes, *len);
	if (cbor_get(&in, &head) != CBOR_OK || head.type != CBOR_MAP)
		return err_set(err, ERR_FORMAT, "row: malformed");
	for (i = 0; i < head.value; i++) {
		if (cbor_get(&in, &key) != CBOR_OK || key.type != CBOR_TEXT)
			return err_set(err, ERR_FORMAT, "row: malformed");
		f = find_field(fields, &key);
		if (f == NULL && key.len > 0 && key.bytes[0] >= 'A' && key.bytes[0] <= 'Z')
			return err_set(err, ERR_UNSUPPORTED, "row: of a later version");
		if (f == NULL) {
			if (cbor_skip(&in, RPC_DEPTH_MAX) != CBOR_OK)
				return err_set(err, ERR_FORMAT, "row: malformed");
			continue;
		}
		if (cbor_get(&in, &item) != CBOR_OK ||
			!take_value((uint8_t *)row + f->at, f, &item))
			return err_set(err, ERR_FORMAT, "row: %s: malformed", f->key);
	}
	*len -= (size_t)(in.at - *bytes);
	*bytes = in.at;
	return 0;
}
