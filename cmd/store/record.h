/*
 * Records: chunks as they lie in a store and travel between stores. See
 * cmd/store/LAYOUT.md, section 3. Pure: bytes to fields and back; sealing and
 * opening is cmd/dump/crypt.h's.
 *
 * A record is a head and a body. It is open (no wraps; its id is the SHA-256 of
 * its content, which a store can check) or sealed (its id is an HMAC; nobody
 * but the holders of a key can look in). It can always be opened by itself, and
 * is never changed: compaction and replication move its bytes as they are.
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
 * body: the content, compressed if codec says so, and, in a sealed record,
 * under AES-256-GCM with its tag of 16 bytes; the head is associated data.
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
#define STORE_HEAD_SEALED 84         /* of a sealed one's, less its wraps */
#define STORE_WRAP_LEN    64
#define STORE_NONCE_LEN   12
#define STORE_TAG_LEN     16
#define STORE_HEAD_MAX    (STORE_HEAD_SEALED + STORE_WRAPS_MAX * STORE_WRAP_LEN)
#define STORE_RECORD_MAX  (STORE_HEAD_MAX + STORE_CONTENT_MAX + STORE_TAG_LEN)

/* A record's fields. The pointers go into its bytes. */
struct store_record {
	uint8_t codec;
	size_t wrap_count; /* 0: open */
	uint32_t raw_len;
	const uint8_t *id;
	const uint8_t *nonce, *ephemeral, *wraps; /* sealed, else NULL */
	const uint8_t *head;
	size_t head_len;
	const uint8_t *body;
	size_t body_len;
};

/* Writes a head; returns its length. out has STORE_HEAD_MAX bytes. Pointers
 * of `record` that its kind has are read, body and head are not. */
size_t store_record_put(const struct store_record *record, uint8_t *out);

/* Reads a record, all of it. Returns 0, or -1 with err set: ERR_FORMAT
 * (malformed, a length that can't be), ERR_UNSUPPORTED (version, codec). */
int store_record_get(
	struct store_record *record, const uint8_t *bytes, size_t len, struct err *err);

/* The content of an open record into `out` (cleared first), compared with its id. Returns 0, or -1
 * with err set: ERR_FORMAT (it is sealed, or malformed), ERR_DAMAGE (not what its id says). */
int store_record_content(const struct store_record *record, struct buf *out, struct err *err);

#endif
