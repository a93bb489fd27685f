/*
 * Reads the index twice: first to find links whose targets are not selected, then to unpack the
 * entries.
 */
#include "pack/pick.h"

#include <stdlib.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mem.h"
#include "pack/extract.h"
#include "pack/heirs.h"
#include "pack/seek.h"

/* A directory that is not selected itself. It is read when something in it is. */
struct way {
	struct pack_index_record record;
	uint32_t pack;
	struct buf head; /* what its HEAD borrows */
	bool read;
};

struct pick {
	const struct pack_pick_options *o;
	struct pack_seek *seek;
	struct pack_seek_hand *hand, *reader;
	struct buf places; /* struct pack_seek_place, last INDEX first */
	struct pack_heirs heirs;
	struct way *ways; /* nested, outermost first */
	size_t way_count, way_cap;
	/* The entry being read. */
	const struct pack_index_record *record;
	struct pack_bytes as; /* the path it is unpacked under */
};

static bool chosen(const struct pick *p, struct pack_bytes path)
{
	return p->o->selected(p->o->ctx, path.at, path.len);
}

static int on_head(void *ctx, const struct pack_head *head, struct err *err)
{
	struct pick *p = ctx;
	struct pack_head as = *head;

	as.path = p->as;
	return pack_extract_head(p->o->extract, &as, err);
}

static int on_data(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
	struct pick *p = ctx;

	(void)err;
	pack_extract_data(p->o->extract, bytes, len);
	return 0;
}

static int on_hole(void *ctx, uint64_t len, struct err *err)
{
	struct pick *p = ctx;

	(void)err;
	pack_extract_hole(p->o->extract, len);
	return 0;
}

static int on_tail(
	void *ctx, const struct pack_tail *tail, enum pack_verdict verdict, struct err *err)
{
	struct pick *p = ctx;

	if (verdict != PACK_GOOD)
		p->o->problem(p->o->ctx, p->as.at, p->as.len,
			"lost: content does not match its size and checksum");
	return pack_extract_tail(p->o->extract, tail, verdict, err);
}

/* Reads an entry and unpacks it under the path `as`. */
static int fetch(struct pick *p, uint32_t pack, const struct pack_index_record *r,
	struct pack_bytes as, struct err *err)
{
	struct pack_seek_sink sink = {on_head, on_data, on_hole, on_tail, p};
	struct err inner = {0};
	int got;

	p->as = as;
	got = pack_seek_member(p->seek, p->reader, pack, r, &sink, &inner);
	if (got == 0)
		return 0;
	pack_extract_lost(p->o->extract);
	switch (inner.code) {
	case ERR_DAMAGE:
	case ERR_FORMAT:
	case ERR_UNSUPPORTED:
	case ERR_LIMIT:
		err_prefix(&inner, "lost");
		p->o->problem(p->o->ctx, as.at, as.len, inner.message);
		return 0;
	default: /* not about this entry */
		*err = inner;
		return -1;
	}
}

/* Remembers a directory that is not selected. */
static int note_way(
	struct pick *p, uint32_t pack, const struct pack_index_record *r, struct err *err)
{
	struct way *w;

	while (p->way_count > 0 &&
		!pack_path_in(r->head.path, p->ways[p->way_count - 1].record.head.path))
		buf_fini(&p->ways[--p->way_count].head);
	w = mem_grow(p->ways, p->way_count, &p->way_cap, sizeof *w, err);
	if (w == NULL)
		return -1;
	p->ways = w;
	w = &p->ways[p->way_count++];
	*w = (struct way){.record = *r, .pack = pack};
	buf_init(&w->head, PACK_HEAD_KEEP);
	return pack_head_keep(&w->head, &w->record.head, &r->head, err);
}

/* Passes the directories on the way to an entry to the extractor. */
static int fetch_ways(struct pick *p, struct pack_bytes path, struct err *err)
{
	size_t i;

	for (i = 0; i < p->way_count && pack_path_in(path, p->ways[i].record.head.path); i++) {
		struct way *w = &p->ways[i];

		if (!w->read && fetch(p, w->pack, &w->record, w->record.head.path, err) != 0)
			return -1;
		w->read = true;
	}
	return 0;
}

