/* A store in a directory: chunks in, dumps committed, found again, also after a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/store/care.h"
#include "cmd/store/state.h"
#include "cmd/store/index.h"
#include "cmd/store/engine.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

static const struct engine_wait no_wait = {.sec = STORE_LOCK_SEC};

static struct err err;
static const struct engine_scrub_options scrub_all = {.mark = true};
static char folder[64], path[80];
static const uint8_t domain[STORE_DOMAIN_LEN] = "a domain", foreign[STORE_DOMAIN_LEN] = "another";

static void ask_old(void *ctx, const char *store, struct buf *old)
{
	(void)ctx;
	engine_old(store, old);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fdump-store-XXXXXX");
	if (mkdtemp(folder) == NULL || hash_crypto_init(&err) != 0)
		return -1;
	snprintf(path, sizeof path, "%s/store", folder);
	return engine_make(path, 0, &err);
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static struct engine *reopen(struct engine *s)
{
	engine_close(s);
	s = engine_open(path, ENGINE_WRITE, &no_wait, &err);
	if (s == NULL)
		fail_msg("%s", err.message);
	return s;
}

/* An open record of a text. */
static size_t record(const void *text, size_t len, uint8_t *out)
{
	uint8_t id[HASH_LEN];
	struct store_record r = {.raw_len = (uint32_t)len, .id = id};
	size_t head;

	hash_sha256(text, len, id);
	head = store_record_put(&r, out);
	memcpy(out + head, text, len);
	return head + len;
}

static int put(struct engine *s, const char *text, uint8_t id[STORE_ID_LEN])
{
	uint8_t bytes[1000];
	size_t len = record(text, strlen(text), bytes);

	memcpy(id, bytes + 8, STORE_ID_LEN);
	return engine_put(s, "host", domain, bytes, len, &err);
}

/* The record of a dump of these chunks; its list is put. */
static void dump_of(struct engine *s, const uint8_t *ids, size_t count, uint8_t tag, int64_t lock,
	struct buf *out)
{
	uint8_t list[10 * STORE_ID_LEN], bytes[1000];
	uint8_t id[STORE_DUMP_ID] = {tag};
	struct store_dump d = {.id = id,
		.agent = "host",
		.agent_len = 4,
		.name = "backup",
		.name_len = 6,
		.domain = domain,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.chunks = count,
		.list_count = 1,
		.lists = bytes + 8,
		.lock = lock};
	size_t len;

	memcpy(list, ids, count * STORE_ID_LEN);
	len = record(list, count * STORE_ID_LEN, bytes);
	assert_true(engine_put(s, "host", domain, bytes, len, &err) >= 0);
	buf_init(out, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, out, &err), 0);
}

static int count_dump(void *ctx, const struct store_entry *e, struct err *e2)
{
	(void)e2;
	if (!e->damaged)
		++*(int *)ctx;
	return 0;
}

static int dumps(struct engine *s)
{
	int n = 0;

	assert_int_equal(engine_dumps(s, &(struct store_filter){0}, count_dump, &n, &err), 0);
	return n;
}

