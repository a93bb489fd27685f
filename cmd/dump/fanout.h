/*
 * The fan-out: the stores of a backup. One reading feeds all of them, and none waits for another
 * longer than it must. Their queues are the stores' own (store_put); this is policy only:
 *
 * - A store that fails is left behind, and reported.
 * - So is a store that holds up the others for more than DUMP_SLOW_MS in all, if there are enough
 *   without it.
 * - A store that is needed is waited for, but not for ever: after DUMP_STALL_MS in which it took
 *   nothing it is left behind too.
 * - A run is begun in all stores at the same time: one that does not answer gets DUMP_SLOW_MS when
 *   enough have begun.
 *
 * What was left behind, and what was still being opened when the fan-out was made, catches up from
 * the others, all at the same time: dump_fanout_catch_up.
 *
 *   dump_fanout_new -> dump_fanout_previous -> dump_fanout_begin -> _have, _put ... -> _commit ->
 *   [dump_fanout_catch_up] -> dump_fanout_free
 *
 * Any thread may call dump_fanout_have; all else is called by one thread at a time.
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
	struct store **stores; /* some open to write; those that are not count as left behind */
	size_t count;
	const char *agent, *name; /* who backs up, and what */
	const struct dump_domain *domain;
	size_t wanted; /* this many are enough; 1 to count */
	/* A store is left behind; by its place among the stores. One call at a time, perhaps from
	 * another thread. */
	void (*behind)(void *ctx, size_t store, const char *why);
	void *ctx;
	int64_t (*now_ms)(void); /* NULL: the monotonic clock; a test has its own */
};

/* The options are copied; what they point to is borrowed. NULL with err set if no store is open. */
struct dump_fanout *dump_fanout_new(const struct dump_fanout_options *options, struct err *err);
/* The stores stay the caller's. NULL does nothing. */
void dump_fanout_free(struct dump_fanout *fanout);

/* Calls `each` for each store with what it has of this backup, borrowed for the call. Stores that
 * can't be read are left behind. */
typedef void dump_fanout_each_before(void *ctx, size_t store, const struct dump_before *before);
void dump_fanout_before(struct dump_fanout *fanout, dump_fanout_each_before *each, void *ctx);

/* Begins a run in all stores, also after one whose commit failed. base: the dump whose entries may
 * be carried over, or NULL. *has_base: a store holds it, so that what it names need not be read
 * again. Returns 0, or -1 with err set: no store is left. */
int dump_fanout_begin(
	struct dump_fanout *fanout, const uint8_t *base, bool *has_base, struct err *err);

/* Which stores lack each of count chunks (STORE_ID_LEN bytes each, at most STORE_HAVE_MAX), or
 * don't know, bit n for the n-th store: none if it need not be made. One question to each store.
 * Returns 0, or -1 with err set: no store is left. */
int dump_fanout_have(struct dump_fanout *fanout, const uint8_t *ids, size_t count, uint32_t *lacks,
	struct err *err);
/* Puts a record to the stores of a set. Returns 0, or -1 with err set: no store is left. */
int dump_fanout_put(struct dump_fanout *fanout, const uint8_t *record, size_t len, uint32_t to,
	struct err *err);

/* Commits everywhere. *acknowledged: how many stores gave a receipt; *stored: bytes of new records
 * that one of these took in, the one that took most. Returns 0: one at least has it, and a store
 * that lacks chunks was left behind; 1: none has, and one lacks chunks that were not sent in this
 * run: what was carried over must be read again; the ids of these chunks are appended to `missing`
 * (NULL: they are not wanted), some of them perhaps twice; -1 with err set: no store is left. */
int dump_fanout_commit(struct dump_fanout *fanout, const uint8_t *record, size_t len,
	size_t *acknowledged, uint64_t *stored, struct buf *missing, struct err *err);

/* Opens again what was left behind, and copies this dump to it from a store that has acknowledged
 * it. each: called for each before (done: false) and when it has it (done: true), as `behind` is.
 * Failures are reported by `behind`, but not a second time that there is no space. *stored grows to
 * what one of these took in, if that is more. Returns how many have caught up. */
size_t dump_fanout_catch_up(struct dump_fanout *fanout, const uint8_t *dump,
	void (*each)(void *ctx, size_t store, bool done), uint64_t *stored);

/* A store's receipt for the dump; NULL: it has given none. Borrowed. */
const struct store_receipt *dump_fanout_receipt(const struct dump_fanout *fanout, size_t store);

#endif
