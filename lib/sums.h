/*
 * Many SHA-256 at once on one core, for small pieces of memory that do not
 * depend on each other.
 *
 * One running SHA-256 is a chain of steps that wait for each other; a core can
 * run several chains side by side. If the build has libipsec-mb (x86 only) and
 * the core has AVX2 or AVX-512, that library does so, two to three times as
 * fast. Otherwise the hashes are computed one after the other, with the same
 * result.
 *
 *   sums_new -> sums_add ... -> sums_run -> sums_add ... -> sums_free
 *
 * A struct sums belongs to one thread.
 */
#ifndef FDUMP_LIB_SUMS_H
#define FDUMP_LIB_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/hash.h"

struct err;
struct sums;

/* Returns NULL with err set: out of memory. */
struct sums *sums_new(struct err *err);
void sums_free(struct sums *sums);

/* Adds a piece. sums_run writes its digest to `digest`; until then bytes and
 * digest must stay valid. Returns 0, or -1 with err set: ERR_NOMEM; ERR_LIMIT
 * if there are 1,048,576 pieces. */
int sums_add(struct sums *sums, const void *bytes, size_t len, uint8_t digest[HASH_LEN],
	struct err *err);

/* Computes the digests of all pieces added, and empties the list. */
void sums_run(struct sums *sums);

#endif
