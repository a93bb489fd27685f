/*
 * Garbage collection: marks the chunks in the lists of all dumps, then rewrites volumes that are
 * mostly garbage. It holds the writer's lock, so that nothing is put or committed in the meantime.
 */
#include "cmd/store/care.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/store/listing.h"
#include "cmd/store/lock.h"
#include "cmd/store/lost.h"
#include "cmd/store/quota.h"
#include "cmd/store/state.h"
#include "cmd/store/write.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"

/* The chunks that are needed are a set of hashes of their keys. If two keys have the same hash,
 * some garbage is kept; nothing is lost. */
static uint64_t hash_of(const uint8_t key[STORE_INDEX_KEY])
{
	return hash_xxh3(key, STORE_INDEX_KEY);
}

struct gc {
	struct engine *store;
	struct store_marks marks;
	uint32_t domain; /* of the dump being marked */
	struct engine_gc_options o;
	struct engine_gc_result *result;
	uint64_t kept; /* bytes of all DELETE and LOCK blocks */
	/* The sweep. */
	uint32_t victim;
	struct store_volume out; /* fd -1: none */
	uint64_t settled;        /* bytes of it that are committed */
	uint64_t made;           /* bytes of blocks copied */
	uint64_t last_seq;
	bool rewritten; /* all DELETE and LOCK blocks were written again */
	struct db_txn *txn;
};

static int mark_chunk(void *ctx, const uint8_t *id, struct err *err)
{
	struct gc *g = ctx;
	uint8_t key[STORE_INDEX_KEY];

	store_chunk_key(g->domain, id, key);
	return store_marks_add(&g->marks, hash_of(key), err) < 0 ? -1 : 0;
}

static int mark_dump(void *ctx, const struct store_entry *e, struct err *err)
{
	struct gc *g = ctx;
	size_t i;
	int got;

	if (e->record == NULL)
		return err_set(err, ERR_DAMAGE,
			"a dump's record can't be read: nothing is collected until it is repaired "
			"(fdump store replicate) or deleted (fdump forget)");
	got = engine_domain_number(g->store, e->dump.domain, &g->domain, err);
	if (got != 0)
		return got < 0 ? -1 : 0; /* the store has no chunks of this domain */
	for (i = 0; i < e->dump.list_count; i++)
		if (mark_chunk(g, e->dump.lists + i * STORE_ID_LEN, err) != 0)
			return -1;
	got = engine_list_walk(g->store, &e->dump, mark_chunk, g, NULL, err);
	if (got == 1)
		return err_set(err, ERR_DAMAGE,
			"a dump's list of chunks is damaged: nothing is collected until it is "
			"repaired (fdump store replicate) or the dump is deleted (fdump forget)");
	return got;
}

/* --- how much of each volume is needed ------------------------------------ */

/* How much of a volume is needed. Sorted by number. */
struct share {
	uint32_t volume;
	uint64_t len;  /* committed length */
	uint64_t cost; /* bytes that rewriting needs; 0: not rewritten */
	uint64_t file; /* length of its file, which rewriting frees */
	uint64_t live;
	uint64_t rows; /* of undamaged chunks, and dumps, that lie in it */
	bool needed;   /* a dump needs something in it, even if that is damaged */
};

static struct share *share_of(struct buf *shares, uint32_t volume)
{
	const struct share key = {.volume = volume};

	return shares->len == 0 ? NULL
				: bsearch(&key, shares->data, shares->len / sizeof key, sizeof key,
					  engine_by_number);
}

/* Bytes of a volume's first block, which .live does not count; and of a DELETE or LOCK block. */
#define FIRST_BYTES (PACK_BLOCK_HEADER + 1 + STORE_UID_LEN)
#define TIME_BYTES  (PACK_BLOCK_HEADER + STORE_DUMP_ID + 8)

/* Adds the chunks or dumps to the shares of their volumes. All dumps are needed. */
static int add_rows(struct gc *g, struct db_txn *txn, enum store_table table, struct buf *shares,
	struct err *err)
{
	struct store_at at = {.len = 0};
	union store_block_row row;
	struct share *s;
	bool needed;
	int got;

	while ((got = store_row_next(txn, table, &at, &row, err)) == 0) {
		s = share_of(shares, row.any.place.volume);
		if (s == NULL)
			continue;
		needed = table == STORE_DUMPS || store_marks_has(&g->marks, hash_of(at.key));
		s->needed |= needed;
		if (table == STORE_CHUNKS && row.any.damaged)
			continue;
		s->rows++;
		if (needed)
			s->live += PACK_BLOCK_HEADER + row.any.place.len;
	}
	return got < 0 ? -1 : 0;
}

