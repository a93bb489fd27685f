/* A row is a series of little-endian columns; the last is a check over the key and the others. */
#include "cmd/store/index.h"

#include <assert.h>
#include <string.h>

#include "cmd/store/volume.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

#define MAP     ((uint64_t)256 << 30)
#define ROW_MAX 40 /* bytes of a row, with its check */
#define KEY_MAX STORE_NAME_KEY

/* A column: where its member is in the row's struct, and its type. */
enum column_type { END, U32, U64, BOOL, ID };
struct column {
	size_t at;
	enum column_type type;
};
static const size_t widths[] = {[U32] = 4, [U64] = 8, [BOOL] = 4, [ID] = STORE_DUMP_ID};

#define COLUMN(row, member, type)                                                                  \
	{                                                                                          \
		offsetof(struct row, member), type                                                 \
	}
#define PLACE(row)                                                                                 \
	COLUMN(row, place.volume, U32), COLUMN(row, place.offset, U32), COLUMN(row, place.len, U32)

static const struct column one_u32[] = {{0, U32}, {0, END}};
static const struct column one_u64[] = {{0, U64}, {0, END}};
static const struct column one_id[] = {{0, ID}, {0, END}};
static const struct column chunk_row[] = {PLACE(store_chunk_row),
	COLUMN(store_chunk_row, raw_len, U32), COLUMN(store_chunk_row, damaged, BOOL), {0, END}};
static const struct column dump_row[] = {PLACE(store_dump_row), COLUMN(store_dump_row, seq, U64),
	COLUMN(store_dump_row, committed, U64), COLUMN(store_dump_row, damaged, BOOL), {0, END}};
static const struct column volume_row[] = {COLUMN(store_volume_row, state, U32),
	COLUMN(store_volume_row, len, U64), COLUMN(store_volume_row, checked, U64), {0, END}};
static const struct column meta_row[] = {COLUMN(store_meta, seq, U64),
	COLUMN(store_meta, volume, U32), COLUMN(store_meta, domain, U32),
	COLUMN(store_meta, clock, U64), {0, END}};
static const struct column boot_row[] = {
	COLUMN(store_meta, boot, U64), COLUMN(store_meta, uptime, U64), {0, END}};

_Static_assert(sizeof(enum store_volume_state) == sizeof(uint32_t), "a column of 32 bits");

/* summed: none of its rows may get lost unnoticed, as then gc would not know a dump, or a deletion,
 * lock or volume would be forgotten. The sum of the hashes of all these rows is a row of its
 * own. */
static const struct {
	const struct column *row;
	size_t key_len; /* 0: any */
	bool summed;
} tables[STORE_TABLES] = {
	[STORE_DOMAINS] = {one_u32, STORE_DOMAIN_LEN, false},
	[STORE_CHUNKS] = {chunk_row, STORE_INDEX_KEY, false},
	[STORE_DUMPS] = {dump_row, STORE_DUMP_ID, true},
	[STORE_DELETED] = {one_u64, STORE_DUMP_ID, true},
	[STORE_LOCKS] = {one_u64, STORE_DUMP_ID, true},
	[STORE_VOLUMES] = {volume_row, 4, true},
	[STORE_NAMES] = {one_id, 0, true},
};
static const char *const names[STORE_TABLES] = {
	"meta", "domains", "chunks", "dumps", "deleted", "locks", "volumes", "names", "records"};

static const struct db_bytes sum_key = {"rows", 4}, meta_key = {"meta", 4}, boot_key = {"boot", 4};

struct db *store_index_open(const char *path, bool write, struct err *err)
{
	return db_open(path, names, STORE_TABLES, MAP, write, err);
}

struct db *store_index_copy(const char *path, struct err *err)
{
	return db_open_copy(path, names, STORE_TABLES, MAP, err);
}

static uint32_t check(enum store_table table, struct db_bytes key, const uint8_t *row, size_t len)
{
	uint8_t all[1 + KEY_MAX + ROW_MAX];

	assert(key.len <= KEY_MAX && len <= ROW_MAX);
	all[0] = (uint8_t)table;
	memcpy(all + 1, key.at, key.len);
	memcpy(all + 1 + key.len, row, len);
	return (uint32_t)hash_xxh3(all, 1 + key.len + len);
}

static uint64_t hash_row(enum store_table table, struct db_bytes key, struct db_bytes row)
{
	return hash_xxh3(row.at, row.len) * 2 + hash_xxh3(key.at, key.len) + table;
}

static int bad_row(struct err *err)
{
	return err_set(err, ERR_DAMAGE,
		"index: a row's checksum does not match (on the store's machine: fdump store "
		"rebuild)");
}

