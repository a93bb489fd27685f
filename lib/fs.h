/*
 * Safe access to the file system: complete reads and writes, temporary files,
 * paths that don't follow symbolic links, and Linux-only calls.
 *
 * The caller owns the descriptors. All are close-on-exec. EINTR is handled
 * here. Thread-safe.
 */
#ifndef FDUMP_LIB_FS_H
#define FDUMP_LIB_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Reads or writes all len bytes at an offset. Returns 0, or -1 with err set
 * (the message lacks the path: add it). Reading beyond the end is an error. */
int fs_read_at(int fd, void *bytes, size_t len, uint64_t offset, struct err *err);
int fs_write_at(int fd, const void *bytes, size_t len, uint64_t offset, struct err *err);

/* Reads up to len bytes; fewer only at the end of the file. Returns how many,
 * or -1 with errno set. *got, if not NULL, is set to the number of bytes read,
 * also before an error. */
ssize_t fs_read_full(int fd, void *bytes, size_t len, size_t *got);

/* Writes both pieces completely, in order. Returns 0, or -1 with errno set. */
int fs_write_two(int fd, const void *a, size_t a_len, const void *b, size_t b_len);

/* Closes a descriptor; -1 does nothing. Preserves errno. */
void fs_close(int fd);

/* Opens an unlinked file in TMPDIR if that is an absolute path, else in
 * /var/tmp. Returns the descriptor, or -1 with err set. */
int fs_temporary(struct err *err);

/* Opens a path below a directory. No component is followed if it is a symbolic
 * link, and none may be "..". The path may be longer than PATH_MAX. len is its
 * length; it needs no NUL. "." or an empty path is the directory itself. flags
 * as for open(2). Returns the descriptor, or -1 with errno set: ELOOP or
 * ENOTDIR at a link, EXDEV if the path would leave the directory. */
int fs_open_beneath(int dirfd, const char *path, size_t len, int flags, mode_t mode);

/* The same, but follows links as if the directory were the root, so that they
 * can't lead out of it. The path must be shorter than PATH_MAX. Returns the
 * descriptor, or -1 with errno set: ENOSYS on kernels before 5.6. */
int fs_open_within(int dirfd, const char *path, size_t len, int flags);

/* If the process is root, gives a file that it has just created the owner and
 * group of its directory; other users can't, and need not. Returns 0, or -1
 * with errno set. */
int fs_own(int fd, int dirfd);
/* Opens a file in a directory. If it does not exist it is created, with the
 * owner as in fs_own. Follows no link. Returns the descriptor, or -1 with errno
 * set. */
int fs_open_owned(int dirfd, const char *name, int flags, mode_t mode);

/* Opens a name in a directory for reading. Does not follow a link, does not
 * wait (for a FIFO's writer, say), and does not change the access time where
 * that is permitted. flags: O_DIRECTORY or 0. Returns the descriptor, or -1
 * with errno set. */
int fs_open_read(int dirfd, const char *name, int flags);

/* The inode's flags (chattr). Return 0, or -1 with errno set (ENOTTY,
 * EOPNOTSUPP: the file system has none). */
int fs_flags_get(int fd, uint32_t *flags);
int fs_flags_set(int fd, uint32_t flags);

/* True if the kernel omits trusted.* attributes from listings although this
 * process is root, because it lacks CAP_SYS_ADMIN. False in a user namespace,
 * where nobody can create them. */
bool fs_trusted_hidden(void);

/* The project ID that quotas charge a file to. Returns 0, or -1 with errno set
 * and *project 0 if the file system has no projects. */
int fs_project(int fd, uint32_t *project);

/* Lists a directory's entries without "." and "..", in the file system's order.
 * type is DT_*. The callback returns 0, or -1 to stop. mem: scratch memory of
 * mem_len bytes (32 KiB or more), 8-byte aligned. Returns 0, -1 with errno set,
 * or -2 if the callback stopped it. */
typedef int fs_list_entry(void *ctx, const char *name, uint8_t type);
int fs_list(int dirfd, void *mem, size_t mem_len, fs_list_entry *entry, void *ctx);

/* Raises the limit of open files to its maximum. Returns the limit. */
unsigned long fs_raise_file_limit(void);

/* Writes "/proc/self/fd/N", for calls that take no descriptor. */
#define FS_PROC_MAX 32
void fs_proc_path(int fd, char path[FS_PROC_MAX]);

#endif
