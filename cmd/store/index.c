/* Rows are columns of 32 bits, little-endian, the last of them a check over key and row. */
#include "cmd/store/index.h"

#include <assert.h>
#include <string.h>

#include "cmd/store/volume.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

#define MAP      ((uint64_t)256 << 30)
#define COLS_MAX 8
#define KEY_MAX  STORE_NAME_KEY

static const char *const tables[STORE_TABLES] = {
	"meta", "domains", "chunks", "dumps", "deleted", "locks", "volumes", "names", "records"};

struct db *store_index_open(const char *path, bool write, struct err *err)
{
	return db_open(path, tables, STORE_TABLES, MAP, write, err);
}

struct db *store_index_copy(const char *path, struct err *err)
{
	return db_open_copy(path, tables, STORE_TABLES, MAP, err);
}

static uint32_t check(enum store_table table, struct db_bytes key, const uint8_t *row, size_t len)
{
	uint8_t all[1 + KEY_MAX + 4 * COLS_MAX];

	assert(key.len <= KEY_MAX && len <= 4 * COLS_MAX);
	all[0] = (uint8_t)table;
	memcpy(all + 1, key.at, key.len);
	memcpy(all + 1 + key.len, row, len);
	return (uint32_t)hash_xxh3(all, 1 + key.len + len);
}

/* Tables whose rows must not get lost unnoticed: a dump that gc would not know of, a deletion, a
 * lock, a volume. The sum of hashes of all of them is a row of its own. */
static const enum store_table summed[] = {
	STORE_DUMPS, STORE_DELETED, STORE_LOCKS, STORE_VOLUMES, STORE_NAMES};
#define SUMMED (sizeof summed / sizeof *summed)

static const struct db_bytes sum_key = {"rows", 4};

static bool is_summed(enum store_table table)
{
	size_t i;

	for (i = 0; i < SUMMED && summed[i] != table; i++)
		;
	return i < SUMMED;
}

static uint64_t hash_row(enum store_table table, struct db_bytes key, struct db_bytes row)
{
	return hash_xxh3(row.at, row.len) * 2 + hash_xxh3(key.at, key.len) + table;
}

static int change_sum(struct db_txn *txn, enum store_table table, struct db_bytes key,
	const struct db_bytes *row, struct err *err);

static int put(struct db_txn *txn, enum store_table table, struct db_bytes key,
	const uint32_t *cols, size_t n, struct err *err)
{
	uint8_t row[4 * (COLS_MAX + 1)];
	size_t i;

	for (i = 0; i < n; i++)
		le_put32(row + 4 * i, cols[i]);
	le_put32(row + 4 * n, check(table, key, row, 4 * n));
	if (is_summed(table) &&
		change_sum(txn, table, key, &(struct db_bytes){row, 4 * (n + 1)}, err) != 0)
		return -1;
	return db_put(txn, table, key, (struct db_bytes){row, 4 * (n + 1)}, err);
}

static int bad_row(struct err *err)
{
	return err_set(err, ERR_DAMAGE,
		"index: a row does not agree with its check (fdump store rebuild repairs it)");
}

static int decode(enum store_table table, struct db_bytes key, struct db_bytes value,
	uint32_t *cols, size_t n, struct err *err)
{
	const uint8_t *row = value.at;
	size_t i;

	if (key.len > KEY_MAX || value.len != 4 * (n + 1) ||
		check(table, key, row, 4 * n) != le_get32(row + 4 * n))
		return bad_row(err);
	for (i = 0; i < n; i++)
		cols[i] = le_get32(row + 4 * i);
	return 0;
}

static int get(struct db_txn *txn, enum store_table table, struct db_bytes key, uint32_t *cols,
	size_t n, struct err *err)
{
	struct db_bytes value;
	int got = db_get(txn, table, key, &value, err);

	return got != 0 ? got : decode(table, key, value, cols, n, err);
}

static int next(struct db_txn *txn, enum store_table table, size_t key_len, struct db_bytes *key,
	uint32_t *cols, size_t n, struct err *err)
{
	struct db_bytes value;
	int got = db_next(txn, table, key, &value, err);

	if (got != 0)
		return got;
	if (key_len > 0 && key->len != key_len)
		return err_set(err, ERR_DAMAGE, "index: a key of the wrong length");
	return decode(table, *key, value, cols, n, err);
}

