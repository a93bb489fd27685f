/*
 * Reading dumps from one or more stores: lists and finds dumps, chooses one, and gets its chunks
 * from whichever store has them undamaged.
 *
 *   dump_source_new -> dump_source_choose -> dump_source_unlock ->
 *   one dump_taker for each thread -> ... -> dump_source_free
 */
#ifndef FDUMP_CMD_DUMP_SOURCE_H
#define FDUMP_CMD_DUMP_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/dump/crypt.h"
#include "cmd/dump/order.h"
#include "cmd/store/store.h"

struct dump_source;
struct dump_taker;
struct buf;
struct err;

/* Reads from these stores. At least one must be open; those that are not are ignored. stores, keys:
 * borrowed. NULL with err set: out of memory. */
struct dump_source *dump_source_new(
	struct store *const *stores, size_t count, struct dump_keys *keys, struct err *err);
void dump_source_free(struct dump_source *source);

/* What to do about chunks that are not available. */
#define DUMP_SOURCE_ADVICE                                                                         \
	"name another store that has the dump with -s, or repair this one (on its machine: fdump " \
	"store scrub, then replicate)"

/* A dump in the list of all stores' dumps. */
struct dump_listed {
	uint32_t stores;       /* that have it; bit n for the n-th path */
	enum dump_clock clock; /* whether its time is believed */
	int64_t when;          /* cmd/dump/order.h */
};

/* Calls `each` once for each dump in any of the stores, in the order in which they were made
 * (cmd/dump/order.h); the callback returns 0, 1 to stop, or -1 with err set. The stores are asked
 * at the same time; those that can't be reached are left out. A dump whose record no store can read
 * comes after the dump that was committed before it. Returns 0, or -1 with err set. */
typedef int dump_each_dump(void *ctx, const struct store_entry *entry,
	const struct dump_listed *listed, struct err *err);
int dump_source_dumps(struct dump_source *source, dump_each_dump *each, void *ctx, struct err *err);

/* Finds a dump's id. text: see cmd/dump/named.h; host: this host's name. A dump that is dated in
 * the future counts as the last only if no other dump matches (dump_source_passed). Returns 0; 1:
 * found by its digits, but its record can't be read; -1 with err set: ERR_NOTFOUND, ERR_USAGE
 * (malformed, or several dumps match), ERR_DAMAGE (unreadable records make it unclear which is the
 * last). */
int dump_source_find(struct dump_source *source, const char *text, const char *host,
	uint8_t id[STORE_DUMP_ID], struct err *err);

/* The dump dated in the future that dump_source_find ignored, although it would have been the last;
 * NULL: none. STORE_DUMP_ID bytes, valid until the next call of dump_source_find. */
const uint8_t *dump_source_passed(const struct dump_source *source);

/* Finds a dump, as dump_source_find, and holds it in every store that has it until that store is
 * closed, so that nothing of it is deleted while it is read. Returns 0, or -1 with err set:
 * ERR_DAMAGE (its record can't be read), the error of store_hold if no store could hold it (such as
 * ERR_BUSY), or as dump_source_find. */
int dump_source_choose(
	struct dump_source *source, const char *text, const char *host, struct err *err);

/* The chosen dump; it belongs to the source. */
const struct store_dump *dump_source_dump(const struct dump_source *source);

/* Opens the chosen dump: gets its domain's secret with the keys, checks its record's HMAC, and
 * reads the ids of its manifest's pieces. Returns 0, or -1 with err set: ERR_DENIED, ERR_DAMAGE. */
int dump_source_unlock(struct dump_source *source, struct err *err);

/* Gets chunks for one thread. NULL with err set: out of memory. */
struct dump_taker *dump_taker_new(struct dump_source *source, struct err *err);
void dump_taker_free(struct dump_taker *taker);

/* A chunk that was missing or damaged in a store that has the dump, and was read from another
 * one. */
struct dump_healed {
	size_t store, from; /* indices of the stores: where it is bad, and where it was read */
	uint8_t id[STORE_ID_LEN];
};
/* Such chunks so far, at most DUMP_HEALED_MAX, each once for a store. Borrowed; no taker may be in
 * use during the call. */
#define DUMP_HEALED_MAX 65536
const struct dump_healed *dump_source_healed(const struct dump_source *source, size_t *count);

/* Stores that became unreachable and are not asked again; bit n for the n-th path. */
uint32_t dump_source_lost(const struct dump_source *source);

/* Gets a chunk's content into `out`, from the first store that has it undamaged; stores that have
 * the dump are asked first. Returns 0, or -1 with err set: no store has it undamaged. With a single
 * store, the content of an unencrypted dump is not compared with the id: the checksum of the file
 * that it becomes part of must be checked. */
int dump_taker_chunk(struct dump_taker *taker, const uint8_t *id, struct buf *out, struct err *err);
/* Tells the stores which chunks (count ids) will be taken soon, so that they can fetch them; each
 * is asked of the first store that has it. Only a hint: errors are ignored. */
void dump_taker_ahead(struct dump_taker *taker, const uint8_t *ids, size_t count);
/* The id of a piece of the manifest; NULL after the last. */
const uint8_t *dump_taker_piece_id(const struct dump_taker *taker, uint64_t number);
/* Gets a piece of the manifest, and checks that it matches its id. Returns 0; 1 after the last
 * piece; -1 with err set. */
int dump_taker_piece(struct dump_taker *taker, uint64_t number, struct buf *out, struct err *err);

#endif
