/* An index that lacks rows, or is gone: that is noticed, and a rebuild restores everything in the
 * volumes. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "test/unit/temp_store.h"
#include "test/unit/unit.h"

static struct err err;
static const struct engine_scrub_options scrub_all = {.mark = true};

/* Removes a row from the index, as a damaged page of LMDB's would. */
static void lose(enum store_table table, const void *key, size_t len)
{
	struct db_txn *txn;
	struct db *db = temp_store_index(&txn);

	assert_int_equal(db_del(txn, table, (struct db_bytes){key, len}, &err), 0);
	temp_store_index_done(db, txn);
}

/* A file system that can't exchange two names (plain_fs), and gives a file that is removed another
 * name while it is open (keeps_files). The process ends before the step-th change; 0: never. */
static bool plain_fs, keeps_files;
static int step;

static void count_step(void)
{
	if (step > 0 && --step == 0)
		_exit(9);
}

int __real_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags);
int __wrap_renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	count_step();
	errno = EINVAL;
	return plain_fs ? -1 : __real_renameat2(from, a, to, b, flags);
}

int __real_rename(const char *a, const char *b);
int __wrap_rename(const char *a, const char *b);
int __wrap_rename(const char *a, const char *b)
{
	count_step();
	return __real_rename(a, b);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	char kept[120];

	count_step();
	snprintf(kept, sizeof kept, "%s.kept", path);
	return keeps_files ? __real_rename(path, kept) : __real_unlink(path);
}

int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __wrap_rmdir(const char *path)
{
	count_step();
	return __real_rmdir(path);
}

/* The files that were kept are closed, and so disappear. */
static void close_files(void)
{
	static const char *const names[] = {"index/data.mdb", "index/lock.mdb",
		"index.old/data.mdb", "index.old/lock.mdb", "index.new/data.mdb",
		"index.new/lock.mdb"};
	char kept[120];
	size_t i;

	keeps_files = false;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(kept, sizeof kept, "%s/%s.kept", temp_store_path, names[i]);
		__real_unlink(kept);
	}
}

static int count_dump(void *ctx, const struct store_entry *e, struct err *e2)
{
	(void)e2;
	if (!e->damaged)
		++*(int *)ctx;
	return 0;
}

/* An index that lacks rows must not turn needed blocks into garbage. */
static void lost_rows(void **state)
{
	struct engine *s = temp_store_open(NULL);
	const uint8_t first[STORE_DUMP_ID] = {30};
	uint8_t id[STORE_ID_LEN], key[STORE_INDEX_KEY];
	struct store_checked checked;
	struct engine_gc_result result;
	int n, before = temp_store_dumps(s);

	(void)state;
	assert_true(temp_store_put(s, "needed", id, &err) >= 0);
	temp_store_commit(s, id, 1, 30);
	temp_store_commit(s, id, 1, 31);
	temp_store_put_garbage(s, 'a');
	engine_close(s);
	store_chunk_key(1, id, key);
	lose(STORE_CHUNKS, key, sizeof key);
	s = temp_store_open(NULL);
	assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	engine_close(s);
	lose(STORE_DUMPS, first, sizeof first);
	s = temp_store_open(NULL);
	n = 0;
	assert_int_equal(engine_dumps(s, &(struct store_filter){0}, count_dump, &n, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), -1);
	engine_close(s);
	temp_store_rebuild(temp_store_no_problem, &checked);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_dumps(s), before + 2);
	assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), 0);
	assert_int_equal(temp_store_dumps(s), before + 2);
	engine_close(s);
}

