/*
 * A plan is a slice of the manifest: a head (struct slice, and the HEAD of the entry that is open
 * at its start), then the manifest's items unchanged, mostly those of one chunk. It ends where a
 * chunk begins, so that each chunk is fetched once. Building a plan copies its items to the load.
 * The chunk that most of the plan refers to is lent to the load, and its references stay; other
 * references are replaced by DATA with a copy of the bytes.
 */
#include "cmd/dump/replay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/dump/cache.h"
#include "cmd/dump/source.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/mutex.h"
#include "pack/block.h"
#include "pack/entry.h"
#include "pack/heirs.h"
#include "pack/load.h"

#define JOB_SOON  (512u << 10) /* a plan with this much content ends where the next chunk begins */
#define JOB_FULL  (2u << 20)   /* content of a plan at most, unless it is a single REF */
#define LEND_MIN  (64u << 10)  /* a chunk is lent only if this much of it is used */
#define JOB_ITEMS (256u << 10) /* bytes of the manifest in a plan */
#define DEPTH     8
#define AHEAD     16          /* plans that are made in advance */
#define PIECES    64          /* pieces of the manifest that the stores fetch at once */
#define CACHE     (32u << 20) /* bytes of opened chunks to keep */

/* The start of a plan. */
struct slice {
	uint32_t head_len, lent; /* lent: how many bytes of that chunk the plan refers to */
	uint8_t id[STORE_ID_LEN];
};

/* An entry whose content is incomplete. The list is short: building runs only a little ahead of
 * reporting. */
struct gap {
	struct gap *next;
	uint64_t path; /* its hash */
	char why[];
};

/* A position in the manifest. */
struct cursor {
	struct buf piece;
	struct cbor_in in;
	uint64_t number; /* of the next piece */
};

/* A directory that is not wanted itself, while its contents are read. */
struct way {
	size_t path_len;  /* its path is the start of .ways_path */
	struct buf entry; /* HEAD and TAIL */
	bool put;
};

struct dump_replay {
	struct dump_replay_options o;
	struct pack_read_feed feed;
	struct dump_taker **takers; /* one for each thread */
	struct dump_cache *cache;
	struct mutex lock; /* protects the gaps, and .proved->bad */
	struct gap *gaps;  /* not reported yet */
	bool any_gap;
	/* Used by plan. */
	struct dump_taker *taker;
	struct cursor here;
	struct buf head;    /* of the open entry */
	uint64_t announced; /* the number of the first piece not yet requested in advance */
	uint64_t content;   /* bytes that the REFs of this plan name */
	uint32_t run;       /* bytes in a row from the chunk that was named last */
	struct slice slice; /* of this plan */
	/* Plans made in advance, in a ring, and the ids of the chunks that the new ones name. */
	struct buf plans[AHEAD], ids;
	size_t first, count;
	int ended; /* result of the next make_plan: 1, or -1 with .why set */
	struct err why;
	size_t entries; /* that begin in this plan */
	bool clean;     /* the current piece began with an entry, and none in it had a bad status */
	bool open, skipping;        /* inside an entry; the entry is not wanted */
	uint8_t last[STORE_ID_LEN]; /* the chunk that was named last */
	struct buf ways;            /* struct way, from the outermost to the innermost */
	struct buf ways_path;       /* path of the innermost one */
	bool in_way;                /* inside the entry of the innermost one */
	/* The manifest is read elsewhere for an heir's content; home: where to return to. */
	const struct pack_heir *heir; /* the next heir, after this entry */
	bool away;
	struct cursor home;
};

/* --- plan ---------------------------------------------------------------- */

/* Whether a chunk is known to be lost; NULL: whether any is. */
static bool is_bad(struct dump_replay *r, const uint8_t *id)
{
	const struct store_marks *bad = &r->o.proved->bad;
	bool ret;

	mutex_lock(&r->lock);
	ret = id != NULL ? store_marks_has(bad, hash_xxh3(id, STORE_ID_LEN)) : bad->count > 0;
	mutex_unlock(&r->lock);
	return ret;
}

