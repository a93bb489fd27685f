/* The index's dumps by agent, name and time: order, filters, replacement and deletion. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/store/index.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"

static struct err err;
static char folder[64];
static struct db *db;
static struct db_txn *txn;

static int setup(void **state)
{
	const struct store_meta meta = {.seq = 1, .volume = 1, .domain = 1};

	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fdump-index-XXXXXX");
	if (mkdtemp(folder) == NULL || hash_crypto_init(&err) != 0 ||
		(db = store_index_open(folder, true, &err)) == NULL)
		return -1;
	return db_begin(db, true, &txn, &err) != 0 ? -1 : store_meta_put(txn, &meta, &err);
}

static int teardown(void **state)
{
	char command[100];

	(void)state;
	db_abort(txn);
	db_close(db);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void enter(const char *agent, const char *name, uint8_t tag, int64_t time, uint64_t seq)
{
	static const uint8_t domain[STORE_DOMAIN_LEN] = "a domain", list[STORE_ID_LEN] = {1};
	uint8_t id[STORE_DUMP_ID] = {tag};
	struct store_dump d = {.id = id,
		.agent = agent,
		.agent_len = strlen(agent),
		.name = name,
		.name_len = strlen(name),
		.domain = domain,
		.base = (const uint8_t *)"/",
		.base_len = 1,
		.chunks = 1,
		.list_count = 1,
		.lists = list};
	const struct store_dump_row row = {.place = {1, 2, 3}, .seq = seq, .committed = time};
	struct buf payload;

	buf_init(&payload, STORE_DUMP_HEAD + STORE_DUMP_MAX);
	assert_int_equal(
		buf_add(&payload, (const uint8_t[STORE_DUMP_HEAD]){0}, STORE_DUMP_HEAD, &err), 0);
	assert_int_equal(store_dump_put(&d, &payload, &err), 0);
	assert_int_equal(store_dump_enter(txn, &d, &row, payload.data, payload.len, &err), 0);
	buf_fini(&payload);
}

/* The tags of the dumps found, as text. */
static const char *tags(const char *agent, const char *name)
{
	static char text[64];
	struct store_name_at at = {.seq = 0};
	size_t n = 0;
	int got;

	while ((got = store_name_next(txn, agent, name, &at, &err)) == 0)
		text[n++] = (char)at.dump[0];
	assert_int_equal(got, 1);
	text[n] = 0;
	return text;
}

static void by_name(void **state)
{
	uint8_t id[STORE_DUMP_ID] = {'c'};
	struct store_name_at at = {.seq = 0};
	struct db_bytes bytes;

	(void)state;
	enter("one", "home", 'a', -5, 1);
	enter("one", "home", 'b', 300, 2);
	enter("one", "home", 'c', 70000, 3);
	enter("one", "home", 'd', 300, 4);
	enter("one", "etc", 'e', 1, 5);
	enter("one.more", "home", 'f', 2, 6);
	enter("two", "home", 'g', 3, 7);
	assert_string_equal(tags(NULL, NULL), "ecdbafg");
	assert_string_equal(tags("one", NULL), "ecdba");
	assert_string_equal(tags("one", "home"), "cdba");
	assert_string_equal(tags(NULL, "home"), "cdbafg");
	assert_string_equal(tags("on", NULL), "");
	assert_string_equal(tags("one", "hom"), "");
	assert_int_equal(store_name_next(txn, "one", "home", &at, &err), 0);
	assert_true(at.committed == 70000 && at.seq == 3);
	at = (struct store_name_at){.seq = 0};
	assert_int_equal(store_name_next(txn, "one.more", NULL, &at, &err), 0);
	assert_true(at.committed == 2 && at.seq == 6);

	/* The same dump again replaces only itself. */
	enter("one", "home", 'b', 80000, 8);
	assert_string_equal(tags("one", "home"), "bcda");
	assert_int_equal(store_dump_leave(txn, id, &err), 0);
	assert_int_equal(store_dump_leave(txn, id, &err), 1);
	assert_int_equal(store_dump_record(txn, id, &bytes, &err), 1);
	assert_string_equal(tags("one", NULL), "ebda");
	assert_int_equal(store_index_check(txn, &err), 0);

	/* A lost row is noticed. */
	assert_int_equal(store_name_next(txn, "two", NULL, &at, &err), 0);
	assert_int_equal(
		db_del(txn, STORE_NAMES, (struct db_bytes){at.at.key, at.at.len}, &err), 0);
	assert_int_equal(store_index_check(txn, &err), -1);
}

/* An index from before a table existed is not mistaken for one whose table is empty. */
static void lacks_table(void **state)
{
	static const char *const some[] = {"meta", "dumps"};
	char path[80];
	struct db *old;
	int write;

	(void)state;
	snprintf(path, sizeof path, "%s/old", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	old = db_open(path, some, 2, 1 << 20, true, &err);
	assert_non_null(old);
	db_close(old);
	for (write = 0; write < 2; write++) {
		assert_null(store_index_open(path, write, &err));
		assert_int_equal(err.code, ERR_DAMAGE);
		assert_non_null(strstr(err.message, "fdump store rebuild"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name), cmocka_unit_test(lacks_table)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
