/*
 * A level for each directory from the target down. The outermost is the
 * target, whose descriptor is the caller's; of the others the innermost
 * PACK_DESCENT_OPEN stay open, and the rest are opened again, and known by
 * their inode, when it is their turn.
 */
#include "pack/descent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "pack/restore.h"

#define TEXT_MAX 256 /* of a problem */

/* Names of directories on the way down, and what is due to them. */
struct level {
	int fd; /* -1: closed for now */
	dev_t dev;
	ino_t ino;
	size_t path_len; /* of .path of the stack */
	uint8_t *meta;   /* copies of what the HEAD borrows; NULL: nothing is due */
	struct pack_head head;
	bool fresh; /* made by us */
};

struct pack_descent {
	struct pack_descent_options o;
	struct level *levels;
	size_t depth, cap;
	struct buf path; /* of the innermost level, in the target */
	atomic_bool acl;
};

static void problem_errno(
	struct pack_descent *s, struct pack_bytes path, const char *what, int errnum)
{
	char text[TEXT_MAX], reason[96];

	snprintf(text, sizeof text, "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
	s->o.problem(s->o.ctx, path, true, errnum, text);
}

size_t pack_descent_parent(struct pack_bytes path)
{
	const uint8_t *slash = memrchr(path.at, '/', path.len);

	return slash != NULL ? (size_t)(slash - path.at) : 0;
}

void pack_descent_name(struct pack_bytes path, char name[PACK_NAME_MAX + 1])
{
	size_t skip = pack_descent_parent(path);

	if (skip > 0)
		skip++;
	memcpy(name, path.at + skip, path.len - skip);
	name[path.len - skip] = 0;
}

/* True also if it can't be told. */
static bool has_default_acl(int fd)
{
	ssize_t n = fgetxattr(fd, "system.posix_acl_default", NULL, 0);

	return n > 0 || (n < 0 && errno != ENODATA && errno != EOPNOTSUPP);
}

struct pack_descent *pack_descent_new(const struct pack_descent_options *o, struct err *err)
{
	struct pack_descent *s = calloc(1, sizeof *s);
	struct stat st;

	if (s == NULL || (s->levels = calloc(1, sizeof *s->levels)) == NULL) {
		free(s);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->o = *o;
	buf_init(&s->path, PACK_PATH_MAX + 1);
	s->cap = s->depth = 1;
	s->levels[0] = (struct level){.fd = o->target};
	if (fstat(o->target, &st) == 0) {
		s->levels[0].dev = st.st_dev;
		s->levels[0].ino = st.st_ino;
	}
	atomic_init(&s->acl, has_default_acl(o->target));
	return s;
}

void pack_descent_free(struct pack_descent *s)
{
	if (s == NULL)
		return;
	while (s->depth > 0) {
		struct level *f = &s->levels[--s->depth];

		if (f->fd >= 0 && s->depth > 0)
			close(f->fd);
		free(f->meta);
	}
	free(s->levels);
	buf_fini(&s->path);
	free(s);
}

bool pack_descent_acl(const struct pack_descent *s)
{
	return s->acl;
}

/* The level's descriptor, opened again if need be. -1 with errno set. */
static int level_fd(struct pack_descent *s, size_t i)
{
	struct level *f = &s->levels[i];
	struct stat st;
	int fd;

	if (f->fd >= 0)
		return f->fd;
	fd = fs_open_beneath(s->o.target, (const char *)s->path.data, f->path_len,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || st.st_dev != f->dev || st.st_ino != f->ino) {
		close(fd);
		errno = ESTALE;
		return -1;
	}
	f->fd = fd;
	return fd;
}

/* Applies what is due to a directory and forgets it. */
static void settle(struct pack_descent *s, size_t i)
{
	struct level *f = &s->levels[i];
	struct pack_bytes path = {s->path.data, f->path_len};
	char text[TEXT_MAX];
	int fd;

	if (f->meta == NULL)
		return;
	if (path.len == 0)
		path = (struct pack_bytes){(const uint8_t *)".", 1};
	fd = level_fd(s, i);
	if (fd < 0) {
		problem_errno(s, path, "metadata not restored", errno);
	} else {
		if (pack_restore_meta(s->o.restore, fd, s->acl && f->fresh ? PACK_RESTORE_ACL : 0,
			    0, &f->head, text, sizeof text) != 0)
			s->o.problem(s->o.ctx, path, false, 0, text);
		if (pack_restore_flags(s->o.restore, fd, &f->head, text, sizeof text) != 0)
			s->o.problem(s->o.ctx, path, false, 0, text);
	}
	free(f->meta);
	f->meta = NULL;
}

static void leave(struct pack_descent *s)
{
	struct level *f = &s->levels[s->depth - 1];

	settle(s, s->depth - 1);
	if (f->fd >= 0)
		close(f->fd);
	s->depth--;
	s->path.len = s->levels[s->depth - 1].path_len;
}

void pack_descent_finish(struct pack_descent *s)
{
	while (s->depth > 1)
		leave(s);
	settle(s, 0);
}

/* Enters a directory that was just opened; fd moves. */
static int enter(
	struct pack_descent *s, int fd, struct pack_bytes path, bool fresh, struct err *err)
{
	struct level *f;
	struct stat st;

