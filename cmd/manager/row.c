/* The tables of fields for all rows. */
#include "cmd/manager/row.h"

#include <assert.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"

/* --- tables ---------------------------------------------------------------- */

/* clang-format off */
#define FIELD(row, kind, member) {CBORMAP_OF(struct row, kind, member)}
/* clang-format on */
#define TIME(row, member) FIELD(row, TIME, member)

const struct cbormap_field manager_host_fields[] = {
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
	TIME(manager_host_row, strange),
	FIELD(manager_host_row, TEXT, stranger),
	TIME(manager_host_row, replace),
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
	{0},
};

const struct cbormap_field manager_last_fields[] = {
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
	{0},
};

const struct cbormap_field manager_run_fields[] = {
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
	{.key = "record",
		.type = CBORMAP_BLOB,
		.max = MANAGER_ROW_MAX,
		CBORMAP_IN(struct manager_run_row, record)},
	{0},
};

const struct cbormap_field manager_status_fields[] = {
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
	{0},
};

const struct cbormap_field manager_alarm_fields[] = {
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
	{0},
};

const struct cbormap_field manager_token_fields[] = {
	FIELD(manager_token_row, TEXT, name),
	FIELD(manager_token_row, TEXT, role),
	TIME(manager_token_row, until),
	TIME(manager_token_row, used),
	FIELD(manager_token_row, BOOL, replace),
	FIELD(manager_token_row, TEXT, host),
	{0},
};

const struct cbormap_field manager_denied_fields[] = {
	FIELD(manager_denied_row, TEXT, host),
	FIELD(manager_denied_row, TEXT, name),
	FIELD(manager_denied_row, TEXT, role),
	TIME(manager_denied_row, time),
	FIELD(manager_denied_row, TEXT, by),
	{0},
};

const struct cbormap_field manager_audit_fields[] = {
	TIME(manager_audit_row, time),
	FIELD(manager_audit_row, TEXT, who),
	FIELD(manager_audit_row, TEXT, what),
	{0},
};

const struct cbormap_field manager_order_fields[] = {
	FIELD(manager_order_row, TEXT, agent),
	FIELD(manager_order_row, TEXT, error),
	FIELD(manager_order_row, BYTES, run),
	{0},
};

/* --- writing and reading ---------------------------------------------------- */

int manager_row_put(
	struct buf *buf, const struct cbormap_field *fields, const void *row, struct err *err)
{
	uint8_t *to = buf_room(buf, MANAGER_ROW_MAX, err);
	struct cbor_out out;

	if (to == NULL)
		return -1;
	cbor_out_init(&out, to, MANAGER_ROW_MAX);
	cbormap_put(&out, fields, row);
	assert(!cbor_out_full(&out));
	buf_took(buf, cbor_out_len(&out));
	return 0;
}

int manager_row_get(void *row, size_t row_size, const struct cbormap_field *fields,
	const uint8_t **bytes, size_t *len, struct err *err)
{
	struct cbormap_value values[CBORMAP_FIELDS_MAX];
	struct cbor_in in;

	memset(row, 0, row_size);
	if (*len == 0)
		return 1;
	cbor_in_init(&in, *bytes, *len);
	if (cbormap_take(values, fields, &in, err) != 0)
		return err_prefix(err, "row");
	cbormap_store(row, fields, values);
	*len -= (size_t)(in.at - *bytes);
	*bytes = in.at;
	return 0;
}
