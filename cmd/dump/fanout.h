/*
 * The stores of a backup: one reading feeds all of them. Each has a thread and
 * a bounded queue of its own, so that none waits for another longer than it
 * must:
 *
 * - A store that fails is left behind, and said to be.
 * - So is a store that holds up the others for more than DUMP_SLOW_SEC in
 *   all, if there are enough without it.
 * - A store that is needed is waited for, but not without end: after
 *   DUMP_STALL_SEC in which it took nothing it is left behind too.
 *
 * What was left behind catches up from the others: dump_fanout_catch_up.
 *
 *   dump_fanout_open -> _have, _put ... -> _commit -> [_catch_up] ->
 *   dump_fanout_close
 *
 * Any thread may ask and put.
 */
#ifndef FDUMP_CMD_DUMP_FANOUT_H
#define FDUMP_CMD_DUMP_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"

struct dump_fanout;
struct buf;
struct dump_before;
struct err;

#define DUMP_STORES_MAX 16
#define DUMP_QUEUE      (4u << 20) /* bytes of records that wait for one store */
#define DUMP_SLOW_SEC   20
#define DUMP_STALL_SEC  600

struct dump_fanout_options {
	const char *const *paths;
	size_t count;
	const char *agent; /* who puts */
	size_t wanted;     /* this many are enough; 1 to count */
	/* A store is left behind. */
	void (*behind)(void *ctx, const char *store, const char *why);
	void *ctx;
};

/* Opens the stores to write. NULL with err set if not one can be. */
struct dump_fanout *dump_fanout_open(
	const struct dump_fanout_options *options, const uint8_t *domain, struct err *err);
void dump_fanout_close(struct dump_fanout *copies);

/* Whether every store that is not behind has it, or will have when its queue is worked off.
 * Returns 0, or -1 with err set: no store is left. */
int dump_fanout_have(struct dump_fanout *copies, const uint8_t *id, bool *has, struct err *err);
/* Queues a record for where it is not. Returns 0, or -1 with err set: no store is left. */
int dump_fanout_put(struct dump_fanout *copies, const uint8_t *record, size_t len, struct err *err);

/* Whether a store holds this dump, so that what it names need not be read again. */
int dump_fanout_has_dump(
	struct dump_fanout *copies, const uint8_t *dump, bool *has, struct err *err);

/* Calls `each` for each store with what it has of this agent's dumps of this name, borrowed for the
 * call. Such that are told as damaged count as none. Stores that can't be read are left behind. */
typedef void dump_fanout_each_before(
	void *ctx, const char *store, const struct dump_before *before);
void dump_fanout_before(
	struct dump_fanout *copies, const char *name, dump_fanout_each_before *each, void *ctx);

/* Commits everywhere. *acknowledged: by how many stores; *stored: bytes of new records that one of
 * these took in, the one that took most. Returns 0: one at least has it, and a store that lacks
 * chunks was left behind; 1: none has, and one lacks chunks that were not sent in this run: what
 * was carried over must be read again; -1 with err set: no store is left. */
int dump_fanout_commit(struct dump_fanout *copies, const uint8_t *record, size_t len,
	size_t *acknowledged, uint64_t *stored, struct err *err);

/* Opens again what was left behind, and copies this dump to it from a store that has
 * acknowledged it. each: told of each before (done: false) and when
 * it has it (done: true). Failures are told by `behind`, but not a second time that there is no
 * space. *stored grows to what one of these took in, in all, if that is more.
 * Returns how many have caught up. */
size_t dump_fanout_catch_up(struct dump_fanout *copies, const uint8_t *dump,
	void (*each)(void *ctx, const char *store, bool done), uint64_t *stored);

#endif
