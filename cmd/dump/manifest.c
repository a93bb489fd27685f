/* A piece ends by the name and size of its last entry. The ids of the list are in a growing array,
 * with a hash table of their positions. */
#include "cmd/dump/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/dump/cutter.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "pack/entry.h"

#define LIST_BITS_MIN 4
#define LIST_BITS_MAX 15

/* Ids in order of first use, each once. */
struct list {
	struct buf ids;
	uint32_t *slots; /* an id's index + 1; 0: free */
	size_t slot_count;
};

struct dump_manifest {
	const uint64_t *gear;
	struct dump_previous_out *last;
	dump_manifest_sink *sink;
	void *ctx;
	struct buf piece, stats;
	size_t entry_at; /* bytes of the current entry so far, which may span pieces */
	uint64_t len;
	struct buf piece_ids;
	struct list list;
	struct buf lists; /* ids of the list's pieces */
};

struct dump_manifest *dump_manifest_new(const uint64_t gear[256], struct dump_previous_out *last,
	dump_manifest_sink *sink, void *ctx, struct err *err)
{
	struct dump_manifest *m = mem_new(sizeof *m, err);

	if (m == NULL)
		return NULL;
	m->gear = gear;
	m->last = last;
	m->sink = sink;
	m->ctx = ctx;
	buf_init(&m->piece, STORE_CONTENT_MAX);
	buf_init(&m->stats, SIZE_MAX);
	buf_init(&m->piece_ids, SIZE_MAX);
	buf_init(&m->list.ids, SIZE_MAX);
	buf_init(&m->lists, (size_t)STORE_LIST_PIECES * STORE_ID_LEN);
	return m;
}

void dump_manifest_free(struct dump_manifest *m)
{
	if (m == NULL)
		return;
	buf_fini(&m->piece);
	buf_fini(&m->stats);
	buf_fini(&m->piece_ids);
	buf_fini(&m->list.ids);
	buf_fini(&m->lists);
	free(m->list.slots);
	free(m);
}

/* --- the list ------------------------------------------------------------ */

/* Ids are digests: any of their bytes will do as a hash. */
static size_t slot_of(const struct list *l, const uint8_t *id)
{
	size_t mask = l->slot_count - 1, at = (size_t)le_get64(id) & mask;

	while (l->slots[at] != 0 && memcmp(l->ids.data + (size_t)(l->slots[at] - 1) * STORE_ID_LEN,
					    id, STORE_ID_LEN) != 0)
		at = (at + 1) & mask;
	return at;
}

static int list_add(struct list *l, const uint8_t *id, struct err *err)
{
	size_t count = l->ids.len / STORE_ID_LEN, slot, i;

	if (2 * count >= l->slot_count) {
		if (count >= UINT32_MAX / 4)
			return err_set(
				err, ERR_LIMIT, "over %u chunks in one dump", UINT32_MAX / 4);
		free(l->slots);
		l->slot_count = l->slot_count ? 2 * l->slot_count : 1024;
		l->slots = calloc(l->slot_count, sizeof *l->slots);
		if (l->slots == NULL)
			return err_set(err, ERR_NOMEM, "out of memory");
		for (i = 0; i < count; i++)
			l->slots[slot_of(l, l->ids.data + i * STORE_ID_LEN)] = (uint32_t)i + 1;
	}
	slot = slot_of(l, id);
	if (l->slots[slot] != 0)
		return 0;
	if (buf_add(&l->ids, id, STORE_ID_LEN, err) != 0)
		return -1;
	l->slots[slot] = (uint32_t)count + 1;
	return 0;
}

/* --- pieces -------------------------------------------------------------- */

static int end_piece(struct dump_manifest *m, struct err *err)
{
	uint8_t id[STORE_ID_LEN];

	if (m->piece.len == 0)
		return 0;
	if (m->sink(m->ctx, false, m->piece.data, m->piece.len, id, err) != 0 ||
		buf_add(&m->piece_ids, id, sizeof id, err) != 0)
		return -1;
	if (m->last != NULL)
		dump_previous_piece(m->last, m->piece.data, m->piece.len,
			(const struct dump_stat *)(const void *)m->stats.data,
			m->stats.len / sizeof(struct dump_stat));
	m->len += m->piece.len;
	buf_clear(&m->piece);
	buf_clear(&m->stats);
	return 0;
}