/* Second pass: unpacks the entry of a record, if it is needed. */
static int take(struct pick *p, uint32_t pack, const struct pack_index_record *r, struct err *err)
{
	struct pack_head head = r->head;
	struct pack_heir *heir;

	if (chosen(p, r->head.path)) {
		if (fetch_ways(p, r->head.path, err) != 0)
			return -1;
		heir = r->head.type == PACK_HARDLINK ? pack_heirs_find(&p->heirs, r->head.link)
						     : NULL;
		if (heir == NULL || !heir->done)
			return fetch(p, pack, r, r->head.path, err);
		/* Its target is not selected. The content has been restored under the name of
		 * the first such link. */
		head.link = pack_heirs_path(&p->heirs, heir);
		if (pack_path_same(head.link, head.path))
			return pack_extract_way(p->o->extract, head.path, err);
		if (pack_extract_head(p->o->extract, &head, err) != 0)
			return -1;
		return pack_extract_tail(p->o->extract, &r->tail, PACK_GOOD, err);
	}
	if (r->head.type == PACK_DIRECTORY)
		return pack_path_is_root(r->head.path) ? 0 : note_way(p, pack, r, err);
	heir = pack_heirs_find(&p->heirs, r->head.path);
	if (heir == NULL || r->head.type == PACK_HARDLINK)
		return 0;
	heir->done = true;
	return fetch(p, pack, r, pack_heirs_path(&p->heirs, heir), err);
}

/* Reports a selected entry that is refused. */
static int refuse(struct pick *p, struct pack_bytes path, const struct err *why)
{
	if (path.at != NULL && chosen(p, path)) {
		pack_extract_lost(p->o->extract);
		p->o->problem(p->o->ctx, path.at, path.len, why->message);
	}
	return 0;
}

/* Runs one pass over all records, from the first entry of the first pack on. Returns 0, or -1
 * with err set. */
static int walk(struct pick *p, bool second, struct err *err)
{
	const struct pack_seek_place *places = (const void *)p->places.data;
	size_t i = p->places.len / sizeof *places;

	while (i-- > 0) {
		struct pack_index index;
		struct pack_index_record record;
		struct err why = {0};
		int got;

		if (pack_seek_index(p->seek, p->hand, &places[i], &index, err) != 0)
			return -1;
		while ((got = pack_index_next(&index, &record, &why)) != 1) {
			if (got < 0) {
				*err = why;
				return -1;
			}
			if (got == 2)
				got = second ? refuse(p, record.head.path, &why) : 0;
			else if (second)
				got = take(p, places[i].pack, &record, err);
			else if (record.head.type == PACK_HARDLINK && chosen(p, record.head.path) &&
				 !chosen(p, record.head.link))
				got = pack_heirs_add(
					&p->heirs, record.head.link, record.head.path, err);
			if (got != 0)
				return -1;
		}
	}
	return 0;
}

int pack_pick_run(const struct pack_pick_options *options, struct err *err)
{
	struct pick p = {.o = options};
	struct pack_seek_place place;
	int got = -1;

	buf_init(&p.places, PACK_HEIRS_MAX);
	pack_heirs_init(&p.heirs);
	p.seek = pack_seek_open(options->seek, err);
	p.hand = p.seek != NULL ? pack_seek_hand_new(err) : NULL;
	p.reader = p.hand != NULL ? pack_seek_hand_new(err) : NULL;
	if (p.reader != NULL)
		while ((got = pack_seek_back(p.seek, p.hand, &place, err)) == 0)
			if (buf_add(&p.places, &place, sizeof place, err) != 0) {
				got = -1;
				break;
			}
	if (got == 1)
		got = walk(&p, false, err);
	/* With these errors, reading the pack in sequence may still succeed. */
	if (got != 0 &&
		(err->code == ERR_DAMAGE || err->code == ERR_FORMAT || err->code == ERR_LIMIT))
		got = 1;
	if (got == 0) {
		pack_heirs_ready(&p.heirs);
		got = walk(&p, true, err);
	}
	pack_seek_hand_free(p.hand);
	pack_seek_hand_free(p.reader);
	pack_seek_free(p.seek);
	buf_fini(&p.places);
	pack_heirs_fini(&p.heirs);
	while (p.way_count > 0)
		buf_fini(&p.ways[--p.way_count].head);
	free(p.ways);
	return got;
}
