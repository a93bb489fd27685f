/*
 * Which dumps there are, their records, and the lists of their chunks. engine_dumps and engine_hold
 * are here too.
 */
#ifndef FDUMP_CMD_STORE_LISTING_H
#define FDUMP_CMD_STORE_LISTING_H

#include <stdatomic.h>

#include "cmd/store/engine.h"
#include "cmd/store/index.h"

struct buf;
struct db_txn;

/* Whether a dump's record can be read from its volume. Returns 1, 0, ENGINE_GONE: there is no such
 * dump (any more), or -1 with err set. */
enum { ENGINE_GONE = 2 };
int engine_is_readable(struct engine *s, const uint8_t *id, struct err *err);

/* Compares the record of the dump that has this row. Returns 0: that can't be read; 1: it is the
 * same, and the receipt is set; -1: it is another. */
int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt);

/* Calls `each` for every chunk of a dump's list. Returns 0; 1 if a piece of
 * the list is missing: its id is appended to `missing` if that is not NULL; -1. */
typedef int engine_each_chunk(void *ctx, const uint8_t *id, struct err *err);
int engine_list_walk(struct engine *s, const struct store_dump *dump, engine_each_chunk *each,
	void *ctx, struct buf *missing, struct err *err);

/* Whether a dump has all it needs; missing ids are appended to `missing`, if that is not NULL.
 * Returns 0, 1 or -1. */
int engine_whole(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	struct buf *missing, struct err *err);

/* A check of all dumps. */
struct engine_check {
	struct engine *store;
	store_problem *problem;
	void *ctx;
	struct store_checked *result; /* .dumps, .incomplete and .stopped are set */
	const struct buf *bad;        /* sorted: what the index says wrongly of chunks; or NULL */
	const atomic_bool *stop;      /* ends it; or NULL */
};
/* A chunk, or dump's record, that can't be read, and where the index had it; or, good, one that was
 * marked, and is whole all the same. */
struct engine_bad {
	uint8_t key[STORE_INDEX_KEY]; /* of a dump its id */
	struct store_place place;
	bool good;
};
/* For qsort: by key, then by place. */
int engine_bad_order(const void *a, const void *b);
/* For engine_dumps; ctx: a struct engine_check. Reports a dump that is not whole. */
int engine_check_dump(void *ctx, const struct store_entry *entry, struct err *err);

#endif
