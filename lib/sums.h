/*
 * Several SHA-256 at once, on one core: for many small pieces of memory that
 * do not depend on each other.
 *
 * One running SHA-256 is a chain of steps that wait for each other; a core has
 * room for several chains side by side. Where libipsec-mb was there at build
 * (x86 only) and the core has AVX2 or AVX-512, that library runs them so,
 * two to three times as fast; else they are done one after the other, with the
 * same result.
 *
 *   sums_new -> sums_add ... -> sums_run -> sums_add ... -> sums_free
 *
 * A struct sums is one thread's own.
 */
#ifndef FDUMP_LIB_SUMS_H
#define FDUMP_LIB_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/hash.h"

struct err;
struct sums;

/* NULL with err set: out of memory. */
struct sums *sums_new(struct err *err);
void sums_free(struct sums *sums);

/* Adds a piece: its digest will be at `digest` when sums_run has returned;
 * until then bytes and digest must stay. Returns 0, or -1 with err set: out of
 * memory. */
int sums_add(struct sums *sums, const void *bytes, size_t len, uint8_t digest[HASH_LEN],
	struct err *err);

/* Makes the digests of all that was added, and forgets it. */
void sums_run(struct sums *sums);

#endif
