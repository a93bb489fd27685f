/*
 * A small database in a directory: ordered tables of keys and values, with
 * transactions. A wrapper around LMDB; no other module includes it.
 *
 *   db_open -> (db_begin -> db_get, db_put, db_del, db_next -> db_commit |
 *   db_abort)* -> db_close
 *
 * There is one write transaction at a time; a second one waits. There may be
 * any number of read transactions, each a snapshot of what was committed when
 * it began. One thread at a time uses a transaction. A process opens a
 * directory only once, and must not use it across fork. Do not keep a read
 * transaction open during a wait: it keeps pages from being reused.
 *
 * A commit is durable when db_commit has returned 0. A commit that failed may
 * have reached the disk nevertheless: close and reopen the database. Pages
 * carry no checksum, so data that must be trusted needs its own. LMDB may crash
 * on a damaged page, with SIGSEGV, SIGBUS, SIGFPE or SIGABRT; a handler of
 * these signals calls db_within to find out whether LMDB was the cause. Keys
 * have at most 511 bytes. Put at most DB_BATCH values in one transaction,
 * because they stay in memory.
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

/* Opens the database in an existing directory; with `write`, creates it if
 * there is none. tables: the names of the tables, which are numbered in this
 * order; a missing table is damage. map: how many bytes the database may grow
 * to; this only reserves address space. Returns NULL with err set:
 * ERR_NOTFOUND, ERR_DAMAGE, ERR_BUSY (already open in this process),
 * ERR_NOSPACE, ERR_NOMEM, ERR_IO; ERR_DENIED if it can't be opened for reading
 * because its lock file is not writable: use db_open_copy. */
struct db *db_open(const char *path, const char *const *tables, size_t count, uint64_t map,
	bool write, struct err *err);
/* Opens a copy of the current state for reading, for a process that may not
 * write to the directory, not even a lock. Nobody may write to the database
 * during the call. The copy is an unnamed file (fs_temporary), or in memory if
 * that fails. Returns as db_open. */
struct db *db_open_copy(
	const char *path, const char *const *tables, size_t count, uint64_t map, struct err *err);
void db_close(struct db *db);

/* The directory of the database in which this thread is executing LMDB code, or
 * NULL if it is in none. For signal handlers. */
const char *db_within(void);

/* Begins a transaction; end it with db_commit or db_abort. Returns 0, or -1
 * with err set. */
int db_begin(struct db *db, bool write, struct db_txn **txn, struct err *err);
/* Commits and always ends the transaction. Returns 0, or -1 with err set: treat
 * nothing as committed, but see above; ERR_NOSPACE: the disk or the map is
 * full. */
int db_commit(struct db_txn *txn, struct err *err);
void db_abort(struct db_txn *txn);

/* Each returns 0; 1 if there is no such key (db_get, db_del); -1 with err set.
 * The value that db_get returns is valid until the next change or the end of
 * the transaction. */
int db_get(struct db_txn *txn, unsigned table, struct db_bytes key, struct db_bytes *value,
	struct err *err);
int db_put(struct db_txn *txn, unsigned table, struct db_bytes key, struct db_bytes value,
	struct err *err);
int db_del(struct db_txn *txn, unsigned table, struct db_bytes key, struct err *err);

/* Finds the first entry whose key is above *key (the first of all if key->at is
 * NULL) and sets *key and *value to it. Returns 0, 1 if there is none, -1 with
 * err set. Changes between calls are allowed if *key is a copy. */
int db_next(struct db_txn *txn, unsigned table, struct db_bytes *key, struct db_bytes *value,
	struct err *err);

/* Sets *count to the number of entries. Returns 0, or -1 with err set. */
int db_count(struct db_txn *txn, unsigned table, uint64_t *count, struct err *err);

#endif
