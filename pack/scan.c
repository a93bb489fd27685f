/*
 * A stack of frames, one for each directory from the given path down to the current one. Outer
 * frames close their directory when too many are open, and reopen it through ".." on the way
 * back, if that is still the same directory.
 */
#include "pack/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/mem.h"
#include "pack/entry.h"
#include "pack/names.h"

#define LIST_MEM (64u << 10)
/* Once all lists together use this much memory, new ones spill earlier. */
#define LISTS_MEMORY PACK_NAMES_MEMORY
#define LIST_SMALL   (64u << 10)

static const char cache_tag[] = "CACHEDIR.TAG";
static const char cache_signature[] = "Signature: 8a477f597d28d172789f06886806bc55";

struct frame {
	struct pack_dir *dir; /* NULL: closed for now */
	dev_t dev;
	ino_t ino;
	size_t path_len; /* length of the directory's path, with its "/" */
	struct pack_names names;
};

struct pack_scan {
	struct pack_scan_options o;
	struct frame *frames;
	size_t depth, frames_cap;
	struct buf path;
	struct pack_dir *root_dir; /* the directory that has the given path's last component */
	char *root_name;
	struct pack_dir *current; /* the directory returned last */
	size_t to_open;           /* how many more regular files to open */
	size_t lists;             /* memory of all lists, in bytes */
	bool any;                 /* there was an item or a problem */
	bool dropped;             /* something was excluded */
	uint64_t *mem;
	struct pack_dir *entering; /* the last item, if it is a directory to enter */
	struct pack_names entering_names;
};

struct pack_dir *pack_dir_ref(struct pack_dir *dir)
{
	atomic_fetch_add_explicit(&dir->refs, 1, memory_order_relaxed);
	return dir;
}

void pack_dir_unref(struct pack_dir *dir)
{
	if (dir == NULL || atomic_fetch_sub_explicit(&dir->refs, 1, memory_order_acq_rel) != 1)
		return;
	close(dir->fd);
	free(dir);
}

/* Takes the descriptor, even on failure. */
static struct pack_dir *dir_new(int fd, struct err *err)
{
	struct pack_dir *dir = mem_new(sizeof *dir, err);

	if (dir == NULL) {
		close(fd);
		return NULL;
	}
	dir->fd = fd;
	atomic_init(&dir->refs, 1);
	return dir;
}

struct pack_scan *pack_scan_new(const struct pack_scan_options *options, struct err *err)
{
	struct pack_scan *s = mem_new(sizeof *s, err);

	if (s == NULL || (s->mem = mem_new(LIST_MEM, err)) == NULL) {
		free(s);
		return NULL;
	}
	s->o = *options;
	buf_init(&s->path, PACK_PATH_MAX + PACK_NAME_MAX + 2);
	return s;
}

static void list_fini(struct pack_scan *s, struct pack_names *names)
{
	s->lists -= names->text.cap + names->order.cap;
	pack_names_fini(names);
}

void pack_scan_free(struct pack_scan *s)
{
	if (s == NULL)
		return;
	if (s->entering != NULL)
		list_fini(s, &s->entering_names);
	pack_dir_unref(s->entering);
	while (s->depth > 0) {
		struct frame *f = &s->frames[--s->depth];

		pack_dir_unref(f->dir);
		list_fini(s, &f->names);
	}
	pack_dir_unref(s->root_dir);
	pack_dir_unref(s->current);
	free(s->root_name);
	free(s->frames);
	free(s->mem);
	buf_fini(&s->path);
	free(s);
}

size_t pack_scan_name(const char *path, char *out, bool *cut)
{
	size_t len = 0;

	*cut = path[0] == '/';
	while (*path != 0) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0) {
			len = 0;
			*cut = true;
		} else if (n > 0 && !(n == 1 && path[0] == '.')) {
			if (len > 0)
				out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	if (len == 0)
		out[len++] = '.';
	out[len] = 0;
	return len;
}