static int measure(struct gc *g, struct buf *shares, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_volume_row volume;
	struct share one = {0};
	uint64_t deleted, locks;
	struct db_txn *txn;
	int got = 0;

	if (db_begin(g->store->db, false, &txn, err) != 0)
		return -1;
	while (got == 0 && (got = store_volume_next(txn, &at, &one.volume, &volume, err)) == 0) {
		one.len = volume.len;
		if (volume.state == STORE_VOLUME_LIVE)
			got = buf_add(shares, &one, sizeof one, err);
	}
	/* The index does not say where DELETE and LOCK blocks lie, so all are counted for each
	 * volume. */
	if (got < 0 || add_rows(g, txn, STORE_CHUNKS, shares, err) != 0 ||
		add_rows(g, txn, STORE_DUMPS, shares, err) != 0 ||
		db_count(txn, STORE_DELETED, &deleted, err) != 0 ||
		db_count(txn, STORE_LOCKS, &locks, err) != 0)
		got = -1;
	else
		g->kept = (deleted + locks) * TIME_BYTES;
	db_abort(txn);
	return got < 0 ? -1 : 0;
}

/* --- sweeping -------------------------------------------------------------- */

/* Syncs the copied blocks, and enters the new volume into the transaction. */
static int settle(struct gc *g, struct err *err)
{
	struct store_volume_row row;

	if (g->out.fd < 0)
		return 0;
	if (engine_sync_volume(g->store, &g->out, true, err) != 0 ||
		store_row_get(g->txn, STORE_VOLUMES, &g->out.number, &row, err) != 0)
		return -1;
	row.state = STORE_VOLUME_LIVE;
	row.len = g->out.len;
	if (store_row_put(g->txn, STORE_VOLUMES, &g->out.number, &row, err) != 0)
		return -1;
	return store_meta_put(g->txn, &g->store->meta, err);
}

/* The output volume is full in the middle of a sweep. Commit it now: later transactions only deal
 * with the next one. */
static int settle_full(struct gc *g, struct err *err)
{
	int got;

	if (db_begin(g->store->db, true, &g->txn, err) != 0)
		return -1;
	got = settle(g, err);
	if (got == 0)
		g->settled = g->out.len;
	return engine_end(g->store, g->txn, got, err);
}

/* Removes the blocks copied from a volume that stays after all. Not after a failed sync or commit:
 * then it is unknown what is on disk. */
static void undo(struct gc *g)
{
	if (g->out.fd < 0 || g->store->failed)
		return;
	g->made -= g->out.len - (g->settled > 0 ? g->settled : FIRST_BYTES);
	if (g->settled > 0 && ftruncate(g->out.fd, (off_t)g->settled) == 0) {
		g->out.len = g->settled;
		return;
	}
	store_volume_close(&g->out);
	if (g->settled == 0) /* its row goes when the store is opened next */
		store_volume_remove(g->store->volumes, g->out.number, NULL);
}

/* Makes sure that g->out can take this block: it has room, and all its blocks are older. */
static int open_out(struct gc *g, uint64_t seq, struct err *err)
{
	if (g->out.fd >= 0 && g->out.len < STORE_VOLUME_FULL && seq > g->last_seq)
		return 0;
	if (g->out.fd >= 0 && g->out.len >= STORE_VOLUME_FULL && settle_full(g, err) != 0)
		return -1;
	store_volume_close(&g->out);
	g->settled = 0;
	return engine_new_volume(
		g->store, STORE_VOLUME_BUILDING, seq > 0 ? seq - 1 : 0, &g->out, err);
}

/* A block that was moved: the index is updated when the new volume is on disk. */
struct moved {
	uint8_t key[STORE_INDEX_KEY]; /* of a chunk; of a dump: its id */
	bool dump, dead;              /* dead: a chunk to remove from the index */
	struct store_place place;
};

struct sweep {
	struct gc *gc;
	struct buf moved; /* struct moved */
	uint64_t met;     /* undamaged rows of the index whose block was found */
	bool lost;        /* a damaged range may have been a DELETE or LOCK block */
};

static int copy_block(struct sweep *w, const struct pack_block *block, const uint8_t *payload,
	struct store_place *place, struct err *err)
{
	struct gc *g = w->gc;
	uint64_t offset;

