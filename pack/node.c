/* By name, for they can't be opened without consequences. */
#include "pack/node.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "pack/restore.h"

int pack_node_make(int dir, const char *name, const struct pack_head *head, const char *target)
{
	dev_t dev = makedev(head->rdev_major, head->rdev_minor);

	switch (head->type) {
	case PACK_SYMLINK:
		return symlinkat(target, dir, name);
	case PACK_FIFO:
		return mknodat(dir, name, S_IFIFO | 0600, 0);
	case PACK_SOCKET:
		return mknodat(dir, name, S_IFSOCK | 0600, 0);
	case PACK_CHAR:
		return mknodat(dir, name, S_IFCHR | 0600, dev);
	default:
		return mknodat(dir, name, S_IFBLK | 0600, dev);
	}
}

int pack_node_dress(const struct pack_restore *restore, int dir, const char *name, bool acl,
	const struct pack_head *head, char *text, size_t len)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), ret = 1;
	unsigned how = PACK_RESTORE_PATH | (acl ? (unsigned)PACK_RESTORE_ACL : 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != restore->uid || st.st_nlink != 1 ||
		S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		snprintf(text, len, "metadata not restored: it was replaced in the meantime");
	} else {
		if (S_ISLNK(st.st_mode))
			how |= PACK_RESTORE_SYMLINK;
		ret = pack_restore_meta(restore, fd, how, 0, head, text, len);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}
