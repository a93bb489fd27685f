/*
 * Blocks: the framing unit of packs and volumes. See pack/FORMAT.md, section 2.
 *
 * Pure: converts a header to bytes and back. Payloads (their check, compression and sealing)
 * are handled by pack/press.h.
 */
#ifndef FDUMP_PACK_BLOCK_H
#define FDUMP_PACK_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define PACK_BLOCK_HEADER     64         /* bytes of a header */
#define PACK_BLOCK_BOUND      48         /* the bytes of a header that sealing authenticates */
#define PACK_BLOCK_ID         16         /* bytes of a container id */
#define PACK_BLOCK_TAG        16         /* bytes that sealing adds to a payload */
#define PACK_BLOCK_RAW_MAX    (2u << 20) /* largest raw payload */
#define PACK_BLOCK_VOLUME_MAX ((4u << 20) + (4u << 10)) /* the same in a volume's blocks */
#define PACK_BLOCK_NONE       0xffffffffu               /* `first`: no entry begins in this block */
#define PACK_BLOCK_VERSION    1
#define PACK_BLOCK_ENTRIES    4096 /* most entries that may begin in one block */

#define PACK_BLOCK_STORED_MAX (PACK_BLOCK_RAW_MAX + PACK_BLOCK_TAG)

/* The first byte of the magic, for searching. */
#define PACK_BLOCK_MAGIC0 0xf7

enum pack_block_kind {
	PACK_START = 1,
	PACK_KEY = 2,
	PACK_ENTRY = 3,
	PACK_INDEX = 4,
	PACK_END = 5,
	PACK_VOLUME_KINDS = 16, /* 16 and above: blocks of a store's volumes */
};

enum pack_block_codec { PACK_RAW = 0, PACK_ZSTD = 1 };

/* A decoded header: the fields of the format, in the same order. */
struct pack_block {
	uint8_t kind;
	uint8_t codec;
	uint8_t sealed; /* 0 or 1 */
	uint16_t must, may;
	uint32_t first;
	uint8_t id[PACK_BLOCK_ID];
	uint64_t seq;
	uint32_t raw_len, stored_len;
	uint64_t check; /* of the stored payload */
};

/* Encodes a header and computes its check. The fields must obey the format's rules. */
void pack_block_put(const struct pack_block *block, uint8_t out[PACK_BLOCK_HEADER]);

/* Whether these bytes are the magic, so that a header, good or damaged, begins here. */
bool pack_block_begins(const uint8_t in[4]);

/* Decodes a header. Returns
 *    0  good
 *    1  not a header: the magic or the header check does not match
 *   -1  a header that is refused: err is ERR_UNSUPPORTED (later version, unknown feature bits) or
 *       ERR_FORMAT (the fields break the rules) */
int pack_block_get(struct pack_block *block, const uint8_t in[PACK_BLOCK_HEADER], struct err *err);

/* The kind's name, such as "ENTRY"; "?" for a kind that packs do not have. */
const char *pack_block_name(uint8_t kind);

#endif
