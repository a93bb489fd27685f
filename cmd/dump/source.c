/* Stores are asked in turn, until one has a chunk that can be opened. */
#include "cmd/dump/source.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/dump/named.h"
#include "cmd/store/marks.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/mutex.h"
#include "lib/zst.h"

struct dump_source {
	struct store *stores[STORES_MAX];
	uint32_t bits[STORES_MAX]; /* by their place among the stores given to dump_source_new */
	size_t count;
	struct dump_keys *keys;
	struct buf record; /* of the chosen dump */
	struct store_dump dump;
	struct dump_domain domain;
	struct buf pieces; /* ids of the manifest's pieces */
	uint8_t passed[STORE_DUMP_ID];
	bool has_passed;
	uint32_t holders;    /* the stores that have the chosen dump, and hold it */
	struct mutex lock;   /* protects the following */
	uint32_t lost;       /* stores that can't be reached any more */
	struct err lost_why; /* why, for the last of them */
	struct buf healed;   /* struct dump_healed */
	struct store_marks healed_met;
};

struct dump_source *dump_source_new(
	struct store *const *stores, size_t count, struct dump_keys *keys, struct err *err)
{
	struct dump_source *s = mem_new(sizeof *s, err);
	size_t i;

	if (s == NULL)
		return NULL;
	s->keys = keys;
	buf_init(&s->record, STORE_DUMP_MAX);
	buf_init(&s->pieces, SIZE_MAX);
	buf_init(&s->healed, DUMP_HEALED_MAX * sizeof(struct dump_healed));
	mutex_init(&s->lock);
	for (i = 0; i < count; i++)
		if (store_is_open(stores[i])) {
			s->stores[s->count] = stores[i];
			s->bits[s->count++] = (uint32_t)1 << i;
		}
	assert(s->count > 0);
	return s;
}

void dump_source_free(struct dump_source *s)
{
	if (s == NULL)
		return;
	buf_fini(&s->record);
	buf_fini(&s->pieces);
	buf_fini(&s->healed);
	store_marks_fini(&s->healed_met);
	mutex_fini(&s->lock);
	dump_domain_wipe(&s->domain);
	free(s);
}

const struct store_dump *dump_source_dump(const struct dump_source *s)
{
	return &s->dump;
}

/* --- unreachable stores --------------------------------------------------- */

static bool is_lost(struct dump_source *s, size_t i)
{
	bool lost;

	mutex_lock(&s->lock);
	lost = (s->lost & s->bits[i]) != 0;
	mutex_unlock(&s->lock);
	return lost;
}

/* Notes an error of a store. If the store can't be reached it is not asked again, as each question
 * would wait for its patience. Returns whether that is so. */
static bool note_lost(struct dump_source *s, size_t i, const struct err *why)
{
	if (why->code != ERR_TIMEOUT && why->code != ERR_CLOSED)
		return false;
	mutex_lock(&s->lock);
	s->lost |= s->bits[i];
	s->lost_why = *why;
	mutex_unlock(&s->lock);
	return true;
}

uint32_t dump_source_lost(const struct dump_source *s)
{
	return s->lost;
}

/* --- asking all stores in parallel ------------------------------------------ */

/* A question to one store, in parallel to the others. */
struct side {
	struct dump_source *source;
	size_t number; /* of the store */
	/* Returns as the store call that it makes; NULL: this store is not asked. */
	int (*work)(struct side *side, struct err *err);
	pthread_t thread;
	bool runs;
	int ret;
	struct err why;
	struct buf dumps;   /* for a listing: struct dump_row; .stores: which have it */
	struct buf records; /* for a listing: what .record points into */
};

static void *run_side(void *arg)
{
	struct side *side = arg;

	side->ret = side->work(side, &side->why);
	return NULL;
}

/* Asks in parallel all stores of the set that can be reached, and waits for all: so several that do
 * not answer cost no more time than one. Call sides_fini afterwards. */
static void ask_each(struct dump_source *s, uint32_t stores, struct side sides[STORES_MAX],
	int (*work)(struct side *side, struct err *err))
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		struct side *side = &sides[i];

		*side = (struct side){.source = s, .number = i};
		buf_init(&side->dumps, SIZE_MAX);
		buf_init(&side->records, SIZE_MAX);
		if ((stores & s->bits[i]) == 0 || is_lost(s, i))
			continue;
		side->work = work;
		side->runs =
			s->count > 1 && pthread_create(&side->thread, NULL, run_side, side) == 0;
		if (!side->runs)
			run_side(side);
	}
	for (i = 0; i < s->count; i++)
		if (sides[i].runs)
			pthread_join(sides[i].thread, NULL);
}

