/*
 * What is read from an open store: chunks found and fetched, lists of chunks
 * gone through, dumps listed, numbers.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/inner.h"
#include "cmd/store/engine.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

/* --- finding ------------------------------------------------------------- */

/* Under the lock. */
static int known_domain(const struct engine *s, const uint8_t *domain, uint32_t *number)
{
	size_t i;

	for (i = 0; i < s->domain_count; i++)
		if (memcmp(s->domains[i].domain, domain, STORE_DOMAIN_LEN) == 0) {
			*number = s->domains[i].number;
			return 0;
		}
	return 1;
}

int engine_domain_number(struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err)
{
	struct db_txn *txn;
	int got;

	pthread_mutex_lock(&s->lock);
	got = known_domain(s, domain, number);
	pthread_mutex_unlock(&s->lock);
	if (got == 0)
		return 0;
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = store_domain_get(txn, domain, number, err);
	db_abort(txn);
	return got;
}

const struct engine_pending *engine_pending_find(const struct engine *s, const uint8_t *key)
{
	size_t mask = 4 * (size_t)ENGINE_PENDING_MAX - 1, at;

	if (s->pending_count == 0)
		return NULL;
	for (at = hash_xxh3(key, STORE_INDEX_KEY) & mask; s->slots[at] != 0; at = (at + 1) & mask)
		if (memcmp(s->pending[s->slots[at] - 1].key, key, STORE_INDEX_KEY) == 0)
			return &s->pending[s->slots[at] - 1];
	return NULL;
}

int engine_find(struct engine *s, struct db_txn *txn, const uint8_t *key,
	struct store_chunk_row *row, struct err *err)
{
	const struct engine_pending *pending = engine_pending_find(s, key);
	int got;

	if (pending != NULL) {
		*row = pending->row;
		return 0;
	}
	got = store_chunk_get(txn, key, row, err);
	if (got == 0 && engine_is_lost(s, &row->place))
		row->damaged = true;
	return got;
}

/* Looks chunks up, one after the other; the lock is held only for those that are pending. */
static int find_all(struct engine *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct store_chunk_row *rows, struct err *err)
{
	uint8_t key[STORE_INDEX_KEY];
	struct db_txn *txn = NULL;
	uint32_t number;
	size_t i;
	int got = engine_domain_number(s, domain, &number, err);

	for (i = 0; i < count; i++)
		rows[i].damaged = true;
	if (got != 0)
		return got < 0 ? -1 : 0;
	/* What leaves the pending ones is in the index by then: first here, then there. */
	for (i = 0; i < count && got == 0; i++) {
		const struct engine_pending *pending;

		store_chunk_key(number, ids + i * STORE_ID_LEN, key);
		pthread_mutex_lock(&s->lock);
		pending = engine_pending_find(s, key);
		if (pending != NULL)
			rows[i] = pending->row;
		pthread_mutex_unlock(&s->lock);
		if (pending != NULL)
			continue;
		if (txn == NULL)
			got = db_begin(s->db, false, &txn, err);
		if (got == 0)
			got = store_chunk_get(txn, key, &rows[i], err);
		if (got == 0 && engine_is_lost(s, &rows[i].place))
			rows[i].damaged = true;
		if (got == 1) {
			rows[i].damaged = true;
			got = 0;
		}
	}
	db_abort(txn);
	return got;
}

