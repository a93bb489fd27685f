/*
 * The entries of loads that a reader has taken (pack/reader.h), one after the
 * other as they are completed: each with HEAD and TAIL, also those that go
 * over the ends of blocks. For those who want to know about entries, not
 * their content.
 *
 *   pack_follow_init -> pack_follow_load ... -> pack_follow_fini
 *
 * Pure but for memory.
 */
#ifndef FDUMP_PACK_FOLLOW_H
#define FDUMP_PACK_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "pack/load.h"

struct err;

struct pack_follow {
	bool open;             /* an entry goes on in the next block */
	struct pack_head head; /* of it; what it borrows is in .bytes */
	struct buf bytes;
};

/* An entry: offset is that of its block in the input. Head
 * and tail are good for the call. Returns 0; anything else stops. */
typedef int pack_follow_entry(void *ctx, const struct pack_head *head, const struct pack_tail *tail,
	enum pack_verdict verdict, uint64_t offset, struct err *err);

void pack_follow_init(struct pack_follow *follow);
void pack_follow_fini(struct pack_follow *follow);

/* Calls entry for each that is completed in this load; those whose HEAD or
 * TAIL was refused are left out. Returns 0, what entry returned, or -1 with
 * err set (out of memory). */
int pack_follow_load(struct pack_follow *follow, struct pack_load *load, pack_follow_entry *entry,
	void *ctx, struct err *err);

#endif