	if (open_out(g, block->seq, err) != 0)
		return -1;
	memcpy(g->store->block + PACK_BLOCK_HEADER, payload, block->stored_len);
	if (store_volume_append(&g->out, (enum store_block)block->kind, block->seq, g->store->block,
		    block->stored_len, &offset, err) != 0)
		return -1;
	g->made += PACK_BLOCK_HEADER + block->stored_len;
	g->last_seq = block->seq;
	*place = (struct store_place){g->out.number, (uint32_t)offset, block->stored_len};
	return 0;
}

/* Whether the index names this very block. */
static bool same_place(const struct store_place *place, uint32_t volume, uint64_t offset)
{
	return place->volume == volume && place->offset == offset;
}

/* Sets err: the index lacks a good block that is needed. Returns -1. */
static int lacks(struct err *err)
{
	return err_set(err, ERR_DAMAGE,
		"index: chunks or dumps of the volumes are missing in it (fdump store rebuild "
		"repairs it)");
}

static int sweep_chunk(struct sweep *w, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, struct err *err)
{
	struct gc *g = w->gc;
	struct store_chunk_row row;
	struct store_record record;
	struct moved m = {.dump = false};
	uint32_t domain;
	int got;

	if (block->stored_len < STORE_DOMAIN_LEN ||
		store_record_get(&record, payload + STORE_DOMAIN_LEN,
			block->stored_len - STORE_DOMAIN_LEN, NULL) != 0)
		return 0;
	got = engine_domain_number(g->store, payload, &domain, err);
	if (got != 0)
		return got < 0 ? -1 : lacks(err);
	store_chunk_key(domain, record.id, m.key);
	m.dead = !store_marks_has(&g->marks, hash_of(m.key));
	got = engine_row(g->store, STORE_CHUNKS, m.key, &row, err);
	if (got == 1 && !m.dead)
		return lacks(err);
	if (got != 0 || !same_place(&row.place, g->victim, offset))
		return got < 0 ? -1 : 0;
	w->met += !row.damaged; /* a row marked as damaged was not counted in .rows */
	if (!m.dead && copy_block(w, block, payload, &m.place, err) != 0)
		return -1;
	g->result->chunks += m.dead;
	return buf_add(&w->moved, &m, sizeof m, err);
}

static int sweep_dump(struct sweep *w, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, struct err *err)
{
	struct moved m = {.dump = true};
	struct store_dump_row row;
	struct store_dump dump;
	int64_t deleted;
	int got;

	if (block->stored_len <= STORE_DUMP_HEAD ||
		store_dump_get(&dump, payload + STORE_DUMP_HEAD,
			block->stored_len - STORE_DUMP_HEAD, NULL) != 0)
		return 0;
	got = engine_row(w->gc->store, STORE_DUMPS, dump.id, &row, err);
	/* A dump that is neither in the index nor deleted. If a page of LMDB is damaged, a walk may
	 * find a row that a look-up does not. */
	if (got == 1) {
		got = engine_row(w->gc->store, STORE_DELETED, dump.id, &deleted, err);
		return got == 1 ? lacks(err) : got;
	}
	if (got != 0 || !same_place(&row.place, w->gc->victim, offset))
		return got < 0 ? -1 : 0;
	w->met++;
	memcpy(m.key, dump.id, STORE_DUMP_ID);
	if (copy_block(w, block, payload, &m.place, err) != 0)
		return -1;
	return buf_add(&w->moved, &m, sizeof m, err);
}

static int sweep_block(void *ctx, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, uint64_t len, struct err *err)
{
	struct sweep *w = ctx;
	struct store_place place;

	(void)len;
	if (payload == NULL) {
		w->lost |= block == NULL || block->kind == STORE_BLOCK_DELETE ||
			   block->kind == STORE_BLOCK_LOCK;
		return 0;
	}
	switch (block->kind) {
	case STORE_BLOCK_CHUNK:
		return sweep_chunk(w, offset, block, payload, err);
	case STORE_BLOCK_DUMP:
		return sweep_dump(w, offset, block, payload, err);
	case STORE_BLOCK_DELETE:
	case STORE_BLOCK_LOCK: /* are kept for ever */
		return copy_block(w, block, payload, &place, err);
	default:
		return 0;
	}
}

