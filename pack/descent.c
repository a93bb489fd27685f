/*
 * There is a level for each directory from the target down. The outermost level is the target.
 * Of the others, the innermost PACK_DESCENT_OPEN stay open. The rest are opened again when
 * needed, and recognised by their inode.
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
#include "lib/mem.h"
#include "pack/extract.h"
#include "pack/restore.h"
#include "pack/widen.h"

#define TEXT_MAX 256 /* longest text of a problem */

/* Metadata that may have to be applied to a directory. */
struct due {
	uint8_t *meta; /* copies of what the HEAD borrows; NULL: nothing to apply */
	struct pack_head head;
};

/* A directory on the way down. */
struct level {
	int fd; /* -1: closed for now */
	dev_t dev;
	ino_t ino;
	size_t path_len; /* length of its path, a prefix of the stack's .path */
	struct due due;
	bool fresh; /* created here */
	bool wide;  /* see pack/widen.h */
};

/* A directory that was created without its metadata. */
struct bare {
	dev_t dev;
	ino_t ino;
};

#define BARE_MAX (4096 * sizeof(struct bare))

/* A directory to create if something in it is wanted. */
struct way {
	size_t path_len; /* length of its path, a prefix of .ways_path */
	struct due due;
};

struct pack_descent {
	const struct pack_extract_options *o;
	const struct pack_restore *restore;
	struct pack_outcome *outcome;
	struct pack_widen *widen;
	struct level *levels;
	size_t depth, cap;
	struct buf path; /* path of the innermost level, from the target */
	struct way *ways;
	size_t way_count, way_cap;
	struct buf ways_path; /* path of the innermost way */
	struct buf bare;      /* struct bare; incomplete if there is no room */
	struct buf closed;    /* a directory whose content can't be reached, which was reported */
	bool keep_target;     /* the target keeps its own metadata */
	atomic_bool acl;
};

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

/* Also true if this can't be found out. */
static bool has_default_acl(int fd)
{
	ssize_t n = fgetxattr(fd, "system.posix_acl_default", NULL, 0);

	return n > 0 || (n < 0 && errno != ENODATA && errno != EOPNOTSUPP);
}

static int on_listed(void *ctx, const char *name, uint8_t type)
{
	(void)ctx;
	(void)type;
	return strcmp(name, "lost+found") == 0 ? 0 : -1; /* every file system may have that */
}

/* Whether a directory is not empty. Returns 0, 1, or -1 with err set. */
static int holds_something(int dir, struct err *err)
{
	uint64_t mem[4096];
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return err_errno(err, errno, "the target can't be listed");
	ret = fs_list(fd, mem, sizeof mem, on_listed, NULL);
	if (ret == -1)
		err_errno(err, errno, "the target can't be listed");
	close(fd);
	return ret == -2 ? 1 : ret;
}

struct pack_descent *pack_descent_new(const struct pack_extract_options *o,
	const struct pack_restore *restore, struct pack_outcome *outcome, struct err *err)
{
	struct pack_descent *s = mem_new(sizeof *s, err);
	struct level *target;
	struct stat st;

	if (s == NULL)
		return NULL;
	s->o = o;
	s->restore = restore;
	s->outcome = outcome;
	buf_init(&s->path, PACK_PATH_MAX + 1);
	buf_init(&s->ways_path, PACK_PATH_MAX + 1);
	buf_init(&s->closed, PACK_PATH_MAX + 1);
	buf_init(&s->bare, BARE_MAX);
	atomic_init(&s->acl, has_default_acl(o->target));
	s->levels = mem_grow(NULL, 0, &s->cap, sizeof *s->levels, err);
	s->widen = s->levels != NULL ? pack_widen_new(err) : NULL;
	if (s->widen == NULL)
		goto failed;
	s->depth = 1;
	target = &s->levels[0];
	*target = (struct level){.fd = -1};
	target->fd = pack_widen_open(s->widen, o->target, ".", &target->wide);
	if (target->fd < 0)
		target->fd = fcntl(o->target, F_DUPFD_CLOEXEC, 0);
	if (fstat(o->target, &st) == 0) {
		target->dev = st.st_dev;
		target->ino = st.st_ino;
	}
	if (!o->in_place) {
		int holds = holds_something(o->target, err);

		if (holds < 0)
			goto failed;
		s->keep_target = holds == 1;
	}
	return s;
failed:
	pack_descent_free(s);
	return NULL;
}

