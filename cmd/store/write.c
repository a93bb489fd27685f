/*
 * The writer: data into the volume, then the volume to the disk, then the
 * index, then the answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cmd/store/inner.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/name.h"
#include "lib/uptime.h"

/* What is put is made durable at the latest after this much. */
#define FLUSH_BYTES ((uint64_t)512 << 20)
#define STATFS_STEP (16u << 20)
#define CLOCK_JUMP  86400 /* seconds */

/* --- space --------------------------------------------------------------- */

bool engine_failed(struct engine *s)
{
	return atomic_load(&s->failed);
}

int engine_about(struct engine *s, struct store_about *about, struct err *err)
{
	struct statvfs vfs;

	if (fstatvfs(s->volumes, &vfs) != 0)
		return err_errno(err, errno, "%s", s->path);
	about->time = engine_now();
	about->free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	about->reserve = s->reserve;
	return 0;
}

static int check_space(struct engine *s, size_t len, struct err *err)
{
	struct statvfs vfs;
	uint64_t free;

	if (s->until_statfs >= len) {
		s->until_statfs -= len;
		return 0;
	}
	if (fstatvfs(s->volumes, &vfs) != 0)
		return err_errno(err, errno, "%s", s->path);
	free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (free < s->reserve || free - s->reserve < len)
		return err_set(err, ERR_NOSPACE, "%s: no space (%llu bytes are kept free)", s->path,
			(unsigned long long)s->reserve);
	free = (free - s->reserve) / 2;
	s->until_statfs = free < STATFS_STEP ? 0 : STATFS_STEP;
	return 0;
}

/* --- volumes ------------------------------------------------------------- */

/* After a sync that failed what was written may be in memory only, and another sync says nothing
 * of it: it must not be there for who opens the store next. */
static void cut_back(struct engine *s)
{
	struct store_volume_row row;
	struct db_txn *txn;

	if (db_begin(s->db, false, &txn, NULL) != 0)
		return;
	if (store_volume_get(txn, s->current.number, &row, NULL) == 0 &&
		ftruncate(s->current.fd, (off_t)row.len) == 0)
		s->current.len = row.len;
	db_abort(txn);
}

static int sync_current(struct engine *s, struct err *err)
{
	if (s->current.fd < 0)
		return 0;
	if (store_volume_sync(&s->current, err) != 0 || (s->fresh && fsync(s->volumes) != 0)) {
		s->failed = true;
		if (err != NULL && err->code == ERR_NONE)
			err_errno(err, errno, "%s/volumes: sync", s->path);
		cut_back(s);
		return -1;
	}
	s->fresh = false;
	return 0;
}

int engine_commit_index(struct engine *s, struct db_txn *txn, struct err *err)
{
	if (db_commit(txn, err) == 0)
		return 0;
	s->failed = true; /* whether it is on the disk nobody knows */
	return -1;
}

/* The index knows a volume before there is its file. */
static int announce(
	struct engine *s, enum store_volume_state state, uint32_t *number, struct err *err)
{
	struct store_volume_row row = {.state = state};
	struct store_meta meta = s->meta;
	struct db_txn *txn;

	*number = meta.volume++;
	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	if (store_volume_put(txn, *number, &row, err) != 0 ||
		store_meta_put(txn, &meta, err) != 0) {
		db_abort(txn);
		return -1;
	}
	if (engine_commit_index(s, txn, err) != 0)
		return -1;
	s->meta.volume = meta.volume;
	return 0;
}

int engine_new_volume(struct engine *s, enum store_volume_state state, uint64_t seq,
	struct store_volume *volume, struct err *err)
{
	uint8_t block[PACK_BLOCK_HEADER + 1 + STORE_UID_LEN];
	uint64_t offset;
	uint32_t number;

	if (announce(s, state, &number, err) != 0 ||
		store_volume_make(s->volumes, number, volume, err) != 0)
		return -1;
	block[PACK_BLOCK_HEADER] = 1; /* version */
	memcpy(block + PACK_BLOCK_HEADER + 1, s->uid, STORE_UID_LEN);
	if (store_volume_append(
		    volume, STORE_BLOCK_VOLUME, seq, block, 1 + STORE_UID_LEN, &offset, err) == 0)
		return 0;
	store_volume_close(volume);
	store_volume_remove(s->volumes, number, NULL);
	return -1;
}

