/*
 * The index of a store: where chunks and dumps lie in the volumes. Made of
 * them, and only a quick way to find things: `fdump store rebuild` makes it anew. See
 * cmd/store/LAYOUT.md, section 5.
 *
 * All within a transaction of lib/db. A row has a check of its own: one that
 * does not agree is ERR_DAMAGE.
 */
#ifndef FDUMP_CMD_STORE_INDEX_H
#define FDUMP_CMD_STORE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"
#include "lib/db.h"
#include "pack/block.h"

struct err;

/* Bytes before the record in a DUMP block: commit time 8, signature 64, whether it was copied from
 * another store 1. */
#define STORE_DUMP_HEAD 73

#define STORE_NAME_KEY  (2 * (STORE_NAME_MAX + 1) + 16)
#define STORE_INDEX_KEY 24 /* bytes of a chunk's key: domain's number, 20 of its id */

/* The tables; of each the key, and what a row is. */
enum store_table {
	STORE_META,    /* see store_meta_get */
	STORE_DOMAINS, /* STORE_DOMAIN_LEN bytes: its number, uint32_t */
	STORE_CHUNKS,  /* store_chunk_key: struct store_chunk_row */
	STORE_DUMPS,   /* STORE_DUMP_ID bytes: struct store_dump_row */
	STORE_DELETED, /* the same: when it was deleted, int64_t */
	STORE_LOCKS,   /* the same: until when, int64_t */
	STORE_VOLUMES, /* see store_volume_get: struct store_volume_row */
	STORE_NAMES,   /* see store_name_next */
	STORE_RECORDS, /* see store_dump_record */
	STORE_TABLES
};

/* Where a block lies. */
struct store_place {
	uint32_t volume, offset, len; /* len: of the payload */
};

struct store_chunk_row {
	struct store_place place;
	bool damaged; /* can't be read: as if it were not there, until it is put again */
	uint32_t raw_len;
};

struct store_dump_row {
	struct store_place place;
	bool damaged; /* its block can't be read, as far as is known */
	uint64_t seq;
	int64_t committed;
};

/* Both begin alike. */
union store_block_row {
	struct {
		struct store_place place;
		bool damaged;
	} any;
	struct store_chunk_row chunk;
	struct store_dump_row dump;
};

enum store_volume_state {
	STORE_VOLUME_LIVE = 1,
	STORE_VOLUME_BUILDING, /* of gc, not finished: removed when the store is opened */
	STORE_VOLUME_DEAD,     /* of gc, emptied: the same */
};

struct store_volume_row {
	enum store_volume_state state;
	uint64_t len;    /* what is below is committed */
	int64_t checked; /* when it was scrubbed last */
};

#define STORE_CLOCK_DOUBTED INT64_MAX

struct store_meta {
	uint64_t seq;    /* the next block's */
	uint32_t volume; /* the next volume's number */
	uint32_t domain; /* the next domain's */
	int64_t clock; /* the latest time that was seen; STORE_CLOCK_DOUBTED: it is not believed */
	uint64_t boot; /* then: lib/uptime */
	int64_t uptime;
};

struct db *store_index_open(const char *path, bool write, struct err *err);
/* db_open_copy. */
struct db *store_index_copy(const char *path, struct err *err);

void store_chunk_key(uint32_t domain, const uint8_t *id, uint8_t key[STORE_INDEX_KEY]);

/* Rows. Each returns 0; 1 if there is none (_get, _del, _next); -1 with err set. A key has the
 * length of its table's. */
int store_row_get(
	struct db_txn *txn, enum store_table table, const uint8_t *key, void *row, struct err *err);
int store_row_put(struct db_txn *txn, enum store_table table, const uint8_t *key, const void *row,
	struct err *err);
int store_row_del(struct db_txn *txn, enum store_table table, const uint8_t *key, struct err *err);
/* The next row; rows may be changed in between. *at begins zeroed, and has a copy of its key. */
struct store_at {
	uint8_t key[STORE_NAME_KEY];
	size_t len;
};
int store_row_next(struct db_txn *txn, enum store_table table, struct store_at *at, void *row,
	struct err *err);
/* Says of a chunk or dump whether it is damaged, if its row still names this place. Returns 0, or
 * -1 with err set. */
int store_row_mark(struct db_txn *txn, enum store_table table, const uint8_t *key,
	const struct store_place *place, bool damaged, struct err *err);

/* The same of rows that are found in another way. */
int store_meta_get(struct db_txn *txn, struct store_meta *meta, struct err *err);
int store_meta_put(struct db_txn *txn, const struct store_meta *meta, struct err *err);
int store_volume_get(
	struct db_txn *txn, uint32_t number, struct store_volume_row *row, struct err *err);
int store_volume_put(
	struct db_txn *txn, uint32_t number, const struct store_volume_row *row, struct err *err);
int store_volume_del(struct db_txn *txn, uint32_t number, struct err *err);
int store_volume_next(struct db_txn *txn, struct store_at *at, uint32_t *number,
	struct store_volume_row *row, struct err *err);

/* A domain's number; a new one, out of *meta, if there is none. Returns 0 or -1. */
int store_domain_make(struct db_txn *txn, struct store_meta *meta, const uint8_t *domain,
	uint32_t *number, struct err *err);

/* A dump that is new, with its rows by name and its record, out of a DUMP block's payload; or one
 * that is there already, which gives way. dump: decoded from it. */
int store_dump_enter(struct db_txn *txn, const struct store_dump *dump,
	const struct store_dump_row *row, const uint8_t *payload, size_t len, struct err *err);
/* Takes all of them out. Returns 0; 1: there was none; -1. */
int store_dump_leave(struct db_txn *txn, const uint8_t *dump, struct err *err);
/* What a DUMP block has behind its time: STORE_DUMP_HEAD - 8 bytes, and the record. Borrowed until
 * the transaction changes or ends. Returns 0, 1 or -1. */
int store_dump_record(
	struct db_txn *txn, const uint8_t *dump, struct db_bytes *bytes, struct err *err);

/* Dumps by agent and name, of each the newest first. agent, name: NULL: all of them; *at begins
 * zeroed. Returns 0; 1 at the end; -1 with err set. */
struct store_name_at {
	struct store_at at;
	uint8_t dump[STORE_DUMP_ID];
	int64_t committed;
	uint64_t seq;
};
int store_name_next(struct db_txn *txn, const char *agent, const char *name,
	struct store_name_at *at, struct err *err);

/* Whether all dumps, deletions, locks and volumes are there. Returns 0, or -1 with err set:
 * ERR_DAMAGE. */
int store_index_check(struct db_txn *txn, struct err *err);

/* Takes a good block of a volume into the index: what was found in a tail, or
 * everything, in a rebuild. *meta follows. What is there already and whole stays.
 * Returns 0, 1 if it is no block of a volume (malformed), -1 with err set. */
int store_index_absorb(struct db_txn *txn, struct store_meta *meta, uint32_t volume,
	uint64_t offset, const struct pack_block *block, const uint8_t *payload, struct err *err);

#endif
