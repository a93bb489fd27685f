/* Open addressing with linear probing. A row is never freed, but marked NOT. */
#include "pack/absent.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fs.h"

#define FIRST 256
#define MOST  (1u << 21) /* rows: 48 MiB */
#define PIECE 65536      /* bytes that are hashed at once */

static uint64_t name_of(struct pack_bytes path)
{
	uint64_t hash = hash_xxh3(path.at, path.len);

	return hash != 0 ? hash : 1;
}

/* The path's row, or the free one where it would be. There is always a free one. */
static struct pack_absent_row *find(const struct pack_absent *a, uint64_t path)
{
	size_t i = path & (a->cap - 1);

	assert(a->count < a->cap);
	while (a->rows[i].path != 0 && a->rows[i].path != path)
		i = (i + 1) & (a->cap - 1);
	return &a->rows[i];
}

static bool grow(struct pack_absent *a)
{
	struct pack_absent grown = {.cap = a->cap > 0 ? a->cap * 2 : FIRST};
	size_t i;

	if (grown.cap > MOST || (grown.rows = calloc(grown.cap, sizeof *grown.rows)) == NULL)
		return false;
	for (i = 0; i < a->cap; i++) {
		if (a->rows[i].path == 0 || a->rows[i].why == PACK_ABSENT_NOT)
			continue;
		*find(&grown, a->rows[i].path) = a->rows[i];
		grown.count++;
	}
	free(a->rows);
	*a = grown;
	return true;
}

void pack_absent_add(
	struct pack_absent *a, struct pack_bytes path, enum pack_absent_why why, const uint8_t *sum)
{
	uint64_t name = name_of(path);
	struct pack_absent_row *row;

	if (a->full || (a->count + a->cap / 4 >= a->cap && !grow(a))) {
		a->full = true;
		return;
	}
	row = find(a, name);
	a->count += row->path == 0;
	row->path = name;
	row->why = (uint8_t)why;
	if (sum != NULL)
		memcpy(row->sum, sum, sizeof row->sum);
}

void pack_absent_remove(struct pack_absent *a, struct pack_bytes path)
{
	struct pack_absent_row *row;

	if (a->count == 0)
		return;
	row = find(a, name_of(path));
	row->why = PACK_ABSENT_NOT;
}

/* Whether a regular file's SHA-256 begins like this. */
static bool has_sum(int dir, const char *name, const struct pack_absent_row *row)
{
	int fd = fs_open_read(dir, name, 0);
	struct hash *hash = hash_new(NULL);
	uint8_t *piece = malloc(PIECE), digest[HASH_LEN] = {0};
	struct stat st;
	ssize_t n = -1;

	if (fd >= 0 && hash != NULL && piece != NULL && fstat(fd, &st) == 0 &&
		S_ISREG(st.st_mode)) {
		while ((n = fs_read_full(fd, piece, PIECE, NULL)) > 0)
			hash_add(hash, piece, (size_t)n);
		hash_end(hash, digest);
	}
	free(piece);
	hash_free(hash);
	if (fd >= 0)
		close(fd);
	return n == 0 && memcmp(digest, row->sum, sizeof row->sum) == 0;
}

enum pack_absent_why pack_absent_get(
	struct pack_absent *a, struct pack_bytes path, int dir, const char *name)
{
	struct pack_absent_row *row = a->count > 0 ? find(a, name_of(path)) : NULL;

	if (row == NULL || row->path == 0)
		return a->full ? PACK_ABSENT_KEPT : PACK_ABSENT_NOT;
	if (row->why == PACK_ABSENT_SAME)
		row->why = has_sum(dir, name, row) ? PACK_ABSENT_NOT : PACK_ABSENT_KEPT;
	return (enum pack_absent_why)row->why;
}

void pack_absent_fini(struct pack_absent *a)
{
	free(a->rows);
	*a = (struct pack_absent){0};
}
