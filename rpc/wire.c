/*
 * Frame headers are checked against one table of kinds; the payloads of the
 * connection's own frames are read with lib/cbormap like all others.
 */
#include "rpc/wire.h"

#include <string.h>

#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/esc.h"

/* What each kind may carry. */
static const struct rule {
	uint8_t flags;   /* that may be set */
	uint8_t must;    /* of them, that must be */
	bool id, method; /* not zero; else zero */
	uint32_t min_len, max_len;
} rules[RPC_KINDS] = {
	[RPC_HELLO] = {0, 0, false, false, 1, RPC_HELLO_MAX},
	[RPC_REQUEST] = {RPC_MORE, 0, true, true, 0, RPC_PAYLOAD_MAX},
	[RPC_REPLY] = {RPC_MORE | RPC_ERROR | RPC_RESPONSE, RPC_RESPONSE, true, false, 0,
		RPC_PAYLOAD_MAX},
	[RPC_NOTIFY] = {0, 0, false, true, 0, RPC_PAYLOAD_MAX},
	[RPC_BLOB] = {RPC_LAST | RPC_ERROR | RPC_RESPONSE, 0, true, false, 0, RPC_PAYLOAD_MAX},
	[RPC_CANCEL] = {0, 0, true, false, 0, 0},
	[RPC_WINDOW_MORE] = {RPC_RESPONSE, 0, true, false, 4, 4},
	[RPC_PING] = {0, 0, true, false, 0, 0},
	[RPC_PONG] = {RPC_RESPONSE, RPC_RESPONSE, true, false, 0, 0},
	[RPC_BYE] = {RPC_ERROR, 0, false, false, 0, RPC_STATUS_MAX},
};

