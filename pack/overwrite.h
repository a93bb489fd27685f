/*
 * Where something has an entry's name already: whether it gives way.
 *
 * Free of state. Thread-safe.
 */
#ifndef FDUMP_PACK_OVERWRITE_H
#define FDUMP_PACK_OVERWRITE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "pack/entry.h"

enum pack_overwrite {
	PACK_OVERWRITE_ALWAYS,
	PACK_OVERWRITE_CHANGED, /* if type, size or modification time differ */
	PACK_OVERWRITE_NEWER,   /* if the entry is newer */
	PACK_OVERWRITE_NEVER,
};

/* Whether what is there gives way to the entry. Of a directory for a directory
 * this means its metadata only. dir: where it is; a file may be made and
 * removed there, to learn how exactly times are kept. */
bool pack_overwrite_may(
	enum pack_overwrite when, const struct pack_head *head, const struct stat *there, int dir);

/* Whether a regular file has the size and the modification time of the entry,
 * as exactly as times are kept in dir. */
bool pack_overwrite_same(const struct pack_head *head, const struct stat *there, int dir);

/* Whether what is there is of the entry's type. */
bool pack_overwrite_alike(enum pack_type type, mode_t there);

#endif
