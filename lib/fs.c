/* Uses openat2(2) where the kernel has it; else opens a path component by
 * component. */
#include "lib/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/err.h"

/* The initial user namespace: the same number in all kernels that have them. */
#define USER_NAMESPACE "user:[4026531837]"

/* The longest piece of a path that is passed to the kernel at once. */
#define PIECE_MAX 4000

int fs_read_at(int fd, void *bytes, size_t len, uint64_t offset, struct err *err)
{
	uint8_t *to = bytes;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read at %llu", (unsigned long long)offset);
		if (n == 0)
			return err_set(err, ERR_DAMAGE,
				"the file ends at %llu, within what is read",
				(unsigned long long)offset);
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fs_write_at(int fd, const void *bytes, size_t len, uint64_t offset, struct err *err)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno(err, n < 0 ? errno : EIO, "write at %llu",
				(unsigned long long)offset);
		from += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

ssize_t fs_read_full(int fd, void *bytes, size_t len, size_t *got)
{
	uint8_t *to = bytes;
	size_t have = 0;
	ssize_t n = 0;

	while (have < len) {
		n = read(fd, to + have, len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	if (got != NULL)
		*got = have;
	return n < 0 ? -1 : (ssize_t)have;
}

int fs_write_two(int fd, const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct iovec v[2] = {{(void *)a, a_len}, {(void *)b, b_len}};
	int i = 0;

	while (i < 2) {
		ssize_t n;

		if (v[i].iov_len == 0) {
			i++;
			continue;
		}
		n = writev(fd, v + i, 2 - i);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			return -1;
		}
		for (; i < 2 && (size_t)n >= v[i].iov_len; i++)
			n -= (ssize_t)v[i].iov_len;
		if (i < 2) {
			v[i].iov_base = (uint8_t *)v[i].iov_base + n;
			v[i].iov_len -= (size_t)n;
		}
	}
	return 0;
}

void fs_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

int fs_temporary(struct err *err)
{
	const char *dir = getenv("TMPDIR");
	char name[4096];
	int fd;

	if (dir == NULL || dir[0] != '/')
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if ((size_t)snprintf(name, sizeof name, "%s/fdump-XXXXXX", dir) >= sizeof name)
		return err_set(err, ERR_IO, "TMPDIR is too long");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "temporary file in %s", dir);
	unlink(name);
	return fd;
}

static int open2(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	/* O_TMPFILE contains O_DIRECTORY. openat2 accepts a mode only where it is used. */
	bool makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = makes ? mode : 0,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

/* Closes an intermediate descriptor, but not the caller's own. */
static void close_step(int at, int dirfd)
{
	if (at != dirfd)
		fs_close(at);
}

/* Opens one component at a time, for kernels before 5.6 and where openat2 is
 * filtered. The caller has checked that the path has no "..". */
static int open_steps(int dirfd, char *path, int flags, mode_t mode)
{
	int at = dirfd, fd = -1;
	char *slash;

	while ((slash = strchr(path, '/')) != NULL) {
		*slash = 0;
		fd = openat(at, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close_step(at, dirfd);
		if (fd < 0)
			return -1;
		at = fd;
		path = slash + 1;
	}
	fd = openat(at, path, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	close_step(at, dirfd);
	return fd;
}

static int open_piece(int dirfd, char *path, int flags, mode_t mode)
{
	int fd = open2(dirfd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = open_steps(dirfd, path, flags, mode);
	return fd;
}

/* True if a component is "..". */
static bool has_dotdot(const char *path, size_t len)
{
	size_t i, start = 0;

	for (i = 0; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (i - start == 2 && path[start] == '.' && path[start + 1] == '.')
			return true;
		start = i + 1;
	}
	return false;
}

int fs_open_beneath(int dirfd, const char *path, size_t len, int flags, mode_t mode)
{
	char piece[PIECE_MAX + 2];
	int at = dirfd, fd;

	if (len == 0)
		path = ".", len = 1;
	if (has_dotdot(path, len) || path[0] == '/') {
		errno = EXDEV;
		return -1;
	}
	while (len > PIECE_MAX) {
		const char *slash = memrchr(path, '/', PIECE_MAX);
		size_t n = slash != NULL ? (size_t)(slash - path) : 0;

		if (n == 0) {
			close_step(at, dirfd);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(piece, path, n);
		piece[n] = 0;
		fd = open_piece(at, piece, O_PATH | O_DIRECTORY, 0);
		close_step(at, dirfd);
		if (fd < 0)
			return -1;
		at = fd;
		path += n + 1;
		len -= n + 1;
	}
	memcpy(piece, path, len);
	piece[len] = 0;
	fd = open_piece(at, piece, flags, mode);
	close_step(at, dirfd);
	return fd;
}

int fs_open_within(int dirfd, const char *path, size_t len, int flags)
{
	char piece[PIECE_MAX + 2];

	if (len > PIECE_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(piece, path, len);
	piece[len] = 0;
	return open2(dirfd, len > 0 ? piece : ".", flags, 0, RESOLVE_IN_ROOT);
}

int fs_own(int fd, int dirfd)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (fstat(dirfd, &st) != 0)
		return -1;
	return fchown(fd, st.st_uid, st.st_gid);
}

int fs_open_owned(int dirfd, const char *name, int flags, mode_t mode)
{
	int fd, saved;

	flags |= O_CLOEXEC | O_NOFOLLOW;
	do { /* others may create or remove it between the calls */
		fd = openat(dirfd, name, flags);
		if (fd >= 0 || errno != ENOENT)
			return fd;
		fd = openat(dirfd, name, flags | O_CREAT | O_EXCL, mode);
	} while (fd < 0 && errno == EEXIST);
	if (fd >= 0 && fs_own(fd, dirfd) != 0) {
		saved = errno;
		close(fd);
		unlinkat(dirfd, name, 0);
		errno = saved;
		return -1;
	}
	return fd;
}

int fs_open_read(int dirfd, const char *name, int flags)
{
	int fd;

	flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	fd = openat(dirfd, name, flags | O_NOATIME);
	return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

int fs_flags_get(int fd, uint32_t *flags)
{
	long value = 0; /* some file systems write a long, some an int */

	if (ioctl(fd, FS_IOC_GETFLAGS, &value) != 0)
		return -1;
	*flags = (uint32_t)value;
	return 0;
}

int fs_flags_set(int fd, uint32_t flags)
{
	long value = flags;

	return ioctl(fd, FS_IOC_SETFLAGS, &value);
}

bool fs_trusted_hidden(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	char space[64];
	ssize_t n = readlink("/proc/self/ns/user", space, sizeof space);

	if (geteuid() != 0 || syscall(SYS_capget, &head, data) != 0)
		return false;
	if (n >= 0 && (n != sizeof USER_NAMESPACE - 1 ||
			      memcmp(space, USER_NAMESPACE, sizeof USER_NAMESPACE - 1) != 0))
		return false;
	return (data[0].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) == 0;
}

int fs_project(int fd, uint32_t *project)
{
	struct fsxattr attr = {0};
	int ret = ioctl(fd, FS_IOC_FSGETXATTR, &attr);

	*project = ret == 0 ? attr.fsx_projid : 0;
	return ret;
}

int fs_list(int dirfd, void *mem, size_t mem_len, fs_list_entry *entry, void *ctx)
{
	for (;;) {
		ssize_t n = getdents64(dirfd, mem, mem_len), at = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return (int)n;
		while (at < n) {
			const struct dirent64 *d = (const void *)((const char *)mem + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
				continue;
			if (entry(ctx, d->d_name, d->d_type) != 0)
				return -2;
		}
	}
}

unsigned long fs_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 256;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	return (unsigned long)limit.rlim_cur;
}

void fs_proc_path(int fd, char path[FS_PROC_MAX])
{
	snprintf(path, FS_PROC_MAX, "/proc/self/fd/%d", fd);
}
