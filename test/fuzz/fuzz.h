/* Shared by the fuzz targets of packs. */
#ifndef FDUMP_TEST_FUZZ_H
#define FDUMP_TEST_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/le.h"
#include "pack/block.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Recomputes the checks of all blocks, so that the code after them is reached: a header is wherever
 * the magic is. */
static inline void fuzz_fix_checks(uint8_t *data, size_t len)
{
	size_t at, stored;

	for (at = 0; at + PACK_BLOCK_HEADER <= len; at++) {
		if (memcmp(data + at,
			    "\xf7"
			    "DMP",
			    4) != 0)
			continue;
		stored = le_get32(data + at + 44);
		if (stored <= len - at - PACK_BLOCK_HEADER)
			le_put64(data + at + 48, hash_xxh3(data + at + PACK_BLOCK_HEADER, stored));
		le_put64(data + at + 56, hash_xxh3(data + at, 56));
		at += PACK_BLOCK_HEADER - 1;
	}
}

/* A copy of exactly this size, so that reading beyond it is noticed. Never NULL. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

#endif
