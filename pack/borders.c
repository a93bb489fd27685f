/* A short list under a lock. */
#include "pack/borders.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pack_borders_init(struct pack_borders *b)
{
	b->count = b->next = 0;
	mutex_init(&b->lock);
}

void pack_borders_fini(struct pack_borders *b)
{
	while (b->count > 0) {
		b->count--;
		close(b->list[b->count].fd);
		free(b->list[b->count].path);
	}
	mutex_fini(&b->lock);
}

void pack_borders_add(struct pack_borders *b, const uint8_t *path, size_t len, int fd)
{
	struct pack_border new = {malloc(len + 1), len, fcntl(fd, F_DUPFD_CLOEXEC, 0)}, old = {0};

	if (new.path == NULL || new.fd < 0) {
		if (new.fd >= 0)
			close(new.fd);
		free(new.path);
		return;
	}
	memcpy(new.path, path, len);
	mutex_lock(&b->lock);
	if (b->count == PACK_BORDERS_MAX)
		old = b->list[b->next];
	else
		b->count++;
	b->list[b->next] = new;
	b->next = (b->next + 1) % PACK_BORDERS_MAX;
	mutex_unlock(&b->lock);
	if (old.path != NULL)
		close(old.fd);
	free(old.path);
}

int pack_borders_find(struct pack_borders *b, struct pack_bytes path)
{
	const struct pack_border *best = NULL;
	size_t i;
	int fd = -1;

	mutex_lock(&b->lock);
	for (i = 0; i < b->count; i++) {
		const struct pack_border *o = &b->list[i];

		if (path.len > o->len && path.at[o->len] == '/' &&
			memcmp(path.at, o->path, o->len) == 0 &&
			(best == NULL || o->len > best->len))
			best = o;
	}
	if (best != NULL)
		fd = fcntl(best->fd, F_DUPFD_CLOEXEC, 0);
	mutex_unlock(&b->lock);
	return fd;
}
