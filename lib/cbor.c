/* The head of an item (RFC 8949, section 3): three bits of major type, then
 * five bits that are the argument itself or the number of bytes it takes, then
 * those bytes, big-endian. */
#include "lib/cbor.h"

#include <string.h>

enum {
	MAJOR_UINT,
	MAJOR_NINT,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_SIMPLE
};
enum { SIMPLE_FALSE = 20, SIMPLE_TRUE, SIMPLE_NULL };

void cbor_out_init(struct cbor_out *out, void *mem, size_t cap)
{
	*out = (struct cbor_out){.start = mem, .at = mem, .end = (uint8_t *)mem + cap};
}

size_t cbor_out_len(const struct cbor_out *out)
{
	return (size_t)(out->at - out->start);
}

bool cbor_out_full(const struct cbor_out *out)
{
	return out->full;
}

void cbor_put_encoded(struct cbor_out *out, const void *bytes, size_t len)
{
	if (out->full || len > (size_t)(out->end - out->at)) {
		out->full = true;
	} else if (len > 0) {
		memcpy(out->at, bytes, len);
		out->at += len;
	}
}

static void put_head(struct cbor_out *out, unsigned major, uint64_t value)
{
	uint8_t head[CBOR_HEAD_MAX];
	unsigned info = (unsigned)value, bytes = 0, i;

	if (value >= 24) {
		info = 24;
		for (bytes = 1; bytes < 8 && value >> 8 * bytes != 0; bytes *= 2)
			info++;
	}
	head[0] = (uint8_t)(major << 5 | info);
	for (i = 1; i <= bytes; i++)
		head[i] = (uint8_t)(value >> 8 * (bytes - i));
	cbor_put_encoded(out, head, 1 + bytes);
}

void cbor_put_uint(struct cbor_out *out, uint64_t value)
{
	put_head(out, MAJOR_UINT, value);
}

void cbor_put_int(struct cbor_out *out, int64_t value)
{
	if (value >= 0)
		put_head(out, MAJOR_UINT, (uint64_t)value);
	else
		put_head(out, MAJOR_NINT, (uint64_t)(-1 - value));
}

void cbor_put_bool(struct cbor_out *out, bool value)
{
	put_head(out, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(struct cbor_out *out)
{
	put_head(out, MAJOR_SIMPLE, SIMPLE_NULL);
}

void cbor_put_text(struct cbor_out *out, const char *text)
{
	cbor_put_textn(out, text, strlen(text));
}

void cbor_put_textn(struct cbor_out *out, const void *text, size_t len)
{
	put_head(out, MAJOR_TEXT, len);
	cbor_put_encoded(out, text, len);
}

void cbor_put_bytes_head(struct cbor_out *out, size_t len)
{
	put_head(out, MAJOR_BYTES, len);
}

void cbor_put_bytes(struct cbor_out *out, const void *bytes, size_t len)
{
	put_head(out, MAJOR_BYTES, len);
	cbor_put_encoded(out, bytes, len);
}

void cbor_put_array(struct cbor_out *out, size_t count)
{
	put_head(out, MAJOR_ARRAY, count);
}

void cbor_put_map(struct cbor_out *out, size_t count)
{
	put_head(out, MAJOR_MAP, count);
}

void cbor_in_init(struct cbor_in *in, const void *bytes, size_t len)
{
	in->at = bytes;
	in->end = len > 0 ? in->at + len : in->at; /* nothing may be added to NULL */
}

enum cbor_got cbor_get(struct cbor_in *in, struct cbor_item *item)
{
	static const enum cbor_kind kinds[] = {
		CBOR_UINT, CBOR_NINT, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP};
	const uint8_t *at = in->at;
	unsigned major, info, bytes;
	uint64_t value;

	if (at == in->end)
		return CBOR_END;
	major = *at >> 5;
	value = info = *at++ & 31;
	if (info > 27) /* reserved, or an indefinite length */
		return CBOR_MALFORMED;
	if (info >= 24) {
		bytes = 1u << (info - 24);
		if (bytes > (size_t)(in->end - at))
			return CBOR_CUT;
		for (value = 0; bytes > 0; bytes--)
			value = value << 8 | *at++;
	}
	if (major == MAJOR_SIMPLE && info >= SIMPLE_FALSE && info <= SIMPLE_NULL) {
		item->type = info == SIMPLE_NULL ? CBOR_NULL : CBOR_BOOL;
		item->value = info == SIMPLE_TRUE;
	} else if (major >= MAJOR_TAG) {
		return CBOR_MALFORMED;
	} else if (major == MAJOR_BYTES || major == MAJOR_TEXT) {
		if (value > (size_t)(in->end - at))
			return CBOR_CUT;
		*item = (struct cbor_item){kinds[major], 0, at, (size_t)value};
		at += value;
	} else {
		item->type = kinds[major];
		item->value = value;
	}
	in->at = at;
	return CBOR_OK;
}

enum cbor_got cbor_skip(struct cbor_in *in, unsigned depth)
{
	const uint8_t *before = in->at;
	struct cbor_item item;
	enum cbor_got got = cbor_get(in, &item);
	uint64_t i, count;

	if (got != CBOR_OK || (item.type != CBOR_ARRAY && item.type != CBOR_MAP))
		return got;
	got = depth == 0 ? CBOR_MALFORMED : CBOR_OK;
	/* Each item takes at least one byte, so a false count ends at the end of the
	 * input, not after counting to it. */
	count = item.value;
	if (item.type == CBOR_MAP)
		count = count > UINT64_MAX / 2 ? UINT64_MAX : count * 2;
	for (i = 0; i < count && got == CBOR_OK; i++)
		got = cbor_skip(in, depth - 1);
	if (got != CBOR_OK)
		in->at = before;
	return got == CBOR_END ? CBOR_CUT : got;
}

bool cbor_is_text(const struct cbor_item *item, const char *text)
{
	return item->type == CBOR_TEXT && item->len == strlen(text) &&
	       memcmp(item->bytes, text, item->len) == 0;
}

bool cbor_as_int(const struct cbor_item *item, int64_t *value)
{
	if (item->value > INT64_MAX)
		return false;
	if (item->type == CBOR_UINT)
		*value = (int64_t)item->value;
	else if (item->type == CBOR_NINT)
		*value = -1 - (int64_t)item->value;
	else
		return false;
	return true;
}
