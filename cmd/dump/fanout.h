/*
 * The fan-out: sends one backup to several stores. The data is read once for all of them, and no
 * store waits for another longer than it must. Each store has its own queue (store_put); this
 * module only decides which stores to wait for:
 *
 * - A store that fails is left behind, and reported.
 * - So is a store that holds up the others for more than DUMP_SLOW_MS in all, if there are enough
 *   without it.
 * - A store that is needed is waited for, but not forever: it is left behind after DUMP_STALL_MS in
 *   which it accepted nothing.
 * - A run is begun in all stores at the same time. Once enough have begun, the others get
 *   DUMP_SLOW_MS.
 *
 * Stores that were left behind, and those that were still being opened when the fan-out was made,
 * catch up at the end: the dump is copied to them from the other stores (dump_fanout_catch_up).
 *
 *   dump_fanout_new -> dump_fanout_before -> dump_fanout_begin -> _have, _put ... -> _commit ->
 *   [dump_fanout_catch_up] -> dump_fanout_free
 *
 * Any thread may call dump_fanout_have; all other functions are called by one thread at a time.
 */
#ifndef FDUMP_CMD_DUMP_FANOUT_H
#define FDUMP_CMD_DUMP_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"

struct buf;
struct dump_before;
struct dump_domain;
struct dump_fanout;
struct err;

#define DUMP_SLOW_MS  20000
#define DUMP_STALL_MS 600000

struct dump_fanout_options {
	struct store **stores; /* at least one is open for writing; those that are not count as left
				  behind */
	size_t count;
	const char *agent, *name; /* of the backup */
	const struct dump_domain *domain;
	size_t wanted; /* how many stores are enough; at least 1 */
	/* Reports that a store is left behind, by its index in .stores. Called for one store at a
	 * time, possibly from another thread. */
	void (*behind)(void *ctx, size_t store, const char *why);
	void *ctx;
	int64_t (*now_ms)(void); /* NULL: the monotonic clock; tests set their own */
};

/* The options are copied; what they point to is borrowed. NULL with err set: ERR_NOTFOUND (no store
 * is open), ERR_NOMEM. */
struct dump_fanout *dump_fanout_new(const struct dump_fanout_options *options, struct err *err);
/* Does not free the stores. NULL does nothing. */
void dump_fanout_free(struct dump_fanout *fanout);

/* Reads from each store the earlier dumps of this backup, and calls `each` with them (borrowed for
 * the call). Stores that can't be read are left behind. */
typedef void dump_fanout_each_before(void *ctx, size_t store, const struct dump_before *before);
void dump_fanout_before(struct dump_fanout *fanout, dump_fanout_each_before *each, void *ctx);

/* Begins a run in all stores; also after a run whose commit failed. base: the dump whose entries
 * may be carried over, or NULL. *has_base: a store holds that dump, so what it names need not be
 * read again. Returns 0, or -1 with err set: no store is left. */
int dump_fanout_begin(
	struct dump_fanout *fanout, const uint8_t *base, bool *has_base, struct err *err);

/* Finds out which stores lack each of `count` chunks (STORE_ID_LEN bytes each, at most
 * STORE_HAVE_MAX), with one question to each store. lacks[i] gets bit n if the n-th store lacks
 * chunk i or does not know; 0 means that the chunk need not be made. Returns 0, or -1 with err set:
 * no store is left. */
int dump_fanout_have(struct dump_fanout *fanout, const uint8_t *ids, size_t count, uint32_t *lacks,
	struct err *err);
/* Puts a record into the stores of a set (bit n for the n-th). Returns 0, or -1 with err set: no
 * store is left, or out of memory. */
int dump_fanout_put(struct dump_fanout *fanout, const uint8_t *record, size_t len, uint32_t to,
	struct err *err);

/* Commits the dump in all stores. *acknowledged: how many stores gave a receipt. *stored: bytes of
 * new records in the store that took the most.
 *
 * Returns 0 if at least one store has the dump; stores that lack chunks were left behind. Returns 1
 * if none has it, and at least one lacks chunks that were not sent in this run: then the entries
 * that were carried over must be read again. The ids of these chunks are appended to `missing`
 * (NULL: not wanted), perhaps some of them twice. Returns -1 with err set if no store is left. */
int dump_fanout_commit(struct dump_fanout *fanout, const uint8_t *record, size_t len,
	size_t *acknowledged, uint64_t *stored, struct buf *missing, struct err *err);

/* Opens the stores that were left behind again, and copies this dump to them from stores that have
 * acknowledged it. each: called for every such store before (done: false) and after it got the dump
 * (done: true), from the same threads as `behind`. Failures are reported by `behind`, except that a
 * full store is not reported twice. *stored is raised if one of these stores took more new bytes.
 * Returns how many stores have caught up. */
size_t dump_fanout_catch_up(struct dump_fanout *fanout, const uint8_t *dump,
	void (*each)(void *ctx, size_t store, bool done), uint64_t *stored);

/* A store's receipt for the dump, borrowed; NULL if it gave none. */
const struct store_receipt *dump_fanout_receipt(const struct dump_fanout *fanout, size_t store);

#endif