/* Whether a piece that begins and ends with an entry was seen before, and nothing in it is lost. */
static bool piece_met(struct dump_replay *r, uint64_t number)
{
	const uint8_t *id = dump_taker_piece_id(r->taker, number);

	return r->o.proved != NULL && id != NULL &&
	       store_marks_has(&r->o.proved->seen, hash_xxh3(id, STORE_ID_LEN)) && !is_bad(r, NULL);
}

/* Tells the stores which pieces will be read next, several at a time. */
static void announce_pieces(struct dump_replay *r)
{
	uint8_t ids[PIECES * STORE_ID_LEN];
	uint64_t first = r->here.number, end = first + PIECES;
	const uint8_t *id;
	size_t count = 0;

	if (r->away || first + PIECES / 2 < r->announced)
		return;
	if (first < r->announced)
		first = r->announced;
	for (; first < end && (id = dump_taker_piece_id(r->taker, first)) != NULL; first++)
		if (!piece_met(r, first))
			memcpy(ids + count++ * STORE_ID_LEN, id, STORE_ID_LEN);
	if (count > 0)
		dump_taker_ahead(r->taker, ids, count);
	r->announced = first;
}

static int next_piece(struct dump_replay *r, struct err *err)
{
	const uint8_t *id;
	int got;

	/* The piece was read to its end, so it may be skipped next time. */
	if (r->o.proved != NULL && r->here.number > 0 && r->clean && !r->open) {
		id = dump_taker_piece_id(r->taker, r->here.number - 1);
		if (store_marks_add(&r->o.proved->fresh, hash_xxh3(id, STORE_ID_LEN), err) < 0)
			return -1;
	}
	while (!r->open && piece_met(r, r->here.number))
		r->here.number++;
	r->clean = !r->open;
	announce_pieces(r);
	got = dump_taker_piece(r->taker, r->here.number, &r->here.piece, err);
	if (got == 0) {
		r->here.number++;
		cbor_in_init(&r->here.in, r->here.piece.data, r->here.piece.len);
	} else {
		r->clean = false;
	}
	return got;
}

/* Skips the entry if its content was seen before, and is not lost. An entry that spans pieces
 * counts as new. So does one whose status is not ok or whose TAIL is refused, since every dump must
 * report it. Returns 1 if skipped, 0, or -1. */
static int pass_met(struct dump_replay *r, struct err *err)
{
	struct cbor_in in = r->here.in;
	struct pack_tail tail = {0};
	struct pack_item item;
	bool bad = false;
	uint64_t hash;

	if (r->o.proved == NULL)
		return 0;
	do {
		if (pack_manifest_item_get(&in, &item, NULL) != 0 || item.kind == PACK_ITEM_NONE)
			return 0;
		bad |= item.kind == PACK_ITEM_REF && is_bad(r, item.data.at);
	} while (item.kind != PACK_ITEM_TAIL);
	if (pack_tail_get(&in, &tail, NULL) != 0 || tail.status != PACK_OK) {
		r->clean = false;
		return 0;
	}
	hash = hash_xxh3(r->here.in.at, (size_t)(in.at - r->here.in.at));
	if (bad || !store_marks_has(&r->o.proved->seen, hash))
		return store_marks_add(&r->o.proved->fresh, hash, err) < 0 ? -1 : 0;
	r->here.in = in;
	return 1;
}

/* Decides whether an entry is wanted. If it is a hard link to a file that is not wanted, it has an
 * heir: the first such link gets the content, right after its own entry, and the others become
 * links to it (*changed). Returns whether the entry is used in its present form. */
static bool inherit(struct dump_replay *r, struct pack_head *head, bool *changed)
{
	const struct pack_heir *heir = NULL;
	struct pack_bytes path;

	if (r->o.selected != NULL &&
		(head->path.at == NULL || !r->o.selected(r->o.ctx, head->path.at, head->path.len,
						  head->type == PACK_DIRECTORY)))
		return false;
	if (r->o.heirs != NULL && head->type == PACK_HARDLINK)
		heir = pack_heirs_find(r->o.heirs, head->link);
	if (heir == NULL || !heir->done)
		return true;
	path = pack_heirs_path(r->o.heirs, heir);
	if (pack_path_same(path, head->path)) {
		r->heir = heir;
		return false;
	}
	head->link = path;
	*changed = true;
	return true;
}