int dump_manifest_add(struct dump_manifest *m, const uint8_t *items, size_t len, struct err *err)
{
	struct pack_item item;
	struct cbor_in in;

	cbor_in_init(&in, items, len);
	while (in.at < in.end) {
		const uint8_t *start = in.at;
		size_t size;

		if (pack_manifest_item_get(&in, &item, err) != 0)
			return -1;
		/* pack_manifest_item_get does not consume a map, and HEAD is a map like TAIL. */
		if (item.kind == PACK_ITEM_TAIL && cbor_skip(&in, 8) != CBOR_OK)
			return err_set(err, ERR_FORMAT, "malformed manifest");
		if (item.kind == PACK_ITEM_REF && list_add(&m->list, item.data.at, err) != 0)
			return -1;
		size = (size_t)(in.at - start);
		if (m->piece.len + size > dump_cut_entries.max && end_piece(m, err) != 0)
			return -1;
		m->entry_at += size;
		if (buf_add(&m->piece, start, size, err) != 0)
			return -1;
	}
	return 0;
}

int dump_manifest_entry(struct dump_manifest *m, const char *path, size_t len,
	const struct dump_stat *stat, struct err *err)
{
	bool ends =
		dump_cut_behind(&dump_cut_entries, m->gear, path, len, m->entry_at, m->piece.len);
	struct dump_stat own = *stat;

	own.at = m->entry_at <= m->piece.len ? (uint32_t)(m->piece.len - m->entry_at)
					     : DUMP_STAT_NOWHERE;
	m->entry_at = 0;
	if (buf_add(&m->stats, &own, sizeof own, err) != 0)
		return -1;
	return ends ? end_piece(m, err) : 0;
}

/* --- finishing ----------------------------------------------------------- */

/* A piece of the list ends with an id whose last bits are zero; this is how many bits. For each
 * run, the store keeps the pieces in which an id changed, and the dump's record has the id of every
 * piece. So both the size and the number of pieces grow with the list. */
static unsigned list_bits(size_t count)
{
	unsigned bits = LIST_BITS_MIN;

	while (bits < LIST_BITS_MAX &&
		(count >> bits > (size_t)16 << bits || count >> bits > STORE_LIST_PIECES / 4))
		bits++;
	return bits;
}

/* Cuts a sequence of ids into pieces of the list. */
static int put_lists(struct dump_manifest *m, const struct buf *ids, struct err *err)
{
	uint8_t id[STORE_ID_LEN];
	size_t from = 0, at;
	unsigned bits = list_bits(ids->len / STORE_ID_LEN);

	for (at = STORE_ID_LEN; at <= ids->len; at += STORE_ID_LEN) {
		const uint8_t *end = ids->data + at; /* end of the last id in the piece */
		uint32_t last = (uint32_t)end[-2] << 8 | end[-1];

		if (at < ids->len && at - from < (size_t)STORE_LIST_MAX * STORE_ID_LEN &&
			(last & ((1u << bits) - 1)) != 0)
			continue;
		if (m->sink(m->ctx, true, ids->data + from, at - from, id, err) != 0 ||
			buf_add(&m->lists, id, sizeof id, err) != 0)
			return -1;
		from = at;
	}
	return 0;
}

int dump_manifest_finish(struct dump_manifest *m, struct store_dump *dump, struct err *err)
{
	size_t manifest;

	if (end_piece(m, err) != 0)
		return -1;
	manifest = m->piece_ids.len / STORE_ID_LEN;
	/* First the ids of the manifest's pieces, then those of the content; no piece of the list
	 * has both. */
	if (put_lists(m, &m->piece_ids, err) != 0 || put_lists(m, &m->list.ids, err) != 0)
		return -1;
	dump->manifest_chunks = manifest;
	dump->manifest_len = m->len;
	dump->chunks = manifest + m->list.ids.len / STORE_ID_LEN;
	dump->lists = m->lists.data;
	dump->list_count = m->lists.len / STORE_ID_LEN;
	return 0;
}