/* A volume that can take one more block. */
static int have_volume(struct engine *s, struct err *err)
{
	struct store_volume volume;

	if (s->current.fd >= 0 && s->current.len < STORE_VOLUME_FULL)
		return 0;
	if (engine_flush_all(s, err) != 0)
		return -1;
	if (engine_new_volume(s, STORE_VOLUME_LIVE, s->meta.seq, &volume, err) != 0)
		return -1;
	s->meta.seq++;
	store_volume_close(&s->current);
	s->current = volume;
	s->fresh = true;
	return 0;
}

int engine_append(struct engine *s, enum store_block kind, size_t len, struct store_place *place,
	struct err *err)
{
	uint64_t offset;

	if (s->failed)
		return err_set(err, ERR_IO, "%s: an earlier write failed: open it anew", s->path);
	/* What is deleted frees space: for that there is the reserve. */
	if ((kind != STORE_BLOCK_DELETE && kind != STORE_BLOCK_LOCK &&
		    check_space(s, PACK_BLOCK_HEADER + len, err) != 0) ||
		have_volume(s, err) != 0)
		return -1;
	if (store_volume_append(&s->current, kind, s->meta.seq, s->block, len, &offset, err) != 0) {
		s->until_statfs = 0;
		return err_prefix(err, "%s", s->path);
	}
	s->meta.seq++;
	*place = (struct store_place){s->current.number, (uint32_t)offset, (uint32_t)len};
	return 0;
}

/* --- chunks -------------------------------------------------------------- */

static void add_pending(struct engine *s, const uint8_t *key, const struct store_chunk_row *row)
{
	size_t mask = 4 * (size_t)ENGINE_PENDING_MAX - 1, at;
	struct engine_pending *p = &s->pending[s->pending_count];

	memcpy(p->key, key, STORE_INDEX_KEY);
	p->row = *row;
	for (at = hash_xxh3(key, STORE_INDEX_KEY) & mask; s->slots[at] != 0; at = (at + 1) & mask)
		;
	s->slots[at] = (uint32_t)++s->pending_count;
}

static void drop_pending(struct engine *s)
{
	pthread_mutex_lock(&s->lock);
	s->pending_count = 0;
	memset(s->slots, 0, 4 * (size_t)ENGINE_PENDING_MAX * sizeof *s->slots);
	pthread_mutex_unlock(&s->lock);
	s->unflushed = 0;
}

/* The clock as it is by now, unless it is not to be believed: it was set by more than a day while
 * the machine ran. That stays until engine_trust_clock. */
static void see_clock(struct engine *s)
{
	struct store_meta *m = &s->meta;
	int64_t now = engine_now(), uptime, off;
	uint64_t boot;

	if (m->clock == STORE_CLOCK_DOUBTED)
		return;
	uptime = uptime_get(&boot);
	off = (now - m->clock) - (uptime - m->uptime);
	if (boot != 0 && boot == m->boot && (off > CLOCK_JUMP || off < -CLOCK_JUMP)) {
		m->clock = STORE_CLOCK_DOUBTED;
	} else if (now >= m->clock) {
		m->clock = now;
		m->boot = boot;
		m->uptime = uptime;
	}
}

/* What a transaction says of the volume that is written, and of all. */
static int put_state(struct engine *s, struct db_txn *txn, struct err *err)
{
	struct store_volume_row row = {.state = STORE_VOLUME_LIVE};

	if (s->current.fd >= 0) {
		if (store_volume_get(txn, s->current.number, &row, err) < 0)
			return -1;
		row.len = s->current.len;
		if (store_volume_put(txn, s->current.number, &row, err) != 0)
			return -1;
	}
	see_clock(s);
	return store_meta_put(txn, &s->meta, err);
}

static int put_pending(struct engine *s, struct db_txn *txn, struct err *err)
{
	size_t i;

	for (i = 0; i < s->pending_count; i++)
		if (store_chunk_put(txn, s->pending[i].key, &s->pending[i].row, err) != 0)
			return -1;
	return 0;
}

int engine_flush_all(struct engine *s, struct err *err)
{
	struct db_txn *txn;

	if (s->failed)
		return err_set(err, ERR_IO, "%s: an earlier write failed: open it anew", s->path);
	if (s->pending_count == 0)
		return 0;
	if (sync_current(s, err) != 0 || db_begin(s->db, true, &txn, err) != 0) {
		s->failed = true;
		return -1;
	}
	if (put_pending(s, txn, err) != 0 || put_state(s, txn, err) != 0) {
		db_abort(txn);
		s->failed = true;
		return -1;
	}
	if (engine_commit_index(s, txn, err) != 0)
		return -1;
	drop_pending(s);
	return 0;
}

