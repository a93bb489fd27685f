/*
 * The engine: a store in a directory. Chunks and dumps are kept in volumes and found by an index;
 * see cmd/store/LAYOUT.md. It stands behind cmd/store/store.h (local.c) and behind the service;
 * apart from them only what tends a store may use it: init, rebuild, quota, trust-clock, stat,
 * scrub and gc.
 *
 *   engine_make -> engine_open -> have, put, commit, get ... -> engine_close
 *
 * One process at a time writes (a lock with a time-out), any number read; gc waits for those
 * who do, so that nothing that they see goes away. Scrub goes on beside all of them.
 * Thread-safe: all functions on one struct engine may be called from any
 * thread; puts are taken one at a time.
 *
 * Durability: a put is not yet durable; engine_commit answers, with a receipt,
 * only when volumes (data, then directory) and then index are on disk.
 * engine_flush does the same for chunks alone. A write to the index
 * or an fsync that failed is never tried again: from then on every write to this struct fails, and
 * the store must be opened anew.
 */
#ifndef FDUMP_CMD_STORE_ENGINE_H
#define FDUMP_CMD_STORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"

struct buf;
struct err;
struct engine;

/* Makes a store in a directory that is not there or empty. reserve: bytes of
 * the file system that stay free. Returns 0, or -1 with err set, ERR_EXISTS. */
int engine_make(const char *path, uint64_t reserve, struct err *err);

enum engine_mode {
	ENGINE_READ,
	ENGINE_WRITE,
	ENGINE_TEND, /* for engine_scrub: beside a writer, and gc does not wait for it */
};

/* How long others are waited for: to write for who writes, gc for who reads, a rebuild for who
 * scrubs, and the other way round. */
struct engine_wait {
	int64_t sec;
	store_waits *waits; /* or NULL */
	void *ctx;
};

/* NULL with err set: ERR_NOTFOUND (no store), ERR_BUSY (ENGINE_WRITE: another writes; ENGINE_TEND:
 * the index is being rebuilt; any: this process has it open), ERR_UNSUPPORTED, ERR_DAMAGE (the
 * index is lost or damaged: `fdump store rebuild`). */
struct engine *engine_open(
	const char *path, enum engine_mode mode, const struct engine_wait *wait, struct err *err);
/* What was put and not flushed is given up, unless it was flushed before. */
void engine_close(struct engine *store);

/* Its id and the public half of the key that signs its receipts. */
const uint8_t *engine_uid(const struct engine *store);
const uint8_t *engine_public(const struct engine *store);

/* For each of count ids (STORE_ID_LEN bytes each, at most STORE_HAVE_MAX) sets has[i] to whether
 * this domain has it, whole as far as is known. Returns 0, or -1 with err set. */
int engine_have(struct engine *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	bool *has, struct err *err);

/* Adds a record to a domain. An open one's content is held against its id. agent: who does, whose
 * quota holds. Returns 0; 1: it was there already; -1 with err set: ERR_FORMAT,
 * ERR_DAMAGE (not what its id says), ERR_NOSPACE. */
int engine_put(struct engine *store, const char *agent, const uint8_t *domain,
	const uint8_t *record, size_t len, struct err *err);

/* Makes durable what was put. Returns 0, or -1 with err set. */
int engine_flush(struct engine *store, struct err *err);

/* Reads a record into `out` (cleared first) and checks the block's check and the id, not the
 * content. Returns 0, 1 if this domain has none, -1 with err set: ERR_DAMAGE. */
int engine_get(struct engine *store, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err);

/* From now on it is noted which blocks are read, and are whole: engine_scrub that changes nothing
 * does not read those again. 16 to 32 bytes of memory a block. */
void engine_note_reads(struct engine *store);

/* Has the operating system fetch records that will be read (count ids) into its cache, in the order
 * in which they lie in the volumes. Ids that the domain lacks are appended to `lacks`. Returns 0,
 * or -1 with err set: nothing was fetched. */
int engine_ahead(struct engine *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err);

/* As store_doubt. */
int engine_doubt(struct engine *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err);

