/* Listing dumps reads the index only; holding and checking a dump reads the volumes too. The pieces
 * of a dump's list of chunks are open records of the dump's domain. */
#include "cmd/store/listing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"

/* --- one dump, from its block ----------------------------------------------- */

/* Decodes a DUMP block, or its row of the index, from after the time on: signature, whether it was
 * copied, record. */
static int fill(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *bytes, size_t len, struct store_entry *e, struct err *err)
{
	*e = (struct store_entry){.record = bytes + STORE_DUMP_HEAD - 8,
		.record_len = len - (STORE_DUMP_HEAD - 8),
		.committed = row->committed,
		.seq = row->seq,
		.copied = bytes[STORE_DUMP_HEAD - 9] != 0,
		.damaged = row->damaged,
		.receipt.time = row->committed};
	if (store_dump_get(&e->dump, e->record, e->record_len, err) != 0)
		return -1;
	e->lock = e->dump.lock;
	memcpy(e->receipt.signature, bytes, sizeof e->receipt.signature);
	memcpy(e->receipt.store, s->uid, sizeof e->receipt.store);
	memcpy(e->receipt.dump, id, sizeof e->receipt.dump);
	hash_sha256(e->record, e->record_len, e->receipt.record);
	return 0;
}

/* Reads a dump's block. Returns 0, or -1 with err set: it is damaged. */
static int read_block(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	struct buf *payload, struct store_entry *e, struct err *err)
{
	struct pack_block block;

	if (engine_read_place(s, &row->place, &block, payload, err) != 0)
		return -1;
	if (block.kind != STORE_BLOCK_DUMP || payload->len <= STORE_DUMP_HEAD)
		return err_set(err, ERR_DAMAGE, "expected a DUMP block, found another kind");
	return fill(s, id, row, payload->data + 8, payload->len - 8, e, err);
}

int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt)
{
	struct store_entry e;
	struct buf payload = {.max = PACK_BLOCK_VOLUME_MAX};
	int ret = 0;

	if (read_block(s, id, row, &payload, &e, NULL) == 0) {
		ret = e.record_len == len && memcmp(e.record, record, len) == 0 ? 1 : -1;
		*receipt = e.receipt;
	}
	buf_fini(&payload);
	return ret;
}

/* Reads a dump's block, and follows it if gc moves it in the meantime. Returns READABLE; GONE: no
 * such dump (any more); UNREADABLE; -1 with err set. */
enum { READABLE, GONE, UNREADABLE };
static int follow(struct engine *s, const uint8_t *id, struct buf *payload, struct store_entry *e,
	struct err *err)
{
	struct store_dump_row row = {.seq = 0};
	struct store_place was;
	int64_t lock = 0;
	int got;

	do {
		was = row.place;
		got = engine_row(s, STORE_DUMPS, id, &row, err);
		if (got != 0)
			return got;
		if (memcmp(&was, &row.place, sizeof was) == 0)
			return UNREADABLE;
	} while (read_block(s, id, &row, payload, e, NULL) != 0);
	if (engine_row(s, STORE_LOCKS, id, &lock, err) < 0)
		return -1;
	if (lock > e->lock)
		e->lock = lock;
	return 0;
}

/* The same without its content. */
static int look(struct engine *s, const uint8_t *id, struct err *err)
{
	struct store_entry e;
	struct buf payload = {.max = PACK_BLOCK_VOLUME_MAX};
	int got;

	got = follow(s, id, &payload, &e, err);
	buf_fini(&payload);
	return got;
}

int engine_hold(struct engine *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	struct store_entry e;
	struct buf payload = {.max = PACK_BLOCK_VOLUME_MAX};
	int got;

	got = follow(s, dump, &payload, &e, err);
	if (got > 0 || (got == 0 && e.damaged))
		got = 1;
	if (got == 0 && record != NULL) {
		buf_clear(record);
		got = buf_add(record, e.record, e.record_len, err);
	}
	if (got == 0 && entry != NULL) {
		*entry = e;
		entry->record = record->data;
		got = store_dump_get(&entry->dump, record->data, record->len, err);
	}
	buf_fini(&payload);
	return got;
}

/* --- many, from the index --------------------------------------------------- */

struct found {
	uint8_t id[STORE_DUMP_ID];
	int64_t committed;
	uint64_t seq;
};

static int by_time(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->committed != y->committed)
		return x->committed < y->committed ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

static int collect_in(
	struct db_txn *txn, const struct store_filter *filter, struct buf *all, struct err *err)
{
	struct store_name_at at = {.seq = 0};
	bool any = filter->agent == NULL && filter->name == NULL;
	struct store_dump_row row;
	struct found f;
	int got;

