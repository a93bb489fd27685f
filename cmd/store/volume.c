/* Each block is appended to its file by one write. Descriptors of the volumes read last stay
 * open. */
#include "cmd/store/volume.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "pack/frame.h"

/* Written bytes are handed to the disk in steps of this size, so that a sync has little left to
 * do. */
#define EARLY (8u << 20)

#define WINDOW (64u << 10) /* to search for the next block after damage */

static void name_of(uint32_t number, char name[16])
{
	snprintf(name, 16, "%08x.vol", number);
}

int store_volume_make(int dir, uint32_t number, struct store_volume *v, struct err *err)
{
	char name[16];

	name_of(number, name);
	*v = (struct store_volume){.fd = -1, .number = number};
	if (seal_random(v->id, sizeof v->id, err) != 0)
		return -1;
	v->fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (v->fd >= 0 && fs_own(v->fd, dir) == 0)
		return 0;
	err_errno(err, errno, "volume %s", name);
	store_volume_close(v);
	return -1;
}

int store_volume_open(int dir, uint32_t number, bool write, struct store_volume *v, struct err *err)
{
	char name[16];
	struct stat st;

	name_of(number, name);
	*v = (struct store_volume){.number = number};
	v->fd = openat(
		dir, name, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (v->fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOTFOUND, "volume %s is missing", name);
	if (v->fd < 0)
		return err_errno(err, errno, "volume %s", name);
	if (fstat(v->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		store_volume_close(v);
		return err_set(err, ERR_IO, "volume %s: not a regular file", name);
	}
	v->len = v->synced = (uint64_t)st.st_size;
	return 0;
}

void store_volume_close(struct store_volume *v)
{
	fs_close(v->fd);
	v->fd = -1;
}

int store_volume_remove(int dir, uint32_t number, struct err *err)
{
	char name[16];

	name_of(number, name);
	if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
		return err_errno(err, errno, "volume %s", name);
	return 0;
}

int store_volume_append(struct store_volume *v, enum store_block kind, uint64_t seq, uint8_t *bytes,
	size_t len, uint64_t *offset, struct err *err)
{
	struct pack_block block = {
		.kind = (uint8_t)kind,
		.first = PACK_BLOCK_NONE,
		.seq = seq,
		.raw_len = (uint32_t)len,
		.stored_len = (uint32_t)len,
		.check = hash_xxh3(bytes + PACK_BLOCK_HEADER, len),
	};

	memcpy(block.id, v->id, sizeof block.id);
	pack_block_put(&block, bytes);
	if (fs_write_at(v->fd, bytes, PACK_BLOCK_HEADER + len, v->len, err) != 0) {
		/* Part of a block would look like damage, not like a torn tail. */
		if (ftruncate(v->fd, (off_t)v->len) != 0)
			return err_prefix(err, "volume %08x can't be cut back", v->number);
		return err_prefix(err, "volume %08x", v->number);
	}
	*offset = v->len;
	v->len += PACK_BLOCK_HEADER + len;
	if (v->len - v->synced >= EARLY) {
		sync_file_range(v->fd, (off_t)v->synced, (off_t)(v->len - v->synced),
			SYNC_FILE_RANGE_WRITE);
		v->synced = v->len;
	}
	return 0;
}

int store_volume_sync(struct store_volume *v, struct err *err)
{
	if (fdatasync(v->fd) != 0)
		return err_errno(err, errno, "volume %08x: sync", v->number);
	return 0;
}

static int damaged(struct err *err, const struct store_volume *v, uint64_t offset, const char *what)
{
	return err_set(err, ERR_DAMAGE, "volume %08x at %llu: %s", v->number,
		(unsigned long long)offset, what);
}

int store_volume_read(const struct store_volume *v, uint64_t offset, size_t len,
	struct pack_block *block, struct buf *out, struct err *err)
{
	uint8_t header[PACK_BLOCK_HEADER], *to;

	buf_clear(out);
	if (offset > v->len || v->len - offset < PACK_BLOCK_HEADER + len)
		return damaged(err, v, offset, "the volume is shorter than it was");
	if ((to = buf_room(out, len, err)) == NULL ||
		fs_read_at(v->fd, header, sizeof header, offset, err) != 0 ||
		fs_read_at(v->fd, to, len, offset + sizeof header, err) != 0)
		return -1;
	if (pack_block_get(block, header, err) != 0 || block->stored_len != len)
		return damaged(err, v, offset, "no block of this length here");
	if (hash_xxh3(to, len) != block->check)
		return damaged(err, v, offset, "a block's checksum does not match");
	buf_took(out, len);
	return 0;
}

/* --- scanning ------------------------------------------------------------ */

struct scan {
	const struct store_volume *volume;
	struct pack_frame frame;
	uint64_t at, end;
	uint8_t window[WINDOW];
	size_t have;
	struct buf payload;
	store_volume_known *known;
	store_volume_met *met;
	void *ctx;
};

static int fill(struct scan *s, size_t want, struct err *err)
{
	if (s->frame.scanning)
		want = WINDOW;
	if (want > s->end - s->at)
		want = (size_t)(s->end - s->at);
	if (fs_read_at(s->volume->fd, s->window, want, s->at, err) != 0)
		return err_prefix(err, "volume %08x", s->volume->number);
	s->have = want;
	return 0;
}

/* Reports a block with a good header. *len: its length, or less at the end of the file. */
static int take_block(
	struct scan *s, const struct pack_block *block, uint64_t *len, struct err *err)
{
	uint64_t rest = s->end - s->at - PACK_BLOCK_HEADER;
	uint8_t *to;

	buf_clear(&s->payload);
	*len = PACK_BLOCK_HEADER + block->stored_len;
	if (block->stored_len > rest) {
		*len = s->end - s->at;
		return s->met(s->ctx, s->at, block, NULL, *len, err);
	}
	to = buf_room(&s->payload, block->stored_len + 1, err);
	if (to == NULL)
		return -1;
	if (s->known != NULL && s->known(s->ctx, s->at))
		return s->met(s->ctx, s->at, block, to, *len, err);
	if (fs_read_at(s->volume->fd, to, block->stored_len, s->at + PACK_BLOCK_HEADER, err) != 0)
		return err_prefix(err, "volume %08x", s->volume->number);
	return s->met(s->ctx, s->at, block,
		hash_xxh3(to, block->stored_len) == block->check ? to : NULL, *len, err);
}

static int scan_step(struct scan *s, uint64_t *skipped, struct err *err)
{
	struct pack_block block;
	uint64_t len;
	size_t n = 0;
	int got = 0;

	switch (pack_frame_step(
		&s->frame, s->window, s->have, s->at + s->have == s->end, &block, &n, err)) {
	case PACK_FRAME_MORE:
		return fill(s, n, err);
	case PACK_FRAME_SKIP:
	case PACK_FRAME_MISPLACED: /* its length may reach beyond the end */
		len = n < s->end - s->at ? n : s->end - s->at;
		*skipped += len;
		break;
	case PACK_FRAME_BLOCK:
		if (*skipped > 0)
			got = s->met(s->ctx, s->at - *skipped, NULL, NULL, *skipped, err);
		*skipped = 0;
		if (got == 0)
			got = take_block(s, &block, &len, err);
		if (got != 0)
			return got;
		break;
	case PACK_FRAME_REFUSED:
		return err_prefix(
			err, "volume %08x at %llu", s->volume->number, (unsigned long long)s->at);
	default:
		return 1;
	}
	s->at += len;
	if (len < s->have) {
		memmove(s->window, s->window + len, s->have - (size_t)len);
		s->have -= (size_t)len;
	} else {
		s->have = 0;
	}
	return 0;
}

int store_volume_scan(const struct store_volume *v, uint64_t from, uint64_t end,
	store_volume_known *known, store_volume_met *met, void *ctx, struct err *err)
{
	struct scan *s = mem_new(sizeof *s, err);
	uint64_t skipped = 0;
	int got = 0;

	if (s == NULL)
		return -1;
	s->volume = v;
	s->at = from;
	s->end = end < v->len ? end : v->len;
	s->known = known;
	s->met = met;
	s->ctx = ctx;
	buf_init(&s->payload, PACK_BLOCK_VOLUME_MAX + 1);
	while (got == 0 && s->at < s->end)
		got = scan_step(s, &skipped, err);
	if (got == 0 && skipped > 0)
		got = met(ctx, s->at - skipped, NULL, NULL, skipped, err);
	buf_fini(&s->payload);
	free(s);
	return got < 0 ? -1 : 0;
}

/* --- volumes kept open ----------------------------------------------------- */

#define NONE STORE_VOLUMES_OPEN

void store_volumes_init(struct store_volumes *v)
{
	size_t i;

	*v = (struct store_volumes){.turn = 0};
	mutex_init(&v->lock);
	for (i = 0; i < STORE_VOLUMES_OPEN; i++)
		v->slots[i].volume.fd = -1;
}

void store_volumes_fini(struct store_volumes *v)
{
	size_t i;

	for (i = 0; i < STORE_VOLUMES_OPEN; i++) {
		assert(v->slots[i].users == 0);
		store_volume_close(&v->slots[i].volume);
	}
	mutex_fini(&v->lock);
}

/* The slot of a volume, if it has the file that is there now. A slot whose file was removed is
 * closed, or left to its users. */
static size_t find_current(struct store_volumes *v, uint32_t number)
{
	struct stat st;
	size_t i;

	assert(mutex_held(&v->lock));
	for (i = 0; i < STORE_VOLUMES_OPEN; i++) {
		struct store_volume *volume = &v->slots[i].volume;

		if (volume->fd < 0 || volume->number != number)
			continue;
		if (fstat(volume->fd, &st) == 0 && st.st_nlink > 0) {
			volume->len = (uint64_t)st.st_size;
			return i;
		}
		if (v->slots[i].users == 0)
			store_volume_close(volume);
	}
	return NONE;
}

/* A free slot, or the least recently used one; NONE if all are in use. */
static size_t find_room(const struct store_volumes *v)
{
	size_t i, best = NONE;

	assert(mutex_held(&v->lock));
	for (i = 0; i < STORE_VOLUMES_OPEN; i++) {
		if (v->slots[i].volume.fd < 0)
			return i;
		if (v->slots[i].users == 0 &&
			(best == NONE || v->slots[i].turn < v->slots[best].turn))
			best = i;
	}
	return best;
}

int store_volumes_take(struct store_volumes *v, int dir, uint32_t number,
	struct store_volume *volume, struct err *err)
{
	int ret = 0;
	size_t at;

	mutex_lock(&v->lock);
	at = find_current(v, number);
	if (at == NONE) {
		ret = store_volume_open(dir, number, false, volume, err);
		at = ret == 0 ? find_room(v) : NONE;
		if (at != NONE) {
			store_volume_close(&v->slots[at].volume);
			v->slots[at].volume = *volume;
		}
	}
	if (at != NONE) {
		*volume = v->slots[at].volume;
		v->slots[at].users++;
		v->slots[at].turn = ++v->turn;
	}
	mutex_unlock(&v->lock);
	return ret;
}

void store_volumes_give(struct store_volumes *v, struct store_volume *volume)
{
	size_t i;

	mutex_lock(&v->lock);
	for (i = 0; i < STORE_VOLUMES_OPEN && v->slots[i].volume.fd != volume->fd; i++)
		;
	if (i == STORE_VOLUMES_OPEN) { /* it has no slot */
		store_volume_close(volume);
	} else {
		assert(v->slots[i].users > 0);
		v->slots[i].users--;
	}
	mutex_unlock(&v->lock);
	volume->fd = -1;
}

void store_volumes_forget(struct store_volumes *v, uint32_t number)
{
	size_t i;

	mutex_lock(&v->lock);
	for (i = 0; i < STORE_VOLUMES_OPEN; i++)
		if (v->slots[i].volume.number == number && v->slots[i].users == 0)
			store_volume_close(&v->slots[i].volume);
	mutex_unlock(&v->lock);
}
