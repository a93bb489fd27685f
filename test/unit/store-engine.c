/* A store in a directory: chunks are put, dumps committed and found again, also after a crash. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/buf.h"
#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

static struct err err;
static const uint8_t foreign[STORE_DOMAIN_LEN] = "another";

static void chunks(void **state)
{
	struct engine *s = temp_store_open(NULL);
	uint8_t id[STORE_ID_LEN], none[STORE_ID_LEN] = {1}, bad[200];
	struct buf out;
	size_t len;
	bool has;

	(void)state;
	buf_init(&out, STORE_RECORD_MAX);
	assert_int_equal(temp_store_put(s, "first", id, &err), 0);
	assert_int_equal(temp_store_put(s, "first", id, &err), 1);
	assert_int_equal(engine_have(s, temp_store_domain, id, 1, &has, &err), 0);
	assert_true(has);
	assert_int_equal(engine_have(s, foreign, id, 1, &has, &err), 0);
	assert_false(has); /* in another domain the id is unknown */
	assert_int_equal(engine_get(s, temp_store_domain, id, &out, &err), 0);
	assert_memory_equal(out.data + STORE_HEAD_OPEN, "first", 5);
	assert_int_equal(engine_get(s, temp_store_domain, none, &out, &err), 1);
	assert_int_equal(engine_get(s, foreign, id, &out, &err), 1);
	assert_int_equal(engine_flush(s, &err), 0);
	s = temp_store_open(s);
	assert_int_equal(engine_get(s, temp_store_domain, id, &out, &err), 0);
	assert_int_equal(temp_store_put(s, "first", id, &err), 1);
	len = temp_store_record("what", 4, bad);
	bad[len - 1] ^= 1;
	assert_int_equal(engine_put(s, "host", temp_store_domain, bad, len, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	buf_fini(&out);
	engine_close(s);
}

static void commits(void **state)
{
	struct engine *s = temp_store_open(NULL);
	uint8_t ids[3 * STORE_ID_LEN];
	struct store_receipt receipt, again;
	struct buf dump, missing, other;
	int before = temp_store_dumps(s);

	(void)state;
	buf_init(&missing, SIZE_MAX);
	assert_true(temp_store_put(s, "one", ids, &err) >= 0 &&
		    temp_store_put(s, "two", ids + STORE_ID_LEN, &err) >= 0);
	memset(ids + 2 * STORE_ID_LEN, 7, STORE_ID_LEN);
	temp_store_dump(s, ids, 3, 10, 0, &dump);
	assert_int_equal(
		engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, &missing, &err), 1);
	assert_int_equal(missing.len, STORE_ID_LEN);
	assert_memory_equal(missing.data, ids + 2 * STORE_ID_LEN, STORE_ID_LEN);
	assert_int_equal(temp_store_dumps(s), before);
	buf_fini(&dump);
	temp_store_dump(s, ids, 2, 11, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	/* The answer may have been lost: the same commit again succeeds. A different one is
	 * refused. */
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &again, NULL, &err), 0);
	assert_memory_equal(&again, &receipt, sizeof receipt);
	temp_store_dump(s, ids, 1, 11, 0, &other);
	assert_int_equal(
		engine_commit(s, other.data, other.len, STORE_NOW, &again, NULL, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	buf_fini(&other);
	s = temp_store_open(s);
	assert_int_equal(temp_store_dumps(s), before + 1);
	assert_int_equal(engine_delete(s, receipt.dump, &err), 0);
	assert_int_equal(engine_delete(s, receipt.dump, &err), 1);
	assert_int_equal(temp_store_dumps(s), before);
	assert_int_equal(
		engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS); /* ids are never used again */
	buf_fini(&dump);
	buf_fini(&missing);
	engine_close(s);
}

static void locks(void **state)
{
	struct engine *s = temp_store_open(NULL);
	struct store_receipt receipt;
	uint8_t id[STORE_ID_LEN];
	struct buf dump;

	(void)state;
	assert_true(temp_store_put(s, "one", id, &err) >= 0);
	temp_store_dump(s, id, 1, 20, INT64_MAX, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	assert_int_equal(engine_delete(s, receipt.dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	temp_store_commit(s, id, 1, 21);
	assert_int_equal(engine_lock(s, receipt.dump, INT64_MAX, &err), 0);
	s = temp_store_open(s);
	assert_int_equal(engine_delete(s, receipt.dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	engine_close(s);
}

/* Data that was put but not flushed is still in the volume: it is added to the index; torn data is
 * cut off. */
static void tails(void **state)
{
	struct engine *s = temp_store_open(NULL);
	uint8_t id[STORE_ID_LEN], second[STORE_ID_LEN];
	char volume[120];
	bool has;
	int fd;

	(void)state;
	assert_int_equal(temp_store_put(s, "in the tail", id, &err), 0);
	assert_int_equal(temp_store_put(s, "torn", second, &err), 0);
	engine_close(s);
	snprintf(volume, sizeof volume, "%s/volumes/00000001.vol", temp_store_path);
	fd = open(volume, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
	close(fd);
	s = temp_store_open(NULL);
	assert_int_equal(engine_have(s, temp_store_domain, id, 1, &has, &err), 0);
	assert_true(has);
	assert_int_equal(engine_have(s, temp_store_domain, second, 1, &has, &err), 0);
	assert_false(has);
	assert_int_equal(temp_store_put(s, "torn", second, &err), 0);
	s = temp_store_open(s);
	assert_int_equal(temp_store_put(s, "torn", second, &err), 1);
	engine_close(s);
}

/* Nothing is written after a failed write to the index. */
static void index_full(void **state)
{
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct engine *s = temp_store_open(NULL);
	struct rlimit small = none;
	uint8_t id[STORE_ID_LEN];
	int before = temp_store_dumps(s);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(temp_store_put(s, "before", id, &err), 0);
	small.rlim_cur = 4096; /* the volume was written; the index is beyond this */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(engine_flush(s, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(engine_flush(s, &err), -1);
	assert_int_equal(temp_store_put(s, "behind", id, &err), -1);
	s = temp_store_open(s);
	assert_int_equal(temp_store_put(s, "before", id, &err), 1);
	assert_int_equal(temp_store_dumps(s), before);
	engine_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks),
		cmocka_unit_test(commits),
		cmocka_unit_test(locks),
		cmocka_unit_test(tails),
		cmocka_unit_test(index_full),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
