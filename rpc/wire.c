/*
 * Frame headers are checked against one table of kinds. The payloads of the
 * connection's own frames are read with lib/cbormap like all others.
 */
#include "rpc/wire.h"

#include <stdio.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/le.h"

/* The rules for each kind. */
static const struct rule {
	uint8_t flags;   /* flags that may be set */
	uint8_t must;    /* flags that must be set */
	bool id, method; /* true: must not be zero; false: must be zero */
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

void rpc_header_put(uint8_t *to, const struct rpc_header *h)
{
	to[0] = h->version;
	to[1] = h->kind;
	to[2] = h->flags;
	to[3] = 0;
	le_put16(to + 4, h->method);
	le_put16(to + 6, 0);
	le_put32(to + 8, h->len);
	le_put64(to + 12, h->id);
}

static int check_flags(const struct rpc_header *h, const struct rule *rule, struct err *err)
{
	bool error = (h->flags & RPC_ERROR) != 0;

	if ((h->flags & ~rule->flags) != 0 || (h->flags & rule->must) != rule->must)
		return err_set(err, ERR_FORMAT, "frame of kind %u: flags 0x%x", h->kind, h->flags);
	/* An error ends the reply or blob that it is in: the reply has no blob, the blob
	 * no more frames. Only the responder can send one in a blob. */
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
	h->method = le_get16(from + 4);
	h->len = le_get32(from + 8);
	h->id = le_get64(from + 12);
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
	{.key = "max",
		.type = CBORMAP_UINT,
		CBORMAP_IN(struct rpc_hello, version_max),
		.need = true,
		.min = 1,
		.max = UINT16_MAX},
	{.key = "min",
		.type = CBORMAP_UINT,
		CBORMAP_IN(struct rpc_hello, version_min),
		.need = true,
		.min = 1,
		.max = UINT16_MAX},
	{CBORMAP_OF(struct rpc_hello, UINT, credit), .max = RPC_WINDOW_MAX},
	{CBORMAP_OF(struct rpc_hello, UINT, features)},
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
	*hello = (struct rpc_hello){.credit = RPC_WINDOW};
	if (cbormap_read(hello, hello_fields, bytes, len, err) != 0)
		return err_prefix(err, "HELLO");
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

struct status {
	char code[33];
	char message[RPC_TEXT_MAX + 1];
};
static const struct cbormap_field status_fields[] = {
	{CBORMAP_OF(struct status, TEXT, code), .need = true, .min = 1},
	{CBORMAP_OF(struct status, TEXT, message), .need = true},
	{0},
};

size_t rpc_status_put(uint8_t *to, const struct err *status)
{
	struct status s;
	struct cbor_out out;

	snprintf(s.code, sizeof s.code, "%s", err_name(status->code));
	/* This may cut within a character; cbormap then omits its bytes. */
	snprintf(s.message, sizeof s.message, "%.*s", RPC_TEXT_MAX, status->message);
	cbor_out_init(&out, to, RPC_STATUS_MAX);
	cbormap_put(&out, status_fields, &s);
	return cbor_out_len(&out);
}

static enum err_code code_of(const char *name)
{
	int c;

	for (c = ERR_FAILED; c < ERR_CODES; c++)
		if (strcmp(name, err_name((enum err_code)c)) == 0)
			return (enum err_code)c;
	return ERR_FAILED;
}

int rpc_status_get(struct err *status, const uint8_t *bytes, size_t len, struct err *err)
{
	struct status s;

	if (cbormap_read(&s, status_fields, bytes, len, err) != 0)
		return err_prefix(err, "status");
	status->code = code_of(s.code);
	esc_name(status->message, sizeof status->message, s.message, strlen(s.message));
	return 0;
}