static uint64_t wide(const uint32_t *cols)
{
	return cols[0] | (uint64_t)cols[1] << 32;
}

static void split(uint32_t *cols, uint64_t value)
{
	cols[0] = (uint32_t)value;
	cols[1] = (uint32_t)(value >> 32);
}

/* Of the rows as they are. */
static int add_up(struct db_txn *txn, uint64_t *sum, struct err *err)
{
	struct db_bytes key, row;
	size_t i;
	int got = 1;

	for (i = 0, *sum = 0; i < SUMMED && got >= 0; i++) {
		key.at = NULL;
		while ((got = db_next(txn, summed[i], &key, &row, err)) == 0)
			*sum += hash_row(summed[i], key, row);
	}
	return got < 0 ? -1 : 0;
}

/* An index of before there was one has none: it begins with what is there. */
static int get_sum(struct db_txn *txn, uint64_t *sum, struct err *err)
{
	uint32_t c[2] = {0};
	int got = get(txn, STORE_META, sum_key, c, 2, err);

	if (got == 1)
		return add_up(txn, sum, err);
	*sum = wide(c);
	return got;
}

/* Before a row changes. row: what it will be; NULL: gone. */
static int change_sum(struct db_txn *txn, enum store_table table, struct db_bytes key,
	const struct db_bytes *row, struct err *err)
{
	struct db_bytes old;
	uint32_t c[2];
	uint64_t sum;
	int got = get_sum(txn, &sum, err);

	if (got == 0)
		got = db_get(txn, table, key, &old, err);
	if (got < 0)
		return -1;
	if (got == 0)
		sum -= hash_row(table, key, old);
	if (row != NULL)
		sum += hash_row(table, key, *row);
	split(c, sum);
	return put(txn, STORE_META, sum_key, c, 2, err);
}

int store_index_check(struct db_txn *txn, struct err *err)
{
	uint64_t sum, want;

	if (get_sum(txn, &want, err) != 0 || add_up(txn, &sum, err) != 0)
		return -1;
	return sum == want
		       ? 0
		       : err_set(err, ERR_DAMAGE,
				 "index: rows are missing in it (fdump store rebuild repairs it)");
}

/* --- rows ---------------------------------------------------------------- */

static const struct db_bytes meta_key = {"meta", 4}, boot_key = {"boot", 4};

int store_meta_get(struct db_txn *txn, struct store_meta *m, struct err *err)
{
	uint32_t c[6] = {0}, b[4] = {0};
	int got = get(txn, STORE_META, meta_key, c, 6, err);

	if (got != 0)
		return got;
	if (get(txn, STORE_META, boot_key, b, 4, err) < 0)
		return -1;
	*m = (struct store_meta){
		wide(c), c[2], c[3], (int64_t)wide(c + 4), wide(b), (int64_t)wide(b + 2)};
	return 0;
}

int store_meta_put(struct db_txn *txn, const struct store_meta *m, struct err *err)
{
	uint32_t c[6] = {0, 0, m->volume, m->domain, 0, 0}, b[4];

	split(c, m->seq);
	split(c + 4, (uint64_t)m->clock);
	split(b, m->boot);
	split(b + 2, (uint64_t)m->uptime);
	return put(txn, STORE_META, meta_key, c, 6, err) != 0
		       ? -1
		       : put(txn, STORE_META, boot_key, b, 4, err);
}

static struct db_bytes domain_key(const uint8_t *domain)
{
	return (struct db_bytes){domain, STORE_DOMAIN_LEN};
}

int store_domain_get(struct db_txn *txn, const uint8_t *domain, uint32_t *number, struct err *err)
{
	return get(txn, STORE_DOMAINS, domain_key(domain), number, 1, err);
}

void store_chunk_key(uint32_t domain, const uint8_t *id, uint8_t key[STORE_INDEX_KEY])
{
	key[0] = (uint8_t)(domain >> 24);
	key[1] = (uint8_t)(domain >> 16);
	key[2] = (uint8_t)(domain >> 8);
	key[3] = (uint8_t)domain;
	memcpy(key + 4, id, STORE_INDEX_KEY - 4);
}

