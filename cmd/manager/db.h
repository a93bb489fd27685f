/*
 * A manager's state: everything that it knows apart from its configuration, in a database of its
 * own (lib/db).
 *
 *   manager_db_open -> _get, _put, _del, _each ... -> manager_db_commit -> ... -> _close
 *
 * Changes are collected in a transaction. They are visible here at once, and durable when
 * manager_db_commit has returned 0 (a large transaction is committed earlier in part). Answer a
 * peer that relies on a change only after that. One thread.
 *
 * Most of it can be restored: hosts and their runs come back from the agents' journals. Tokens,
 * denials and the audit come back from a backup only.
 *
 *   table     key                                value (row.h)
 *   meta      a word                             bytes
 *   hosts     role NUL name                      manager_host_row
 *   tokens    hash of the ticket                 manager_token_row
 *   last      agent NUL job                      manager_last_row
 *   runs      end (inverted, so that the newest  manager_run_row
 *             comes first), agent NUL run
 *   alarms    the alarm's id                     manager_alarm_row
 *   denied    host id                            manager_denied_row
 *   audit     time, counter (as runs)            manager_audit_row
 *
 * Each value begins with the XXH3 of the rest. If it does not match, the entry is damaged: it
 * counts as missing, and is reported. But a damaged denial still denies, as its key is enough: it
 * is read as a row with only .host.
 */
#ifndef FDUMP_CMD_MANAGER_DB_H
#define FDUMP_CMD_MANAGER_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/manager/row.h"

struct buf;
struct err;
struct manager_db;

enum manager_table {
	MANAGER_TABLE_META,
	MANAGER_TABLE_HOSTS,
	MANAGER_TABLE_TOKENS,
	MANAGER_TABLE_LAST,
	MANAGER_TABLE_RUNS,
	MANAGER_TABLE_ALARMS,
	MANAGER_TABLE_DENIED,
	MANAGER_TABLE_AUDIT,
	MANAGER_TABLES
};

#define MANAGER_KEY_ROOM 256

struct manager_db_key {
	uint8_t bytes[MANAGER_KEY_ROOM];
	size_t len;
};

/* Called when an entry is found to be damaged; once, until the entry is written again. It must not
 * change the database. */
typedef void manager_db_damaged(
	void *ctx, enum manager_table table, const struct manager_db_key *key);

/* Opens the database in a folder, which is created if necessary. NULL with err set. */
struct manager_db *manager_db_open(
	const char *path, manager_db_damaged *damaged, void *ctx, struct err *err);
/* Changes that were not committed are lost. NULL does nothing. */
void manager_db_close(struct manager_db *db);

/* Make keys: of two words; of a time (sorted newest first), a word and some bytes; of bytes. */
void manager_db_words(struct manager_db_key *key, const char *first, const char *second);
void manager_db_time(
	struct manager_db_key *key, int64_t time, const char *word, const void *bytes, size_t len);
void manager_db_bytes(struct manager_db_key *key, const void *bytes, size_t len);

/* Each returns 0; 1 if there is no such entry (_get, _del); -1 with err set. A blob in a row is
 * valid until the next call. */
int manager_db_get(struct manager_db *db, enum manager_table table,
	const struct manager_db_key *key, void *row, struct err *err);
int manager_db_put(struct manager_db *db, enum manager_table table,
	const struct manager_db_key *key, const void *row, struct err *err);
int manager_db_del(struct manager_db *db, enum manager_table table,
	const struct manager_db_key *key, struct err *err);

/* Calls `each` for the rows whose key has this first word (NULL: all rows), in order, until it
 * returns 1 (stop) or -1. It must not change the database. Returns 0, or -1 with err set. */
typedef int manager_db_row(void *ctx, const struct manager_db_key *key, const void *row);
int manager_db_each(struct manager_db *db, enum manager_table table, const char *first,
	manager_db_row *each, void *ctx, struct err *err);
/* Appends these rows to a buffer. Returns 0, or -1 with err set. */
int manager_db_list(struct manager_db *db, enum manager_table table, const char *first,
	struct buf *rows, struct err *err);

/* Removes entries whose key is greater than this one; a few thousand at a time, so call it again
 * later. Returns 0, or -1 with err set. */
int manager_db_drop_after(struct manager_db *db, enum manager_table table,
	const struct manager_db_key *key, struct err *err);

/* Checks entries, so that damaged ones are known: some thousands at a time, from where the call
 * before stopped. Returns 0: there are more; 1: all were checked, and the next call begins again;
 * -1 with err set. */
int manager_db_check(struct manager_db *db, struct err *err);
/* The entries that were found to be damaged and have not been written or removed since. *found is
 * valid until the next call. Returns how many; at most MANAGER_DAMAGED_MAX are kept and reported to
 * the callback. */
#define MANAGER_DAMAGED_MAX 256
struct manager_db_damage {
	enum manager_table table;
	struct manager_db_key key;
};
size_t manager_db_damage(const struct manager_db *db, const struct manager_db_damage **found);
/* The table's name: "hosts". */
const char *manager_db_name(enum manager_table table);

/* Whether there are changes that are not durable yet. */
bool manager_db_changed(const struct manager_db *db);
/* Makes them durable. Returns 0, or -1 with err set: the changes since the last commit are lost. */
int manager_db_commit(struct manager_db *db, struct err *err);
/* Why changes can't be made durable; NULL: they can. From a commit that fails to one that succeeds;
 * if one that added a run has failed, to one that adds a run, as others may fit in where it did
 * not. Valid until the next commit. */
const char *manager_db_fault(const struct manager_db *db);

#endif
