/*
 * The press: a raw payload to a stored one (compressed, sealed, checked) and
 * back. See pack/FORMAT.md, sections 2 and 6.
 *
 * A struct pack_press is one thread's own; all presses of one container are
 * alike. Pure but for the memory that it keeps.
 */
#ifndef FDUMP_PACK_PRESS_H
#define FDUMP_PACK_PRESS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct pack_block;
struct pack_press;

/* level: zstd's, 0 for none; only for closing. NULL with err set: out of memory. */
struct pack_press *pack_press_new(int level, struct err *err);
void pack_press_free(struct pack_press *press);

/* From now on payloads whose header says so are sealed under this payload key,
 * or opened by it; NULL: there is none. Returns 0, or -1 with err set. */
int pack_press_key(struct pack_press *press, const uint8_t *key, struct err *err);

/* Makes the stored payload of a block. In `block`, id, seq, kind, first,
 * sealed and raw_len are set by the caller, and codec to PACK_ZSTD if it may be
 * compressed; codec, stored_len and check are set here. `packed` has room for raw_len +
 * PACK_BLOCK_TAG bytes; the stored payload is at *stored afterwards: in `packed`, or `raw` itself
 * if it is kept as it is. Returns 0, or -1 with err set. */
int pack_press_close(struct pack_press *press, struct pack_block *block, const uint8_t *raw,
	uint8_t *packed, const uint8_t **stored, struct err *err);

/* Gets the raw payload back. `stored` has stored_len bytes and may be changed
 * (it is opened in place); `unpacked` has room for raw_len bytes and is used if
 * it was compressed. The raw payload is at *raw afterwards: in one of the two.
 * Returns 0, or -1 with err set: ERR_DAMAGE (a check does not agree, not
 * authentic), ERR_DENIED (sealed, and no key has been given), ERR_NOMEM. */
int pack_press_open(struct pack_press *press, const struct pack_block *block, uint8_t *stored,
	uint8_t *unpacked, const uint8_t **raw, struct err *err);

#endif
