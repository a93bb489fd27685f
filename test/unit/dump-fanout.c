/* The fan-out that writes a backup to several stores, some of them slow, silent, dead or dishonest;
 * and the catching up of stores that were left behind. */
#include "test/unit/copies.h"
#include "test/unit/unit.h"

static struct err err;

static void on_catch_up(void *ctx, size_t store, bool done)
{
	struct copies *f = ctx;

	f->caught_up |= (uint32_t)done << store;
}

static size_t catch_up(struct copies *f)
{
	return dump_fanout_catch_up(f->fanout, f->dump, on_catch_up, &f->stored);
}

/* Whether the n-th store has the dump, as it reports itself. */
static bool has_dump(struct copies *f, size_t n)
{
	return store_hold(f->stores[n], f->dump, NULL, NULL, &err) == 0;
}

/* All stores have everything, each chunk once, and have signed for it. */
static void all_well(void **state)
{
	struct copies f;
	struct store_dump dump;
	size_t i;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, COPIES_STORES);
	assert_int_equal(f.behind, 0);
	assert_int_equal(store_dump_get(&dump, f.record.data, f.record.len, &err), 0);
	for (i = 0; i < COPIES_STORES; i++) {
		const struct store_receipt *r = dump_fanout_receipt(f.fanout, i);

		assert_int_equal(fake_store_count(f.fake[i]), COPIES_CHUNKS + 1);
		assert_int_equal(f.fake[i]->puts, COPIES_CHUNKS + 1);
		assert_non_null(r);
		assert_int_equal(
			store_receipt_check(r, store_uid(f.stores[i]), store_public(f.stores[i]),
				&dump, f.record.data, f.record.len, &err),
			0);
	}
	/* A second run: nothing is sent. */
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.fake[0]->puts, COPIES_CHUNKS + 1);
	copies_fini(&f);
}

/* A store that is too slow delays the others by DUMP_SLOW_MS in all, if they are enough. */
static void slow(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, 2);
	f.fake[1]->slow = FAKE_FOR_EVER;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.behind, 1u << 1);
	assert_int_equal(f.acked, 2);
	assert_true(copies_clock_ms >= DUMP_SLOW_MS && copies_clock_ms < 2 * DUMP_SLOW_MS);
	assert_null(dump_fanout_receipt(f.fanout, 1));
	assert_int_equal(fake_store_count(f.fake[1]), 0);
	/* It accepts data again: it catches up. */
	f.fake[1]->slow = 0;
	assert_int_equal(catch_up(&f), 1);
	assert_int_equal(f.caught_up, 1u << 1);
	assert_non_null(dump_fanout_receipt(f.fanout, 1));
	assert_true(has_dump(&f, 1));
	copies_fini(&f);
}

/* A later copy gets the time of the first one, unless its store does not accept that: then it is
 * dated now. */
static void dates(void **state)
{
	const struct store_receipt *first, *later;
	struct copies f;
	int denies;

	(void)state;
	for (denies = 0; denies < 2; denies++) {
		copies_init(&f, &copies_sealed, 2);
		f.fake[1]->slow = FAKE_FOR_EVER;
		f.fake[1]->seq = 500; /* its clock follows that */
		f.fake[1]->denies_receipts = denies;
		assert_int_equal(copies_back_up(&f), 0);
		f.fake[1]->slow = 0;
		assert_int_equal(catch_up(&f), 1);
		first = dump_fanout_receipt(f.fanout, 0);
		later = dump_fanout_receipt(f.fanout, 1);
		assert_int_equal(later->time - first->time, denies ? 500 : 0);
		assert_memory_equal(later->store, store_uid(f.stores[1]), STORE_UID_LEN);
		copies_fini(&f);
	}
}

