/*
 * Files are created with O_TMPFILE if the file system supports it. Then a crash leaves nothing
 * behind, and nobody can open a file before it is verified.
 */
#include "pack/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "pack/entry.h"
#include "pack/load.h"
#include "pack/restore.h"

void pack_newfile_temporary(char name[PACK_NEWFILE_TEMPORARY], unsigned serial)
{
	snprintf(name, PACK_NEWFILE_TEMPORARY, ".fdump-%d-%u", (int)getpid(), serial);
}

int pack_newfile_open(struct pack_newfile *file, int dir, mode_t mode, const struct pack_head *head,
	unsigned *serial)
{
	file->temporary[0] = 0;
	file->made = mode & 0777;
	file->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, file->made);
	if (file->fd < 0 && serial != NULL &&
		(errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
		file->made = 0600;
		pack_newfile_temporary(file->temporary, (*serial)++);
		file->fd = openat(dir, file->temporary,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	if (file->fd < 0) {
		file->temporary[0] = 0;
		return -1;
	}
	if (head != NULL)
		pack_restore_early_flags(file->fd, head);
	return 0;
}

void pack_newfile_drop(struct pack_newfile *file, int dir)
{
	fs_close(file->fd);
	if (file->temporary[0] != 0)
		unlinkat(dir, file->temporary, 0);
	file->fd = -1;
	file->temporary[0] = 0;
}

int pack_newfile_write(
	int fd, const struct pack_load *load, uint32_t from, uint32_t end, uint64_t *at, bool *hole)
{
	struct pack_item item;
	struct cbor_in in;
	struct err err;

	cbor_in_init(&in, load->raw + from, end - from);
	while (pack_load_item(load, &in, &item, &err) == 0 && item.kind < PACK_ITEM_TAIL) {
		*hole = item.kind == PACK_ITEM_HOLE;
		if (*hole) {
			*at += item.hole;
			continue;
		}
		errno = 0;
		if (fs_write_at(fd, item.data.at, item.data.len, *at, &err) != 0)
			return -1;
		*at += item.data.len;
	}
	return 0;
}

/* Gives a file without a name this name. Returns 0, or -1 with errno set. */
static int link_file(int fd, int dir, const char *name)
{
	char path[FS_PROC_MAX];

	if (linkat(fd, "", dir, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT && errno != EPERM)
		return -1;
	fs_proc_path(fd, path); /* works without CAP_DAC_READ_SEARCH */
	return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

int pack_newfile_place(const struct pack_newfile *file, int dir, const char *name)
{
	if (file->temporary[0] != 0)
		return 1;
	if (link_file(file->fd, dir, name) == 0)
		return 0;
	return errno == EEXIST ? 1 : -1;
}

int pack_newfile_replace(struct pack_newfile *file, int dir, const char *name, unsigned *serial)
{
	if (file->temporary[0] == 0) {
		pack_newfile_temporary(file->temporary, (*serial)++);
		unlinkat(dir, file->temporary, 0);
		if (link_file(file->fd, dir, file->temporary) != 0) {
			file->temporary[0] = 0;
			return -1;
		}
	}
	if (renameat(dir, file->temporary, dir, name) != 0)
		return -1;
	file->temporary[0] = 0;
	return 0;
}