int engine_have(struct engine *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	bool *has, struct err *err)
{
	struct store_chunk_row row;
	size_t i;

	for (i = 0; i < count; i++) {
		if (find_all(s, domain, ids + i * STORE_ID_LEN, 1, &row, err) != 0)
			return -1;
		has[i] = !row.damaged;
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct store_chunk_row *x = a, *y = b;

	if (x->place.volume != y->place.volume)
		return x->place.volume < y->place.volume ? -1 : 1;
	return (x->place.offset > y->place.offset) - (x->place.offset < y->place.offset);
}

/* Rows of one volume after the other; neighbours are one piece. */
static void fetch(struct engine *s, const struct store_chunk_row *rows, size_t count)
{
	struct store_volume v = {.fd = -1};
	size_t i, n;

	for (i = 0; i < count; i += n) {
		const struct store_place *first = &rows[i].place;
		uint64_t end = (uint64_t)first->offset + PACK_BLOCK_HEADER + first->len;

		for (n = 1; i + n < count && rows[i + n].place.volume == first->volume &&
			    rows[i + n].place.offset <= end;
			n++)
			end = (uint64_t)rows[i + n].place.offset + PACK_BLOCK_HEADER +
			      rows[i + n].place.len;
		if (v.fd < 0 || v.number != first->volume) {
			store_volume_close(&v);
			if (store_volume_open(s->volumes, first->volume, false, &v, NULL) != 0)
				continue;
		}
		posix_fadvise(
			v.fd, first->offset, (off_t)(end - first->offset), POSIX_FADV_WILLNEED);
	}
	store_volume_close(&v);
}

int engine_ahead(struct engine *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct buf *lacks, struct err *err)
{
	struct store_chunk_row *rows = calloc(count, sizeof *rows);
	size_t i, n = 0;
	int got = rows != NULL ? find_all(s, domain, ids, count, rows, err)
			       : err_set(err, ERR_NOMEM, "out of memory");

	for (i = 0; i < count && got == 0; i++)
		if (!rows[i].damaged)
			rows[n++] = rows[i];
		else
			got = buf_add(lacks, ids + i * STORE_ID_LEN, STORE_ID_LEN, err);
	if (got == 0 && n > 0) {
		qsort(rows, n, sizeof *rows, by_place);
		fetch(s, rows, n);
	}
	free(rows);
	return got;
}

static uint64_t mark_of(uint32_t volume, uint64_t offset)
{
	const uint64_t place[2] = {volume, offset};

	return hash_xxh3(place, sizeof place);
}

void engine_note_reads(struct engine *s)
{
	s->notes = true;
}

/* What can't be noted is read again. */
static void note_read(struct engine *s, const struct store_place *place)
{
	pthread_mutex_lock(&s->lock);
	store_marks_add(&s->read, mark_of(place->volume, place->offset), NULL);
	pthread_mutex_unlock(&s->lock);
}

bool engine_was_read(struct engine *s, uint32_t volume, uint64_t offset)
{
	bool was;

	pthread_mutex_lock(&s->lock);
	was = store_marks_has(&s->read, mark_of(volume, offset));
	pthread_mutex_unlock(&s->lock);
	return was;
}

int engine_read_place(struct engine *s, const struct store_place *place, struct pack_block *block,
	struct buf *out, struct err *err)
{
	struct store_volume volume;
	int got;

	if (store_volume_open(s->volumes, place->volume, false, &volume, err) != 0)
		return -1;
	got = store_volume_read(&volume, place->offset, place->len, block, out, err);
	store_volume_close(&volume);
	if (got == 0 && s->notes)
		note_read(s, place);
	return got;
}

/* Reads a chunk's block; `out` then holds the record. */
static int read_chunk(struct engine *s, const struct store_place *place, const uint8_t *domain,
	const uint8_t *id, struct buf *out, struct err *err)
{
	struct store_record record;
	struct pack_block block;

	if (engine_read_place(s, place, &block, out, err) != 0)
		return -1;
	if (block.kind != STORE_BLOCK_CHUNK || out->len < STORE_DOMAIN_LEN ||
		memcmp(out->data, domain, STORE_DOMAIN_LEN) != 0)
		return err_set(err, ERR_DAMAGE,
			"volume %08x at %u: is another block than the index says", place->volume,
			place->offset);
	buf_drop(out, STORE_DOMAIN_LEN);
	if (store_record_get(&record, out->data, out->len, err) != 0)
		return -1;
	if (memcmp(record.id, id, STORE_ID_LEN) != 0)
		return err_set(err, ERR_DAMAGE,
			"volume %08x at %u: is another chunk than the index says", place->volume,
			place->offset);
	return 0;
}

int engine_get(struct engine *s, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err)
{
	struct store_chunk_row row = {.damaged = false};
	struct store_place was;
	struct err why = {0};

	do { /* has gc moved it meanwhile? */
		was = row.place;
		if (find_all(s, domain, id, 1, &row, err) != 0)
			return -1;
		if (row.damaged)
			return 1;
		if (memcmp(&was, &row.place, sizeof was) == 0) {
			*err = why;
			return -1;
		}
	} while (read_chunk(s, &row.place, domain, id, out, &why) != 0);
	return 0;
}

/* --- lists of chunks ----------------------------------------------------- */

/* One piece: its entries. Returns 0, 1: it is not to be had; -1. */
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
	struct buf record, piece;
	uint64_t chunks = 0;
	size_t i, at;
	int got = 0;
	bool lost = false;

	buf_init(&record, PACK_BLOCK_VOLUME_MAX);
	buf_init(&piece, STORE_CONTENT_MAX);
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
	struct db_txn *txn;
	uint32_t domain;
	struct buf *missing;
	bool lacks;
};

