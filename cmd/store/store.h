/*
 * A store in a directory: chunks and dumps, kept in volumes, found by an
 * index. See cmd/store/LAYOUT.md. The same engine serves `fdump backup -s DIR`
 * in-process and, later, a service.
 *
 *   store_make -> store_open -> have, put, commit, get ... -> store_close
 *
 * One process at a time writes (a lock with a time-out), any number read; gc waits for those
 * who do, so that nothing that they see goes away. Scrub goes on beside all of them.
 * Thread-safe: all functions on one struct store may be called from any
 * thread; puts are taken one at a time.
 *
 * Durability: a put is not yet durable; store_commit answers, with a receipt,
 * only when volumes (data, then directory) and then index are on disk.
 * store_flush does the same for chunks alone. A write to the index
 * or an fsync that failed is never tried again: from then on every write to this struct fails, and
 * the store must be opened anew.
 */
#ifndef FDUMP_CMD_STORE_STORE_H
#define FDUMP_CMD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"
#include "cmd/store/record.h"
#include "lib/seal.h"

struct buf;
struct err;
struct store;

#define STORE_UID_LEN  16 /* a store's own random id */
#define STORE_LOCK_SEC 30 /* how long others are waited for, if store_set_wait says nothing */

/* Makes a store in a directory that is not there or empty. reserve: bytes of
 * the file system that stay free. Returns 0, or -1 with err set, ERR_EXISTS. */
int store_make(const char *path, uint64_t reserve, struct err *err);

enum store_mode {
	STORE_READ,
	STORE_WRITE,
	STORE_TEND, /* for store_scrub: beside a writer, and gc does not wait for it */
};

/* How long stores that this process opens from now on wait for others, at most: to write for who
 * writes, gc for who reads, a rebuild for who scrubs, and the other way round. After a second of it
 * `waits` is told, in words, for whom; or NULL. */
typedef void store_waits(void *ctx, const char *text);
void store_set_wait(int64_t sec, store_waits *waits, void *ctx);

/* NULL with err set: ERR_NOTFOUND (no store), ERR_BUSY (STORE_WRITE: another writes; STORE_TEND:
 * the index is being rebuilt; any: this process has it open), ERR_UNSUPPORTED, ERR_DAMAGE (the
 * index is lost or damaged: `fdump store rebuild`). */
struct store *store_open(const char *path, enum store_mode mode, struct err *err);
/* What was put and not flushed is given up, unless it was flushed before. */
void store_close(struct store *store);

/* Stores that are to be opened together are not one, by whatever names. Returns 0, or -1 with err
 * set: ERR_USAGE. */
int store_distinct(const char *const *paths, size_t count, struct err *err);

const char *store_path(const struct store *store);
/* Its id and the public half of the key that signs its receipts. */
const uint8_t *store_uid(const struct store *store);
const uint8_t *store_public(const struct store *store);

/* For each of count ids (STORE_ID_LEN bytes each) sets has[i] to whether this
 * domain has it, whole as far as is known. Returns 0, or -1 with err set. */
int store_have(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	bool *has, struct err *err);

/* Adds a record to a domain. An open one's content is held against its id. agent: who does, whose
 * quota holds. Returns 0; 1: it was there already; -1 with err set: ERR_FORMAT,
 * ERR_DAMAGE (not what its id says), ERR_NOSPACE. */
int store_put(struct store *store, const char *agent, const uint8_t *domain, const uint8_t *record,
	size_t len, struct err *err);

/* Makes durable what was put. Returns 0, or -1 with err set. */
int store_flush(struct store *store, struct err *err);

/* Reads a record into `out` (cleared first) and checks the block's check and the id, not the
 * content. Returns 0, 1 if this domain has none, -1 with err set: ERR_DAMAGE. */
int store_get(struct store *store, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err);

/* From now on it is noted which blocks are read, and are whole: store_scrub that changes nothing
 * does not read those again. 16 to 32 bytes of memory a block. */
void store_note_reads(struct store *store);

/* Has the operating system fetch records that will be read (count ids) into its cache, in the order
 * in which they lie in the volumes. Ids that the domain lacks are appended to `lacks`. Returns 0,
 * or -1: nothing was fetched. */
int store_ahead(struct store *store, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks);

