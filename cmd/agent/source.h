/*
 * Reading dumps: stores opened together, a dump chosen, its chunks taken from
 * whichever store has them whole.
 *
 *   agent_source_open -> agent_source_choose -> one agent_taker a thread ->
 *   ... -> agent_source_close
 */
#ifndef FDUMP_CMD_AGENT_SOURCE_H
#define FDUMP_CMD_AGENT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/agent/seal.h"
#include "cmd/store/store.h"

struct agent_source;
struct agent_taker;
struct buf;
struct err;

/* Opens the stores to read; at least one must be there, of the others `behind` is told, by their
 * places among the paths. keys: borrowed. NULL with err set. */
struct agent_source *agent_source_open(const char *const *paths, size_t count,
	struct agent_keys *keys, void (*behind)(void *ctx, size_t store, const char *why),
	void *ctx, struct err *err);
/* Another view of the same stores, to choose another dump; close it before the first. NULL with
 * err set: out of memory. */
struct agent_source *agent_source_share(const struct agent_source *source, struct err *err);
void agent_source_close(struct agent_source *source);
/* The first store that could be opened; borrowed. A store is opened once in a process. */
struct store *agent_source_store(const struct agent_source *source);

/* What to do about chunks that can't be had. */
#define AGENT_SOURCE_ADVICE                                                                        \
	"name by -s another store that has the dump, or mend this one (fdump store scrub, then "   \
	"replicate)"

/* Calls `each` for the dumps of all stores, each once, in the order of commit times. As
 * store_dumps; one whose record no store can read stands behind the one that was committed
 * before it. stores: which have it, bit n for the n-th path. */
typedef int agent_each_dump(
	void *ctx, const struct store_entry *entry, uint32_t stores, struct err *err);
int agent_source_dumps(
	struct agent_source *source, agent_each_dump *each, void *ctx, struct err *err);

/* Finds a dump's id: an id or at least 4 digits of one, "latest" (of this host),
 * or [AGENT/]NAME@latest or @TIME: the last one at that time, in ISO 8601. host: this host's
 * name. Returns 0; 1: the same, by digits, but its record can't be read; -1 with err set:
 * ERR_NOTFOUND, ERR_USAGE (more than one), ERR_DAMAGE (which is the last can't be told). */
int agent_source_find(struct agent_source *source, const char *text, const char *host,
	uint8_t id[STORE_DUMP_ID], struct err *err);

/* Chooses the dump that agent_source_find finds. Returns 0, or -1 with err set: ERR_DAMAGE (its
 * record can't be read), as agent_source_find. */
int agent_source_choose(
	struct agent_source *source, const char *text, const char *host, struct err *err);

/* The dump that was chosen; its bytes belong to the source. */
const struct store_dump *agent_source_dump(const struct agent_source *source);

/* Opens it: its domain's secret, by the keys; its record's HMAC; the names of its manifest's
 * pieces. Returns 0, or -1 with err set: ERR_DENIED, ERR_DAMAGE. */
int agent_source_unlock(struct agent_source *source, struct err *err);

struct agent_taker *agent_taker_new(struct agent_source *source, struct err *err);
void agent_taker_free(struct agent_taker *taker);

/* A chunk's content into `out`. Returns 0, or -1 with err set: no store has it
 * whole. What is in it is not held against its id. */
int agent_taker_chunk(
	struct agent_taker *taker, const uint8_t *id, struct buf *out, struct err *err);
/* Lets the stores fetch chunks that will be taken (count ids), each from the first that has it. A
 * hint: nothing is told. */
void agent_taker_ahead(struct agent_taker *taker, const uint8_t *ids, size_t count);
/* The id of a piece of the manifest; NULL behind the last. */
const uint8_t *agent_taker_piece_id(const struct agent_taker *taker, uint64_t number);
/* A piece of the manifest, held against its id. Returns 0; 1 behind the last;
 * -1 with err set. */
int agent_taker_piece(struct agent_taker *taker, uint64_t number, struct buf *out, struct err *err);

#endif
