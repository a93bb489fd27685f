/*
 * Scrub: compares every block with its check, every row of the index with the block it names, and
 * every dump with the chunks.
 *
 * No lock is held: backups, forget and gc go on at the same time, in this process and in others.
 * Bytes below a volume's committed length never change, so what was read of them stays true. But
 * the index may have changed by the time a chunk is marked. So each transaction that changes rows
 * reads them again, and only changes those that still name the place that was read.
 *
 * Volumes are compared with the index in groups, as this takes a pass over the whole index: a group
 * is what was read in GROUP_SEC, or has good blocks that need GROUP_BYTES of memory here. The
 * results are written after each group, so a scrub that is killed loses no more than one. A scrub
 * that is stopped also writes them, unless the index is too large to pass over within STOP_SEC;
 * then the next scrub reads these volumes again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/store/care.h"
#include "cmd/store/listing.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

#define GROUP_BYTES (16u << 20)
#define GROUP_SEC   900
#define STOP_SEC    1
#define PAUSE_SEC   0.5 /* at most in one sleep */

/* A volume, and when it was checked last. */
struct turn {
	uint32_t number;
	uint64_t len;
	int64_t checked;
};

struct scrub {
	struct engine *store;
	const struct engine_scrub_options *o;
	struct timespec began;
	store_problem *problem;
	void *ctx;
	struct store_checked *result;
	struct buf group; /* struct seen: volumes read, but not yet compared with the index */
	double group_began;
	double stopped;       /* when `stop` was noticed; 0: not yet */
	uint32_t reading;     /* the volume being read */
	struct buf good;      /* offsets of good CHUNK blocks in the group, 32 bits each */
	struct buf holes;     /* struct hole: damaged ranges in the group */
	struct buf bad;       /* struct engine_bad: chunks whose mark is wrong */
	struct buf bad_dumps; /* the same for dumps */
};

/* A volume that was read. */
struct seen {
	uint32_t number;
	uint64_t len;       /* committed length; what lies beyond was written since */
	uint64_t there;     /* bytes of that which its file has */
	size_t good, goods; /* first index in .good, and count; both lists ascend by offset */
	size_t hole, holes;
};

/* A damaged range of a volume. If nothing in it is needed any more (it is garbage, or was put again
 * elsewhere), this is not damage: gc will remove it. */
struct hole {
	uint64_t at, len;
	bool block;  /* its header is good */
	bool needed; /* the index names something in it, or its block is kept for ever */
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

/* Seconds since the scrub began. */
static double passed(const struct scrub *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - s->began.tv_sec) +
	       (double)(now.tv_nsec - s->began.tv_nsec) / 1e9;
}

static bool is_stopped(const struct scrub *s)
{
	return s->o->stop != NULL && atomic_load(s->o->stop);
}

/* Whether the scrub was told to stop, at least STOP_SEC ago. */
static bool is_late(struct scrub *s)
{
	if (!is_stopped(s))
		return false;
	if (s->stopped == 0)
		s->stopped = passed(s);
	return passed(s) - s->stopped >= STOP_SEC;
}

/* Sleeps until the rate allows to read on, or the scrub is stopped. */
static void slow_down(const struct scrub *s)
{
	struct timespec pause = {0, 0};
	double left;

	while (s->o->rate > 0 && !is_stopped(s)) {
		left = (double)s->result->bytes / (double)s->o->rate - passed(s);
		if (left <= 0)
			return;
		pause.tv_nsec = (long)((left < PAUSE_SEC ? left : PAUSE_SEC) * 1e9);
		nanosleep(&pause, NULL);
	}
}

static bool known(void *ctx, uint64_t offset)
{
	const struct scrub *s = ctx;

	return engine_was_read(s->store, s->reading, offset);
}

static int met(void *ctx, uint64_t offset, const struct pack_block *block, const uint8_t *payload,
	uint64_t len, struct err *err)
{
	struct scrub *s = ctx;
	uint32_t at = (uint32_t)offset;

	s->result->bytes += len;
	slow_down(s);
	if (is_stopped(s))
		return 1;
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

	if (x->checked != y->checked)
		return x->checked < y->checked ? -1 : 1;
	return engine_by_number(a, b);
}

