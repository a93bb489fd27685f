/*
 * Small files, read and written as a whole. A written file gets its name only
 * when its content is complete. For key files, configuration, lists; not for
 * data. Blocks; thread-safe.
 */
#ifndef FDUMP_LIB_FILE_H
#define FDUMP_LIB_FILE_H

#include <stddef.h>
#include <sys/stat.h>

struct buf;
struct err;

/* Reads a file or a pipe to its end into mem, and sets *len to its length. st,
 * if not NULL, gets the result of fstat. Returns 0, or -1 with err set:
 * ERR_NOTFOUND if it does not exist, ERR_LIMIT if it is longer than cap. After
 * an error mem may hold a part of the file: wipe that too if it is secret. */
int file_read(
	const char *path, void *mem, size_t cap, size_t *len, struct stat *st, struct err *err);

/* The same into an empty buffer, up to its limit. Adds a NUL after the content,
 * which buf->len does not count. */
int file_read_buf(const char *path, struct buf *buf, struct stat *st, struct err *err);

/* Checks that a file keeps its secret: a regular file must have none of the
 * mode bits `others` (such as 077). st is the result of fstat. Returns 0, or -1
 * with err set to ERR_CONFIG. */
int file_check_secret(const char *path, const struct stat *st, mode_t others, struct err *err);

/* Creates a file with this mode, whatever the umask: writes and syncs it under
 * a temporary name in the same folder, gives it its name, and syncs the folder.
 * Never replaces a file. Returns 0, or -1 with err set (ERR_EXISTS if the name
 * is taken) and no file left behind. */
int file_write_new(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* The same, but replaces a file of that name. After -1 the name has the old
 * content; or the new one, if only the folder could not be synced. */
int file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* The same. If the process is root, the file gets the owner and group of its
 * folder. */
int file_write_owned(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* Appends to a file, which is created if it does not exist, and syncs it.
 * Returns 0, or -1 with err set. */
int file_append(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* Syncs the folder that contains the path, so that a new name survives a crash.
 * Returns 0, or -1 with err set. */
int file_sync_folder(const char *path, struct err *err);

#endif