void pack_descent_free(struct pack_descent *s)
{
	if (s == NULL)
		return;
	pack_widen_free(s->widen);
	while (s->depth > 0) {
		struct level *f = &s->levels[--s->depth];

		fs_close(f->fd);
		free(f->due.meta);
	}
	while (s->way_count > 0)
		free(s->ways[--s->way_count].due.meta);
	free(s->ways);
	free(s->levels);
	buf_fini(&s->path);
	buf_fini(&s->ways_path);
	buf_fini(&s->closed);
	buf_fini(&s->bare);
	free(s);
}

void pack_descent_back(struct pack_descent *s)
{
	pack_widen_back(s->widen);
}

bool pack_descent_acl(const struct pack_descent *s)
{
	return s->acl;
}

int pack_descent_open(const struct pack_descent *s, const uint8_t *path, size_t len)
{
	const int flags = O_PATH | O_DIRECTORY;

	return s->o->follow_links ? fs_open_within(s->o->target, (const char *)path, len, flags)
				  : fs_open_beneath(s->o->target, (const char *)path, len,
					    flags | O_NOFOLLOW, 0);
}

/* Like pack_descent_open, but opens for reading. */
static int open_way(const struct pack_descent *s, const uint8_t *path, size_t len)
{
	int path_fd = pack_descent_open(s, path, len), fd;

	if (path_fd < 0)
		return -1;
	fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(path_fd);
	return fd;
}

/* The level's descriptor; opens it again if it was closed. Returns -1 with errno set on
 * failure. */
