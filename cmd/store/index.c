/* Rows are columns of 32 bits, little-endian, the last of them a check over key and row. */
#include "cmd/store/index.h"

#include <assert.h>
#include <string.h>

#include "cmd/store/volume.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

#define MAP      ((uint64_t)256 << 30)
#define COLS_MAX 8
#define KEY_MAX  32

static const char *const tables[STORE_TABLES] = {
	"meta", "domains", "chunks", "dumps", "deleted", "locks", "volumes"};

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
static const enum store_table summed[] = {STORE_DUMPS, STORE_DELETED, STORE_LOCKS, STORE_VOLUMES};
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

static int decode(enum store_table table, struct db_bytes key, struct db_bytes value,
	uint32_t *cols, size_t n, struct err *err)
{
	const uint8_t *row = value.at;
	size_t i;

	if (key.len > KEY_MAX || value.len != 4 * (n + 1) ||
		check(table, key, row, 4 * n) != le_get32(row + 4 * n))
		return err_set(err, ERR_DAMAGE,
			"index: a row does not agree with its check (fdump store rebuild mends "
			"it)");
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
	if (key->len != key_len)
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
				 "index: rows are missing in it (fdump store rebuild mends it)");
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
	if (change_sum(txn, STORE_VOLUMES, (struct db_bytes){key, 4}, NULL, err) != 0)
		return -1;
	return db_del(txn, STORE_VOLUMES, (struct db_bytes){key, 4}, err);
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

int store_time_put(struct db_txn *txn, enum store_table table, const uint8_t *dump, int64_t time,
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

	if (place.len < STORE_DUMP_HEAD || store_dump_get(&dump, payload + STORE_DUMP_HEAD,
						   place.len - STORE_DUMP_HEAD, NULL) != 0)
		return 1;
	row.committed = (int64_t)le_get64(payload);
	got = store_time_get(txn, STORE_DELETED, dump.id, &deleted, err);
	return got == 1 ? store_dump_row_put(txn, dump.id, &row, err) : got;
}

/* DELETE and LOCK: a dump's id and a time. */
static int absorb_time(struct db_txn *txn, uint8_t kind, const uint8_t *payload, struct err *err)
{
	enum store_table table = kind == STORE_BLOCK_DELETE ? STORE_DELETED : STORE_LOCKS;
	int64_t time = (int64_t)le_get64(payload + STORE_DUMP_ID), before;
	struct db_bytes dump = {payload, STORE_DUMP_ID};
	int got = store_time_get(txn, table, payload, &before, err);

	if (got < 0 || (got == 0 && before >= time))
		return got;
	if (store_time_put(txn, table, payload, time, err) != 0)
		return -1;
	if (kind != STORE_BLOCK_DELETE)
		return 0;
	return change_sum(txn, STORE_DUMPS, dump, NULL, err) != 0 ||
			       db_del(txn, STORE_DUMPS, dump, err) < 0
		       ? -1
		       : 0;
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
