/*
 * The engine: a store in a directory. It keeps chunks and dumps in volumes and finds them by an
 * index; see cmd/store/LAYOUT.md. Its users are the directory kind of store (local.c) and the
 * service. Apart from them only maintenance commands may use it: init, rebuild, quota, trust-clock,
 * stat, scrub and gc.
 *
 *   engine_make -> engine_open -> have, put, commit, get ... -> engine_close
 *
 * One process at a time writes (a lock with a time-out); any number read. gc waits for readers to
 * end, so that nothing they see disappears. Scrub runs beside all of them. Any thread may call any
 * function on one struct engine; puts run one at a time.
 *
 * Durability: a put alone is not durable. engine_commit returns a receipt only when the volumes
 * (data, then directory) and then the index are on disk. engine_flush does the same for chunks
 * alone. A failed fsync or write to the index is never retried: from then on every write to this
 * struct fails, and the store must be opened again.
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

/* Makes a store in a directory that does not exist or is empty. reserve: bytes of the file system
 * to keep free. Returns 0, or -1 with err set: ERR_EXISTS if the directory is not empty. */
int engine_make(const char *path, uint64_t reserve, struct err *err);

enum engine_mode {
	ENGINE_READ,
	ENGINE_WRITE,
	ENGINE_TEND, /* for engine_scrub: runs beside a writer, and gc does not wait for it */
};

/* How long to wait for others: writers for other writers, gc for readers, rebuild and scrub for
 * each other. */
struct engine_wait {
	int64_t sec;
	store_waits *waits; /* or NULL */
	void *ctx;
};

/* Opens a store. NULL with err set: ERR_NOTFOUND (not a store), ERR_BUSY (ENGINE_WRITE: another
 * process writes; ENGINE_TEND: the index is being rebuilt; any mode: this process has it open),
 * ERR_CONFIG (a file of the wrong type in its folder), ERR_UNSUPPORTED, ERR_DAMAGE (the index is
 * lost or damaged: run `fdump store rebuild`). */
struct engine *engine_open(
	const char *path, enum engine_mode mode, const struct engine_wait *wait, struct err *err);
/* Closes the store and frees it. Chunks that are not flushed yet may be lost. NULL does nothing. */
void engine_close(struct engine *store);

/* The store's id, and the public half of the key that signs its receipts. Borrowed. */
const uint8_t *engine_uid(const struct engine *store);
const uint8_t *engine_public(const struct engine *store);

/* For each of count ids (STORE_ID_LEN bytes each, at most STORE_HAVE_MAX), sets has[i] to whether
 * this domain has the chunk and it is not known to be damaged. Returns 0, or -1 with err set. */
int engine_have(struct engine *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	bool *has, struct err *err);

/* Adds a record to a domain. The content of an open record is compared with its id. agent: whose
 * quota counts. Returns 0; 1: the store has it already; -1 with err set: ERR_FORMAT, ERR_DAMAGE
 * (content and id do not agree), ERR_NOSPACE. */
int engine_put(struct engine *store, const char *agent, const uint8_t *domain,
	const uint8_t *record, size_t len, struct err *err);

/* Makes durable all that was put. Returns 0, or -1 with err set. */
int engine_flush(struct engine *store, struct err *err);

/* Reads a record into `out` (cleared first). Verifies the block's check and the id, not the
 * content. Returns 0; 1: this domain does not have it; -1 with err set: ERR_DAMAGE. */
int engine_get(struct engine *store, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err);

/* From now on, remembers which blocks were read and found good; a later engine_scrub without `mark`
 * does not read them again. Takes 16 to 32 bytes of memory per block. */
void engine_note_reads(struct engine *store);

/* Has the operating system fetch the records of count ids into its cache, in the order in which
 * they lie in the volumes. Ids that the domain lacks are appended to `lacks`. Returns 0, or -1 with
 * err set: nothing was fetched. */
int engine_ahead(struct engine *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err);

/* As store_doubt. */
int engine_doubt(struct engine *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err);

