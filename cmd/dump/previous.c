/* The copy is a file of pieces, each with a checksum. */
#include "cmd/dump/previous.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/store/marks.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "lib/mutex.h"

#define MAGIC     0x327473616c646600u /* also shows the byte order */
#define PIECE_MAX (4u << 20)
#define STATS_MAX (1u << 20)
#define BUFFER    (128u << 10) /* of the file: holds many pieces */

struct file_head {
	uint64_t magic;
	uint8_t domain[STORE_DOMAIN_LEN], dump[STORE_DUMP_ID];
};

struct piece_head {
	uint32_t len, count;
	uint64_t check, stats_check;
};

void dump_stat_set(
	struct dump_stat *to, const struct stat *st, uint64_t fs, bool ok, struct store_time began)
{
	int64_t latest =
		st->st_mtim.tv_sec > st->st_ctim.tv_sec ? st->st_mtim.tv_sec : st->st_ctim.tv_sec;

	*to = (struct dump_stat){
		.fs = fs,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = st->st_mtim.tv_sec,
		.ctime = st->st_ctim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.settled = ok && latest < began.sec - DUMP_SETTLED_SEC,
	};
}

bool dump_stat_same(const struct dump_stat *old, const struct stat *now, uint64_t fs)
{
	return old->settled && old->fs == fs && old->ino == now->st_ino &&
	       old->mode == now->st_mode && old->size == (uint64_t)now->st_size &&
	       old->mtime == now->st_mtim.tv_sec &&
	       old->mtime_ns == (uint32_t)now->st_mtim.tv_nsec &&
	       old->ctime == now->st_ctim.tv_sec && old->ctime_ns == (uint32_t)now->st_ctim.tv_nsec;
}

/* --- writing ------------------------------------------------------------- */

struct dump_previous_out {
	FILE *file;
	char *path, *temporary;
	struct file_head head;
	struct err why; /* why it can't be written; then nothing more is tried */
	char buffer[BUFFER];
};

/* kept: the file is in place under its final name. */
static void out_free(struct dump_previous_out *o, bool kept)
{
	if (o == NULL)
		return;
	if (o->file != NULL)
		fclose(o->file);
	if (o->temporary != NULL && !kept)
		unlink(o->temporary);
	free(o->path);
	free(o->temporary);
	free(o);
}

