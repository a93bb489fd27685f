/*
 * Restores the metadata of a file system object by descriptor: owner, extended attributes,
 * mode, times and flags, in this order. Then checks the result, because some file systems
 * ignore a change without an error.
 *
 * Nothing gets more permissions than its entry has: if the owner or group can't be set, set-id
 * bits are dropped, and the group gets no more than others.
 *
 * .names is thread-safe (lib/names); nothing else has state.
 */
#ifndef FDUMP_PACK_RESTORE_H
#define FDUMP_PACK_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct names;
struct pack_head;

struct pack_restore {
	bool privileged, numeric_owner, xattrs;
	uid_t uid; /* owner of new files: the process's effective ids, which must not change */
	gid_t gid;
	mode_t umask;
	struct names *names; /* NULL: numeric ids only */
};

enum {
	PACK_RESTORE_PATH = 1,    /* fd was opened with O_PATH */
	PACK_RESTORE_FRESH = 2,   /* just created by this process: owner and mode are known */
	PACK_RESTORE_ACL = 4,     /* may have an ACL that the entry lacks: remove it */
	PACK_RESTORE_SYMLINK = 8, /* a symbolic link: has no mode */
};

/* Applies everything except the flags. how: PACK_RESTORE_* bits. fresh_mode: the mode it was
 * created with, for PACK_RESTORE_FRESH. text receives what could not be applied, cut to
 * text_len. Returns 0, or 1 if something could not be applied. */
int pack_restore_meta(const struct pack_restore *restore, int fd, unsigned how, mode_t fresh_mode,
	const struct pack_head *head, char *text, size_t text_len);

/* Sets the flags that a file accepts only while it is empty. If that fails, pack_restore_flags
 * notices. */
void pack_restore_early_flags(int fd, const struct pack_head *head);

/* Sets the inode flags. Call it last, when nothing else will change. Returns as above. */
int pack_restore_flags(const struct pack_restore *restore, int fd, const struct pack_head *head,
	char *text, size_t text_len);

/* The mode that an object is to have in the end. */
mode_t pack_restore_mode(const struct pack_restore *restore, const struct pack_head *head);

#endif
