/* Small files, read and written as a whole. */
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/fs.h"

int file_read(
	const char *path, void *mem, size_t cap, size_t *len, struct stat *st, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), ret = -1;
	size_t more = 0;
	ssize_t n;
	char beyond;

	*len = 0;
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOTFOUND, "%s: not found", path);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	if (st != NULL && fstat(fd, st) != 0) {
		err_errno(err, errno, "%s", path);
		goto out;
	}
	n = fs_read_full(fd, mem, cap, len);
	if (n >= 0 && *len == cap) /* one more byte shows whether that was all */
		n = fs_read_full(fd, &beyond, 1, &more);
	if (n < 0)
		err_errno(err, errno, "%s", path);
	else if (more > 0)
		err_set(err, ERR_LIMIT, "%s: is longer than %zu bytes", path, cap);
	else
		ret = 0;
out:
	close(fd);
	return ret;
}

int file_read_buf(const char *path, struct buf *buf, struct stat *st, struct err *err)
{
	uint8_t *to = buf_room(buf, buf->max, err);
	size_t len;

	if (to == NULL)
		return err_prefix(err, "read %s", path);
	if (file_read(path, to, buf->max - 1, &len, st, err) != 0)
		return -1;
	to[len] = 0;
	buf_took(buf, len);
	return 0;
}

int file_check_secret(const char *path, const struct stat *st, mode_t others, struct err *err)
{
	if (!S_ISREG(st->st_mode) || (st->st_mode & others) == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
		"%s: others have access to this secret (mode %04o); do: chmod 600 '%s', and "
		"consider a new one",
		path, (unsigned)st->st_mode & 07777, path);
}

/* Gives the file its real name. Unless `replace` is set, fails if the name is
 * taken. */
static int put_in_place(const char *temporary, const char *path, bool replace)
{
	if (replace)
		return rename(temporary, path);
	if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* This file system does not support that flag; link() doesn't replace either. */
	if (link(temporary, path) != 0)
		return -1;
	unlink(temporary);
	return 0;
}

/* Opens the folder that contains the path. Returns a descriptor, or -1 with
 * errno set. */
static int open_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
	int fd;

	if (folder == NULL)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	return fd;
}

/* EINVAL: this file system does not sync folders. */
static int sync_folder(int fd)
{
	return fsync(fd) == 0 || errno == EINVAL ? 0 : -1;
}

int file_sync_folder(const char *path, struct err *err)
{
	int folder = open_folder_of(path), ret = 0;

	if (folder < 0 || sync_folder(folder) != 0)
		ret = err_errno(err, errno, "%s: sync its folder", path);
	fs_close(folder);
	return ret;
}

/* How a file is written. */
enum { NEW, REPLACE, OWNED };

static int write_file(
	const char *path, const void *bytes, size_t len, mode_t mode, int how, struct err *err)
{
	char *temporary = NULL;
	bool made = false, placed = false, replace = how != NEW;
	int fd = -1, folder = -1, bad;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return err_set(err, ERR_NOMEM, "%s: out of memory", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	made = fd >= 0;
	bad = !made || (folder = open_folder_of(path)) < 0 ||
	      fs_write_two(fd, bytes, len, NULL, 0) != 0 || fchmod(fd, mode) != 0 ||
	      (how == OWNED && fs_own(fd, folder) != 0) || fsync(fd) != 0;
	if (!bad) {
		bad = put_in_place(temporary, path, replace) != 0;
		placed = !bad;
	}
	if (!bad)
		bad = sync_folder(folder) != 0;
	if (bad) {
		if (errno == EEXIST)
			err_set(err, ERR_EXISTS, "%s: already exists; not overwritten", path);
		else
			err_errno(err, errno, "%s", path);
		/* A file that has replaced another is complete, and better than none. */
		if (made && !(placed && replace))
			unlink(placed ? path : temporary);
	}
	if (made)
		close(fd);
	fs_close(folder);
	free(temporary);
	return bad ? -1 : 0;
}

int file_write_new(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	return write_file(path, bytes, len, mode, NEW, err);
}

int file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	return write_file(path, bytes, len, mode, REPLACE, err);
}

int file_write_owned(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	return write_file(path, bytes, len, mode, OWNED, err);
}

int file_append(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	int ret = 0;

	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	if (fs_write_two(fd, bytes, len, NULL, 0) != 0 || fsync(fd) != 0)
		ret = err_errno(err, errno, "%s", path);
	close(fd);
	return ret;
}