static int list_volumes(struct scrub *s, struct buf *turns, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_volume_row row;
	struct db_txn *txn;
	struct turn turn;
	int got;

	if (db_begin(s->store->db, false, &txn, err) != 0)
		return -1;
	got = store_index_check(txn, err);
	while (got == 0 && (got = store_volume_next(txn, &at, &turn.number, &row, err)) == 0) {
		turn.len = row.len;
		turn.checked = row.checked;
		/* A new volume has no committed bytes; even its file may not exist yet. */
		if (row.state == STORE_VOLUME_LIVE && row.len > 0)
			got = buf_add(turns, &turn, sizeof turn, err);
	}
	db_abort(txn);
	if (turns->len > 0)
		qsort(turns->data, turns->len / sizeof turn, sizeof turn, by_checked);
	return got < 0 ? -1 : 0;
}

static bool is_good(const struct scrub *s, const struct seen *v, uint32_t offset)
{
	const uint32_t *at = (const uint32_t *)(const void *)s->good.data;

	return v->goods > 0 &&
	       bsearch(&offset, at + v->good, v->goods, sizeof *at, engine_by_number) != NULL;
}

/* --- marking --------------------------------------------------------------- */

/* Writes marks to a table, and clears the list. */
static int mark(struct scrub *s, enum store_table table, struct buf *all, struct err *err)
{
	const struct engine_bad *bad = (const struct engine_bad *)(const void *)all->data;
	size_t count = all->len / sizeof *bad, i = 0, end;
	struct db_txn *txn;
	int got = 0;

	while (i < count) {
		if (db_begin(s->store->db, true, &txn, err) != 0)
			return -1;
		for (end = count - i < DB_BATCH ? count : i + DB_BATCH; i < end && got == 0; i++)
			got = store_row_mark(
				txn, table, bad[i].key, &bad[i].place, !bad[i].good, err);
		if (engine_end(s->store, txn, got, err) != 0)
			return -1;
	}
	buf_clear(all);
	return 0;
}

static int note_checked(struct scrub *s, struct err *err)
{
	const struct seen *v = (const struct seen *)(const void *)s->group.data;
	struct store_volume_row row;
	struct db_txn *txn;
	size_t i;
	int got = 0;

	if (db_begin(s->store->db, true, &txn, err) != 0)
		return -1;
	for (i = 0; i < s->group.len / sizeof *v && got >= 0; i++) {
		got = store_row_get(txn, STORE_VOLUMES, &v[i].number, &row, err);
		if (got != 0 || row.state != STORE_VOLUME_LIVE)
			continue;
		row.checked = engine_now();
		got = store_row_put(txn, STORE_VOLUMES, &v[i].number, &row, err);
	}
	return engine_end(s->store, txn, got, err);
}

/* --- the index against the volumes ------------------------------------------ */

/* Returns 1; 0: gc has emptied the volume in the meantime; -1 with err set. */
static int is_live(struct scrub *s, uint32_t number, struct err *err)
{
	struct store_volume_row row = {.state = STORE_VOLUME_DEAD};
	int got = engine_row(s->store, STORE_VOLUMES, &number, &row, err);

	return got < 0 ? -1 : row.state == STORE_VOLUME_LIVE;
}