static int level_fd(struct pack_descent *s, size_t i)
{
	struct level *f = &s->levels[i];
	struct stat st;
	int fd;

	if (f->fd >= 0)
		return f->fd;
	fd = open_way(s, s->path.data, f->path_len);
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

/* Copies the metadata, without the path: deep down, the paths of all levels would be large. */
static int set_due(struct due *due, const struct pack_head *given, struct err *err)
{
	struct pack_head head = *given;
	struct buf copy = {.max = PACK_HEAD_KEEP};

	head.path = (struct pack_bytes){0};
	if (pack_head_keep(&copy, &due->head, &head, err) != 0)
		return -1;
	free(due->meta);
	due->meta = copy.data;
	return 0;
}

/* Applies a level's pending metadata and forgets them. */
static void settle(struct pack_descent *s, size_t i)
{
	struct level *f = &s->levels[i];
	struct pack_bytes path = {s->path.data, f->path_len};
	unsigned how =
		(s->acl && f->fresh) || (!f->fresh && s->restore->xattrs) ? PACK_RESTORE_ACL : 0;
	char text[TEXT_MAX];
	int fd;

	if (path.len == 0)
		path = (struct pack_bytes){(const uint8_t *)".", 1};
	fd = f->due.meta != NULL ? level_fd(s, i) : -1;
	if (f->due.meta != NULL && fd < 0) {
		pack_outcome_lost(s->outcome, path, "metadata not restored", errno);
	} else if (fd >= 0) {
		if (pack_restore_meta(s->restore, fd, how, 0, &f->due.head, text, sizeof text) != 0)
			pack_outcome_problem(s->outcome, path, PACK_OUTCOME_NOTE, text);
		if (pack_restore_flags(s->restore, fd, &f->due.head, text, sizeof text) != 0)
			pack_outcome_problem(s->outcome, path, PACK_OUTCOME_NOTE, text);
	}
	if (f->wide && pack_widen_narrow(s->widen, fd >= 0) != 0)
		pack_outcome_lost(s->outcome, path, "it could not be given its mode back", errno);
	f->wide = false;
	free(f->due.meta);
	f->due.meta = NULL;
}

static void leave(struct pack_descent *s)
{
	struct level *f = &s->levels[s->depth - 1];

	settle(s, s->depth - 1);
	fs_close(f->fd);
	s->depth--;
	s->path.len = s->levels[s->depth - 1].path_len;
}

void pack_descent_finish(struct pack_descent *s)
{
	while (s->depth > 1)
		leave(s);
	settle(s, 0);
}

/* A directory that was just opened. */
struct opened {
	int fd; /* -1: failed, errno is set */
	bool fresh, wide;
	bool linked; /* reached through a link */
};

/* Enters a directory and takes its descriptor. Returns 0, or -1 with err set. */
static int enter(
	struct pack_descent *s, const struct opened *o, struct pack_bytes path, struct err *err)
{
	struct level *f;
	struct stat st;

	f = mem_grow(s->levels, s->depth, &s->cap, sizeof *f, err);
	if (f != NULL)
		s->levels = f;
	buf_clear(&s->path);
	if (f == NULL || buf_add(&s->path, path.at, path.len, err) != 0) {
		close(o->fd);
		return -1;
	}
	f = &s->levels[s->depth++];
	*f = (struct level){.fd = o->fd, .path_len = path.len, .fresh = o->fresh, .wide = o->wide};
	if (fstat(o->fd, &st) == 0) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	}
	if (!o->fresh && has_default_acl(o->fd))
		s->acl = true;
	if (s->depth > PACK_DESCENT_OPEN + 1) {
		f = &s->levels[s->depth - 1 - PACK_DESCENT_OPEN];
		fs_close(f->fd);
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

/* Opens an existing directory by its name in the parent. */
static struct opened open_dir(
	struct pack_descent *s, int parent, const char *name, struct pack_bytes path)
{
	struct opened o = {.fd = -1};

	o.fd = pack_widen_open(s->widen, parent, name, &o.wide);
	if (o.fd < 0 && (errno == ENOTDIR || errno == ELOOP) && s->o->follow_links) {
		int saved = errno;

		o.fd = open_way(s, path.at, path.len);
		o.linked = o.fd >= 0;
		errno = saved;
	}
	return o;
}

static struct pack_bytes way_path(const struct pack_descent *s, size_t i)
{
	return (struct pack_bytes){s->ways_path.data, s->ways[i].path_len};
}

/* The metadata remembered for a missing directory, or NULL. */
static struct due *find_way(struct pack_descent *s, struct pack_bytes path)
{
	size_t i;

	for (i = 0; i < s->way_count; i++)
		if (pack_path_same(way_path(s, i), path))
			return s->ways[i].due.meta != NULL ? &s->ways[i].due : NULL;
	return NULL;
}

/* Finds a directory in the list of bare ones. Returns NULL if it is not there. */
static struct bare *find_bare(const struct pack_descent *s, dev_t dev, ino_t ino)
{
	struct bare *list = (void *)s->bare.data;
	size_t i, count = s->bare.len / sizeof *list;

	for (i = 0; i < count; i++)
		if (list[i].dev == dev && list[i].ino == ino)
			return &list[i];
	return NULL;
}

/* A directory on the way was entered. way: its metadata; NULL: not known. */
static void note_way(
	struct pack_descent *s, struct level *f, struct due *way, struct pack_bytes path)
{
	struct bare new = {f->dev, f->ino}, *bare = find_bare(s, f->dev, f->ino);

	if (bare != NULL && (way = find_way(s, path)) != NULL)
		*bare = (struct bare){0};
	if (way != NULL) { /* takes the metadata */
		f->due = *way;
		way->meta = NULL;
	} else if (f->fresh && bare == NULL) {
		buf_add(&s->bare, &new, sizeof new, NULL);
	}
}

int pack_descent_way(struct pack_descent *s, const struct pack_head *head, struct pack_bytes path,
	struct err *err)
{
	struct way *w;
	size_t i;

	while (s->way_count > 0 && !pack_path_in(path, way_path(s, s->way_count - 1)))
		free(s->ways[--s->way_count].due.meta);
	w = mem_grow(s->ways, s->way_count, &s->way_cap, sizeof *w, err);
	if (w == NULL)
		return -1;
	s->ways = w;
	buf_clear(&s->ways_path);
	if (buf_add(&s->ways_path, path.at, path.len, err) != 0)
		return -1;
	w = &s->ways[s->way_count++];
	*w = (struct way){.path_len = path.len};
	if (set_due(&w->due, head, err) != 0)
		return -1;
	for (i = 1; i < s->depth; i++) { /* it may have been entered, and be bare */
		struct level *f = &s->levels[i];

		if (pack_path_same((struct pack_bytes){s->path.data, f->path_len}, path) &&
			f->due.meta == NULL && find_bare(s, f->dev, f->ino) != NULL)
			note_way(s, f, NULL, path);
	}
	return 0;
}

/* Whether the first len bytes of `path` are the level's directory or lie below it. */
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
	if (pack_path_in(path, (struct pack_bytes){s->closed.data, s->closed.len}))
		return -1;
	buf_clear(&s->closed);
	while ((f = &s->levels[s->depth - 1])->path_len < len) {
		char name[PACK_NAME_MAX + 1];
		struct pack_bytes dir = {path.at, 0};
		struct opened o = {.fd = -1};
		struct due *way = NULL;
		const uint8_t *slash;

		at = f->path_len > 0 ? f->path_len + 1 : 0;
		slash = memchr(path.at + at, '/', len - at);
		dir.len = slash != NULL ? (size_t)(slash - path.at) : len;
		memcpy(name, path.at + at, dir.len - at);
		name[dir.len - at] = 0;
		fd = level_fd(s, s->depth - 1);
		if (fd >= 0)
			o = open_dir(s, fd, name, dir);
		if (fd >= 0 && o.fd < 0 && errno == ENOENT) {
			way = find_way(s, dir);
			o.fresh = mkdirat(fd, name,
					  way != NULL ? 0700 : 0777 & ~s->restore->umask) == 0;
			if (!o.fresh)
				way = NULL;
			o.fd = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (o.fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
			pack_outcome_problem(s->outcome, path, PACK_OUTCOME_LOST,
				"refused: its path goes through something that is not a directory");
			return -1;
		}
		if (o.fd < 0)
			goto failed;
		if (enter(s, &o, dir, err) != 0)
			return -2;
		note_way(s, &s->levels[s->depth - 1], way, dir);
	}
	fd = level_fd(s, s->depth - 1);
	if (fd >= 0)
		return fd;
failed:
	pack_outcome_lost(s->outcome, path, "its directory can't be entered", errno);
	return -1;
}

/* Creates or finds the directory of an entry. Another object of that name is removed or kept.
 * Returns 0; 1 if it is kept, which was reported; -1 with errno set. */
static int make_dir(struct pack_descent *s, const struct pack_head *head, struct pack_bytes path,
	int parent, struct opened *o)
{
	char name[PACK_NAME_MAX + 1];
	struct stat st, to;
	bool there;

	pack_descent_name(path, name);
	*o = (struct opened){.fd = -1};
	o->fresh = mkdirat(parent, name, 0700) == 0;
	if (!o->fresh && errno != EEXIST)
		return -1;
	if (!o->fresh) {
		*o = open_dir(s, parent, name, path);
		if (o->fd >= 0 || (errno != ENOTDIR && errno != ELOOP))
			return o->fd >= 0 ? 0 : -1;
		there = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
		if (!there && errno != ENOENT)
			return -1;
		if (there && !pack_overwrite_may(s->o->overwrite, head, &st, parent)) {
			pack_outcome_problem(s->outcome, path, PACK_OUTCOME_KEPT,
				"not restored, nor what is in it: what has its name is not a "
				"directory, and is kept");
			return 1;
		}
		if (there && S_ISLNK(st.st_mode) && fstatat(parent, name, &to, 0) == 0 &&
			S_ISDIR(to.st_mode)) {
			pack_outcome_problem(s->outcome, path, PACK_OUTCOME_LOST,
				"not restored, nor what is in it: a link to a directory has its "
				"name (remove the link, or follow it: --keep-directory-symlink)");
			return 1;
		}
		if (there && pack_descent_clear(parent, name) != 0)
			return -1;
		if (mkdirat(parent, name, 0700) != 0)
			return -1;
		o->fresh = true;
	}
	o->fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return o->fd >= 0 ? 0 : -1;
}

/* Whether an existing directory keeps its metadata. If its own can't be read, it does, which is
 * reported. */
static bool keeps(struct pack_descent *s, const struct pack_head *head, struct pack_bytes path,
	const struct opened *o)
{
	struct stat st;

	if (o->linked || o->fresh)
		return o->linked;
	if (fstat(o->fd, &st) != 0) {
		pack_outcome_lost(s->outcome, path, "metadata not restored", errno);
		return true;
	}
	return find_bare(s, st.st_dev, st.st_ino) == NULL &&
	       !pack_overwrite_may(s->o->overwrite, head, &st, o->fd);
}

int pack_descent_put(struct pack_descent *s, const struct pack_head *head, struct pack_bytes path,
	struct err *err)
{
	struct opened o = {.fd = s->levels[0].fd};
	char text[TEXT_MAX];
	bool keep;
	int dir, got;

	if (pack_path_is_root(path)) {
		while (s->depth > 1)
			leave(s);
		if (s->keep_target || keeps(s, head, path, &o))
			return 1;
		/* A restore that continues an interrupted one finds the target not empty and
		 * leaves its metadata alone. So apply them now too. */
		if (s->restore->privileged)
			pack_restore_meta(s->restore, o.fd, 0, 0, head, text, sizeof text);
		return set_due(&s->levels[0].due, head, err);
	}
	dir = pack_descent_go(s, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 1;
	got = make_dir(s, head, path, dir, &o);
	if (got != 0) {
		if (got < 0)
			pack_outcome_lost(s->outcome, path,
				"can't be created; its contents are not restored", errno);
		buf_clear(&s->closed);
		buf_add(&s->closed, path.at, path.len, NULL); /* if full, each is reported */
		return 1;
	}
	keep = keeps(s, head, path, &o);
	if (enter(s, &o, path, err) != 0)
		return -1;
	return keep ? 1 : set_due(&s->levels[s->depth - 1].due, head, err);
}

/* What may differ between two directories on different sides of a border. Not all borders show
 * here. */
struct side {
	uint32_t dev_major, dev_minor, project;
	uint64_t mount;
};

static struct side side_of(int fd)
{
	struct side side = {0};
	struct statx st;

	fs_project(fd, &side.project);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) != 0)
		return side;
	side.dev_major = st.stx_dev_major;
	side.dev_minor = st.stx_dev_minor;
	side.mount = st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0;
	return side;
}

int pack_descent_border(struct pack_descent *s, const uint8_t **path, size_t *len)
{
	size_t last = s->depth - 1, at;
	struct side side = side_of(s->levels[last].fd), up;

	for (at = last; at > 0 && level_fd(s, at - 1) >= 0; at--) {
		up = side_of(s->levels[at - 1].fd);
		if (up.dev_major != side.dev_major || up.dev_minor != side.dev_minor ||
			up.project != side.project || up.mount != side.mount)
			break;
	}
	if (at == 0) /* the border does not show */
		at = last;
	*path = s->path.data;
	*len = s->levels[at].path_len;
	return level_fd(s, at);
}
