/*
 * Checking: every block against its check, every row of the index against the
 * block it names, every dump against the chunks.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/store/care.h"
#include "cmd/store/inner.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

/* A volume, and when it was checked last. */
struct turn {
	uint32_t number;
	uint64_t len;
	int64_t checked;
};

struct scrub {
	struct store *store;
	bool mark;
	uint64_t rate;
	struct timespec began;
	store_problem *problem;
	void *ctx;
	struct store_checked *result;
	uint32_t volume;
	uint64_t len;     /* of the volume: what is behind was written since */
	struct buf good;  /* offsets of good CHUNK blocks of the volume, 32 bits each */
	struct buf bad;   /* keys of chunks that are not to be had, of all volumes */
	size_t marked;    /* so much of .bad is in the index */
	uint32_t domain;  /* of the dump that is checked */
	struct buf holes; /* struct hole: what is damaged in the volume */
};

/* A damaged range of a volume. What is not needed any more (put anew elsewhere,
 * or garbage) may be damaged: then it only waits for gc. */
struct hole {
	uint64_t at, len;
	bool block;  /* its header is good */
	bool needed; /* the index names something in it, or it is what is kept for ever */
};

static void tell(struct scrub *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct scrub *s, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	s->problem(s->ctx, NULL, text);
}

