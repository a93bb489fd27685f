/*
 * Which inodes with several names have been met, and under which path first:
 * so that the later names become hard links. An inode is forgotten when all
 * its names have been met. Up to a limit in memory, beyond it in an unlinked
 * temporary file; paths are always in such a file.
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

#define PACK_LINKS_MEMORY (1u << 17) /* inodes in memory: 4 MiB */

/* memory: inodes kept in memory, a power of two; 0: PACK_LINKS_MEMORY. */
struct pack_links *pack_links_new(size_t memory, struct err *err);
void pack_links_free(struct pack_links *links);

/* Meets (dev, ino), which has nlink names, under this path. Returns 0 if it is
 * the first time; 1 if not: then the first path is put into *first; -1 with
 * err set. */
int pack_links_meet(struct pack_links *links, uint64_t dev, uint64_t ino, uint64_t nlink,
	const char *path, size_t len, struct buf *first, struct err *err);

#endif