static void root_problem(struct pack_scan *s, const char *what, int errnum)
{
	s->any = true;
	s->o.problem(s->o.problem_ctx, s->root_name, strlen(s->root_name), what, errnum);
}

static void problem(struct pack_scan *s, const char *what, int errnum)
{
	s->any = true;
	s->o.problem(s->o.problem_ctx, (const char *)s->path.data, s->path.len, what, errnum);
}

/* Something could not be examined: it vanished after it was listed, or it is a given path,
 * which is reported as it was given. */
static void missing(struct pack_scan *s, int errnum)
{
	if (s->depth == 0)
		root_problem(s, "can't be examined", errnum);
	else if (errnum == ENOENT)
		problem(s, "vanished before it was read", 0);
	else
		problem(s, "can't be examined", errnum);
}

/* --- one directory ------------------------------------------------------ */

struct listing {
	struct pack_names *names;
	bool only_tag;
	struct err *err;
};

static int add_name(void *ctx, const char *name, uint8_t type)
{
	struct listing *l = ctx;

	if (l->only_tag && strcmp(name, cache_tag) != 0)
		return 0;
	return pack_names_add(l->names, name, type, l->err);
}

/* Whether the directory is marked as a cache (Cache Directory Tagging Specification,
 * bford.info/cachedir). */