static void sides_fini(const struct dump_source *s, struct side sides[STORES_MAX])
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		buf_fini(&sides[i].dumps);
		buf_fini(&sides[i].records);
	}
}

/* --- choosing ------------------------------------------------------------- */

static int list_store(struct side *side, struct err *err)
{
	return dump_order_read(side->source->stores[side->number], &(struct store_filter){0},
		&side->dumps, &side->records, err);
}

/* Merges the dumps of one store into those of the stores before it. This store may know better when
 * a dump that is listed already was made. */
static int merge_store(struct buf *dumps, const struct side *side, struct err *err)
{
	struct dump_row *d = (struct dump_row *)(void *)side->dumps.data;
	size_t count = side->dumps.len / sizeof *d, before = dumps->len / sizeof *d, i, k;

	for (i = 0; i < count; i++) {
		struct dump_row *all = (struct dump_row *)(void *)dumps->data;

		d[i].side = side->number;
		d[i].stores = d[i].damaged ? 0 : side->source->bits[side->number];
		for (k = 0; k < before && memcmp(all[k].id, d[i].id, sizeof d->id) != 0; k++)
			continue;
		if (k == before) {
			if (buf_add(dumps, &d[i], sizeof *d, err) != 0)
				return -1;
		} else if (d[i].damaged) {
			continue;
		} else if (all[k].damaged) {
			all[k] = d[i];
		} else {
			all[k].stores |= d[i].stores;
			if (all[k].at.clock == DUMP_CLOCK_RIGHT &&
				d[i].at.clock != DUMP_CLOCK_RIGHT)
				all[k].at = d[i].at;
		}
	}
	return 0;
}

/* Merges the dumps of all stores that could be reached. */
static int merge_all(struct dump_source *s, struct side *sides, struct buf *dumps, struct err *err)
{
	size_t i, listed = 0;

	for (i = 0; i < s->count; i++) {
		const struct side *side = &sides[i];

		if (side->work == NULL)
			continue;
		if (side->ret != 0 && note_lost(s, i, &side->why))
			continue;
		if (side->ret != 0) {
			*err = side->why;
			return -1;
		}
		if (merge_store(dumps, side, err) != 0)
			return -1;
		listed++;
	}
	if (listed > 0)
		return 0;
	*err = s->lost_why;
	return -1;
}

static int by_order(const void *a, const void *b)
{
	const struct dump_row *x = a, *y = b;

	return dump_order_compare(&x->at, &y->at);
}

int dump_source_dumps(struct dump_source *s, dump_each_dump *each, void *ctx, struct err *err)
{
	struct side sides[STORES_MAX];
	struct buf all = {.max = SIZE_MAX};
	struct dump_row *d;
	size_t i;
	int got;

	ask_each(s, UINT32_MAX, sides, list_store);
	got = merge_all(s, sides, &all, err);
	d = (struct dump_row *)(void *)all.data;
	if (all.len > 0)
		qsort(d, all.len / sizeof *d, sizeof *d, by_order);
	for (i = 0; i < all.len / sizeof *d && got == 0; i++) {
		const struct dump_listed listed = {d[i].stores, d[i].at.clock, d[i].at.when};
		struct store_entry e = {
			.record = sides[d[i].side].records.data + d[i].record,
			.record_len = d[i].record_len,
			.committed = d[i].at.time,
			.lock = d[i].lock,
			.seq = d[i].at.seq,
			.copied = d[i].at.copied,
			.receipt = d[i].receipt,
			.damaged = d[i].damaged,
		};

		if (e.damaged) {
			e.dump.id = d[i].id;
			e.record = NULL;
		} else {
			got = store_dump_get(&e.dump, e.record, e.record_len, err);
		}
		if (got == 0)
			got = each(ctx, &e, &listed, err);
	}
	buf_fini(&all);
	sides_fini(s, sides);
	return got < 0 ? -1 : 0;
}

