/* Who may do what with a store over the network (cmd/store/service.c). */
#include "test/net/served.h"

#include <time.h>

#include "test/unit/unit.h"

static struct err err;

/* Another agent learns nothing about a dump, and can't put into a domain that it can't prove. */
static void test_strangers(void **state)
{
	struct served_client c;
	struct store_run r = served_run();
	uint8_t dump[STORE_DUMP_ID];
	struct buf record;
	bool has_base;
	int n = 0;

	(void)state;
	served_open(&c, "a2", STORE_WRITE);
	memset(dump, 1, sizeof dump);
	buf_init(&record, SIZE_MAX);
	assert_int_equal(
		store_dumps(c.store, &(struct store_filter){0}, served_count, &n, &err), 0);
	assert_int_equal(
		store_dumps(c.store, &(struct store_filter){.agent = "a1"}, served_count, &n, &err),
		0);
	assert_int_equal(n, 0);
	assert_int_equal(store_hold(c.store, dump, &record, NULL, &err), 1);
	assert_int_equal(
		store_get(c.store, served_domain.fingerprint, served_ids[0], &record, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(store_delete(c.store, dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	r.prove = NULL;
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	store_free(c.store);
	buf_fini(&record);
}

/* An operator lists, reads, and deletes. */
static void test_operator(void **state)
{
	struct served_client c;
	uint8_t dump[STORE_DUMP_ID];
	struct buf record;
	int n = 0;

	(void)state;
	served_open(&c, "o1", STORE_WRITE);
	memset(dump, 1, sizeof dump);
	buf_init(&record, SIZE_MAX);
	assert_int_equal(
		store_dumps(c.store, &(struct store_filter){0}, served_count, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
		store_get(c.store, served_domain.fingerprint, served_ids[0], &record, &err), 0);
	assert_int_equal(store_delete(c.store, dump, &err), 0);
	assert_int_equal(store_delete(c.store, dump, &err), 1);
	store_free(c.store);
	buf_fini(&record);
}

/* An agent locks its own dumps, up to the store's longest lock; an operator any dump, for any time.
 */
static void test_locks(void **state)
{
	const int64_t day = 86400, now = time(NULL);
	struct served_client c;
	struct store_run r = served_run();
	struct store_receipt receipt;
	uint8_t dump[STORE_DUMP_ID];
	struct buf record;
	bool has_base;

	(void)state;
	served_back_up(0, 2);
	memset(dump, 2, sizeof dump);
	served_open(&c, "a2", STORE_WRITE);
	assert_int_equal(store_lock(c.store, dump, now + day, &err), 1);
	store_free(c.store);
	served_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_lock(c.store, dump, now + 91 * day, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(store_lock(c.store, dump, now + 89 * day, &err), 0);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	served_dump(c.store, served_ids[0], 1, 3, now + 91 * day, &record);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	buf_fini(&record);
	store_free(c.store);
	served_open(&c, "o1", STORE_WRITE);
	assert_int_equal(store_delete(c.store, dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(store_lock(c.store, dump, now + 400 * day, &err), 0);
	store_free(c.store);
}

/* An agent learns its usage and quota, and how long it may lock; an operator does not. */
static void test_about(void **state)
{
	const struct engine_agent_quota quota = {"a1", UINT64_C(1) << 30};
	const struct engine_limits limits = {
		.quotas = &quota, .count = 1, .quota = ENGINE_QUOTA_NONE};
	struct store_about about;
	struct served_client c;

	(void)state;
	assert_int_equal(engine_limits_set(served.engine, &limits, &err), 0);
	served_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_about(c.store, &about, &err), 0);
	assert_true(about.has_quota);
	assert_int_equal(about.own_quota, UINT64_C(1) << 30);
	assert_in_range(about.own_used, 1, about.used);
	assert_int_equal(about.lock_max_sec, 90 * 86400);
	assert_true(about.free > 0 && about.size >= about.free);
	store_free(c.store);
	served_open(&c, "a2", STORE_WRITE);
	assert_int_equal(store_about(c.store, &about, &err), 0);
	assert_false(about.has_quota);
	store_free(c.store);
	served_open(&c, "o1", STORE_WRITE);
	assert_int_equal(store_about(c.store, &about, &err), 0);
	assert_true(!about.has_quota && about.lock_max_sec == 0 && about.used > 0);
	store_free(c.store);
}

/* Makes a store's receipt for a dump, dated so many seconds ago. */
static struct store_receipt receipt_of(
	const struct buf *record, const struct store_key *whose, int64_t ago)
{
	struct store_receipt receipt;
	struct store_dump d;

	assert_int_equal(store_dump_get(&d, record->data, record->len, &err), 0);
	assert_int_equal(store_receipt_make(&receipt, whose->uid, served_other_secret, &d,
				 record->data, record->len, time(NULL) - ago, &err),
		0);
	return receipt;
}

static void refused(struct store *s, const struct buf *record, const struct store_key *whose,
	int64_t ago, const char *why)
{
	struct store_receipt first = receipt_of(record, whose, ago), receipt;

	assert_int_equal(
		store_commit(s, record->data, record->len, &first, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	if (strstr(err.message, why) == NULL)
		fail_msg("%s", err.message);
}

/* A dump keeps the time of another store's receipt if that store is of the fleet and signed it, and
 * if it is for this dump and recent enough. After a refusal it can be committed at once without the
 * receipt. */
static void test_receipts(void **state)
{
	const int64_t day = 86400, now = time(NULL);
	struct store_key stranger = {.uid = "a stranger"};
	struct store_receipt first, receipt, again;
	struct store_run r = served_run();
	struct buf record, next;
	struct served_client c;
	bool has_base;

	(void)state;
	served_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	served_dump(c.store, served_ids[0], SERVED_CHUNKS, 4, 0, &record);
	served_dump(c.store, served_ids[0], SERVED_CHUNKS, 5, 0, &next);
	refused(c.store, &record, &stranger, day, "names that store");
	refused(c.store, &record, &served_other, 7 * day + 60, "too old");
	refused(c.store, &record, &served_other, -7200, "in the future");
	/* This store's own key is known too, but did not sign it. */
	memcpy(stranger.uid, store_uid(c.store), sizeof stranger.uid);
	refused(c.store, &record, &stranger, day, "not signed by the store's key");
	first = receipt_of(&next, &served_other, 7 * day - 60);
	assert_int_equal(/* another dump's */
		store_commit(c.store, record.data, record.len, &first, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(
		store_commit(c.store, next.data, next.len, &first, &receipt, NULL, &err), 0);
	assert_int_equal(receipt.time, first.time);

	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), 0);
	assert_true(receipt.time >= now);
	/* The time stays, whatever comes later. */
	first = receipt_of(&record, &served_other, day);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, &first, &again, NULL, &err), 0);
	assert_memory_equal(&receipt, &again, sizeof again);
	buf_fini(&record);
	buf_fini(&next);
	store_free(c.store);
}

static int setup(void **state)
{
	int ret = served_setup(state);

	if (ret == 0)
		served_back_up(0, 1);
	return ret;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_operator),
		cmocka_unit_test(test_receipts),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_about),
	};

	return cmocka_run_group_tests(tests, setup, served_teardown);
}
