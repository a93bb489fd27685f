/* Which dumps there are. */
#include "cmd/store/listing.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

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
