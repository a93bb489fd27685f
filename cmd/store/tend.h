/*
 * Tending a store beside its service: gc, once no run and no dump that is read is open, and scrub.
 * The work is done in a thread of the pool; all else is the loop's.
 *
 *   store_tend_init -> store_tend_start ... -> store_tend_stop
 */
#ifndef FDUMP_CMD_STORE_TEND_H
#define FDUMP_CMD_STORE_TEND_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cmd/store/care.h"
#include "lib/err.h"
#include "lib/pool.h"
#include "rpc/loop.h"

struct store_jobs;

enum store_tending { STORE_TEND_GC, STORE_TEND_SCRUB };
/* What came of it: of one of the two; or err. */
typedef void store_tended(void *ctx, enum store_tending what, const struct engine_gc_result *gc,
	const struct store_checked *scrub, const struct err *err);

struct store_tend {
	struct pool_job pool; /* must be first */
	struct store_jobs *jobs;
	struct rpc_timer timer;
	int64_t gc_from_ms;    /* gc begins no earlier */
	bool tending, working; /* working: a thread has it */
	enum store_tending what;
	store_tended *tended;
	atomic_bool stop; /* gc is to end after this volume */
	int ret;
	struct err err;
	struct engine_gc_result gc;
	struct store_checked scrub;
};

/* Zeroed before; jobs: with its .o. */
void store_tend_init(struct store_tend *tend, struct store_jobs *jobs);
/* Returns 0, and `done` will be called once; or 1: the store is being tended already. */
int store_tend_start(struct store_tend *tend, enum store_tending what, store_tended *done);
/* Whether gc is at work, which then ends soon: who asks waits for it. */
bool store_tend_gives_way(struct store_tend *tend);
/* Begins nothing any more, and ends what goes on soon. */
void store_tend_stop(struct store_tend *tend);

#endif
