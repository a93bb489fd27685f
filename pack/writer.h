/*
 * The writer of a pack: puts parts into their order, makes INDEX and END.
 * See pack/FORMAT.md, section 3.
 *
 * Pure: it knows no descriptor, thread or clock. The caller moves each part
 * through three steps:
 *
 *   pack_writer_number  in order, one at a time: gives the block its number
 *   pack_writer_press   in any order, in any thread: compress, seal, check
 *   pack_writer_emit    in order, one at a time: out it goes
 *
 * number and emit may run at the same time, for different parts.
 *
 *   pack_writer_new -> _start -> parts ... -> _end -> pack_writer_free
 *
 * Bytes leave through a sink that the caller gives; it borrows them for the
 * length of the call, and returns 0, or -1 with err set, which ends the pack.
 */
#ifndef FDUMP_PACK_WRITER_H
#define FDUMP_PACK_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/block.h"
#include "pack/entry.h"

struct err;
struct pack_part;
struct pack_press;
struct pack_writer;

/* An INDEX is due when this much is to be listed. */
#define PACK_INDEX_BYTES   (256u << 10)
#define PACK_INDEX_ENTRIES 16384

/* Two pieces that follow each other; the second may be empty. */
typedef int pack_writer_sink(void *ctx, const void *head, size_t head_len, const void *body,
	size_t body_len, struct err *err);

struct pack_writer_options {
	uint8_t id[PACK_BLOCK_ID]; /* random; for a reproducible pack PACK_REPRODUCIBLE_ID */
	bool has_time;
	struct pack_time time;      /* for START */
	const char *program;        /* for START */
	const uint8_t *key_payload; /* the KEY block's; NULL: not sealed */
	size_t key_payload_len;
};

#define PACK_REPRODUCIBLE_ID "fdump reproducib"

/* What the options point to is borrowed until _free. press: the one that _emit and _end use for
 * INDEX and END, with the payload key if the pack is sealed; borrowed until _free. NULL with err
 * set on failure. */
struct pack_writer *pack_writer_new(const struct pack_writer_options *options,
	struct pack_press *press, pack_writer_sink *sink, void *ctx, struct err *err);
void pack_writer_free(struct pack_writer *writer);

/* Each returns 0, or -1 with err set: from the sink, or ERR_NOMEM. After a
 * failure only _free is allowed. */
int pack_writer_start(struct pack_writer *writer, struct err *err);
void pack_writer_number(struct pack_writer *writer, struct pack_part *part);
int pack_writer_press(struct pack_press *press, struct pack_part *part, struct err *err);
int pack_writer_emit(struct pack_writer *writer, struct pack_part *part, struct err *err);
int pack_writer_end(struct pack_writer *writer, struct err *err);

/* What has been emitted. */
struct pack_totals {
	uint64_t bytes; /* of the pack */
	uint64_t blocks;
	uint64_t entries;
	uint64_t content;  /* bytes of content, before compression */
	uint64_t statuses; /* entries whose status is not ok */
};
void pack_writer_totals(const struct pack_writer *writer, struct pack_totals *totals);

/* END's payload. */
#define PACK_END_LEN 80
struct pack_end {
	uint64_t length, blocks, entries, content, last_index, statuses;
	uint8_t digest[HASH_LEN];
};
void pack_end_put(const struct pack_end *end, uint8_t out[PACK_END_LEN]);
void pack_end_get(struct pack_end *end, const uint8_t in[PACK_END_LEN]);

#endif