	while ((got = store_name_next(txn, filter->agent, filter->name, &at, err)) == 0) {
		if (at.seq <= filter->after)
			continue;
		got = store_row_get(txn, STORE_DUMPS, at.dump, &row, err);
		if (got != 0)
			return got < 0 ? -1
				       : err_set(err, ERR_DAMAGE,
						 "index: lacks a dump "
						 "(on the store's machine: fdump store rebuild)");
		if (row.damaged && !any)
			continue;
		memcpy(f.id, at.dump, sizeof f.id);
		f.committed = at.committed;
		f.seq = at.seq;
		if (buf_add(all, &f, sizeof f, err) != 0)
			return -1;
	}
	return got < 0 ? -1 : 0;
}

/* The dumps that the filter selects, in order. */
static int collect(
	struct engine *s, const struct store_filter *filter, struct buf *all, struct err *err)
{
	struct db_txn *txn;
	int got;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = store_index_check(txn, err);
	if (got == 0)
		got = collect_in(txn, filter, all, err);
	db_abort(txn);
	if (got == 0 && all->len > 0)
		qsort(all->data, all->len / sizeof(struct found), sizeof(struct found), by_time);
	return got;
}

/* Reads a dump's entry from the index; `bytes` holds its memory. Returns 0; 1: it was deleted in
 * the meantime; -1 with err set. */
static int take_entry(struct engine *s, const uint8_t *id, struct buf *bytes, struct store_entry *e,
	struct err *err)
{
	struct store_dump_row row;
	struct db_bytes record;
	struct db_txn *txn;
	int64_t lock = 0;
	int got;

	buf_clear(bytes);
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = store_row_get(txn, STORE_DUMPS, id, &row, err);
	if (got == 0 && !row.damaged) {
		got = store_dump_record(txn, id, &record, err);
		if (got == 1)
			got = err_set(err, ERR_DAMAGE,
				"index: lacks a dump's record (on the store's machine: fdump store "
				"rebuild)");
		if (got == 0)
			got = buf_add(bytes, record.at, record.len, err);
		if (got == 0 && store_row_get(txn, STORE_LOCKS, id, &lock, err) < 0)
			got = -1;
	}
	db_abort(txn);
	if (got != 0)
		return got;
	if (row.damaged) {
		*e = (struct store_entry){.dump.id = id, .seq = row.seq, .damaged = true};
		return 0;
	}
	got = fill(s, id, &row, bytes->data, bytes->len, e, err);
	if (lock > e->lock)
		e->lock = lock;
	return got;
}

int engine_dumps(struct engine *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	struct store_entry e;
	struct buf all = {.max = SIZE_MAX}, bytes = {.max = SIZE_MAX};
	const struct found *f;
	size_t count, n;
	int got;

	got = collect(s, filter, &all, err);
	f = (const struct found *)(const void *)all.data;
	count = all.len / sizeof *f;
	for (n = 0; n < count && got == 0; n++) {
		got = take_entry(s, f[n].id, &bytes, &e, err);
		if (got == 0)
			got = each(ctx, &e, err);
		else if (got == 1)
			got = 0;
	}
	buf_fini(&all);
	buf_fini(&bytes);
	return got < 0 ? -1 : 0;
}

/* --- the chunks of a dump ------------------------------------------------------ */

/* Reads one piece of the list: ids. Returns 0; 1: it is missing or damaged; -1 with err set. */
static int read_piece(struct engine *s, const struct store_dump *dump, size_t i, struct buf *record,
	struct buf *out, struct err *err)
{
	const uint8_t *id = dump->lists + i * STORE_ID_LEN;
	struct store_record r;
	int got = engine_get(s, dump->domain, id, record, err);

	if (got == 0)
		got = store_record_get(&r, record->data, record->len, err);
	if (got == 0)
		got = store_record_content(&r, out, err);
	if (got == 0 && out->len % STORE_ID_LEN != 0)
		got = err_set(err, ERR_FORMAT, "a piece of a list has a wrong length");
	return got < 0 && (err->code == ERR_DAMAGE || err->code == ERR_NOTFOUND) ? 1 : got;
}

int engine_list_walk(struct engine *s, const struct store_dump *dump, engine_each_chunk *each,
	void *ctx, struct buf *missing, struct err *err)
{
	struct buf record = {.max = PACK_BLOCK_VOLUME_MAX}, piece = {.max = STORE_CONTENT_MAX};
	uint64_t chunks = 0;
	size_t i, at;
	int got = 0;
	bool lost = false;

	for (i = 0; i < dump->list_count && got == 0; i++) {
		got = read_piece(s, dump, i, &record, &piece, err);
		if (got == 1) {
			lost = true;
			got = missing == NULL ? 0
					      : buf_add(missing, dump->lists + i * STORE_ID_LEN,
							STORE_ID_LEN, err);
			continue;
		}
		for (at = 0; at < piece.len && got == 0; at += STORE_ID_LEN, chunks++)
			got = each(ctx, piece.data + at, err);
	}
	if (got == 0 && !lost && chunks != dump->chunks)
		got = err_set(
			err, ERR_FORMAT, "a dump's list has another length than its record says");
	buf_fini(&record);
	buf_fini(&piece);
	return got != 0 ? got : lost;
}