struct dump_previous_out *dump_previous_make(
	const char *path, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err)
{
	struct dump_previous_out *o = mem_new(sizeof *o, err);

	if (o == NULL)
		return NULL;
	if ((o->path = strdup(path)) == NULL || asprintf(&o->temporary, "%s.new", path) < 0) {
		o->temporary = NULL;
		out_free(o, false);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memcpy(o->head.domain, domain, STORE_DOMAIN_LEN);
	unlink(o->temporary); /* left over from a run that was killed */
	o->file = fopen(o->temporary, "wxe");
	if (o->file != NULL)
		setvbuf(o->file, o->buffer, _IOFBF, sizeof o->buffer);
	/* Leaves room for the head: it is written last, by _commit. */
	if (o->file != NULL && fwrite(&o->head, sizeof o->head, 1, o->file) == 1)
		return o;
	err_errno(&o->why, errno, "%s", o->temporary);
	return o;
}

void dump_previous_piece(struct dump_previous_out *o, const void *piece, size_t len,
	const struct dump_stat *stats, size_t count)
{
	struct piece_head head = {
		.len = (uint32_t)len,
		.count = (uint32_t)count,
		.check = hash_xxh3(piece, len),
		.stats_check = hash_xxh3(stats, count * sizeof *stats),
	};

	if (o->why.code != ERR_NONE)
		return;
	if (fwrite(&head, sizeof head, 1, o->file) != 1 || fwrite(piece, 1, len, o->file) != len ||
		fwrite(stats, sizeof *stats, count, o->file) != count)
		err_errno(&o->why, errno, "%s", o->temporary);
}

int dump_previous_commit(
	struct dump_previous_out *o, const uint8_t dump[STORE_DUMP_ID], struct err *err)
{
	struct file_head head = o->head;
	int got = 0;

	head.magic = MAGIC;
	memcpy(head.dump, dump, STORE_DUMP_ID);
	if (o->why.code != ERR_NONE) {
		*err = o->why;
		got = -1;
	} else if (fflush(o->file) != 0 ||
		   pwrite(fileno(o->file), &head, sizeof head, 0) != sizeof head ||
		   rename(o->temporary, o->path) != 0) {
		got = err_errno(err, errno, "%s", o->path);
	}
	out_free(o, got == 0);
	return got;
}

void dump_previous_drop(struct dump_previous_out *o)
{
	out_free(o, false);
}

/* --- reading ------------------------------------------------------------- */

struct dump_previous {
	FILE *file;
	struct file_head head;
	struct buf piece, stats;
	size_t stat_at;
	struct cbor_in in;
	struct buf entry; /* a whole entry that spans several pieces */
	const struct store_marks *lost;
	/* For dump_previous_find. */
	struct mutex lock; /* protects the making of the following */
	bool made;
	uint64_t *slots; /* the table, see below; 0: free */
	size_t slot_count;
	struct buf pieces; /* offset of each piece in the file */
	char buffer[BUFFER];
};

struct dump_previous *dump_previous_open(const char *path, const uint8_t domain[STORE_DOMAIN_LEN],
	const struct store_marks *lost, const uint8_t **dump)
{
	struct dump_previous *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	buf_init(&l->piece, PIECE_MAX);
	buf_init(&l->stats, STATS_MAX * sizeof(struct dump_stat));
	buf_init(&l->entry, SIZE_MAX);
	buf_init(&l->pieces, SIZE_MAX);
	mutex_init(&l->lock);
	l->lost = lost;
	l->file = fopen(path, "re");
	if (l->file != NULL)
		setvbuf(l->file, l->buffer, _IOFBF, sizeof l->buffer);
	if (l->file != NULL && fread(&l->head, sizeof l->head, 1, l->file) == 1 &&
		l->head.magic == MAGIC && memcmp(l->head.domain, domain, STORE_DOMAIN_LEN) == 0) {
		*dump = l->head.dump;
		return l;
	}
	dump_previous_close(l);
	return NULL;
}

void dump_previous_close(struct dump_previous *l)
{
	if (l == NULL)
		return;
	if (l->file != NULL)
		fclose(l->file);
	buf_fini(&l->piece);
	buf_fini(&l->stats);
	buf_fini(&l->entry);
	buf_fini(&l->pieces);
	free(l->slots);
	mutex_fini(&l->lock);
	free(l);
}

/* Whether one of the items, up to a TAIL or the end, is a REF to a lost chunk. */
static bool names_lost(const struct dump_previous *l, struct cbor_in in)
{
	struct pack_item item;

	if (l->lost == NULL || l->lost->count == 0)
		return false;
	while (pack_manifest_item_get(&in, &item, NULL) == 0 && item.kind != PACK_ITEM_NONE &&
		item.kind != PACK_ITEM_TAIL)
		if (item.kind == PACK_ITEM_REF &&
			store_marks_has(l->lost, hash_xxh3(item.data.at, STORE_ID_LEN)))
			return true;
	return false;
}

static bool read_into(struct dump_previous *l, struct buf *to, size_t len, uint64_t check)
{
	uint8_t *room;

	buf_clear(to);
	room = buf_room(to, len + 1, NULL);
	if (room == NULL || fread(room, 1, len, l->file) != len || hash_xxh3(room, len) != check)
		return false;
	buf_took(to, len);
	return true;
}

static bool next_piece(struct dump_previous *l)
{
	struct piece_head head;

	if (fread(&head, sizeof head, 1, l->file) != 1 || head.len >= PIECE_MAX ||
		head.count >= STATS_MAX || !read_into(l, &l->piece, head.len, head.check) ||
		!read_into(l, &l->stats, head.count * sizeof(struct dump_stat), head.stats_check))
		return false;
	l->stat_at = 0;
	cbor_in_init(&l->in, l->piece.data, l->piece.len);
	return true;
}

/* Skips the items of an entry, and its TAIL. Returns 0; 1 if the piece ends first; -1 if
 * malformed. */
static int pass_items(struct dump_previous *l)
{
	struct pack_item item;

	while (pack_manifest_item_get(&l->in, &item, NULL) == 0) {
		if (item.kind == PACK_ITEM_NONE)
			return 1;
		if (item.kind == PACK_ITEM_TAIL)
			return cbor_skip(&l->in, 8) == CBOR_OK ? 0 : -1;
	}
	return -1;
}

bool dump_previous_next(struct dump_previous *l, struct dump_old *old)
{
	const uint8_t *start;
	struct cbor_in head;
	int got;

	if (l->in.at == l->in.end && !next_piece(l))
		return false;
	start = l->in.at;
	if (cbor_skip(&l->in, 8) != CBOR_OK)
		return false;
	buf_clear(&l->entry);
	while ((got = pass_items(l)) == 1) {
		if (buf_add(&l->entry, start, (size_t)(l->in.at - start), NULL) != 0 ||
			!next_piece(l))
			return false;
		start = l->in.at;
	}
	old->bytes = start;
	old->len = (size_t)(l->in.at - start);
	if (got == 0 && l->entry.len > 0) {
		if (buf_add(&l->entry, old->bytes, old->len, NULL) != 0)
			return false;
		old->bytes = l->entry.data;
		old->len = l->entry.len;
	}
	cbor_in_init(&head, old->bytes, old->len);
	if (got != 0 || pack_head_get(&head, &old->head, NULL) != 0 ||
		(l->stat_at + 1) * sizeof old->stat > l->stats.len)
		return false;
	memcpy(&old->stat, l->stats.data + l->stat_at++ * sizeof old->stat, sizeof old->stat);
	old->lost = names_lost(l, head);
	return true;
}

/* --- contents ------------------------------------------------------------- */

/*
 * A slot of the table has 24 bits of the checksum, 24 bits of the piece's number, and 16 bits with
 * the entry's number in the piece plus one. It only says where to look.
 */
#define SLOT_PIECES ((size_t)1 << 24)
#define SLOT_STATS  UINT16_MAX

bool dump_old_content(const uint8_t *entry, size_t len, const uint8_t sum[HASH_LEN], uint64_t size,
	struct pack_bytes *items)
{
	struct pack_item item;
	struct pack_tail tail = {0};
	struct cbor_in in;

	cbor_in_init(&in, entry, len);
	if (cbor_skip(&in, 8) != CBOR_OK)
		return false;
	items->at = in.at;
	do {
		items->len = (size_t)(in.at - items->at);
		if (pack_manifest_item_get(&in, &item, NULL) != 0)
			return false;
	} while (item.kind == PACK_ITEM_REF);
	return item.kind == PACK_ITEM_TAIL && pack_tail_get(&in, &tail, NULL) == 0 &&
	       tail.has_content && !tail.sparse && size > 0 && tail.size == size &&
	       memcmp(tail.sum, sum, HASH_LEN) == 0;
}

/* Reads len bytes at this offset. */
static bool read_at(const struct dump_previous *l, uint64_t at, void *to, size_t len)
{
	return pread(fileno(l->file), to, len, (off_t)at) == (ssize_t)len;
}

static void enter(struct dump_previous *l, uint64_t sum, size_t piece, size_t number)
{
	size_t mask = l->slot_count - 1, at = (size_t)sum & mask;

	for (; l->slots[at] != 0; at = (at + 1) & mask)
		if (l->slots[at] >> 40 == sum >> 40)
			return; /* the same content again: one entry is enough */
	l->slots[at] = (sum >> 40) << 40 | (uint64_t)piece << 16 | (number + 1);
}

/* Goes through all pieces: counts their small files, or enters them into the table. */
static size_t go_through(struct dump_previous *l, bool entered)
{
	struct piece_head head;
	struct buf stats = {.max = STATS_MAX * sizeof(struct dump_stat)};
	uint64_t at = sizeof l->head;
	size_t count = 0, i, n;

	for (n = 0; n < SLOT_PIECES && read_at(l, at, &head, sizeof head); n++) {
		size_t len = head.count * sizeof(struct dump_stat);
		uint8_t *room;

		buf_clear(&stats);
		room = head.len < PIECE_MAX && head.count < STATS_MAX
			       ? buf_room(&stats, len + 1, NULL)
			       : NULL;
		if (room == NULL || !read_at(l, at + sizeof head + head.len, room, len) ||
			hash_xxh3(room, len) != head.stats_check ||
			(!entered && buf_add(&l->pieces, &at, sizeof at, NULL) != 0))
			break;
		for (i = 0; i < head.count && i < SLOT_STATS && count < DUMP_FIND_MAX; i++) {
			const struct dump_stat *s =
				(const struct dump_stat *)(const void *)room + i;

			if (s->sum == 0 || s->at == DUMP_STAT_NOWHERE)
				continue;
			if (entered)
				enter(l, s->sum, n, i);
			count++;
		}
		at += sizeof head + head.len + len;
	}
	buf_fini(&stats);
	return count;
}

static void make_table(struct dump_previous *l)
{
	size_t count = go_through(l, false);

	l->made = true;
	if (count == 0)
		return;
	for (l->slot_count = 1024; l->slot_count < count + count / 4;)
		l->slot_count *= 2;
	l->slots = calloc(l->slot_count, sizeof *l->slots);
	if (l->slots != NULL)
		go_through(l, true);
}

/* Whether the entry that a slot points to has this content. */
static bool look(const struct dump_previous *l, uint64_t slot, const uint8_t *sum, uint64_t size,
	struct buf *piece, struct pack_bytes *items)
{
	const uint64_t *pieces = (const uint64_t *)(const void *)l->pieces.data;
	uint64_t at = pieces[slot >> 16 & (SLOT_PIECES - 1)];
	size_t number = (size_t)(slot & UINT16_MAX) - 1;
	struct piece_head head;
	struct dump_stat stat;
	struct cbor_in in;
	uint8_t *room;

	if (!read_at(l, at, &head, sizeof head) || head.len >= PIECE_MAX || number >= head.count ||
		!read_at(l, at + sizeof head + head.len + number * sizeof stat, &stat,
			sizeof stat) ||
		stat.sum != le_get64(sum) || stat.size != size || stat.at >= head.len)
		return false;
	buf_clear(piece);
	room = buf_room(piece, head.len, NULL);
	if (room == NULL || !read_at(l, at + sizeof head, room, head.len) ||
		hash_xxh3(room, head.len) != head.check ||
		!dump_old_content(room + stat.at, head.len - stat.at, sum, size, items))
		return false;
	cbor_in_init(&in, items->at, items->len);
	return !names_lost(l, in);
}

bool dump_previous_find(struct dump_previous *l, const uint8_t sum[HASH_LEN], uint64_t size,
	struct buf *piece, struct pack_bytes *items)
{
	uint64_t key = le_get64(sum);
	size_t at, mask;

	mutex_lock(&l->lock);
	if (!l->made)
		make_table(l);
	mutex_unlock(&l->lock);
	if (l->slots == NULL)
		return false;
	mask = l->slot_count - 1;
	for (at = (size_t)key & mask; l->slots[at] != 0; at = (at + 1) & mask)
		if (l->slots[at] >> 40 == key >> 40 &&
			look(l, l->slots[at], sum, size, piece, items))
			return true;
	return false;
}