static int check_volume(struct scrub *s, const struct turn *turn, struct err *err)
{
	struct seen seen = {.number = turn->number,
		.len = turn->len,
		.good = s->good.len / sizeof(uint32_t),
		.hole = s->holes.len / sizeof(struct hole)};
	struct store_volume v;
	struct err why = {0};
	int got;

	if (store_volume_open(s->store->volumes, turn->number, false, &v, &why) != 0) {
		got = is_live(s, turn->number, err);
		if (got < 0)
			return -1;
		s->result->left--;
		if (got == 0)
			return 0;
		s->result->damaged++;
		s->problem(s->ctx, NULL, why.message);
		return buf_add(&s->group, &seen, sizeof seen, err);
	}
	seen.there = v.len < turn->len ? v.len : turn->len;
	if (v.len < turn->len) {
		s->result->damaged++;
		tell(s, "volume %08x: %llu bytes long, expected %llu", turn->number,
			(unsigned long long)v.len, (unsigned long long)turn->len);
	}
	s->reading = turn->number;
	got = store_volume_scan(&v, 0, turn->len, s->o->mark ? NULL : known, met, s, err);
	store_volume_close(&v);
	seen.goods = s->good.len / sizeof(uint32_t) - seen.good;
	seen.holes = s->holes.len / sizeof(struct hole) - seen.hole;
	if (got != 0 || is_stopped(s)) /* the volume may not be read to its end */
		return got;
	s->result->left--;
	return buf_add(&s->group, &seen, sizeof seen, err);
}

/* The volume of the group that has this place; NULL: none. */
static const struct seen *seen_at(const struct scrub *s, const struct store_place *place)
{
	const struct seen key = {.number = place->volume}, *v;

	v = bsearch(&key, s->group.data, s->group.len / sizeof key, sizeof key, engine_by_number);
	return v != NULL && place->offset < v->len ? v : NULL;
}

/* Compares an offset, given as a struct hole of no bytes, with a hole. */
static int by_range(const void *a, const void *b)
{
	const struct hole *place = a, *h = b;

	return place->at < h->at ? -1 : place->at >= h->at + h->len;
}

/* Notes that the block at an offset is needed. Returns whether it is good. */
static bool need(struct scrub *s, const struct seen *v, uint32_t offset)
{
	const struct hole place = {.at = offset};
	struct hole *h = (struct hole *)(void *)s->holes.data;

	h = v->holes > 0 ? bsearch(&place, h + v->hole, v->holes, sizeof *h, by_range) : NULL;
	if (h == NULL)
		return offset < v->there;
	h->needed = true;
	return false;
}

static int need_dumps(struct scrub *s, struct db_txn *txn, struct err *err)
{
	struct store_at at = {.len = 0};
	struct engine_bad bad = {.good = false};
	struct store_dump_row row;
	const struct seen *v;
	int got;

	while ((got = store_row_next(txn, STORE_DUMPS, &at, &row, err)) == 0) {
		if ((v = seen_at(s, &row.place)) == NULL)
			continue;
		bad.good = need(s, v, row.place.offset);
		bad.place = row.place;
		memcpy(bad.key, at.key, STORE_DUMP_ID);
		if (row.damaged == bad.good && buf_add(&s->bad_dumps, &bad, sizeof bad, err) != 0)
			return -1;
	}
	return got < 0 ? -1 : 0;
}

static void tell_holes(struct scrub *s, const struct seen *v)
{
	const struct hole *h = (const struct hole *)(const void *)s->holes.data;
	size_t i;

	for (i = v->hole; i < v->hole + v->holes; i++) {
		s->result->damaged += h[i].needed;
		s->result->stale += !h[i].needed;
		if (h[i].needed)
			tell(s, "volume %08x at %llu: %s", v->number, (unsigned long long)h[i].at,
				h[i].block ? "a block's checksum does not match"
					   : "bytes that are not a block");
	}
}

static int check_row(
	struct scrub *s, const uint8_t *key, const struct store_chunk_row *row, struct err *err)
{
	const struct seen *v = seen_at(s, &row->place);
	struct engine_bad bad = {.place = row->place};

	if (v == NULL)
		return 0;
	s->result->chunks++;
	need(s, v, row->place.offset);
	bad.good = is_good(s, v, row->place.offset);
	if (bad.good && !row->damaged)
		return 0;
	s->result->missing += !bad.good || !s->o->mark;
	memcpy(bad.key, key, sizeof bad.key);
	return row->damaged != bad.good ? 0 : buf_add(&s->bad, &bad, sizeof bad, err);
}

/* Finds rows whose chunk is not a good block of the group's volumes. Returns 0; 1: stopped; -1 with
 * err set. */
