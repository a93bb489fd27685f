/*
 * Reading dumps: stores read together, a dump chosen, its chunks taken from
 * whichever store has them whole.
 *
 *   dump_source_new -> dump_source_choose -> one dump_taker a thread ->
 *   ... -> dump_source_free
 */
#ifndef FDUMP_CMD_DUMP_SOURCE_H
#define FDUMP_CMD_DUMP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/dump/crypt.h"
#include "cmd/dump/order.h"
#include "cmd/store/store.h"

struct dump_source;
struct dump_taker;
struct buf;
struct err;

/* Reads from these stores, of which at least one is open; the others are passed over. stores, keys:
 * borrowed. NULL with err set: out of memory. */
struct dump_source *dump_source_new(
	struct store *const *stores, size_t count, struct dump_keys *keys, struct err *err);
/* Another view of the same stores, to choose another dump; close it before the first. NULL with
 * err set: out of memory. */
struct dump_source *dump_source_share(const struct dump_source *source, struct err *err);
void dump_source_free(struct dump_source *source);

/* What to do about chunks that can't be had. */
#define DUMP_SOURCE_ADVICE                                                                         \
	"name by -s another store that has the dump, or repair this one (fdump store scrub, then " \
	"replicate)"

/* A dump among those of all stores. */
struct dump_listed {
	uint32_t stores;       /* which have it, bit n for the n-th path */
	enum dump_clock clock; /* whether its time is believed */
	int64_t when;          /* cmd/dump/order.h */
};

/* Calls `each` for the dumps of all stores, each once, in the order in which they were made
 * (cmd/dump/order.h). The stores are asked at the same time. As store_dumps; one whose record no
 * store can read stands behind the one that was committed before it. */
typedef int dump_each_dump(void *ctx, const struct store_entry *entry,
	const struct dump_listed *listed, struct err *err);
int dump_source_dumps(struct dump_source *source, dump_each_dump *each, void *ctx, struct err *err);

/* Finds a dump's id: an id or at least 4 digits of one, "latest" (of this host),
 * or [AGENT/]NAME@latest or @TIME: the last one at that time, in ISO 8601. One that is dated in the
 * future is the last only if there is no other: dump_source_passed. host: this host's
 * name. Returns 0; 1: the same, by digits, but its record can't be read; -1 with err set:
 * ERR_NOTFOUND, ERR_USAGE (more than one), ERR_DAMAGE (which is the last can't be told). */
int dump_source_find(struct dump_source *source, const char *text, const char *host,
	uint8_t id[STORE_DUMP_ID], struct err *err);

/* The one dated in the future that dump_source_find passed over last, for it would have been the
 * last; NULL: none. STORE_DUMP_ID bytes, good until the next call. */
const uint8_t *dump_source_passed(const struct dump_source *source);

/* Chooses the dump that dump_source_find finds, and holds it in every store that has it, until
 * that is closed: what is read meanwhile is not deleted. Returns 0, or -1 with err set: ERR_DAMAGE
 * (its record can't be read), ERR_BUSY (no store could hold it), as dump_source_find. */
int dump_source_choose(
	struct dump_source *source, const char *text, const char *host, struct err *err);

/* The dump that was chosen; its bytes belong to the source. */
const struct store_dump *dump_source_dump(const struct dump_source *source);

/* Opens it: its domain's secret, by the keys; its record's HMAC; the names of its manifest's
 * pieces. Returns 0, or -1 with err set: ERR_DENIED, ERR_DAMAGE. */
int dump_source_unlock(struct dump_source *source, struct err *err);

struct dump_taker *dump_taker_new(struct dump_source *source, struct err *err);
void dump_taker_free(struct dump_taker *taker);

/* A chunk that a store which has the dump could not give, and another could. */
struct dump_healed {
	size_t store, from; /* places among the stores */
	uint8_t id[STORE_ID_LEN];
};
/* Those that were met so far, DUMP_HEALED_MAX at most; each once for a store. Borrowed; no taker
 * may be at work. */
#define DUMP_HEALED_MAX 65536
const struct dump_healed *dump_source_healed(const struct dump_source *source, size_t *count);

/* Stores that could not be reached any more, and are not asked again; bit n for the n-th path. */
uint32_t dump_source_lost(const struct dump_source *source);

/* A chunk's content into `out`, from the first store that has it whole: those that have the dump
 * are asked before the others. Returns 0, or -1 with err set: no store has it whole. Whether it is
 * what its id says only the checksum of what is made of it tells, if there is a single store. */
int dump_taker_chunk(struct dump_taker *taker, const uint8_t *id, struct buf *out, struct err *err);
/* Lets the stores fetch chunks that will be taken (count ids), each from the first that has it. A
 * hint: nothing is told. */
void dump_taker_ahead(struct dump_taker *taker, const uint8_t *ids, size_t count);
/* The id of a piece of the manifest; NULL behind the last. */
const uint8_t *dump_taker_piece_id(const struct dump_taker *taker, uint64_t number);
/* A piece of the manifest, held against its id. Returns 0; 1 behind the last;
 * -1 with err set. */
int dump_taker_piece(struct dump_taker *taker, uint64_t number, struct buf *out, struct err *err);

#endif