static bool is_in(const struct dump_replay *r, struct pack_bytes path, const struct way *way)
{
	return pack_path_in(path, (struct pack_bytes){r->ways_path.data, way->path_len});
}

static struct way *ways_of(struct dump_replay *r, size_t *count)
{
	*count = r->ways.len / sizeof(struct way);
	return (struct way *)(void *)r->ways.data;
}

/* Remembers a directory that is not wanted itself; its TAIL follows. */
static int note_way(
	struct dump_replay *r, struct pack_bytes path, const uint8_t *start, struct err *err)
{
	struct way way = {.path_len = path.len}, *ways;
	size_t count;

	ways = ways_of(r, &count);
	while (count > 0 && !is_in(r, path, &ways[count - 1]))
		buf_fini(&ways[--count].entry);
	r->ways.len = count * sizeof way;
	buf_clear(&r->ways_path);
	if (buf_add(&r->ways_path, path.at, path.len, err) != 0)
		return -1;
	buf_init(&way.entry, PACK_HEAD_MAX + PACK_TAIL_MAX);
	if (buf_add(&r->ways, &way, sizeof way, err) != 0)
		return -1;
	r->in_way = true;
	return buf_add(
		&ways_of(r, &count)[count - 1].entry, start, (size_t)(r->here.in.at - start), err);
}

/* Adds the directories on the way to an entry. */
static int put_ways(
	struct dump_replay *r, struct buf *plan, struct pack_bytes path, struct err *err)
{
	size_t count;
	struct way *w = ways_of(r, &count), *end = w + count;

	for (; w < end && is_in(r, path, w); w++) {
		if (w->put)
			continue;
		if (buf_add(plan, w->entry.data, w->entry.len, err) != 0)
			return -1;
		w->put = true;
		r->entries++;
	}
	return 0;
}

/* Adds the HEAD of a wanted entry: as encoded from `start` on, or, if that is NULL, as changed. */
static int begin_entry(struct dump_replay *r, struct buf *plan, const struct pack_head *head,
	const uint8_t *start, struct err *err)
{
	struct cbor_out out;
	uint8_t *to;
	size_t before;

	if (r->o.there != NULL && head->type == PACK_REGULAR)
		r->skipping = r->o.there(r->o.ctx, head);
	if (r->skipping)
		return 0;
	if (put_ways(r, plan, head->path, err) != 0)
		return -1;
	r->entries++;
	before = plan->len;
	if (start != NULL) {
		if (buf_add(plan, start, (size_t)(r->here.in.at - start), err) != 0)
			return -1;
	} else { /* room for the longest: rare, since each plan keeps its memory */
		if ((to = buf_room(plan, PACK_HEAD_MAX, err)) == NULL)
			return -1;
		cbor_out_init(&out, to, PACK_HEAD_MAX);
		pack_head_put(&out, head, false);
		if (cbor_out_full(&out))
			return err_set(err, ERR_LIMIT, "manifest: an entry's head is too long");
		buf_took(plan, cbor_out_len(&out));
	}
	buf_clear(&r->head);
	return buf_add(&r->head, plan->data + before, plan->len - before, err);
}