static void chunks(void **state)
{
	struct engine *s = reopen(NULL);
	uint8_t id[STORE_ID_LEN], none[STORE_ID_LEN] = {1}, bad[200];
	struct buf out;
	size_t len;
	bool has;

	(void)state;
	buf_init(&out, STORE_RECORD_MAX);
	assert_int_equal(put(s, "first", id), 0);
	assert_int_equal(put(s, "first", id), 1);
	assert_int_equal(engine_have(s, domain, id, 1, &has, &err), 0);
	assert_true(has);
	assert_int_equal(engine_have(s, foreign, id, 1, &has, &err), 0);
	assert_false(has); /* an id is nothing in another domain */
	assert_int_equal(engine_get(s, domain, id, &out, &err), 0);
	assert_memory_equal(out.data + STORE_HEAD_OPEN, "first", 5);
	assert_int_equal(engine_get(s, domain, none, &out, &err), 1);
	assert_int_equal(engine_get(s, foreign, id, &out, &err), 1);
	assert_int_equal(engine_flush(s, &err), 0);
	s = reopen(s);
	assert_int_equal(engine_get(s, domain, id, &out, &err), 0);
	assert_int_equal(put(s, "first", id), 1);
	len = record("what", 4, bad);
	bad[len - 1] ^= 1;
	assert_int_equal(engine_put(s, "host", domain, bad, len, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	buf_fini(&out);
	engine_close(s);
}

static void commits(void **state)
{
	struct engine *s = reopen(NULL);
	uint8_t ids[3 * STORE_ID_LEN];
	struct store_receipt receipt, again;
	struct buf dump, missing, other;
	int before = dumps(s);

	(void)state;
	buf_init(&missing, SIZE_MAX);
	assert_true(put(s, "one", ids) >= 0 && put(s, "two", ids + STORE_ID_LEN) >= 0);
	memset(ids + 2 * STORE_ID_LEN, 7, STORE_ID_LEN);
	dump_of(s, ids, 3, 10, 0, &dump);
	assert_int_equal(
		engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, &missing, &err), 1);
	assert_int_equal(missing.len, STORE_ID_LEN);
	assert_memory_equal(missing.data, ids + 2 * STORE_ID_LEN, STORE_ID_LEN);
	assert_int_equal(dumps(s), before);
	buf_fini(&dump);
	dump_of(s, ids, 2, 11, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	/* The answer may have been lost: the same again is the same. Another one is refused. */
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &again, NULL, &err), 0);
	assert_memory_equal(&again, &receipt, sizeof receipt);
	dump_of(s, ids, 1, 11, 0, &other);
	assert_int_equal(
		engine_commit(s, other.data, other.len, STORE_NOW, &again, NULL, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	buf_fini(&other);
	s = reopen(s);
	assert_int_equal(dumps(s), before + 1);
	assert_int_equal(engine_delete(s, receipt.dump, &err), 0);
	assert_int_equal(engine_delete(s, receipt.dump, &err), 1);
	assert_int_equal(dumps(s), before);
	assert_int_equal(
		engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS); /* ids are never used again */
	buf_fini(&dump);
	buf_fini(&missing);
	engine_close(s);
}

static void locks(void **state)
{
	struct engine *s = reopen(NULL);
	struct store_receipt receipt;
	uint8_t id[STORE_ID_LEN];
	struct buf dump;

	(void)state;
	assert_true(put(s, "one", id) >= 0);
	dump_of(s, id, 1, 20, INT64_MAX, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	assert_int_equal(engine_delete(s, receipt.dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	dump_of(s, id, 1, 21, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	assert_int_equal(engine_lock(s, receipt.dump, INT64_MAX, &err), 0);
	s = reopen(s);
	assert_int_equal(engine_delete(s, receipt.dump, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	engine_close(s);
}

/* As if since the last write the clock had gone on by so much more than the machine ran, or ran in
 * another boot. */
static void set_clock(int64_t by, bool other_boot)
{
	struct store_meta meta;
	struct db_txn *txn;
	char index[100];
	struct db *db;

	snprintf(index, sizeof index, "%s/index", path);
	db = store_index_open(index, true, &err);
	assert_non_null(db);
	assert_int_equal(db_begin(db, true, &txn, &err), 0);
	assert_int_equal(store_meta_get(txn, &meta, &err), 0);
	meta.boot += other_boot;
	meta.uptime += by;
	assert_int_equal(store_meta_put(txn, &meta, &err), 0);
	assert_int_equal(db_commit(txn, &err), 0);
	db_close(db);
}

/* A clock that was set must not end locks: nothing is deleted until somebody says that it is right.
 */
static void clocks(void **state)
{
	const int64_t day = 86400, steps[] = {2 * day, -2 * day};
	struct engine *s = reopen(NULL);
	struct store_receipt receipt;
	uint8_t id[STORE_ID_LEN];
	struct buf dump;
	uint8_t tag;
	size_t i;

	(void)state;
	assert_true(put(s, "clock", id) >= 0);
	for (tag = 60; tag < 66; tag++) {
		dump_of(s, id, 1, tag, 0, &dump);
		assert_int_equal(
			engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
		buf_fini(&dump);
	}
	engine_close(s);
	set_clock(day / 2, false);
	s = reopen(NULL);
	assert_int_equal(engine_delete(s, (const uint8_t[STORE_DUMP_ID]){60}, &err), 0);
	for (i = 0; i < 2; i++) {
		engine_close(s);
		set_clock(steps[i], false);
		s = reopen(NULL);
		if (i == 0) { /* what is written goes on, and does not make it forgotten */
			dump_of(s, id, 1, 66, 0, &dump);
			assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt,
						 NULL, &err),
				0);
			buf_fini(&dump);
		}
		receipt.dump[0] = (uint8_t)(61 + i);
		assert_int_equal(engine_delete(s, receipt.dump, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		engine_close(s);
		set_clock(0, true);
		s = reopen(NULL);
		assert_int_equal(engine_delete(s, receipt.dump, &err), -1);
		assert_int_equal(engine_trust_clock(s, &err), 0);
		s = reopen(s);
		assert_int_equal(engine_delete(s, receipt.dump, &err), 0);
	}
	engine_close(s);
	set_clock(100 * day, true); /* of another boot nothing is known */
	s = reopen(NULL);
	assert_int_equal(engine_delete(s, (const uint8_t[STORE_DUMP_ID]){63}, &err), 0);
	engine_close(s);
}

/* A quota holds for its agent, at put and at commit, in this opening and the next. */
static void quotas(void **state)
{
	struct engine *s = reopen(NULL);
	struct store_receipt receipt;
	uint8_t id[STORE_ID_LEN], bytes[100];
	struct buf dump;
	size_t len = record("of another", 10, bytes);
	int round;

	(void)state;
	assert_true(put(s, "quota", id) >= 0);
	dump_of(s, id, 1, 80, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	assert_int_equal(engine_quota_set(s, "host", 10, &err), 0);
	for (round = 0; round < 2; round++) {
		assert_int_equal(put(s, "more", id), -1);
		assert_int_equal(err.code, ERR_NOSPACE);
		assert_int_equal(put(s, "quota", id), 1);
		dump_of(s, id, 1, 81, 0, &dump);
		assert_int_equal(
			engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), -1);
		assert_int_equal(err.code, ERR_NOSPACE);
		buf_fini(&dump);
		assert_int_equal(engine_put(s, "guest", domain, bytes, len, &err), round);
		s = reopen(s);
	}
	assert_int_equal(engine_quota_set(s, "host", ENGINE_QUOTA_NONE, &err), 0);
	assert_int_equal(put(s, "more", id), 0);
	engine_close(s);
}

/* What was put and not flushed is in the volume all the same: it is taken up; what
 * is torn is cut off. */
static void tails(void **state)
{
	struct engine *s = reopen(NULL);
	uint8_t id[STORE_ID_LEN], second[STORE_ID_LEN];
	char volume[120];
	bool has;
	int fd;

	(void)state;
	assert_int_equal(put(s, "in the tail", id), 0);
	assert_int_equal(put(s, "torn", second), 0);
	engine_close(s);
	snprintf(volume, sizeof volume, "%s/volumes/00000001.vol", path);
	fd = open(volume, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
	close(fd);
	s = reopen(NULL);
	assert_int_equal(engine_have(s, domain, id, 1, &has, &err), 0);
	assert_true(has);
	assert_int_equal(engine_have(s, domain, second, 1, &has, &err), 0);
	assert_false(has);
	assert_int_equal(put(s, "torn", second), 0);
	s = reopen(s);
	assert_int_equal(put(s, "torn", second), 1);
	engine_close(s);
}

/* Removes a row from the index, as a damaged page of LMDB's would. */
static void lose(enum store_table table, const void *key, size_t len)
{
	char index[100];
	struct db_txn *txn;
	struct db *db;

	snprintf(index, sizeof index, "%s/index", path);
	db = store_index_open(index, true, &err);
	assert_non_null(db);
	assert_int_equal(db_begin(db, true, &txn, &err), 0);
	assert_int_equal(db_del(txn, table, (struct db_bytes){key, len}, &err), 0);
	assert_int_equal(db_commit(txn, &err), 0);
	db_close(db);
}

static void no_problem(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	(void)dump;
	fail_msg("%s", what);
}

static void ignore(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	(void)dump;
	(void)what;
}

/* An index that is gone, or made anew by whoever opened it, is not taken for an empty store's. */
static void lost_index(void **state)
{
	struct engine *s = reopen(NULL);
	struct store_checked checked;
	char index[120];
	int before = dumps(s), i;

	(void)state;
	engine_close(s);
	snprintf(index, sizeof index, "%s/index/data.mdb", path);
	assert_int_equal(unlink(index), 0);
	for (i = 0; i < 4; i++) {
		assert_null(engine_open(path, i % 2 ? ENGINE_WRITE : ENGINE_READ, &no_wait, &err));
		assert_int_equal(err.code, ERR_DAMAGE);
	}
	assert_int_equal(
		engine_rebuild(path, &no_wait, ask_old, no_problem, NULL, &checked, &err), 0);
	s = reopen(NULL);
	assert_int_equal(dumps(s), before);
	/* And is open once in a process. */
	assert_null(engine_open(path, ENGINE_READ, &no_wait, &err));
	assert_int_equal(err.code, ERR_BUSY);
	engine_close(s);
}

/* An index that lacks rows must not make garbage of what is needed. */
static void lost_rows(void **state)
{
	const struct engine_gc_options all = {.keep_percent = 100};
	struct engine *s = reopen(NULL);
	uint8_t id[STORE_ID_LEN], key[STORE_INDEX_KEY], other[STORE_ID_LEN];
	struct store_receipt receipt, second;
	struct store_checked checked;
	struct engine_gc_result result;
	char text[901] = {0};
	struct buf dump;
	int n, i, before = dumps(s);

	(void)state;
	assert_true(put(s, "needed", id) >= 0);
	dump_of(s, id, 1, 30, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	dump_of(s, id, 1, 31, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &second, NULL, &err), 0);
	buf_fini(&dump);
	for (i = 0; i < 10; i++) { /* a volume is worth it from 4 KiB on */
		memset(text, 'a' + i, sizeof text - 1);
		assert_true(put(s, text, other) >= 0);
	}
	engine_close(s);
	store_chunk_key(1, id, key);
	lose(STORE_CHUNKS, key, sizeof key);
	s = reopen(NULL);
	assert_int_equal(engine_gc(s, &all, &result, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	engine_close(s);
	lose(STORE_DUMPS, receipt.dump, STORE_DUMP_ID);
	s = reopen(NULL);
	n = 0;
	assert_int_equal(engine_dumps(s, &(struct store_filter){0}, count_dump, &n, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	assert_int_equal(engine_gc(s, &all, &result, &err), -1);
	engine_close(s);
	assert_int_equal(
		engine_rebuild(path, &no_wait, ask_old, no_problem, NULL, &checked, &err), 0);
	s = reopen(NULL);
	assert_int_equal(dumps(s), before + 2);
	assert_int_equal(engine_gc(s, &all, &result, &err), 0);
	assert_int_equal(dumps(s), before + 2);
	engine_close(s);
}

static struct store_place place_of(struct engine *s, const uint8_t *id)
{
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
	struct db_txn *txn;
	uint32_t number;

	assert_int_equal(engine_domain_number(s, domain, &number, &err), 0);
	store_chunk_key(number, id, key);
	assert_int_equal(db_begin(s->db, false, &txn, &err), 0);
	assert_int_equal(store_row_get(txn, STORE_CHUNKS, key, &row, &err), 0);
	db_abort(txn);
	return row.place;
}

/* Rows of deletions and volumes don't get lost unnoticed either; an index without a sum gets one.
 */
static void lost_kept(void **state)
{
	const uint8_t id[STORE_DUMP_ID] = {31};
	uint8_t volume[4] = {0}, chunk[STORE_ID_LEN];
	struct engine *s = reopen(NULL);
	struct store_checked checked;
	int i, n, before;

	(void)state;
	assert_int_equal(engine_delete(s, id, &err), 0);
	assert_true(put(s, "a chunk more", chunk) >= 0);
	assert_int_equal(engine_flush(s, &err), 0);
	before = dumps(s);
	volume[3] = (uint8_t)place_of(s, chunk).volume;
	engine_close(s);
	lose(STORE_META, "rows", 4);
	s = reopen(NULL);
	assert_int_equal(dumps(s), before);
	assert_true(put(s, "a chunk that begins it", chunk) >= 0);
	assert_int_equal(engine_flush(s, &err), 0);
	engine_close(s);
	for (i = 0; i < 2; i++) {
		if (i == 0)
			lose(STORE_DELETED, id, sizeof id);
		else
			lose(STORE_VOLUMES, volume, sizeof volume);
		s = reopen(NULL);
		n = 0;
		assert_int_equal(
			engine_dumps(s, &(struct store_filter){0}, count_dump, &n, &err), -1);
		assert_int_equal(err.code, ERR_DAMAGE);
		assert_int_equal(engine_scrub(s, &scrub_all, no_problem, NULL, &checked, &err), -1);
		assert_int_equal(err.code, ERR_DAMAGE);
		engine_close(s);
		assert_int_equal(
			engine_rebuild(path, &no_wait, ask_old, no_problem, NULL, &checked, &err),
			0);
		s = reopen(NULL);
		assert_int_equal(dumps(s), before);
		engine_close(s);
	}
}

/* Hides a dump from who asks the index, where its sum agrees all the same, as a damaged tree may.
 */
static void hide(const uint8_t *id)
{
	const struct pack_block block = {
		.kind = STORE_BLOCK_DELETE, .seq = 1, .stored_len = STORE_DUMP_ID + 8};
	uint8_t payload[STORE_DUMP_ID + 8] = {0};
	struct store_meta meta;
	struct db_txn *txn;
	char index[100];
	struct db *db;

	memcpy(payload, id, STORE_DUMP_ID);
	snprintf(index, sizeof index, "%s/index", path);
	db = store_index_open(index, true, &err);
	assert_non_null(db);
	assert_int_equal(db_begin(db, true, &txn, &err), 0);
	assert_int_equal(store_meta_get(txn, &meta, &err), 0);
	assert_int_equal(store_index_absorb(txn, &meta, 1, 0, &block, payload, &err), 0);
	assert_int_equal(db_commit(txn, &err), 0);
	db_close(db);
	lose(STORE_DELETED, id, STORE_DUMP_ID);
	lose(STORE_META, "rows", 4); /* is made anew */
}

/* A dump's block that the index does not find, and that was not deleted, is no garbage. */
static void hidden_dump(void **state)
{
	const struct engine_gc_options all = {.keep_percent = 100};
	struct engine *s = reopen(NULL);
	uint8_t id[STORE_ID_LEN], other[STORE_ID_LEN];
	struct engine_gc_result result;
	struct store_checked checked;
	struct store_receipt receipt;
	char text[901] = {0};
	int i, before = dumps(s);
	struct buf dump, out;

	(void)state;
	assert_int_equal(put(s, "of a hidden dump", id), 0);
	dump_of(s, id, 1, 35, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	for (i = 0; i < 10; i++) {
		memset(text, 'k' + i, sizeof text - 1);
		assert_true(put(s, text, other) >= 0);
	}
	engine_close(s);
	hide(receipt.dump);
	s = reopen(NULL);
	assert_int_equal(dumps(s), before);
	assert_int_equal(engine_gc(s, &all, &result, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	engine_close(s);
	assert_int_equal(
		engine_rebuild(path, &no_wait, ask_old, no_problem, NULL, &checked, &err), 0);
	s = reopen(NULL);
	assert_int_equal(dumps(s), before + 1);
	assert_int_equal(engine_gc(s, &all, &result, &err), 0);
	assert_int_equal(engine_scrub(s, &scrub_all, no_problem, NULL, &checked, &err), 0);
	assert_int_equal(checked.dumps, before + 1);
	buf_init(&out, STORE_RECORD_MAX);
	assert_int_equal(engine_get(s, domain, id, &out, &err), 0);
	buf_fini(&out);
	engine_close(s);
}

/* Deletes and collects, in another process, while dumps are listed: where there are no locks. */
static int meanwhile(void *ctx, const struct store_entry *e, struct err *e2)
{
	const struct engine_gc_options all = {.keep_percent = 100};
	struct engine_gc_result result;
	int *seen = ctx, status;
	pid_t child;

	(void)e2;
	assert_non_null(e->record);
	if ((*seen)++ > 0)
		return 0;
	child = fork();
	if (child == 0) {
		struct engine *s = engine_open(path, ENGINE_WRITE, &no_wait, &err);

		_exit(s == NULL ||
			engine_delete(s, (const uint8_t[STORE_DUMP_ID]){40}, &err) != 0 ||
			engine_gc(s, &all, &result, &err) != 0 || result.volumes == 0);
	}
	assert_true(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}

static void readers_follow_gc(void **state)
{
	struct engine *s = reopen(NULL);
	struct store_receipt receipt;
	uint8_t id[STORE_ID_LEN], other[STORE_ID_LEN];
	char text[901] = {0};
	struct buf dump;
	uint8_t tag;
	int i, before, seen = 0;

	(void)state;
	for (i = 0; i < 10; i++) {
		memset(text, 'A' + i, sizeof text - 1);
		assert_true(put(s, text, other) >= 0);
	}
	assert_true(put(s, "moved", id) >= 0);
	for (tag = 40; tag < 43; tag++) {
		dump_of(s, id, 1, tag, 0, &dump);
		assert_int_equal(
			engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
		buf_fini(&dump);
	}
	before = dumps(s);
	engine_close(s);
	s = engine_open(path, ENGINE_READ, &no_wait, &err);
	assert_non_null(s);
	close(s->lock_fd); /* else gc would wait for it */
	s->lock_fd = -1;
	assert_int_equal(engine_dumps(s, &(struct store_filter){0}, meanwhile, &seen, &err), 0);
	assert_int_equal(seen, before - 1); /* not the one that was deleted */
	engine_close(s);
}

static void flip(uint32_t volume, uint32_t offset)
{
	char file[120];
	uint8_t byte = 0;
	int fd;

	snprintf(file, sizeof file, "%s/volumes/%08x.vol", path, volume);
	fd = open(file, O_RDWR);
	assert_true(fd >= 0 && pread(fd, &byte, 1, offset) == 1);
	byte ^= 1;
	assert_true(pwrite(fd, &byte, 1, offset) == 1);
	close(fd);
}

struct beside {
	struct engine *store;
	uint8_t ids[2 * STORE_ID_LEN];
	int told;
};

/* The scrub has read a volume, and not marked what is bad: a writer comes. */
static void write_beside(void *ctx, const struct store_entry *dump, const char *what)
{
	const struct engine_gc_options all = {.keep_percent = 100};
	struct engine_gc_result result;
	struct beside *b = ctx;
	uint8_t id[STORE_ID_LEN];

	(void)what;
	if (dump != NULL || b->told++ > 0)
		return;
	assert_int_equal(put(b->store, "rots first", id), 0);
	assert_int_equal(engine_flush(b->store, &err), 0);
	assert_int_equal(engine_delete(b->store, (const uint8_t[STORE_DUMP_ID]){71}, &err), 0);
	assert_int_equal(engine_gc(b->store, &all, &result, &err), 0);
}

/* What is put anew while a scrub runs is not marked; what it found elsewhere is. */
static void scrub_beside(void **state)
{
	struct beside b = {.store = reopen(NULL)};
	struct engine *s = b.store;
	struct store_receipt receipt;
	struct store_checked checked;
	struct store_place first, second;
	struct buf dump;
	bool has[2];

	(void)state;
	assert_int_equal(put(s, "rots first", b.ids), 0);
	assert_int_equal(put(s, "rots second", b.ids + STORE_ID_LEN), 0);
	dump_of(s, b.ids, 2, 70, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	dump_of(s, b.ids, 1, 71, 0, &dump);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	buf_fini(&dump);
	first = place_of(s, b.ids);
	second = place_of(s, b.ids + STORE_ID_LEN);
	engine_close(s);
	flip(first.volume, first.offset + PACK_BLOCK_HEADER + 60);
	s = engine_open(path, ENGINE_TEND, &no_wait, &err);
	assert_non_null(s);
	assert_int_equal(engine_scrub(s, &scrub_all, ignore, NULL, &checked, &err), 0);
	assert_true(checked.missing == 1 && checked.damaged == 1 && checked.incomplete == 2);
	engine_close(s);
	flip(second.volume, second.offset + PACK_BLOCK_HEADER + 60);
	s = b.store = reopen(NULL);
	assert_int_equal(engine_scrub(s, &scrub_all, write_beside, &b, &checked, &err), 0);
	assert_true(checked.missing == 2 && checked.damaged == 2 && checked.incomplete == 1);
	assert_int_equal(engine_have(s, domain, b.ids, 2, has, &err), 0);
	assert_true(has[0] && !has[1]);
	assert_int_equal(put(s, "rots second", b.ids), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	assert_int_equal(engine_scrub(s, &scrub_all, no_problem, NULL, &checked, &err), 0);
	assert_true(checked.missing + checked.damaged + checked.incomplete == 0);
	engine_close(s);
}

/* A dump that was deleted does not come back, and a lock does not go, with a damaged block that gc
 * sweeps: be it that its header is damaged, or what it says, or that it is cut off. */
static void lost_blocks(void **state)
{
	const struct engine_gc_options gc_some = {.keep_percent = 70};
	const uint32_t at[] = {0, PACK_BLOCK_HEADER};
	const uint8_t kept[STORE_DUMP_ID] = {110},
		      deleted[3][STORE_DUMP_ID] = {{111}, {112}, {113}};
	uint8_t ids[8][STORE_ID_LEN], other[STORE_ID_LEN];
	struct engine *s = reopen(NULL);
	struct engine_gc_result result;
	struct store_receipt receipt;
	struct store_checked checked;
	uint32_t volume, offset;
	char text[901] = {0}, index[120], file[120];
	struct buf dump;
	int round, i;

	(void)state;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 8; i++) {
			memset(text, 'a' + i, sizeof text - 1);
			assert_true(put(s, text, ids[i]) >= 0);
		}
		if (round == 0) {
			dump_of(s, ids[0], 8, kept[0], 0, &dump);
			assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt,
						 NULL, &err),
				0);
			buf_fini(&dump);
		}
		dump_of(s, ids[0], 8, deleted[round][0], 0, &dump);
		assert_int_equal(
			engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
		buf_fini(&dump);
		store_volume_close(&s->current); /* what follows goes to another one */
		for (i = 0; i < 10; i++) {
			memset(text, 'A' + i, sizeof text - 1);
			assert_true(put(s, text, other) >= 0);
		}
		assert_int_equal(engine_delete(s, deleted[round], &err), 0);
		assert_int_equal(engine_lock(s, kept, engine_now() + 1000 + round, &err), 0);
		volume = s->current.number;
		offset = (uint32_t)s->current.len - 2 * (PACK_BLOCK_HEADER + STORE_DUMP_ID + 8);
		if (round < 2) {
			flip(volume, offset + at[round]);
			flip(volume, offset + PACK_BLOCK_HEADER + STORE_DUMP_ID + 8 + at[round]);
		} else {
			snprintf(file, sizeof file, "%s/volumes/%08x.vol", path, volume);
			assert_int_equal(truncate(file, offset), 0);
		}
		assert_int_equal(engine_gc(s, &gc_some, &result, &err), 0);
		assert_true(result.volumes >= 1 && result.damaged == 0);
		engine_close(s);
		snprintf(index, sizeof index, "%s/index/data.mdb", path);
		assert_int_equal(unlink(index), 0);
		assert_int_equal(
			engine_rebuild(path, &no_wait, ask_old, ignore, NULL, &checked, &err), 0);
		s = reopen(NULL);
		assert_int_equal(engine_hold(s, deleted[round], NULL, NULL, &err), 1);
		assert_int_equal(engine_hold(s, kept, NULL, NULL, &err), 0);
		assert_int_equal(engine_delete(s, kept, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
	}
	engine_close(s);
}

/* What is moved may fill a volume in the midst of another one: that is on the disk, and in the
 * index, with all that was moved. */
static void gc_fills(void **state)
{
	const struct engine_gc_options gc_all = {.keep_percent = 100};
	const size_t len = STORE_CONTENT_MAX, each = 34; /* two fill one volume, and a bit */
	struct engine *s = reopen(NULL);
	uint8_t *text = calloc(1, len), *bytes = malloc(STORE_RECORD_MAX), *list = malloc(4096);
	uint8_t id[STORE_DUMP_ID] = {120};
	struct store_dump d = {.id = id,
		.agent = "host",
		.agent_len = 4,
		.name = "backup",
		.name_len = 6,
		.domain = domain,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.chunks = 2 * each,
		.list_count = 1};
	struct store_at at = {.len = 0};
	struct engine_gc_result result;
	struct store_receipt receipt;
	struct store_volume_row row;
	struct store_volume v;
	struct db_txn *txn;
	uint32_t number;
	struct buf dump;
	size_t i, n;

	(void)state;
	assert_true(text != NULL && bytes != NULL && list != NULL);
	for (i = 0; i < 2 * each; i++) {
		memset(text, (int)i + 1, len);
		n = record(text, len, bytes);
		memcpy(list + i * STORE_ID_LEN, bytes + 8, STORE_ID_LEN);
		assert_int_equal(engine_put(s, "host", domain, bytes, n, &err), 0);
		if (i + 1 == each) {
			assert_int_equal(engine_flush(s, &err), 0);
			store_volume_close(&s->current);
		}
	}
	n = record(list, 2 * each * STORE_ID_LEN, bytes);
	assert_int_equal(engine_put(s, "host", domain, bytes, n, &err), 0);
	d.lists = bytes + 8;
	buf_init(&dump, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, &dump, &err), 0);
	assert_int_equal(engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
	assert_int_equal(engine_gc(s, &gc_all, &result, &err), 0);
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
	buf_fini(&dump);
	free(text);
	free(bytes);
	free(list);
	engine_close(s);
}

/* How many live volumes there are, and were checked from a time on. */
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

/* Several volumes are held against the index at once. */
static void scrub_group(void **state)
{
	const struct engine_gc_options gc_all = {.keep_percent = 100};
	struct engine *s = reopen(NULL);
	struct engine_gc_result result;
	struct store_checked checked;
	struct store_place place[2];
	struct store_receipt receipt;
	uint8_t ids[2][STORE_ID_LEN], other[STORE_ID_LEN];
	const char *texts[2] = {"of one volume", "of another"};
	char text[901] = {0};
	struct buf dump;
	int i, all, n;

	(void)state;
	for (i = 0; i < 10; i++) {
		memset(text, '0' + i, sizeof text - 1);
		assert_true(put(s, text, other) >= 0);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(put(s, texts[i], ids[i]), 0);
		dump_of(s, ids[i], 1, (uint8_t)(90 + i), 0, &dump);
		assert_int_equal(
			engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err), 0);
		buf_fini(&dump);
		if (i == 0) /* moves it to a volume of its own */
			assert_int_equal(engine_gc(s, &gc_all, &result, &err), 0);
	}
	for (i = 0; i < 2; i++)
		place[i] = place_of(s, ids[i]);
	assert_int_not_equal(place[0].volume, place[1].volume);
	for (i = 0; i < 2; i++)
		flip(place[i].volume, place[i].offset + PACK_BLOCK_HEADER + 60);
	assert_int_equal(engine_scrub(s, &scrub_all, ignore, NULL, &checked, &err), 0);
	assert_true(checked.damaged == 2 && checked.missing == 2 && checked.incomplete == 2);
	n = volumes_checked(s, 1, &all);
	assert_true(all >= 2 && n == all);
	for (i = 0; i < 2; i++)
		assert_int_equal(put(s, texts[i], ids[i]), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	assert_int_equal(engine_scrub(s, &scrub_all, no_problem, NULL, &checked, &err), 0);
	engine_close(s);
}

/* A scrub for a time ends with a volume, and the next one goes on with the others. */
static void scrub_for(void **state)
{
	struct engine_scrub_options o = {.mark = true, .rate = 6000, .for_sec = 1};
	struct engine *s = reopen(NULL);
	struct store_checked checked;
	atomic_bool stop = true;
	int64_t since;
	int all, n = 0;

	(void)state;
	sleep(1); /* behind the last second in which a volume was checked */
	since = engine_now();
	assert_int_equal(volumes_checked(s, since, &all), 0);
	assert_true(all >= 2);
	while (n < all) {
		assert_int_equal(engine_scrub(s, &o, no_problem, NULL, &checked, &err), 0);
		assert_true((int)checked.left < all && !checked.stopped && checked.dumps > 0);
		n += all - (int)checked.left;
		assert_int_equal(volumes_checked(s, since, &all), n < all ? n : all);
	}
	o = (struct engine_scrub_options){.mark = true, .stop = &stop};
	assert_int_equal(engine_scrub(s, &o, no_problem, NULL, &checked, &err), 0);
	assert_true((int)checked.left == all && checked.stopped && checked.dumps == 0);
	engine_close(s);
}

/* As of a large index: the next row takes its time, and somebody ends the scrub meanwhile. */
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

/* A scrub that is stopped ends soon, also in the midst of the index. */
static void scrub_stops(void **state)
{
	struct engine *s = reopen(NULL);
	struct store_checked checked;
	struct engine_stat stat;
	atomic_bool stop = false;
	struct engine_scrub_options o = {.mark = true, .stop = &stop};
	int64_t since;
	int all;

	(void)state;
	assert_int_equal(engine_stat(s, &stat, &err), 0);
	assert_true(stat.chunks > 20); /* 4 s */
	sleep(1);
	since = engine_now();
	slow = &stop;
	assert_int_equal(engine_scrub(s, &o, no_problem, NULL, &checked, &err), 0);
	slow = NULL;
	assert_true(checked.stopped && engine_now() - since <= 2);
	assert_int_equal(volumes_checked(s, since, &all), 0);
	engine_close(s);
}

/* A volume is in the index before its file is there: that is no damage. */
static void scrub_new_volume(void **state)
{
	const struct store_volume_row row = {.state = STORE_VOLUME_LIVE};
	const struct engine_scrub_options o = {.mark = true};
	struct engine *s = reopen(NULL);
	struct store_checked checked;
	struct db_txn *txn;

	(void)state;
	assert_int_equal(db_begin(s->db, true, &txn, &err), 0);
	assert_int_equal(store_volume_put(txn, s->meta.volume, &row, &err), 0);
	assert_int_equal(db_commit(txn, &err), 0);
	assert_int_equal(engine_scrub(s, &o, no_problem, NULL, &checked, &err), 0);
	assert_int_equal(checked.damaged, 0);
	engine_close(s);
}

/* Nothing is written behind a write to the index that failed. */
static void index_full(void **state)
{
	const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
	struct engine *s = reopen(NULL);
	struct rlimit small = none;
	uint8_t id[STORE_ID_LEN];
	int before = dumps(s);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(put(s, "before", id), 0);
	small.rlim_cur = 4096; /* the volume was written; the index is beyond this */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(engine_flush(s, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(engine_flush(s, &err), -1);
	assert_int_equal(put(s, "behind", id), -1);
	s = reopen(s);
	assert_int_equal(put(s, "before", id), 1);
	assert_int_equal(dumps(s), before);
	engine_close(s);
}

/* A block that is cut off at the end of a volume, in an index made anew: what is written later
 * would lie in what its header says is its own. */
static void torn_rebuilt(void **state)
{
	char text[801], file[200];
	uint8_t id[STORE_ID_LEN];
	struct engine *s = reopen(NULL);
	struct store_checked checked;
	struct store_place torn;

	(void)state;
	memset(text, 't', 800);
	text[800] = 0;
	assert_int_equal(put(s, text, id), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	torn = place_of(s, id);
	engine_close(s);
	snprintf(file, sizeof file, "%s/volumes/%08x.vol", path, torn.volume);
	assert_int_equal(truncate(file, torn.offset + 100), 0);
	assert_int_equal(engine_rebuild(path, &no_wait, ask_old, ignore, NULL, &checked, &err), 0);
	assert_true(checked.damaged > 0);
	s = reopen(NULL);
	assert_int_equal(put(s, "written behind", id), 0);
	assert_int_equal(engine_flush(s, &err), 0);
	engine_close(s);
	assert_int_equal(engine_rebuild(path, &no_wait, ask_old, ignore, NULL, &checked, &err), 0);
	s = reopen(NULL);
	assert_int_equal(put(s, "written behind", id), 1);
	engine_close(s);
}

/* A dump's record through bytes and back. */
static void dump_record(void **state)
{
	static const uint8_t wraps[STORE_WRAP_LEN], ephemeral[32], id[STORE_DUMP_ID], lists[64];
	struct store_dump d = {.id = id,
		.agent = "host",
		.agent_len = 4,
		.name = "n",
		.name_len = 1,
		.domain = domain,
		.sealed = true,
		.ephemeral = ephemeral,
		.wraps = wraps,
		.wrap_count = 1,
		.base = (const uint8_t *)"/home",
		.base_len = 5,
		.paths = (const uint8_t *)"\x41/\x42/b",
		.paths_len = 5,
		.path_count = 2,
		.began = {-5, 7},
		.entries = 1,
		.content = 2,
		.statuses = 3,
		.manifest_chunks = 4,
		.manifest_len = 5,
		.chunks = 6,
		.lists = lists,
		.list_count = 2,
		.lock = 99};
	struct store_dump got;
	const uint8_t *at = NULL, *one;
	struct buf out;
	size_t len, i;

	(void)state;
	buf_init(&out, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, &out, &err), 0);
	assert_int_equal(store_dump_get(&got, out.data, out.len, &err), 0);
	assert_true(got.lock == 99 && got.chunks == 6 && got.began.sec == -5 && got.sealed);
	assert_true(store_dump_path(&got, &at, &one, &len) && len == 1 && one[0] == '/');
	assert_true(store_dump_path(&got, &at, &one, &len) && len == 2 && one[1] == 'b');
	assert_false(store_dump_path(&got, &at, &one, &len));
	for (i = 0; i < out.len; i++)
		assert_int_equal(store_dump_get(&got, out.data, i, &err), -1);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks),
		cmocka_unit_test(commits),
		cmocka_unit_test(locks),
		cmocka_unit_test(clocks),
		cmocka_unit_test(quotas),
		cmocka_unit_test(tails),
		cmocka_unit_test(lost_index),
		cmocka_unit_test(lost_rows),
		cmocka_unit_test(lost_kept),
		cmocka_unit_test(hidden_dump),
		cmocka_unit_test(readers_follow_gc),
		cmocka_unit_test(scrub_beside),
		cmocka_unit_test(lost_blocks),
		cmocka_unit_test(gc_fills),
		cmocka_unit_test(scrub_group),
		cmocka_unit_test(scrub_for),
		cmocka_unit_test(scrub_stops),
		cmocka_unit_test(scrub_new_volume),
		cmocka_unit_test(index_full),
		cmocka_unit_test(torn_rebuilt),
		cmocka_unit_test(dump_record),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
