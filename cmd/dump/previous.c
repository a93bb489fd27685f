/* Pieces in a file, each with a check. */
#include "cmd/dump/previous.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"

#define MAGIC     0x317473616c646600u /* and, with it, the order of bytes */
#define PIECE_MAX (4u << 20)
#define STATS_MAX (1u << 20)

struct file_head {
	uint64_t magic;
	uint8_t domain[STORE_DOMAIN_LEN], dump[STORE_DUMP_ID];
};

struct piece_head {
	uint32_t len, count;
	uint64_t check, stats_check;
};

void dump_stat_set(struct dump_stat *to, const struct stat *st, bool ok, struct store_time began)
{
	int64_t latest =
		st->st_mtim.tv_sec > st->st_ctim.tv_sec ? st->st_mtim.tv_sec : st->st_ctim.tv_sec;

	*to = (struct dump_stat){
		.dev = st->st_dev,
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

bool dump_stat_same(const struct dump_stat *old, const struct stat *now)
{
	return old->settled && old->dev == now->st_dev && old->ino == now->st_ino &&
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
	struct err why; /* it can't be written: nothing more is tried */
};

static void out_free(struct dump_previous_out *o)
{
	if (o == NULL)
		return;
	if (o->file != NULL)
		fclose(o->file);
	free(o->path);
	free(o->temporary);
	free(o);
}

struct dump_previous_out *dump_previous_make(
	const char *path, const uint8_t domain[STORE_DOMAIN_LEN], struct err *err)
{
	struct dump_previous_out *o = calloc(1, sizeof *o);

	if (o == NULL || (o->path = strdup(path)) == NULL ||
		asprintf(&o->temporary, "%s.new", path) < 0) {
		out_free(o);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memcpy(o->head.domain, domain, STORE_DOMAIN_LEN);
	unlink(o->temporary); /* of a run that was killed */
	o->file = fopen(o->temporary, "wxe");
	/* The head follows when it is whole. */
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
	struct file_head head = {.magic = MAGIC};
	int got = 0;

	memcpy(head.domain, o->head.domain, STORE_DOMAIN_LEN);
	memcpy(head.dump, dump, STORE_DUMP_ID);
	if (o->why.code != ERR_NONE) {
		*err = o->why;
		dump_previous_drop(o);
		return -1;
	}
	if (fflush(o->file) != 0 || pwrite(fileno(o->file), &head, sizeof head, 0) != sizeof head ||
		rename(o->temporary, o->path) != 0)
		got = err_errno(err, errno, "%s", o->path);
	if (got != 0)
		unlink(o->temporary);
	out_free(o);
	return got;
}

void dump_previous_drop(struct dump_previous_out *o)
{
	if (o != NULL)
		unlink(o->temporary);
	out_free(o);
}

/* --- reading ------------------------------------------------------------- */

struct dump_previous {
	FILE *file;
	struct file_head head;
	struct buf piece, stats;
	size_t stat_at;
	struct cbor_in in;
	struct buf entry; /* one that goes over pieces, whole */
};

struct dump_previous *dump_previous_open(const char *path, const uint8_t domain[STORE_DOMAIN_LEN])
{
	struct dump_previous *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	buf_init(&l->piece, PIECE_MAX);
	buf_init(&l->stats, STATS_MAX * sizeof(struct dump_stat));
	buf_init(&l->entry, SIZE_MAX);
	l->file = fopen(path, "re");
	if (l->file != NULL && fread(&l->head, sizeof l->head, 1, l->file) == 1 &&
		l->head.magic == MAGIC && memcmp(l->head.domain, domain, STORE_DOMAIN_LEN) == 0)
		return l;
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
	free(l);
}

const uint8_t *dump_previous_dump(const struct dump_previous *l)
{
	return l->head.dump;
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

/* Passes by the items of an entry, and its TAIL. Returns 0; 1 if the piece
 * ends before; -1. */
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
	return true;
}