/* Handles a HEAD: decides whether the entry is wanted. */
static int plan_head(struct dump_replay *r, struct buf *plan, struct err *err)
{
	const uint8_t *start = r->here.in.at;
	struct pack_head head = {0};
	bool changed = false;
	int met = 0, got;

	/* If nothing depends on the HEAD's members, they are left for the reader to check. */
	if (r->o.selected != NULL || r->o.heirs != NULL || r->o.there != NULL ||
		r->o.proved != NULL)
		got = pack_head_get(&r->here.in, &head, err);
	else
		got = cbor_skip(&r->here.in, DEPTH) == CBOR_OK
			      ? 0
			      : err_set(err, ERR_DAMAGE, "malformed");
	if (got < 0)
		return err_prefix(err, "manifest");
	if (got == 0)
		met = pass_met(r, err);
	if (met != 0)
		return met < 0 ? -1 : 0;
	if (got > 0) { /* the reader refuses it too, and reports it: it gets it as it is */
		r->clean = false;
		head.type = head.type == PACK_DIRECTORY ? PACK_DIRECTORY : 0;
	}
	r->open = true;
	r->skipping = !inherit(r, &head, &changed);
	if (r->skipping && r->o.ways && head.type == PACK_DIRECTORY)
		return note_way(r, head.path, start, err);
	return r->skipping ? 0 : begin_entry(r, plan, &head, changed ? NULL : start, err);
}

/* Switches between the current position and the other one. */
static void swap(struct dump_replay *r)
{
	struct cursor here = r->here;

	r->here = r->home;
	r->home = here;
}

/* Goes to the entry whose content the heir gets; plan_item comes back after its TAIL. */
static int plan_heir(struct dump_replay *r, struct buf *plan, struct err *err)
{
	const struct pack_heir *heir = r->heir;
	struct pack_head head = {0};
	int got;

	r->heir = NULL;
	r->away = true;
	swap(r);
	r->here.number = heir->piece;
	got = dump_taker_piece(r->taker, r->here.number++, &r->here.piece, err);
	if (got == 1 || (got == 0 && heir->at >= r->here.piece.len))
		got = err_set(err, ERR_DAMAGE, "manifest: it has changed");
	if (got != 0)
		return -1;
	cbor_in_init(&r->here.in, r->here.piece.data + heir->at, r->here.piece.len - heir->at);
	if (pack_head_get(&r->here.in, &head, err) != 0)
		return err_prefix(err, "manifest");
	head.path = pack_heirs_path(r->o.heirs, heir);
	r->open = true;
	r->skipping = false;
	return begin_entry(r, plan, &head, NULL, err);
}

/* Handles an item of the open entry. Returns 0; 1: it belongs to the next plan; -1 with err set. */
static int plan_item(struct dump_replay *r, struct buf *plan, struct err *err)
{
	const uint8_t *start = r->here.in.at;
	struct pack_item item;
	size_t count;

	if (pack_manifest_item_get(&r->here.in, &item, err) != 0)
		return err_prefix(err, "manifest");
	if (item.kind == PACK_ITEM_REF && !r->skipping) {
		bool other = memcmp(r->last, item.data.at, STORE_ID_LEN) != 0;

		if (r->content + item.len > JOB_FULL ? r->content > 0
						     : other && r->content >= JOB_SOON) {
			r->here.in.at = start;
			return 1;
		}
		if (other && buf_add(&r->ids, item.data.at, STORE_ID_LEN, err) != 0)
			return -1;
		memcpy(r->last, item.data.at, STORE_ID_LEN);
		r->content += item.len;
		/* Find the chunk that the plan uses most. If a chunk is named several times, only a
		 * run of consecutive REFs counts. */
		r->run = (other ? 0 : r->run) + item.len;
		if (r->run > r->slice.lent) {
			r->slice.lent = r->run;
			memcpy(r->slice.id, r->last, STORE_ID_LEN);
		}
	}
	if (item.kind == PACK_ITEM_TAIL) {
		if (cbor_skip(&r->here.in, DEPTH) != CBOR_OK)
			return err_set(err, ERR_DAMAGE, "manifest: malformed");
		r->open = false;
	}
	if (r->in_way && buf_add(&ways_of(r, &count)[count - 1].entry, start,
				 (size_t)(r->here.in.at - start), err) != 0)
		return -1;
	r->in_way = r->in_way && r->open;
	if (!r->skipping && buf_add(plan, start, (size_t)(r->here.in.at - start), err) != 0)
		return -1;
	if (!r->open && r->away) {
		r->away = false;
		swap(r);
	}
	return !r->open && r->heir != NULL ? plan_heir(r, plan, err) : 0;
}