/* Makes a dump visible, if all chunks of its list, and the list's pieces, are there. Durable when
 * it returns 0; the receipt is set. The same record again gives the same receipt. time: of the
 * commit in another store, which is then its time here too, or STORE_NOW. Returns 1 if chunks are
 * missing: their ids are appended to `missing` (STORE_ID_LEN bytes each, at most
 * STORE_MISSING_MAX); -1 with err set: ERR_EXISTS (the id is taken by another record, or was
 * deleted), ERR_FORMAT, ERR_NOSPACE. */
#define STORE_NOW INT64_MAX
int engine_commit(struct engine *store, const uint8_t *record, size_t len, int64_t time,
	struct store_receipt *receipt, struct buf *missing, struct err *err);

/* As store_dumps. A dump whose record is damaged is reported with record NULL and its id in
 * dump.id; a filter by agent or name excludes it. */
int engine_dumps(struct engine *store, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err);

/* As store_hold. */
int engine_hold(struct engine *store, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err);

/* Whether a sync or the index has failed: nothing is written any more, and the store must be opened
 * again. */
bool engine_failed(struct engine *store);

int engine_about(struct engine *store, struct store_about *about, struct err *err);

/* Deletes a dump: it is gone at once, for ever; its space comes back by gc.
 * Returns 0; 1 if there is none; -1 with err set: ERR_DENIED before its lock
 * date, or before it is min_age_sec old; ERR_FAILED while the clock is not believed: it was set by
 * more than a day since the last write, which the time since the machine was started tells, or
 * stands before that write. */
int engine_delete(struct engine *store, const uint8_t *dump, struct err *err);
/* An operator's word that the clock is right now. Returns 0, or -1 with err set. */
int engine_trust_clock(struct engine *store, struct err *err);

/* Sets a dump's lock date later; never earlier. Returns 0; 1: there is none;
 * -1 with err set. */
int engine_lock(struct engine *store, const uint8_t *dump, int64_t until, struct err *err);

/* An agent may use so many bytes: of the chunks of all domains that it has dumps in, or puts into,
 * also if other agents share them, and if they wait for gc. Held at put and commit, in whoever
 * opens the store from now on. bytes: ENGINE_QUOTA_NONE lifts it. The store is opened to write.
 * agent: lib/name.h. Returns 0, or -1 with err set. */
#define ENGINE_QUOTA_NONE UINT64_MAX
int engine_quota_set(struct engine *store, const char *agent, uint64_t bytes, struct err *err);

/* What an agent uses, and may use. Returns 0; 1: it has no quota, or somebody writes for long; -1
 * with err set. */
int engine_quota_get(
	struct engine *store, const char *agent, uint64_t *used, uint64_t *quota, struct err *err);

/* What whoever opens a store for others allows them, beside the store's own quotas, until it is
 * closed. */
struct engine_agent_quota {
	char agent[STORE_NAME_MAX + 1];
	uint64_t bytes; /* ENGINE_QUOTA_NONE: as much as there is */
};
struct engine_limits {
	const struct engine_agent_quota *quotas; /* these come before the store's own */
	size_t count;
	uint64_t quota;      /* of agents that have none; ENGINE_QUOTA_NONE */
	int64_t min_age_sec; /* a dump is not deleted before; 0 */
};
/* Copies them. Does not wait for who writes. Returns 0, or -1 with err set: out of memory, and all
 * is as before. */
int engine_limits_set(struct engine *store, const struct engine_limits *limits, struct err *err);

struct engine_use {
	const char *agent;
	uint64_t dumps, used, quota; /* quota: ENGINE_QUOTA_NONE, or bytes */
};
/* Calls `each` for every agent that has dumps or a quota. Returns 0, what `each` returned if that
 * is not 0, or -1 with err set. */
typedef int engine_each_use(void *ctx, const struct engine_use *use, struct err *err);
int engine_uses(struct engine *store, engine_each_use *each, void *ctx, struct err *err);

struct engine_stat {
	uint64_t volumes, bytes; /* of volumes */
	uint64_t chunks, dumps, deleted, damaged;
	uint64_t raw; /* bytes of the chunks' contents */
};
int engine_stat(struct engine *store, struct engine_stat *stat, struct err *err);

#endif