struct whole {
	struct engine *store;
	const struct engine_check *check; /* or NULL */
	struct db_txn *txn;
	uint32_t domain;
	struct buf *missing;
	bool lacks;
};

static bool is_stopped(const struct engine_check *check)
{
	return check->stop != NULL && atomic_load(check->stop);
}

int engine_bad_order(const void *a, const void *b)
{
	const struct engine_bad *x = a, *y = b;
	int got = memcmp(x->key, y->key, sizeof x->key);

	if (got == 0)
		got = (x->place.volume > y->place.volume) - (x->place.volume < y->place.volume);
	if (got == 0)
		got = (x->place.offset > y->place.offset) - (x->place.offset < y->place.offset);
	return got;
}

/* Whether a chunk is among those found damaged. */
static bool is_bad(const struct engine_check *check, const struct engine_bad *chunk)
{
	const struct buf *all = check->bad;
	const struct engine_bad *bad = all != NULL && all->len > 0
					       ? bsearch(chunk, all->data, all->len / sizeof *bad,
							 sizeof *bad, engine_bad_order)
					       : NULL;

	return bad != NULL && !bad->good;
}

/* Returns 1 to stop, once the answer is known. */
static int look_for(void *ctx, const uint8_t *id, struct err *err)
{
	struct whole *w = ctx;
	struct engine_bad chunk = {.good = false};
	struct store_chunk_row row;
	int got;

	if (w->check != NULL && is_stopped(w->check))
		return 1;
	store_chunk_key(w->domain, id, chunk.key);
	got = store_row_get(w->txn, STORE_CHUNKS, chunk.key, &row, err);
	if (got < 0)
		return -1;
	if (got == 0) {
		chunk.place = row.place;
		if (!row.damaged && (w->check == NULL || !is_bad(w->check, &chunk)))
			return 0;
	}
	w->lacks = true;
	if (w->missing == NULL)
		return 1;
	if (w->missing->len >= (size_t)STORE_MISSING_MAX * STORE_ID_LEN)
		return 0;
	return buf_add(w->missing, id, STORE_ID_LEN, err);
}

static int is_whole(struct whole *w, const struct store_dump *dump, struct err *err)
{
	int got = store_row_get(w->txn, STORE_DOMAINS, dump->domain, &w->domain, err);

	if (got == 1) { /* the store has no chunks of this domain */
		if (w->missing != NULL &&
			buf_add(w->missing, dump->lists, dump->list_count * STORE_ID_LEN, err) != 0)
			return -1;
		return 1;
	}
	if (got == 0)
		got = engine_list_walk(w->store, dump, look_for, w, w->missing, err);
	return got != 0 ? got : w->lacks;
}

int engine_whole(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	struct buf *missing, struct err *err)
{
	struct whole w = {.store = s, .txn = txn, .missing = missing};

	assert(mutex_held(&s->writer) && s->pending_count == 0);
	return is_whole(&w, dump, err);
}

int engine_check_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct engine_check *c = ctx;
	struct whole w = {.store = c->store, .check = c};
	struct err why = {0};
	int seen = look(c->store, e->dump.id, err), got = 1;

	if (seen < 0)
		return -1;
	if (seen == READABLE && e->record != NULL) {
		if (db_begin(c->store->db, false, &w.txn, err) != 0)
			return -1;
		got = is_whole(&w, &e->dump, &why);
		db_abort(w.txn);
	}
	if (is_stopped(c)) {
		c->result->stopped = true;
		return 1;
	}
	/* Perhaps it was deleted in the meantime, and gc has collected its chunks. */
	if (got != 0 && seen != GONE)
		seen = look(c->store, e->dump.id, err);
	if (seen < 0)
		return -1;
	c->result->dumps++;
	if (got == 0 || seen == GONE)
		return 0;
	if (got < 0 && why.code != ERR_FORMAT && why.code != ERR_DAMAGE &&
		why.code != ERR_NOTFOUND) {
		*err = why;
		return -1;
	}
	c->result->incomplete++;
	c->problem(c->ctx, e,
		seen == READABLE ? "incomplete: chunks are missing or damaged"
				 : "its record can't be read");
	return 0;
}

/* --- statistics ---------------------------------------------------------------- */

int engine_stat(struct engine *s, struct engine_stat *stat, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_chunk_row chunk;
	struct db_txn *txn;
	int got;

	*stat = (struct engine_stat){0};
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = db_count(txn, STORE_DUMPS, &stat->dumps, err);
	if (got == 0)
		got = db_count(txn, STORE_DELETED, &stat->deleted, err);
	while (got == 0 && (got = store_row_next(txn, STORE_CHUNKS, &at, &chunk, err)) == 0) {
		stat->chunks++;
		stat->raw += chunk.raw_len;
		stat->damaged += chunk.damaged;
	}
	db_abort(txn);
	return got < 0 ? -1 : engine_volumes(s, &stat->volumes, &stat->bytes, err);
}
