/* Makes dumps visible, deletes and locks them. */
#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/listing.h"
#include "cmd/store/quota.h"
#include "cmd/store/state.h"
#include "cmd/store/write.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/le.h"

/* Whether a dump may be committed under its id. Returns 0: the id was never used here, or by a dump
 * whose record is lost, which this one replaces; 1: this very dump is there, and the receipt is
 * set; -1 with err set. */
static int check_new(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	const uint8_t *record, size_t len, struct store_receipt *receipt, struct err *err)
{
	struct store_dump_row row;
	int64_t time;
	int got = store_row_get(txn, STORE_DUMPS, dump->id, &row, err);

	if (got == 0) {
		got = engine_same_record(s, dump->id, &row, record, len, receipt);
		return got < 0 ? err_set(err, ERR_EXISTS, "there is another dump of this id") : got;
	}
	if (got < 0 || (got = store_row_get(txn, STORE_DELETED, dump->id, &time, err)) < 0)
		return -1;
	return got == 1 ? 0 : err_set(err, ERR_EXISTS, "a dump of this id was deleted");
}

enum { COMMIT_KNOWN = 2 }; /* the dump was there already */

/* Commits within the transaction that makes the dump visible. Returns 0; 1: chunks are missing;
 * COMMIT_KNOWN; -1 with err set. */
static int commit_in(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	const uint8_t *record, size_t len, int64_t time, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	struct store_dump_row row = {.seq = 0};
	uint8_t *to = s->block + PACK_BLOCK_HEADER;
	int64_t now = engine_now();
	int got = check_new(s, txn, dump, record, len, receipt, err);

	if (got != 0)
		return got < 0 ? -1 : COMMIT_KNOWN;
	got = engine_whole(s, txn, dump, missing, err);
	if (got != 0)
		return got;
	if (store_receipt_make(receipt, s->uid, s->secret, dump, record, len,
		    time != STORE_NOW ? time : now, err) != 0)
		return -1;
	row.seq = s->meta.seq;
	row.committed = receipt->time;
	le_put64(to, (uint64_t)receipt->time);
	memcpy(to + 8, receipt->signature, sizeof receipt->signature);
	to[STORE_DUMP_HEAD - 1] = time != STORE_NOW;
	memcpy(to + STORE_DUMP_HEAD, record, len);
	if (engine_append(s, STORE_BLOCK_DUMP, STORE_DUMP_HEAD + len, &row.place, err) != 0)
		return -1;
	if (engine_sync(s, err) == 0 &&
		store_dump_enter(txn, dump, &row, to, STORE_DUMP_HEAD + len, err) == 0 &&
		engine_put_state(s, txn, err) == 0)
		return 0;
	s->failed = true; /* the block must not end up below the committed length */
	return -1;
}

int engine_commit(struct engine *s, const uint8_t *record, size_t len, int64_t time,
	struct store_receipt *receipt, struct buf *missing, struct err *err)
{
	struct store_dump dump;
	struct db_txn *txn;
	uint32_t number;
	size_t marked;
	int got;

	if (store_dump_get(&dump, record, len, err) != 0)
		return -1;
	mutex_lock(&s->writer);
	got = engine_domain_number(s, dump.domain, &number, err);
	if (got == 0) /* even if the agent puts nothing: it may be new to the domain */
		got = engine_quota_take(s, dump.agent, dump.agent_len, number, 0, err);
	/* The volume for the record must be made first, as that is a transaction of its own. */
	if (got < 0 || engine_flush_all(s, err) != 0 || engine_have_volume(s, err) != 0 ||
		db_begin(s->db, true, &txn, err) != 0) {
		got = -1;
	} else {
		got = commit_in(s, txn, &dump, record, len, time, receipt, missing, err);
		if (got == 0)
			got = engine_end(s, txn, got, err);
		else
			db_abort(txn);
	}
	mutex_unlock(&s->writer);
	/* A piece of the list may be missing because it can't be read. Mark it, so that it is taken
	 * again. */
	if (got == 1 &&
		engine_doubt(s, dump.domain, dump.lists, dump.list_count, &marked, err) != 0)
		return -1;
	return got == COMMIT_KNOWN ? 0 : got;
}

/* --- deletion and locks --------------------------------------------------- */

/* A dump's row, and its lock date: the later of its record's and the LOCK blocks'. Returns 0; 1: no
 * such dump; -1 with err set. */
static int lock_of(struct engine *s, const uint8_t *id, int64_t *lock, struct store_dump_row *row,
	struct err *err)
{
	struct store_dump dump;
	struct db_bytes bytes;
	struct db_txn *txn;
	int got;

	*lock = 0;
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = store_row_get(txn, STORE_DUMPS, id, row, err);
	if (got == 0 && (store_index_check(txn, err) != 0 ||
				store_row_get(txn, STORE_LOCKS, id, lock, err) < 0))
		got = -1;
	if (got == 0 && !row->damaged) { /* a damaged record can't lock anything */
		if (store_dump_record(txn, id, &bytes, err) != 0 ||
			store_dump_get(&dump, (const uint8_t *)bytes.at + STORE_DUMP_HEAD - 8,
				bytes.len - (STORE_DUMP_HEAD - 8), err) != 0)
			got = -1;
		else if (dump.lock > *lock)
			*lock = dump.lock;
	}
	db_abort(txn);
	return got;
}

int engine_delete(struct engine *s, const uint8_t *id, struct err *err)
{
	int64_t lock, now = engine_now(), age = engine_min_age(s);
	struct store_dump_row row;
	int got;

	mutex_lock(&s->writer);
	got = lock_of(s, id, &lock, &row, err);
	if (got == 0)
		got = engine_believe_clock(s, err);
	if (got == 0 && now < lock)
		got = err_set(err, ERR_DENIED, "the dump is locked for %lld more seconds",
			(long long)(lock - now));
	if (got == 0 && age > 0 && now - row.committed < age)
		got = err_set(err, ERR_DENIED,
			"the dump is too young: this store keeps each one for %lld seconds at "
			"least",
			(long long)age);
	if (got == 0)
		got = engine_write_time(s, STORE_BLOCK_DELETE, id, now, err);
	mutex_unlock(&s->writer);
	return got;
}

int engine_lock(struct engine *s, const uint8_t *id, int64_t until, struct err *err)
{
	struct store_dump_row row;
	int64_t lock;
	int got;

	mutex_lock(&s->writer);
	got = lock_of(s, id, &lock, &row, err);
	if (got == 0 && lock < until)
		got = engine_write_time(s, STORE_BLOCK_LOCK, id, until, err);
	mutex_unlock(&s->writer);
	return got;
}
