/*
 * A pull interface over libcbor's push one: each of its callbacks fills the
 * one item that was asked for. What is short is read here.
 */
#include "lib/cbor.h"

#include <string.h>

#include <cbor.h>

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

static size_t space(const struct cbor_out *out)
{
	return out->full ? 0 : (size_t)(out->end - out->at);
}

/* libcbor's encoders return 0 when there is no room. */
static void took(struct cbor_out *out, size_t len)
{
	if (len == 0)
		out->full = true;
	else
		out->at += len;
}

static void put_raw(struct cbor_out *out, const void *bytes, size_t len)
{
	if (len > space(out)) {
		out->full = true;
	} else if (len > 0) {
		memcpy(out->at, bytes, len);
		out->at += len;
	}
}

void cbor_put_uint(struct cbor_out *out, uint64_t value)
{
	took(out, cbor_encode_uint(value, out->at, space(out)));
}

void cbor_put_int(struct cbor_out *out, int64_t value)
{
	if (value >= 0)
		cbor_put_uint(out, (uint64_t)value);
	else
		took(out, cbor_encode_negint((uint64_t)(-1 - value), out->at, space(out)));
}

void cbor_put_bool(struct cbor_out *out, bool value)
{
	took(out, cbor_encode_bool(value, out->at, space(out)));
}

void cbor_put_null(struct cbor_out *out)
{
	took(out, cbor_encode_null(out->at, space(out)));
}

void cbor_put_text(struct cbor_out *out, const char *text)
{
	cbor_put_textn(out, text, strlen(text));
}

void cbor_put_textn(struct cbor_out *out, const void *text, size_t len)
{
	took(out, cbor_encode_string_start(len, out->at, space(out)));
	put_raw(out, text, len);
}

void cbor_put_bytes_head(struct cbor_out *out, size_t len)
{
	took(out, cbor_encode_bytestring_start(len, out->at, space(out)));
}

void cbor_put_bytes(struct cbor_out *out, const void *bytes, size_t len)
{
	cbor_put_bytes_head(out, len);
	put_raw(out, bytes, len);
}

void cbor_put_encoded(struct cbor_out *out, const void *bytes, size_t len)
{
	put_raw(out, bytes, len);
}

void cbor_put_array(struct cbor_out *out, size_t count)
{
	took(out, cbor_encode_array_start(count, out->at, space(out)));
}

void cbor_put_map(struct cbor_out *out, size_t count)
{
	took(out, cbor_encode_map_start(count, out->at, space(out)));
}

/* What the callbacks fill. Kinds that are not taken leave `taken` false. */
struct sink {
	struct cbor_item *item;
	bool taken;
};

static void fill(void *ctx, enum cbor_kind type, uint64_t value)
{
	struct sink *sink = ctx;

	sink->item->type = type;
	sink->item->value = value;
	sink->taken = true;
}

static void fill_string(void *ctx, enum cbor_kind type, const uint8_t *bytes, size_t len)
{
	struct sink *sink = ctx;

	fill(ctx, type, 0);
	sink->item->bytes = bytes;
	sink->item->len = len;
}

static void on_uint8(void *ctx, uint8_t v)
{
	fill(ctx, CBOR_UINT, v);
}

static void on_uint16(void *ctx, uint16_t v)
{
	fill(ctx, CBOR_UINT, v);
}

static void on_uint32(void *ctx, uint32_t v)
{
	fill(ctx, CBOR_UINT, v);
}

static void on_uint64(void *ctx, uint64_t v)
{
	fill(ctx, CBOR_UINT, v);
}

static void on_negint8(void *ctx, uint8_t v)
{
	fill(ctx, CBOR_NINT, v);
}

static void on_negint16(void *ctx, uint16_t v)
{
	fill(ctx, CBOR_NINT, v);
}

static void on_negint32(void *ctx, uint32_t v)
{
	fill(ctx, CBOR_NINT, v);
}

static void on_negint64(void *ctx, uint64_t v)
{
	fill(ctx, CBOR_NINT, v);
}

/* The length's type differs between libcbor 0.8 and 0.10: both are 64 bits
 * on every system that FDump builds for. */
static void on_bytes(void *ctx, cbor_data bytes, size_t len)
{
	fill_string(ctx, CBOR_BYTES, bytes, len);
}

static void on_text(void *ctx, cbor_data bytes, size_t len)
{
	fill_string(ctx, CBOR_TEXT, bytes, len);
}

static void on_array(void *ctx, size_t count)
{
	fill(ctx, CBOR_ARRAY, count);
}

static void on_map(void *ctx, size_t count)
{
	fill(ctx, CBOR_MAP, count);
}

static void on_bool(void *ctx, bool v)
{
	fill(ctx, CBOR_BOOL, v);
}

static void on_null(void *ctx)
{
	fill(ctx, CBOR_NULL, 0);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string_start = cbor_null_byte_string_start_callback,
	.byte_string = on_bytes,
	.string_start = cbor_null_string_start_callback,
	.string = on_text,
	.indef_array_start = cbor_null_indef_array_start_callback,
	.array_start = on_array,
	.indef_map_start = cbor_null_indef_map_start_callback,
	.map_start = on_map,
	.tag = cbor_null_tag_callback,
	.float2 = cbor_null_float2_callback,
	.float4 = cbor_null_float4_callback,
	.float8 = cbor_null_float8_callback,
	.undefined = cbor_null_undefined_callback,
	.null = on_null,
	.boolean = on_bool,
	.indef_break = cbor_null_indef_break_callback,
};

void cbor_in_init(struct cbor_in *in, const void *bytes, size_t len)
{
	in->at = bytes;
	in->end = len > 0 ? in->at + len : in->at; /* nothing may be at NULL */
}

/* Items whose number stands in one byte or the two first are nine of ten: those without
 * a call through a pointer. Returns false for all others, and for those that are cut. */
static bool get_short(struct cbor_in *in, struct cbor_item *item)
{
	static const enum cbor_kind kinds[] = {
		CBOR_UINT, CBOR_NINT, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP};
	const uint8_t *at = in->at;
	unsigned major = *at >> 5, value = *at & 31;
	bool string = major == 2 || major == 3;

	at++;
	if (major > 5 || value > 24 || (value == 24 && at == in->end))
		return false;
	if (value == 24)
		value = *at++;
	if (string && value > (size_t)(in->end - at))
		return false;
	item->type = kinds[major];
	item->value = string ? 0 : value;
	item->bytes = string ? at : item->bytes;
	item->len = string ? value : item->len;
	in->at = string ? at + value : at;
	return true;
}

enum cbor_got cbor_get(struct cbor_in *in, struct cbor_item *item)
{
	struct sink sink = {.item = item};
	struct cbor_decoder_result got;

	if (in->at == in->end)
		return CBOR_END;
	if (get_short(in, item))
		return CBOR_OK;
	got = cbor_stream_decode(in->at, (size_t)(in->end - in->at), &callbacks, &sink);
	if (got.status == CBOR_DECODER_NEDATA)
		return CBOR_CUT;
	if (got.status != CBOR_DECODER_FINISHED || !sink.taken)
		return CBOR_MALFORMED;
	in->at += got.read;
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
	/* Each item takes a byte at least: a count beyond that is cut short by
	 * the end of the input, never by counting. */
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