/* Lost rows of deletions and volumes are noticed too; an index without a sum gets one. */
static void lost_kept(void **state)
{
	const uint8_t id[STORE_DUMP_ID] = {31};
	uint8_t volume[4] = {0}, chunk[STORE_ID_LEN];
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	int i, n, before;

	(void)state;
	assert_int_equal(engine_delete(s, id, &err), 0);
	assert_true(temp_store_put(s, "a chunk more", chunk, &err) >= 0);
	assert_int_equal(engine_flush(s, &err), 0);
	before = temp_store_dumps(s);
	volume[3] = (uint8_t)temp_store_place(s, chunk).volume;
	engine_close(s);
	lose(STORE_META, "rows", 4);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_dumps(s), before);
	assert_true(temp_store_put(s, "a chunk that begins it", chunk, &err) >= 0);
	assert_int_equal(engine_flush(s, &err), 0);
	engine_close(s);
	for (i = 0; i < 2; i++) {
		if (i == 0)
			lose(STORE_DELETED, id, sizeof id);
		else
			lose(STORE_VOLUMES, volume, sizeof volume);
		s = temp_store_open(NULL);
		n = 0;
		assert_int_equal(
			engine_dumps(s, &(struct store_filter){0}, count_dump, &n, &err), -1);
		assert_int_equal(err.code, ERR_DAMAGE);
		assert_int_equal(
			engine_scrub(s, &scrub_all, temp_store_no_problem, NULL, &checked, &err),
			-1);
		assert_int_equal(err.code, ERR_DAMAGE);
		engine_close(s);
		temp_store_rebuild(temp_store_no_problem, &checked);
		s = temp_store_open(NULL);
		assert_int_equal(temp_store_dumps(s), before);
		engine_close(s);
	}
}

/* Hides a dump from lookups in the index, although its sum is right, as a damaged tree may. */
static void hide(const uint8_t *id)
{
	const struct pack_block block = {
		.kind = STORE_BLOCK_DELETE, .seq = 1, .stored_len = STORE_DUMP_ID + 8};
	uint8_t payload[STORE_DUMP_ID + 8] = {0};
	struct store_meta meta;
	struct db_txn *txn;
	struct db *db;

	memcpy(payload, id, STORE_DUMP_ID);
	db = temp_store_index(&txn);
	assert_int_equal(store_meta_get(txn, &meta, &err), 0);
	assert_int_equal(store_index_absorb(txn, &meta, 1, 0, &block, payload, &err), 0);
	temp_store_index_done(db, txn);
	lose(STORE_DELETED, id, STORE_DUMP_ID);
	lose(STORE_META, "rows", 4); /* is rebuilt */
}

/* A dump's block that the index does not find, and that was not deleted, is not garbage. */
static void hidden_dump(void **state)
{
	const uint8_t dump[STORE_DUMP_ID] = {35};
	struct engine *s = temp_store_open(NULL);
	uint8_t id[STORE_ID_LEN];
	struct engine_gc_result result;
	struct store_checked checked;
	int before = temp_store_dumps(s);
	struct buf out;

	(void)state;
	assert_int_equal(temp_store_put(s, "of a hidden dump", id, &err), 0);
	temp_store_commit(s, id, 1, 35);
	temp_store_put_garbage(s, 'k');
	engine_close(s);
	hide(dump);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_dumps(s), before);
	assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	engine_close(s);
	temp_store_rebuild(temp_store_no_problem, &checked);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_dumps(s), before + 1);
	assert_int_equal(engine_gc(s, &temp_store_gc_all, &result, &err), 0);
	assert_int_equal(
		engine_scrub(s, &scrub_all, temp_store_no_problem, NULL, &checked, &err), 0);
	assert_int_equal(checked.dumps, before + 1);
	buf_init(&out, STORE_RECORD_MAX);
	assert_int_equal(engine_get(s, temp_store_domain, id, &out, &err), 0);
	buf_fini(&out);
	engine_close(s);
}

/* An index that is gone, or was created by whoever opened it, is not mistaken for an empty store's.
 */
static void lost_index(void **state)
{
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	char index[120];
	int before = temp_store_dumps(s), i;

	(void)state;
	engine_close(s);
	snprintf(index, sizeof index, "%s/index/data.mdb", temp_store_path);
	for (i = 0; i < 4; i++) {
		if (i < 2) /* it is empty, or missing */
			assert_int_equal(i == 0 ? truncate(index, 0) : unlink(index), 0);
		assert_null(engine_open(temp_store_path, i == 2 ? ENGINE_WRITE : ENGINE_READ,
			&temp_store_wait, &err));
		assert_int_equal(err.code, ERR_DAMAGE);
	}
	temp_store_rebuild(temp_store_no_problem, &checked);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_dumps(s), before);
	/* A process can open it only once. */
	assert_null(engine_open(temp_store_path, ENGINE_READ, &temp_store_wait, &err));
	assert_int_equal(err.code, ERR_BUSY);
	engine_close(s);
}

