/* Scrubs: with a concurrent writer, over several volumes, for a limited time, stopped. */
#include <unistd.h>

#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

static struct err err;
static const struct engine_scrub_options scrub_all = {.mark = true};

struct beside {
	struct engine *store;
	uint8_t ids[2 * STORE_ID_LEN];
	int told;
};

/* The scrub has read a volume, but not yet marked the damage: a writer comes. */
static void write_beside(void *ctx, const struct store_entry *dump, const char *what)
{
	struct engine_gc_result result;
	struct beside *b = ctx;
	uint8_t id[STORE_ID_LEN];

	(void)what;
	if (dump != NULL || b->told++ > 0)
		return;
	assert_int_equal(temp_store_put(b->store, "rots first", id, &err), 0);
	assert_int_equal(engine_flush(b->store, &err), 0);
	assert_int_equal(engine_delete(b->store, (const uint8_t[STORE_DUMP_ID]){71}, &err), 0);
	assert_int_equal(engine_gc(b->store, &temp_store_gc_all, &result, &err), 0);
}

/* A chunk that is put again while a scrub runs is not marked; damage elsewhere is. */
static void scrub_beside(void **state)
{
	struct beside b = {.store = temp_store_open(NULL)};
	struct engine *s = b.store;
	struct store_checked checked;
	struct store_place first, second;
	bool has[2];

	(void)state;
	assert_int_equal(temp_store_put(s, "rots first", b.ids, &err), 0);
	assert_int_equal(temp_store_put(s, "rots second", b.ids + STORE_ID_LEN, &err), 0);
	temp_store_commit(s, b.ids, 2, 70);
	temp_store_commit(s, b.ids, 1, 71);
	first = temp_store_place(s, b.ids);
	second = temp_store_place(s, b.ids + STORE_ID_LEN);
	engine_close(s);
	temp_store_flip(first.volume, first.offset + PACK_BLOCK_HEADER + 60);
	s = engine_open(temp_store_path, ENGINE_TEND, &temp_store_wait, &err);
	assert_non_null(s);
	assert_int_equal(engine_scrub(s, &scrub_all, temp_store_ignore, NULL, &checked, &err), 0);
	assert_true(checked.missing == 1 && checked.damaged == 1 && checked.incomplete == 2);
	engine_close(s);
	temp_store_flip(second.volume, second.offset + PACK_BLOCK_HEADER + 60);
	s = b.store = temp_store_open(NULL);
	assert_int_equal(engine_scrub(s, &scrub_all, write_beside, &b, &checked, &err), 0);
	assert_true(checked.missing == 2 && checked.damaged == 2 && checked.incomplete == 1);
	assert_int_equal(engine_have(s, temp_store_domain, b.ids, 2, has, &err), 0);
	assert_true(has[0] && !has[1]);
	assert_int_equal(temp_store_put(s, "rots second", b.ids, &err), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	assert_int_equal(
		engine_scrub(s, &scrub_all, temp_store_no_problem, NULL, &checked, &err), 0);
	assert_true(checked.missing + checked.damaged + checked.incomplete == 0);
	engine_close(s);
}

/* The number of live volumes, and of those that were checked since a time. */
static int volumes_checked(struct engine *s, int64_t since, int *all)
{
	struct store_at at = {.len = 0};
	struct store_volume_row row;
	struct db_txn *txn;
	uint32_t number;
	int n = 0;

	*all = 0;
	assert_int_equal(db_begin(s->db, false, &txn, &err), 0);
	while (store_volume_next(txn, &at, &number, &row, &err) == 0) {
		*all += row.state == STORE_VOLUME_LIVE;
		n += row.state == STORE_VOLUME_LIVE && row.checked >= since;
	}
	db_abort(txn);
	return n;
}

/* Several volumes are compared with the index at once. */
static void scrub_group(void **state)
{
	struct engine *s = temp_store_open(NULL);
	struct engine_gc_result result;
	struct store_checked checked;
	struct store_place place[2];
	uint8_t ids[2][STORE_ID_LEN];
	const char *texts[2] = {"of one volume", "of another"};
	int i, all, n;

	(void)state;
	temp_store_put_garbage(s, '0');
	for (i = 0; i < 2; i++) {
		assert_int_equal(temp_store_put(s, texts[i], ids[i], &err), 0);
		temp_store_commit(s, ids[i], 1, (uint8_t)(90 + i));
		if (i == 0) /* moves it to a volume of its own */
			assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), 0);
	}
	for (i = 0; i < 2; i++)
		place[i] = temp_store_place(s, ids[i]);
	assert_int_not_equal(place[0].volume, place[1].volume);
	for (i = 0; i < 2; i++)
		temp_store_flip(place[i].volume, place[i].offset + PACK_BLOCK_HEADER + 60);
	assert_int_equal(engine_scrub(s, &scrub_all, temp_store_ignore, NULL, &checked, &err), 0);
	assert_true(checked.damaged == 2 && checked.missing == 2 && checked.incomplete == 2);
	n = volumes_checked(s, 1, &all);
	assert_true(all >= 2 && n == all);
	for (i = 0; i < 2; i++)
		assert_int_equal(temp_store_put(s, texts[i], ids[i], &err), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	assert_int_equal(
		engine_scrub(s, &scrub_all, temp_store_no_problem, NULL, &checked, &err), 0);
	engine_close(s);
}

