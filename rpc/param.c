/*
 * One pass over the payload with lib/cbor. A list or a nested map is checked
 * to its end when it is met; what is handed out of it is its bytes, so that
 * nothing has to be stored, and reading them again can't fail.
 */
#include "rpc/param.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/name.h"

static int get_map(struct rpc_value *values, const struct rpc_field *fields, struct cbor_in *in,
	unsigned depth, struct err *err);
static int get_value(struct rpc_value *value, const struct rpc_field *field, struct cbor_in *in,
	unsigned depth, struct err *err);

static bool is_text(const uint8_t *bytes, size_t len)
{
	size_t at = 0, n;

	while (at < len) {
		n = esc_utf8_len(bytes + at, len - at);
		if (n == 0 || bytes[at] == 0)
			return false;
		at += n;
	}
	return true;
}

static int get_string(struct rpc_value *value, const struct rpc_field *field,
	const struct cbor_item *item, struct err *err)
{
	enum cbor_kind kind = field->type == RPC_BYTES ? CBOR_BYTES : CBOR_TEXT;
	uint64_t max = field->type == RPC_NAME ? NAME_LEN_MAX : field->max;

	if (item->type != kind)
		return err_set(
			err, ERR_FORMAT, "is no %s string", kind == CBOR_TEXT ? "text" : "byte");
	if (item->len < field->min || item->len > max)
		return err_set(err, ERR_LIMIT, "is %zu bytes long, at most %llu are allowed",
			item->len, (unsigned long long)max);
	if (field->type == RPC_TEXT && !is_text(item->bytes, item->len))
		return err_set(err, ERR_FORMAT, "is no well-formed text");
	if (field->type == RPC_NAME && !name_ok(item->bytes, item->len))
		return err_set(err, ERR_FORMAT, "is not a name: " NAME_RULE);
	value->bytes = item->bytes;
	value->len = item->len;
	return 0;
}

static int get_number(struct rpc_value *value, const struct rpc_field *field,
	const struct cbor_item *item, struct err *err)
{
	if (field->type == RPC_INT)
		return cbor_as_int(item, &value->integer)
			       ? 0
			       : err_set(err, ERR_FORMAT, "is no integer");
	if (item->type != (field->type == RPC_BOOL ? CBOR_BOOL : CBOR_UINT))
		return err_set(err, ERR_FORMAT, "is of another type");
	value->number = item->value;
	if (field->type == RPC_UINT && (item->value < field->min || item->value > field->max))
		return err_set(err, ERR_LIMIT, "is %llu, out of its range",
			(unsigned long long)item->value);
	return 0;
}

static int get_list(struct rpc_value *value, const struct rpc_field *field, struct cbor_in *in,
	const struct cbor_item *head, unsigned depth, struct err *err)
{
	struct rpc_value item;
	uint64_t i;

	if (head->type != CBOR_ARRAY)
		return err_set(err, ERR_FORMAT, "is no list");
	if (head->value < field->min || head->value > field->max)
		return err_set(err, ERR_LIMIT, "has %llu items, at most %llu are allowed",
			(unsigned long long)head->value, (unsigned long long)field->max);
	value->number = head->value;
	value->bytes = in->at;
	for (i = 0; i < head->value; i++)
		if (get_value(&item, field->of, in, depth - 1, err) != 0)
			return -1;
	value->len = (size_t)(in->at - value->bytes);
	return 0;
}

/* A nested map is checked here with values that nobody keeps. */
#define SUB_FIELDS_MAX 24

static int get_sub(struct rpc_value *value, const struct rpc_field *field, struct cbor_in *in,
	unsigned depth, struct err *err)
{
	struct rpc_value values[SUB_FIELDS_MAX];
	size_t i;

	for (i = 0; field->sub[i].type != 0; i++)
		assert(i < SUB_FIELDS_MAX);
	value->bytes = in->at;
	if (get_map(values, field->sub, in, depth - 1, err) != 0)
		return -1;
	value->len = (size_t)(in->at - value->bytes);
	return 0;
}