	if (s->depth == s->cap) {
		f = realloc(s->levels, s->cap * 2 * sizeof *f);
		if (f == NULL) {
			close(fd);
			return err_set(err, ERR_NOMEM, "out of memory");
		}
		s->levels = f;
		s->cap *= 2;
	}
	buf_clear(&s->path);
	if (buf_add(&s->path, path.at, path.len, err) != 0) {
		close(fd);
		return -1;
	}
	f = &s->levels[s->depth++];
	*f = (struct level){.fd = fd, .path_len = path.len, .fresh = fresh};
	if (fstat(fd, &st) == 0) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	}
	if (!fresh && has_default_acl(fd))
		s->acl = true;
	if (s->depth > PACK_DESCENT_OPEN + 1) {
		f = &s->levels[s->depth - 1 - PACK_DESCENT_OPEN];
		if (f->fd >= 0)
			close(f->fd);
		f->fd = -1;
	}
	return 0;
}

int pack_descent_clear(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0)
		return 0;
	if (errno == EISDIR || errno == EPERM)
		return unlinkat(parent, name, AT_REMOVEDIR);
	return -1;
}

/* Makes or finds a directory. Returns its descriptor, or -1 with errno set. */
static int make_dir(int parent, const char *name, bool *fresh)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, fd;

	*fresh = mkdirat(parent, name, 0700) == 0;
	if (!*fresh && errno != EEXIST)
		return -1;
	fd = openat(parent, name, flags);
	if (fd >= 0 || *fresh || (errno != ENOTDIR && errno != ELOOP))
		return fd;
	/* Something else has the name: it goes. */
	if (pack_descent_clear(parent, name) != 0 || mkdirat(parent, name, 0700) != 0)
		return -1;
	*fresh = true;
	return openat(parent, name, flags);
}

/* Finds a directory, or makes it. Returns its descriptor, or -1 with errno set. */
static int find_dir(int parent, const char *name, mode_t mode, bool *fresh)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	*fresh = mkdirat(parent, name, mode) == 0;
	return openat(parent, name, flags);
}

/* Whether the level's path is this path's beginning. */
static bool is_above(
	const struct pack_descent *s, const struct level *f, struct pack_bytes path, size_t len)
{
	return f->path_len == 0 ||
	       (f->path_len <= len && memcmp(s->path.data, path.at, f->path_len) == 0 &&
		       (f->path_len == len || path.at[f->path_len] == '/'));
}

int pack_descent_go(struct pack_descent *s, struct pack_bytes path, struct err *err)
{
	size_t len = pack_descent_parent(path), at;
	struct level *f;
	int fd;

	while (!is_above(s, &s->levels[s->depth - 1], path, len))
		leave(s);
	while ((f = &s->levels[s->depth - 1])->path_len < len) {
		char name[PACK_NAME_MAX + 1];
		struct pack_bytes dir = {path.at, 0};
		const uint8_t *slash;
		bool fresh = false;

		at = f->path_len > 0 ? f->path_len + 1 : 0;
		slash = memchr(path.at + at, '/', len - at);
		dir.len = slash != NULL ? (size_t)(slash - path.at) : len;
		memcpy(name, path.at + at, dir.len - at);
		name[dir.len - at] = 0;
		fd = level_fd(s, s->depth - 1);
		if (fd >= 0)
			fd = find_dir(fd, name, 0777 & ~s->o.restore->umask, &fresh);
		if (fd < 0) {
			if (errno != ENOTDIR && errno != ELOOP)
				problem_errno(s, path, "its directory can't be entered", errno);
			else
				s->o.problem(s->o.ctx, path, true, errno,
					"refused: its path goes through something that is no "
					"directory");
			return -1;
		}
		if (enter(s, fd, dir, fresh, err) != 0)
			return -2;
	}
	fd = level_fd(s, s->depth - 1);
	if (fd < 0)
		problem_errno(s, path, "its directory can't be entered", errno);
	return fd;
}

int pack_descent_put(struct pack_descent *s, const struct pack_head *given, struct pack_bytes path,
	bool keep, struct err *err)
{
	char name[PACK_NAME_MAX + 1];
	struct pack_head head = *given;
	struct buf copy;
	struct level *f;
	bool fresh = false;
	int dir, fd;

	if (path.len == 1 && path.at[0] == '.') {
		while (s->depth > 1)
			leave(s);
	} else {
		dir = pack_descent_go(s, path, err);
		if (dir < 0)
			return dir == -2 ? -1 : 1;
		pack_descent_name(path, name);
		fd = make_dir(dir, name, &fresh);
		if (fd < 0) {
			problem_errno(s, path, "can't be made", errno);
			return 1;
		}
		if (enter(s, fd, path, fresh, err) != 0)
			return -1;
	}
	f = &s->levels[s->depth - 1];
	if (!fresh && keep)
		return 1;
	free(f->meta);
	f->meta = NULL;
	/* Without the path: far down the paths of all levels are large. */
	head.path = (struct pack_bytes){0};
	buf_init(&copy, PACK_HEAD_KEEP);
	if (pack_head_keep(&copy, &f->head, &head, err) != 0)
		return -1;
	f->meta = copy.data;
	return 0;
}