/* A store that is slow and needed is waited for; one that accepts nothing any more is not. */
static void slow_and_needed(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	f.fake[1]->slow = 100;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, COPIES_STORES);
	assert_true(copies_clock_ms > 10 * DUMP_SLOW_MS);
	copies_fini(&f);
	copies_init(&f, &copies_sealed, COPIES_STORES);
	f.fake[1]->slow = FAKE_FOR_EVER;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1u << 1);
	assert_true(copies_clock_ms >= DUMP_STALL_MS && copies_clock_ms < 2 * DUMP_STALL_MS);
	copies_fini(&f);
}

/* A store that fails in the middle; then two; then all. */
static void fails(void **state)
{
	struct copies f;
	uint8_t content[COPIES_LEN] = {0}, id[STORE_ID_LEN];

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	f.fake[0]->puts_left = 5;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1);
	assert_string_equal(f.why, "alpha: has died");
	assert_int_equal(fake_store_count(f.fake[0]), 5);
	/* Data that it had is not sent again. */
	f.fake[0]->puts_left = FAKE_FOR_EVER;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 0));
	assert_int_equal(f.fake[0]->puts, COPIES_CHUNKS + 1);
	copies_fini(&f);

	copies_init(&f, &copies_sealed, COPIES_STORES);
	f.fake[0]->puts_left = 5;
	f.fake[2]->puts_left = 7;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 1);
	assert_int_equal(f.behind, 5);
	copies_fini(&f);

	copies_init(&f, &copies_sealed, 1);
	f.fake[0]->puts_left = f.fake[1]->puts_left = f.fake[2]->puts_left = 0;
	copies_begin(&f);
	assert_int_equal(dump_domain_id(&copies_sealed, content, COPIES_LEN, id, &err), 0);
	assert_int_equal(copies_put(&f, false, content, COPIES_LEN, id), -1);
	assert_int_equal(f.err.code, ERR_CLOSED);
	assert_memory_equal(f.err.message, "no store is left: ", 18);
	assert_int_equal(catch_up(&f), 0); /* from nobody */
	copies_fini(&f);
}

/* An unanswered commit: DUMP_SLOW_MS if the others are enough, otherwise DUMP_STALL_MS. */
static void hangs(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, 2);
	f.fake[2]->hangs = true;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1u << 2);
	assert_true(copies_clock_ms < DUMP_SLOW_MS + 1000);
	f.fake[2]->hangs = false;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 2));
	copies_fini(&f);

	copies_init(&f, &copies_sealed, COPIES_STORES);
	f.fake[2]->hangs = true;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_true(copies_clock_ms >= DUMP_STALL_MS && copies_clock_ms < DUMP_STALL_MS + 1000);
	assert_string_equal(f.why, "it did not confirm the dump in time");
	copies_fini(&f);
}

/* "Not known" is an answer: chunks that are put again exist once. */
static void not_known(void **state)
{
	struct copies f;
	size_t i;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	for (i = 0; i < COPIES_STORES; i++)
		f.fake[i]->unknown = true;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, COPIES_STORES);
	assert_int_equal(f.fake[1]->puts, 2 * (COPIES_CHUNKS + 1));
	assert_int_equal(fake_store_count(f.fake[1]), COPIES_CHUNKS + 1);
	copies_fini(&f);
}

/* A receipt that is not signed with the store's own key does not count. */
static void foreign_receipt(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	f.fake[1]->foreign_receipts = true;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1u << 1);
	assert_null(dump_fanout_receipt(f.fanout, 1));
	assert_non_null(strstr(f.why, "not signed by the store's key"));
	assert_int_equal(catch_up(&f), 0);
	assert_null(dump_fanout_receipt(f.fanout, 1));
	copies_fini(&f);
}

