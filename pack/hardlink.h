/*
 * Creates hard links to files that were restored earlier.
 *
 * Stateless.
 */
#ifndef FDUMP_PACK_HARDLINK_H
#define FDUMP_PACK_HARDLINK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "pack/overwrite.h"

struct pack_restore;

/* The link to create: `name` in directory `dir`, to `old` in directory `from`. */
struct pack_hardlink {
	int from, dir;
	const char *old, *name;
	enum pack_overwrite when;
	bool privileged;
	unsigned *serial; /* counts temporary names */
};

/* Creates it. What already has the name is replaced, except with PACK_OVERWRITE_NEVER, or with
 * _NEWER if the linked file is not newer. Returns 0; 1 if the existing object is kept (*there
 * describes it); -1 with errno set. An immutable or append-only file can't be linked, so a
 * privileged caller clears these flags for the moment. */
int pack_hardlink_make(const struct pack_hardlink *link, struct stat *there);

/* Creates a copy of a regular file where a hard link is not possible. Replaces what has the
 * name. Returns 0, or -1 with errno set. */
int pack_hardlink_copy(const struct pack_hardlink *link, const struct pack_restore *restore);

#endif
