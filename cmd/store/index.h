/*
 * The index of a store: where chunks and dumps lie in the volumes. It only makes finding fast:
 * `fdump store rebuild` can make it again from the volumes. See cmd/store/LAYOUT.md, section 5.
 *
 * All functions work within a transaction of lib/db. Every row has a check of its own; if it does
 * not agree, the call fails with ERR_DAMAGE.
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

/* Bytes before the record in a DUMP block: time of the commit (8), signature (64), whether it was
 * copied from another store (1). */
#define STORE_DUMP_HEAD 73

#define STORE_NAME_KEY  (2 * (STORE_NAME_MAX + 1) + 16)
#define STORE_INDEX_KEY 24 /* bytes of a chunk's key: domain's number, 20 of its id */

/* The tables: for each its key, and what a row holds. */
enum store_table {
	STORE_META,    /* see store_meta_get */
	STORE_DOMAINS, /* STORE_DOMAIN_LEN bytes: its number, uint32_t */
	STORE_CHUNKS,  /* store_chunk_key: struct store_chunk_row */
	STORE_DUMPS,   /* STORE_DUMP_ID bytes: struct store_dump_row */
	STORE_DELETED, /* the same: when it was deleted, int64_t */
	STORE_LOCKS,   /* the same: locked until when, int64_t */
	STORE_VOLUMES, /* its number, uint32_t: struct store_volume_row */
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
	bool damaged; /* can't be read; counts as missing until it is put again */
	uint32_t raw_len;
};

struct store_dump_row {
	struct store_place place;
	bool damaged; /* its block is known to be unreadable */
	uint64_t seq;
	int64_t committed;
};

/* Chunk and dump rows begin with the same members. */
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
	STORE_VOLUME_BUILDING, /* gc writes it; removed when the store is opened */
	STORE_VOLUME_DEAD,     /* gc has emptied it; removed when the store is opened */
};

struct store_volume_row {
	enum store_volume_state state;
	uint64_t len;    /* committed length */
	int64_t checked; /* when it was scrubbed last */
};

#define STORE_CLOCK_DOUBTED INT64_MAX

struct store_meta {
	uint64_t seq;    /* of the next block */
	uint32_t volume; /* number of the next volume */
	uint32_t domain; /* number of the next domain */
	int64_t clock;   /* latest time seen; STORE_CLOCK_DOUBTED: the clock is not trusted */
	uint64_t boot;   /* at that time: see lib/uptime.h */
	int64_t uptime;
};

struct db *store_index_open(const char *path, bool write, struct err *err);
/* Opens a copy to read, as db_open_copy. */
struct db *store_index_copy(const char *path, struct err *err);

void store_chunk_key(uint32_t domain, const uint8_t *id, uint8_t key[STORE_INDEX_KEY]);

/* Rows. Each returns 0; 1 if there is no row (_get, _del, _next); -1 with err set. key and row
 * point to what the table asks for. */
int store_row_get(
	struct db_txn *txn, enum store_table table, const void *key, void *row, struct err *err);
int store_row_put(struct db_txn *txn, enum store_table table, const void *key, const void *row,
	struct err *err);
int store_row_del(struct db_txn *txn, enum store_table table, const void *key, struct err *err);
/* The next row; rows may be changed between calls. *at must be zeroed at first; it then holds a
 * copy of the row's key. */
struct store_at {
	uint8_t key[STORE_NAME_KEY];
	size_t len;
};
int store_row_next(struct db_txn *txn, enum store_table table, struct store_at *at, void *row,
	struct err *err);
/* Sets whether a chunk or dump is damaged, if its row still names this place. Returns 0, or -1 with
 * err set. */
int store_row_mark(struct db_txn *txn, enum store_table table, const uint8_t *key,
	const struct store_place *place, bool damaged, struct err *err);

/* The same for rows with keys of another form. */
int store_meta_get(struct db_txn *txn, struct store_meta *meta, struct err *err);
int store_meta_put(struct db_txn *txn, const struct store_meta *meta, struct err *err);
int store_volume_next(struct db_txn *txn, struct store_at *at, uint32_t *number,
	struct store_volume_row *row, struct err *err);

/* Finds a domain's number; a domain without one gets the next from *meta. Returns 0, or -1 with err
 * set. */
int store_domain_make(struct db_txn *txn, struct store_meta *meta, const uint8_t *domain,
	uint32_t *number, struct err *err);

/* Enters a dump from a DUMP block's payload: its row, its row by name, and its record. Replaces a
 * dump of the same id. dump: decoded from the payload. Returns 0, or -1 with err set. */
int store_dump_enter(struct db_txn *txn, const struct store_dump *dump,
	const struct store_dump_row *row, const uint8_t *payload, size_t len, struct err *err);
/* Removes these rows. Returns 0; 1: no such dump; -1 with err set. */
int store_dump_leave(struct db_txn *txn, const uint8_t *dump, struct err *err);
/* A DUMP block's payload from after its time on: STORE_DUMP_HEAD - 8 bytes, then the record.
 * Borrowed until the transaction changes something or ends. Returns 0; 1: no such dump; -1 with err
 * set. */
int store_dump_record(
	struct db_txn *txn, const uint8_t *dump, struct db_bytes *bytes, struct err *err);

/* The next dump by agent and name; of each name the newest comes first. agent, name: NULL: any. *at
 * must be zeroed at first. Returns 0; 1 at the end; -1 with err set. */
struct store_name_at {
	struct store_at at;
	uint8_t dump[STORE_DUMP_ID];
	int64_t committed;
	uint64_t seq;
};
int store_name_next(struct db_txn *txn, const char *agent, const char *name,
	struct store_name_at *at, struct err *err);

/* Whether no row of a dump, deletion, lock or volume got lost. Returns 0, or -1 with err set:
 * ERR_DAMAGE. */
int store_index_check(struct db_txn *txn, struct err *err);

/* Enters a good block of a volume: one from the tail when the store is opened, or every one in a
 * rebuild. Keeps *meta up to date. A good chunk that the index has already stays. Returns 0; 1 if
 * the block is malformed; -1 with err set. */
int store_index_absorb(struct db_txn *txn, struct store_meta *meta, uint32_t volume,
	uint64_t offset, const struct pack_block *block, const uint8_t *payload, struct err *err);

#endif
