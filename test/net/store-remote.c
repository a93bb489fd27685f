/* The remote store (cmd/store/remote.c) with a service: data that is put comes back; a lost
 * connection, a service that restarts, a chunk that is damaged in the service's store. */
#include "test/net/served.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/le.h"
#include "lib/uptime.h"
#include "lib/zst.h"
#include "test/unit/unit.h"

static struct err err;

static void test_backup(void **state)
{
	struct served_client c;
	struct store_run r = served_run();
	struct store_receipt receipt, again;
	uint8_t bytes[SERVED_LEN];
	struct buf record, missing;
	uint64_t before, stored;
	bool has_base;
	size_t i;

	(void)state;
	served_open(&c, "a1", STORE_WRITE);
	if (store_begin(c.store, &r, &has_base, &err) != 0)
		fail_msg("%s", err.message);
	assert_false(has_base);
	for (i = 0; i < SERVED_CHUNKS - 1; i++) {
		served_content(i, bytes);
		served_put(c.store, bytes, SERVED_LEN, served_ids[i]);
	}
	/* A chunk is missing: the commit names it, and nothing has happened. */
	served_content(i, bytes);
	assert_int_equal(dump_domain_id(&served_domain, bytes, SERVED_LEN, served_ids[i], &err), 0);
	served_dump(c.store, served_ids[0], SERVED_CHUNKS, 1, 0, &record);
	buf_init(&missing, SIZE_MAX);
	if (store_commit(c.store, record.data, record.len, NULL, &receipt, &missing, &err) != 1)
		fail_msg("%s", err.message);
	assert_int_equal(missing.len, STORE_ID_LEN);
	assert_memory_equal(missing.data, served_ids[i], STORE_ID_LEN);
	served_put(c.store, bytes, SERVED_LEN, served_ids[i]);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err), 0);
	assert_int_equal(
		store_commit(c.store, record.data, record.len, NULL, &again, NULL, &err), 0);
	assert_memory_equal(&receipt, &again, sizeof again);
	/* Existing chunks are not stored again. */
	assert_int_equal(store_settle(c.store, &before, &err), 0);
	assert_true(before > SERVED_CHUNKS * (uint64_t)SERVED_LEN);
	served_put_all(c.store, 0);
	assert_int_equal(store_settle(c.store, &stored, &err), 0);
	assert_int_equal(stored, before);
	buf_fini(&record);
	buf_fini(&missing);
	store_free(c.store);
}

static void test_restore(void **state)
{
	struct served_client c;
	uint8_t dump[STORE_DUMP_ID], bytes[SERVED_LEN];
	struct zst *zst = zst_new(1, &err);
	struct dump_keys *keys = dump_keys_new(&served_key, 1, &err);
	struct store_entry entry;
	struct buf record, out, lacks;
	size_t i;
	int n = 0;

	(void)state;
	served_open(&c, "a1", STORE_READ);
	assert_int_equal(
		store_dumps(c.store, &(struct store_filter){0}, served_count, &n, &err), 0);
	assert_int_equal(n, 1);
	memset(dump, 1, sizeof dump);
	buf_init(&record, SIZE_MAX);
	buf_init(&out, SIZE_MAX);
	buf_init(&lacks, SIZE_MAX);
	assert_int_equal(store_hold(c.store, dump, &record, &entry, &err), 0);
	assert_memory_equal(entry.dump.domain, served_domain.fingerprint, STORE_DOMAIN_LEN);
	for (i = 0; i < SERVED_CHUNKS; i++) {
		if (i % 16 == 0)
			assert_int_equal(
				store_ahead(c.store, served_domain.fingerprint, served_ids[i],
					SERVED_CHUNKS - i < 16 ? SERVED_CHUNKS - i : 16, &lacks,
					&err),
				0);
		if (store_get(c.store, served_domain.fingerprint, served_ids[i], &record, &err) !=
			0)
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(dump_crypt_open(keys, zst, served_domain.fingerprint,
					 served_ids[i], record.data, record.len, &out, &err),
			0);
		served_content(i, bytes);
		assert_int_equal(out.len, SERVED_LEN);
		assert_memory_equal(out.data, bytes, SERVED_LEN);
	}
	memset(bytes, 9, STORE_ID_LEN);
	assert_int_equal(store_get(c.store, served_domain.fingerprint, bytes, &record, &err), 1);
	dump_keys_free(keys);
	zst_free(zst);
	buf_fini(&record);
	buf_fini(&out);
	buf_fini(&lacks);
	store_free(c.store);
}