static size_t encode(const struct column *c, const void *from, uint8_t *row)
{
	uint8_t *to = row;

	for (; c->type != END; to += widths[c->type], c++) {
		const void *member = (const uint8_t *)from + c->at;

		assert(to + widths[c->type] <= row + ROW_MAX - 4);
		if (c->type == U64)
			le_put64(to, *(const uint64_t *)member);
		else if (c->type == U32)
			le_put32(to, *(const uint32_t *)member);
		else if (c->type == BOOL)
			le_put32(to, *(const bool *)member);
		else
			memcpy(to, member, STORE_DUMP_ID);
	}
	return (size_t)(to - row);
}

static int decode(const struct column *c, enum store_table table, struct db_bytes key,
	struct db_bytes value, void *to, struct err *err)
{
	const uint8_t *row = value.at;
	const struct column *i;
	size_t len = 0;

	for (i = c; i->type != END; i++)
		len += widths[i->type];
	if (key.len > KEY_MAX || value.len != len + 4 ||
		check(table, key, row, len) != le_get32(row + len))
		return bad_row(err);
	for (; c->type != END; row += widths[c->type], c++) {
		void *member = (uint8_t *)to + c->at;

		if (c->type == U64)
			*(uint64_t *)member = le_get64(row);
		else if (c->type == U32)
			*(uint32_t *)member = le_get32(row);
		else if (c->type == BOOL)
			*(bool *)member = le_get32(row) != 0;
		else
			memcpy(member, row, STORE_DUMP_ID);
	}
	return 0;
}

static int get(struct db_txn *txn, enum store_table table, const struct column *columns,
	struct db_bytes key, void *row, struct err *err)
{
	struct db_bytes value;
	int got = db_get(txn, table, key, &value, err);

	return got != 0 ? got : decode(columns, table, key, value, row, err);
}

static int change_sum(struct db_txn *txn, enum store_table table, struct db_bytes key,
	const struct db_bytes *row, struct err *err);

static int put(struct db_txn *txn, enum store_table table, const struct column *columns,
	struct db_bytes key, const void *from, struct err *err)
{
	uint8_t row[ROW_MAX];
	size_t len = encode(columns, from, row);
	struct db_bytes value = {row, len + 4};

	le_put32(row + len, check(table, key, row, len));
	if (tables[table].summed && change_sum(txn, table, key, &value, err) != 0)
		return -1;
	return db_put(txn, table, key, value, err);
}

/* The sum of the rows that are there. */
static int add_up(struct db_txn *txn, uint64_t *sum, struct err *err)
{
	struct db_bytes key, row;
	enum store_table table;
	int got = 1;

	*sum = 0;
	for (table = 0; table < STORE_TABLES && got >= 0; table++) {
		key.at = NULL;
		while (tables[table].summed && (got = db_next(txn, table, &key, &row, err)) == 0)
			*sum += hash_row(table, key, row);
	}
	return got < 0 ? -1 : 0;
}

/* An index from before there was such a sum has none: begin with the rows that are there. */
static int get_sum(struct db_txn *txn, uint64_t *sum, struct err *err)
{
	int got = get(txn, STORE_META, one_u64, sum_key, sum, err);

	return got == 1 ? add_up(txn, sum, err) : got;
}

/* Updates the sum; call before a row changes. row: its new value; NULL: it is deleted. */
static int change_sum(struct db_txn *txn, enum store_table table, struct db_bytes key,
	const struct db_bytes *row, struct err *err)
{
	struct db_bytes old;
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
	return put(txn, STORE_META, one_u64, sum_key, &sum, err);
}

int store_index_check(struct db_txn *txn, struct err *err)
{
	uint64_t sum, want;

	if (get_sum(txn, &want, err) != 0 || add_up(txn, &sum, err) != 0)
		return -1;
	return sum == want ? 0
			   : err_set(err, ERR_DAMAGE,
				     "index: rows are missing in it (on the store's machine: fdump "
				     "store rebuild)");
}

/* --- rows ---------------------------------------------------------------- */

