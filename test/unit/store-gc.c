/* Garbage collection with concurrent readers, over damaged blocks, and with volumes that fill up.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

static struct err err;

/* Deletes and collects, in another process, while dumps are listed: at a moment without locks. */
static int meanwhile(void *ctx, const struct store_entry *e, struct err *e2)
{
	struct engine_gc_result result;
	int *seen = ctx, status;
	pid_t child;

	(void)e2;
	assert_non_null(e->record);
	if ((*seen)++ > 0)
		return 0;
	child = fork();
	if (child == 0) {
		struct engine *s =
			engine_open(temp_store_path, ENGINE_WRITE, &temp_store_wait, &err);

		_exit(s == NULL ||
			engine_delete(s, (const uint8_t[STORE_DUMP_ID]){41}, &err) != 0 ||
			engine_gc(s, &temp_store_gc_all, &result, &err) != 0 ||
			result.volumes == 0);
	}
	assert_true(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

/* A reader who lists dumps while gc moves them sees each one that is left. */
static void readers_follow_gc(void **state)
{
	struct engine *s = temp_store_open(NULL);
	uint8_t id[STORE_ID_LEN], tag;
	int before, seen = 0;

	(void)state;
	temp_store_put_garbage(s, 'A');
	assert_true(temp_store_put(s, "moved", id, &err) >= 0);
	for (tag = 40; tag < 43; tag++)
		temp_store_commit(s, id, 1, tag);
	before = temp_store_dumps(s);
	engine_close(s);
	s = engine_open(temp_store_path, ENGINE_READ, &temp_store_wait, &err);
	assert_non_null(s);
	close(s->lock_fd); /* otherwise gc would wait for it */
	s->lock_fd = -1;
	assert_int_equal(engine_dumps(s, &(struct store_filter){0}, meanwhile, &seen, &err), 0);
	assert_int_equal(seen, before - 1); /* not the deleted one */
	engine_close(s);
}

/* If gc sweeps a damaged block, no deleted dump comes back and no lock is lost: whether its header
 * is damaged, or its payload, or it is cut off. */
static void lost_blocks(void **state)
{
	const struct engine_gc_options gc_some = {.keep_percent = 70};
	const uint32_t at[] = {0, PACK_BLOCK_HEADER};
	const uint8_t kept[STORE_DUMP_ID] = {110},
		      deleted[3][STORE_DUMP_ID] = {{111}, {112}, {113}};
	uint8_t ids[8][STORE_ID_LEN];
	struct engine *s = temp_store_open(NULL);
	struct engine_gc_result result;
	struct store_checked checked;
	uint32_t volume, offset;
	char text[901] = {0}, index[120], file[120];
	int round, i;

	(void)state;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 8; i++) {
			memset(text, 'a' + i, sizeof text - 1);
			assert_true(temp_store_put(s, text, ids[i], &err) >= 0);
		}
		if (round == 0)
			temp_store_commit(s, ids[0], 8, kept[0]);
		temp_store_commit(s, ids[0], 8, deleted[round][0]);
		store_volume_close(&s->current); /* later data goes to another volume */
		temp_store_put_garbage(s, 'A');
		assert_int_equal(engine_delete(s, deleted[round], &err), 0);
		assert_int_equal(engine_lock(s, kept, engine_now() + 1000 + round, &err), 0);
		volume = s->current.number;
		offset = (uint32_t)s->current.len - 2 * (PACK_BLOCK_HEADER + STORE_DUMP_ID + 8);
		if (round < 2) {
			temp_store_flip(volume, offset + at[round]);
			temp_store_flip(
				volume, offset + PACK_BLOCK_HEADER + STORE_DUMP_ID + 8 + at[round]);
		} else {
			snprintf(file, sizeof file, "%s/volumes/%08x.vol", temp_store_path, volume);
			assert_int_equal(truncate(file, offset), 0);
		}
		assert_int_equal(engine_gc(s, &gc_some, &result, &err), 0);
		assert_true(result.volumes >= 1 && result.damaged == 0);
		engine_close(s);
		snprintf(index, sizeof index, "%s/index/data.mdb", temp_store_path);
		assert_int_equal(unlink(index), 0);
		temp_store_rebuild(temp_store_ignore, &checked);
		s = temp_store_open(NULL);
		assert_int_equal(engine_hold(s, deleted[round], NULL, NULL, &err), 1);
		assert_int_equal(engine_hold(s, kept, NULL, NULL, &err), 0);
		assert_int_equal(engine_delete(s, kept, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
	}
	engine_close(s);
}

/* Moved blocks may fill a volume in the middle of a sweep: that volume is on disk, and in the
 * index, with everything that was moved. */
static void gc_fills(void **state)
{
	const size_t len = STORE_CONTENT_MAX,
		     each = 34; /* together they fill one volume and a bit */
	struct engine *s = temp_store_open(NULL);
	uint8_t *text = calloc(1, len), *bytes = malloc(STORE_RECORD_MAX), *list = malloc(4096);
	uint8_t id[STORE_DUMP_ID] = {120};
	struct store_at at = {.len = 0};
	struct engine_gc_result result;
	struct store_volume_row row;
	struct store_volume v;
	struct db_txn *txn;
	uint32_t number;
	size_t i, n;

	(void)state;
	assert_true(text != NULL && bytes != NULL && list != NULL);
	for (i = 0; i < 2 * each; i++) {
		memset(text, (int)i + 1, len);
		n = temp_store_record(text, len, bytes);
		memcpy(list + i * STORE_ID_LEN, bytes + 8, STORE_ID_LEN);
		assert_int_equal(engine_put(s, "host", temp_store_domain, bytes, n, &err), 0);
		if (i + 1 == each) {
			assert_int_equal(engine_flush(s, &err), 0);
			store_volume_close(&s->current);
		}
	}
	temp_store_commit(s, list, 2 * each, id[0]);
	assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), 0);
	assert_int_equal(db_begin(s->db, false, &txn, &err), 0);
	for (n = 0; store_volume_next(txn, &at, &number, &row, &err) == 0;) {
		if (row.state != STORE_VOLUME_LIVE)
			continue;
		assert_int_equal(store_volume_open(s->volumes, number, false, &v, &err), 0);
		assert_int_equal(v.len, row.len);
		store_volume_close(&v);
		n += row.len >= STORE_VOLUME_FULL;
	}
	db_abort(txn);
	assert_int_equal(n, 1);
	assert_int_equal(engine_delete(s, id, &err), 0);
	free(text);
	free(bytes);
	free(list);
	engine_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_follow_gc),
		cmocka_unit_test(lost_blocks),
		cmocka_unit_test(gc_fills),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
