/*
 * One pass over the input with lib/cbor. A list or a nested map is checked to
 * its end at once, and returned as the bytes it takes. So nothing has to be
 * stored, and reading the bytes again can't fail.
 */
#include "lib/cbormap.h"

#include <assert.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/name.h"

static int get_map(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, unsigned depth, struct err *err);
static int get_tuple(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, unsigned depth, struct err *err);

/* --- limits ----------------------------------------------------------------- */

static uint64_t least(const struct cbormap_field *f)
{
	return f->type == CBORMAP_BYTES && f->size > 0 ? f->size : f->min;
}

static uint64_t most(const struct cbormap_field *f)
{
	if (f->max != 0)
		return f->max;
	switch (f->type) {
	case CBORMAP_UINT:
	case CBORMAP_VERSION:
		return f->size == sizeof(uint32_t) ? UINT32_MAX : UINT64_MAX;
	case CBORMAP_NAME:
		return NAME_LEN_MAX;
	case CBORMAP_BYTES:
		return f->size;
	case CBORMAP_TEXT:
		return f->size > 0 ? f->size - 1 : 0;
	case CBORMAP_LIST:
		return f->size > 0 ? f->size / f->of->size : 0;
	default:
		return 0;
	}
}

static int beyond_limits(
	const struct cbormap_field *f, uint64_t number, const char *unit, struct err *err)
{
	if (f->type == CBORMAP_VERSION)
		return err_set(err, ERR_UNSUPPORTED, "unsupported version %llu",
			(unsigned long long)number);
	if (least(f) == most(f))
		return err_set(err, ERR_FORMAT, "%llu%s, expected %llu", (unsigned long long)number,
			unit, (unsigned long long)most(f));
	return err_set(err, ERR_LIMIT, "%llu%s, expected %llu to %llu", (unsigned long long)number,
		unit, (unsigned long long)least(f), (unsigned long long)most(f));
}

static bool is_within(const struct cbormap_field *f, uint64_t number)
{
	return number >= least(f) && number <= most(f);
}

/* --- reading ---------------------------------------------------------------- */

/* How many of the bytes are well-formed UTF-8 without a NUL. */
static size_t text_len(const uint8_t *bytes, size_t len)
{
	size_t at = 0, n;

	while (at < len && bytes[at] != 0 && (n = esc_utf8_len(bytes + at, len - at)) > 0)
		at += n;
	return at;
}

static int get_string(struct cbormap_value *value, const struct cbormap_field *field,
	const struct cbor_item *item, struct err *err)
{
	bool text = field->type == CBORMAP_TEXT || field->type == CBORMAP_NAME;

	if (item->type != (text ? CBOR_TEXT : CBOR_BYTES))
		return err_set(err, ERR_FORMAT, "expected a %s string", text ? "text" : "byte");
	if (!is_within(field, item->len))
		return beyond_limits(field, item->len, " bytes", err);
	if (field->type == CBORMAP_TEXT && text_len(item->bytes, item->len) < item->len)
		return err_set(err, ERR_FORMAT, "not well-formed UTF-8");
	if (field->type == CBORMAP_NAME && !name_ok(item->bytes, item->len))
		return err_set(err, ERR_FORMAT, "not a name: " NAME_RULE);
	value->bytes = item->bytes;
	value->len = item->len;
	return 0;
}

static int get_list(struct cbormap_value *value, const struct cbormap_field *field,
	struct cbor_in *in, unsigned depth, struct err *err);

static int get_value(struct cbormap_value *value, const struct cbormap_field *field,
	struct cbor_in *in, unsigned depth, struct err *err)
{
	struct cbormap_value unused[CBORMAP_FIELDS_MAX];
	const uint8_t *start = in->at;
	struct cbor_item item = {0};
	int ret = 0;

