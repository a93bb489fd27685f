/*
 * INDEX blocks, read: see pack/FORMAT.md, section 3.2. Pure; borrows.
 *
 *   pack_index_open -> pack_index_next ...
 */
#ifndef FDUMP_PACK_INDEX_H
#define FDUMP_PACK_INDEX_H

#include <stdint.h>

#include "lib/cbor.h"
#include "pack/entry.h"

struct err;

struct pack_index {
	uint64_t prev;   /* offset of the INDEX before, from the pack's start; 0: none */
	uint64_t number; /* of its first entry in the pack */
	uint64_t count;
	uint64_t left;
	struct cbor_in in;
};

struct pack_index_record {
	uint64_t block; /* offset of the block, from the pack's start */
	uint64_t at;    /* of the HEAD in its raw payload */
	struct pack_head head;
	struct pack_tail tail;
};

/* Returns 0, or -1 with err set: ERR_FORMAT. */
int pack_index_open(struct pack_index *index, const uint8_t *raw, size_t len, struct err *err);

/* Returns 0; 1 at the end; -1 with err set: ERR_FORMAT; 2 if this entry is
 * refused (its HEAD or TAIL says what is not allowed; err says why): go on. */
int pack_index_next(struct pack_index *index, struct pack_index_record *record, struct err *err);

#endif
