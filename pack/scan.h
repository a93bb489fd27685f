/*
 * The scanner: walks trees by directory descriptors, without recursion, and
 * hands out what it meets, each directory before what is in it, names sorted
 * bytewise. See pack/FORMAT.md, section 4.3.
 *
 *   pack_scan_new -> pack_scan_next ... -> pack_scan_free
 *
 * Nothing is followed through a link below the paths given; a path that is a link is followed if
 * it ends in "/" and leads to a directory. Depth, length of
 * a path (up to the format's limit) and number of names in a directory are
 * without effect on memory, but for a few bytes a level; at most
 * PACK_SCAN_OPEN directories stay open.
 * One thread at a time; the directories handed out are counted references
 * that other threads may use and give back.
 */
#ifndef FDUMP_PACK_SCAN_H
#define FDUMP_PACK_SCAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct err;
struct pack_scan;

#define PACK_SCAN_OPEN 64

/* An open directory. */
struct pack_dir {
	int fd;
	atomic_uint refs;
};
struct pack_dir *pack_dir_ref(struct pack_dir *dir);
/* Closes it with the last reference. dir may be NULL. */
void pack_dir_unref(struct pack_dir *dir);

struct pack_scan_options {
	int base; /* what relative paths begin at: a descriptor, or AT_FDCWD */
	bool one_file_system;
	bool no_recursion;   /* the paths themselves, not what is in them */
	bool exclude_caches; /* of a directory with a CACHEDIR.TAG only that */
	bool skip_known;     /* leave out the file (skip_dev, skip_ino): the output */
	dev_t skip_dev;
	ino_t skip_ino;
	/* "NAME=...", ended by NULL: what is NAME, or in the way of it, is a problem and left out,
	 * for an entry of that name comes from elsewhere. NULL: none. */
	char *const *taken;
	/* True if this path is to be left out; may be NULL. */
	bool (*excluded)(void *ctx, const char *path, size_t len, bool is_dir);
	/* one_file_system: a directory of another file system was met. `enters` is true where it
	 * is entered all the same, for it is a path of its own; else `border` is called. Both
	 * may be NULL. */
	bool (*enters)(void *ctx, const char *path, size_t len);
	void (*border)(void *ctx, const char *path, size_t len);
	/* The next path to walk; returns 0, 1 when there are no more, -1 with
	 * err set. The text is good until the next call. */
	int (*next_root)(void *ctx, const char **path, struct err *err);
	/* Something that could not be looked at; errnum may be 0. */
	void (*problem)(void *ctx, const char *path, size_t len, const char *what, int errnum);
	void *ctx, *problem_ctx; /* problem_ctx: for `problem`; ctx: for all others */
};

/* What was met. All is borrowed until the next call; keep a directory by
 * pack_dir_ref. */
struct pack_scan_item {
	struct pack_dir *dir; /* where it is */
	const char *name;     /* its name there */
	const char *path;     /* its path in the pack */
	size_t path_len;
	struct stat st;
	struct pack_dir *self; /* a directory, opened; else NULL */
	int fd;                /* a regular file, opened (pack_scan_open): the caller's; else -1 */
	int error;             /* a directory that could not be opened or listed: errno */
};

/* options are copied; NULL with err set: out of memory. */
struct pack_scan *pack_scan_new(const struct pack_scan_options *options, struct err *err);
void pack_scan_free(struct pack_scan *scan);

/* Returns 0 with *item set; 1 at the end; -1 with err set. ERR_NOTFOUND: all is excluded,
 * and nothing is `taken`. */
int pack_scan_next(struct pack_scan *scan, struct pack_scan_item *item, struct err *err);

/* So many of the regular files that come next are opened at once, and looked at
 * by their descriptor, which saves finding the name twice. None at first. */
void pack_scan_open(struct pack_scan *scan, size_t count);

/* The path of a pack's entry for a path as a person gives it: without a
 * leading "/", without "." and empty components, from behind the last "..";
 * "." if nothing is left. Returns its length; *cut is set if something that
 * matters ("/" or "..") was left out. out has room for strlen(path) + 2. */
size_t pack_scan_name(const char *path, char *out, bool *cut);

#endif