	assert(depth > 0);
	*value = (struct cbormap_value){.has = true};
	if (field->type == CBORMAP_LIST)
		return get_list(value, field, in, depth, err);
	if (field->type >= CBORMAP_MAP) {
		if (field->type == CBORMAP_MAP)
			ret = get_map(unused, field->sub, in, depth - 1, err);
		else if (field->type == CBORMAP_TUPLE)
			ret = get_tuple(unused, field->sub, in, depth - 1, err);
		else if (cbor_skip(in, CBORMAP_DEPTH_MAX) != CBOR_OK)
			ret = err_set(err, ERR_FORMAT, "malformed");
		value->bytes = start;
		value->len = (size_t)(in->at - start);
		return ret;
	}
	if (cbor_get(in, &item) != CBOR_OK)
		return err_set(err, ERR_FORMAT, "malformed");
	switch (field->type) {
	case CBORMAP_INT:
	case CBORMAP_TIME:
		return cbor_as_int(&item, &value->integer)
			       ? 0
			       : err_set(err, ERR_FORMAT, "expected an integer");
	case CBORMAP_BOOL:
		value->number = item.value;
		return item.type == CBOR_BOOL ? 0
					      : err_set(err, ERR_FORMAT, "expected true or false");
	case CBORMAP_UINT:
	case CBORMAP_VERSION:
		value->number = item.value;
		if (item.type != CBOR_UINT)
			return err_set(err, ERR_FORMAT, "expected a number");
		return is_within(field, item.value) ? 0 : beyond_limits(field, item.value, "", err);
	default:
		return get_string(value, field, &item, err);
	}
}

static int get_list(struct cbormap_value *value, const struct cbormap_field *field,
	struct cbor_in *in, unsigned depth, struct err *err)
{
	struct cbormap_value unused;
	struct cbor_item head;
	uint64_t i;

	if (cbor_get(in, &head) != CBOR_OK || head.type != CBOR_ARRAY)
		return err_set(err, ERR_FORMAT, "expected a list");
	if (!is_within(field, head.value))
		return beyond_limits(field, head.value, " items", err);
	value->number = head.value;
	value->bytes = in->at;
	for (i = 0; i < head.value; i++)
		if (get_value(&unused, field->of, in, depth - 1, err) != 0)
			return -1;
	value->len = (size_t)(in->at - value->bytes);
	return 0;
}

static int get_tuple(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, unsigned depth, struct err *err)
{
	struct cbor_item head;
	uint64_t i, count = 0;

	while (fields[count].type != 0)
		count++;
	assert(count <= CBORMAP_FIELDS_MAX);
	if (cbor_get(in, &head) != CBOR_OK || head.type != CBOR_ARRAY || head.value != count)
		return err_set(err, ERR_FORMAT, "expected an array of %llu items",
			(unsigned long long)count);
	for (i = 0; i < count; i++)
		if (get_value(&values[i], &fields[i], in, depth, err) != 0)
			return err_prefix(err, "%s", fields[i].key);
	return 0;
}

static int refuse_key(
	const struct cbor_item *key, enum err_code code, const char *why, struct err *err)
{
	char name[64];

	esc_name(name, sizeof name, key->bytes, key->len);
	return err_set(err, code, "key '%s' %s", name, why);
}

/* Reads the next key into keys[before], after those already read, and finds its
 * field. Sets *found to the table's end if there is none. */
static int get_key(const struct cbormap_field *fields, struct cbor_in *in, struct cbor_item *keys,
	size_t before, size_t *found, struct err *err)
{
	struct cbor_item *key = &keys[before];
	size_t i;

	if (cbor_get(in, key) != CBOR_OK || key->type != CBOR_TEXT)
		return err_set(err, ERR_FORMAT, "malformed: expected a key");
	for (i = 0; i < before; i++)
		if (keys[i].len == key->len &&
			(key->len == 0 || memcmp(keys[i].bytes, key->bytes, key->len) == 0))
			return refuse_key(key, ERR_FORMAT, "comes twice", err);
	for (i = 0; fields[i].type != 0 && !cbor_is_text(key, fields[i].key); i++)
		continue;
	*found = i;
	if (fields[i].type == 0 && key->len > 0 && key->bytes[0] >= 'A' && key->bytes[0] <= 'Z')
		return refuse_key(key, ERR_UNSUPPORTED,
			"must be understood, and this version does not know it", err);
	return 0;
}

