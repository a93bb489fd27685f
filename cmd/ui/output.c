/* Writes an unnamed file (O_TMPFILE) that gets its name last, or else a file with a temporary
 * name. */
#include "cmd/ui/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fs.h"
#include "pack/block.h"

#define PIPE_SIZE (1 << 20)

/* Opens standard output (path NULL), or an existing path that is not a regular file. */
static int use_stream(struct ui_output *out, const char *path, struct err *err)
{
	out->fd = path != NULL ? open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC)
			       : fcntl(1, F_DUPFD_CLOEXEC, 3);
	if (out->fd < 0)
		return err_errno(err, errno, "%s", path != NULL ? path : "standard output");
	if (!isatty(out->fd))
		return 0;
	if (path != NULL)
		return err_set(err, ERR_USAGE, "%s: will not write to a terminal", path);
	return err_set(err, ERR_USAGE,
		"will not write to a terminal: redirect standard output or name a file with -f");
}

/* Opens the directory of a path, and leaves the last name in out->name. */
static int open_dir(struct ui_output *out, const char *path, struct err *err)
{
	char *copy = realpath(path, NULL), *slash;

	/* A link to a file stays; its target is replaced. */
	if (copy == NULL && (copy = strdup(path)) == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	slash = strrchr(copy, '/');
	out->name = strdup(slash != NULL ? slash + 1 : copy);
	if (slash != NULL)
		slash[slash == copy] = 0;
	out->dir = open(slash != NULL ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (out->name == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (out->name[0] == 0)
		return err_set(err, ERR_USAGE, "%s: is a directory", path);
	return out->dir >= 0 ? 0 : err_errno(err, errno, "%s", path);
}

/* Makes a temporary name in the same directory. */
static int temporary_name(struct ui_output *out, struct err *err)
{
	free(out->temporary);
	if (asprintf(&out->temporary, ".%.200s.fdump-%d", out->name, (int)getpid()) < 0) {
		out->temporary = NULL;
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	unlinkat(out->dir, out->temporary, 0);
	return 0;
}

/* Checks that the existing file may be replaced. */
static int check_old(const char *path, const struct stat *old, struct err *err)
{
	uint8_t head[PACK_BLOCK_HEADER];
	struct pack_block block;
	ssize_t got;
	int fd;

	if (old->st_size == 0)
		return 0;
	fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%s: already exists; not overwritten", path);
	got = fs_read_full(fd, head, sizeof head, NULL);
	close(fd);
	if (got >= 4 && pack_block_begins(head) &&
		(got < (ssize_t)sizeof head || pack_block_get(&block, head, NULL) != 0 ||
			block.kind < PACK_VOLUME_KINDS))
		return 0;
	return err_set(err, ERR_EXISTS,
		"%s: exists and is not an FDump pack; not replaced (remove it first)", path);
}

static int use_regular(
	struct ui_output *out, const char *path, const struct stat *old, struct err *err)
{
	if ((old != NULL && check_old(path, old, err) != 0) || open_dir(out, path, err) != 0)
		return -1;
	out->replaces = old != NULL;
	if (old != NULL)
		out->old = *old;
	out->regular = true;
	out->fd = openat(out->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	out->unnamed = out->fd >= 0;
	if (out->fd < 0) {
		if (temporary_name(out, err) != 0)
			return -1;
		out->fd = openat(out->dir, out->temporary,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	}
	if (out->fd < 0)
		return err_errno(err, errno, "%s", path);
	if (old != NULL && fchmod(out->fd, old->st_mode & 07777) != 0)
		return err_errno(err, errno, "%s", path);
	return 0;
}

int ui_output_open(struct ui_output *out, const char *path, struct err *err)
{
	struct stat st;
	int got;

	*out = (struct ui_output){.fd = -1, .dir = -1};
	if (path == NULL || strcmp(path, "-") == 0)
		got = use_stream(out, NULL, err);
	else if (stat(path, &st) != 0 && lstat(path, &st) == 0)
		got = err_set(err, ERR_USAGE, "%s: is a link that leads nowhere", path);
	else if (stat(path, &st) != 0)
		got = use_regular(out, path, NULL, err);
	else if (S_ISDIR(st.st_mode))
		got = err_set(err, ERR_USAGE, "%s: is a directory", path);
	else if (S_ISREG(st.st_mode))
		got = use_regular(out, path, &st, err);
	else
		got = use_stream(out, path, err);
	if (got == 0 && fstat(out->fd, &out->st) != 0)
		got = err_errno(err, errno, "%s", path != NULL ? path : "standard output");
	if (got != 0) {
		ui_output_drop(out);
		return -1;
	}
	if (S_ISFIFO(out->st.st_mode))
		fcntl(out->fd, F_SETPIPE_SZ, PIPE_SIZE); /* as large as the system allows */
	return 0;
}

/* Gives the unnamed file a name. */
static int name_it(struct ui_output *out, const char *name)
{
	char path[FS_PROC_MAX];

	fs_proc_path(out->fd, path);
	return linkat(AT_FDCWD, path, out->dir, name, AT_SYMLINK_FOLLOW);
}

/* Syncs the new file, and puts it in place. */
static int put_in_place(struct ui_output *out, struct err *err)
{
	if (fsync(out->fd) != 0)
		return err_errno(err, errno, "%s: could not be brought to disk", out->name);
	if (!out->unnamed || name_it(out, out->name) != 0) {
		if (out->unnamed && temporary_name(out, err) != 0)
			return -1;
		if (out->unnamed && name_it(out, out->temporary) != 0) {
			err_errno(err, errno, "%s", out->name);
			free(out->temporary);
			out->temporary = NULL;
			return -1;
		}
		if (renameat(out->dir, out->temporary, out->dir, out->name) != 0)
			return err_errno(err, errno, "%s", out->name);
		free(out->temporary);
		out->temporary = NULL;
	}
	if (fsync(out->dir) != 0)
		return err_errno(err, errno, "directory of %s", out->name);
	return 0;
}

int ui_output_commit(struct ui_output *out, struct err *err)
{
	int got = 0, fd = out->fd;

	if (out->regular) {
		got = put_in_place(out, err);
	} else {
		out->fd = -1;
		if (close(fd) != 0)
			got = err_errno(err, errno, "output");
	}
	ui_output_drop(out);
	return got;
}

int ui_output_write(void *output, const void *head, size_t head_len, const void *body,
	size_t body_len, struct err *err)
{
	const struct ui_output *out = output;

	if (fs_write_two(out->fd, head, head_len, body, body_len) != 0)
		return err_errno(err, errno, "write %s", out->name != NULL ? out->name : "output");
	return 0;
}

void ui_output_drop(struct ui_output *out)
{
	if (out->fd >= 0)
		close(out->fd);
	if (out->temporary != NULL)
		unlinkat(out->dir, out->temporary, 0);
	if (out->dir >= 0)
		close(out->dir);
	free(out->temporary);
	free(out->name);
	*out = (struct ui_output){.fd = -1, .dir = -1};
}
