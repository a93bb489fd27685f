/*
 * A walk that is read: the scanner (pack/scan.h), with hard links found
 * (pack/links.h), and what can't be looked at noted in the batch
 * (pack/batch.h) that is being planned.
 *
 *   pack_walk_init -> (pack_walk_next -> use -> .pending = false)* -> pack_walk_fini
 *
 * One thread at a time.
 */
#ifndef FDUMP_PACK_WALK_H
#define FDUMP_PACK_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "pack/scan.h"

struct err;
struct pack_batch;
struct pack_links;

struct pack_walk {
	struct pack_scan_item item; /* met; its fd is the walk's while it is pending */
	bool pending;               /* not taken yet */
	bool linked;                /* the same file as the entry `link`, which came before */
	struct buf link;
	uint64_t missing; /* met, but not looked at: they are no entries */
	uint64_t untold;  /* of these, without a note, for want of memory */
	/* Its own. */
	struct pack_scan *scan;
	struct pack_links *links;
	struct pack_batch *batch;
};

/* options are copied; their `problem` is the walk's own. Returns 0, or -1 with err
 * set: out of memory. To be ended by _fini in any case. */
int pack_walk_init(
	struct pack_walk *walk, const struct pack_scan_options *options, struct err *err);
void pack_walk_fini(struct pack_walk *walk);

/* Sees to it that an item is pending. What can't be looked at is noted in the batch.
 * Returns 0; 1: there are no more; -1 with err set. */
int pack_walk_next(struct pack_walk *walk, struct pack_batch *batch, struct err *err);

#endif