/* A scrub for a limited time ends after a volume, and the next one continues with the others. */
static void scrub_for(void **state)
{
	struct engine_scrub_options o = {.mark = true, .rate = 6000, .for_sec = 1};
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	atomic_bool stop = true;
	int64_t since;
	int all, n = 0;

	(void)state;
	sleep(1); /* after the last second in which a volume was checked */
	since = engine_now();
	assert_int_equal(volumes_checked(s, since, &all), 0);
	assert_true(all >= 2);
	while (n < all) {
		assert_int_equal(
			engine_scrub(s, &o, temp_store_no_problem, NULL, &checked, &err), 0);
		assert_true((int)checked.left < all && !checked.stopped && checked.dumps > 0);
		n += all - (int)checked.left;
		assert_int_equal(volumes_checked(s, since, &all), n < all ? n : all);
	}
	o = (struct engine_scrub_options){.mark = true, .stop = &stop};
	assert_int_equal(engine_scrub(s, &o, temp_store_no_problem, NULL, &checked, &err), 0);
	assert_true((int)checked.left == all && checked.stopped && checked.dumps == 0);
	engine_close(s);
}

/* Simulates a large index: the next row takes long, and the scrub is stopped in the meantime. */
static atomic_bool *slow;
int __real_store_row_next(
	struct db_txn *txn, enum store_table table, struct store_at *at, void *row, struct err *e);
int __wrap_store_row_next(
	struct db_txn *txn, enum store_table table, struct store_at *at, void *row, struct err *e);

int __wrap_store_row_next(
	struct db_txn *txn, enum store_table table, struct store_at *at, void *row, struct err *e)
{
	if (slow != NULL && table == STORE_CHUNKS) {
		atomic_store(slow, true);
		usleep(200000);
	}
	return __real_store_row_next(txn, table, at, row, e);
}

/* A scrub that is stopped ends soon, even in the middle of the index. */
static void scrub_stops(void **state)
{
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	struct engine_stat stat;
	atomic_bool stop = false;
	struct engine_scrub_options o = {.mark = true, .stop = &stop};
	int64_t since;
	int all;

	(void)state;
	temp_store_put_garbage(s, 'a');
	temp_store_put_garbage(s, 'k');
	assert_int_equal(engine_flush(s, &err), 0);
	assert_int_equal(engine_stat(s, &stat, &err), 0);
	assert_true(stat.chunks > 20); /* 4 s */
	sleep(1);
	since = engine_now();
	slow = &stop;
	assert_int_equal(engine_scrub(s, &o, temp_store_no_problem, NULL, &checked, &err), 0);
	slow = NULL;
	assert_true(checked.stopped && engine_now() - since <= 2);
	assert_int_equal(volumes_checked(s, since, &all), 0);
	engine_close(s);
}

/* A volume is in the index before its file exists: that is not damage. */
static void scrub_new_volume(void **state)
{
	const struct store_volume_row row = {.state = STORE_VOLUME_LIVE};
	const struct engine_scrub_options o = {.mark = true};
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	struct db_txn *txn;

	(void)state;
	assert_int_equal(db_begin(s->db, true, &txn, &err), 0);
	assert_int_equal(store_row_put(txn, STORE_VOLUMES, &s->meta.volume, &row, &err), 0);
	assert_int_equal(db_commit(txn, &err), 0);
	assert_int_equal(engine_scrub(s, &o, temp_store_no_problem, NULL, &checked, &err), 0);
	assert_int_equal(checked.damaged, 0);
	engine_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scrub_beside),
		cmocka_unit_test(scrub_group),
		cmocka_unit_test(scrub_for),
		cmocka_unit_test(scrub_stops),
		cmocka_unit_test(scrub_new_volume),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
