/*
 * The writer of a pack: puts parts in order, and makes the other blocks. See pack/FORMAT.md,
 * section 3.
 *
 * Pure: no descriptors, threads or clock. The caller takes each part through three steps:
 *
 *   pack_writer_number  in order, one at a time: assigns the block's number
 *   pack_writer_press   any order, any thread: compresses, seals, computes the check
 *   pack_writer_emit    in order, one at a time: outputs the block
 *
 * _number and _emit may run at the same time for different parts.
 *
 *   pack_writer_new -> _start -> parts ... -> _end -> pack_writer_free
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

/* An INDEX is due when its records reach one of these limits. */
#define PACK_INDEX_BYTES   (256u << 10)
#define PACK_INDEX_ENTRIES 16384

/* Receives the output: two pieces to be written one after the other; the second may be empty.
 * They are borrowed for the call. Returns 0, or -1 with err set, which ends the pack. */
typedef int pack_writer_sink(void *ctx, const void *head, size_t head_len, const void *body,
	size_t body_len, struct err *err);

struct pack_writer_options {
	uint8_t id[PACK_BLOCK_ID]; /* random, or PACK_REPRODUCIBLE_ID for a reproducible pack */
	bool has_time;
	struct pack_time time;      /* for START, as is program */
	const char *program;        /* name and version of the program */
	const uint8_t *key_payload; /* payload of the KEY blocks; NULL: not sealed */
	size_t key_payload_len;
};

#define PACK_REPRODUCIBLE_ID "fdump reproducib"

/* What the options point to is borrowed until _free. press: used by _start, _emit and _end for
 * the writer's own blocks; it has the payload key if the pack is sealed; borrowed until _free.
 * Returns NULL with err set (out of memory). */
struct pack_writer *pack_writer_new(const struct pack_writer_options *options,
	struct pack_press *press, pack_writer_sink *sink, void *ctx, struct err *err);
void pack_writer_free(struct pack_writer *writer);

/* The three steps, and the beginning and end of the pack. Return 0, or -1 with err set, from
 * the sink or ERR_NOMEM. After an error only _free is allowed. */
int pack_writer_start(struct pack_writer *writer, struct err *err);
void pack_writer_number(struct pack_writer *writer, struct pack_part *part);
int pack_writer_press(struct pack_press *press, struct pack_part *part, struct err *err);
int pack_writer_emit(struct pack_writer *writer, struct pack_part *part, struct err *err);
int pack_writer_end(struct pack_writer *writer, struct err *err);

/* Totals of what has been emitted. */
struct pack_totals {
	uint64_t bytes; /* size of the pack so far */
	uint64_t blocks;
	uint64_t entries;
	uint64_t content;  /* bytes of content, before compression */
	uint64_t statuses; /* entries whose status is not ok */
};
void pack_writer_totals(const struct pack_writer *writer, struct pack_totals *totals);

/* The payload of END. */
#define PACK_END_LEN 80
struct pack_end {
	uint64_t length, blocks, entries, content, last_index, statuses;
	uint8_t digest[HASH_LEN];
};
void pack_end_put(const struct pack_end *end, uint8_t out[PACK_END_LEN]);
void pack_end_get(struct pack_end *end, const uint8_t in[PACK_END_LEN]);

#endif