/* A chunk that one store lacks and another has is copied from that one. */
static void one_lacks(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	assert_int_equal(copies_back_up(&f), 0);
	assert_true(fake_store_lose(f.fake[0], f.ids[3]));
	copies_begin(&f);
	copies_put_chunks(&f, COPIES_CHUNKS); /* everything is carried over */
	copies_put_list(&f);
	assert_int_equal(copies_commit(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(f.behind, 1);
	assert_int_equal(catch_up(&f), 1);
	assert_true(fake_store_has(f.fake[0], f.ids[3]));
	assert_non_null(dump_fanout_receipt(f.fanout, 0));
	copies_fini(&f);
}

/* A chunk that all stores lack is named; it is put, and then the commit succeeds. */
static void all_lack(void **state)
{
	struct copies f;
	uint8_t content[COPIES_LEN];
	size_t i;

	(void)state;
	copies_init(&f, &copies_sealed, COPIES_STORES);
	assert_int_equal(copies_back_up(&f), 0);
	for (i = 0; i < COPIES_STORES; i++)
		assert_true(fake_store_lose(f.fake[i], f.ids[3]));
	assert_true(fake_store_lose(f.fake[1], f.ids[7]));
	copies_begin(&f);
	copies_put_chunks(&f, COPIES_CHUNKS);
	copies_put_list(&f);
	assert_int_equal(copies_commit(&f), 1);
	assert_int_equal(f.acked, 0);
	assert_int_equal(f.missing.len, 4 * STORE_ID_LEN); /* as each store has named it */
	assert_memory_equal(f.missing.data, f.ids[3], STORE_ID_LEN);
	copies_begin(&f);
	copies_content(3, content);
	assert_int_equal(copies_put(&f, false, content, COPIES_LEN, f.ids[3]), 0);
	copies_content(7, content);
	assert_int_equal(copies_put(&f, false, content, COPIES_LEN, f.ids[7]), 0);
	assert_int_equal(copies_commit(&f), 0);
	assert_int_equal(f.acked, COPIES_STORES);
	assert_int_equal(f.behind, 0);
	copies_fini(&f);
}

/* It catches up from a store that is complete, although another one that has the dump is not. */
static void catches_up_from_whole(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, 2);
	f.fake[2]->puts_left = 1;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	f.fake[2]->puts_left = FAKE_FOR_EVER;
	f.fake[0]->gets_left = 4; /* then it dies */
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 2));
	assert_true(f.fake[1]->gets > 0);
	copies_fini(&f);
	/* No store is complete: that is reported, and nothing is committed. */
	copies_init(&f, &copies_sealed, 2);
	f.fake[2]->puts_left = 1;
	assert_int_equal(copies_back_up(&f), 0);
	f.fake[2]->puts_left = FAKE_FOR_EVER;
	assert_true(fake_store_lose(f.fake[0], f.ids[3]));
	assert_true(fake_store_lose(f.fake[1], f.ids[5]));
	assert_int_equal(catch_up(&f), 0);
	assert_false(has_dump(&f, 2));
	copies_fini(&f);
}

/* A store that could not be opened at first, and turns out to be one of the others. */
static void same_store(void **state)
{
	struct copies f;
	struct fake_store *twin;

	(void)state;
	copies_init(&f, &copies_sealed, 2);
	store_close(f.stores[2]);
	copies_fan_out(&f, COPIES_STORES);
	twin = f.fake[2];
	memcpy(twin->uid, f.fake[0]->uid, sizeof twin->uid);
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 2);
	assert_int_equal(catch_up(&f), 0);
	assert_string_equal(f.why, "is the same store as alpha");
	copies_fini(&f);
}

/* A store in which the run does not begin gets DUMP_SLOW_MS, if the others are enough. */
static void begins_late(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, 2);
	f.fake[0]->stuck = true;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.behind, 1);
	assert_string_equal(f.why, "it does not answer, and the others are enough");
	assert_int_equal(f.acked, 2);
	assert_true(copies_clock_ms >= DUMP_SLOW_MS && copies_clock_ms < DUMP_STALL_MS);
	f.fake[0]->stuck = false;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 0));
	copies_fini(&f);
}