/* Makes a dump visible if all chunks of its list, and the list's pieces, are in the store. time:
 * STORE_NOW, or the time of the commit in another store, which the dump then keeps here. Returns 0:
 * the dump is durable and the receipt is set; the same record again gets the same receipt. Returns
 * 1 if chunks are missing: their ids are appended to `missing` (STORE_ID_LEN bytes each, at most
 * STORE_MISSING_MAX), if that is not NULL. Returns -1 with err set: ERR_EXISTS (another record has
 * this id, or it was deleted), ERR_FORMAT, ERR_NOSPACE. */
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

/* Whether a sync or a write to the index has failed. Then all writes fail, and the store must be
 * opened again. */
bool engine_failed(struct engine *store);

/* Fills the members that hold for every store; those about an agent are zero. Returns 0, or -1 with
 * err set. */
int engine_about(struct engine *store, struct store_about *about, struct err *err);

/* Deletes a dump for good. It disappears at once; gc frees its space. Returns 0; 1: no such dump;
 * -1 with err set: ERR_DENIED before its lock date or before it is min_age_sec old; ERR_FAILED
 * while the clock is not trusted: it is earlier than the last write, or was set by more than a day
 * since then, as the machine's uptime shows. */
int engine_delete(struct engine *store, const uint8_t *dump, struct err *err);
/* An operator confirms that the clock is right now. Returns 0, or -1 with err set. */
int engine_trust_clock(struct engine *store, struct err *err);

/* Sets a dump's lock date to a later one; an earlier date changes nothing. Returns 0; 1: no such
 * dump; -1 with err set. */
int engine_lock(struct engine *store, const uint8_t *dump, int64_t until, struct err *err);

/* Limits the bytes that an agent may use: the chunks of all domains that it has dumps in or puts
 * into, even if other agents share them, and even if they wait for gc. Puts and commits enforce it,
 * at once in this struct, elsewhere when the store is opened next. bytes: ENGINE_QUOTA_NONE removes
 * the limit. agent: a name as in lib/name.h. The store must be open to write. Returns 0, or -1 with
 * err set. */
#define ENGINE_QUOTA_NONE UINT64_MAX
int engine_quota_set(struct engine *store, const char *agent, uint64_t bytes, struct err *err);

/* Sets what an agent uses and what it may use, in bytes. Returns 0; 1: it has no quota, or a write
 * is in progress just now; -1 with err set. */
int engine_quota_get(
	struct engine *store, const char *agent, uint64_t *used, uint64_t *quota, struct err *err);

/* Limits that the process which has the store open adds to the store's own quotas, until it closes
 * the store. */
struct engine_agent_quota {
	char agent[STORE_NAME_MAX + 1];
	uint64_t bytes; /* ENGINE_QUOTA_NONE: unlimited */
};
struct engine_limits {
	const struct engine_agent_quota *quotas; /* override the store's own */
	size_t count;
	uint64_t quota;      /* of agents without one; or ENGINE_QUOTA_NONE */
	int64_t min_age_sec; /* a dump can't be deleted before this age; 0: at once */
};
/* Copies the limits. Does not wait for a writer. Returns 0, or -1 with err set: out of memory,
 * nothing changed. */
int engine_limits_set(struct engine *store, const struct engine_limits *limits, struct err *err);

struct engine_use {
	const char *agent;
	uint64_t dumps, used, quota; /* quota: bytes, or ENGINE_QUOTA_NONE */
};
/* Calls `each` for every agent that has dumps or a quota; what it gets is borrowed. Returns 0, the
 * value of `each` if that is not 0, or -1 with err set. */
typedef int engine_each_use(void *ctx, const struct engine_use *use, struct err *err);
int engine_uses(struct engine *store, engine_each_use *each, void *ctx, struct err *err);

struct engine_stat {
	uint64_t volumes, bytes; /* bytes: of volumes */
	uint64_t chunks, dumps, deleted, damaged;
	uint64_t raw; /* bytes of the chunks' content, uncompressed */
};
/* Counts what is in the index. Returns 0, or -1 with err set. */
int engine_stat(struct engine *store, struct engine_stat *stat, struct err *err);

#endif
