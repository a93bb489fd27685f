/*
 * A part: the raw payload of one ENTRY block in the making, with what the
 * index will say of it.
 *
 * A part is filled by anyone, in any thread, without knowing where it will
 * stand; the writer (pack/writer.h) numbers parts in their order. Entries may
 * go on from one part into the next, items may not.
 *
 *   pack_part_new -> (pack_part_reset -> fill -> writer)* -> pack_part_free
 *
 * Rule of room: as long as pack_part_full is false, one HEAD and one TAIL fit,
 * and fewer than PACK_BLOCK_ENTRIES entries begin in the part.
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

/* Largest target: a target, a HEAD and a TAIL stay within a block. */
#define PACK_PART_TARGET_MAX (PACK_BLOCK_RAW_MAX - (1u << 20) - 65536u)

/* What the index needs of a HEAD or TAIL in this part. */
struct pack_mark {
	bool is_head;
	bool status;   /* a TAIL whose status is not ok */
	uint32_t at;   /* its offset in the raw payload */
	uint32_t meta; /* its encoding for the index: offset in .meta ... */
	uint32_t len;  /* ... and length */
	uint64_t size; /* TAIL: size of the content */
};

struct pack_part {
	size_t target;     /* full when the payload has this many bytes */
	size_t heads;      /* entries that begin in it */
	struct buf raw;    /* the payload */
	struct buf meta;   /* encoded for the index */
	struct buf marks;  /* struct pack_mark, in order */
	size_t content;    /* offset behind the last HEAD: where content begins */
	size_t data_at;    /* where pack_part_room reserved a DATA head */
	size_t sum_raw;    /* of the last TAIL: where its checksum is in .raw ... */
	size_t sum_meta;   /* ... and in .meta, to be put in later */
	struct buf packed; /* room for the press */
	const uint8_t *stored;
	struct pack_block block;
	bool index_follows; /* set by the writer's numbering */
};

/* target: 4 KiB to PACK_PART_TARGET_MAX. NULL with err set: out of memory. */
struct pack_part *pack_part_new(size_t target, struct err *err);
void pack_part_free(struct pack_part *part);
void pack_part_reset(struct pack_part *part);

bool pack_part_full(const struct pack_part *part);
bool pack_part_empty(const struct pack_part *part);

/* Each returns 0, or -1 with err set: ERR_LIMIT (a HEAD over 1 MiB: nothing
 * was added, the entry can't be kept), ERR_NOMEM. */
int pack_part_head(struct pack_part *part, const struct pack_head *head, struct err *err);
int pack_part_hole(struct pack_part *part, uint64_t len, struct err *err);
int pack_part_tail(struct pack_part *part, const struct pack_tail *tail, struct err *err);

/* Where len bytes of DATA may be written; then count those that were by
 * pack_part_took (0 is allowed, and adds nothing). len should stay near what
 * is left of the target, and must not be over it by more than 64 KiB. */
uint8_t *pack_part_room(struct pack_part *part, size_t len, struct err *err);
void pack_part_took(struct pack_part *part, size_t len);

/* Bytes left until it is full; 0 if it is. */
size_t pack_part_left(const struct pack_part *part);

/* Takes back what was added since this payload length, where an entry began: for
 * one that turned out not to be, or is to be read again. */
void pack_part_undo(struct pack_part *part, size_t len);

#endif
