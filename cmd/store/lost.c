/* Lost volumes: what they held is missing, and in the end they leave the index. */
#include "cmd/store/lost.h"

#include <errno.h>
#include <unistd.h>

#include "cmd/store/care.h"
#include "cmd/store/listing.h"
#include "cmd/store/state.h"
#include "cmd/store/write.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

/* Writes all rows of a table as new blocks. */
static int write_times(
	struct engine *s, enum store_table table, enum store_block kind, struct err *err)
{
	struct store_at at = {.len = 0};
	struct db_txn *txn;
	int64_t time;
	int got = 0;

	while (got == 0) {
		if (db_begin(s->db, false, &txn, err) != 0)
			return -1;
		got = store_row_next(txn, table, &at, &time, err);
		db_abort(txn);
		if (got == 0)
			got = engine_write_time(s, kind, at.key, time, err);
	}
	return got < 0 ? -1 : 0;
}

static int met(void *ctx, uint64_t offset, const struct pack_block *block, const uint8_t *payload,
	uint64_t len, struct err *err)
{
	(void)block;
	(void)err;
	if (payload != NULL)
		*(uint64_t *)ctx = offset + len;
	return 0;
}

static bool known(void *ctx, uint64_t offset)
{
	(void)ctx;
	(void)offset;
	return true;
}

/* Sets the committed length of a volume that was cut to the end of its last block, and cuts off the
 * rest. */
static int shorten(struct engine *s, struct db_txn *txn, uint32_t number, struct err *err)
{
	struct store_volume_row row;
	struct store_volume v;
	int got;

	if (store_volume_open(s->volumes, number, true, &v, err) != 0)
		return -1;
	got = store_row_get(txn, STORE_VOLUMES, &number, &row, err);
	if (got == 0) {
		row.len = 0;
		got = store_volume_scan(&v, 0, v.len, known, met, &row.len, err);
	}
	if (got == 0 && row.len < v.len && ftruncate(v.fd, (off_t)row.len) != 0)
		got = err_errno(err, errno, "volume %08x", number);
	store_volume_close(&v);
	return got == 0 ? store_row_put(txn, STORE_VOLUMES, &number, &row, err) : got < 0 ? -1 : 0;
}

/* Removes what a volume has lost from the index. */
static int drop_rows(
	struct engine *s, struct db_txn *txn, const struct engine_cut *cut, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_chunk_row row;
	int got;

	while ((got = store_row_next(txn, STORE_CHUNKS, &at, &row, err)) == 0)
		if (row.place.volume == cut->volume && engine_is_lost(s, &row.place) &&
			store_row_del(txn, STORE_CHUNKS, at.key, err) < 0)
			return -1;
	if (got < 0)
		return -1;
	return cut->len > 0 ? shorten(s, txn, cut->volume, err)
			    : store_row_del(txn, STORE_VOLUMES, &cut->volume, err);
}

int engine_drop_lost(struct engine *s, const struct engine_cut *cut, size_t count, struct err *err)
{
	struct db_txn *txn;
	size_t i;
	int got = 0;

	if (count == 0)
		return 0;
	if (engine_flush_all(s, err) != 0 ||
		write_times(s, STORE_DELETED, STORE_BLOCK_DELETE, err) != 0 ||
		write_times(s, STORE_LOCKS, STORE_BLOCK_LOCK, err) != 0 ||
		db_begin(s->db, true, &txn, err) != 0)
		return -1;
	for (i = 0; i < count && got >= 0; i++)
		got = drop_rows(s, txn, &cut[i], err);
	return engine_end(s, txn, got, err);
}

/* --- check of the dumps --------------------------------------------------- */

int engine_check_lists(struct engine *s, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err)
{
	struct engine_check check = {.store = s, .problem = problem, .ctx = ctx, .result = result};
	int ret;

	*result = (struct store_checked){0};
	mutex_lock(&s->writer);
	ret = engine_dumps(s, &(struct store_filter){0}, engine_check_dump, &check, err);
	if (ret == 0 && result->incomplete == 0 && s->mode == ENGINE_WRITE)
		/* No dump needs what is lost. */
		ret = engine_drop_lost(s, (const struct engine_cut *)(const void *)s->cut.data,
			s->cut.len / sizeof(struct engine_cut), err);
	mutex_unlock(&s->writer);
	return ret;
}

/* --- chunks that a reader found damaged ------------------------------------ */

int engine_doubt(struct engine *s, const uint8_t *domain, const uint8_t *ids, size_t count,
	size_t *marked, struct err *err)
{
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
	struct db_txn *txn;
	struct buf record = {.max = STORE_DOMAIN_LEN + STORE_RECORD_MAX};
	uint32_t number;
	size_t i;
	int ret;

	*marked = 0;
	mutex_lock(&s->writer);
	ret = engine_domain_number(s, domain, &number, err);
	for (i = 0; i < count && ret == 0; i++) {
		const uint8_t *id = ids + i * STORE_ID_LEN;
		struct err why = {0};

		if (engine_get(s, domain, id, &record, &why) >= 0 ||
			(why.code != ERR_DAMAGE && why.code != ERR_FORMAT))
			continue;
		ret = db_begin(s->db, true, &txn, err);
		if (ret != 0)
			break;
		store_chunk_key(number, id, key);
		ret = store_row_get(txn, STORE_CHUNKS, key, &row, err);
		if (ret == 0 && !row.damaged) {
			row.damaged = true;
			ret = store_row_put(txn, STORE_CHUNKS, key, &row, err);
			++*marked;
		}
		ret = engine_end(s, txn, ret, err);
	}
	mutex_unlock(&s->writer);
	buf_fini(&record);
	return ret < 0 ? -1 : 0;
}
