/*
 * CBOR (RFC 8949) without allocation: an encoder into the caller's memory, and
 * a decoder that returns one item after the other.
 *
 * Encoding: cbor_out_init -> cbor_put_* ... -> cbor_out_full. An item that does
 * not fit is not written and sets a flag that stays set; test it once, at the
 * end. Heads are the shortest possible, as RFC 8949, 4.2.1 requires.
 *
 * Decoding: cbor_in_init -> cbor_get ... until CBOR_END. Accepts only what
 * FDump's formats use: definite lengths, no tags, no floating point; anything
 * else is malformed. Strings point into the input. A length is never trusted
 * beyond the end of the input. Thread-safe; the caller owns the structs.
 */
#ifndef FDUMP_LIB_CBOR_H
#define FDUMP_LIB_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest head of an item, in bytes. */
#define CBOR_HEAD_MAX 9

struct cbor_out {
	uint8_t *start, *at, *end;
	bool full;
};

void cbor_out_init(struct cbor_out *out, void *mem, size_t cap);
/* Bytes written so far. */
size_t cbor_out_len(const struct cbor_out *out);
/* True if anything did not fit; discard the output then. */
bool cbor_out_full(const struct cbor_out *out);

void cbor_put_uint(struct cbor_out *out, uint64_t value);
void cbor_put_int(struct cbor_out *out, int64_t value);
void cbor_put_bool(struct cbor_out *out, bool value);
void cbor_put_null(struct cbor_out *out);
/* A text string. The caller must make sure that it is UTF-8. */
void cbor_put_text(struct cbor_out *out, const char *text);
void cbor_put_textn(struct cbor_out *out, const void *text, size_t len);
void cbor_put_bytes(struct cbor_out *out, const void *bytes, size_t len);
/* The head of a byte string; the caller adds its len bytes himself. */
void cbor_put_bytes_head(struct cbor_out *out, size_t len);
/* An item that is already encoded. */
void cbor_put_encoded(struct cbor_out *out, const void *bytes, size_t len);
/* The head of an array of count items, or of a map of count pairs. Put the
 * items next. */
void cbor_put_array(struct cbor_out *out, size_t count);
void cbor_put_map(struct cbor_out *out, size_t count);

enum cbor_kind {
	CBOR_UINT,  /* value */
	CBOR_NINT,  /* the number -1 - value */
	CBOR_BYTES, /* bytes, len */
	CBOR_TEXT,  /* bytes, len; not checked to be valid UTF-8 */
	CBOR_ARRAY, /* value items follow */
	CBOR_MAP,   /* value pairs follow */
	CBOR_BOOL,  /* value is 0 or 1 */
	CBOR_NULL,
};

struct cbor_item {
	enum cbor_kind type;
	uint64_t value;
	const uint8_t *bytes;
	size_t len;
};

struct cbor_in {
	const uint8_t *at, *end;
};

enum cbor_got {
	CBOR_OK = 0,
	CBOR_END = 1,        /* no bytes are left */
	CBOR_CUT = 2,        /* the item continues beyond the input */
	CBOR_MALFORMED = -1, /* not CBOR, or a kind that is not supported */
};

void cbor_in_init(struct cbor_in *in, const void *bytes, size_t len);

/* Reads the next item; of an array or a map only the head. The input advances
 * only on CBOR_OK. */
enum cbor_got cbor_get(struct cbor_in *in, struct cbor_item *item);

/* Skips one item with all that it contains, up to depth levels of arrays and
 * maps (0: none). Deeper nesting is CBOR_MALFORMED. The input advances only on
 * CBOR_OK. */
enum cbor_got cbor_skip(struct cbor_in *in, unsigned depth);

/* True if the item is this text string. */
bool cbor_is_text(const struct cbor_item *item, const char *text);

/* Sets *value to the number of a CBOR_UINT or CBOR_NINT. False if the item is
 * neither, or the number does not fit. */
bool cbor_as_int(const struct cbor_item *item, int64_t *value);

#endif