static int look_for(void *ctx, const uint8_t *id, struct err *err)
{
	struct whole *w = ctx;
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
	int got;

	store_chunk_key(w->domain, id, key);
	got = engine_find(w->store, w->txn, key, &row, err);
	if (got < 0 || (got == 0 && !row.damaged))
		return got;
	w->lacks = true;
	if (w->missing == NULL || w->missing->len >= 65536u * STORE_ID_LEN)
		return 0;
	return buf_add(w->missing, id, STORE_ID_LEN, err);
}

int engine_whole(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	struct buf *missing, struct err *err)
{
	struct whole w = {.store = s, .txn = txn, .missing = missing};
	int got = store_domain_get(txn, dump->domain, &w.domain, err);

	if (got == 1) { /* nothing of it is there */
		if (missing != NULL &&
			buf_add(missing, dump->lists, dump->list_count * STORE_ID_LEN, err) != 0)
			return -1;
		return 1;
	}
	if (got == 0)
		got = engine_list_walk(s, dump, look_for, &w, missing, err);
	return got != 0 ? got : w.lacks;
}

int engine_tell_whole(struct engine *s, const struct store_entry *e, store_problem *problem,
	void *ctx, uint64_t *incomplete, struct err *err)
{
	struct err why = {0};
	struct db_txn *txn;
	int got = 1;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	if (e->record != NULL)
		got = engine_whole(s, txn, &e->dump, NULL, &why);
	db_abort(txn);
	if (got == 0)
		return 0;
	if (got < 0 && why.code != ERR_FORMAT && why.code != ERR_DAMAGE) {
		*err = why;
		return -1;
	}
	++*incomplete;
	problem(ctx, e,
		e->record != NULL ? "is not whole: chunks of it are missing or damaged"
				  : "its record can't be read");
	return 0;
}

/* --- dumps --------------------------------------------------------------- */

struct found {
	uint8_t id[STORE_DUMP_ID];
	struct store_dump_row row;
	int64_t lock;
};

static int by_time(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->row.committed != y->row.committed)
		return x->row.committed < y->row.committed ? -1 : 1;
	return (x->row.seq > y->row.seq) - (x->row.seq < y->row.seq);
}

static int collect(struct engine *s, struct buf *all, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct db_txn *txn;
	struct found f = {0};
	int got;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	if (store_index_check(txn, err) != 0) {
		db_abort(txn);
		return -1;
	}
	while ((got = store_dump_row_next(txn, &key, &f.row, err)) == 0) {
		memcpy(f.id, key.at, sizeof f.id);
		f.lock = 0;
		if (store_time_get(txn, STORE_LOCKS, f.id, &f.lock, err) < 0 ||
			buf_add(all, &f, sizeof f, err) != 0) {
			got = -1;
			break;
		}
	}
	db_abort(txn);
	return got < 0 ? -1 : 0;
}