/* The service ends in the middle of a run, and restarts: the run goes on. */
static void test_restart(void **state)
{
	struct served_client c;
	struct store_run r = served_run();
	struct store_receipt receipt;
	uint8_t bytes[SERVED_LEN];
	struct buf record;
	bool has_base;
	size_t i;

	(void)state;
	served_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	for (i = 0; i < SERVED_CHUNKS; i++) {
		served_content(1000 + i, bytes);
		served_put(c.store, bytes, SERVED_LEN, served_ids[i]);
		if (i == SERVED_CHUNKS / 2) {
			served_stop();
			served_start();
		}
	}
	served_dump(c.store, served_ids[0], SERVED_CHUNKS, 2, 0, &record);
	i = (size_t)store_commit(c.store, record.data, record.len, NULL, &receipt, NULL, &err);
	/* Chunks that the first service had not made durable are missing now, and are reported as
	 * missing. */
	if (i != 0 && i != 1)
		fail_msg("%s", err.message);
	if (i == 1) {
		served_put_all(c.store, 1000);
		buf_fini(&record);
		served_dump(c.store, served_ids[0], SERVED_CHUNKS, 2, 0, &record);
		i = (size_t)store_commit(
			c.store, record.data, record.len, NULL, &receipt, NULL, &err);
		assert_int_equal(i, 0);
	}
	buf_fini(&record);
	store_free(c.store);
}

static void note_wait(void *ctx, const char *text)
{
	assert_non_null(strstr(text, "waiting for store s1: "));
	++*(int *)ctx;
}

/* The service ends when only the commit is left to do: the user is told once, and the commit goes
 * on when the service is there again. */
