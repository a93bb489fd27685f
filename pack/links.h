/*
 * Remembers inodes with several names and the path under which each was seen first, so that the
 * later names become hard links. An inode is forgotten once all its names have been seen. The
 * table is kept in memory up to a limit, and beyond it in an unlinked temporary file. The paths
 * are always in such a file.
 *
 * Not thread-safe.
 */
#ifndef FDUMP_PACK_LINKS_H
#define FDUMP_PACK_LINKS_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct pack_links;

#define PACK_LINKS_MEMORY (1u << 17) /* slots of 32 bytes in memory: 4 MiB */

/* memory: most slots in memory, a power of two; 0: PACK_LINKS_MEMORY. Returns NULL with err
 * set. */
struct pack_links *pack_links_new(size_t memory, struct err *err);
void pack_links_free(struct pack_links *links);

/* Records that (dev, ino), which has nlink names (at least 2), was seen under this path.
 * Returns 0 the first time; 1 later, with the first path in *first (replaced); -1 with err set. */
int pack_links_meet(struct pack_links *links, uint64_t dev, uint64_t ino, uint64_t nlink,
	const char *path, size_t len, struct buf *first, struct err *err);

#endif
