/*
 * A part: the raw payload of one ENTRY block that is being built, with its records for the
 * index.
 *
 * Any thread may fill a part without knowing its place in the pack; the writer (pack/writer.h)
 * numbers the parts in order. Entries may continue in the next part, items may not.
 *
 *   pack_part_new -> (pack_part_reset -> fill -> writer)* -> pack_part_free
 *
 * As long as pack_part_full is false, there is room for one HEAD and one TAIL, and fewer than
 * PACK_BLOCK_ENTRIES entries begin in the part.
 */
#ifndef FDUMP_PACK_PART_H
#define FDUMP_PACK_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "pack/block.h"

struct err;
struct pack_head;
struct pack_tail;

/* Largest target, so that a target, a HEAD and a TAIL fit in a block. */
#define PACK_PART_TARGET_MAX (PACK_BLOCK_RAW_MAX - (1u << 20) - 65536u)

/* What the index needs to know about a HEAD or TAIL in this part. */
struct pack_mark {
	bool is_head;
	bool status;   /* a TAIL whose status is not ok */
	uint32_t at;   /* offset in the raw payload */
	uint32_t meta; /* its encoding for the index: offset in .meta */
	uint32_t len;  /* and length */
	uint64_t size; /* TAIL: size of the content */
};

struct pack_part {
	size_t target;     /* the part is full when the payload reaches this size */
	size_t heads;      /* entries that begin in it */
	struct buf raw;    /* the payload */
	struct buf meta;   /* encoded for the index */
	struct buf marks;  /* struct pack_mark, in order */
	size_t content;    /* offset after the last HEAD, where content begins */
	size_t data_at;    /* where pack_part_room reserved a DATA head */
	size_t sum_raw;    /* of the last TAIL: offset of its checksum in .raw */
	size_t sum_meta;   /* and in .meta; may be filled in later */
	struct buf packed; /* room for the compressed payload */
	const uint8_t *stored;
	struct pack_block block;
	bool index_follows; /* set when the writer numbers the part */
};

/* target: 4 KiB to PACK_PART_TARGET_MAX. Returns NULL with err set (out of memory). */
struct pack_part *pack_part_new(size_t target, struct err *err);
void pack_part_free(struct pack_part *part);
void pack_part_reset(struct pack_part *part);

bool pack_part_full(const struct pack_part *part);
bool pack_part_empty(const struct pack_part *part);

/* Each returns 0, or -1 with err set: ERR_NOMEM, or ERR_LIMIT for a HEAD over 1 MiB (nothing
 * was added; the entry can't be packed). */
int pack_part_head(struct pack_part *part, const struct pack_head *head, struct err *err);
int pack_part_hole(struct pack_part *part, uint64_t len, struct err *err);
int pack_part_tail(struct pack_part *part, const struct pack_tail *tail, struct err *err);

/* Returns room for len bytes of DATA, or NULL with err set. Then call pack_part_took with the
 * number of bytes written; 0 adds nothing. len should be close to pack_part_left, and at most
 * 64 KiB over it. */
uint8_t *pack_part_room(struct pack_part *part, size_t len, struct err *err);
void pack_part_took(struct pack_part *part, size_t len);

/* Bytes left until it is full; 0 if it is full. */
size_t pack_part_left(const struct pack_part *part);

/* Removes everything after this payload length, where an entry began: for an entry that is
 * dropped or will be read again. */
void pack_part_undo(struct pack_part *part, size_t len);

#endif