static bool is_cache(int fd)
{
	char text[sizeof cache_signature - 1];
	int tag = openat(fd, cache_tag, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool is;

	if (tag < 0)
		return false;
	is = fs_read_full(tag, text, sizeof text, NULL) == sizeof text &&
	     memcmp(text, cache_signature, sizeof text) == 0;
	close(tag);
	return is;
}

/* Lists an open directory, so that the walk enters it next. Sets item->error if that fails. */
static int list_dir(struct pack_scan *s, struct pack_scan_item *item, struct err *err)
{
	struct listing l = {.names = &s->entering_names, .err = err};
	int got;

	pack_names_init(l.names);
	if (s->lists >= LISTS_MEMORY)
		l.names->memory = LIST_SMALL;
	l.only_tag = s->o.exclude_caches && is_cache(item->self->fd);
	got = fs_list(item->self->fd, s->mem, LIST_MEM, add_name, &l);
	if (got == -1)
		item->error = errno;
	if (got == -2 || pack_names_sort(l.names, err) != 0) {
		pack_names_fini(l.names);
		return -1;
	}
	s->lists += l.names->text.cap + l.names->order.cap;
	s->entering = pack_dir_ref(item->self);
	return 0;
}

/* Whether an entry of this path would conflict with one that comes from elsewhere. */
static bool is_taken(const struct pack_scan *s, const char *path, size_t len, bool is_dir)
{
	char *const *at;

	for (at = s->o.taken; at != NULL && *at != NULL; at++) {
		struct pack_bytes here = {(const uint8_t *)path, len};
		struct pack_bytes there = {(const uint8_t *)*at, strcspn(*at, "=")};

		if (pack_path_same(here, there) || pack_path_in(here, there) ||
			(!is_dir && pack_path_in(there, here)))
			return true;
	}
	return false;
}

/* Examines a name. Returns 0 with the item filled, 2 to leave it out, -1 with err set. */
static int look(struct pack_scan *s, struct pack_dir *dir, const char *name, uint8_t type,
	struct pack_scan_item *item, struct err *err)
{
	bool is_dir = type == DT_DIR;
	int fd = -1;

	*item = (struct pack_scan_item){
		.dir = dir,
		.name = name,
		.path = (const char *)s->path.data,
		.path_len = s->path.len,
		.fd = -1,
	};
	if (type == DT_UNKNOWN) {
		if (fstatat(dir->fd, name, &item->st, AT_SYMLINK_NOFOLLOW) != 0)
			goto vanished;
		is_dir = S_ISDIR(item->st.st_mode);
	}
	if (s->o.excluded != NULL && s->o.excluded(s->o.ctx, item->path, item->path_len, is_dir)) {
		s->dropped = true;
		return 2;
	}
	if (is_taken(s, item->path, item->path_len, is_dir)) {
		problem(s, "is where the output of a --command goes: left out", 0);
		return 2;
	}
	if (is_dir) {
		fd = fs_open_read(dir->fd, name, O_DIRECTORY);
		item->error = fd < 0 ? errno : 0;
	} else if (type == DT_REG && s->to_open > 0) {
		item->fd = fs_open_read(dir->fd, name, 0);
		if (item->fd >= 0 &&
			(fstat(item->fd, &item->st) != 0 || !S_ISREG(item->st.st_mode))) {
			close(item->fd);
			item->fd = -1;
		}
		if (item->fd < 0) /* not a regular file any more, or can't be opened */
			return look(s, dir, name, DT_UNKNOWN, item, err);
		s->to_open--;
	}
	if (item->fd < 0 && (fd >= 0 ? fstat(fd, &item->st) != 0
				     : fstatat(dir->fd, name, &item->st, AT_SYMLINK_NOFOLLOW) != 0))
		goto vanished;
	if (s->o.skip_known && item->st.st_ino == s->o.skip_ino &&
		item->st.st_dev == s->o.skip_dev && S_ISREG(item->st.st_mode)) {
		problem(s, "is the output: left out", 0);
		fs_close(item->fd);
		return 2;
	}
	if (fd < 0)
		return 0;
	item->self = dir_new(fd, err);
	return item->self != NULL ? 0 : -1;
vanished:
	missing(s, errno);
	fs_close(fd);
	return 2;
}

/* --- frames ------------------------------------------------------------- */

/* Enters the directory listed last; the path gets its "/". */
static int push(struct pack_scan *s, struct err *err)
{
	struct frame *f;
	struct stat st;

	f = mem_grow(s->frames, s->depth, &s->frames_cap, sizeof *f, err);
	if (f == NULL)
		return -1;
	s->frames = f;
	if (fstat(s->entering->fd, &st) != 0)
		return err_errno(err, errno, "fstat");
	if (s->path.len == 1 && s->path.data[0] == '.')
		buf_clear(&s->path);
	else if (buf_add(&s->path, "/", 1, err) != 0)
		return -1;
	f = &s->frames[s->depth++];
	*f = (struct frame){
		.dir = s->entering,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.path_len = s->path.len,
		.names = s->entering_names,
	};
	s->entering = NULL;
	if (s->depth > PACK_SCAN_OPEN) {
		f = &s->frames[s->depth - 1 - PACK_SCAN_OPEN];
		pack_dir_unref(f->dir);
		f->dir = NULL;
	}
	return 0;
}

/* Leaves the innermost directory, and reopens the one above if it was closed. */
static int pop(struct pack_scan *s, struct err *err)
{
	struct frame *f = &s->frames[--s->depth], *up = f - 1;
	struct stat st;
	int fd = -1;

	list_fini(s, &f->names);
	if (s->depth > 0 && up->dir == NULL && f->dir != NULL) {
		fd = fs_open_read(f->dir->fd, "..", O_DIRECTORY);
		if (fd >= 0 &&
			(fstat(fd, &st) != 0 || st.st_dev != up->dev || st.st_ino != up->ino)) {
			close(fd);
			fd = -1;
			errno = ESTALE;
		}
		if (fd < 0) {
			s->path.len = up->path_len;
			problem(s, "it was moved while it was read; the rest of it is missing",
				errno);
		} else if ((up->dir = dir_new(fd, err)) == NULL) {
			pack_dir_unref(f->dir);
			return -1;
		}
	}
	pack_dir_unref(f->dir);
	return 0;
}

/* Splits a path into its directory, which may be reached through links, and the last component,
 * which is not followed unless the path ends in "/". Returns the opened directory, or -1 with
 * errno set. *name points into path, or is ".". */
static int open_parent(int base, char *path, const char **name)
{
	size_t len = strlen(path);
	bool slash = len > 1 && path[len - 1] == '/';
	struct stat st;
	char *last, saved;
	int fd;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = 0;
	if (slash && fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
		*name = ".";
		return openat(base, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	last = strrchr(path, '/');
	last = last != NULL ? last + 1 : path;
	if (*last == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
		*name = ".";
		return openat(base, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	*name = last;
	saved = *last;
	*last = 0;
	fd = openat(base, last == path ? "." : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*last = saved;
	return fd;
}

/* Begins the next given path. Returns as pack_scan_next, or 2 if there is nothing to return. */
static int next_root(struct pack_scan *s, struct pack_scan_item *item, struct err *err)
{
	const char *path, *name;
	bool cut;
	int fd, got = s->o.next_root(s->o.ctx, &path, err);

	if (got == 1 && s->dropped && !s->any && (s->o.taken == NULL || *s->o.taken == NULL))
		return err_set(err, ERR_NOTFOUND, "nothing to read: all given paths are excluded");
	if (got != 0)
		return got;
	pack_dir_unref(s->root_dir);
	s->root_dir = NULL;
	free(s->root_name);
	s->root_name = strdup(path);
	if (s->root_name == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	buf_clear(&s->path);
	if (strlen(path) > PACK_PATH_MAX) {
		root_problem(s, "path too long", 0);
		return 2;
	}
	if (buf_room(&s->path, strlen(path) + 2, err) == NULL)
		return -1;
	buf_took(&s->path, pack_scan_name(path, (char *)s->path.data, &cut));
	fd = open_parent(s->o.base, s->root_name, &name);
	if (fd < 0) {
		missing(s, errno);
		return 2;
	}
	s->root_dir = dir_new(fd, err);
	if (s->root_dir == NULL)
		return -1;
	return look(s, s->root_dir, name, DT_UNKNOWN, item, err);
}

/* The next name of the innermost directory. Returns 0, 1 at its end, 2 if the name is left out,
 * -1 with err set. */
static int next_name(struct pack_scan *s, struct pack_scan_item *item, struct err *err)
{
	struct frame *f = &s->frames[s->depth - 1];
	const char *name;
	uint8_t type;
	size_t len;
	int got;

	s->path.len = f->path_len;
	if (f->dir == NULL)
		return 1;
	got = pack_names_next(&f->names, &name, &type, err);
	if (got != 0)
		return got;
	len = strlen(name);
	/* If it is a directory, a "/" and a name must still fit. */
	if (f->path_len + len > PACK_PATH_MAX) {
		problem(s, "holds a name that makes the path too long: left out", 0);
		return 2;
	}
	if (buf_add(&s->path, name, len, err) != 0)
		return -1;
	return look(s, f->dir, name, type, item, err);
}

void pack_scan_open(struct pack_scan *s, size_t count)
{
	s->to_open = count;
}

int pack_scan_next(struct pack_scan *s, struct pack_scan_item *item, struct err *err)
{
	int got;

	pack_dir_unref(s->current);
	s->current = NULL;
	if (s->entering != NULL && push(s, err) != 0)
		return -1;
	do {
		got = s->depth == 0 ? next_root(s, item, err) : next_name(s, item, err);
		if (got == 1 && s->depth == 0)
			return 1;
		if (got < 0 || (got == 1 && pop(s, err) != 0))
			return -1;
	} while (got != 0);
	/* buf_add may have moved the path; also add a NUL. */
	if (buf_room(&s->path, 1, err) == NULL)
		return -1;
	s->path.data[s->path.len] = 0;
	item->path = (const char *)s->path.data;
	item->path_len = s->path.len;
	s->current = item->self;
	s->any = true;
	if (item->self == NULL || s->o.no_recursion)
		return 0;
	/* A directory on another file system than its parent may have to be left alone. */
	if (s->o.one_file_system && s->depth > 0 &&
		item->st.st_dev != s->frames[s->depth - 1].dev &&
		(s->o.enters == NULL || !s->o.enters(s->o.ctx, item->path, item->path_len))) {
		if (s->o.border != NULL)
			s->o.border(s->o.ctx, item->path, item->path_len);
		return 0;
	}
	return list_dir(s, item, err);
}