static int make_plan(struct dump_replay *r, struct buf *plan, struct err *err)
{
	uint32_t head_len = r->open && !r->skipping ? (uint32_t)r->head.len : 0;
	size_t start = sizeof r->slice + head_len;
	int got = 0;

	buf_clear(plan);
	r->slice = (struct slice){.head_len = head_len};
	r->content = r->run = 0;
	r->entries = 0;
	if (buf_add(plan, &r->slice, sizeof r->slice, err) != 0 ||
		(head_len > 0 && buf_add(plan, r->head.data, head_len, err) != 0))
		return -1;
	while (got == 0 && plan->len - start < JOB_ITEMS && r->entries < PACK_BLOCK_ENTRIES) {
		if (r->here.in.at == r->here.in.end) {
			got = next_piece(r, err);
			if (got == 1 && r->open)
				return err_set(err, ERR_DAMAGE, "manifest: the last entry is cut");
			continue;
		}
		got = r->open ? plan_item(r, plan, err) : plan_head(r, plan, err);
	}
	memcpy(plan->data, &r->slice, sizeof r->slice);
	return got < 0 ? -1 : got > 0 && plan->len == start;
}

static int plan(void *ctx, struct buf *plan, struct err *err)
{
	struct dump_replay *r = ctx;
	struct buf *next, mine = *plan;

	/* When half of the plans are used up more are made, and the stores are told which chunks
	 * these name; they fetch them in the order of their place on disk. */
	if (r->count <= AHEAD / 2 && r->ended == 0) {
		buf_clear(&r->ids);
		while (r->count < AHEAD && r->ended == 0) {
			next = &r->plans[(r->first + r->count) % AHEAD];
			r->ended = make_plan(r, next, &r->why);
			r->count += r->ended == 0;
		}
		dump_taker_ahead(r->taker, r->ids.data, r->ids.len / STORE_ID_LEN);
	}
	if (r->count == 0) {
		if (r->ended < 0)
			*err = r->why;
		return r->ended;
	}
	next = &r->plans[r->first];
	*plan = *next;
	*next = mine;
	r->first = (r->first + 1) % AHEAD;
	r->count--;
	return 0;
}

/* --- build --------------------------------------------------------------- */

/* The state of building a plan. */
struct build {
	struct dump_replay *r;
	struct dump_taker *taker;
	struct pack_load *load;
	struct slice slice;
	struct dump_cached *other; /* the chunk that was copied from last */
	bool other_done;           /* copied to its end */
	struct pack_bytes head;    /* of the open entry */
	bool open, gap;
};

/* Gets a chunk, which stays taken: by the load if it is the lent one, else by the build. NULL with
 * err set. */
static const struct buf *need_chunk(struct build *b, const uint8_t *id, bool lent, struct err *err)
{
	struct dump_cache *cache = b->r->cache;
	struct dump_cached *e = lent ? b->load->lender : b->other;

	if (e != NULL && dump_cached_is(e, id))
		return dump_cached_content(e);
	if (lent) {
		e = b->load->lender = dump_cache_take(cache, b->taker, id, err);
	} else {
		dump_cache_give(cache, b->other, b->other_done);
		b->other_done = false;
		e = b->other = dump_cache_take(cache, b->taker, id, err);
	}
	if (e == NULL)
		return NULL;
	if (lent) {
		b->load->lent.at = dump_cached_content(e)->data;
		b->load->lent.len = dump_cached_content(e)->len;
	}
	return dump_cached_content(e);
}

/* Where the gap of this path is in the list, or its end. */
static struct gap **find_gap(struct dump_replay *r, uint64_t path)
{
	struct gap **at = &r->gaps;

	assert(mutex_held(&r->lock));
	while (*at != NULL && (*at)->path != path)
		at = &(*at)->next;
	return at;
}