/* Reads what a dump's block says. Returns 0, or -1: it is damaged. */
static int read_dump(struct engine *s, const struct found *f, struct buf *payload,
	struct store_entry *e, struct err *err)
{
	struct pack_block block;

	if (engine_read_place(s, &f->row.place, &block, payload, err) != 0)
		return -1;
	if (block.kind != STORE_BLOCK_DUMP || payload->len <= STORE_DUMP_HEAD)
		return err_set(err, ERR_DAMAGE, "a dump's block is none");
	e->record = payload->data + STORE_DUMP_HEAD;
	e->record_len = payload->len - STORE_DUMP_HEAD;
	if (store_dump_get(&e->dump, e->record, e->record_len, err) != 0)
		return -1;
	e->committed = e->receipt.time = (int64_t)le_get64(payload->data);
	memcpy(e->receipt.signature, payload->data + 8, sizeof e->receipt.signature);
	memcpy(e->receipt.store, s->uid, sizeof e->receipt.store);
	memcpy(e->receipt.dump, f->id, sizeof e->receipt.dump);
	hash_sha256(e->record, e->record_len, e->receipt.record);
	e->lock = e->dump.lock > f->lock ? e->dump.lock : f->lock;
	e->seq = f->row.seq;
	e->copied = payload->data[STORE_DUMP_HEAD - 1] != 0;
	e->damaged = f->row.damaged;
	return 0;
}

bool engine_has_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row)
{
	struct store_entry e = {0};
	struct found f = {.row = *row};
	struct buf payload;
	bool has;

	memcpy(f.id, id, sizeof f.id);
	buf_init(&payload, PACK_BLOCK_VOLUME_MAX);
	has = read_dump(s, &f, &payload, &e, NULL) == 0;
	buf_fini(&payload);
	return has;
}

int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt)
{
	struct store_entry e = {0};
	struct found f = {.row = *row};
	struct buf payload;
	int ret = 0;

	memcpy(f.id, id, sizeof f.id);
	buf_init(&payload, PACK_BLOCK_VOLUME_MAX);
	if (read_dump(s, &f, &payload, &e, NULL) == 0) {
		ret = e.record_len == len && memcmp(e.record, record, len) == 0 ? 1 : -1;
		*receipt = e.receipt;
	}
	buf_fini(&payload);
	return ret;
}

int engine_dump_now(
	struct engine *s, const uint8_t *id, struct store_dump_row *row, struct err *err)
{
	struct db_txn *txn;
	int got;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = store_dump_row_get(txn, id, row, err);
	db_abort(txn);
	return got;
}

/* The same, wherever gc moves it meanwhile. Returns 1 if it was deleted meanwhile. */
static int follow_dump(
	struct engine *s, struct found *f, struct buf *payload, struct store_entry *e)
{
	struct store_place was;
	struct err why = {0};
	int got;

	do {
		was = f->row.place;
		if (read_dump(s, f, payload, e, &why) == 0)
			return 0;
		got = engine_dump_now(s, f->id, &f->row, &why);
		if (got != 0)
			return got;
	} while (memcmp(&was, &f->row.place, sizeof was) != 0);
	return -1;
}

static bool text_is(const char *text, const char *bytes, size_t len)
{
	return text == NULL || (strlen(text) == len && memcmp(text, bytes, len) == 0);
}

/* Agents and names that were met, for the newest of each. */
struct names {
	struct buf rows; /* struct name */
};
struct name {
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
};

