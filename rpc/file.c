/* Whole files, by temporary name and rename. */
#include "rpc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd, status;

	snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		strcpy(folder, ".");
	else
		slash[slash == folder] = 0;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	status = fsync(fd);
	close(fd);
	return status;
}

int rpc_file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct err *err)
{
	char temp[PATH_MAX];
	int fd;

	if (snprintf(temp, sizeof temp, "%s.XXXXXX", path) >= (int)sizeof temp)
		return err_set(err, ERR_USAGE, "%s: the path is too long", path);
	fd = mkostemp(temp, O_CLOEXEC); /* creates it 0600 */
	if (fd < 0)
		return err_errno(err, errno, "create %s", temp);
	if (write_all(fd, bytes, len) != 0 || fchmod(fd, mode) != 0 || fsync(fd) != 0) {
		err_errno(err, errno, "write %s", temp);
		close(fd);
		goto undo;
	}
	if (close(fd) != 0 || rename(temp, path) != 0) {
		err_errno(err, errno, "put %s in place", path);
		goto undo;
	}
	if (sync_folder(path) != 0)
		return err_errno(err, errno, "sync the folder of %s", path);
	return 0;
undo:
	unlink(temp);
	return -1;
}

static int read_all(int fd, const char *path, struct buf *buf, struct err *err)
{
	for (;;) {
		uint8_t *to = buf_room(buf, 4096, err);
		ssize_t n;

		if (to == NULL)
			return err_prefix(err, "read %s", path);
		n = read(fd, to, 4095);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read %s", path);
		to[n] = 0;
		if (n == 0)
			return 0;
		buf_took(buf, (size_t)n);
	}
}

int rpc_file_read(const char *path, struct buf *buf, bool secret, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int status;

	if (fd < 0 && errno == ENOENT) {
		err_set(err, ERR_NOTFOUND, "%s: there is no such file", path);
		return 1;
	}
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) != 0)
		status = err_errno(err, errno, "stat %s", path);
	else if (secret && S_ISREG(st.st_mode) && (st.st_mode & 077) != 0)
		status = err_set(err, ERR_CONFIG,
			"%s: others can read it (mode %03o): chmod 600, and replace the secret",
			path, (unsigned)st.st_mode & 0777);
	else
		status = read_all(fd, path, buf, err);
	close(fd);
	return status;
}