static int get_value(struct rpc_value *value, const struct rpc_field *field, struct cbor_in *in,
	unsigned depth, struct err *err)
{
	struct cbor_item item;

	assert(depth > 0);
	*value = (struct rpc_value){.has = true};
	if (field->type == RPC_MAP)
		return get_sub(value, field, in, depth, err);
	if (cbor_get(in, &item) != CBOR_OK)
		return err_set(err, ERR_FORMAT, "is malformed");
	switch (field->type) {
	case RPC_UINT:
	case RPC_INT:
	case RPC_BOOL:
		return get_number(value, field, &item, err);
	case RPC_LIST:
		return get_list(value, field, in, &item, depth, err);
	default:
		return get_string(value, field, &item, err);
	}
}

/* Which field has this key; the table's end if none has. */
static size_t find(const struct rpc_field *fields, const struct cbor_item *key)
{
	size_t i;

	for (i = 0; fields[i].type != 0; i++)
		if (cbor_is_text(key, fields[i].key))
			break;
	return i;
}

static int get_pair(struct rpc_value *values, const struct rpc_field *fields, struct cbor_in *in,
	unsigned depth, struct err *err)
{
	struct cbor_item key;
	char name[64];
	size_t i;

	if (cbor_get(in, &key) != CBOR_OK || key.type != CBOR_TEXT || key.len == 0)
		return err_set(err, ERR_FORMAT, "parameters: a key is no text");
	esc_name(name, sizeof name, key.bytes, key.len);
	i = find(fields, &key);
	if (fields[i].type == 0) {
		if (key.bytes[0] >= 'A' && key.bytes[0] <= 'Z')
			return err_set(err, ERR_UNSUPPORTED,
				"parameter '%s': unknown, and must be understood", name);
		if (cbor_skip(in, RPC_DEPTH_MAX) != CBOR_OK)
			return err_set(err, ERR_FORMAT, "parameter '%s': is malformed", name);
		return 0;
	}
	if (values[i].has)
		return err_set(err, ERR_FORMAT, "parameter '%s': comes twice", name);
	if (get_value(&values[i], &fields[i], in, depth, err) != 0)
		return err_prefix(err, "parameter '%s'", name);
	return 0;
}

static int get_map(struct rpc_value *values, const struct rpc_field *fields, struct cbor_in *in,
	unsigned depth, struct err *err)
{
	struct cbor_item head;
	uint64_t i;

	for (i = 0; fields[i].type != 0; i++)
		values[i] = (struct rpc_value){0};
	if (cbor_get(in, &head) != CBOR_OK || head.type != CBOR_MAP)
		return err_set(err, ERR_FORMAT, "parameters: no map");
	/* Each pair takes two bytes at least, so the input bounds this. */
	for (i = 0; i < head.value; i++)
		if (get_pair(values, fields, in, depth, err) != 0)
			return -1;
	for (i = 0; fields[i].type != 0; i++)
		if (fields[i].need && !values[i].has)
			return err_set(
				err, ERR_FORMAT, "parameter '%s': is missing", fields[i].key);
	return 0;
}

int rpc_params_get(struct rpc_value *values, const struct rpc_field *fields, const void *bytes,
	size_t len, struct err *err)
{
	static const uint8_t empty_map = 0xa0;
	struct cbor_in in;

	if (len == 0)
		cbor_in_init(&in, &empty_map, 1);
	else
		cbor_in_init(&in, bytes, len);
	if (get_map(values, fields, &in, RPC_DEPTH_MAX, err) != 0)
		return -1;
	if (in.at != in.end)
		return err_set(err, ERR_FORMAT, "parameters: bytes behind their end");
	return 0;
}

bool rpc_list_next(struct rpc_value *list, const struct rpc_field *of, struct rpc_value *item)
{
	struct cbor_in in;
	int got;

	if (list->number == 0)
		return false;
	cbor_in_init(&in, list->bytes, list->len);
	got = get_value(item, of, &in, RPC_DEPTH_MAX, NULL);
	assert(got == 0);
	(void)got;
	list->number--;
	list->len = (size_t)(in.end - in.at);
	list->bytes = in.at;
	return true;
}
