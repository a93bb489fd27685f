/* Finds and reads the chunks of an open store. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/store/engine.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

/* Looks chunks up; the row of a missing one is set to damaged. A chunk leaves `pending` only after
 * it is in the index, so look at `pending` first. */
static int find_all(struct engine *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	struct store_chunk_row *rows, struct err *err)
{
	const struct store_chunk_row none = {.damaged = true};
	uint8_t key[STORE_INDEX_KEY];
	const struct engine_pending *pending;
	struct db_txn *txn = NULL;
	uint32_t number = 0;
	size_t i, lacking = 0;
	int got = engine_domain_number(s, domain, &number, err);

	if (got < 0)
		return -1;
	mutex_lock(&s->lock);
	for (i = 0; i < count; i++) {
		store_chunk_key(number, ids + i * STORE_ID_LEN, key);
		pending = got == 0 ? engine_pending_find(s, key) : NULL;
		rows[i] = pending != NULL ? pending->row : none;
		lacking += pending == NULL;
	}
	mutex_unlock(&s->lock);
	if (got == 1 || lacking == 0)
		return 0;
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	for (i = 0; i < count && got >= 0; i++) {
		if (!rows[i].damaged)
			continue;
		store_chunk_key(number, ids + i * STORE_ID_LEN, key);
		got = store_row_get(txn, STORE_CHUNKS, key, &rows[i], err);
	}
	db_abort(txn);
	return got < 0 ? -1 : 0;
}

int engine_have(struct engine *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	bool *has, struct err *err)
{
	struct store_chunk_row rows[STORE_HAVE_MAX];
	size_t i;

	assert(count <= STORE_HAVE_MAX);
	if (find_all(s, domain, ids, count, rows, err) != 0)
		return -1;
	for (i = 0; i < count; i++)
		has[i] = !rows[i].damaged;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct store_chunk_row *x = a, *y = b;

	if (x->place.volume != y->place.volume)
		return x->place.volume < y->place.volume ? -1 : 1;
	return (x->place.offset > y->place.offset) - (x->place.offset < y->place.offset);
}

/* Fetches rows, sorted by place; neighbours in one piece. */
static void fetch(struct engine *s, const struct store_chunk_row *rows, size_t count)
{
	struct store_volume v;
	size_t i, n;

	for (i = 0; i < count; i += n) {
		const struct store_place *first = &rows[i].place;
		uint64_t end = (uint64_t)first->offset + PACK_BLOCK_HEADER + first->len;

		for (n = 1; i + n < count && rows[i + n].place.volume == first->volume &&
			    rows[i + n].place.offset <= end;
			n++)
			end = (uint64_t)rows[i + n].place.offset + PACK_BLOCK_HEADER +
			      rows[i + n].place.len;
		if (store_volumes_take(&s->reading, s->volumes, first->volume, &v, NULL) != 0)
			continue;
		posix_fadvise(
			v.fd, first->offset, (off_t)(end - first->offset), POSIX_FADV_WILLNEED);
		store_volumes_give(&s->reading, &v);
	}
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

/* Reads and verifies a chunk's block; `out` then holds the record. */
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
			"volume %08x at %u: not the block that the index names", place->volume,
			place->offset);
	buf_drop(out, STORE_DOMAIN_LEN);
	if (store_record_get(&record, out->data, out->len, err) != 0)
		return -1;
	if (memcmp(record.id, id, STORE_ID_LEN) != 0)
		return err_set(err, ERR_DAMAGE,
			"volume %08x at %u: not the chunk that the index names", place->volume,
			place->offset);
	return 0;
}

int engine_get(struct engine *s, const uint8_t *domain, const uint8_t *id, struct buf *out,
	struct err *err)
{
	struct store_chunk_row row = {.damaged = false};
	struct store_place was;
	struct err why = {0};

	do { /* try again if gc has moved it in the meantime */
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