static void put_le(uint8_t *to, uint64_t value, unsigned bytes)
{
	unsigned i;

	for (i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_le(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | from[bytes];
	return value;
}

void rpc_header_put(uint8_t *to, const struct rpc_header *h)
{
	to[0] = h->version;
	to[1] = h->kind;
	to[2] = h->flags;
	to[3] = 0;
	put_le(to + 4, h->method, 2);
	put_le(to + 6, 0, 2);
	put_le(to + 8, h->len, 4);
	put_le(to + 12, h->id, 8);
}

static int check_flags(const struct rpc_header *h, const struct rule *rule, struct err *err)
{
	bool error = (h->flags & RPC_ERROR) != 0;

	if ((h->flags & ~rule->flags) != 0 || (h->flags & rule->must) != rule->must)
		return err_set(err, ERR_FORMAT, "frame of kind %u: flags 0x%x", h->kind, h->flags);
	/* An error ends what it stands in: a reply has no blob then, a blob no
	 * more frames; only the responder has a way to say one in a blob. */
	if (error && h->kind == RPC_REPLY && (h->flags & RPC_MORE))
		return err_set(err, ERR_FORMAT, "REPLY: an error with a blob");
	if (error && h->kind == RPC_BLOB && h->flags != (RPC_LAST | RPC_ERROR | RPC_RESPONSE))
		return err_set(err, ERR_FORMAT, "BLOB: an error with flags 0x%x", h->flags);
	if (error ? h->len == 0 || h->len > RPC_STATUS_MAX : h->kind == RPC_BYE && h->len > 0)
		return err_set(err, ERR_FORMAT, "frame of kind %u: status of %u bytes", h->kind,
			(unsigned)h->len);
	if (h->kind == RPC_BLOB && h->len == 0 && !(h->flags & RPC_LAST))
		return err_set(err, ERR_FORMAT, "BLOB: empty, and not the last");
	return 0;
}

int rpc_header_get(struct rpc_header *h, const uint8_t *from, unsigned version, struct err *err)
{
	const struct rule *rule;
	bool fixed;

	h->version = from[0];
	h->kind = from[1];
	h->flags = from[2];
	h->method = (uint16_t)get_le(from + 4, 2);
	h->len = (uint32_t)get_le(from + 8, 4);
	h->id = get_le(from + 12, 8);
	fixed = h->kind == RPC_HELLO || h->kind == RPC_BYE;
	if (h->version != (fixed ? 1 : version))
		return err_set(err, ERR_UNSUPPORTED, "frame of version %u", h->version);
	if (h->kind == 0 || h->kind >= RPC_KINDS)
		return err_set(err, ERR_FORMAT, "frame of unknown kind %u", h->kind);
	rule = &rules[h->kind];
	if (from[3] != 0 || from[6] != 0 || from[7] != 0)
		return err_set(
			err, ERR_FORMAT, "frame of kind %u: reserved bytes are set", h->kind);
	if (h->len < rule->min_len || h->len > rule->max_len)
		return err_set(err, ERR_LIMIT, "frame of kind %u: %u bytes, at most %u are allowed",
			h->kind, (unsigned)h->len, (unsigned)rule->max_len);
	if ((h->id != 0) != rule->id || (h->method != 0) != rule->method)
		return err_set(err, ERR_FORMAT, "frame of kind %u: id or method", h->kind);
	return check_flags(h, rule, err);
}

static const struct cbormap_field hello_fields[] = {
	{.key = "max", .type = CBORMAP_UINT, .need = true, .min = 1, .max = UINT16_MAX},
	{.key = "min", .type = CBORMAP_UINT, .need = true, .min = 1, .max = UINT16_MAX},
	{.key = "features", .type = CBORMAP_UINT},
	{.key = "credit", .type = CBORMAP_UINT, .max = RPC_WINDOW_MAX},
	{0},
};

size_t rpc_hello_put(uint8_t *to, const struct rpc_hello *hello)
{
	struct cbor_out out;

	cbor_out_init(&out, to, RPC_HELLO_MAX);
	cbor_put_map(&out, 4);
	cbor_put_text(&out, "max");
	cbor_put_uint(&out, hello->version_max);
	cbor_put_text(&out, "min");
	cbor_put_uint(&out, hello->version_min);
	cbor_put_text(&out, "credit");
	cbor_put_uint(&out, hello->credit);
	cbor_put_text(&out, "features");
	cbor_put_uint(&out, hello->features);
	return cbor_out_len(&out);
}

int rpc_hello_get(struct rpc_hello *hello, const uint8_t *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[4];

	if (cbormap_get(v, hello_fields, bytes, len, err) != 0)
		return err_prefix(err, "HELLO");
	hello->version_max = (unsigned)v[0].number;
	hello->version_min = (unsigned)v[1].number;
	hello->features = v[2].number;
	hello->credit = v[3].has ? (uint32_t)v[3].number : RPC_WINDOW;
	if (hello->version_min > hello->version_max)
		return err_set(err, ERR_FORMAT, "HELLO: versions %u to %u", hello->version_min,
			hello->version_max);
	return 0;
}

unsigned rpc_hello_agree(const struct rpc_hello *a, const struct rpc_hello *b)
{
	unsigned max = a->version_max < b->version_max ? a->version_max : b->version_max;

	return max >= a->version_min && max >= b->version_min ? max : 0;
}

static const struct cbormap_field status_fields[] = {
	{.key = "code", .type = CBORMAP_TEXT, .need = true, .min = 1, .max = 32},
	{.key = "message", .type = CBORMAP_TEXT, .need = true, .max = RPC_TEXT_MAX},
	{0},
};

/* The whole characters among the first max bytes; what is not UTF-8 ends it. */
static size_t whole_chars(const char *text, size_t max)
{
	size_t len = strlen(text), at = 0, n;

	while (at < len && (n = esc_utf8_len(text + at, len - at)) > 0 && at + n <= max)
		at += n;
	return at;
}

size_t rpc_status_put(uint8_t *to, const struct err *status)
{
	struct cbor_out out;

	cbor_out_init(&out, to, RPC_STATUS_MAX);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "code");
	cbor_put_text(&out, err_name(status->code));
	cbor_put_text(&out, "message");
	cbor_put_textn(&out, status->message, whole_chars(status->message, RPC_TEXT_MAX));
	return cbor_out_len(&out);
}

static enum err_code code_of(const struct cbormap_value *name)
{
	int c;

	for (c = ERR_FAILED; c < ERR_CODES; c++)
		if (cbormap_is_text(name, err_name((enum err_code)c)))
			return (enum err_code)c;
	return ERR_FAILED;
}

int rpc_status_get(struct err *status, const uint8_t *bytes, size_t len, struct err *err)
{
	struct cbormap_value v[2];

	if (cbormap_get(v, status_fields, bytes, len, err) != 0)
		return err_prefix(err, "status");
	status->code = code_of(&v[0]);
	esc_name(status->message, sizeof status->message, v[1].bytes, v[1].len);
	return 0;
}