/* A search for a dump, and its result. */
struct search {
	struct dump_source *source;
	struct dump_named named;
	size_t found, unreadable; /* unreadable: records after the last match */
	uint8_t *id;              /* of the last match */
	bool ahead;               /* the match is dated in the future */
	bool damaged;             /* the match's record can't be read */
};

/* The last dump that matches is the result, but one dated in the future does not replace
 * another. */
static int consider(
	void *ctx, const struct store_entry *e, const struct dump_listed *listed, struct err *err)
{
	struct search *w = ctx;
	const bool by_id = w->named.digits > 0;
	bool ahead = listed->clock == DUMP_CLOCK_AHEAD && !by_id;

	if (e->damaged && !by_id) {
		w->unreadable += listed->when <= w->named.until;
		return 0;
	}
	if (!dump_named_is(&w->named, &e->dump, listed->when))
		return 0;
	if (ahead && w->found > 0 && !w->ahead) {
		w->source->has_passed = true;
		memcpy(w->source->passed, e->dump.id, STORE_DUMP_ID);
		return 0;
	}
	w->source->has_passed = false;
	w->source->holders = listed->stores;
	w->ahead = ahead;
	w->found++;
	w->unreadable = 0;
	w->damaged = e->damaged;
	memcpy(w->id, e->dump.id, STORE_DUMP_ID);
	buf_clear(&w->source->record);
	return e->damaged ? 0 : buf_add(&w->source->record, e->record, e->record_len, err);
}

int dump_source_find(struct dump_source *s, const char *text, const char *host,
	uint8_t id[STORE_DUMP_ID], struct err *err)
{
	struct search w = {.source = s, .id = id};

	s->has_passed = false;
	if (dump_named_parse(&w.named, text, host, err) != 0 ||
		dump_source_dumps(s, consider, &w, err) != 0)
		return -1;
	if (w.unreadable > 0)
		return err_set(err, ERR_DAMAGE,
			"%s: may be one of %zu dumps whose records can't be read (on the "
			"store's machine: fdump verify says more): give the id of one that fdump "
			"dumps lists",
			text, w.unreadable);
	if (w.found == 0)
		return dump_named_none(&w.named, text, err);
	if (w.found > 1 && w.named.digits > 0)
		return err_set(
			err, ERR_USAGE, "%s: could be %zu dumps: give more digits", text, w.found);
	return w.damaged;
}

const uint8_t *dump_source_passed(const struct dump_source *s)
{
	return s->has_passed ? s->passed : NULL;
}

/* Sorts the stores: those that hold the dump first, otherwise as they were given. */
static void sort_stores(struct dump_source *s)
{
	size_t i, k;

	for (i = 1; i < s->count; i++)
		for (k = i; k > 0; k--) {
			bool a = (s->holders & s->bits[k - 1]) != 0,
			     b = (s->holders & s->bits[k]) != 0;
			struct store *store = s->stores[k];
			uint32_t bit = s->bits[k];

			if (a != b ? a : s->bits[k - 1] < s->bits[k])
				break;
			s->stores[k] = s->stores[k - 1];
			s->bits[k] = s->bits[k - 1];
			s->stores[k - 1] = store;
			s->bits[k - 1] = bit;
		}
}

static int hold_in(struct side *side, struct err *err)
{
	const struct dump_source *s = side->source;
	int got = store_hold(s->stores[side->number], s->dump.id, NULL, NULL, err);

	if (got == 1)
		return err_set(err, ERR_NOTFOUND, "the dump no longer exists");
	return got;
}

/* Pins the dump in every store that has it. One is enough: other stores are still read from as far
 * as they have chunks. Returns 0, or -1 with err set: none could hold it. */
static int hold(struct dump_source *s, struct err *err)
{
	struct side sides[STORES_MAX];
	uint32_t held = 0;
	size_t i;

	ask_each(s, s->holders, sides, hold_in);
	for (i = 0; i < s->count; i++) {
		if (sides[i].work == NULL)
			continue;
		if (sides[i].ret == 0) {
			held |= s->bits[i];
			continue;
		}
		note_lost(s, i, &sides[i].why);
		*err = sides[i].why;
	}
	sides_fini(s, sides);
	s->holders = held;
	sort_stores(s);
	return held != 0 ? 0 : -1;
}

