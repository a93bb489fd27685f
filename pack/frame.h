/*
 * The framing machine: finds the blocks of packs in a stream of bytes, also after damage. See
 * pack/FORMAT.md, section 2.1.
 *
 * Pure: the caller keeps a window on the stream and does what each step asks for.
 *
 * Zero a struct pack_frame, then call pack_frame_step until it returns PACK_FRAME_END,
 * PACK_FRAME_TRAILING or PACK_FRAME_REFUSED.
 */
#ifndef FDUMP_PACK_FRAME_H
#define FDUMP_PACK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/block.h"

struct err;

struct pack_frame {
	bool known; /* whether `id` is known */
	uint8_t id[PACK_BLOCK_ID];
	uint64_t next_seq;
	bool ended;    /* END was seen; the end of the input or another START must follow */
	bool scanning; /* searching for a header, after damage */
};

enum pack_frame_got {
	PACK_FRAME_BLOCK,     /* a good header; *n: length of header and payload */
	PACK_FRAME_MISPLACED, /* the same, but the block does not belong here: skip it */
	PACK_FRAME_MORE,      /* need *n bytes in the window, or the end of the input */
	PACK_FRAME_SKIP,      /* damage: drop *n bytes (at least 1) */
	PACK_FRAME_END,       /* the end of the input */
	PACK_FRAME_TRAILING,  /* bytes after END that are not a pack; reading ends here */
	PACK_FRAME_REFUSED,   /* a block of a later version, or that needs unknown features; err is
				 set */
};

/* Examines the window, which begins at the next byte of the stream. eof: no more bytes follow
 * the window. Of a block, only the header needs to be in the window. */
enum pack_frame_got pack_frame_step(struct pack_frame *frame, const uint8_t *window, size_t len,
	bool eof, struct pack_block *block, size_t *n, struct err *err);

#endif
