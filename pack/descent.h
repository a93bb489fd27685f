/*
 * The directories that the extractor currently has open: a stack of levels, from the target
 * down to where the last entry went. Moving to another directory leaves levels, which applies
 * the metadata pending for them, and enters others.
 *
 *   pack_descent_new -> (pack_descent_put | pack_descent_go)* -> pack_descent_finish -> _free
 *
 * Path components are never followed through links, except as .follow_links allows. For one
 * thread; only pack_descent_acl and pack_descent_back may be called from any. Keeps at most
 * PACK_DESCENT_OPEN descriptors besides the target's, and the metadata of the directories on
 * the way down, at most PACK_HEAD_KEEP bytes each.
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

/* Uses .target, .overwrite, .in_place and .follow_links of the options. All arguments are
 * borrowed until _free. restore: how metadata are applied; outcome: receives the problems.
 * Returns NULL with err set: out of memory, or the target can't be listed. _free gives widened
 * directories (pack/widen.h) their modes back, and applies nothing else. */
struct pack_descent *pack_descent_new(const struct pack_extract_options *options,
	const struct pack_restore *restore, struct pack_outcome *outcome, struct err *err);
void pack_descent_free(struct pack_descent *descent);

/* Enters the directory that holds this path. Missing directories are created, with the metadata
 * given to _way or else, as tar does, with default modes. Returns the directory's descriptor,
 * borrowed until the next call; -1 if it can't be reached, which was reported (once for
 * everything in a directory that _put could not create); -2 with err set (out of memory). */
int pack_descent_go(struct pack_descent *descent, struct pack_bytes path, struct err *err);

/* Creates or finds a directory and enters it. If .overwrite allows it, anything else with that
 * name is removed, except a link to a directory. The metadata in head are copied, and applied
 * when the directory is left, if .overwrite allows that. The path `.` means the target. Returns
 * 0; 1 if no metadata will be applied, because the existing ones are kept or because the
 * directory can't be created, which was reported; -1 with err set (out of memory). */
int pack_descent_put(struct pack_descent *descent, const struct pack_head *head,
	struct pack_bytes path, struct err *err);

/* Remembers a directory that is not selected itself. It is restored if something in it is, and
 * either nothing has its name yet or _go created it. The copy is kept until a directory outside
 * it is given to _way. Returns 0, or -1 with err set (out of memory). */
int pack_descent_way(struct pack_descent *descent, const struct pack_head *head,
	struct pack_bytes path, struct err *err);

/* Opens a directory in the target (O_PATH), through links only if .follow_links is set. Returns
 * the descriptor, or -1 with errno set. */
int pack_descent_open(const struct pack_descent *descent, const uint8_t *path, size_t len);

/* The outermost directory, from the current one upwards, that seems to lie on the same side of
 * a file system border as the current one. Sets *path and *len. Returns the descriptor, or -1
 * with errno set. All borrowed until the next call. */
int pack_descent_border(struct pack_descent *descent, const uint8_t **path, size_t *len);

/* Gives widened directories their modes back. From any thread, when the process is about to
 * end. */
void pack_descent_back(struct pack_descent *descent);

/* Leaves all levels and applies the metadata still pending. */
void pack_descent_finish(struct pack_descent *descent);

/* Whether new files in the target may inherit an access control list. */
bool pack_descent_acl(const struct pack_descent *descent);

/* Length of the directory part of a path; 0 for something directly in the target. */
size_t pack_descent_parent(struct pack_bytes path);

/* The last component of a path, NUL-terminated. */
void pack_descent_name(struct pack_bytes path, char name[PACK_NAME_MAX + 1]);

/* Removes a file or an empty directory to make room for another. Returns 0, or -1 with errno
 * set. */
int pack_descent_clear(int parent, const char *name);

#endif
