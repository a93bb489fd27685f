/*
 * Maintenance of a whole store: garbage collection, scrub, rebuild of the index, check of the
 * dumps. See cmd/store/LAYOUT.md, sections 7 and 8. All functions block until they are done.
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

/* Frees the space of chunks that no dump names: rewrites volumes that are needed to at most
 * keep_percent. The store must be open to write. Rewriting may use three quarters of the reserve.
 * Volumes that do not fit even then are left alone; if not all of them fit, the cheapest are
 * rewritten first. Returns 0, or -1 with err set, ERR_BUSY: readers did not end in time. Space that
 * was freed before an error stays free. */
struct engine_gc_options {
	bool dry_run;
	unsigned keep_percent;
	const atomic_bool *stop; /* begins no further volume once it is true; NULL: never */
};
struct engine_gc_result {
	uint64_t volumes;      /* rewritten; in a dry run, that would be */
	uint64_t bytes;        /* freed */
	uint64_t chunks;       /* removed from the index */
	uint64_t left;         /* bytes of garbage, roughly, in volumes above keep_percent */
	uint64_t damaged;      /* volumes left alone because they are damaged */
	uint64_t unfit;        /* volumes left alone because there is no space to rewrite them */
	uint64_t wanted, free; /* bytes that the first unfit volume needs; bytes that may be used */
};
int engine_gc(struct engine *store, const struct engine_gc_options *options,
	struct engine_gc_result *result, struct err *err);

/* Reads from the present index which dumps and volumes there should be, and appends that to `out`
 * for engine_rebuild. LMDB may crash or hang over a damaged index: call this in a process of its
 * own, with a time-out. Returns 0, or -1 if the index can't be read. */
int engine_old(const char *path, struct buf *out);

struct engine_scrub_options {
	bool mark;       /* writes results to the index; needs ENGINE_TEND or ENGINE_WRITE */
	uint64_t rate;   /* bytes per second; 0: no limit */
	int64_t for_sec; /* begins no further volume after this time; 0: reads all */
	const atomic_bool *stop; /* ends soon once it is true; results so far are written, unless
				    the index is too large for that; NULL: never */
};

/* Reads every block of every volume, beginning with the volume that was read longest ago. Compares
 * each block with its check and the index, and each dump with the chunks in the store. With `mark`,
 * damaged chunks are marked, so that the next backup or replicate puts them again, and the time at
 * which each volume was read is noted. Others may write to the store at the same time: what they
 * put, move or delete is not reported as damage. Returns 0 (result has the findings), or -1 with
 * err set. */
int engine_scrub(struct engine *store, const struct engine_scrub_options *options,
	store_problem *problem, void *ctx, struct store_checked *result, struct err *err);

/* Makes a new index from the volumes, then compares all dumps with the chunks. The old index, if it
 * can be read, only serves to report what is lost: volumes, and dumps whose records are gone. The
 * store must not be open. ask: appends to `old` what engine_old finds, or nothing; NULL: the old
 * index is not read. ctx: for ask and problem. Returns 0 (result has the findings), or -1 with err
 * set: either the old index is still in place, or the new one is and a later step failed. */
typedef void engine_ask_old(void *ctx, const char *path, struct buf *old);
int engine_rebuild(const char *path, const struct engine_wait *wait, engine_ask_old *ask,
	store_problem *problem, void *ctx, struct store_checked *result, struct err *err);

/* Compares all dumps with the chunks in the store; counts and reports incomplete ones. If the store
 * is open to write and no dump is incomplete, volumes whose files are missing, and the lost ends of
 * volumes that were cut, leave the index. Returns 0, or -1 with err set. */
int engine_check_lists(struct engine *store, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err);

#endif
