/* A clock that was set: nothing is deleted until an operator confirms the clock. */
#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

static struct err err;

/* As if since the last write the clock had advanced by this much more than the machine's uptime, or
 * the machine had been booted again. */
static void set_clock(int64_t by, bool other_boot)
{
	struct store_meta meta;
	struct db_txn *txn;
	struct db *db = temp_store_index(&txn);

	assert_int_equal(store_meta_get(txn, &meta, &err), 0);
	meta.boot += other_boot;
	meta.uptime += by;
	assert_int_equal(store_meta_put(txn, &meta, &err), 0);
	temp_store_index_done(db, txn);
}

/* A clock that was set must not end locks: nothing is deleted until an operator confirms the clock.
 */
static void clocks(void **state)
{
	const int64_t day = 86400, steps[] = {2 * day, -2 * day};
	struct engine *s = temp_store_open(NULL);
	uint8_t id[STORE_ID_LEN], dump[STORE_DUMP_ID] = {0}, tag;
	size_t i;

	(void)state;
	assert_true(temp_store_put(s, "clock", id, &err) >= 0);
	for (tag = 60; tag < 66; tag++)
		temp_store_commit(s, id, 1, tag);
	engine_close(s);
	set_clock(day / 2, false);
	s = temp_store_open(NULL);
	assert_int_equal(engine_delete(s, (const uint8_t[STORE_DUMP_ID]){60}, &err), 0);
	for (i = 0; i < 2; i++) {
		engine_close(s);
		set_clock(steps[i], false);
		s = temp_store_open(NULL);
		if (i == 0) /* writing goes on, and does not hide the jump */
			temp_store_commit(s, id, 1, 66);
		dump[0] = (uint8_t)(61 + i);
		assert_int_equal(engine_delete(s, dump, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		engine_close(s);
		set_clock(0, true);
		s = temp_store_open(NULL);
		assert_int_equal(engine_delete(s, dump, &err), -1);
		assert_int_equal(engine_trust_clock(s, &err), 0);
		s = temp_store_open(s);
		assert_int_equal(engine_delete(s, dump, &err), 0);
	}
	engine_close(s);
	set_clock(100 * day, true); /* nothing is known about another boot */
	s = temp_store_open(NULL);
	assert_int_equal(engine_delete(s, (const uint8_t[STORE_DUMP_ID]){63}, &err), 0);
	engine_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
