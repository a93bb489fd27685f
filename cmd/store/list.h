/*
 * The list of a dump's chunks, and whether they are there.
 */
#ifndef FDUMP_CMD_STORE_LIST_H
#define FDUMP_CMD_STORE_LIST_H

#include "cmd/store/engine.h"

struct db_txn;

/* Calls `each` for every chunk of a dump's list. Returns 0; 1 if a piece of
 * the list is missing: its id is appended to `missing` if that is not NULL; -1. */
typedef int engine_each_chunk(void *ctx, const uint8_t *id, struct err *err);
int engine_list_walk(struct engine *s, const struct store_dump *dump, engine_each_chunk *each,
	void *ctx, struct buf *missing, struct err *err);

/* Whether a dump has all it needs; missing ids are appended to `missing`, if that is not NULL.
 * Returns 0, 1 or -1. */
int engine_whole(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	struct buf *missing, struct err *err);

/* Tells of a dump that is not whole, and counts it. Returns 0, or -1 with err set: it could not be
 * looked at. */
int engine_tell_whole(struct engine *s, const struct store_entry *e, store_problem *problem,
	void *ctx, uint64_t *incomplete, struct err *err);

#endif
