/*
 * Second names of files that were restored before.
 *
 * Free of state.
 */
#ifndef FDUMP_PACK_HARDLINK_H
#define FDUMP_PACK_HARDLINK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "pack/overwrite.h"

struct pack_restore;

/* A link to be: `name` in `dir` to `old` in `from`. */
struct pack_hardlink {
	int from, dir;
	const char *old, *name;
	enum pack_overwrite when;
	bool privileged;
	unsigned *serial; /* of temporary names */
};

/* Makes it. Returns 0; 1 if what is there stays (*there: what that is); -1 with
 * errno set. What is immutable or append-only can't be linked, so it is neither
 * for as long as that takes. */
int pack_hardlink_make(const struct pack_hardlink *link, struct stat *there);

/* Makes a copy of a regular file where no link can be made; what has the name
 * gives way. Returns 0, or -1 with errno set. */
int pack_hardlink_copy(const struct pack_hardlink *link, const struct pack_restore *restore);

#endif
