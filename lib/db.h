/*
 * A small database in a directory: ordered tables of keys and values, with
 * transactions. LMDB does the work; this is the only module that knows it.
 *
 *   db_open -> (db_begin -> db_get, db_put, db_del, db_next -> db_commit |
 *   db_abort)* -> db_close
 *
 * One writing transaction at a time (a second one waits); any number of
 * reading ones, each a picture of what was committed when it began. A
 * transaction belongs to one thread at a time. A directory is open once in a
 * process; never use it across fork. Do not keep a reading transaction
 * across a wait: it holds back the reuse of pages.
 *
 * A commit is durable when db_commit has returned; one that failed may be
 * there all the same: open anew. Pages carry no checksum: what must be trusted
 * carries its own. LMDB may crash over a damaged page: SIGSEGV, SIGBUS, SIGFPE or SIGABRT. Whoever
 * catches these asks db_within whether it was that. Keys have at most 511 bytes. Put at
 * most DB_BATCH values in one transaction, for they stay in memory.
 */
#ifndef FDUMP_LIB_DB_H
#define FDUMP_LIB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_txn;
struct err;

#define DB_TABLES_MAX 16
#define DB_BATCH      5000

struct db_bytes {
	const void *at;
	size_t len;
};

/* Opens, or makes if `write` and there is none, the database in an existing directory. tables:
 * their names; they are numbered in this order; one that is missing is damage. map: bytes that it
 * may grow to; they are address space only. NULL with err set: ERR_NOTFOUND, ERR_DAMAGE, ERR_BUSY
 * (this process has it open), ERR_NOSPACE, ERR_IO; ERR_DENIED: to read, but its lock file can't be
 * written: db_open_copy. */
struct db *db_open(const char *path, const char *const *tables, size_t count, uint64_t map,
	bool write, struct err *err);
/* Opens a copy, of the moment, to read: for who may not write to the directory, not even a lock.
 * Nobody may write to it during the call. The copy is an unnamed file (fs_temporary). As
 * db_open. */
struct db *db_open_copy(
	const char *path, const char *const *tables, size_t count, uint64_t map, struct err *err);
void db_close(struct db *db);

/* The directory of the database that this thread is within LMDB for; NULL: it is not. For handlers
 * of signals. */
const char *db_within(void);

/* Returns 0, or -1 with err set. */
int db_begin(struct db *db, bool write, struct db_txn **txn, struct err *err);
/* Ends the transaction in any case. Returns 0, or -1 with err set: nothing of
 * it is there; ERR_NOSPACE: disk or map are full. */
int db_commit(struct db_txn *txn, struct err *err);
void db_abort(struct db_txn *txn);

/* Each returns 0; 1 if there is none (db_get, db_del); -1 with err set. What
 * db_get hands out is good until the next change or the transaction's end. */
int db_get(struct db_txn *txn, unsigned table, struct db_bytes key, struct db_bytes *value,
	struct err *err);
int db_put(struct db_txn *txn, unsigned table, struct db_bytes key, struct db_bytes value,
	struct err *err);
int db_del(struct db_txn *txn, unsigned table, struct db_bytes key, struct err *err);

/* The first entry whose key is above *key (at NULL: the first of all), which is
 * set to it. Returns 0, 1 if there is none, -1 with err set. Changes between
 * calls are allowed, if *key was copied. */
int db_next(struct db_txn *txn, unsigned table, struct db_bytes *key, struct db_bytes *value,
	struct err *err);

/* Number of entries. */
int db_count(struct db_txn *txn, unsigned table, uint64_t *count, struct err *err);

#endif
