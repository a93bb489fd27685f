/* Each group of tests gets a new store, in a folder below /tmp. */
#include "test/unit/temp_store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/hash.h"
#include "test/unit/unit.h"

char temp_store_path[80];
const uint8_t temp_store_domain[STORE_DOMAIN_LEN] = "a domain";
const struct engine_wait temp_store_wait = {.sec = STORE_LOCK_SEC};
const struct engine_gc_options temp_store_gc_all = {.keep_percent = 100};

static char folder[64];
static struct err err;

int temp_store_setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fdump-store-XXXXXX");
	if (mkdtemp(folder) == NULL || hash_crypto_init(&err) != 0)
		return -1;
	snprintf(temp_store_path, sizeof temp_store_path, "%s/store", folder);
	return engine_make(temp_store_path, 0, &err);
}

int temp_store_teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

struct engine *temp_store_open(struct engine *s)
{
	engine_close(s);
	s = engine_open(temp_store_path, ENGINE_WRITE, &temp_store_wait, &err);
	if (s == NULL)
		fail_msg("%s", err.message);
	return s;
}

size_t temp_store_record(const void *content, size_t len, uint8_t *out)
{
	uint8_t id[HASH_LEN];
	struct store_record r = {.raw_len = (uint32_t)len, .id = id};
	size_t head;

	hash_sha256(content, len, id);
	head = store_record_put(&r, out);
	memcpy(out + head, content, len);
	return head + len;
}

int temp_store_put(struct engine *s, const char *text, uint8_t id[STORE_ID_LEN], struct err *e)
{
	uint8_t bytes[1000];
	size_t len = temp_store_record(text, strlen(text), bytes);

	memcpy(id, bytes + 8, STORE_ID_LEN);
	return engine_put(s, "host", temp_store_domain, bytes, len, e);
}

void temp_store_put_garbage(struct engine *s, char letter)
{
	uint8_t id[STORE_ID_LEN];
	char text[901] = {0};
	int i;

	for (i = 0; i < 10; i++) {
		memset(text, letter + i, sizeof text - 1);
		assert_true(temp_store_put(s, text, id, &err) >= 0);
	}
}

void temp_store_dump(struct engine *s, const uint8_t *ids, size_t count, uint8_t tag, int64_t lock,
	struct buf *out)
{
	uint8_t bytes[40 + TEMP_STORE_CHUNKS * STORE_ID_LEN];
	uint8_t id[STORE_DUMP_ID] = {tag};
	struct store_dump d = {.id = id,
		.agent = "host",
		.agent_len = 4,
		.name = "backup",
		.name_len = 6,
		.domain = temp_store_domain,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.chunks = count,
		.list_count = 1,
		.lists = bytes + 8,
		.lock = lock};
	size_t len;

	assert_true(count <= TEMP_STORE_CHUNKS);
	len = temp_store_record(ids, count * STORE_ID_LEN, bytes);
	assert_true(engine_put(s, "host", temp_store_domain, bytes, len, &err) >= 0);
	buf_init(out, STORE_DUMP_MAX);
	assert_int_equal(store_dump_put(&d, out, &err), 0);
}

void temp_store_commit(struct engine *s, const uint8_t *ids, size_t count, uint8_t tag)
{
	struct store_receipt receipt;
	struct buf dump;

	temp_store_dump(s, ids, count, tag, 0, &dump);
	if (engine_commit(s, dump.data, dump.len, STORE_NOW, &receipt, NULL, &err) != 0)
		fail_msg("%s", err.message);
	buf_fini(&dump);
}

static int count_dump(void *ctx, const struct store_entry *e, struct err *e2)
{
	(void)e2;
	if (!e->damaged)
		++*(int *)ctx;
	return 0;
}

int temp_store_dumps(struct engine *s)
{
	int n = 0;

	assert_int_equal(engine_dumps(s, &(struct store_filter){0}, count_dump, &n, &err), 0);
	return n;
}

void temp_store_no_problem(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	(void)dump;
	fail_msg("%s", what);
}

void temp_store_ignore(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	(void)dump;
	(void)what;
}

struct store_place temp_store_place(struct engine *s, const uint8_t *id)
{
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
	struct db_txn *txn;
	uint32_t number;

	assert_int_equal(engine_domain_number(s, temp_store_domain, &number, &err), 0);
	store_chunk_key(number, id, key);
	assert_int_equal(db_begin(s->db, false, &txn, &err), 0);
	assert_int_equal(store_row_get(txn, STORE_CHUNKS, key, &row, &err), 0);
	db_abort(txn);
	return row.place;
}

void temp_store_flip(uint32_t volume, uint32_t offset)
{
	char file[120];
	uint8_t byte = 0;
	int fd;

	snprintf(file, sizeof file, "%s/volumes/%08x.vol", temp_store_path, volume);
	fd = open(file, O_RDWR);
	assert_true(fd >= 0 && pread(fd, &byte, 1, offset) == 1);
	byte ^= 1;
	assert_true(pwrite(fd, &byte, 1, offset) == 1);
	close(fd);
}

struct db *temp_store_index(struct db_txn **txn)
{
	char index[100];
	struct db *db;

	snprintf(index, sizeof index, "%s/index", temp_store_path);
	db = store_index_open(index, true, &err);
	assert_non_null(db);
	assert_int_equal(db_begin(db, true, txn, &err), 0);
	return db;
}

void temp_store_index_done(struct db *db, struct db_txn *txn)
{
	assert_int_equal(db_commit(txn, &err), 0);
	db_close(db);
}

static void ask_old(void *ctx, const char *store, struct buf *old)
{
	(void)ctx;
	engine_old(store, old);
}

void temp_store_rebuild(store_problem *problem, struct store_checked *checked)
{
	assert_int_equal(engine_rebuild(temp_store_path, &temp_store_wait, ask_old, problem, NULL,
				 checked, &err),
		0);
}
