/*
 * The press: turns a raw payload into a stored one (compressed, sealed, checked) and back. See
 * pack/FORMAT.md, sections 2 and 6.
 *
 * A struct pack_press belongs to one thread. All presses for a container have the same
 * settings. No input or output; allocates memory.
 */
#ifndef FDUMP_PACK_PRESS_H
#define FDUMP_PACK_PRESS_H

#include <stdint.h>

struct err;
struct pack_block;
struct pack_press;

/* level: zstd's, 0 for none; matters only for pack_press_close. Returns NULL with err set (out
 * of memory). */
struct pack_press *pack_press_new(int level, struct err *err);
void pack_press_free(struct pack_press *press);

/* Sets the payload key, 32 bytes, copied; NULL: none. Payloads whose header says so are sealed
 * or opened with it. Returns 0, or -1 with err set. */
int pack_press_key(struct pack_press *press, const uint8_t *key, struct err *err);

/* Makes the stored payload of a block. The caller sets id, seq, kind, first, sealed and raw_len
 * in `block`, and codec to PACK_ZSTD if it may be compressed. Sets codec, stored_len and check.
 * `packed` has room for raw_len + PACK_BLOCK_TAG bytes. *stored is set to the stored payload:
 * in `packed`, or `raw` itself if it is kept unchanged. Returns 0, or -1 with err set. */
int pack_press_close(struct pack_press *press, struct pack_block *block, const uint8_t *raw,
	uint8_t *packed, const uint8_t **stored, struct err *err);

/* Recovers the raw payload. `stored` has stored_len bytes and may be modified, because it is
 * opened in place. `unpacked` has room for raw_len bytes and is used if the payload is
 * compressed. *raw is set to the raw payload, in one of the two. Returns 0, or -1 with err set:
 * ERR_DAMAGE (the check fails, or not authentic), ERR_DENIED (sealed, and there is no key),
 * ERR_NOMEM. */
int pack_press_open(struct pack_press *press, const struct pack_block *block, uint8_t *stored,
	uint8_t *unpacked, const uint8_t **raw, struct err *err);

#endif