static void put_be32(uint8_t *to, uint32_t value)
{
	size_t i;

	for (i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A key's bytes; those of a number are put in `be`. */
static struct db_bytes key_of(enum store_table table, const void *key, uint8_t be[4])
{
	if (table == STORE_VOLUMES) {
		put_be32(be, *(const uint32_t *)key);
		key = be;
	}
	return (struct db_bytes){key, tables[table].key_len};
}

int store_row_get(
	struct db_txn *txn, enum store_table table, const void *key, void *row, struct err *err)
{
	uint8_t be[4];

	return get(txn, table, tables[table].row, key_of(table, key, be), row, err);
}

int store_row_put(struct db_txn *txn, enum store_table table, const void *key, const void *row,
	struct err *err)
{
	uint8_t be[4];

	return put(txn, table, tables[table].row, key_of(table, key, be), row, err);
}

static int del(struct db_txn *txn, enum store_table table, struct db_bytes key, struct err *err)
{
	if (tables[table].summed && change_sum(txn, table, key, NULL, err) != 0)
		return -1;
	return db_del(txn, table, key, err);
}

int store_row_del(struct db_txn *txn, enum store_table table, const void *key, struct err *err)
{
	uint8_t be[4];

	return del(txn, table, key_of(table, key, be), err);
}

int store_row_next(
	struct db_txn *txn, enum store_table table, struct store_at *at, void *row, struct err *err)
{
	struct db_bytes key = {at->len > 0 ? at->key : NULL, at->len}, value;
	int got = db_next(txn, table, &key, &value, err);

	if (got != 0)
		return got;
	if (key.len > KEY_MAX || (tables[table].key_len > 0 && key.len != tables[table].key_len))
		return err_set(err, ERR_DAMAGE, "index: a key of the wrong length");
	at->len = key.len;
	memcpy(at->key, key.at, key.len);
	return decode(tables[table].row, table, key, value, row, err);
}

int store_row_mark(struct db_txn *txn, enum store_table table, const uint8_t *key,
	const struct store_place *place, bool damaged, struct err *err)
{
	union store_block_row row;
	int got = store_row_get(txn, table, key, &row, err);

	assert(table == STORE_CHUNKS || table == STORE_DUMPS);
	if (got != 0 || row.any.place.volume != place->volume ||
		row.any.place.offset != place->offset)
		return got < 0 ? -1 : 0;
	row.any.damaged = damaged;
	return store_row_put(txn, table, key, &row, err);
}

int store_meta_get(struct db_txn *txn, struct store_meta *m, struct err *err)
{
	int got;

	*m = (struct store_meta){0};
	got = get(txn, STORE_META, meta_row, meta_key, m, err);
	if (got == 0 && get(txn, STORE_META, boot_row, boot_key, m, err) < 0)
		return -1;
	return got;
}

int store_meta_put(struct db_txn *txn, const struct store_meta *m, struct err *err)
{
	return put(txn, STORE_META, meta_row, meta_key, m, err) != 0
		       ? -1
		       : put(txn, STORE_META, boot_row, boot_key, m, err);
}

void store_chunk_key(uint32_t domain, const uint8_t *id, uint8_t key[STORE_INDEX_KEY])
{
	put_be32(key, domain);
	memcpy(key + 4, id, STORE_INDEX_KEY - 4);
}

int store_volume_next(struct db_txn *txn, struct store_at *at, uint32_t *number,
	struct store_volume_row *row, struct err *err)
{
	int got = store_row_next(txn, STORE_VOLUMES, at, row, err);
	const uint8_t *k = at->key;

	if (got == 0)
		*number = (uint32_t)k[0] << 24 | (uint32_t)k[1] << 16 | (uint32_t)k[2] << 8 | k[3];
	return got;
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

/* agent, NUL, name, NUL, then time and sequence number, inverted so that later ones come first. */
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

/* The check of a row of STORE_RECORDS is over a hash of its bytes instead of columns. */
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
	struct buf row = {.max = SIZE_MAX};
	uint8_t end[4];
	int got;

	le_put32(end, check_record(dump, bytes, len));
	got = buf_add(&row, bytes, len, err);
	if (got == 0)
		got = buf_add(&row, end, sizeof end, err);
	if (got == 0)
		got = db_put(txn, STORE_RECORDS, (struct db_bytes){dump, STORE_DUMP_ID},
			(struct db_bytes){row.data, row.len}, err);
	buf_fini(&row);
	return got;
}

int store_dump_leave(struct db_txn *txn, const uint8_t *id, struct err *err)
{
	uint8_t name[STORE_NAME_KEY];
	struct store_dump_row row;
	struct store_dump dump;
	struct db_bytes bytes;
	int got = store_row_get(txn, STORE_DUMPS, id, &row, err);

	if (got != 0)
		return got;
	got = store_dump_record(txn, id, &bytes, err);
	if (got == 1)
		return bad_row(err);
	if (got < 0 || store_dump_get(&dump, (const uint8_t *)bytes.at + STORE_DUMP_HEAD - 8,
			       bytes.len - (STORE_DUMP_HEAD - 8), err) != 0)
		return -1;
	/* `dump` borrows from the table until the first change: name_key must come before. */
	if (del(txn, STORE_NAMES, name_key(name, &dump, &row), err) < 0 ||
		db_del(txn, STORE_RECORDS, (struct db_bytes){id, STORE_DUMP_ID}, err) < 0 ||
		store_row_del(txn, STORE_DUMPS, id, err) < 0)
		return -1;
	return 0;
}

int store_dump_enter(struct db_txn *txn, const struct store_dump *dump,
	const struct store_dump_row *row, const uint8_t *payload, size_t len, struct err *err)
{
	uint8_t key[STORE_NAME_KEY];

	assert(len > STORE_DUMP_HEAD);
	if (store_dump_leave(txn, dump->id, err) < 0 ||
		put(txn, STORE_NAMES, one_id, name_key(key, dump, row), dump->id, err) != 0 ||
		put_record(txn, dump->id, payload + 8, len - 8, err) != 0)
		return -1;
	return store_row_put(txn, STORE_DUMPS, dump->id, row, err);
}

/* The length of `text` with its NUL, if the key begins with them; else 0. */
static size_t starts(const uint8_t *key, size_t len, const char *text)
{
	size_t n = strlen(text) + 1;

	return len >= n && memcmp(key, text, n) == 0 ? n : 0;
}

/* Decodes the end of a key. Returns 0, or 1: it is malformed. */
static int name_of(struct store_name_at *n)
{
	const uint8_t *end = n->at.key + n->at.len, *nul;

	nul = memchr(n->at.key, 0, n->at.len);
	if (nul != NULL)
		nul = memchr(nul + 1, 0, (size_t)(end - nul - 1));
	if (nul == NULL || end - nul != 17)
		return 1;
	n->committed = (int64_t)(~get_be64(nul + 1) ^ SIGN);
	n->seq = ~get_be64(nul + 9);
	return 0;
}

int store_name_next(struct db_txn *txn, const char *agent, const char *name,
	struct store_name_at *found, struct err *err)
{
	struct store_at *at = &found->at;
	size_t n;
	int got;

	if (at->len == 0 && agent != NULL) {
		at->len = strlen(agent) + 1;
		memcpy(at->key, agent, at->len);
		if (name != NULL) {
			memcpy(at->key + at->len, name, strlen(name) + 1);
			at->len += strlen(name) + 1;
		}
	}
	for (;;) {
		got = store_row_next(txn, STORE_NAMES, at, found->dump, err);
		if (got != 0)
			return got;
		if (name_of(found) != 0)
			return bad_row(err);
		n = agent != NULL ? starts(at->key, at->len, agent)
				  : (size_t)((uint8_t *)memchr(at->key, 0, at->len) - at->key) + 1;
		if (n == 0)
			return 1;
		if (name == NULL || starts(at->key + n, at->len - n, name) > 0)
			return 0;
		if (agent != NULL)
			return 1;
		/* Skip to the next name. */
		assert(at->len > 16);
		memset(at->key + at->len - 16, 0xff, 16);
	}
}

/* --- from blocks --------------------------------------------------------- */

int store_domain_make(struct db_txn *txn, struct store_meta *meta, const uint8_t *domain,
	uint32_t *number, struct err *err)
{
	int got = store_row_get(txn, STORE_DOMAINS, domain, number, err);

	if (got != 1)
		return got;
	*number = meta->domain++;
	return store_row_put(txn, STORE_DOMAINS, domain, number, err);
}

static int absorb_chunk(struct db_txn *txn, struct store_meta *meta, struct store_place place,
	const uint8_t *payload, struct err *err)
{
	struct store_chunk_row row = {.place = place}, old;
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
	got = store_row_get(txn, STORE_CHUNKS, key, &old, err);
	if (got < 0 || (got == 0 && !old.damaged))
		return got;
	row.raw_len = record.raw_len;
	return store_row_put(txn, STORE_CHUNKS, key, &row, err);
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
	got = store_row_get(txn, STORE_DELETED, dump.id, &deleted, err);
	return got == 1 ? store_dump_enter(txn, &dump, &row, payload, place.len, err) : got;
}

/* A DELETE or LOCK block: a dump's id and a time. */
static int absorb_time(struct db_txn *txn, uint8_t kind, const uint8_t *payload, struct err *err)
{
	enum store_table table = kind == STORE_BLOCK_DELETE ? STORE_DELETED : STORE_LOCKS;
	int64_t time = (int64_t)le_get64(payload + STORE_DUMP_ID), before;
	int got = store_row_get(txn, table, payload, &before, err);

	if (got < 0 || (got == 0 && before >= time))
		return got;
	if (store_row_put(txn, table, payload, &time, err) != 0)
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