/* Writes all rows of a table as new blocks: the old ones may be damaged, but the index has them. */
static int rewrite(struct sweep *w, enum store_table table, enum store_block kind, struct err *err)
{
	struct gc *g = w->gc;
	struct pack_block block = {.kind = (uint8_t)kind, .stored_len = STORE_DUMP_ID + 8};
	uint8_t payload[STORE_DUMP_ID + 8];
	struct store_at at = {.len = 0};
	struct store_place place;
	struct db_txn *txn;
	int64_t time;
	int got = 0;

	if (db_begin(g->store->db, false, &txn, err) != 0)
		return -1;
	while (got == 0 && (got = store_row_next(txn, table, &at, &time, err)) == 0) {
		memcpy(payload, at.key, STORE_DUMP_ID);
		le_put64(payload + STORE_DUMP_ID, (uint64_t)time);
		block.seq = g->store->meta.seq++;
		got = copy_block(w, &block, payload, &place, err);
	}
	db_abort(txn);
	return got < 0 ? -1 : 0;
}

/* A damaged range may have held DELETE or LOCK blocks, and nobody knows which: write all again. */
static int rewrite_all(struct sweep *w, struct err *err)
{
	if (w->gc->rewritten)
		return 0;
	w->gc->rewritten = true;
	if (rewrite(w, STORE_DELETED, STORE_BLOCK_DELETE, err) != 0)
		return -1;
	return rewrite(w, STORE_LOCKS, STORE_BLOCK_LOCK, err);
}

/* Writes the new places into the transaction. */
static int put_moved(struct gc *g, const struct buf *moved, struct err *err)
{
	const struct moved *m = (const struct moved *)(const void *)moved->data, *end;
	union store_block_row row;

	for (end = m + moved->len / sizeof *m; m < end; m++) {
		enum store_table table = m->dump ? STORE_DUMPS : STORE_CHUNKS;

		if (m->dead) {
			if (store_row_del(g->txn, table, m->key, err) < 0)
				return -1;
			continue;
		}
		if (store_row_get(g->txn, table, m->key, &row, err) != 0)
			return -1;
		row.any.place = m->place;
		row.any.damaged = false; /* a scrub may have marked the old place */
		if (store_row_put(g->txn, table, m->key, &row, err) != 0)
			return -1;
	}
	return 0;
}

/* Rewrites one volume. */
static int sweep_volume(struct gc *g, const struct share *share, struct err *err)
{
	struct sweep w = {.gc = g};
	struct store_volume_row row = {.state = STORE_VOLUME_DEAD};
	struct store_volume v;
	uint32_t number = share->volume;
	uint32_t current = g->store->current.fd >= 0 ? g->store->current.number : 0;
	bool kept = false, rewritten = g->rewritten;
	int got;

	if (store_volume_open(g->store->volumes, number, false, &v, err) != 0)
		return -1;
	buf_init(&w.moved, SIZE_MAX);
	w.lost = v.len < share->len; /* its end is missing */
	g->victim = number;
	got = store_volume_scan(&v, 0, v.len, NULL, sweep_block, &w, err);
	/* The volume may only go if every block that the index has in it was found. */
	if (got == 0 && w.met < share->rows) {
		g->result->damaged++;
	} else if (got == 0 && (got = w.lost ? rewrite_all(&w, err) : 0) == 0) {
		if (db_begin(g->store->db, true, &g->txn, err) != 0)
			got = -1;
		else if (settle(g, err) != 0 || put_moved(g, &w.moved, err) != 0 ||
			 store_row_put(g->txn, STORE_VOLUMES, &number, &row, err) != 0) {
			db_abort(g->txn);
			got = -1;
		} else if ((got = engine_end(g->store, g->txn, 0, err)) == 0) {
			g->settled = g->out.len;
			kept = true;
			if (number == current)
				store_volume_close(&g->store->current);
			g->result->volumes++;
			g->result->bytes += v.len;
			store_volumes_forget(&g->store->reading, number);
			got = store_volume_remove(g->store->volumes, number, err);
		}
	}
	if (!kept) {
		undo(g);
		g->rewritten = rewritten;
	}
	buf_fini(&w.moved);
	store_volume_close(&v);
	return got;
}

static int by_cost(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if ((x->live > 0) != (y->live > 0)) /* a volume with no live blocks is simply deleted */
		return x->live > 0 ? 1 : -1;
	return x->cost != y->cost ? (x->cost > y->cost) - (x->cost < y->cost)
				  : engine_by_number(a, b);
}

/* Rewriting a volume may take its blocks, and a page of the index for each. */
#define INDEX_PAGE 4096

/* Gives a volume that is to be rewritten its cost. Adds a missing volume that nobody needs to
 * `lost`. */
