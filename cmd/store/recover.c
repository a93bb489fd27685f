/* After a crash: tails that nobody was promised, and leftovers. */
#include "cmd/store/recover.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

struct tail {
	struct engine *store;
	struct db_txn *txn;
	uint32_t number;
	uint64_t good; /* end of what was taken */
};

/* A block behind the committed length: taken, up to the first that is not good. */
static int take_tail(void *ctx, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, uint64_t len, struct err *err)
{
	struct tail *t = ctx;
	int got;

	if (payload == NULL || offset != t->good)
		return 1;
	got = store_index_absorb(t->txn, &t->store->meta, t->number, offset, block, payload, err);
	if (got == 0)
		t->good = offset + len;
	return got;
}

static int recover_tail(struct engine *s, struct db_txn *txn, uint32_t number,
	struct store_volume_row *row, struct store_volume *v, struct err *err)
{
	struct tail t = {s, txn, number, row->len};

	if (store_volume_scan(v, row->len, v->len, NULL, take_tail, &t, err) != 0)
		return -1;
	if (t.good < v->len && ftruncate(v->fd, (off_t)t.good) != 0)
		return err_errno(err, errno, "volume %08x", number);
	v->len = t.good;
	if (store_volume_sync(v, err) != 0) {
		if (ftruncate(v->fd, (off_t)row->len) != 0)
			return err_prefix(err, "volume %08x can't be cut back", number);
		return -1;
	}
	if (row->len == 0 && fsync(s->volumes) != 0) /* its name may be new */
		return err_errno(err, errno, "%s/volumes: sync", s->path);
	row->len = t.good;
	return store_volume_put(txn, number, row, err);
}

/* The container's id stands in the first block. */
static int read_id(struct store_volume *v)
{
	uint8_t header[PACK_BLOCK_HEADER];
	struct pack_block block;

	if (pread(v->fd, header, sizeof header, 0) != sizeof header ||
		pack_block_get(&block, header, NULL) != 0 || block.kind != STORE_BLOCK_VOLUME)
		return -1;
	memcpy(v->id, block.id, sizeof v->id);
	return 0;
}

static int recover_volume(struct engine *s, struct db_txn *txn, uint32_t number,
	struct store_volume_row *row, struct err *err)
{
	struct store_volume v = {.fd = -1};
	struct engine_cut cut = {.volume = number};
	struct err why = {0};
	int got = 0;

	if (row->state == STORE_VOLUME_LIVE)
		got = store_volume_open(s->volumes, number, true, &v, &why);
	if (row->state != STORE_VOLUME_LIVE || (row->len == 0 && (got != 0 || v.len == 0))) {
		store_volume_close(&v);
		return store_volume_remove(s->volumes, number, err) == 0
			       ? store_volume_del(txn, number, err)
			       : -1;
	}
	if (got != 0) /* missing: damage, for scrub to tell */
		return why.code == ERR_NOTFOUND ? buf_add(&s->cut, &cut, sizeof cut, err) : 0;
	cut.len = v.len;
	if (v.len < row->len)
		got = buf_add(&s->cut, &cut, sizeof cut, err);
	else if (v.len > row->len && row->len < STORE_VOLUME_FULL)
		/* behind a full one nothing was ever written */
		got = recover_tail(s, txn, number, row, &v, err);
	if (got == 0 && v.len == row->len && v.len > 0 && v.len < STORE_VOLUME_FULL &&
		read_id(&v) == 0) {
		store_volume_close(&s->current);
		s->current = v;
		return 0;
	}
	store_volume_close(&v);
	return got;
}

static int recover_all(struct engine *s, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct store_volume_row row;
	struct db_txn *txn;
	uint32_t number;
	uint8_t copy[4];
	int got;

	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	while ((got = store_volume_next(txn, &key, &number, &row, err)) == 0) {
		memcpy(copy, key.at, sizeof copy);
		key.at = copy;
		if (recover_volume(s, txn, number, &row, err) != 0) {
			got = -1;
			break;
		}
	}
	if (got < 0 || store_meta_put(txn, &s->meta, err) != 0) {
		db_abort(txn);
		return -1;
	}
	return db_commit(txn, err);
}

/* --- what is lost ---------------------------------------------------------- */

/* Marks up to DB_BATCH chunks from *key on. Returns 0; 1: that was all; -1. */
static int mark_chunks(
	struct engine *s, struct db_bytes *key, uint8_t copy[STORE_INDEX_KEY], struct err *err)
{
	struct store_chunk_row row;
	struct db_txn *txn;
	size_t n = 0;
	int got = 0;

	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	while (n < DB_BATCH && (got = store_chunk_next(txn, key, &row, err)) == 0) {
		memcpy(copy, key->at, STORE_INDEX_KEY);
		key->at = copy;
		if (row.damaged || !engine_is_lost(s, &row.place))
			continue;
		row.damaged = true;
		n++;
		if (store_chunk_put(txn, copy, &row, err) != 0) {
			got = -1;
			break;
		}
	}
	if (got < 0) {
		db_abort(txn);
		return -1;
	}
	return db_commit(txn, err) != 0 ? -1 : got;
}

static int mark_dumps(struct engine *s, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	uint8_t copy[STORE_DUMP_ID];
	struct store_dump_row row;
	struct db_txn *txn;
	int got;

	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	while ((got = store_dump_row_next(txn, &key, &row, err)) == 0) {
		memcpy(copy, key.at, sizeof copy);
		key.at = copy;
		if (row.damaged || !engine_is_lost(s, &row.place))
			continue;
		row.damaged = true;
		if (store_dump_row_put(txn, copy, &row, err) != 0) {
			got = -1;
			break;
		}
	}
	if (got >= 0)
		return db_commit(txn, err);
	db_abort(txn);
	return -1;
}

/* What was in volumes that are missing, or behind the end of those that are cut, counts as not
 * there from now on, for readers too. */
static int mark_lost(struct engine *s, struct err *err)
{
	struct db_bytes key = {NULL, STORE_INDEX_KEY};
	uint8_t copy[STORE_INDEX_KEY];
	int got;

	while ((got = mark_chunks(s, &key, copy, err)) == 0)
		;
	return got < 0 ? -1 : mark_dumps(s, err);
}

int engine_recover(struct engine *s, struct err *err)
{
	if (recover_all(s, err) != 0)
		return -1;
	return s->cut.len > 0 ? mark_lost(s, err) : 0;
}
