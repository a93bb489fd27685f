/* The list of a dump's chunks: its pieces are open records of the dump's domain. */
#include "cmd/store/list.h"

#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/listing.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

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
	int got = store_row_get(txn, STORE_DOMAINS, dump->domain, &w.domain, err);

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
	int readable = engine_is_readable(s, e->dump.id, err), got;

	if (readable < 0 || readable == ENGINE_GONE)
		return readable < 0 ? -1 : 0;
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = readable && e->record != NULL ? engine_whole(s, txn, &e->dump, NULL, &why) : 1;
	db_abort(txn);
	if (got == 0)
		return 0;
	if (got < 0 && why.code != ERR_FORMAT && why.code != ERR_DAMAGE) {
		*err = why;
		return -1;
	}
	++*incomplete;
	problem(ctx, e,
		readable ? "is not whole: chunks of it are missing or damaged"
			 : "its record can't be read");
	return 0;
}