/* Keeps the first reason of a gap. If memory runs out the reason is lost. */
static void note_gap(struct build *b, const char *why)
{
	struct dump_replay *r = b->r;
	size_t size = strlen(why) + 1;
	struct gap *gap = malloc(sizeof *gap + size), **at;
	struct pack_head head = {0};
	struct cbor_in in;
	uint64_t path;

	cbor_in_init(&in, b->head.at, b->head.len);
	pack_head_get(&in, &head, NULL);
	path = hash_xxh3(head.path.at, head.path.len);
	mutex_lock(&r->lock);
	r->any_gap = true;
	at = find_gap(r, path);
	if (gap != NULL && *at == NULL) {
		*gap = (struct gap){.path = path};
		memcpy(gap->why, why, size);
		*at = gap;
		gap = NULL;
	}
	mutex_unlock(&r->lock);
	free(gap);
}

static bool take_gap(void *ctx, struct pack_bytes path, struct err *why)
{
	struct dump_replay *r = ctx;
	struct gap **at, *gap;

	if (path.at == NULL)
		return false;
	mutex_lock(&r->lock);
	at = find_gap(r, hash_xxh3(path.at, path.len));
	gap = *at;
	if (gap != NULL)
		*at = gap->next;
	mutex_unlock(&r->lock);
	if (gap == NULL)
		return false;
	err_set(why, ERR_DAMAGE, "lost: %s", gap->why);
	free(gap);
	return true;
}

/* Handles a REF, which begins at `start`. If its chunk is not available there is a gap, which the
 * TAIL's size and checksum will show. */
static int put_ref(struct build *b, const struct pack_item *item, const uint8_t *start, size_t len,
	struct err *err)
{
	struct buf *out = &b->load->unpacked;
	const struct buf *chunk;
	struct err why = {0};
	uint8_t head[PACK_DATA_HEAD];
	bool lent =
		b->slice.lent >= LEND_MIN && memcmp(b->slice.id, item->data.at, STORE_ID_LEN) == 0;

	chunk = need_chunk(b, item->data.at, lent, &why);
	if (chunk != NULL && (uint64_t)item->offset + item->len <= chunk->len) {
		if ((uint64_t)item->offset + item->len == chunk->len)
			*(lent ? &b->load->lent_done : &b->other_done) = true;
		if (lent) {
			b->load->named += item->len;
			return buf_add(out, start, len, err);
		}
		pack_data_head_put(head, (uint32_t)item->len);
		return buf_add(out, head, sizeof head, err) != 0
			       ? -1
			       : buf_add(out, chunk->data + item->offset, item->len, err);
	}
	if (why.code == ERR_NOMEM || why.code == ERR_DENIED) {
		*err = why;
		return -1;
	}
	if (b->r->o.proved != NULL) {
		mutex_lock(&b->r->lock);
		store_marks_add(&b->r->o.proved->bad, hash_xxh3(item->data.at, STORE_ID_LEN), NULL);
		mutex_unlock(&b->r->lock);
	}
	if (!b->gap)
		note_gap(b, why.code != ERR_NONE ? why.message
						 : "a chunk is shorter than it should be");
	b->gap = true;
	return 0;
}

/* Handles the next HEAD, TAIL, HOLE or REF. */
static int build_item(struct build *b, struct cbor_in *in, struct err *err)
{
	const uint8_t *start = in->at;
	struct pack_item item;

	if (!b->open) {
		if (cbor_skip(in, DEPTH) != CBOR_OK)
			return err_set(err, ERR_DAMAGE, "manifest: malformed");
		b->head = (struct pack_bytes){start, (size_t)(in->at - start)};
		b->open = true;
		b->gap = false;
		return buf_add(&b->load->unpacked, start, (size_t)(in->at - start), err);
	}
	if (pack_manifest_item_get(in, &item, err) != 0)
		return -1;
	if (item.kind == PACK_ITEM_REF)
		return put_ref(b, &item, start, (size_t)(in->at - start), err);
	if (item.kind == PACK_ITEM_TAIL) {
		b->open = false;
		if (cbor_skip(in, DEPTH) != CBOR_OK)
			return err_set(err, ERR_DAMAGE, "manifest: malformed");
	}
	return buf_add(&b->load->unpacked, start, (size_t)(in->at - start), err);
}

