/*
 * The writer: writes data to the volume, then syncs the volume, then commits the index, then
 * returns.
 */
#include "cmd/store/write.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cmd/store/quota.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/uptime.h"

/* Chunks become durable at the latest after this many bytes. */
#define FLUSH_BYTES ((uint64_t)512 << 20)
#define STATFS_STEP (16u << 20)
#define CLOCK_JUMP  86400 /* seconds */

static int check_works(const struct engine *s, struct err *err)
{
	return s->failed
		       ? err_set(err, ERR_IO, "%s: an earlier write failed: open it again", s->path)
		       : 0;
}

/* --- the clock ------------------------------------------------------------ */

/* Notes the time in s->meta; or that the clock was set by more than a day while the machine ran.
 * The clock is then not trusted until engine_trust_clock is called (LAYOUT.md, section 6). */
static void see_clock(struct engine *s)
{
	struct store_meta *m = &s->meta;
	int64_t now = engine_now(), uptime, off;
	uint64_t boot;

	assert(mutex_held(&s->writer));
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

int engine_believe_clock(struct engine *s, struct err *err)
{
	bool doubted = s->meta.clock == STORE_CLOCK_DOUBTED;

	see_clock(s);
	if (s->meta.clock == STORE_CLOCK_DOUBTED) {
		if (!doubted && engine_put_meta(s, err) != 0)
			return -1;
		return err_set(err, ERR_FAILED,
			"%s: the clock was set by more than a day: nothing is deleted until it is "
			"confirmed (on the store's machine: fdump store trust-clock)",
			s->path);
	}
	if (engine_now() < s->meta.clock)
		return err_set(err, ERR_FAILED,
			"%s: the clock is earlier than the last write: nothing is deleted until it "
			"has caught up, or is confirmed (on the store's machine: fdump store "
			"trust-clock)",
			s->path);
	return 0;
}

int engine_trust_clock(struct engine *s, struct err *err)
{
	int got;

	mutex_lock(&s->writer);
	s->meta.clock = engine_now();
	s->meta.uptime = uptime_get(&s->meta.boot);
	got = check_works(s, err) == 0 ? engine_put_meta(s, err) : -1;
	mutex_unlock(&s->writer);
	return got;
}

/* --- space ---------------------------------------------------------------- */

static int check_space(struct engine *s, size_t len, struct err *err)
{
	uint64_t size, free;

	if (s->until_statfs >= len) {
		s->until_statfs -= len;
		return 0;
	}
	if (engine_space(s, &size, &free, err) != 0)
		return -1;
	if (free < s->reserve || free - s->reserve < len)
		return err_set(err, ERR_NOSPACE,
			"%s: no space: %llu bytes are free, %llu must stay free (the reserve), and "
			"%zu more are wanted",
			s->path, (unsigned long long)free, (unsigned long long)s->reserve, len);
	free = (free - s->reserve) / 2;
	s->until_statfs = free < STATFS_STEP ? 0 : STATFS_STEP;
	return 0;
}

/* --- volumes -------------------------------------------------------------- */

/* After a failed sync the data may only be in memory, and another sync would not report that. Cut
 * it off, so that the next process that opens the store does not find it. */
static void cut_back(struct engine *s)
{
	struct store_volume_row row;

	if (engine_row(s, STORE_VOLUMES, &s->current.number, &row, NULL) == 0 &&
		ftruncate(s->current.fd, (off_t)row.len) == 0)
		s->current.len = row.len;
}

int engine_sync_volume(struct engine *s, struct store_volume *v, bool folder, struct err *err)
{
	if (store_volume_sync(v, err) == 0 && (!folder || fsync(s->volumes) == 0))
		return 0;
	s->failed = true;
	if (err != NULL && err->code == ERR_NONE)
		err_errno(err, errno, "%s/volumes: sync", s->path);
	return -1;
}

int engine_sync(struct engine *s, struct err *err)
{
	assert(mutex_held(&s->writer));
	if (s->current.fd < 0)
		return 0;
	if (engine_sync_volume(s, &s->current, s->fresh, err) != 0) {
		cut_back(s);
		return -1;
	}
	s->fresh = false;
	return 0;
}

/* Enters a volume into the index before its file is made. */
static int announce(
	struct engine *s, enum store_volume_state state, uint32_t *number, struct err *err)
{
	struct store_volume_row row = {.state = state};
	struct store_meta meta = s->meta;
	struct db_txn *txn;
	int got;

	*number = meta.volume++;
	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	got = store_row_put(txn, STORE_VOLUMES, number, &row, err);
	if (got == 0)
		got = store_meta_put(txn, &meta, err);
	if (engine_end(s, txn, got, err) != 0)
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

	assert(mutex_held(&s->writer));
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

int engine_have_volume(struct engine *s, struct err *err)
{
	struct store_volume volume;

	assert(mutex_held(&s->writer));
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

	assert(mutex_held(&s->writer));
	if (check_works(s, err) != 0)
		return -1;
	/* Deletions free space in the end, so they may use the reserve. */
	if ((kind != STORE_BLOCK_DELETE && kind != STORE_BLOCK_LOCK &&
		    check_space(s, PACK_BLOCK_HEADER + len, err) != 0) ||
		engine_have_volume(s, err) != 0)
		return -1;
	if (store_volume_append(&s->current, kind, s->meta.seq, s->block, len, &offset, err) != 0) {
		s->until_statfs = 0;
		return err_prefix(err, "%s", s->path);
	}
	s->meta.seq++;
	*place = (struct store_place){s->current.number, (uint32_t)offset, (uint32_t)len};
	return 0;
}

/* --- the index ------------------------------------------------------------ */

static void add_pending(struct engine *s, const uint8_t *key, const struct store_chunk_row *row)
{
	size_t mask = 4 * (size_t)ENGINE_PENDING_MAX - 1, at;
	struct engine_pending *p = &s->pending[s->pending_count];

	assert(mutex_held(&s->writer) && mutex_held(&s->lock));
	assert(s->pending_count < ENGINE_PENDING_MAX);
	memcpy(p->key, key, STORE_INDEX_KEY);
	p->row = *row;
	for (at = hash_xxh3(key, STORE_INDEX_KEY) & mask; s->slots[at] != 0; at = (at + 1) & mask)
		;
	s->slots[at] = (uint32_t)++s->pending_count;
}

int engine_put_state(struct engine *s, struct db_txn *txn, struct err *err)
{
	struct store_volume_row row = {.state = STORE_VOLUME_LIVE};

	assert(mutex_held(&s->writer));
	if (s->current.fd >= 0) {
		if (store_row_get(txn, STORE_VOLUMES, &s->current.number, &row, err) < 0)
			return -1;
		row.len = s->current.len;
		if (store_row_put(txn, STORE_VOLUMES, &s->current.number, &row, err) != 0)
			return -1;
	}
	see_clock(s);
	return store_meta_put(txn, &s->meta, err);
}

/* Adds the pending rows and the state, and commits. got: not 0 if the caller's own part failed. */
static int commit_pending(struct engine *s, struct db_txn *txn, int got, struct err *err)
{
	size_t i;

	assert(mutex_held(&s->writer));
	for (i = 0; i < s->pending_count && got == 0; i++)
		got = store_row_put(txn, STORE_CHUNKS, s->pending[i].key, &s->pending[i].row, err);
	if (got != 0 || engine_put_state(s, txn, err) != 0) {
		db_abort(txn);
		s->failed = true;
		return -1;
	}
	if (engine_end(s, txn, 0, err) != 0)
		return -1;
	mutex_lock(&s->lock);
	s->pending_count = 0;
	memset(s->slots, 0, 4 * (size_t)ENGINE_PENDING_MAX * sizeof *s->slots);
	mutex_unlock(&s->lock);
	s->unflushed = 0;
	return 0;
}

int engine_flush_all(struct engine *s, struct err *err)
{
	struct db_txn *txn;

	assert(mutex_held(&s->writer));
	if (check_works(s, err) != 0)
		return -1;
	if (s->pending_count == 0)
		return 0;
	if (engine_sync(s, err) != 0 || db_begin(s->db, true, &txn, err) != 0) {
		s->failed = true;
		return -1;
	}
	return commit_pending(s, txn, 0, err);
}

int engine_flush(struct engine *s, struct err *err)
{
	int got;

	mutex_lock(&s->writer);
	got = engine_flush_all(s, err);
	mutex_unlock(&s->writer);
	return got;
}

int engine_write_time(
	struct engine *s, enum store_block kind, const uint8_t *id, int64_t time, struct err *err)
{
	assert(mutex_held(&s->writer));
	uint8_t *to = s->block + PACK_BLOCK_HEADER;
	struct pack_block block = {
		.kind = (uint8_t)kind, .seq = s->meta.seq, .stored_len = STORE_DUMP_ID + 8};
	struct store_place place;
	struct db_txn *txn;
	int got;

	memcpy(to, id, STORE_DUMP_ID);
	le_put64(to + STORE_DUMP_ID, (uint64_t)time);
	if (engine_append(s, kind, STORE_DUMP_ID + 8, &place, err) != 0 ||
		engine_sync(s, err) != 0 || db_begin(s->db, true, &txn, err) != 0)
		return -1;
	block.seq = s->meta.seq - 1;
	got = store_index_absorb(txn, &s->meta, place.volume, place.offset, &block, to, err);
	return commit_pending(s, txn, got, err);
}

/* --- chunks --------------------------------------------------------------- */

/* Finds a domain's number. A new one is made durable before any chunk of the domain. */
static int need_domain(struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err)
{
	struct store_meta meta = s->meta;
	struct db_txn *txn;
	int got = engine_domain_number(s, domain, number, err);

	assert(mutex_held(&s->writer));
	if (got != 1)
		return got;
	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	got = store_domain_make(txn, &meta, domain, number, err);
	if (got == 0)
		got = store_meta_put(txn, &meta, err);
	if (engine_end(s, txn, got, err) != 0)
		return -1;
	s->meta.domain = meta.domain;
	return 0;
}

/* Finds a chunk's row, in the index or pending. Returns 0; 1: no such chunk; -1 with err set. */
static int find_chunk(
	struct engine *s, const uint8_t *key, struct store_chunk_row *row, struct err *err)
{
	const struct engine_pending *pending;
	bool pends;

	/* No other thread moves rows from `pending` to the index now. */
	assert(mutex_held(&s->writer));
	mutex_lock(&s->lock);
	pending = engine_pending_find(s, key);
	pends = pending != NULL;
	if (pends)
		*row = pending->row;
	mutex_unlock(&s->lock);
	return pends ? 0 : engine_row(s, STORE_CHUNKS, key, row, err);
}

static int put_locked(struct engine *s, const char *agent, const uint8_t *domain,
	const struct store_record *record, size_t len, struct err *err)
{
	uint8_t key[STORE_INDEX_KEY], *to = s->block + PACK_BLOCK_HEADER;
	struct store_chunk_row row;
	uint32_t number;
	int got;

	assert(mutex_held(&s->writer));
	if (need_domain(s, domain, &number, err) != 0)
		return -1;
	store_chunk_key(number, record->id, key);
	got = find_chunk(s, key, &row, err);
	if (got < 0 || (got == 0 && !row.damaged))
		return got < 0 ? -1 : 1;
	if (engine_quota_take(s, agent, strlen(agent), number, STORE_DOMAIN_LEN + len, err) != 0)
		return -1;
	memcpy(to, domain, STORE_DOMAIN_LEN);
	memcpy(to + STORE_DOMAIN_LEN, record->head, len);
	row = (struct store_chunk_row){.raw_len = record->raw_len};
	if (engine_append(s, STORE_BLOCK_CHUNK, STORE_DOMAIN_LEN + len, &row.place, err) != 0)
		return -1;
	mutex_lock(&s->lock);
	add_pending(s, key, &row);
	mutex_unlock(&s->lock);
	s->unflushed += len;
	if (s->pending_count == ENGINE_PENDING_MAX || s->unflushed >= FLUSH_BYTES)
		return engine_flush_all(s, err);
	return 0;
}

int engine_put(struct engine *s, const char *agent, const uint8_t *domain, const uint8_t *bytes,
	size_t len, struct err *err)
{
	struct store_record record;
	struct buf content;
	int got = store_record_get(&record, bytes, len, err);

	if (got == 0 && record.wrap_count == 0) { /* open: compare content and id */
		buf_init(&content, STORE_CONTENT_MAX);
		got = store_record_content(&record, &content, err);
		buf_fini(&content);
	}
	if (got != 0)
		return -1;
	mutex_lock(&s->writer);
	got = put_locked(s, agent, domain, &record, len, err);
	mutex_unlock(&s->writer);
	return got;
}