static void chunk_of(const uint32_t *c, struct store_chunk_row *row)
{
	*row = (struct store_chunk_row){{c[0], c[1], c[2]}, c[3], c[4] != 0};
}

int store_chunk_get(
	struct db_txn *txn, const uint8_t *key, struct store_chunk_row *row, struct err *err)
{
	uint32_t c[5] = {0};
	int got = get(txn, STORE_CHUNKS, (struct db_bytes){key, STORE_INDEX_KEY}, c, 5, err);

	if (got == 0)
		chunk_of(c, row);
	return got;
}

int store_chunk_next(
	struct db_txn *txn, struct db_bytes *key, struct store_chunk_row *row, struct err *err)
{
	uint32_t c[5] = {0};
	int got = next(txn, STORE_CHUNKS, STORE_INDEX_KEY, key, c, 5, err);

	if (got == 0)
		chunk_of(c, row);
	return got;
}

int store_chunk_put(
	struct db_txn *txn, const uint8_t *key, const struct store_chunk_row *r, struct err *err)
{
	uint32_t c[5] = {
		r->place.volume, r->place.offset, r->place.len, r->raw_len, r->damaged ? 1 : 0};

	return put(txn, STORE_CHUNKS, (struct db_bytes){key, STORE_INDEX_KEY}, c, 5, err);
}

static void dump_of(const uint32_t *c, struct store_dump_row *row)
{
	*row = (struct store_dump_row){
		{c[0], c[1], c[2]}, wide(c + 3), (int64_t)wide(c + 5), c[7] != 0};
}

int store_dump_row_get(
	struct db_txn *txn, const uint8_t *dump, struct store_dump_row *row, struct err *err)
{
	uint32_t c[8] = {0};
	int got = get(txn, STORE_DUMPS, (struct db_bytes){dump, STORE_DUMP_ID}, c, 8, err);

	if (got == 0)
		dump_of(c, row);
	return got;
}

int store_dump_row_next(
	struct db_txn *txn, struct db_bytes *key, struct store_dump_row *row, struct err *err)
{
	uint32_t c[8] = {0};
	int got = next(txn, STORE_DUMPS, STORE_DUMP_ID, key, c, 8, err);

	if (got == 0)
		dump_of(c, row);
	return got;
}

int store_dump_row_put(
	struct db_txn *txn, const uint8_t *dump, const struct store_dump_row *r, struct err *err)
{
	uint32_t c[8] = {r->place.volume, r->place.offset, r->place.len};

	split(c + 3, r->seq);
	split(c + 5, (uint64_t)r->committed);
	c[7] = r->damaged ? 1 : 0;
	return put(txn, STORE_DUMPS, (struct db_bytes){dump, STORE_DUMP_ID}, c, 8, err);
}

/* --- dumps by name, and their records -------------------------------------- */