static int choose(struct gc *g, struct share *s, struct buf *lost, struct err *err)
{
	struct store_volume v;
	struct err why = {0};

	if (store_volume_open(g->store->volumes, s->volume, false, &v, &why) != 0) {
		if (why.code == ERR_NOTFOUND && !s->needed)
			return buf_add(lost, &(struct engine_cut){.volume = s->volume},
				sizeof(struct engine_cut), err);
		g->result->damaged++;
		return 0;
	}
	s->file = v.len;
	store_volume_close(&v);
	/* Not for a few bytes: a volume's own first block is not garbage. */
	if (s->file < 4096 || s->live * 100 > s->file * g->o.keep_percent) {
		if (s->file > s->live + FIRST_BYTES)
			g->result->left += s->file - s->live - FIRST_BYTES;
		return 0;
	}
	s->cost = FIRST_BYTES + s->live + g->kept + (s->live > 0 ? s->rows * INDEX_PAGE : 0);
	return 0;
}

/* Bytes that may be used. A quarter of the reserve stays, for deletions and the index. */
static int free_space(const struct gc *g, uint64_t *bytes, struct err *err)
{
	uint64_t keep = g->store->reserve / 4, size;

	if (engine_space(g->store, &size, bytes, err) != 0)
		return -1;
	*bytes -= *bytes < keep ? *bytes : keep;
	return 0;
}

static void leave(struct gc *g, const struct share *s, uint64_t free)
{
	if (g->result->unfit++ > 0)
		return;
	g->result->wanted = s->cost;
	g->result->free = free;
}

/* Rewrites a volume if it fits; in a dry run only counts it. */
static int sweep_chosen(struct gc *g, const struct share *s, uint64_t *free, struct err *err)
{
	struct err why = {0};

	if (!g->o.dry_run && free_space(g, free, err) != 0)
		return -1;
	if (s->live > 0 && s->cost > *free) {
		leave(g, s, *free);
		return 0;
	}
	if (g->o.dry_run) {
		g->result->volumes++;
		g->result->bytes += s->file - s->live;
		*free += s->file - s->live;
		return 0;
	}
	if (sweep_volume(g, s, &why) == 0)
		return 0;
	if (why.code == ERR_NOSPACE && !g->store->failed) {
		leave(g, s, *free);
		return 0;
	}
	*err = why;
	return -1;
}

static int sweep(struct gc *g, struct buf *shares, struct err *err)
{
	struct share *s = (struct share *)(void *)shares->data;
	size_t count = shares->len / sizeof *s, i;
	uint64_t cost = 0, free = 0;
	struct buf lost = {.max = SIZE_MAX}; /* struct engine_cut */
	int got = free_space(g, &free, err);

	for (i = 0; i < count && got == 0; i++) {
		got = choose(g, &s[i], &lost, err);
		cost += s[i].cost;
	}
	/* In the order of their numbers they become the fewest volumes. If there is no space for
	 * all, take the cheapest first: each frees space for the next. */
	if (count > 0)
		qsort(s, count, sizeof *s, cost <= free ? engine_by_number : by_cost);
	for (i = 0; i < count && got == 0; i++)
		if (s[i].cost > 0 && (g->o.stop == NULL || !atomic_load(g->o.stop)))
			got = sweep_chosen(g, &s[i], &free, err);
	if (got == 0 && !g->o.dry_run)
		got = engine_drop_lost(g->store, (const struct engine_cut *)(const void *)lost.data,
			lost.len / sizeof(struct engine_cut), err);
	buf_fini(&lost);
	g->result->bytes -= g->made < g->result->bytes ? g->made : g->result->bytes;
	g->result->left -= g->kept < g->result->left ? g->kept : g->result->left;
	return got;
}

int engine_gc(struct engine *s, const struct engine_gc_options *options,
	struct engine_gc_result *result, struct err *err)
{
	struct gc g = {.store = s, .o = *options, .result = result, .out = {.fd = -1}};
	struct buf shares = {.max = SIZE_MAX};
	int got;

	*result = (struct engine_gc_result){0};
	/* Readers that open the store from here on do not see deleted dumps. */
	if (!g.o.dry_run && engine_wait_readers(s, err) != 0)
		return -1;
	mutex_lock(&s->writer);
	got = engine_flush_all(s, err);
	if (got == 0)
		got = engine_dumps(s, &(struct store_filter){0}, mark_dump, &g, err);
	if (got == 0)
		got = measure(&g, &shares, err);
	if (got == 0)
		got = sweep(&g, &shares, err);
	store_volume_close(&g.out);
	engine_quotas_forget(s);
	mutex_unlock(&s->writer);
	store_marks_fini(&g.marks);
	buf_fini(&shares);
	return got;
}