int engine_flush(struct engine *s, struct err *err)
{
	int got;

	pthread_mutex_lock(&s->writer);
	got = engine_flush_all(s, err);
	pthread_mutex_unlock(&s->writer);
	return got;
}

/* The number of a domain; a new one is durable before anything of it is. */
static int need_domain(struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err)
{
	struct store_meta meta = s->meta;
	struct db_txn *txn;
	void *grown;
	int got = engine_domain_number(s, domain, number, err);

	if (got < 0)
		return -1;
	if (got == 1) {
		if (db_begin(s->db, true, &txn, err) != 0)
			return -1;
		if (store_domain_make(txn, &meta, domain, number, err) != 0 ||
			store_meta_put(txn, &meta, err) != 0) {
			db_abort(txn);
			return -1;
		}
		if (engine_commit_index(s, txn, err) != 0)
			return -1;
		s->meta.domain = meta.domain;
	}
	pthread_mutex_lock(&s->lock);
	grown = s->domain_count < 256
			? realloc(s->domains, (s->domain_count + 1) * sizeof *s->domains)
			: NULL;
	if (grown != NULL && (s->domain_count == 0 || got == 1)) {
		s->domains = grown;
		memcpy(s->domains[s->domain_count].domain, domain, STORE_DOMAIN_LEN);
		s->domains[s->domain_count++].number = *number;
	} else if (grown != NULL) {
		s->domains = grown;
	}
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int put_new(struct engine *s, const uint8_t *domain, const uint8_t *key,
	const struct store_record *record, size_t len, struct err *err)
{
	struct store_chunk_row row = {.raw_len = record->raw_len};
	uint8_t *to = s->block + PACK_BLOCK_HEADER;

	memcpy(to, domain, STORE_DOMAIN_LEN);
	memcpy(to + STORE_DOMAIN_LEN, record->head, len);
	if (engine_append(s, STORE_BLOCK_CHUNK, STORE_DOMAIN_LEN + len, &row.place, err) != 0)
		return -1;
	pthread_mutex_lock(&s->lock);
	add_pending(s, key, &row);
	pthread_mutex_unlock(&s->lock);
	s->unflushed += len;
	if (s->pending_count == ENGINE_PENDING_MAX || s->unflushed >= FLUSH_BYTES)
		return engine_flush_all(s, err);
	return 0;
}

static int put_locked(struct engine *s, const char *agent, const uint8_t *domain,
	const struct store_record *record, size_t len, struct err *err)
{
	uint8_t key[STORE_INDEX_KEY];
	struct store_chunk_row row;
	struct db_txn *txn;
	uint32_t number;
	int got;

	if (need_domain(s, domain, &number, err) != 0 || db_begin(s->db, false, &txn, err) != 0)
		return -1;
	store_chunk_key(number, record->id, key);
	got = engine_find(s, txn, key, &row, err);
	db_abort(txn);
	if (got < 0 || (got == 0 && !row.damaged))
		return got < 0 ? -1 : 1;
	if (engine_quota_take(s, agent, strlen(agent), number, STORE_DOMAIN_LEN + len, err) != 0)
		return -1;
	return put_new(s, domain, key, record, len, err);
}

static int check_open(const struct store_record *record, struct err *err)
{
	struct buf content;
	int got;

	if (record->wrap_count > 0)
		return 0;
	buf_init(&content, STORE_CONTENT_MAX);
	got = store_record_content(record, &content, err);
	buf_fini(&content);
	return got;
}

int engine_put(struct engine *s, const char *agent, const uint8_t *domain, const uint8_t *bytes,
	size_t len, struct err *err)
{
	struct store_record record;
	int got;

	if (store_record_get(&record, bytes, len, err) != 0 || check_open(&record, err) != 0)
		return -1;
	pthread_mutex_lock(&s->writer);
	got = put_locked(s, agent, domain, &record, len, err);
	pthread_mutex_unlock(&s->writer);
	return got;
}

/* --- dumps --------------------------------------------------------------- */

/* Whether a dump's id was never used here, or was, by a dump whose record is lost: that comes
 * again. Returns 0; 1: this very dump is there, and the receipt is set; -1 with err set. */
static int check_new(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	const uint8_t *record, size_t len, struct store_receipt *receipt, struct err *err)
{
	struct store_dump_row row;
	int64_t time;
	int got = store_dump_row_get(txn, dump->id, &row, err);

	if (got == 0) {
		got = engine_same_record(s, dump->id, &row, record, len, receipt);
		return got < 0 ? err_set(err, ERR_EXISTS, "there is another dump of this id") : got;
	}
	if (got < 0 || (got = store_time_get(txn, STORE_DELETED, dump->id, &time, err)) < 0)
		return -1;
	return got == 1 ? 0 : err_set(err, ERR_EXISTS, "a dump of this id was deleted");
}

enum { COMMIT_KNOWN = 2 }; /* it was there already */

/* Within the transaction that makes it visible. Returns as commit_locked. */
static int commit_in(struct engine *s, struct db_txn *txn, const struct store_dump *dump,
	const uint8_t *record, size_t len, int64_t time, struct store_receipt *receipt,
	struct buf *missing, struct err *err)
{
	struct store_dump_row row = {.seq = 0};
	uint8_t *to = s->block + PACK_BLOCK_HEADER;
	int64_t now = engine_now();
	int got = check_new(s, txn, dump, record, len, receipt, err);

	if (got != 0)
		return got < 0 ? -1 : COMMIT_KNOWN;
	got = engine_whole(s, txn, dump, missing, err);
	if (got != 0)
		return got;
	if (store_receipt_make(receipt, s->uid, s->secret, dump, record, len,
		    time != STORE_NOW ? time : now, err) != 0)
		return -1;
	row.seq = s->meta.seq;
	row.committed = receipt->time;
	le_put64(to, (uint64_t)receipt->time);
	memcpy(to + 8, receipt->signature, sizeof receipt->signature);
	to[STORE_DUMP_HEAD - 1] = time != STORE_NOW;
	memcpy(to + STORE_DUMP_HEAD, record, len);
	if (engine_append(s, STORE_BLOCK_DUMP, STORE_DUMP_HEAD + len, &row.place, err) != 0)
		return -1;
	if (sync_current(s, err) == 0 && store_dump_row_put(txn, dump->id, &row, err) == 0 &&
		put_state(s, txn, err) == 0)
		return 0;
	s->failed = true; /* the block must not come below the committed length */
	return -1;
}

/* Returns 0, 1 (chunks are missing), COMMIT_KNOWN or -1. */
static int commit_locked(struct engine *s, const struct store_dump *dump, const uint8_t *record,
	size_t len, int64_t time, struct store_receipt *receipt, struct buf *missing,
	struct err *err)
{
	struct db_txn *txn;
	uint32_t number;
	int got = engine_domain_number(s, dump->domain, &number, err);

	if (got == 0) /* also of who joins a domain, and puts nothing */
		got = engine_quota_take(s, dump->agent, dump->agent_len, number, 0, err);
	if (got < 0)
		return -1;
	/* The volume that takes the record is made first: it is a transaction
	 * of its own. */
	if (engine_flush_all(s, err) != 0 || have_volume(s, err) != 0 ||
		db_begin(s->db, true, &txn, err) != 0)
		return -1;
	got = commit_in(s, txn, dump, record, len, time, receipt, missing, err);
	if (got == 0)
		return engine_commit_index(s, txn, err);
	db_abort(txn);
	return got;
}

int engine_commit(struct engine *s, const uint8_t *record, size_t len, int64_t time,
	struct store_receipt *receipt, struct buf *missing, struct err *err)
{
	struct store_dump dump;
	int got;

	if (store_dump_get(&dump, record, len, err) != 0)
		return -1;
	pthread_mutex_lock(&s->writer);
	got = commit_locked(s, &dump, record, len, time, receipt, missing, err);
	pthread_mutex_unlock(&s->writer);
	return got == COMMIT_KNOWN ? 0 : got;
}

/* The later of the lock dates of record and LOCK blocks. Returns 0, 1: no such dump, -1. */
static int lock_of(
	struct engine *s, struct db_txn *txn, const uint8_t *id, int64_t *lock, struct err *err)
{
	struct store_dump_row row;
	struct pack_block block;
	struct store_dump dump;
	struct buf payload;
	int got = store_dump_row_get(txn, id, &row, err);

	*lock = 0;
	if (got != 0)
		return got;
	if (store_index_check(txn, err) != 0 || store_time_get(txn, STORE_LOCKS, id, lock, err) < 0)
		return -1;
	buf_init(&payload, PACK_BLOCK_VOLUME_MAX);
	/* A record that can't be read locks nothing any more: the dump is lost. */
	if (engine_read_place(s, &row.place, &block, &payload, NULL) == 0 &&
		payload.len > STORE_DUMP_HEAD &&
		store_dump_get(&dump, payload.data + STORE_DUMP_HEAD, payload.len - STORE_DUMP_HEAD,
			NULL) == 0 &&
		dump.lock > *lock)
		*lock = dump.lock;
	buf_fini(&payload);
	return 0;
}

int engine_write_time(
	struct engine *s, enum store_block kind, const uint8_t *id, int64_t time, struct err *err)
{
	uint8_t *to = s->block + PACK_BLOCK_HEADER;
	struct pack_block block = {
		.kind = (uint8_t)kind, .seq = s->meta.seq, .stored_len = STORE_DUMP_ID + 8};
	struct store_place place;
	struct db_txn *txn;

	memcpy(to, id, STORE_DUMP_ID);
	le_put64(to + STORE_DUMP_ID, (uint64_t)time);
	if (engine_append(s, kind, STORE_DUMP_ID + 8, &place, err) != 0 ||
		sync_current(s, err) != 0 || db_begin(s->db, true, &txn, err) != 0)
		return -1;
	block.seq = s->meta.seq - 1;
	if (store_index_absorb(txn, &s->meta, place.volume, place.offset, &block, to, err) != 0 ||
		put_pending(s, txn, err) != 0 || put_state(s, txn, err) != 0) {
		db_abort(txn);
		s->failed = true;
		return -1;
	}
	if (engine_commit_index(s, txn, err) != 0)
		return -1;
	drop_pending(s);
	return 0;
}

static int put_meta(struct engine *s, struct err *err)
{
	struct db_txn *txn;

	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	if (store_meta_put(txn, &s->meta, err) == 0)
		return engine_commit_index(s, txn, err);
	db_abort(txn);
	return -1;
}

/* Whether the clock is right, as far as can be told. Returns 0, or -1 with err set. */
static int believe_clock(struct engine *s, struct err *err)
{
	bool doubted = s->meta.clock == STORE_CLOCK_DOUBTED;

	see_clock(s);
	if (s->meta.clock == STORE_CLOCK_DOUBTED) {
		if (!doubted && put_meta(s, err) != 0)
			return -1;
		return err_set(err, ERR_FAILED,
			"%s: the clock was set by more than a day: nothing is deleted, until "
			"somebody says that it is right (fdump store trust-clock)",
			s->path);
	}
	if (engine_now() < s->meta.clock)
		return err_set(err, ERR_FAILED,
			"%s: the clock stands before the time of the last write: nothing is "
			"deleted, until it has passed, or somebody says that the clock is right "
			"(fdump store trust-clock)",
			s->path);
	return 0;
}

int engine_trust_clock(struct engine *s, struct err *err)
{
	int got;

	pthread_mutex_lock(&s->writer);
	s->meta.clock = engine_now();
	s->meta.uptime = uptime_get(&s->meta.boot);
	got = s->failed ? err_set(err, ERR_IO, "%s: an earlier write failed: open it anew", s->path)
			: put_meta(s, err);
	pthread_mutex_unlock(&s->writer);
	return got;
}

static int delete_locked(struct engine *s, const uint8_t *id, struct err *err)
{
	int64_t lock, now = engine_now();
	struct db_txn *txn;
	int got;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = lock_of(s, txn, id, &lock, err);
	db_abort(txn);
	if (got != 0)
		return got;
	if (believe_clock(s, err) != 0)
		return -1;
	if (now < lock)
		return err_set(err, ERR_DENIED, "the dump is locked for %lld more seconds",
			(long long)(lock - now));
	return engine_write_time(s, STORE_BLOCK_DELETE, id, now, err);
}

int engine_delete(struct engine *s, const uint8_t *dump, struct err *err)
{
	int got;

	pthread_mutex_lock(&s->writer);
	got = delete_locked(s, dump, err);
	pthread_mutex_unlock(&s->writer);
	return got;
}

static int lock_locked(struct engine *s, const uint8_t *id, int64_t until, struct err *err)
{
	struct db_txn *txn;
	int64_t lock;
	int got;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = lock_of(s, txn, id, &lock, err);
	db_abort(txn);
	if (got != 0 || lock >= until)
		return got;
	return engine_write_time(s, STORE_BLOCK_LOCK, id, until, err);
}

int engine_lock(struct engine *s, const uint8_t *dump, int64_t until, struct err *err)
{
	int got;

	pthread_mutex_lock(&s->writer);
	got = lock_locked(s, dump, until, err);
	pthread_mutex_unlock(&s->writer);
	return got;
}

/* --- after a crash ------------------------------------------------------- */

struct tail {
	struct engine *store;
	struct db_txn *txn;
	uint32_t number;
	uint64_t good; /* end of what was taken */
};

/* A block behind the committed length: taken, up to the first that is not good. */
static int take_tail(void *ctx, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, uint64_t len, struct err *err)
{
	struct tail *t = ctx;
	int got;

	if (payload == NULL || offset != t->good)
		return 1;
	got = store_index_absorb(t->txn, &t->store->meta, t->number, offset, block, payload, err);
	if (got == 0)
		t->good = offset + len;
	return got;
}

static int recover_tail(struct engine *s, struct db_txn *txn, uint32_t number,
	struct store_volume_row *row, struct store_volume *v, struct err *err)
{
	struct tail t = {s, txn, number, row->len};

	if (store_volume_scan(v, row->len, v->len, NULL, take_tail, &t, err) != 0)
		return -1;
	if (t.good < v->len && ftruncate(v->fd, (off_t)t.good) != 0)
		return err_errno(err, errno, "volume %08x", number);
	v->len = t.good;
	if (store_volume_sync(v, err) != 0) {
		if (ftruncate(v->fd, (off_t)row->len) != 0)
			return err_prefix(err, "volume %08x can't be cut back", number);
		return -1;
	}
	if (row->len == 0 && fsync(s->volumes) != 0) /* its name may be new */
		return err_errno(err, errno, "%s/volumes: sync", s->path);
	row->len = t.good;
	return store_volume_put(txn, number, row, err);
}

/* The container's id stands in the first block. */
static int read_id(struct store_volume *v)
{
	uint8_t header[PACK_BLOCK_HEADER];
	struct pack_block block;

	if (pread(v->fd, header, sizeof header, 0) != sizeof header ||
		pack_block_get(&block, header, NULL) != 0 || block.kind != STORE_BLOCK_VOLUME)
		return -1;
	memcpy(v->id, block.id, sizeof v->id);
	return 0;
}

static int recover_volume(struct engine *s, struct db_txn *txn, uint32_t number,
	struct store_volume_row *row, struct err *err)
{
	struct store_volume v = {.fd = -1};
	struct engine_cut cut = {.volume = number};
	struct err why = {0};
	int got = 0;

	if (row->state == STORE_VOLUME_LIVE)
		got = store_volume_open(s->volumes, number, true, &v, &why);
	if (row->state != STORE_VOLUME_LIVE || (row->len == 0 && (got != 0 || v.len == 0))) {
		store_volume_close(&v);
		return store_volume_remove(s->volumes, number, err) == 0
			       ? store_volume_del(txn, number, err)
			       : -1;
	}
	if (got != 0) /* missing: damage, for scrub to tell */
		return why.code == ERR_NOTFOUND ? buf_add(&s->cut, &cut, sizeof cut, err) : 0;
	cut.len = v.len;
	if (v.len < row->len)
		got = buf_add(&s->cut, &cut, sizeof cut, err);
	else if (v.len > row->len && row->len < STORE_VOLUME_FULL)
		/* behind a full one nothing was ever written */
		got = recover_tail(s, txn, number, row, &v, err);
	if (got == 0 && v.len == row->len && v.len > 0 && v.len < STORE_VOLUME_FULL &&
		read_id(&v) == 0) {
		store_volume_close(&s->current);
		s->current = v;
		return 0;
	}
	store_volume_close(&v);
	return got;
}

int engine_recover(struct engine *s, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct store_volume_row row;
	struct db_txn *txn;
	uint32_t number;
	uint8_t copy[4];
	int got;

	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	while ((got = store_volume_next(txn, &key, &number, &row, err)) == 0) {
		memcpy(copy, key.at, sizeof copy);
		key.at = copy;
		if (recover_volume(s, txn, number, &row, err) != 0) {
			got = -1;
			break;
		}
	}
	if (got < 0 || store_meta_put(txn, &s->meta, err) != 0) {
		db_abort(txn);
		return -1;
	}
	return db_commit(txn, err);
}
