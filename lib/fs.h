/*
 * The file system, handled safely: whole reads and writes, temporary files,
 * paths that are not followed through links, and what only Linux has.
 *
 * Descriptors belong to the caller. All are close-on-exec. EINTR is dealt with
 * here. Thread-safe.
 */
#ifndef FDUMP_LIB_FS_H
#define FDUMP_LIB_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Reads or writes all of it at an offset. Returns 0, or -1 with err set (the
 * message has no path: add it). Reading beyond the end is an error. */
int fs_read_at(int fd, void *bytes, size_t len, uint64_t offset, struct err *err);
int fs_write_at(int fd, const void *bytes, size_t len, uint64_t offset, struct err *err);

/* Reads up to len bytes, less only at the end of the file. Returns how many,
 * or -1 with errno set; *got (may be NULL) has what was read before an error. */
ssize_t fs_read_full(int fd, void *bytes, size_t len, size_t *got);

/* Writes both pieces, in order, whole. Returns 0, or -1 with errno set. */
int fs_write_two(int fd, const void *a, size_t a_len, const void *b, size_t b_len);

/* An unlinked file in TMPDIR, else /var/tmp. Returns the descriptor, or -1
 * with err set. */
int fs_temporary(struct err *err);

/* Opens a path below a directory; no component is followed through a link, and
 * none may be "..". The path may be longer than PATH_MAX. len: of path, which
 * needs no NUL. "." or an empty path is the directory itself. flags as for
 * open(2). Returns the descriptor, or -1 with errno set: ELOOP or ENOTDIR
 * where there is a link, EXDEV where the path would leave. */
int fs_open_beneath(int dirfd, const char *path, size_t len, int flags, mode_t mode);

/* The same, but links are followed, as if the directory were the root: so they
 * don't lead out of it. The path is shorter than PATH_MAX. Returns the
 * descriptor, or -1 with errno set: ENOSYS on kernels before 5.6. */
int fs_open_within(int dirfd, const char *path, size_t len, int flags);

/* Gives what was just made in a directory its owner and group, if root made it: others can't, and
 * need not. Returns 0, or -1 with errno set. */
int fs_own(int fd, int dirfd);
/* Opens a file in a directory; if it is not there it is made, with fs_own. No link is followed.
 * Returns the descriptor, or -1 with errno set. */
int fs_open_owned(int dirfd, const char *name, int flags, mode_t mode);

/* Opens a name in a directory for reading: it is not followed if it is a link,
 * nothing is waited for, and its access time stays as it is where that is
 * allowed. flags: O_DIRECTORY or 0. Returns the descriptor, or -1 with errno
 * set. */
int fs_open_read(int dirfd, const char *name, int flags);

/* The inode's flags (chattr). Return 0, or -1 with errno set (ENOTTY,
 * EOPNOTSUPP: this file system has none). */
int fs_flags_get(int fd, uint32_t *flags);
int fs_flags_set(int fd, uint32_t flags);

/* Whether the kernel leaves trusted.* attributes out of what it lists, although this process is
 * root: it lacks CAP_SYS_ADMIN. Not so in a user namespace, where nobody can make any. */
bool fs_trusted_hidden(void);

/* The project that quotas count a file to. Returns 0, or -1 with errno set and *project 0: this
 * file system has none. */
int fs_project(int fd, uint32_t *project);

/* A directory's entries, in the order of the file system, without "." and
 * "..". The callback returns 0, or -1 to stop. type is DT_*. mem: scratch of
 * mem_len bytes (32 KiB or more), 8-byte aligned. Returns 0, -1 with errno
 * set, or -2 if the callback stopped it. */
typedef int fs_list_entry(void *ctx, const char *name, uint8_t type);
int fs_list(int dirfd, void *mem, size_t mem_len, fs_list_entry *entry, void *ctx);

/* Lets the process open as many files as it may. Returns how many that is. */
unsigned long fs_raise_file_limit(void);

/* "/proc/self/fd/N", for calls that have no descriptor form. */
#define FS_PROC_MAX 32
void fs_proc_path(int fd, char path[FS_PROC_MAX]);

#endif