/* A receipt: the store's word that a dump is whole and durable. Signed:
 * "fdump receipt 1" NUL, store, dump, record, time (64 bits, little-endian),
 * agent's name. */
struct store_receipt {
	uint8_t store[STORE_UID_LEN];
	uint8_t dump[STORE_DUMP_ID];
	uint8_t record[32]; /* SHA-256 of the dump's record */
	int64_t time;       /* seconds since 1970: the store's clock */
	uint8_t signature[SEAL_SIG_LEN];
};

/* Makes a dump visible, if all chunks of its list, and the list's pieces, are
 * there. Durable when it returns 0; the receipt is set. Returns 1 if chunks are
 * missing: their ids are appended to `missing` (STORE_ID_LEN bytes each, at
 * most 65,536 of them); -1 with err set: ERR_EXISTS (the id is taken, or was
 * deleted), ERR_FORMAT, ERR_NOSPACE. */
int store_commit(struct store *store, const uint8_t *record, size_t len,
	struct store_receipt *receipt, struct buf *missing, struct err *err);

/* The same for a dump that was committed at this time in another store, which is then its time
 * here too: it is as old as it was, or dated in the future as it was. */
int store_commit_again(struct store *store, const uint8_t *record, size_t len, int64_t time,
	struct store_receipt *receipt, struct buf *missing, struct err *err);

/* A dump that is visible. */
struct store_entry {
	struct store_dump dump;
	const uint8_t *record;
	size_t record_len;
	int64_t committed; /* seconds since 1970: the clock of the store that had it first */
	int64_t lock;      /* the later of the record's and what LOCK blocks say; 0: none */
	uint64_t seq;      /* order of commits in this store */
	bool copied;       /* from another store: seq says nothing of when it was made */
	struct store_receipt receipt;
	bool damaged; /* chunks of it are missing, or its record can't be read */
};

/* Calls `each` for every dump, in the order of the times of their commits. All is borrowed for the
 * call. The callback returns 0; 1 to stop; -1 with err set. Returns 0, or -1. A dump whose record
 * is damaged is told by `each` with record NULL and its id in dump.id. */
typedef int store_each_dump(void *ctx, const struct store_entry *entry, struct err *err);
int store_dumps(struct store *store, store_each_dump *each, void *ctx, struct err *err);

/* Returns 0 if there is a dump of this id, and its record can be read; 1 if not; -1 with err set.
 */
int store_has_dump(struct store *store, const uint8_t *dump, struct err *err);

/* Deletes a dump: it is gone at once, for ever; its space comes back by gc.
 * Returns 0; 1 if there is none; -1 with err set: ERR_DENIED before its lock
 * date; ERR_FAILED while the clock is not believed: it was set by more than a day since the last
 * write, which the time since the machine was started tells, or stands before that write. */
int store_delete(struct store *store, const uint8_t *dump, struct err *err);
/* An operator's word that the clock is right now. Returns 0, or -1 with err set. */
int store_trust_clock(struct store *store, struct err *err);

/* Sets a dump's lock date later; never earlier. Returns 0; 1: there is none;
 * -1 with err set. */
int store_lock(struct store *store, const uint8_t *dump, int64_t until, struct err *err);

/* An agent may use so many bytes: of the chunks of all domains that it has dumps in, or puts into,
 * also if other agents share them, and if they wait for gc. Held at put and commit, in whoever
 * opens the store from now on. bytes: STORE_QUOTA_NONE lifts it. The store is opened to write.
 * agent: lib/name.h. Returns 0, or -1 with err set. */
#define STORE_QUOTA_NONE UINT64_MAX
int store_quota_set(struct store *store, const char *agent, uint64_t bytes, struct err *err);

struct store_use {
	const char *agent;
	uint64_t dumps, used, quota; /* quota: STORE_QUOTA_NONE, or bytes */
};
/* Calls `each` for every agent that has dumps or a quota. Returns 0, what `each` returned if that
 * is not 0, or -1 with err set. */
typedef int store_each_use(void *ctx, const struct store_use *use, struct err *err);
int store_uses(struct store *store, store_each_use *each, void *ctx, struct err *err);

struct store_stat {
	uint64_t volumes, bytes; /* of volumes */
	uint64_t chunks, dumps, deleted, damaged;
	uint64_t raw; /* bytes of the chunks' contents */
};
int store_stat(struct store *store, struct store_stat *stat, struct err *err);

#endif
