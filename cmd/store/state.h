/*
 * An open store: the struct that all files of the engine share, and functions that all of them
 * need. For the engine's own files only; its users include engine.h.
 *
 * The files build on each other in this order; none calls one further down:
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

/* An agent that has a quota, or whose use was counted. */
struct engine_quota {
	char agent[STORE_NAME_MAX + 1];
	uint64_t bytes; /* its quota; ENGINE_QUOTA_NONE: none */
	bool known;     /* `used` is valid */
	uint64_t used, dumps;
	struct buf domains; /* numbers of the domains counted in `used`: 32 bits each */
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
	struct buf quotas; /* struct engine_quota; guarded by `writer` */
	/* From engine_limits_set, guarded by `lock`: */
	struct buf limit_quotas; /* struct engine_agent_quota */
	uint64_t limit_quota;
	int64_t limit_age;
	struct db *db;
	struct mutex writer; /* held while writing; guards all that `lock` does not */
	struct mutex lock;   /* held for moments, even within `writer`: pending, slots, domains */
	atomic_bool failed;  /* a sync or the index failed: all writes fail */
	struct store_meta meta;
	struct store_volume current; /* fd -1: none yet */
	bool fresh;                  /* its directory entry is not durable yet */
	struct engine_pending *pending;
	uint32_t *slots; /* of a hash table: index into pending + 1 */
	size_t pending_count;
	uint64_t unflushed;    /* bytes put since the last flush */
	uint64_t until_statfs; /* bytes until free space is checked again */
	uint8_t *block;        /* room for a block with its header */
	struct {
		uint8_t domain[STORE_DOMAIN_LEN];
		uint32_t number;
	} * domains; /* a cache */
	size_t domain_count;
	struct buf cut;          /* struct engine_cut, by number: found when opened to write */
	bool notes;              /* remember reads */
	struct store_marks read; /* places of good blocks; guarded by `lock` */
};

#define ENGINE_PENDING_MAX 2048

/* The clock: seconds since 1970. */
int64_t engine_now(void);

/* Sets the file system's size and free space, in bytes. Returns 0, or -1 with err set. */
int engine_space(struct engine *s, uint64_t *size, uint64_t *free, struct err *err);
/* Sets the number of volumes, and their bytes. Returns 0, or -1 with err set. */
int engine_volumes(struct engine *s, uint64_t *count, uint64_t *bytes, struct err *err);

/* store_row_get in a transaction of its own. */
int engine_row(
	struct engine *s, enum store_table table, const void *key, void *row, struct err *err);

/* For qsort and bsearch: compares two uint32_t, or two structs that begin with one. */
int engine_by_number(const void *a, const void *b);

/* Finds the number of a domain. Returns 0; 1: the store does not know it; -1 with err set. */
int engine_domain_number(
	struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err);
/* Call with s->lock held. NULL: not pending. Valid until the lock is released. */
const struct engine_pending *engine_pending_find(const struct engine *s, const uint8_t *key);

/* Whether a place is in a volume that was missing when the store was opened to write, or beyond the
 * end of one that was cut. */
bool engine_is_lost(const struct engine *s, const struct store_place *place);

/* Whether the block at this offset was read and found good since engine_note_reads. */
bool engine_was_read(struct engine *s, uint32_t volume, uint64_t offset);

/* Reads the block at a place: its payload into `out` (cleared first). Returns 0, or -1 with err
 * set. */
int engine_read_place(struct engine *s, const struct store_place *place, struct pack_block *block,
	struct buf *out, struct err *err);

/* Ends a transaction: commits it, or aborts it if got is below 0. After a failed commit all writes
 * fail. Returns 0, or -1 with err set. */
int engine_end(struct engine *s, struct db_txn *txn, int got, struct err *err);
/* Writes s->meta in a transaction of its own. Call with s->writer held. Returns 0, or -1 with err
 * set. */
int engine_put_meta(struct engine *s, struct err *err);

#endif
