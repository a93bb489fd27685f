/*
 * What the files of cmd/store/ share of an open store. Not for others.
 *
 * store.c opens and closes; read.c answers; write.c is the writer: put, flush,
 * commit, delete; lost.c is about volumes whose files are missing; gc.c, scrub.c, rebuild.c and
 * replicate.c are what their names say.
 */
#ifndef FDUMP_CMD_STORE_INNER_H
#define FDUMP_CMD_STORE_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "cmd/store/care.h"
#include "cmd/store/index.h"
#include "cmd/store/marks.h"
#include "cmd/store/engine.h"
#include "cmd/store/volume.h"
#include "lib/buf.h"

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
	int lock_fd;
	struct engine_wait wait;
	enum engine_mode mode;
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN], secret[SEAL_SIGN_LEN];
	uint64_t reserve;
	struct buf quotas; /* struct engine_quota; by the writer */
	struct db *db;
	pthread_mutex_t writer; /* held by the one who writes; over what is not under `lock` */
	pthread_mutex_t lock;   /* held for moments, inside of it too: pending, slots, domains */
	atomic_bool failed;     /* a sync or the index failed: nothing is written any more */
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

#define ENGINE_PENDING_MAX 4096

/* The number of a domain, or 1: the store does not know it. */
/* Whether all that is in the store's folder is what it should be, and no link or pipe. Returns 0,
 * or -1 with err set: ERR_CONFIG. */
int engine_check_files(const char *path, bool index, struct err *err);

int engine_domain_number(
	struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err);
/* A chunk's row, pending ones too. By the writer. Returns 0, 1 or -1. */
int engine_find(struct engine *s, struct db_txn *txn, const uint8_t *key,
	struct store_chunk_row *row, struct err *err);
const struct engine_pending *engine_pending_find(const struct engine *s, const uint8_t *key);

/* Whether a place is in a volume that is missing, or behind the end of one that was cut: what the
 * index has there is not there. Only a writer knows: for others gc may have moved it. */
bool engine_is_lost(const struct engine *s, const struct store_place *place);

/* By the writer: takes what is lost of these volumes, and what nobody needs any more, out of the
 * index, and those that are missing too. What was deleted or locked is written anew, for that may
 * have stood there. */
int engine_drop_lost(struct engine *s, const struct engine_cut *cut, size_t count, struct err *err);

/* Whether the block that begins there was read since engine_note_reads, and is whole. */
bool engine_was_read(struct engine *s, uint32_t volume, uint64_t offset);

/* Reads the block at a place into `out`: its payload. */
int engine_read_place(struct engine *s, const struct store_place *place, struct pack_block *block,
	struct buf *out, struct err *err);

/* Makes a volume, with its first block, which has this sequence number. */
int engine_new_volume(struct engine *s, enum store_volume_state state, uint64_t seq,
	struct store_volume *volume, struct err *err);

/* Sets err, and returns -1: a directory is no store. */
int engine_is_none(const char *path, struct err *err);

/* Makes `fdump-store` and `identity` anew if they are missing or malformed: new keys, and a new uid
 * if that is lost. Returns 0: nothing to do; 1: made; -1 with err set. */
int engine_mend_identity(const char *path, struct err *err);

/* Takes the lock on a byte of the lock file (LAYOUT.md, section 2), waits for it as `wait`
 * says, for byte 3 STORE_LOCK_SEC; the file then says who has byte 0. path: the store's. Returns 0,
 * or -1 with err set: ERR_BUSY, ERR_IO. */
int engine_lock_byte(int fd, short type, off_t byte, const struct engine_wait *wait,
	const char *path, struct err *err);

/* Waits, as the store was opened, until nobody reads who opened the store before. Returns 0, or -1
 * with err set: ERR_BUSY. */
int engine_wait_readers(struct engine *s, struct err *err);

/* Recovers after a crash: tails, leftovers. At opening, by the writer. */
int engine_recover(struct engine *s, struct err *err);

/* By the writer: makes everything durable. */
int engine_flush_all(struct engine *s, struct err *err);

/* By the writer: appends a block of len bytes that stands at s->block +
 * PACK_BLOCK_HEADER, to the current volume, or a new one. */
int engine_append(struct engine *s, enum store_block kind, size_t len, struct store_place *place,
	struct err *err);

/* By the writer: a DELETE or LOCK block of a dump's id and a time, durable, and in the index. */
int engine_write_time(
	struct engine *s, enum store_block kind, const uint8_t *id, int64_t time, struct err *err);

/* Calls `each` for every chunk of a dump's list. Returns 0; 1 if a piece of
 * the list is missing: its id is appended to `missing` if that is not NULL; -1. */
typedef int engine_each_chunk(void *ctx, const uint8_t *id, struct err *err);
int engine_list_walk(struct engine *s, const struct store_dump *dump, engine_each_chunk *each,
	void *ctx, struct buf *missing, struct err *err);

/* Whether a dump has all it needs; missing ids are appended to `missing`, if that is not NULL.
 * Returns 0, 1 or -1. */
int engine_whole(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	struct buf *missing, struct err *err);

/* Tells of a dump that is not whole, and counts it. Returns 0, or -1 with err set: it could not be
 * looked at. */
int engine_tell_whole(struct engine *s, const struct store_entry *e, store_problem *problem,
	void *ctx, uint64_t *incomplete, struct err *err);

/* A dump's row as it is by now. Returns 0; 1: the dump is not there (any more); -1. */
int engine_dump_now(
	struct engine *s, const uint8_t *id, struct store_dump_row *row, struct err *err);

/* Whether the record of a dump, which has this row, can be read. By the writer. */
bool engine_has_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row);

/* Compares the record of the dump that has this row. Returns 0: that can't be read; 1: it is the
 * same, and the receipt is set; -1: it is another. */
int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt);

/* By the writer: commits; if that fails, nothing is written any more. */
int engine_commit_index(struct engine *s, struct db_txn *txn, struct err *err);

/* The quotas' file. Returns 0, or -1 with err set. */
int engine_quotas_load(struct engine *s, struct err *err);
void engine_quotas_drop(struct engine *s);
/* What agents use is counted anew: gc has been. */
void engine_quotas_forget(struct engine *s);
/* By the writer: this agent puts so much more into a domain. Returns 0, or -1 with err set:
 * ERR_NOSPACE. */
int engine_quota_take(struct engine *s, const char *agent, size_t agent_len, uint32_t domain,
	uint64_t more, struct err *err);

int64_t engine_now(void);

#endif
