/*
 * Reads INDEX blocks: see pack/FORMAT.md, section 3.2. Pure; borrows from the payload.
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
	uint64_t prev;   /* offset of the previous INDEX from the pack's start; 0: none */
	uint64_t number; /* number of its first entry in the pack */
	uint64_t count;
	uint64_t left;
	struct cbor_in in;
};

struct pack_index_record {
	uint64_t block; /* offset of the entry's block from the pack's start */
	uint64_t at;    /* offset of the HEAD in the block's raw payload */
	struct pack_head head;
	struct pack_tail tail;
};

/* Reads the first item. The payload is borrowed. Returns 0, or -1 with err set (ERR_FORMAT). */
int pack_index_open(struct pack_index *index, const uint8_t *raw, size_t len, struct err *err);

/* Reads the next record, which borrows from the payload. Returns 0; 1 at the end; 2 if this
 * entry is refused (err says what its HEAD or TAIL does wrong): go on with the next; -1 with
 * err set (ERR_FORMAT). */
int pack_index_next(struct pack_index *index, struct pack_index_record *record, struct err *err);

#endif
