/*
 * What is done to a store as a whole: collecting garbage, scrubbing,
 * rebuilding the index, checking. See cmd/store/LAYOUT.md,
 * sections 7 and 8. All block until they are done.
 */
#ifndef FDUMP_CMD_STORE_CARE_H
#define FDUMP_CMD_STORE_CARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/engine.h"

struct buf;
struct err;

/* Gives back the space of chunks that no dump names. Volumes of which at
 * most keep_percent is needed are rewritten. The store is opened to
 * write. Rewriting may use three quarters of the reserve; volumes whose rewriting does not fit are
 * left, and if not all fit the cheapest are first. Returns 0, or -1 with err set, ERR_BUSY (readers
 * did not end in time); what was collected until then is. */
struct engine_gc_options {
	bool dry_run;
	unsigned keep_percent;
	const atomic_bool *stop; /* begins no further volume once it is true; NULL: never */
};
struct engine_gc_result {
	uint64_t volumes; /* rewritten, or that would be */
	uint64_t bytes;   /* given back */
	uint64_t chunks;  /* that left the index */
	uint64_t left; /* bytes of garbage in volumes of which over keep_percent is needed; about */
	uint64_t damaged;      /* volumes that were left alone, for they have damage */
	uint64_t unfit;        /* volumes that were left, for there is no space to rewrite them */
	uint64_t wanted, free; /* bytes that the first of these needs; that may be used */
};
int engine_gc(struct engine *store, const struct engine_gc_options *options,
	struct engine_gc_result *result, struct err *err);

/* What the index that there is says of dumps and volumes, in bytes for engine_rebuild. LMDB may
 * crash, or never end, over a damaged one: call it in a process of its own, with a time-out.
 * Returns 0 or -1. */
int engine_old(const char *path, struct buf *out);

struct engine_scrub_options {
	bool mark;       /* the store is opened by ENGINE_TEND or ENGINE_WRITE */
	uint64_t rate;   /* bytes a second; 0: all there is */
	int64_t for_sec; /* begins no volume after so long; 0: reads all */
	const atomic_bool
		*stop; /* ends within moments once it is true; what was read is noted, unless the
			  index is so large that that takes long; NULL: never */
};

/* Reads every block of every volume, that first which was not read for longest, holds it against
 * its check and the index, and every dump against the chunks there are. With `mark`: chunks that
 * are damaged are marked, so that the next backup, or replicate, puts them again; and when each
 * volume was read. Others may write to the store meanwhile: what they put, moved or deleted since
 * it was read is no damage. Returns 0 (result says how well), or -1 with err set. */
int engine_scrub(struct engine *store, const struct engine_scrub_options *options,
	store_problem *problem, void *ctx, struct store_checked *result, struct err *err);

/* Makes the index anew, from the volumes; of the old one is taken only, if it can be read, what to
 * tell as lost: volumes, and dumps whose records were there. Then all dumps are held against the
 * chunks. The store must not be open. Returns 0 (result says how well),
 * or -1 with err set: the old index is as it was, or the new one could not be read to the end. ask:
 * has what engine_old says of it in `old`, or nothing; NULL: it is not asked. ctx: of both. */
typedef void engine_ask_old(void *ctx, const char *path, struct buf *old);
int engine_rebuild(const char *path, const struct engine_wait *wait, engine_ask_old *ask,
	store_problem *problem, void *ctx, struct store_checked *result, struct err *err);

/* Compares all dumps with the chunks there are, counts and reports those that are not whole. If the
 * store is open to write and none is incomplete, volumes whose files are missing, and what was cut
 * off others, leave the index. Returns 0, or -1 with err set. */
int engine_check_lists(struct engine *store, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err);

#endif
