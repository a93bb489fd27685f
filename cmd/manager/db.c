/* One writing transaction stays open from the first change to the commit. */
#include "cmd/manager/db.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/mem.h"

#define MAP_MAX   (UINT64_C(64) << 30)
#define CHECK_LEN 8
#define CHECK_MAX 10000 /* entries that are checked at a time */
#define DROP_MAX  2000  /* entries that are removed at a time */

/* The types of the rows. */
static const struct {
	const char *name;
	const struct cbormap_field *fields;
	size_t size;
} tables[MANAGER_TABLES] = {
	[MANAGER_TABLE_META] = {"meta", NULL, 0},
	[MANAGER_TABLE_HOSTS] = {"hosts", manager_host_fields, sizeof(struct manager_host_row)},
	[MANAGER_TABLE_TOKENS] = {"tokens", manager_token_fields, sizeof(struct manager_token_row)},
	[MANAGER_TABLE_LAST] = {"last", manager_last_fields, sizeof(struct manager_last_row)},
	[MANAGER_TABLE_RUNS] = {"runs", manager_run_fields, sizeof(struct manager_run_row)},
	[MANAGER_TABLE_ALARMS] = {"alarms", manager_alarm_fields, sizeof(struct manager_alarm_row)},
	[MANAGER_TABLE_DENIED] = {"denied", manager_denied_fields,
		sizeof(struct manager_denied_row)},
	[MANAGER_TABLE_AUDIT] = {"audit", manager_audit_fields, sizeof(struct manager_audit_row)},
};

union any_row {
	struct manager_host_row host;
	struct manager_token_row token;
	struct manager_last_row last;
	struct manager_run_row run;
	struct manager_alarm_row alarm;
	struct manager_denied_row denied;
	struct manager_audit_row audit;
};

struct manager_db {
	struct db *db;
	struct db_txn *txn; /* the changes; NULL if there are none */
	unsigned changes;   /* how many there are in .txn */
	bool adds_run;      /* one of them adds a run */
	struct err fault;   /* of the last commit; code ERR_NONE: it succeeded */
	bool lost_run;      /* a commit that added a run has failed */
	struct buf value;
	manager_db_damaged *damaged;
	void *ctx;
	struct manager_db_damage damage[MANAGER_DAMAGED_MAX];
	size_t damage_count;
	enum manager_table checks;     /* the table that manager_db_check is at, */
	struct manager_db_key checked; /* and the last key that it has checked there */
};

struct manager_db *manager_db_open(
	const char *path, manager_db_damaged *damaged, void *ctx, struct err *err)
{
	struct manager_db *s = mem_new(sizeof *s, err);
	const char *names[MANAGER_TABLES];
	size_t i;

	if (s == NULL)
		return NULL;
	s->damaged = damaged;
	s->ctx = ctx;
	s->checks = MANAGER_TABLE_HOSTS;
	buf_init(&s->value, CHECK_LEN + MANAGER_ROW_MAX);
	for (i = 0; i < MANAGER_TABLES; i++)
		names[i] = tables[i].name;
	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		err_errno(err, errno, "%s", path);
		manager_db_close(s);
		return NULL;
	}
	s->db = db_open(path, names, MANAGER_TABLES, MAP_MAX, true, err);
	if (s->db == NULL) {
		manager_db_close(s);
		return NULL;
	}
	return s;
}

void manager_db_close(struct manager_db *s)
{
	if (s == NULL)
		return;
	if (s->txn != NULL)
		db_abort(s->txn);
	if (s->db != NULL)
		db_close(s->db);
	buf_fini(&s->value);
	free(s);
}

/* --- keys ------------------------------------------------------------------ */

