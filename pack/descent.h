/*
 * The directories that unpacking stands in: a stack of levels, from the target
 * down to where the last entry went. Going on to another place leaves levels,
 * which applies what is due to their directories, and enters others.
 *
 *   pack_descent_new -> (pack_descent_put | pack_descent_go)* -> pack_descent_finish -> _free
 *
 * No component of a path is followed through a link, but as .follow_links says.
 * One thread; but pack_descent_acl may be asked by any. At most PACK_DESCENT_OPEN descriptors
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
struct pack_extract_options;
struct pack_outcome;
struct pack_restore;

#define PACK_DESCENT_OPEN 64

/* Of the options it uses .target, .overwrite, .in_place and .follow_links; all that is given is
 * borrowed until _free. restore: how metadata are applied; outcome: gets what goes wrong.
 * NULL with err set: out of memory. Freeing gives directories that were widened (pack/widen.h)
 * their modes back, and applies nothing else. */
struct pack_descent *pack_descent_new(const struct pack_extract_options *options,
	const struct pack_restore *restore, struct pack_outcome *outcome, struct err *err);
void pack_descent_free(struct pack_descent *descent);

/* Goes to the directory that an entry is in; makes those that are missing, with the
 * metadata that _way gave, else, as tar does, with ordinary modes. Returns its descriptor, which is
 * borrowed until the next call; -1 if it can't be reached, which was reported (once for all that is
 * in a directory that _put could not make); -2 with err set: out of memory. */
int pack_descent_go(struct pack_descent *descent, struct pack_bytes path, struct err *err);

/* Makes or finds a directory, and enters it; what is in its way and is no
 * directory is removed, if .overwrite lets it; but not a link to a directory. The
 * metadata in head, of which copies are kept, are applied when it is left, if
 * .overwrite lets them. Path `.` is the target. Returns 0; 1 if nothing will be
 * applied: it was kept, or can't be made, which was reported; -1 with err set:
 * out of memory. */
int pack_descent_put(struct pack_descent *descent, const struct pack_head *head,
	struct pack_bytes path, struct err *err);

/* A directory that is not to be restored itself; but it will be if something in
 * it is, and nothing has its name, or _go made it before. Copies are kept until the next one that
 * is not in it. Returns 0, or -1 with err set: out of memory. */
int pack_descent_way(struct pack_descent *descent, const struct pack_head *head,
	struct pack_bytes path, struct err *err);

/* Opens a directory in the target (O_PATH), through links as in .follow_links. Returns the
 * descriptor, or -1 with errno set. */
int pack_descent_open(const struct pack_descent *descent, const uint8_t *path, size_t len);

/* The directory that is entered, or one above it: the outermost that seems to be on the same side
 * of a border of file systems; *path: its path, *len bytes. Borrowed as from _go. */
int pack_descent_border(struct pack_descent *descent, const uint8_t **path, size_t *len);

/* Gives directories that were widened their modes back, from any thread: the process ends. */
void pack_descent_back(struct pack_descent *descent);

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
