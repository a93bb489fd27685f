/*
 * Small files, whole: read into the caller's memory, written so that the name
 * appears only with all of the content. For key files, configuration, lists;
 * not for data. Blocks; thread-safe.
 */
#ifndef FDUMP_LIB_FILE_H
#define FDUMP_LIB_FILE_H

#include <stddef.h>
#include <sys/stat.h>

struct buf;
struct err;

/* Reads the file (a pipe too) to its end into mem; its length is in *len. st,
 * if not NULL, is what fstat said of it. Returns 0, or -1 with err set:
 * ERR_NOTFOUND if it is not there, ERR_LIMIT if it is longer than cap. What
 * mem then holds is to be wiped as if it had been read. */
int file_read(
	const char *path, void *mem, size_t cap, size_t *len, struct stat *st, struct err *err);

/* The same into an empty buffer, up to its limit, and puts a NUL behind it that buf->len does not
 * count. */
int file_read_buf(const char *path, struct buf *buf, struct stat *st, struct err *err);

/* Whether a file that fstat told of keeps a secret: a regular one must have none of the mode bits
 * `others` (077). Returns 0, or -1 with err set to ERR_CONFIG. */
int file_check_secret(const char *path, const struct stat *st, mode_t others, struct err *err);

/* Makes the file with this mode (whatever the umask): under a temporary name
 * beside it, synced, then put in place, and the folder synced. Nothing is
 * replaced. Returns 0, or -1 with err set, ERR_EXISTS if the name is taken;
 * then nothing is left behind. */
int file_write_new(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* The same, but takes the place of what has the name. After -1 the name has
 * the old content, or, if only the folder could not be synced, the new. */
int file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* The same, and as root with the owner and group of its folder. */
int file_write_owned(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* Adds to the end of a file, which is made if it is not there, and brings it to the disk. Returns
 * 0, or -1 with err set. */
int file_append(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err);

/* Brings the folder that the path is in to the disk: then a name that was put there stays. Returns
 * 0, or -1 with err set. */
int file_sync_folder(const char *path, struct err *err);

#endif
