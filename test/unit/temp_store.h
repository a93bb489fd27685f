/*
 * A store in a folder of its own, for tests of the engine (cmd/store/engine.h): the set-up and the
 * tear-down of a group of tests, chunks and dumps made from a few letters, and ways to damage it.
 *
 * The tests of a group share the store; each opens and closes it. All of it belongs to the agent
 * "host" and one unsealed domain. Except where a function returns something, a failure fails the
 * test.
 */
#ifndef FDUMP_TEST_TEMP_STORE_H
#define FDUMP_TEST_TEMP_STORE_H

#include "cmd/store/care.h"
#include "cmd/store/engine.h"
#include "cmd/store/index.h"
#include "cmd/store/state.h"
#include "lib/db.h"

extern char temp_store_path[80];
extern const uint8_t temp_store_domain[STORE_DOMAIN_LEN];
extern const struct engine_wait temp_store_wait;
extern const struct engine_gc_options temp_store_gc_all; /* rewrites every volume with garbage */

int temp_store_setup(void **state);
int temp_store_teardown(void **state);

/* Opens the store for writing; closes s first, if it is not NULL. */
struct engine *temp_store_open(struct engine *s);

/* Makes an unsealed record of this content. Returns its length. */
size_t temp_store_record(const void *content, size_t len, uint8_t *out);
/* Puts a chunk of this text, of up to 900 letters, and sets its id. Returns what engine_put
 * returns. */
int temp_store_put(struct engine *s, const char *text, uint8_t id[STORE_ID_LEN], struct err *err);
/* Puts ten chunks of 900 letters that no dump needs; the first consists of this letter. gc rewrites
 * a volume that has 4 KiB of garbage or more. */
void temp_store_put_garbage(struct engine *s, char letter);
#define TEMP_STORE_CHUNKS 100
/* The record of a dump of up to TEMP_STORE_CHUNKS chunks, whose list it puts. Its id is the tag and
 * zeros. */
void temp_store_dump(struct engine *s, const uint8_t *ids, size_t count, uint8_t tag, int64_t lock,
	struct buf *out);
/* Makes such a dump, not locked, and commits it. */
void temp_store_commit(struct engine *s, const uint8_t *ids, size_t count, uint8_t tag);
/* The number of dumps. */
int temp_store_dumps(struct engine *s);

/* For the reports of a scrub or a rebuild: fails the test, or does nothing. */
void temp_store_no_problem(void *ctx, const struct store_entry *dump, const char *what);
void temp_store_ignore(void *ctx, const struct store_entry *dump, const char *what);

/* Finds the position of a chunk. */
struct store_place temp_store_place(struct engine *s, const uint8_t *id);
/* Flips a bit of a volume. */
void temp_store_flip(uint32_t volume, uint32_t offset);
/* Begins to write to the index of a closed store, and commits. */
struct db *temp_store_index(struct db_txn **txn);
void temp_store_index_done(struct db *db, struct db_txn *txn);
/* Rebuilds the index of a closed store from its volumes. */
void temp_store_rebuild(store_problem *problem, struct store_checked *checked);

#endif
