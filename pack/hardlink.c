/* A link replaces an existing object by way of a temporary name, as a file does. */
#include "pack/hardlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fs.h"
#include "pack/newfile.h"
#include "pack/restore.h"

#define PIECE (1u << 20) /* bytes copied at once */
#define NAMES 65536      /* longest list of a file's attributes (the kernel's limit) */

/* Returns as pack_hardlink_make. */
static int make(const struct pack_hardlink *l, struct stat *there)
{
	char temporary[PACK_NEWFILE_TEMPORARY];
	struct stat old;

	if (linkat(l->from, l->old, l->dir, l->name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (fstatat(l->from, l->old, &old, AT_SYMLINK_NOFOLLOW) != 0 ||
		fstatat(l->dir, l->name, there, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (old.st_dev == there->st_dev && old.st_ino == there->st_ino)
		return 0; /* it is the same file already */
	if (l->when == PACK_OVERWRITE_NEVER ||
		(l->when == PACK_OVERWRITE_NEWER &&
			(old.st_mtim.tv_sec < there->st_mtim.tv_sec ||
				(old.st_mtim.tv_sec == there->st_mtim.tv_sec &&
					old.st_mtim.tv_nsec <= there->st_mtim.tv_nsec))))
		return 1;
	if (S_ISDIR(there->st_mode) && unlinkat(l->dir, l->name, AT_REMOVEDIR) != 0)
		return -1;
	pack_newfile_temporary(temporary, (*l->serial)++);
	unlinkat(l->dir, temporary, 0);
	if (linkat(l->from, l->old, l->dir, temporary, 0) != 0)
		return -1;
	if (renameat(l->dir, temporary, l->dir, l->name) != 0) {
		int saved = errno;

		unlinkat(l->dir, temporary, 0);
		errno = saved;
		return -1;
	}
	return 0;
}

int pack_hardlink_make(const struct pack_hardlink *l, struct stat *there)
{
	const uint32_t bars = PACK_FLAG_IMMUTABLE | PACK_FLAG_APPEND;
	int got = make(l, there), fd, saved = EPERM;
	uint32_t flags;
	struct stat st;

	if (got >= 0 || errno != EPERM || !l->privileged)
		return got;
	if (fstatat(l->from, l->old, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
		errno = EPERM;
		return -1;
	}
	fd = openat(l->from, l->old, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		fs_flags_get(fd, &flags) == 0 && (flags & bars) != 0 &&
		fs_flags_set(fd, flags & ~bars) == 0) {
		got = make(l, there);
		saved = errno;
		if (fs_flags_set(fd, flags) != 0 && got >= 0) {
			got = -1;
			saved = errno;
		}
	}
	fs_close(fd);
	errno = saved;
	return got;
}

/* --- copies ------------------------------------------------------------- */

/* Copies the content, leaving out holes. Returns 0, or -1 with errno set. */
static int copy_content(int from, int to, off_t size)
{
	uint8_t *piece = malloc(PIECE);
	off_t at = 0, end;
	struct err err;
	ssize_t n;
	int ret = piece != NULL ? ftruncate(to, size) : -1;

	while (ret == 0 && at < size) {
		at = lseek(from, at, SEEK_DATA);
		if (at < 0) {
			ret = errno == ENXIO ? 0 : -1; /* the rest is a hole */
			break;
		}
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || lseek(from, at, SEEK_SET) < 0)
			ret = -1;
		while (ret == 0 && at < end) {
			size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;

			errno = EIO; /* if the file became shorter */
			n = read(from, piece, want);
			if (n <= 0 || fs_write_at(to, piece, (size_t)n, (uint64_t)at, &err) != 0)
				ret = -1;
			else
				at += n;
		}
	}
	free(piece);
	return ret;
}

/* Copies the extended attributes. Returns 0, or -1 with errno set. */
static int copy_xattrs(int from, int to, const struct pack_restore *r)
{
	char *names = malloc(NAMES), *value = malloc(PACK_XATTR_MAX), *name;
	ssize_t all = -1, n = 0;

	if (names != NULL && value != NULL)
		all = r->xattrs ? flistxattr(from, names, NAMES) : 0;
	if (all < 0 && errno == EOPNOTSUPP)
		all = 0;
	for (name = names; all > 0 && n >= 0 && name < names + all; name += strlen(name) + 1) {
		n = fgetxattr(from, name, value, PACK_XATTR_MAX);
		if (n >= 0)
			n = fsetxattr(to, name, value, (size_t)n, 0);
	}
	free(names);
	free(value);
	return all < 0 || n < 0 ? -1 : 0;
}

int pack_hardlink_copy(const struct pack_hardlink *l, const struct pack_restore *r)
{
	struct pack_newfile file = {.fd = -1};
	struct pack_head head = {.has = PACK_HAS_FLAGS};
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	char text[8];
	struct stat st;
	int from = fs_open_read(l->from, l->old, 0), ret = -1, saved;

	if (from < 0 || fstat(from, &st) != 0)
		goto out;
	if (!S_ISREG(st.st_mode)) {
		errno = EXDEV;
		goto out;
	}
	if (fs_flags_get(from, &head.flags) != 0)
		head.flags = 0;
	times[1] = st.st_mtim;
	/* Owner, attributes, mode, times: the order of pack/restore.c. */
	if (pack_newfile_open(&file, l->dir, 0600, &head, l->serial) != 0 ||
		copy_content(from, file.fd, st.st_size) != 0 ||
		(r->privileged && fchown(file.fd, st.st_uid, st.st_gid) != 0) ||
		copy_xattrs(from, file.fd, r) != 0 || fchmod(file.fd, st.st_mode & 07777) != 0 ||
		futimens(file.fd, times) != 0)
		goto out;
	ret = pack_newfile_place(&file, l->dir, l->name);
	if (ret == 1)
		ret = pack_newfile_replace(&file, l->dir, l->name, l->serial);
	if (ret == 0)
		pack_restore_flags(r, file.fd, &head, text, sizeof text);
out:
	saved = errno;
	pack_newfile_drop(&file, l->dir);
	fs_close(from);
	errno = saved;
	return ret;
}