/* Waits until no more was read than the rate allows. */
static void slow_down(const struct scrub *s)
{
	struct timespec now, pause;
	double due, since;

	if (s->rate == 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	since = (double)(now.tv_sec - s->began.tv_sec) +
		(double)(now.tv_nsec - s->began.tv_nsec) / 1e9;
	due = (double)s->result->bytes / (double)s->rate;
	if (due <= since)
		return;
	pause.tv_sec = (time_t)(due - since);
	pause.tv_nsec = (long)((due - since - (double)pause.tv_sec) * 1e9);
	nanosleep(&pause, NULL);
}

static bool known(void *ctx, uint64_t offset)
{
	const struct scrub *s = ctx;

	return store_was_read(s->store, s->volume, offset);
}

static int met(void *ctx, uint64_t offset, const struct pack_block *block, const uint8_t *payload,
	uint64_t len, struct err *err)
{
	struct scrub *s = ctx;
	uint32_t at = (uint32_t)offset;

	s->result->bytes += len;
	slow_down(s);
	if (payload == NULL) {
		struct hole hole = {offset, len, block != NULL, false};

		hole.needed = block != NULL && block->kind != STORE_BLOCK_CHUNK &&
			      block->kind != STORE_BLOCK_DUMP;
		return buf_add(&s->holes, &hole, sizeof hole, err);
	}
	s->result->blocks++;
	return block->kind == STORE_BLOCK_CHUNK ? buf_add(&s->good, &at, sizeof at, err) : 0;
}

static int by_checked(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	return (x->checked > y->checked) - (x->checked < y->checked);
}

static int list_volumes(struct scrub *s, struct buf *turns, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct store_volume_row row;
	struct db_txn *txn;
	struct turn turn;
	int got;

	if (db_begin(s->store->db, false, &txn, err) != 0)
		return -1;
	while ((got = store_volume_next(txn, &key, &turn.number, &row, err)) == 0) {
		turn.len = row.len;
		turn.checked = row.checked;
		if (row.state == STORE_VOLUME_LIVE &&
			buf_add(turns, &turn, sizeof turn, err) != 0) {
			got = -1;
			break;
		}
	}
	db_abort(txn);
	if (turns->len > 0)
		qsort(turns->data, turns->len / sizeof turn, sizeof turn, by_checked);
	return got < 0 ? -1 : 0;
}

static bool is_good(const struct scrub *s, uint32_t offset)
{
	const uint32_t *at = (const uint32_t *)(const void *)s->good.data;
	size_t low = 0, high = s->good.len / sizeof *at;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (at[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->good.len / sizeof *at && at[low] == offset;
}

/* --- marking --------------------------------------------------------------- */

static int mark_bad(struct scrub *s, struct err *err)
{
	struct store_chunk_row row;
	struct db_txn *txn;
	size_t at;
	int got = 0;

	if (!s->mark || s->bad.len == s->marked)
		return 0;
	if (db_begin(s->store->db, true, &txn, err) != 0)
		return -1;
	for (at = s->marked; at < s->bad.len && got == 0; at += STORE_INDEX_KEY) {
		got = store_chunk_get(txn, s->bad.data + at, &row, err);
		row.damaged = true;
		if (got == 0)
			got = store_chunk_put(txn, s->bad.data + at, &row, err);
	}
	s->marked = s->bad.len;
	if (got == 0)
		return db_commit(txn, err);
	db_abort(txn);
	return -1;
}

static int note_checked(struct scrub *s, uint32_t number, struct err *err)
{
	struct store_volume_row row;
	struct db_txn *txn;
	int got;

	if (!s->mark)
		return 0;
	if (db_begin(s->store->db, true, &txn, err) != 0)
		return -1;
	got = store_volume_get(txn, number, &row, err);
	row.checked = store_now();
	if (got == 0)
		got = store_volume_put(txn, number, &row, err);
	if (got == 0)
		return db_commit(txn, err);
	db_abort(txn);
	return got < 0 ? -1 : 0;
}

/* --- the index against the volumes ------------------------------------------ */

/* Returns 1, or 0: gc has emptied it meanwhile; -1. */
static int is_live(struct scrub *s, uint32_t number, struct err *err)
{
	struct store_volume_row row = {.state = STORE_VOLUME_DEAD};
	struct db_txn *txn;
	int got;

	if (db_begin(s->store->db, false, &txn, err) != 0)
		return -1;
	got = store_volume_get(txn, number, &row, err);
	db_abort(txn);
	return got < 0 ? -1 : row.state == STORE_VOLUME_LIVE;
}

static int check_volume(struct scrub *s, const struct turn *turn, struct err *err)
{
	struct store_volume v;
	struct err why = {0};
	int got;

	s->volume = turn->number;
	s->len = turn->len;
	buf_clear(&s->good);
	buf_clear(&s->holes);
	if (store_volume_open(s->store->volumes, turn->number, false, &v, &why) != 0) {
		got = is_live(s, turn->number, err);
		if (got <= 0)
			return got;
		s->result->damaged++;
		s->problem(s->ctx, NULL, why.message);
		return 0;
	}
	if (v.len < turn->len) {
		s->result->damaged++;
		tell(s, "volume %08x: has %llu bytes, and had %llu", turn->number,
			(unsigned long long)v.len, (unsigned long long)turn->len);
	}
	got = store_volume_scan(&v, 0, turn->len, s->mark ? NULL : known, met, s, err);
	store_volume_close(&v);
	return got;
}

/* What is at an offset is needed. */
static void need(struct scrub *s, const struct store_place *place)
{
	struct hole *h = (struct hole *)(void *)s->holes.data;
	size_t i;

	if (place->volume != s->volume)
		return;
	for (i = 0; i < s->holes.len / sizeof *h; i++)
		if (place->offset >= h[i].at && place->offset < h[i].at + h[i].len)
			h[i].needed = true;
}

static int need_dumps(struct scrub *s, struct db_txn *txn, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct store_dump_row row;
	int got;

	while ((got = store_dump_row_next(txn, &key, &row, err)) == 0)
		need(s, &row.place);
	return got < 0 ? -1 : 0;
}

static void tell_holes(struct scrub *s)
{
	const struct hole *h = (const struct hole *)(const void *)s->holes.data;
	size_t i;

	for (i = 0; i < s->holes.len / sizeof *h; i++) {
		s->result->damaged += h[i].needed;
		s->result->stale += !h[i].needed;
		if (h[i].needed)
			tell(s, "volume %08x at %llu: %s", s->volume, (unsigned long long)h[i].at,
				h[i].block ? "a block does not agree with its check"
					   : "bytes that are no block");
	}
}

/* Rows whose chunk is not a good block of this volume. */
static int check_rows(struct scrub *s, struct err *err)
{
	struct db_bytes key = {NULL, 0};
	struct store_chunk_row row;
	struct db_txn *txn;
	int got;

	if (db_begin(s->store->db, false, &txn, err) != 0)
		return -1;
	while ((got = store_chunk_next(txn, &key, &row, err)) == 0) {
		if (row.place.volume != s->volume || row.place.offset >= s->len)
			continue;
		s->result->chunks++;
		need(s, &row.place);
		if (is_good(s, row.place.offset) && !row.damaged)
			continue;
		s->result->missing++;
		if (buf_add(&s->bad, key.at, STORE_INDEX_KEY, err) != 0) {
			got = -1;
			break;
		}
	}
	if (got >= 0)
		got = need_dumps(s, txn, err);
	db_abort(txn);
	if (got == 0)
		tell_holes(s);
	return got;
}

/* --- dumps ----------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, STORE_INDEX_KEY);
}

/* Whether a chunk is one of those that were found to be bad: 1, or 0. */
static int look_for_bad(void *ctx, const uint8_t *id, struct err *err)
{
	const struct scrub *s = ctx;
	uint8_t key[STORE_INDEX_KEY];

	(void)err;
	store_chunk_key(s->domain, id, key);
	return bsearch(key, s->bad.data, s->bad.len / sizeof key, sizeof key, by_key) != NULL;
}

/* Whether a dump has all that it needs, by the index and by what was read. Returns 0, 1 or -1. */
static int is_whole(struct scrub *s, const struct store_dump *dump, struct err *err)
{
	struct db_txn *txn;
	int got;

	if (db_begin(s->store->db, false, &txn, err) != 0)
		return -1;
	got = store_whole(s->store, txn, dump, NULL, err);
	db_abort(txn);
	if (got != 0 || s->bad.len == 0)
		return got;
	got = store_domain_number(s->store, dump->domain, &s->domain, err);
	return got != 0 ? got : store_list_walk(s->store, dump, look_for_bad, s, NULL, err);
}

static int check_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct scrub *s = ctx;
	struct store_dump_row row;
	struct err why = {0};
	int got = 1;

	s->result->dumps++;
	if (e->record != NULL) {
		got = is_whole(s, &e->dump, &why);
		if (got < 0 && why.code != ERR_FORMAT && why.code != ERR_DAMAGE) {
			*err = why;
			return -1;
		}
	}
	if (got == 0)
		return 0;
	got = store_dump_now(s->store, e->dump.id, &row, err);
	if (got != 0) /* deleted meanwhile, and its chunks collected */
		return got < 0 ? -1 : 0;
	s->result->incomplete++;
	s->problem(s->ctx, e,
		e->record != NULL ? "is not whole: chunks of it are missing or damaged"
				  : "its record can't be read");
	return 0;
}

static int scrub_all(struct scrub *s, struct buf *turns, struct err *err)
{
	const struct turn *t;
	size_t i;

	if (list_volumes(s, turns, err) != 0)
		return -1;
	t = (const struct turn *)(const void *)turns->data;
	for (i = 0; i < turns->len / sizeof *t; i++)
		if (check_volume(s, &t[i], err) != 0 || check_rows(s, err) != 0 ||
			mark_bad(s, err) != 0 || note_checked(s, t[i].number, err) != 0)
			return -1;
	if (s->bad.len > 0)
		qsort(s->bad.data, s->bad.len / STORE_INDEX_KEY, STORE_INDEX_KEY, by_key);
	return store_dumps(s->store, check_dump, s, err);
}

int store_scrub(struct store *store, bool mark, uint64_t rate, store_problem *problem, void *ctx,
	struct store_checked *result, struct err *err)
{
	struct scrub s = {.store = store,
		.mark = mark,
		.rate = rate,
		.problem = problem,
		.ctx = ctx,
		.result = result};
	struct buf turns;
	int got;

	*result = (struct store_checked){0};
	clock_gettime(CLOCK_MONOTONIC, &s.began);
	buf_init(&s.good, SIZE_MAX);
	buf_init(&s.bad, SIZE_MAX);
	buf_init(&s.holes, SIZE_MAX);
	buf_init(&turns, SIZE_MAX);
	if (mark)
		pthread_mutex_lock(&store->writer);
	got = scrub_all(&s, &turns, err);
	if (mark)
		pthread_mutex_unlock(&store->writer);
	buf_fini(&s.good);
	buf_fini(&s.bad);
	buf_fini(&s.holes);
	buf_fini(&turns);
	return got;
}
