/* Goal: a directory as a store can be closed while records wait and one is being put, and then be
 * opened again; later puts are there. */
#include "cmd/store/store.h"

#include <string.h>

#include "cmd/store/parcel.h"
#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

#define RECORDS 200
#define CONTENT 20000

static struct err err;

static void put(struct store *store, unsigned round, unsigned number)
{
	static uint8_t content[CONTENT], record[CONTENT + 100];
	struct store_parcel *parcel;
	size_t len;

	memcpy(content, &round, sizeof round);
	memcpy(content + sizeof round, &number, sizeof number);
	len = temp_store_record(content, sizeof content, record);
	parcel = store_parcel_new(record, len, &err);
	assert_non_null(parcel);
	assert_int_equal(store_put(store, parcel, 10000, &err), STORE_TAKEN);
	store_parcel_unref(parcel);
}

static void closed_while_it_writes(void **unused)
{
	static const struct store_access access = {
		.wait_sec = STORE_LOCK_SEC, .patience_ms = 60000};
	const struct store_run run = {
		.agent = "host", .name = "backup", .domain = temp_store_domain};
	struct store *store = store_new_directory(temp_store_path, &access, &err);
	uint64_t stored;
	unsigned round, i;
	bool has_base;

	(void)unused;
	assert_non_null(store);
	for (round = 0; round < 20; round++) {
		assert_int_equal(store_open(store, STORE_WRITE, &err), 0);
		assert_int_equal(store_begin(store, &run, &has_base, &err), 0);
		for (i = 0; i < RECORDS / 20 * round + 1; i++)
			put(store, round, i);
		store_close(store);
	}
	assert_int_equal(store_open(store, STORE_WRITE, &err), 0);
	assert_int_equal(store_begin(store, &run, &has_base, &err), 0);
	for (i = 0; i < RECORDS; i++)
		put(store, round, i);
	assert_int_equal(store_settle(store, &stored, &err), 0);
	assert_in_range(stored, (uint64_t)RECORDS * CONTENT, UINT64_MAX);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closed_while_it_writes),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
