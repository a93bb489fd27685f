/*
 * The scanner: walks directory trees by descriptors, without recursion. Each directory comes
 * before its content, and names are sorted bytewise. See pack/FORMAT.md, section 4.3.
 *
 *   pack_scan_new -> pack_scan_next ... -> pack_scan_free
 *
 * Links below the given paths are not followed. A given path that is a link is followed if it
 * ends in "/" and leads to a directory. Memory hardly depends on depth, length of paths (up to
 * the format's limit) and number of names: lists of names spill to temporary files beyond 4 MiB
 * in all, and keep at most 64 KiB each from then on. At most PACK_SCAN_OPEN directories stay
 * open.
 *
 * One thread at a time. The directories in items are reference-counted; other threads may use
 * and release them.
 */
#ifndef FDUMP_PACK_SCAN_H
#define FDUMP_PACK_SCAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
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
/* Drops a reference; the last one closes the directory. dir may be NULL. */
void pack_dir_unref(struct pack_dir *dir);

struct pack_scan_options {
	int base; /* where relative paths begin: a descriptor, or AT_FDCWD */
	bool one_file_system;
	bool no_recursion;   /* the given paths only, not what is in them */
	bool exclude_caches; /* of a directory with a CACHEDIR.TAG, return only the tag */
	bool skip_known;     /* leave out the file (skip_dev, skip_ino), which is the output */
	dev_t skip_dev;
	ino_t skip_ino;
	/* "NAME=...", ended by NULL: entries of these names come from elsewhere. What has such
	 * a name, or would be in its way, is reported as a problem and left out. NULL: none. */
	char *const *taken;
	/* Whether to leave out this path. May be NULL. */
	bool (*excluded)(void *ctx, const char *path, size_t len, bool is_dir);
	/* With one_file_system, for a directory on another file system: `enters` returns true
	 * if it is entered anyway, because it is one of the given paths. Otherwise `border` is
	 * called. Both may be NULL. */
	bool (*enters)(void *ctx, const char *path, size_t len);
	void (*border)(void *ctx, const char *path, size_t len);
	/* The next path to walk. Returns 0, 1 when there are no more, -1 with err set. The text
	 * is valid until the next call. */
	int (*next_root)(void *ctx, const char **path, struct err *err);
	/* Something could not be examined. errnum may be 0. */
	void (*problem)(void *ctx, const char *path, size_t len, const char *what, int errnum);
	void *ctx, *problem_ctx; /* problem_ctx: for `problem`; ctx: for all others */
};

/* An item of the walk. Everything is borrowed until the next call, except fd. Keep a directory
 * with pack_dir_ref. */
struct pack_scan_item {
	struct pack_dir *dir; /* the directory that it is in */
	const char *name;     /* its name there */
	const char *path;     /* its path in the pack */
	size_t path_len;
	struct stat st;
	struct pack_dir *self; /* if a directory: opened; else NULL */
	int fd;    /* a regular file, already open (pack_scan_open), owned by the caller; else -1 */
	int error; /* errno, if a directory could not be opened or listed */
};

/* The options are copied. Returns NULL with err set (out of memory). */
struct pack_scan *pack_scan_new(const struct pack_scan_options *options, struct err *err);
void pack_scan_free(struct pack_scan *scan);

/* Returns 0 with *item set; 1 at the end; -1 with err set. ERR_NOTFOUND: everything is
 * excluded, and `taken` is empty. */
int pack_scan_next(struct pack_scan *scan, struct pack_scan_item *item, struct err *err);

/* Opens the next `count` regular files at once and examines them by descriptor, which saves a
 * second lookup of the name. Initially 0. */
void pack_scan_open(struct pack_scan *scan, size_t count);

/* The path in a pack for a path that the user gave: without a leading "/", without "." and
 * empty components, and only what follows the last "..". "." if nothing is left. Returns its
 * length. *cut tells whether a leading "/" or a ".." was removed. out needs room for
 * strlen(path) + 2 bytes. */
size_t pack_scan_name(const char *path, char *out, bool *cut);

#endif
