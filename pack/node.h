/*
 * What is neither a file nor a directory: symbolic links, fifos, sockets and
 * devices. Free of state.
 */
#ifndef FDUMP_PACK_NODE_H
#define FDUMP_PACK_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "pack/entry.h"

struct pack_restore;

/* Makes one; target: a symbolic link's. Returns 0, or -1 with errno set. */
int pack_node_make(int dir, const char *name, const struct pack_head *head, const char *target);

/* Gives one that was just made its metadata: only if it still is what was made. acl: it may have
 * inherited an access list. Returns as pack_restore_meta. */
int pack_node_dress(const struct pack_restore *restore, int dir, const char *name, bool acl,
	const struct pack_head *head, char *text, size_t len);

#endif