static void add(struct manager_db_key *key, const void *bytes, size_t len)
{
	assert(key->len + len <= sizeof key->bytes);
	if (len > 0)
		memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

void manager_db_words(struct manager_db_key *key, const char *first, const char *second)
{
	key->len = 0;
	add(key, first, strlen(first) + 1);
	add(key, second, strlen(second));
}

void manager_db_time(
	struct manager_db_key *key, int64_t time, const char *word, const void *bytes, size_t len)
{
	/* Big-endian and inverted, so that keys sort from the newest to the oldest. */
	uint64_t at = ~((uint64_t)time ^ (UINT64_C(1) << 63));
	uint8_t order[8];
	int i;

	for (i = 0; i < 8; i++)
		order[i] = (uint8_t)(at >> (56 - 8 * i));
	key->len = 0;
	add(key, order, sizeof order);
	add(key, word, strlen(word) + 1);
	add(key, bytes, len);
}

void manager_db_bytes(struct manager_db_key *key, const void *bytes, size_t len)
{
	key->len = 0;
	add(key, bytes, len);
}

static struct db_bytes key_bytes(const struct manager_db_key *key)
{
	return (struct db_bytes){key->bytes, key->len};
}

/* --- rows ------------------------------------------------------------------ */

/* Finds an entry among those known to be damaged; NULL: it is not there. */
static struct manager_db_damage *find_damage(
	struct manager_db *s, enum manager_table table, const struct manager_db_key *key)
{
	size_t i;

	for (i = 0; i < s->damage_count; i++)
		if (s->damage[i].table == table && s->damage[i].key.len == key->len &&
			memcmp(s->damage[i].key.bytes, key->bytes, key->len) == 0)
			return &s->damage[i];
	return NULL;
}

/* Returns 0, or -1 if the entry is damaged. A damaged denial still has its host id, which is the
 * key, so it is read as a row with nothing else. */
static int decode(struct manager_db *s, enum manager_table table, const struct manager_db_key *key,
	const struct db_bytes *value, void *row)
{
	struct manager_denied_row *denied = row;
	const uint8_t *at = value->at;
	size_t len = value->len;

	if (len >= CHECK_LEN && hash_xxh3(at + CHECK_LEN, len - CHECK_LEN) == le_get64(at)) {
		at += CHECK_LEN;
		len -= CHECK_LEN;
		if (manager_row_get(
			    row, tables[table].size, tables[table].fields, &at, &len, NULL) == 0)
			return 0;
	}
	if (s->damage_count < MANAGER_DAMAGED_MAX && find_damage(s, table, key) == NULL) {
		s->damage[s->damage_count++] = (struct manager_db_damage){table, *key};
		s->damaged(s->ctx, table, key);
	}
	if (table != MANAGER_TABLE_DENIED || key->len != RPC_HOST_LEN)
		return -1;
	*denied = (struct manager_denied_row){.time = 0};
	memcpy(denied->host, key->bytes, RPC_HOST_LEN);
	return 0;
}

/* Begins reading, in the transaction with the changes if there are any. */
static int begin_read(struct manager_db *s, struct db_txn **txn, struct err *err)
{
	*txn = s->txn;
	return s->txn != NULL ? 0 : db_begin(s->db, false, txn, err);
}

static void end_read(struct manager_db *s, struct db_txn *txn)
{
	if (txn != s->txn)
		db_abort(txn);
}

int manager_db_get(struct manager_db *s, enum manager_table table, const struct manager_db_key *key,
	void *row, struct err *err)
{
	struct db_bytes value;
	struct db_txn *txn;
	int ret;

	if (begin_read(s, &txn, err) != 0)
		return -1;
	ret = db_get(txn, table, key_bytes(key), &value, err);
	/* A damaged entry counts as missing: it comes again, or is made again. */
	if (ret == 0 && decode(s, table, key, &value, row) != 0)
		ret = 1;
	end_read(s, txn);
	return ret;
}

/* Call this before an entry is written or removed. A transaction is held in memory, so a large one
 * is committed early, which does no harm. */
static int begin_change(struct manager_db *s, enum manager_table table,
	const struct manager_db_key *key, struct err *err)
{
	struct manager_db_damage *damage = find_damage(s, table, key);

	if (damage != NULL)
		*damage = s->damage[--s->damage_count];
	if (s->txn != NULL && s->changes >= DB_BATCH && manager_db_commit(s, err) != 0)
		return -1;
	s->changes++;
	return s->txn != NULL ? 0 : db_begin(s->db, true, &s->txn, err);
}

int manager_db_put(struct manager_db *s, enum manager_table table, const struct manager_db_key *key,
	const void *row, struct err *err)
{
	if (begin_change(s, table, key, err) != 0)
		return -1;
	s->adds_run |= table == MANAGER_TABLE_RUNS;
	buf_clear(&s->value);
	if (buf_add(&s->value, "\0\0\0\0\0\0\0", CHECK_LEN, err) != 0 ||
		manager_row_put(&s->value, tables[table].fields, row, err) != 0)
		return -1;
	le_put64(s->value.data, hash_xxh3(s->value.data + CHECK_LEN, s->value.len - CHECK_LEN));
	return db_put(
		s->txn, table, key_bytes(key), (struct db_bytes){s->value.data, s->value.len}, err);
}

int manager_db_del(struct manager_db *s, enum manager_table table, const struct manager_db_key *key,
	struct err *err)
{
	if (begin_change(s, table, key, err) != 0)
		return -1;
	return db_del(s->txn, table, key_bytes(key), err);
}

int manager_db_each(struct manager_db *s, enum manager_table table, const char *first,
	manager_db_row *each, void *ctx, struct err *err)
{
	struct db_bytes key = {NULL, 0}, value;
	struct manager_db_key prefix = {.len = 0}, copy;
	struct db_txn *txn;
	union any_row row;
	int ret;

	if (begin_read(s, &txn, err) != 0)
		return -1;
	if (first != NULL) {
		manager_db_words(&prefix, first, "");
		key = key_bytes(&prefix);
	}
	while ((ret = db_next(txn, table, &key, &value, err)) == 0) {
		if (key.len > sizeof copy.bytes)
			continue;
		if (key.len < prefix.len || memcmp(key.at, prefix.bytes, prefix.len) != 0) {
			ret = 1;
			break;
		}
		manager_db_bytes(&copy, key.at, key.len);
		if (decode(s, table, &copy, &value, &row) != 0)
			continue;
		ret = each(ctx, &copy, &row);
		if (ret != 0)
			break;
	}
	end_read(s, txn);
	return ret == 1 ? 0 : ret;
}

struct list {
	struct buf *rows;
	size_t row_size;
	struct err *err;
};

static int add_row(void *ctx, const struct manager_db_key *key, const void *row)
{
	const struct list *l = ctx;

	(void)key;
	return buf_add(l->rows, row, l->row_size, l->err);
}

int manager_db_list(struct manager_db *s, enum manager_table table, const char *first,
	struct buf *rows, struct err *err)
{
	struct list l = {rows, tables[table].size, err};

	return manager_db_each(s, table, first, add_row, &l, err);
}

int manager_db_drop_after(struct manager_db *s, enum manager_table table,
	const struct manager_db_key *key, struct err *err)
{
	struct db_bytes at, value;
	struct manager_db_key copy;
	unsigned i;
	int ret;

	for (i = 0; i < DROP_MAX; i++) {
		struct db_txn *txn;

		at = key_bytes(key);
		if (begin_read(s, &txn, err) != 0)
			return -1;
		ret = db_next(txn, table, &at, &value, err);
		if (ret == 0 && at.len <= sizeof copy.bytes)
			manager_db_bytes(&copy, at.at, at.len);
		end_read(s, txn);
		if (ret != 0)
			return ret == 1 ? 0 : -1;
		if (manager_db_del(s, table, &copy, err) < 0)
			return -1;
	}
	return 0;
}

/* --- damage ---------------------------------------------------------------- */

int manager_db_check(struct manager_db *s, struct err *err)
{
	struct db_bytes key = {NULL, 0}, value;
	struct db_txn *txn;
	union any_row row;
	unsigned i;
	int ret = 0;

	if (begin_read(s, &txn, err) != 0)
		return -1;
	if (s->checked.len > 0)
		key = key_bytes(&s->checked);
	for (i = 0; i < CHECK_MAX && ret == 0; i++) {
		ret = db_next(txn, s->checks, &key, &value, err);
		if (ret == 0 && key.len <= sizeof s->checked.bytes) {
			manager_db_bytes(&s->checked, key.at, key.len);
			decode(s, s->checks, &s->checked, &value, &row);
		} else if (ret == 1) {
			s->checks = s->checks + 1 < MANAGER_TABLES ? s->checks + 1
								   : MANAGER_TABLE_HOSTS;
			s->checked.len = 0;
			key = (struct db_bytes){NULL, 0};
			ret = s->checks == MANAGER_TABLE_HOSTS;
		}
	}
	end_read(s, txn);
	return ret;
}

size_t manager_db_damage(const struct manager_db *s, const struct manager_db_damage **found)
{
	*found = s->damage;
	return s->damage_count;
}

const char *manager_db_name(enum manager_table table)
{
	return tables[table].name;
}

/* --- changes --------------------------------------------------------------- */

bool manager_db_changed(const struct manager_db *s)
{
	return s->txn != NULL;
}

int manager_db_commit(struct manager_db *s, struct err *err)
{
	struct db_txn *txn = s->txn;
	bool adds_run = s->adds_run;
	struct err why = {0};

	s->txn = NULL;
	s->changes = 0;
	s->adds_run = false;
	if (txn == NULL)
		return 0;
	if (db_commit(txn, &why) != 0) {
		s->fault = *err = why;
		s->lost_run |= adds_run;
		return -1;
	}
	if (adds_run || !s->lost_run) {
		s->fault.code = ERR_NONE;
		s->lost_run = false;
	}
	return 0;
}

const char *manager_db_fault(const struct manager_db *s)
{
	return s->fault.code != ERR_NONE ? s->fault.message : NULL;
}