/* Ends a rebuild before its first change of a name, then before the second, ... Each time the store
 * is usable or says what to do, and the next rebuild has everything, also what is lost. */
static void swap_crash(void **state)
{
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	int before = temp_store_dumps(s), status = 9, i;

	(void)state;
	engine_close(s);
	plain_fs = true;
	for (i = 1; status == 9; i++) {
		pid_t child = fork();

		if (child == 0) {
			step = i;
			temp_store_rebuild(temp_store_no_problem, &checked);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		status = WEXITSTATUS(status);
		s = engine_open(temp_store_path, ENGINE_READ, &temp_store_wait, &err);
		if (s == NULL) {
			assert_int_equal(err.code, ERR_DAMAGE);
			assert_non_null(strstr(err.message, "fdump store rebuild"));
			assert_null(
				engine_open(temp_store_path, ENGINE_WRITE, &temp_store_wait, &err));
			assert_int_equal(err.code, ERR_DAMAGE);
			temp_store_rebuild(temp_store_no_problem, &checked);
			s = temp_store_open(NULL);
		}
		assert_int_equal(temp_store_dumps(s), before);
		engine_close(s);
	}
	assert_int_equal(status, 0);
	assert_true(i > 4);
	plain_fs = false;
}

/* A reader that has the index open goes on while it is replaced, even if the file system then keeps
 * the old files. */
static void swap_read(void **state)
{
	struct engine *s = temp_store_open(NULL), *reader;
	struct store_checked checked;
	int before = temp_store_dumps(s);
	char old[120];

	(void)state;
	engine_close(s);
	for (plain_fs = true;; plain_fs = false) {
		reader = engine_open(temp_store_path, ENGINE_READ, &temp_store_wait, &err);
		assert_non_null(reader);
		keeps_files = true;
		temp_store_rebuild(temp_store_no_problem, &checked);
		assert_int_equal(temp_store_dumps(reader), before);
		engine_close(reader);
		close_files();
		temp_store_rebuild(temp_store_no_problem, &checked);
		s = temp_store_open(NULL);
		assert_int_equal(temp_store_dumps(s), before);
		engine_close(s);
		if (!plain_fs)
			break;
	}
	snprintf(old, sizeof old, "%s/index.old", temp_store_path);
	assert_int_equal(access(old, F_OK), -1);
	snprintf(old, sizeof old, "%s/index.new", temp_store_path);
	assert_int_equal(access(old, F_OK), -1);
}

/* A block that is cut off at the end of a volume, with a rebuilt index: later data would be within
 * the range that the block's header claims. */
static void torn_rebuilt(void **state)
{
	char text[801], file[200];
	uint8_t id[STORE_ID_LEN];
	struct engine *s = temp_store_open(NULL);
	struct store_checked checked;
	struct store_place torn;

	(void)state;
	memset(text, 't', 800);
	text[800] = 0;
	assert_int_equal(temp_store_put(s, text, id, &err), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	torn = temp_store_place(s, id);
	engine_close(s);
	snprintf(file, sizeof file, "%s/volumes/%08x.vol", temp_store_path, torn.volume);
	assert_int_equal(truncate(file, torn.offset + 100), 0);
	temp_store_rebuild(temp_store_ignore, &checked);
	assert_true(checked.damaged > 0);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_put(s, "written behind", id, &err), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	engine_close(s);
	temp_store_rebuild(temp_store_ignore, &checked);
	s = temp_store_open(NULL);
	assert_int_equal(temp_store_put(s, "written behind", id, &err), 1);
	engine_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost_rows),
		cmocka_unit_test(lost_kept),
		cmocka_unit_test(hidden_dump),
		cmocka_unit_test(lost_index),
		cmocka_unit_test(swap_crash),
		cmocka_unit_test(swap_read),
		cmocka_unit_test(torn_rebuilt),
	};

	return cmocka_run_group_tests(tests, temp_store_setup, temp_store_teardown);
}