static int check_rows(struct scrub *s, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_chunk_row row;
	struct db_txn *txn;
	bool late = false;
	int got = 0;

	if (db_begin(s->store->db, false, &txn, err) != 0)
		return -1;
	while (got == 0 && !(late = is_late(s)) &&
		(got = store_row_next(txn, STORE_CHUNKS, &at, &row, err)) == 0)
		got = check_row(s, at.key, &row, err);
	if (got >= 0 && !late)
		got = need_dumps(s, txn, err);
	db_abort(txn);
	return got < 0 ? -1 : late;
}

/* Compares the volumes of the group with the index, and writes the results. */
static int settle(struct scrub *s, struct err *err)
{
	const struct seen *v = (const struct seen *)(const void *)s->group.data;
	size_t count = s->group.len / sizeof *v, i;
	int got;

	if (count == 0)
		return 0;
	qsort(s->group.data, count, sizeof *v, engine_by_number);
	got = check_rows(s, err);
	if (got != 0) /* 1: stopped, so it counts as if they were not read */
		return got < 0 ? -1 : 0;
	for (i = 0; i < count; i++)
		tell_holes(s, &v[i]);
	if (s->o->mark &&
		(mark(s, STORE_CHUNKS, &s->bad, err) != 0 ||
			mark(s, STORE_DUMPS, &s->bad_dumps, err) != 0 || note_checked(s, err) != 0))
		return -1;
	buf_clear(&s->group);
	buf_clear(&s->good);
	buf_clear(&s->holes);
	s->group_began = passed(s);
	return 0;
}

/* --- dumps ----------------------------------------------------------------- */

static int scrub_all(struct scrub *s, struct buf *turns, struct err *err)
{
	struct engine_check check = {.store = s->store,
		.problem = s->problem,
		.ctx = s->ctx,
		.result = s->result,
		.bad = &s->bad,
		.stop = s->o->stop};
	const struct turn *t;
	size_t i;

	if (list_volumes(s, turns, err) != 0)
		return -1;
	t = (const struct turn *)(const void *)turns->data;
	s->result->left = turns->len / sizeof *t;
	for (i = 0; i < turns->len / sizeof *t && !is_stopped(s); i++) {
		if (s->o->for_sec > 0 && passed(s) >= (double)s->o->for_sec)
			break;
		if (check_volume(s, &t[i], err) != 0)
			return -1;
		if ((s->good.len + s->holes.len >= GROUP_BYTES ||
			    passed(s) - s->group_began >= GROUP_SEC) &&
			settle(s, err) != 0)
			return -1;
	}
	if (settle(s, err) != 0)
		return -1;
	s->result->stopped = is_stopped(s);
	if (s->result->stopped)
		return 0;
	if (s->bad.len > 0)
		qsort(s->bad.data, s->bad.len / sizeof(struct engine_bad),
			sizeof(struct engine_bad), engine_bad_order);
	return engine_dumps(s->store, &(struct store_filter){0}, engine_check_dump, &check, err);
}

int engine_scrub(struct engine *store, const struct engine_scrub_options *options,
	store_problem *problem, void *ctx, struct store_checked *result, struct err *err)
{
	struct scrub s = {
		.store = store, .o = options, .problem = problem, .ctx = ctx, .result = result};
	struct buf turns = {.max = SIZE_MAX};
	int got;

	*result = (struct store_checked){0};
	clock_gettime(CLOCK_MONOTONIC, &s.began);
	buf_init(&s.group, SIZE_MAX);
	buf_init(&s.good, SIZE_MAX);
	buf_init(&s.bad, SIZE_MAX);
	buf_init(&s.bad_dumps, SIZE_MAX);
	buf_init(&s.holes, SIZE_MAX);
	got = scrub_all(&s, &turns, err);
	buf_fini(&s.group);
	buf_fini(&s.good);
	buf_fini(&s.bad);
	buf_fini(&s.bad_dumps);
	buf_fini(&s.holes);
	buf_fini(&turns);
	return got;
}
