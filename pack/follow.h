/*
 * Lists the entries of the loads that a reader has processed (pack/reader.h), one by one as
 * they become complete, each with HEAD and TAIL, including entries that span blocks. For
 * callers that need entries but not their content.
 *
 *   pack_follow_init -> pack_follow_load ... -> pack_follow_fini
 *
 * No input or output; allocates memory.
 */
#ifndef FDUMP_PACK_FOLLOW_H
#define FDUMP_PACK_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "pack/load.h"

struct err;

struct pack_follow {
	bool open;             /* an entry continues in the next block */
	struct pack_head head; /* its HEAD; what that borrows is in .bytes */
	uint64_t block;        /* where it began */
	uint32_t at;
	struct buf bytes;
};

/* A complete entry. Head and tail are valid during the call only. */
struct pack_followed {
	const struct pack_head *head;
	const struct pack_tail *tail;
	enum pack_verdict verdict;
	uint64_t block; /* offset in the input of the block in which it begins */
	uint32_t at;    /* offset of the HEAD in that block's raw payload */
};

/* Returns 0 to go on; any other value stops. */
typedef int pack_follow_entry(void *ctx, const struct pack_followed *entry, struct err *err);

void pack_follow_init(struct pack_follow *follow);
void pack_follow_fini(struct pack_follow *follow);

/* Calls `entry` for each entry that this load completes, except those whose HEAD or TAIL was
 * refused. Returns 0, what `entry` returned, or -1 with err set (out of memory). */
int pack_follow_load(struct pack_follow *follow, struct pack_load *load, pack_follow_entry *entry,
	void *ctx, struct err *err);

#endif