static void put_be64(uint8_t *to, uint64_t value)
{
	size_t i;

	for (i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_be64(const uint8_t *from)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		value = value << 8 | from[i];
	return value;
}

#define SIGN ((uint64_t)1 << 63)

/* agent, NUL, name, NUL, and time and sequence number so that later ones come first. */
static struct db_bytes name_key(
	uint8_t key[STORE_NAME_KEY], const struct store_dump *d, const struct store_dump_row *row)
{
	uint8_t *to = key;

	assert(d->agent_len <= STORE_NAME_MAX && d->name_len <= STORE_NAME_MAX);
	memcpy(to, d->agent, d->agent_len);
	to += d->agent_len;
	*to++ = 0;
	memcpy(to, d->name, d->name_len);
	to += d->name_len;
	*to++ = 0;
	put_be64(to, ~((uint64_t)row->committed ^ SIGN));
	put_be64(to + 8, ~row->seq);
	return (struct db_bytes){key, (size_t)(to + 16 - key)};
}

/* The check of a record's row: over the hash of its bytes instead of columns. */
static uint32_t check_record(const uint8_t *dump, const void *bytes, size_t len)
{
	uint8_t hash[8];

	le_put64(hash, hash_xxh3(bytes, len));
	return check(STORE_RECORDS, (struct db_bytes){dump, STORE_DUMP_ID}, hash, sizeof hash);
}

int store_dump_record(
	struct db_txn *txn, const uint8_t *dump, struct db_bytes *bytes, struct err *err)
{
	int got = db_get(txn, STORE_RECORDS, (struct db_bytes){dump, STORE_DUMP_ID}, bytes, err);
	const uint8_t *at = bytes->at;

	if (got != 0)
		return got;
	if (bytes->len <= STORE_DUMP_HEAD - 8 + 4)
		return bad_row(err);
	bytes->len -= 4;
	return check_record(dump, at, bytes->len) == le_get32(at + bytes->len) ? 0 : bad_row(err);
}

static int put_record(
	struct db_txn *txn, const uint8_t *dump, const uint8_t *bytes, size_t len, struct err *err)
{
	struct buf row;
	uint8_t end[4];
	int got;

	le_put32(end, check_record(dump, bytes, len));
	buf_init(&row, SIZE_MAX);
	got = buf_add(&row, bytes, len, err);
	if (got == 0)
		got = buf_add(&row, end, sizeof end, err);
	if (got == 0)
		got = db_put(txn, STORE_RECORDS, (struct db_bytes){dump, STORE_DUMP_ID},
			(struct db_bytes){row.data, row.len}, err);
	buf_fini(&row);
	return got;
}

/* Of a table whose rows are summed. Returns 0; 1: it was not there; -1. */
static int del(struct db_txn *txn, enum store_table table, struct db_bytes key, struct err *err)
{
	return change_sum(txn, table, key, NULL, err) != 0 ? -1 : db_del(txn, table, key, err);
}

int store_dump_leave(struct db_txn *txn, const uint8_t *id, struct err *err)
{
	struct db_bytes key = {id, STORE_DUMP_ID}, bytes;
	uint8_t name[STORE_NAME_KEY];
	struct store_dump_row row;
	struct store_dump dump;
	int got = store_dump_row_get(txn, id, &row, err);

	if (got != 0)
		return got;
	got = store_dump_record(txn, id, &bytes, err);
	if (got == 1)
		return bad_row(err);
	if (got < 0 || store_dump_get(&dump, (const uint8_t *)bytes.at + STORE_DUMP_HEAD - 8,
			       bytes.len - (STORE_DUMP_HEAD - 8), err) != 0)
		return -1;
	/* What is borrowed from the table ends with the first change. */
	if (del(txn, STORE_NAMES, name_key(name, &dump, &row), err) < 0 ||
		db_del(txn, STORE_RECORDS, key, err) < 0 || del(txn, STORE_DUMPS, key, err) < 0)
		return -1;
	return 0;
}

int store_dump_enter(struct db_txn *txn, const struct store_dump *dump,
	const struct store_dump_row *row, const uint8_t *payload, size_t len, struct err *err)
{
	uint8_t key[STORE_NAME_KEY];
	uint32_t id[4];
	size_t i;

	assert(len > STORE_DUMP_HEAD);
	for (i = 0; i < 4; i++)
		id[i] = le_get32(dump->id + 4 * i);
	if (store_dump_leave(txn, dump->id, err) < 0 ||
		put(txn, STORE_NAMES, name_key(key, dump, row), id, 4, err) != 0 ||
		put_record(txn, dump->id, payload + 8, len - 8, err) != 0)
		return -1;
	return store_dump_row_put(txn, dump->id, row, err);
}

/* How much of a key is `text` and its NUL; 0: it begins otherwise. */
static size_t starts(const uint8_t *key, size_t len, const char *text)
{
	size_t n = strlen(text) + 1;

	return len >= n && memcmp(key, text, n) == 0 ? n : 0;
}

/* What a key says. Returns 0, or 1: it is malformed. */
static int name_of(struct store_name_at *at)
{
	const uint8_t *end = at->key + at->len, *nul;

	nul = memchr(at->key, 0, at->len);
	if (nul != NULL)
		nul = memchr(nul + 1, 0, (size_t)(end - nul - 1));
	if (nul == NULL || end - nul != 17)
		return 1;
	at->committed = (int64_t)(~get_be64(nul + 1) ^ SIGN);
	at->seq = ~get_be64(nul + 9);
	return 0;
}

int store_name_next(struct db_txn *txn, const char *agent, const char *name,
	struct store_name_at *at, struct err *err)
{
	struct db_bytes key = {at->len > 0 ? at->key : NULL, at->len};
	uint32_t id[4];
	size_t n = 0, i;
	int got;

	if (at->len == 0 && agent != NULL) {
		n = strlen(agent) + 1;
		memcpy(at->key, agent, n);
		if (name != NULL)
			memcpy(at->key + n, name, strlen(name) + 1);
		key = (struct db_bytes){at->key, n + (name != NULL ? strlen(name) + 1 : 0)};
	}
	for (;;) {
		got = next(txn, STORE_NAMES, 0, &key, id, 4, err);
		if (got != 0)
			return got;
		at->len = key.len;
		memcpy(at->key, key.at, key.len);
		if (name_of(at) != 0)
			return bad_row(err);
		n = agent != NULL ? starts(at->key, at->len, agent)
				  : (size_t)((uint8_t *)memchr(at->key, 0, at->len) - at->key) + 1;
		if (n == 0)
			return 1;
		if (name == NULL || starts(at->key + n, at->len - n, name) > 0)
			break;
		if (agent != NULL)
			return 1;
		/* On to the next name. */
		assert(at->len > 16);
		memset(at->key + at->len - 16, 0xff, 16);
		key = (struct db_bytes){at->key, at->len};
	}
	for (i = 0; i < 4; i++)
		le_put32(at->dump + 4 * i, id[i]);
	return 0;
}

static void volume_of(const uint32_t *c, struct store_volume_row *row)
{
	*row = (struct store_volume_row){
		(enum store_volume_state)c[0], wide(c + 1), (int64_t)wide(c + 3)};
}

static void volume_key(uint32_t number, uint8_t key[4])
{
	key[0] = (uint8_t)(number >> 24);
	key[1] = (uint8_t)(number >> 16);
	key[2] = (uint8_t)(number >> 8);
	key[3] = (uint8_t)number;
}

int store_volume_get(
	struct db_txn *txn, uint32_t number, struct store_volume_row *row, struct err *err)
{
	uint8_t key[4];
	uint32_t c[5] = {0};
	int got;

	volume_key(number, key);
	got = get(txn, STORE_VOLUMES, (struct db_bytes){key, 4}, c, 5, err);
	if (got == 0)
		volume_of(c, row);
	return got;
}

int store_volume_put(
	struct db_txn *txn, uint32_t number, const struct store_volume_row *r, struct err *err)
{
	uint8_t key[4];
	uint32_t c[5] = {r->state};

	volume_key(number, key);
	split(c + 1, r->len);
	split(c + 3, (uint64_t)r->checked);
	return put(txn, STORE_VOLUMES, (struct db_bytes){key, 4}, c, 5, err);
}

int store_volume_del(struct db_txn *txn, uint32_t number, struct err *err)
{
	uint8_t key[4];

	volume_key(number, key);
	return del(txn, STORE_VOLUMES, (struct db_bytes){key, 4}, err);
}

int store_volume_next(struct db_txn *txn, struct db_bytes *key, uint32_t *number,
	struct store_volume_row *row, struct err *err)
{
	uint32_t c[5] = {0};
	int got = next(txn, STORE_VOLUMES, 4, key, c, 5, err);
	const uint8_t *k = key->at;

	if (got != 0)
		return got;
	*number = (uint32_t)k[0] << 24 | (uint32_t)k[1] << 16 | (uint32_t)k[2] << 8 | k[3];
	volume_of(c, row);
	return 0;
}

int store_time_get(struct db_txn *txn, enum store_table table, const uint8_t *dump, int64_t *time,
	struct err *err)
{
	uint32_t c[2] = {0};
	int got = get(txn, table, (struct db_bytes){dump, STORE_DUMP_ID}, c, 2, err);

	if (got == 0)
		*time = (int64_t)wide(c);
	return got;
}

int store_time_next(struct db_txn *txn, enum store_table table, struct db_bytes *key, int64_t *time,
	struct err *err)
{
	uint32_t c[2] = {0};
	int got = next(txn, table, STORE_DUMP_ID, key, c, 2, err);

	if (got == 0)
		*time = (int64_t)wide(c);
	return got;
}

static int time_put(struct db_txn *txn, enum store_table table, const uint8_t *dump, int64_t time,
	struct err *err)
{
	uint32_t c[2] = {0};

	split(c, (uint64_t)time);
	return put(txn, table, (struct db_bytes){dump, STORE_DUMP_ID}, c, 2, err);
}

/* --- from blocks --------------------------------------------------------- */

int store_domain_make(struct db_txn *txn, struct store_meta *meta, const uint8_t *domain,
	uint32_t *number, struct err *err)
{
	int got = store_domain_get(txn, domain, number, err);

	if (got != 1)
		return got;
	*number = meta->domain++;
	return put(txn, STORE_DOMAINS, domain_key(domain), number, 1, err);
}

static int absorb_chunk(struct db_txn *txn, struct store_meta *meta, struct store_place place,
	const uint8_t *payload, struct err *err)
{
	struct store_chunk_row row, old;
	struct store_record record;
	uint8_t key[STORE_INDEX_KEY];
	uint32_t domain;
	int got;

	if (place.len < STORE_DOMAIN_LEN || store_record_get(&record, payload + STORE_DOMAIN_LEN,
						    place.len - STORE_DOMAIN_LEN, NULL) != 0)
		return 1;
	if (store_domain_make(txn, meta, payload, &domain, err) != 0)
		return -1;
	store_chunk_key(domain, record.id, key);
	got = store_chunk_get(txn, key, &old, err);
	if (got < 0 || (got == 0 && !old.damaged))
		return got;
	row = (struct store_chunk_row){place, record.raw_len, false};
	return store_chunk_put(txn, key, &row, err);
}

static int absorb_dump(struct db_txn *txn, struct store_place place, uint64_t seq,
	const uint8_t *payload, struct err *err)
{
	struct store_dump_row row = {.place = place, .seq = seq};
	struct store_dump dump;
	int64_t deleted;
	int got;

	if (place.len <= STORE_DUMP_HEAD || store_dump_get(&dump, payload + STORE_DUMP_HEAD,
						    place.len - STORE_DUMP_HEAD, NULL) != 0)
		return 1;
	row.committed = (int64_t)le_get64(payload);
	got = store_time_get(txn, STORE_DELETED, dump.id, &deleted, err);
	return got == 1 ? store_dump_enter(txn, &dump, &row, payload, place.len, err) : got;
}

/* DELETE and LOCK: a dump's id and a time. */
static int absorb_time(struct db_txn *txn, uint8_t kind, const uint8_t *payload, struct err *err)
{
	enum store_table table = kind == STORE_BLOCK_DELETE ? STORE_DELETED : STORE_LOCKS;
	int64_t time = (int64_t)le_get64(payload + STORE_DUMP_ID), before;
	int got = store_time_get(txn, table, payload, &before, err);

	if (got < 0 || (got == 0 && before >= time))
		return got;
	if (time_put(txn, table, payload, time, err) != 0)
		return -1;
	if (kind != STORE_BLOCK_DELETE)
		return 0;
	return store_dump_leave(txn, payload, err) < 0 ? -1 : 0;
}

int store_index_absorb(struct db_txn *txn, struct store_meta *meta, uint32_t volume,
	uint64_t offset, const struct pack_block *block, const uint8_t *payload, struct err *err)
{
	struct store_place place = {volume, (uint32_t)offset, block->stored_len};

	if (block->seq >= meta->seq)
		meta->seq = block->seq + 1;
	switch (block->kind) {
	case STORE_BLOCK_VOLUME:
		return 0;
	case STORE_BLOCK_CHUNK:
		return absorb_chunk(txn, meta, place, payload, err);
	case STORE_BLOCK_DUMP:
		return absorb_dump(txn, place, block->seq, payload, err);
	case STORE_BLOCK_DELETE:
	case STORE_BLOCK_LOCK:
		return place.len == STORE_DUMP_ID + 8 ? absorb_time(txn, block->kind, payload, err)
						      : 1;
	default:
		return 1;
	}
}
