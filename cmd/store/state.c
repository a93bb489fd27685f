/* Functions that all other files of the engine need. Nothing here writes to a volume. */
#include "cmd/store/state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"

#define DOMAINS_MAX 256 /* domains in the cache */

int64_t engine_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

const uint8_t *engine_uid(const struct engine *s)
{
	return s->uid;
}

const uint8_t *engine_public(const struct engine *s)
{
	return s->public;
}

bool engine_failed(struct engine *s)
{
	return atomic_load(&s->failed);
}

int engine_volumes(struct engine *s, uint64_t *count, uint64_t *bytes, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_volume_row volume;
	struct db_txn *txn;
	uint32_t number;
	int got;

	*count = *bytes = 0;
	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	while ((got = store_volume_next(txn, &at, &number, &volume, err)) == 0)
		if (volume.state == STORE_VOLUME_LIVE) {
			++*count;
			*bytes += volume.len;
		}
	db_abort(txn);
	return got < 0 ? -1 : 0;
}

int engine_space(struct engine *s, uint64_t *size, uint64_t *free, struct err *err)
{
	struct statvfs vfs;

	if (fstatvfs(s->volumes, &vfs) != 0)
		return err_errno(err, errno, "%s", s->path);
	*size = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	*free = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

int engine_about(struct engine *s, struct store_about *about, struct err *err)
{
	uint64_t count;

	*about = (struct store_about){.time = engine_now(), .reserve = s->reserve};
	if (engine_space(s, &about->size, &about->free, err) != 0)
		return -1;
	return engine_volumes(s, &count, &about->used, err);
}

/* --- finding -------------------------------------------------------------- */

int engine_by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int engine_row(
	struct engine *s, enum store_table table, const void *key, void *row, struct err *err)
{
	struct db_txn *txn;
	int got;

	if (db_begin(s->db, false, &txn, err) != 0)
		return -1;
	got = store_row_get(txn, table, key, row, err);
	db_abort(txn);
	return got;
}

int engine_domain_number(struct engine *s, const uint8_t *domain, uint32_t *number, struct err *err)
{
	void *grown;
	size_t i;
	int got;

	mutex_lock(&s->lock);
	for (i = 0; i < s->domain_count; i++)
		if (memcmp(s->domains[i].domain, domain, STORE_DOMAIN_LEN) == 0)
			break;
	if (i < s->domain_count)
		*number = s->domains[i].number;
	got = i == s->domain_count;
	mutex_unlock(&s->lock);
	if (got == 0)
		return 0;
	got = engine_row(s, STORE_DOMAINS, domain, number, err);
	if (got != 0)
		return got;
	mutex_lock(&s->lock);
	grown = s->domain_count < DOMAINS_MAX
			? realloc(s->domains, (s->domain_count + 1) * sizeof *s->domains)
			: NULL;
	if (grown != NULL) {
		s->domains = grown;
		memcpy(s->domains[s->domain_count].domain, domain, STORE_DOMAIN_LEN);
		s->domains[s->domain_count++].number = *number;
	}
	mutex_unlock(&s->lock);
	return 0;
}

const struct engine_pending *engine_pending_find(const struct engine *s, const uint8_t *key)
{
	size_t mask = 4 * (size_t)ENGINE_PENDING_MAX - 1, at;

	assert(mutex_held(&s->lock));
	if (s->pending_count == 0)
		return NULL;
	for (at = hash_xxh3(key, STORE_INDEX_KEY) & mask; s->slots[at] != 0; at = (at + 1) & mask)
		if (memcmp(s->pending[s->slots[at] - 1].key, key, STORE_INDEX_KEY) == 0)
			return &s->pending[s->slots[at] - 1];
	return NULL;
}

bool engine_is_lost(const struct engine *s, const struct store_place *place)
{
	const struct engine_cut key = {.volume = place->volume}, *cut;

	if (s->cut.len == 0)
		return false;
	cut = bsearch(&key, s->cut.data, s->cut.len / sizeof key, sizeof key, engine_by_number);
	return cut != NULL && (uint64_t)place->offset + PACK_BLOCK_HEADER + place->len > cut->len;
}

/* --- reading a block ------------------------------------------------------ */

static uint64_t mark_of(uint32_t volume, uint64_t offset)
{
	const uint64_t place[2] = {volume, offset};

	return hash_xxh3(place, sizeof place);
}

void engine_note_reads(struct engine *s)
{
	s->notes = true;
}

/* If there is no memory for the note, the block is read again. */
static void note_read(struct engine *s, const struct store_place *place)
{
	mutex_lock(&s->lock);
	store_marks_add(&s->read, mark_of(place->volume, place->offset), NULL);
	mutex_unlock(&s->lock);
}

bool engine_was_read(struct engine *s, uint32_t volume, uint64_t offset)
{
	bool was;

	mutex_lock(&s->lock);
	was = store_marks_has(&s->read, mark_of(volume, offset));
	mutex_unlock(&s->lock);
	return was;
}

int engine_read_place(struct engine *s, const struct store_place *place, struct pack_block *block,
	struct buf *out, struct err *err)
{
	struct store_volume volume;
	int got;

	if (store_volumes_take(&s->reading, s->volumes, place->volume, &volume, err) != 0)
		return -1;
	got = store_volume_read(&volume, place->offset, place->len, block, out, err);
	store_volumes_give(&s->reading, &volume);
	if (got == 0 && s->notes)
		note_read(s, place);
	return got;
}

/* --- the index ------------------------------------------------------------ */

int engine_end(struct engine *s, struct db_txn *txn, int got, struct err *err)
{
	if (got < 0) {
		db_abort(txn);
		return -1;
	}
	if (db_commit(txn, err) == 0)
		return 0;
	s->failed = true; /* it is unknown whether it is on disk */
	return -1;
}

int engine_put_meta(struct engine *s, struct err *err)
{
	struct db_txn *txn;

	assert(mutex_held(&s->writer));
	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	return engine_end(s, txn, store_meta_put(txn, &s->meta, err), err);
}