static int build(
	void *ctx, unsigned worker, const struct buf *plan, struct pack_load *load, struct err *err)
{
	struct dump_replay *r = ctx;
	struct build b = {.r = r, .taker = r->takers[worker], .load = load};
	uint32_t *first = &load->block.first;
	struct cbor_in in;
	int got = 0;

	memcpy(&b.slice, plan->data, sizeof b.slice);
	memcpy(load->lent_id, b.slice.id, sizeof load->lent_id);
	b.head = (struct pack_bytes){plan->data + sizeof b.slice, b.slice.head_len};
	b.open = b.head.len > 0;
	cbor_in_init(&in, b.head.at + b.head.len, plan->len - sizeof b.slice - b.head.len);
	*first = b.open ? PACK_BLOCK_NONE : 0;
	while (in.at < in.end && got == 0) {
		if (!b.open && *first == PACK_BLOCK_NONE)
			*first = (uint32_t)load->unpacked.len;
		got = build_item(&b, &in, err);
	}
	dump_cache_give(r->cache, b.other, b.other_done);
	return got;
}

static void take_back(void *ctx, struct pack_load *load)
{
	struct dump_replay *r = ctx;

	dump_cache_give(r->cache, load->lender, load->lent_done);
	load->lender = NULL;
}

/* --- new and free -------------------------------------------------------- */

void dump_replay_free(struct dump_replay *r)
{
	struct gap *next;
	struct way *ways;
	size_t count;
	unsigned i;

	if (r == NULL)
		return;
	for (i = 0; r->takers != NULL && i < r->o.threads; i++)
		dump_taker_free(r->takers[i]);
	free(r->takers);
	dump_cache_free(r->cache);
	for (; r->gaps != NULL; r->gaps = next) {
		next = r->gaps->next;
		free(r->gaps);
	}
	dump_taker_free(r->taker);
	buf_fini(&r->here.piece);
	buf_fini(&r->home.piece);
	buf_fini(&r->head);
	buf_fini(&r->ids);
	ways = ways_of(r, &count);
	while (count > 0)
		buf_fini(&ways[--count].entry);
	buf_fini(&r->ways);
	buf_fini(&r->ways_path);
	for (i = 0; i < AHEAD; i++)
		buf_fini(&r->plans[i]);
	mutex_fini(&r->lock);
	free(r);
}

static int make_workers(struct dump_replay *r, struct err *err)
{
	unsigned i;

	r->taker = dump_taker_new(r->o.source, err);
	r->takers = mem_new(r->o.threads * sizeof(struct dump_taker *), err);
	r->cache = dump_cache_new(CACHE, err);
	if (r->taker == NULL || r->takers == NULL || r->cache == NULL)
		return -1;
	for (i = 0; i < r->o.threads; i++)
		if ((r->takers[i] = dump_taker_new(r->o.source, err)) == NULL)
			return -1;
	return 0;
}

struct dump_replay *dump_replay_new(const struct dump_replay_options *options, struct err *err)
{
	struct dump_replay *r = mem_new(sizeof *r, err);
	unsigned i;

	if (r == NULL)
		return NULL;
	r->o = *options;
	r->feed = (struct pack_read_feed){plan, build, take_back, take_gap, r};
	mutex_init(&r->lock);
	buf_init(&r->here.piece, STORE_CONTENT_MAX);
	buf_init(&r->home.piece, STORE_CONTENT_MAX);
	buf_init(&r->head, PACK_HEAD_MAX);
	buf_init(&r->ids, SIZE_MAX);
	buf_init(&r->ways, SIZE_MAX);
	buf_init(&r->ways_path, PACK_PATH_MAX);
	for (i = 0; i < AHEAD; i++)
		buf_init(&r->plans[i], PACK_BLOCK_VOLUME_MAX);
	if (make_workers(r, err) == 0)
		return r;
	dump_replay_free(r);
	return NULL;
}

const struct pack_read_feed *dump_replay_feed(const struct dump_replay *r)
{
	return &r->feed;
}

bool dump_replay_gaps(const struct dump_replay *r)
{
	return r->any_gap;
}
