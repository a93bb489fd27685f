/*
 * The directories that unpacking stands in: a stack of levels, from the target
 * down to where the last entry went. Going on to another place leaves levels,
 * which applies what is due to their directories, and enters others.
 *
 *   pack_descent_new -> (pack_descent_put | pack_descent_go)* -> pack_descent_finish -> _free
 *
 * No component of a path is followed through a link. One thread; but
 * pack_descent_acl may be asked by any. At most PACK_DESCENT_OPEN descriptors
 * beside the target's; memory for the metadata of the directories on the way
 * down, at most PACK_HEAD_KEEP each.
 */
#ifndef FDUMP_PACK_DESCENT_H
#define FDUMP_PACK_DESCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "pack/entry.h"

struct err;
struct pack_descent;
struct pack_restore;

#define PACK_DESCENT_OPEN 64

struct pack_descent_options {
	int target;                         /* the directory; borrowed, as is: */
	const struct pack_restore *restore; /* how metadata are applied */
	/* An entry could not be reached (lost), or not be given its metadata. */
	void (*problem)(void *ctx, struct pack_bytes path, bool lost, int errnum, const char *what);
	void *ctx;
};

/* NULL with err set: out of memory. Freeing applies nothing. */
struct pack_descent *pack_descent_new(const struct pack_descent_options *options, struct err *err);
void pack_descent_free(struct pack_descent *descent);

/* Goes to the directory that an entry is in; makes those that are missing, as
 * tar does, with ordinary modes. Returns its descriptor, which is borrowed until
 * the next call; -1 if it can't be reached, which was reported; -2 with err
 * set: out of memory. */
int pack_descent_go(struct pack_descent *descent, struct pack_bytes path, struct err *err);

/* Makes or finds a directory, and enters it; what is in its way and is no
 * directory is removed. The metadata in head, of which copies are kept, are
 * applied when it is left; keep: not if it was there before. Path `.` is the
 * target. Returns 0; 1 if nothing will be applied: it was kept, or can't be
 * made, which was reported; -1 with err set: out of memory. */
int pack_descent_put(struct pack_descent *descent, const struct pack_head *head,
	struct pack_bytes path, bool keep, struct err *err);

/* Leaves all levels: applies what is still due. */
void pack_descent_finish(struct pack_descent *descent);

/* Whether what is made in the target may inherit an access list. */
bool pack_descent_acl(const struct pack_descent *descent);

/* Length of the directory's part of a path; 0: the target itself. */
size_t pack_descent_parent(struct pack_bytes path);

/* The last component of a path, with a NUL. */
void pack_descent_name(struct pack_bytes path, char name[PACK_NAME_MAX + 1]);

/* Removes a file or an empty directory from where something else is to be.
 * Returns 0, or -1 with errno set. */
int pack_descent_clear(int parent, const char *name);

#endif
