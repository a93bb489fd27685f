/*
 * Metadata onto an object of the file system: owner, extended attributes,
 * mode, times, flags, in this order, by descriptor. Then what became of them is
 * looked at: not all that fails says so.
 *
 * Nothing gets more rights than its entry has: where the owner or the group can't
 * be set there are no set-id bits, and the group gets no more than all others.
 *
 * One thread at a time may use a struct pack_restore's names; all other
 * calls are free of state.
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
	uid_t uid; /* whose a new file is: the process's effective ones, which stay */
	gid_t gid;
	mode_t umask;
	struct names *names; /* thread-safe; NULL: numbers only */
};

enum {
	PACK_RESTORE_PATH = 1,    /* fd was opened with O_PATH */
	PACK_RESTORE_FRESH = 2,   /* just made, by us, as us: owner and mode are known */
	PACK_RESTORE_ACL = 4,     /* may have an ACL that the entry has not: take it off */
	PACK_RESTORE_SYMLINK = 8, /* has no mode */
};

/* Applies all but the flags. fresh_mode: the mode it was made with, if FRESH.
 * text says what could not be applied (cut to text_len). Returns 0, or 1
 * if something is missing. */
int pack_restore_meta(const struct pack_restore *restore, int fd, unsigned how, mode_t fresh_mode,
	const struct pack_head *head, char *text, size_t text_len);

/* Flags that a file only takes while it is empty. What does not hold is found by
 * pack_restore_flags. */
void pack_restore_early_flags(int fd, const struct pack_head *head);

/* Applies the inode flags: last, when nothing more changes. Returns as above. */
int pack_restore_flags(const struct pack_restore *restore, int fd, const struct pack_head *head,
	char *text, size_t text_len);

/* The mode that an object is to have in the end. */
mode_t pack_restore_mode(const struct pack_restore *restore, const struct pack_head *head);

#endif
