/*
 * Directories of a target that a file from elsewhere in it can't be linked into:
 * other file systems, bind mounts, subvolumes, project quotas. Neither device
 * numbers nor anything else shows all of these, so each is learnt when a link
 * into it fails.
 *
 *   zeroed -> pack_borders_init -> (_add | _find)* -> _fini
 *
 * Thread-safe. The last PACK_BORDERS_MAX are known.
 */
#ifndef FDUMP_PACK_BORDERS_H
#define FDUMP_PACK_BORDERS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/mutex.h"
#include "pack/entry.h"

#define PACK_BORDERS_MAX 64

struct pack_border {
	uint8_t *path;
	size_t len;
	int fd;
};

struct pack_borders {
	struct mutex lock;
	struct pack_border list[PACK_BORDERS_MAX];
	size_t count, next; /* next: the one that gives way */
};

void pack_borders_init(struct pack_borders *borders);
void pack_borders_fini(struct pack_borders *borders);

/* A directory (its path, its descriptor, of which a duplicate is kept). Without memory it is
 * forgotten. */
void pack_borders_add(struct pack_borders *borders, const uint8_t *path, size_t len, int fd);

/* The innermost one that the entry is in: a new descriptor; -1: none. */
int pack_borders_find(struct pack_borders *borders, struct pack_bytes path);

#endif