int dump_source_choose(struct dump_source *s, const char *text, const char *host, struct err *err)
{
	uint8_t id[STORE_DUMP_ID];
	int got = dump_source_find(s, text, host, id, err);

	if (got == 1)
		return err_set(err, ERR_DAMAGE,
			"the dump's record can't be read (on the store's machine: fdump verify "
			"says more)");
	if (got != 0 || store_dump_get(&s->dump, s->record.data, s->record.len, err) != 0)
		return -1;
	return hold(s, err);
}

/* --- chunks --------------------------------------------------------------- */

/* Explains an error in the manifest or the list: without these no file of the dump can be read. */
static int unreadable(const char *what, struct err *err)
{
	struct err why = *err;

	if (why.code != ERR_DAMAGE && why.code != ERR_FORMAT)
		return err_prefix(err, "%s", what);
	return err_set(
		err, why.code, "%s can't be read: %s: %s", what, why.message, DUMP_SOURCE_ADVICE);
}

/* Reads a piece of the list, and adds the ids of the manifest's pieces that are in it. */
static int load_piece(struct dump_source *s, struct dump_taker *t, const uint8_t *id,
	struct buf *piece, struct err *err)
{
	size_t left = s->dump.manifest_chunks * STORE_ID_LEN - s->pieces.len;
	uint8_t sum[HASH_LEN];

	if (dump_taker_chunk(t, id, piece, err) != 0)
		return unreadable("the dump's list of chunks", err);
	hash_sha256(piece->data, piece->len, sum);
	if (memcmp(sum, id, HASH_LEN) != 0 || piece->len % STORE_ID_LEN != 0)
		return err_set(err, ERR_DAMAGE,
			"the dump's list of chunks does not match the dump's record");
	return buf_add(&s->pieces, piece->data, left < piece->len ? left : piece->len, err);
}

static int load_pieces(struct dump_source *s, struct err *err)
{
	size_t want = s->dump.manifest_chunks * STORE_ID_LEN, i;
	struct dump_taker *t = dump_taker_new(s, err);
	struct buf piece = {.max = STORE_CONTENT_MAX};
	int got = t != NULL ? 0 : -1;

	for (i = 0; got == 0 && s->pieces.len < want && i < s->dump.list_count; i++)
		got = load_piece(s, t, s->dump.lists + i * STORE_ID_LEN, &piece, err);
	if (got == 0 && s->pieces.len < want)
		got = err_set(err, ERR_DAMAGE, "the dump's list of chunks is too short");
	buf_fini(&piece);
	dump_taker_free(t);
	return got;
}

int dump_source_unlock(struct dump_source *s, struct err *err)
{
	dump_domain_wipe(&s->domain);
	buf_clear(&s->pieces);
	if (!s->dump.sealed)
		s->domain.open = true;
	else if (dump_keys_domain(s->keys, &s->dump, &s->domain, err) != 0)
		return -1;
	return load_pieces(s, err);
}

struct dump_taker {
	struct dump_source *source;
	struct zst *zst;
	struct buf record;
};

struct dump_taker *dump_taker_new(struct dump_source *s, struct err *err)
{
	struct dump_taker *t = mem_new(sizeof *t, err);

	if (t == NULL)
		return NULL;
	t->source = s;
	buf_init(&t->record, STORE_DOMAIN_LEN + STORE_RECORD_MAX);
	t->zst = zst_new(1, err);
	if (t->zst != NULL)
		return t;
	dump_taker_free(t);
	return NULL;
}

void dump_taker_free(struct dump_taker *t)
{
	if (t == NULL)
		return;
	zst_free(t->zst);
	buf_fini(&t->record);
	free(t);
}

/* Notes that the store `from` had a chunk that others which have the dump (bits) lack or have
 * damaged. If memory runs out the note is lost, nothing else. */
static void note_healed(struct dump_source *s, uint32_t stores, size_t from, const uint8_t *id)
{
	struct dump_healed h = {.from = (size_t)__builtin_ctz(s->bits[from])};

	memcpy(h.id, id, sizeof h.id);
	mutex_lock(&s->lock);
	for (stores &= s->holders; stores != 0; stores &= stores - 1) {
		uint64_t mark;

		h.store = (size_t)__builtin_ctz(stores);
		mark = hash_xxh3(id, STORE_ID_LEN) + h.store;
		if (store_marks_add(&s->healed_met, mark, NULL) == 0)
			buf_add(&s->healed, &h, sizeof h, NULL);
	}
	mutex_unlock(&s->lock);
}

