/*
 * What an open store is: the struct that all files of the engine share, and what they all need of
 * it. For the engine's own files only; whoever uses the engine includes engine.h.
 *
 * The files stand on each other in this order; none calls one above it:
 *
 *   state
 *   lock  identity  read
 *   listing
 *   quota
 *   write
 *   commit  lost
 *   open  gc  scrub
 *   rebuild
 */
#ifndef FDUMP_CMD_STORE_STATE_H
#define FDUMP_CMD_STORE_STATE_H

#include <stdatomic.h>

#include "cmd/store/engine.h"
#include "cmd/store/index.h"
#include "cmd/store/marks.h"
#include "cmd/store/volume.h"
#include "lib/buf.h"
#include "lib/mutex.h"

struct db;

/* A chunk that was put, but is not in the index yet. */
struct engine_pending {
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
};

/* A volume that is shorter than the index says. */
struct engine_cut {
	uint32_t volume;
	uint64_t len; /* 0: its file is missing */
};

/* Of an agent that has one, or that was counted. */
struct engine_quota {
	char agent[STORE_NAME_MAX + 1];
	uint64_t bytes; /* ENGINE_QUOTA_NONE: none */
	bool known;     /* `used` is counted */
	uint64_t used, dumps;
	struct buf domains; /* numbers of those that are in `used`: 32 bits each */
};

struct engine {
	char *path;
	int dir, volumes; /* descriptors: the store, its folder of volumes */
	struct store_volumes reading;
	int lock_fd;
	struct engine_wait wait;
	enum engine_mode mode;
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN], secret[SEAL_SIGN_LEN];
	uint64_t reserve;
	struct buf quotas; /* struct engine_quota; by the writer */
	/* As engine_limits_set has them, under `lock`: */
	struct buf limit_quotas; /* struct engine_agent_quota */
	uint64_t limit_quota;
	int64_t limit_age;
	struct db *db;
	struct mutex writer; /* held by the one who writes; over what is not under `lock` */
	struct mutex lock;   /* held for moments, inside of it too: pending, slots, domains */
	atomic_bool failed;  /* a sync or the index failed: nothing is written any more */
	struct store_meta meta;
	struct store_volume current; /* fd -1: none yet */
	bool fresh;                  /* its name is not on the disk yet */
	struct engine_pending *pending;
	uint32_t *slots; /* of a hash table: index into pending + 1 */
	size_t pending_count;
	uint64_t unflushed;    /* bytes */
	uint64_t until_statfs; /* bytes, then free space is looked at again */
	uint8_t *block;        /* room for one, with its header */
	struct {
		uint8_t domain[STORE_DOMAIN_LEN];
		uint32_t number;
	} * domains; /* those that were met */
	size_t domain_count;
	struct buf cut; /* struct engine_cut, by number: as it was when a writer opened it */
	bool notes;     /* what is read; under `lock`: */
	struct store_marks read; /* places of blocks that are whole */
};

#define ENGINE_PENDING_MAX 2048

int64_t engine_now(void);

/* Bytes of the file system, and those that are free. */
int engine_space(struct engine *s, uint64_t *size, uint64_t *free, struct err *err);
/* How many volumes there are, and their bytes. */
int engine_volumes(struct engine *s, uint64_t *count, uint64_t *bytes, struct err *err);

/* The number of a domain, or 1: the store does not know it. */
int engine_domain_number(
	struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err);
/* A chunk's row, pending ones too. By the writer, or while nobody writes: what leaves the pending
 * ones since the transaction began is not found. Returns 0, 1 or -1. */
int engine_find(struct engine *s, struct db_txn *txn, const uint8_t *key,
	struct store_chunk_row *row, struct err *err);
/* Under `lock`. NULL: it is not pending. Good until the lock is let go. */
const struct engine_pending *engine_pending_find(const struct engine *s, const uint8_t *key);

/* Whether a place is in a volume that was missing when the store was opened to write, or behind the
 * end of one that was cut. */
bool engine_is_lost(const struct engine *s, const struct store_place *place);

/* Whether the block that begins there was read since engine_note_reads, and is whole. */
bool engine_was_read(struct engine *s, uint32_t volume, uint64_t offset);

/* Reads the block at a place into `out`: its payload. */
int engine_read_place(struct engine *s, const struct store_place *place, struct pack_block *block,
	struct buf *out, struct err *err);

/* Ends a transaction: commits it, or, if got is below 0, gives it up. After a commit that failed
 * nothing is written any more. Returns 0 or -1. */
int engine_end(struct engine *s, struct db_txn *txn, int got, struct err *err);
/* By the writer: s->meta, in a transaction of its own. */
int engine_put_meta(struct engine *s, struct err *err);

#endif
