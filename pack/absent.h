/*
 * Entries that were not restored, by their paths: what has such a name in the
 * target is something else, and a hard link to the entry must not become one to
 * that.
 *
 *   zeroed -> (pack_absent_add | pack_absent_remove | pack_absent_get)* -> pack_absent_fini
 *
 * Paths are known by a hash of 64 bits. Memory is bounded; without room all that
 * is not known counts as not restored. Not thread-safe.
 */
#ifndef FDUMP_PACK_ABSENT_H
#define FDUMP_PACK_ABSENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hash.h"
#include "pack/entry.h"

enum pack_absent_why {
	PACK_ABSENT_NOT,  /* it was restored */
	PACK_ABSENT_NONE, /* there was nothing whole of it */
	PACK_ABSENT_LOST, /* it could not be restored */
	PACK_ABSENT_KEPT, /* what was there stays */
	PACK_ABSENT_SAME, /* the same, and it has the entry's size and time */
};

struct pack_absent_row {
	uint64_t path;   /* 0: free */
	uint8_t sum[15]; /* the beginning of the entry's SHA-256; SAME */
	uint8_t why;
};

struct pack_absent {
	struct pack_absent_row *rows;
	size_t count, cap; /* cap: a power of two */
	bool full;
};

/* sum: the entry's SHA-256 if why is SAME, else NULL. */
void pack_absent_add(struct pack_absent *absent, struct pack_bytes path, enum pack_absent_why why,
	const uint8_t *sum);
void pack_absent_remove(struct pack_absent *absent, struct pack_bytes path);

/* What is known of an entry. If it is SAME, file, which has its name, is read to
 * tell: the answer is NOT or KEPT. */
enum pack_absent_why pack_absent_get(
	struct pack_absent *absent, struct pack_bytes path, int dir, const char *name);

void pack_absent_fini(struct pack_absent *absent);

#endif