const struct dump_healed *dump_source_healed(const struct dump_source *s, size_t *count)
{
	*count = s->healed.len / sizeof(struct dump_healed);
	return (const struct dump_healed *)(const void *)s->healed.data;
}

/* Whether the content of an open record matches its id. A sealed record has proved that. In a
 * sealed dump only pieces of the list are open. */
static bool is_right(
	const struct buf *bytes, const uint8_t *id, const struct buf *content, struct err *err)
{
	struct store_record record;
	uint8_t sum[HASH_LEN];

	if (store_record_get(&record, bytes->data, bytes->len, err) != 0)
		return false;
	if (record.wrap_count > 0)
		return true;
	hash_sha256(content->data, content->len, sum);
	if (memcmp(sum, id, sizeof sum) == 0)
		return true;
	err_set(err, ERR_DAMAGE, "it does not match its id");
	return false;
}

/* Gets a chunk from one store. Returns 0, or -1 with err set. */
static int take_from(
	struct dump_taker *t, size_t i, const uint8_t *id, struct buf *out, struct err *err)
{
	struct dump_source *s = t->source;
	int got = store_get(s->stores[i], s->dump.domain, id, &t->record, err);

	if (got == 1)
		return err_set(err, ERR_DAMAGE, "it is not in the store");
	if (got == 0)
		got = dump_crypt_open(s->keys, t->zst, s->dump.domain, id, t->record.data,
			t->record.len, out, err);
	/* With a single store the checksums of the files are enough for an unencrypted dump. */
	if (got == 0 && (s->dump.sealed || s->count > 1) && !is_right(&t->record, id, out, err))
		got = -1;
	return got;
}

int dump_taker_chunk(struct dump_taker *t, const uint8_t *id, struct buf *out, struct err *err)
{
	struct dump_source *s = t->source;
	struct err why = {0}, damage = {0};
	uint32_t bad = 0; /* stores that lack it, or have it damaged */
	size_t i;

	for (i = 0; i < s->count; i++) {
		if (is_lost(s, i))
			continue;
		if (take_from(t, i, id, out, &why) == 0) {
			note_healed(s, bad, i, id);
			return 0;
		}
		if (note_lost(s, i, &why))
			continue;
		bad |= s->bits[i];
		if (damage.code == ERR_NONE || (s->holders & s->bits[i]) != 0)
			damage = why;
	}
	mutex_lock(&s->lock);
	*err = damage.code != ERR_NONE ? damage : s->lost_why;
	mutex_unlock(&s->lock);
	return err_prefix(
		err, "chunk %02x%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3], id[4], id[5]);
}

void dump_taker_ahead(struct dump_taker *t, const uint8_t *ids, size_t count)
{
	struct dump_source *s = t->source;
	struct buf left = {.max = SIZE_MAX}, lacks = {.max = SIZE_MAX};
	struct err why = {0};
	size_t i;

	for (i = 0; i < s->count && count > 0; i++) {
		struct buf used = left;

		if (is_lost(s, i))
			continue;
		buf_clear(&lacks);
		if (store_ahead(s->stores[i], s->dump.domain, ids, count, &lacks, &why) != 0)
			continue; /* an error will show when the chunks are taken */
		left = lacks;
		lacks = used;
		ids = left.data;
		count = left.len / STORE_ID_LEN;
	}
	buf_fini(&left);
	buf_fini(&lacks);
}

const uint8_t *dump_taker_piece_id(const struct dump_taker *t, uint64_t n)
{
	const struct buf *ids = &t->source->pieces;

	return n < ids->len / STORE_ID_LEN ? ids->data + n * STORE_ID_LEN : NULL;
}

int dump_taker_piece(struct dump_taker *t, uint64_t n, struct buf *out, struct err *err)
{
	struct dump_source *s = t->source;
	const uint8_t *want = dump_taker_piece_id(t, n);
	uint8_t id[STORE_ID_LEN];

	if (want == NULL)
		return 1;
	if (dump_taker_chunk(t, want, out, err) != 0 ||
		dump_domain_id(&s->domain, out->data, out->len, id, err) != 0)
		return unreadable("the dump's list of files (manifest)", err);
	if (memcmp(id, want, sizeof id) != 0)
		return err_set(err, ERR_DAMAGE, "manifest: a piece does not match its id");
	return 0;
}