static void test_commit_lost(void **state)
{
	struct served_client c;
	struct store_run r = served_run();
	struct store_access access = {
		.wait_sec = 5, .patience_ms = 8000, .net = &c.net, .dials = note_wait};
	struct store_receipt receipt;
	struct buf record;
	uint64_t stored;
	int64_t end;
	bool has_base;
	int told = 0, n = 0, ret = STORE_PENDING;

	(void)state;
	served_open(&c, "a1", STORE_WRITE);
	store_free(c.store);
	access.ctx = &told;
	c.store = store_new("s1", &access, &err);
	assert_int_equal(store_open(c.store, STORE_WRITE, &err), 0);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	served_put_all(c.store, 4000);
	served_dump(c.store, served_ids[0], SERVED_CHUNKS, 12, 0, &record);
	assert_int_equal(store_settle(c.store, &stored, &err), 0);
	assert_int_equal(store_commit_start(c.store, record.data, record.len, NULL, &err), 0);
	served_stop();
	end = uptime_ms() + 2 * STORE_TELL_MS;
	while (ret == STORE_PENDING && uptime_ms() < end)
		ret = store_commit_wait(c.store, STORE_TELL_MS, &receipt, NULL, &err);
	assert_int_equal(ret, STORE_PENDING);
	assert_int_equal(told, 1);
	served_start();
	ret = store_commit_wait(c.store, 10000, &receipt, NULL, &err);
	/* Chunks that were not durable yet are missing. */
	if (ret != STORE_COMMITTED && ret != STORE_MISSING)
		fail_msg("%d: %s", ret, err.message);
	/* The same for any other call. */
	served_stop();
	assert_int_equal(
		store_dumps(c.store, &(struct store_filter){0}, served_count, &n, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_int_equal(told, 2);
	served_start();
	buf_fini(&record);
	store_free(c.store);
}

/* Waits until a counter has reached a value. Returns whether it has. */
static bool becomes(atomic_int *what, int wanted, int ms)
{
	for (; atomic_load(what) < wanted && ms > 0; ms -= 5)
		usleep(5000);
	return atomic_load(what) >= wanted;
}

/* The service ends while a dump is read, and restarts: the reader renews its hold of the dump by
 * itself, gc waits for it even while it is disconnected, and everything that it had asked for
 * comes. */
static void test_restart_reading(void **state)
{
	struct served_client c, o;
	uint8_t dump[STORE_DUMP_ID];
	struct buf record, lacks;
	size_t i;
	int before;

	(void)state;
	memset(dump, 8, sizeof dump);
	served_back_up(2000, 8);
	served_open(&c, "o1", STORE_READ);
	buf_init(&record, STORE_RECORD_MAX);
	before = atomic_load(&served.holds);
	assert_int_equal(store_hold(c.store, dump, &record, NULL, &err), 0);
	assert_true(becomes(&served.holds, before + 1, 5000));
	/* It is deleted while it is read. */
	served_open(&o, "o1", STORE_WRITE);
	assert_int_equal(store_delete(o.store, dump, &err), 0);
	store_free(o.store);
	buf_init(&lacks, SIZE_MAX);
	for (i = 0; i < SERVED_CHUNKS; i++) {
		if (i % 16 == 0)
			assert_int_equal(
				store_ahead(c.store, served_domain.fingerprint, served_ids[i],
					SERVED_CHUNKS - i < 16 ? SERVED_CHUNKS - i : 16, &lacks,
					&err),
				0);
		if (i == SERVED_CHUNKS / 2) {
			served_stop();
			served_start();
			assert_true(becomes(&served.holds, before + 2, 10000));
			served.collected = false;
			served.collect = true;
			served_wake();
		}
		if (store_get(c.store, served_domain.fingerprint, served_ids[i], &record, &err) !=
			0)
			fail_msg("%zu: %s", i, err.message);
	}
	assert_false(served.collected);
	store_free(c.store); /* in order: gc begins at once */
	for (i = 0; i < 2000 && !served.collected; i++)
		usleep(5000);
	assert_true(served.collected);
	buf_fini(&record);
	buf_fini(&lacks);
}

/* The path of the volume that is being written. */
static void last_volume(char path[400])
{
	unsigned number = 64;

	do
		snprintf(path, 400, "%s/volumes/%08x.vol", served_path, number);
	while (access(path, F_OK) != 0 && --number > 0);
}

/* Changes a byte of the record with this id and content length; if there are several, of the last
 * one. */
static void damage(const uint8_t id[STORE_ID_LEN], uint32_t raw_len)
{
	char path[400];
	struct stat st;
	uint8_t *bytes, *at;
	int fd;

	last_volume(path);
	fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
	for (at = bytes + st.st_size - STORE_ID_LEN - 1;
		at > bytes + 4 &&
		(memcmp(at, id, STORE_ID_LEN) != 0 || le_get32(at - 4) != raw_len);
		at--)
		;
	assert_true(at > bytes + 4);
	at += STORE_ID_LEN;
	*at ^= 1;
	assert_int_equal(pwrite(fd, at, 1, at - bytes), 1);
	close(fd);
	free(bytes);
}

/* Commits a dump of one chunk. Returns the store's result, with the missing chunks. */
static int commit_one(
	struct store *s, const uint8_t id[STORE_ID_LEN], uint8_t first, struct buf *missing)
{
	struct store_receipt receipt;
	struct buf record;
	int ret;

	served_dump(s, id, 1, first, 0, &record);
	buf_clear(missing);
	ret = store_commit(s, record.data, record.len, NULL, &receipt, missing, &err);
	buf_fini(&record);
	return ret;
}

/* A chunk that is damaged in the volume is reported once, and from then on counts as missing: it is
 * accepted when it is put again. So is a piece of a dump's list, which a commit examines. */
static void test_damage(void **state)
{
	struct served_client c;
	struct store_run r = served_run();
	uint8_t bytes[SERVED_LEN], id[STORE_ID_LEN], list[STORE_ID_LEN];
	struct buf record, missing;
	bool has_base;

	(void)state;
	buf_init(&record, SIZE_MAX);
	buf_init(&missing, SIZE_MAX);
	served_open(&c, "a1", STORE_WRITE);
	assert_int_equal(store_begin(c.store, &r, &has_base, &err), 0);
	served_content(3000, bytes);
	served_put(c.store, bytes, SERVED_LEN, id);
	hash_sha256(id, sizeof id, list);
	assert_int_equal(commit_one(c.store, id, 6, &missing), 0);
	damage(list, STORE_ID_LEN);
	assert_int_equal(commit_one(c.store, id, 7, &missing), 1);
	assert_int_equal(missing.len, STORE_ID_LEN);
	assert_memory_equal(missing.data, list, STORE_ID_LEN);
	assert_int_equal(commit_one(c.store, id, 7, &missing), 0);

	assert_int_equal(store_get(c.store, served_domain.fingerprint, id, &record, &err), 0);
	damage(id, SERVED_LEN);
	assert_int_equal(store_get(c.store, served_domain.fingerprint, id, &record, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	assert_true(becomes(&served.damaged, 1, 5000));
	assert_int_equal(store_get(c.store, served_domain.fingerprint, id, &record, &err), 1);
	assert_int_equal(atomic_load(&served.damaged), 1);
	/* The next dump that carries it over: missing, put, there. */
	assert_int_equal(commit_one(c.store, id, 9, &missing), 1);
	assert_memory_equal(missing.data, id, STORE_ID_LEN);
	served_put(c.store, bytes, SERVED_LEN, id);
	assert_int_equal(commit_one(c.store, id, 9, &missing), 0);
	assert_int_equal(store_get(c.store, served_domain.fingerprint, id, &record, &err), 0);
	buf_fini(&record);
	buf_fini(&missing);
	store_free(c.store);
}

/* a1's puts and reads are counted when the service ends: at least each chunk once, and one dump. */
static void test_tally(void **state)
{
	(void)state;
	served_stop();
	served_start();
	assert_true(served.told.puts >= SERVED_CHUNKS && served.told.gets >= 1);
	assert_true(served.told.bytes_in >= (uint64_t)SERVED_CHUNKS * SERVED_LEN);
	assert_true(served.told.bytes_out > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backup),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_commit_lost),
		cmocka_unit_test(test_restart_reading),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_tally),
	};

	return cmocka_run_group_tests(tests, served_setup, served_teardown);
}
