/*
 * Open addressing with linear probing, with slots of 32 bytes in memory or in a file. A
 * finished slot is not removed but marked, so that probing continues past it. When the table is
 * three quarters full, it is rebuilt without these, and larger if necessary.
 */
#include "pack/links.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/mem.h"

struct slot {
	uint64_t dev, ino;
	uint32_t left; /* names still to be seen; 0: finished */
	uint32_t len;  /* length of the path; 0: the slot was never used */
	uint64_t path; /* offset in the file of paths */
};

struct pack_links {
	struct slot *table; /* in memory, or NULL */
	int table_fd;       /* in a file, or -1 */
	uint64_t slots;     /* a power of two */
	uint64_t used;      /* slots that are not empty, including finished ones */
	uint64_t alive;
	uint64_t memory;
	int paths_fd;
	uint64_t paths_len;
};

#define FIRST_SLOTS 256

struct pack_links *pack_links_new(size_t memory, struct err *err)
{
	struct pack_links *l = mem_new(sizeof *l, err);

	if (l == NULL || (l->table = mem_new(FIRST_SLOTS * sizeof *l->table, err)) == NULL) {
		free(l);
		return NULL;
	}
	l->slots = FIRST_SLOTS;
	l->memory = memory != 0 ? memory : PACK_LINKS_MEMORY;
	l->table_fd = l->paths_fd = -1;
	return l;
}

void pack_links_free(struct pack_links *l)
{
	if (l == NULL)
		return;
	free(l->table);
	fs_close(l->table_fd);
	fs_close(l->paths_fd);
	free(l);
}

static int get(const struct pack_links *l, uint64_t i, struct slot *s, struct err *err)
{
	if (l->table != NULL) {
		*s = l->table[i];
		return 0;
	}
	return fs_read_at(l->table_fd, s, sizeof *s, i * sizeof *s, err);
}

static int put(struct pack_links *l, uint64_t i, const struct slot *s, struct err *err)
{
	if (l->table != NULL) {
		l->table[i] = *s;
		return 0;
	}
	return fs_write_at(l->table_fd, s, sizeof *s, i * sizeof *s, err);
}

/* Finds the slot of (dev, ino), or the empty slot where it would go. */
static int find(const struct pack_links *l, uint64_t dev, uint64_t ino, uint64_t *at,
	struct slot *s, struct err *err)
{
	uint64_t key[2] = {dev, ino}, i = hash_xxh3(key, sizeof key) & (l->slots - 1);

	for (;; i = (i + 1) & (l->slots - 1)) {
		if (get(l, i, s, err) != 0)
			return -1;
		if (s->len == 0 || (s->left > 0 && s->dev == dev && s->ino == ino)) {
			*at = i;
			return 0;
		}
	}
}

/* Moves the unfinished slots to a new table with room for more. */
static int rebuild(struct pack_links *l, struct err *err)
{
	struct pack_links to = *l;
	uint64_t i, at, slots = FIRST_SLOTS;
	struct slot s, hole;

	while (l->alive * 2 >= slots)
		slots *= 2;
	to.slots = slots;
	to.used = to.alive = 0;
	to.table = NULL;
	to.table_fd = -1;
	if (slots <= to.memory) {
		to.table = mem_new(slots * sizeof *to.table, err);
		if (to.table == NULL)
			return -1;
	} else {
		to.table_fd = fs_temporary(err);
		if (to.table_fd < 0)
			return -1;
		if (ftruncate(to.table_fd, (off_t)(slots * sizeof(struct slot))) != 0) {
			err_errno(err, errno, "temporary file of hard links");
			goto failed;
		}
	}
	for (i = 0; i < l->slots; i++) {
		if (get(l, i, &s, err) != 0)
			goto failed;
		if (s.len == 0 || s.left == 0)
			continue;
		if (find(&to, s.dev, s.ino, &at, &hole, err) != 0 || put(&to, at, &s, err) != 0)
			goto failed;
		to.used++;
		to.alive++;
	}
	free(l->table);
	fs_close(l->table_fd);
	*l = to;
	return 0;
failed:
	free(to.table);
	fs_close(to.table_fd);
	return -1;
}

int pack_links_meet(struct pack_links *l, uint64_t dev, uint64_t ino, uint64_t nlink,
	const char *path, size_t len, struct buf *first, struct err *err)
{
	struct slot s;
	uint64_t at;
	uint8_t *to;

	if (find(l, dev, ino, &at, &s, err) != 0)
		return -1;
	if (s.len == 0) {
		s = (struct slot){.dev = dev, .ino = ino};
		s.left = nlink - 1 < UINT32_MAX ? (uint32_t)(nlink - 1) : UINT32_MAX;
		s.len = (uint32_t)len;
		s.path = l->paths_len;
		if ((l->paths_fd < 0 && (l->paths_fd = fs_temporary(err)) < 0) ||
			fs_write_at(l->paths_fd, path, len, l->paths_len, err) != 0 ||
			put(l, at, &s, err) != 0)
			return -1;
		l->paths_len += len;
		l->used++;
		l->alive++;
		return l->used * 4 >= l->slots * 3 ? rebuild(l, err) : 0;
	}
	buf_clear(first);
	to = buf_room(first, s.len, err);
	if (to == NULL || fs_read_at(l->paths_fd, to, s.len, s.path, err) != 0)
		return -1;
	buf_took(first, s.len);
	if (--s.left == 0)
		l->alive--;
	return put(l, at, &s, err) != 0 ? -1 : 1;
}