/* Returns 0: it is the first of its agent and name; 1: it is not; -1 with err set. */
static int names_met(struct names *names, const struct store_entry *e, struct err *err)
{
	const struct name *row = (const struct name *)(const void *)names->rows.data;
	size_t count = names->rows.len / sizeof *row, i;
	struct name new = {0};

	memcpy(new.agent, e->dump.agent, e->dump.agent_len);
	memcpy(new.name, e->dump.name, e->dump.name_len);
	for (i = 0; i < count; i++)
		if (memcmp(&row[i], &new, sizeof new) == 0)
			return 1;
	return buf_add(&names->rows, &new, sizeof new, err);
}

static bool passes(const struct store_filter *filter, const struct store_entry *e)
{
	if (e->record == NULL)
		return filter->agent == NULL && filter->name == NULL && !filter->newest;
	return text_is(filter->agent, e->dump.agent, e->dump.agent_len) &&
	       text_is(filter->name, e->dump.name, e->dump.name_len);
}

int engine_dumps(struct engine *s, const struct store_filter *filter, store_each_dump *each,
	void *ctx, struct err *err)
{
	struct buf all, payload;
	struct found *f;
	struct names seen;
	size_t count, n, i;
	int got;

	buf_init(&all, SIZE_MAX);
	buf_init(&payload, PACK_BLOCK_VOLUME_MAX);
	buf_init(&seen.rows, SIZE_MAX);
	got = collect(s, &all, err);
	f = (struct found *)(void *)all.data;
	count = all.len / sizeof *f;
	if (count > 0)
		qsort(f, count, sizeof *f, by_time);
	for (n = 0; n < count && got == 0; n++) {
		struct store_entry e = {0};
		int read;

		i = filter->newest ? count - 1 - n : n;
		if (f[i].row.seq <= filter->after)
			continue;
		read = follow_dump(s, &f[i], &payload, &e);
		if (read == 1)
			continue;
		if (read < 0) {
			e = (struct store_entry){.seq = f[i].row.seq, .damaged = true};
			e.dump.id = f[i].id;
		}
		if (!passes(filter, &e))
			continue;
		if (filter->newest)
			got = names_met(&seen, &e, err);
		if (got == 0)
			got = each(ctx, &e, err);
		else if (got == 1)
			got = 0;
		if (got == 0 && filter->newest && filter->agent != NULL && filter->name != NULL)
			break;
	}
	buf_fini(&seen.rows);
	buf_fini(&all);
	buf_fini(&payload);
	return got < 0 ? -1 : 0;
}

int engine_hold(struct engine *s, const uint8_t *dump, struct buf *record,
	struct store_entry *entry, struct err *err)
{
	struct store_entry e = {0};
	struct found f = {.lock = 0};
	struct buf payload;
	int got = engine_dump_now(s, dump, &f.row, err);

	if (got != 0)
		return got;
	memcpy(f.id, dump, sizeof f.id);
	buf_init(&payload, PACK_BLOCK_VOLUME_MAX);
	got = follow_dump(s, &f, &payload, &e);
	got = got != 0 || e.damaged;
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

int engine_stat(struct engine *s, struct engine_stat *stat, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct store_chunk_row chunk;
	struct store_volume_row volume;
	struct db_txn *txn;
	uint32_t number;
	int got;

	*stat = (struct engine_stat){0};
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = db_count(txn, STORE_DUMPS, &stat->dumps, err);
	if (got == 0)
		got = db_count(txn, STORE_DELETED, &stat->deleted, err);
	while (got == 0 && (got = store_chunk_next(txn, &key, &chunk, err)) == 0) {
		stat->chunks++;
		stat->raw += chunk.raw_len;
		stat->damaged += chunk.damaged;
	}
	key.at = NULL;
	while (got >= 0 && (got = store_volume_next(txn, &key, &number, &volume, err)) == 0) {
		stat->volumes += volume.state == STORE_VOLUME_LIVE;
		stat->bytes += volume.state == STORE_VOLUME_LIVE ? volume.len : 0;
	}
	db_abort(txn);
	return got < 0 ? -1 : 0;
}
