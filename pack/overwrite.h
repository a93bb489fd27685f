/*
 * Decides whether an existing object gives way to an entry of the same name.
 *
 * Stateless. Thread-safe.
 */
#ifndef FDUMP_PACK_OVERWRITE_H
#define FDUMP_PACK_OVERWRITE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "pack/entry.h"

enum pack_overwrite {
	PACK_OVERWRITE_ALWAYS,
	PACK_OVERWRITE_CHANGED, /* unless both are regular files of equal size and modification time
				 */
	PACK_OVERWRITE_NEWER,   /* if the entry's modification time is later */
	PACK_OVERWRITE_NEVER,
};

/* Whether what is there gives way to the entry. For a directory in place of a directory, this
 * decides about its metadata only. dir: the directory it is in. A file may be created and
 * removed there, to find out the precision of file times. */
bool pack_overwrite_may(
	enum pack_overwrite when, const struct pack_head *head, const struct stat *there, int dir);

/* Whether both are regular files of equal size and modification time, at the precision with
 * which `dir` keeps times. */
bool pack_overwrite_same(const struct pack_head *head, const struct stat *there, int dir);

/* Whether what is there is of the entry's type. Hard links and commands count as regular files. */
bool pack_overwrite_alike(enum pack_type type, mode_t there);

#endif
