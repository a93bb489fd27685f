/*
 * The dumps of a store: which there are, their records, and the lists of their chunks. Also
 * implements engine_dumps and engine_hold.
 */
#ifndef FDUMP_CMD_STORE_LISTING_H
#define FDUMP_CMD_STORE_LISTING_H

#include <stdatomic.h>

#include "cmd/store/engine.h"
#include "cmd/store/index.h"

struct buf;
struct db_txn;

/* Compares a record with that of the dump in this row. Returns 0: the dump's record can't be read;
 * 1: they are equal, and the receipt is set; -1: they differ. */
int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt);

/* Calls `each` for every chunk of a dump's list. Returns 0; 1 if a piece of the list is missing
 * (its id is appended to `missing` if that is not NULL); -1 with err set. Ends with what `each`
 * returns if that is not 0. */
typedef int engine_each_chunk(void *ctx, const uint8_t *id, struct err *err);
int engine_list_walk(struct engine *s, const struct store_dump *dump, engine_each_chunk *each,
	void *ctx, struct buf *missing, struct err *err);

/* Whether the index has all chunks of a dump; call after engine_flush_all. Returns 0; 1: some are
 * missing, and their ids are appended to `missing` if that is not NULL; -1 with err set. */
int engine_whole(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	struct buf *missing, struct err *err);

/* A check of all dumps. */
struct engine_check {
	struct engine *store;
	store_problem *problem;
	void *ctx;
	struct store_checked *result; /* .dumps, .incomplete and .stopped are set */
	const struct buf *bad;        /* struct engine_bad, sorted; or NULL */
	const atomic_bool *stop;      /* stops the check once it is true; or NULL */
};
/* A chunk, or a dump's record, that can't be read, and where the index has it. If `good`, the
 * opposite: it is marked as damaged but can be read. */
struct engine_bad {
	uint8_t key[STORE_INDEX_KEY]; /* of a dump: its id */
	struct store_place place;
	bool good;
};
/* For qsort: by key, then by place. */
int engine_bad_order(const void *a, const void *b);
/* Callback for engine_dumps; ctx: a struct engine_check. Reports a dump that is not complete.
 * Returns 0; 1: stopped; -1 with err set. */
int engine_check_dump(void *ctx, const struct store_entry *entry, struct err *err);

#endif