static int get_map(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, unsigned depth, struct err *err)
{
	struct cbor_item head, keys[CBORMAP_PAIRS_MAX];
	size_t i, at = 0;

	for (i = 0; fields[i].type != 0; i++)
		values[i] = (struct cbormap_value){0};
	assert(i <= CBORMAP_FIELDS_MAX);
	if (cbor_get(in, &head) != CBOR_OK || head.type != CBOR_MAP)
		return err_set(err, ERR_FORMAT, "expected a map");
	if (head.value > CBORMAP_PAIRS_MAX)
		return err_set(err, ERR_LIMIT, "a map with more than %d keys", CBORMAP_PAIRS_MAX);
	for (i = 0; i < head.value; i++) {
		if (get_key(fields, in, keys, i, &at, err) != 0)
			return -1;
		if (fields[at].type == 0) {
			if (cbor_skip(in, CBORMAP_DEPTH_MAX) != CBOR_OK)
				return err_set(err, ERR_FORMAT, "malformed");
		} else if (get_value(&values[at], &fields[at], in, depth, err) != 0) {
			return err_prefix(err, "key '%s'", fields[at].key);
		}
	}
	for (i = 0; fields[i].type != 0; i++)
		if (fields[i].need && !values[i].has)
			return err_set(err, ERR_FORMAT, "key '%s' is missing", fields[i].key);
	return 0;
}

int cbormap_take(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, struct err *err)
{
	return get_map(values, fields, in, CBORMAP_DEPTH_MAX, err);
}

int cbormap_take_tuple(struct cbormap_value *values, const struct cbormap_field *fields,
	struct cbor_in *in, struct err *err)
{
	return get_tuple(values, fields, in, CBORMAP_DEPTH_MAX, err);
}

int cbormap_get(struct cbormap_value *values, const struct cbormap_field *fields, const void *bytes,
	size_t len, struct err *err)
{
	static const uint8_t empty_map = 0xa0;
	struct cbor_in in;

	if (len == 0)
		cbor_in_init(&in, &empty_map, 1);
	else
		cbor_in_init(&in, bytes, len);
	if (cbormap_take(values, fields, &in, err) != 0)
		return -1;
	return in.at == in.end ? 0 : err_set(err, ERR_FORMAT, "malformed: bytes after the map");
}

bool cbormap_next(
	struct cbormap_value *list, const struct cbormap_field *of, struct cbormap_value *item)
{
	struct cbor_in in;
	int got;

	if (list->number == 0)
		return false;
	cbor_in_init(&in, list->bytes, list->len);
	got = get_value(item, of, &in, CBORMAP_DEPTH_MAX, NULL);
	assert(got == 0);
	(void)got;
	list->number--;
	list->len = (size_t)(in.end - in.at);
	list->bytes = in.at;
	return true;
}

bool cbormap_is_text(const struct cbormap_value *value, const char *text)
{
	return value->has && value->len == strlen(text) &&
	       memcmp(value->bytes, text, value->len) == 0;
}

void cbormap_inner(struct cbormap_value *values, const struct cbormap_field *field,
	const struct cbormap_value *value)
{
	struct cbor_in in;
	int got;

	cbor_in_init(&in, value->bytes, value->len);
	got = field->type == CBORMAP_MAP ? cbormap_take(values, field->sub, &in, NULL)
					 : cbormap_take_tuple(values, field->sub, &in, NULL);
	assert(got == 0);
	(void)got;
}

/* --- structs ---------------------------------------------------------------- */

void cbormap_store_item(void *to, const struct cbormap_field *f, const struct cbormap_value *value)
{
	struct cbormap_value values[CBORMAP_FIELDS_MAX];
	uint32_t narrow = (uint32_t)value->number;

	switch (f->type) {
	case CBORMAP_UINT:
	case CBORMAP_VERSION:
		assert(f->size == sizeof value->number || f->size == sizeof narrow);
		if (f->size == sizeof narrow)
			memcpy(to, &narrow, sizeof narrow);
		else
			memcpy(to, &value->number, sizeof value->number);
		break;
	case CBORMAP_INT:
	case CBORMAP_TIME:
		assert(f->size == sizeof value->integer);
		memcpy(to, &value->integer, sizeof value->integer);
		break;
	case CBORMAP_BOOL:
		assert(f->size == sizeof(bool));
		*(bool *)to = value->number != 0;
		break;
	case CBORMAP_BYTES:
		assert(f->size == value->len);
		memcpy(to, value->bytes, value->len);
		break;
	case CBORMAP_BLOB:
		assert(f->size == sizeof(struct cbormap_blob));
		*(struct cbormap_blob *)to = (struct cbormap_blob){value->bytes, value->len};
		break;
	case CBORMAP_TEXT:
	case CBORMAP_NAME:
		assert(value->len < f->size);
		memcpy(to, value->bytes, value->len);
		((char *)to)[value->len] = 0;
		break;
	default:
		assert(f->type == CBORMAP_MAP || f->type == CBORMAP_TUPLE);
		cbormap_inner(values, f, value);
		cbormap_store(to, f->sub, values);
		break;
	}
}

