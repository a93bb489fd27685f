/*
 * The framing machine: finds the blocks of packs in a stream of bytes, also
 * behind damage. See pack/FORMAT.md, section 2.1.
 *
 * Pure: the caller holds a window on the stream, and does what it is told.
 *
 *   zeroed, then again and again pack_frame_step
 */
#ifndef FDUMP_PACK_FRAME_H
#define FDUMP_PACK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/block.h"

struct err;

struct pack_frame {
	bool known; /* the container's id */
	uint8_t id[PACK_BLOCK_ID];
	uint64_t next_seq;
	bool ended;    /* END was seen: the end of the input or another START follows */
	bool scanning; /* behind damage */
};

enum pack_frame_got {
	PACK_FRAME_BLOCK,     /* a good header; *n: its 64 bytes and the payload's */
	PACK_FRAME_MISPLACED, /* the same, but it does not belong here: pass it by */
	PACK_FRAME_MORE,      /* have *n bytes in the window, or the end */
	PACK_FRAME_SKIP,      /* damage: drop *n bytes, at least 1 */
	PACK_FRAME_END,       /* the end of the input */
	PACK_FRAME_TRAILING,  /* bytes after END that begin no pack; nothing more is read */
	PACK_FRAME_REFUSED,   /* a block of a later version; err is set */
};

/* Looks at the window, which begins at the next byte of the stream. eof: no
 * more bytes will come behind it. Of a block only the header need be there. */
enum pack_frame_got pack_frame_step(struct pack_frame *frame, const uint8_t *window, size_t len,
	bool eof, struct pack_block *block, size_t *n, struct err *err);

#endif
