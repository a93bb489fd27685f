/*
 * Records: the form of chunks in a store and between stores. See cmd/store/LAYOUT.md, section 3.
 * Pure functions, from bytes to fields and back; cmd/dump/crypt.h seals and opens.
 *
 * A record is a head and a body. It is open (no wraps; its id is the SHA-256 of its content, which
 * a store can check) or sealed (its id is an HMAC; only those who have a key can read it). Each
 * record can be opened by itself, and never changes: gc and replication copy its bytes.
 *
 *   at  bytes  head
 *    0      1  version: 1
 *    1      1  codec: 0 raw, 1 zstd
 *    2      1  wraps: 0 (open) to STORE_WRAPS_MAX
 *    3      1  zero
 *    4      4  raw length: of the content, 1 to STORE_CONTENT_MAX
 *    8     32  id
 *   sealed only:
 *   40     12  nonce, random
 *   52     32  ephemeral: the run's public half (X25519)
 *   84  n*64   wraps: key id 16, the run's secret sealed 48
 *
 * The body is the content, compressed as codec says. In a sealed record it is encrypted with
 * AES-256-GCM, with a tag of 16 bytes; the head is the associated data.
 */
#ifndef FDUMP_CMD_STORE_RECORD_H
#define FDUMP_CMD_STORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define STORE_ID_LEN      32         /* bytes of a chunk's id */
#define STORE_CONTENT_MAX (4u << 20) /* bytes of a chunk's content */
#define STORE_WRAPS_MAX   16         /* recipients of a record */
#define STORE_HEAD_OPEN   40         /* bytes of an open record's head */
#define STORE_HEAD_SEALED 84         /* of a sealed one's, without its wraps */
#define STORE_WRAP_LEN    64
#define STORE_NONCE_LEN   12
#define STORE_TAG_LEN     16
#define STORE_HEAD_MAX    (STORE_HEAD_SEALED + STORE_WRAPS_MAX * STORE_WRAP_LEN)
#define STORE_RECORD_MAX  (STORE_HEAD_MAX + STORE_CONTENT_MAX + STORE_TAG_LEN)

/* A record's fields. The pointers point into its bytes. */
struct store_record {
	uint8_t codec;
	size_t wrap_count; /* 0: open */
	uint32_t raw_len;
	const uint8_t *id;
	const uint8_t *nonce, *ephemeral, *wraps; /* of a sealed one; else NULL */
	const uint8_t *head;
	size_t head_len;
	const uint8_t *body;
	size_t body_len;
};

/* Writes a head to `out`, which has STORE_HEAD_MAX bytes, and returns its length. Reads only the
 * members of `record` that such a head has, not .head and .body. */
size_t store_record_put(const struct store_record *record, uint8_t *out);

/* Decodes a record, which must fill the bytes exactly; `record` borrows from them. Returns 0, or -1
 * with err set: ERR_FORMAT (malformed, impossible length), ERR_UNSUPPORTED (version, codec). */
int store_record_get(
	struct store_record *record, const uint8_t *bytes, size_t len, struct err *err);

/* Writes the content of an open record to `out` (cleared first) and compares it with the id.
 * Returns 0, or -1 with err set: ERR_FORMAT (sealed, or malformed), ERR_DAMAGE (content and id do
 * not agree). */
int store_record_content(const struct store_record *record, struct buf *out, struct err *err);

#endif