static void store_list(uint8_t *to, const struct cbormap_field *f, struct cbormap_value list)
{
	struct cbormap_value item;
	size_t count = list.number, i;

	assert(count <= f->size / f->of->size);
	for (i = 0; cbormap_next(&list, f->of, &item); i++)
		cbormap_store_item(to + f->at + i * f->of->size, f->of, &item);
	memcpy(to + f->count, &count, sizeof count);
}

void cbormap_store(void *to, const struct cbormap_field *fields, const struct cbormap_value *values)
{
	const struct cbormap_field *f;

	for (f = fields; f->type != 0; f++, values++) {
		if (f->size == 0 || !values->has)
			continue;
		if (f->type == CBORMAP_LIST)
			store_list(to, f, *values);
		else
			cbormap_store_item((uint8_t *)to + f->at, f, values);
	}
}

int cbormap_read(void *to, const struct cbormap_field *fields, const void *bytes, size_t len,
	struct err *err)
{
	struct cbormap_value values[CBORMAP_FIELDS_MAX];

	if (cbormap_get(values, fields, bytes, len, err) != 0)
		return -1;
	cbormap_store(to, fields, values);
	return 0;
}

static bool is_set(const struct cbormap_field *f, const uint8_t *at)
{
	size_t i;

	if (f->type == CBORMAP_TEXT || f->type == CBORMAP_NAME)
		return at[0] != 0;
	if (f->type == CBORMAP_BLOB)
		return ((const struct cbormap_blob *)(const void *)at)->len > 0;
	for (i = 0; i < f->size; i++)
		if (at[i] != 0)
			return true;
	return false;
}

static size_t list_count(const struct cbormap_field *f, const void *from)
{
	return *(const size_t *)(const void *)((const uint8_t *)from + f->count);
}

static bool is_put(const struct cbormap_field *f, const void *from)
{
	if (f->size == 0 || f->need)
		return f->size > 0;
	return f->type == CBORMAP_LIST ? list_count(f, from) > 0
				       : is_set(f, (const uint8_t *)from + f->at);
}

void cbormap_put_item(struct cbor_out *out, const struct cbormap_field *f, const void *at)
{
	const struct cbormap_blob *blob = at;

	switch (f->type) {
	case CBORMAP_UINT:
	case CBORMAP_VERSION:
		cbor_put_uint(out, f->size == sizeof(uint32_t) ? *(const uint32_t *)at
							       : *(const uint64_t *)at);
		break;
	case CBORMAP_INT:
	case CBORMAP_TIME:
		cbor_put_int(out, *(const int64_t *)at);
		break;
	case CBORMAP_BOOL:
		cbor_put_bool(out, *(const bool *)at);
		break;
	case CBORMAP_BYTES:
		cbor_put_bytes(out, at, f->size);
		break;
	case CBORMAP_BLOB:
		cbor_put_bytes(out, blob->bytes, blob->len);
		break;
	case CBORMAP_TEXT:
	case CBORMAP_NAME:
		cbor_put_textn(out, at, text_len(at, strlen(at)));
		break;
	default:
		assert(f->type == CBORMAP_MAP);
		cbormap_put(out, f->sub, at);
		break;
	}
}

void cbormap_put(struct cbor_out *out, const struct cbormap_field *fields, const void *from)
{
	const struct cbormap_field *f;
	size_t count = 0, i;

	for (f = fields; f->type != 0; f++)
		count += is_put(f, from);
	cbor_put_map(out, count);
	for (f = fields; f->type != 0; f++) {
		const uint8_t *at = (const uint8_t *)from + f->at;

		if (!is_put(f, from))
			continue;
		cbor_put_text(out, f->key);
		if (f->type != CBORMAP_LIST) {
			cbormap_put_item(out, f, at);
			continue;
		}
		count = list_count(f, from);
		cbor_put_array(out, count);
		for (i = 0; i < count; i++)
			cbormap_put_item(out, f->of, at + i * f->of->size);
	}
}