/* Stores that are still being opened when the backup begins: one is open by its end, one is not. */
static void opens_late(void **state)
{
	struct copies f;
	size_t i;

	(void)state;
	copies_init(&f, &copies_sealed, 1);
	for (i = 1; i < COPIES_STORES; i++) {
		f.fake[i]->far = true;
		assert_int_equal(store_open_start(f.stores[i], STORE_WRITE, &err), 0);
		assert_int_equal(store_open_wait(f.stores[i], 0, &err), STORE_OPENING);
	}
	copies_fan_out(&f, 1);
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 1);
	f.fake[1]->far = false;
	assert_int_equal(catch_up(&f), 1);
	assert_int_equal(f.caught_up, 1u << 1);
	assert_true(has_dump(&f, 1));
	assert_false(store_is_open(f.stores[2]) || store_is_opening(f.stores[2]));
	assert_int_equal(f.behind, 0); /* whoever opened it has reported that */
	copies_fini(&f);
	/* A store that answers at the end, but can't be opened, is reported. */
	copies_init(&f, &copies_sealed, 1);
	f.fake[2]->far = true;
	assert_int_equal(store_open_start(f.stores[2], STORE_WRITE, &err), 0);
	copies_fan_out(&f, 1);
	assert_int_equal(copies_back_up(&f), 0);
	f.fake[2]->far = false;
	f.fake[2]->absent = true;
	assert_int_equal(catch_up(&f), 0);
	assert_int_equal(f.behind, 1u << 2);
	assert_string_equal(f.why, "gamma: not found");
	copies_fini(&f);
}

/* Several catch up at the same time; one that can't delays no other. */
static void catch_up_together(void **state)
{
	struct copies f;

	(void)state;
	copies_init(&f, &copies_sealed, 1);
	f.fake[0]->puts_left = f.fake[2]->puts_left = 3;
	assert_int_equal(copies_back_up(&f), 0);
	assert_int_equal(f.acked, 1);
	f.fake[0]->absent = true;
	f.fake[2]->puts_left = FAKE_FOR_EVER;
	assert_int_equal(catch_up(&f), 1);
	assert_int_equal(f.caught_up, 1u << 2);
	f.fake[0]->absent = false;
	f.fake[0]->puts_left = FAKE_FOR_EVER;
	copies_fini(&f);

	copies_init(&f, &copies_sealed, 1);
	f.fake[0]->puts_left = f.fake[2]->puts_left = 3;
	assert_int_equal(copies_back_up(&f), 0);
	f.fake[0]->puts_left = f.fake[2]->puts_left = FAKE_FOR_EVER;
	assert_int_equal(catch_up(&f), 2);
	assert_true(has_dump(&f, 0) && has_dump(&f, 2));
	assert_int_equal(fake_store_count(f.fake[0]), COPIES_CHUNKS + 1);
	copies_fini(&f);

	/* A store whose service was killed in the meantime, and which lacks some of the data it had
	 * accepted. */
	copies_init(&f, &copies_sealed, 1);
	f.fake[0]->puts_left = 3;
	assert_int_equal(copies_back_up(&f), 0);
	f.fake[0]->puts_left = FAKE_FOR_EVER;
	f.fake[0]->forgets = true;
	assert_int_equal(catch_up(&f), 1);
	assert_true(has_dump(&f, 0));
	copies_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_well),
		cmocka_unit_test(slow),
		cmocka_unit_test(dates),
		cmocka_unit_test(slow_and_needed),
		cmocka_unit_test(fails),
		cmocka_unit_test(hangs),
		cmocka_unit_test(not_known),
		cmocka_unit_test(foreign_receipt),
		cmocka_unit_test(one_lacks),
		cmocka_unit_test(all_lack),
		cmocka_unit_test(catches_up_from_whole),
		cmocka_unit_test(begins_late),
		cmocka_unit_test(opens_late),
		cmocka_unit_test(catch_up_together),
		cmocka_unit_test(same_store),
	};

	return cmocka_run_group_tests(tests, copies_setup, NULL);
}
