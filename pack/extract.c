/*
 * Small files are written by `prepare` in any thread, unnamed, in the target
 * itself; only the name is given in order. Large ones are written in order,
 * in their own directory.
 */
#include "pack/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/names.h"
#include "pack/command.h"
#include "pack/descent.h"
#include "pack/load.h"
#include "pack/newfile.h"
#include "pack/restore.h"

#define TEXT_MAX 256 /* of a problem */
/* Descriptors that are not for prepared files: frames, inputs, the rest. */
#define FILES_KEPT (PACK_DESCENT_OPEN + 64)

/* What is remembered of PACK_EXTRACT_ABSENT, for hard links to it. */
#define ABSENT_MAX (4u << 20)

static int put_member(
	struct pack_extract *x, struct pack_load *load, struct pack_member *m, struct err *err);

struct pack_extract {
	struct pack_extract_options o;
	struct pack_restore restore;
	struct pack_descent *descent;
	bool setgid;       /* the target hands its group down */
	atomic_long files; /* prepared ones that may still be opened */
	unsigned serial;   /* of temporary names */
	struct buf absent; /* paths of what is not restored, each between NULs */
	/* The file that goes on from load to load. */
	bool open;
	struct pack_newfile file;
	struct buf open_head; /* what its HEAD borrows */
	struct pack_head head;
	int parent; /* where it will be; a duplicate */
	uint64_t at;
	bool hole; /* it ends in one so far */
	bool bad;  /* given up; its content is passed by */
};

/* --- the beginning and the end ------------------------------------------ */

static void on_descent(void *ctx, struct pack_bytes path, bool lost, int errnum, const char *what)
{
	const struct pack_extract *x = ctx;

	x->o.problem(x->o.ctx, path, lost ? PACK_EXTRACT_LOST : PACK_EXTRACT_NOTE, errnum, what);
}

struct pack_extract *pack_extract_new(const struct pack_extract_options *o, struct err *err)
{
	struct pack_extract *x = calloc(1, sizeof *x);
	struct pack_descent_options descent;
	struct stat st;

	if (x == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	x->o = *o;
	x->restore = (struct pack_restore){
		.privileged = o->privileged,
		.numeric_owner = o->numeric_owner,
		.xattrs = o->xattrs,
		.uid = geteuid(),
		.gid = getegid(),
		.umask = o->umask,
	};
	descent = (struct pack_descent_options){
		.target = o->target,
		.restore = &x->restore,
		.problem = on_descent,
		.ctx = x,
	};
	buf_init(&x->open_head, PACK_HEAD_KEEP);
	buf_init(&x->absent, ABSENT_MAX);
	x->parent = -1;
	x->setgid = fstat(o->target, &st) == 0 && (st.st_mode & S_ISGID);
	atomic_init(&x->files, o->files > FILES_KEPT ? (long)(o->files - FILES_KEPT) : 0);
	x->descent = pack_descent_new(&descent, err);
	if (x->descent == NULL ||
		(!o->numeric_owner && (x->restore.names = names_new(err)) == NULL)) {
		pack_extract_free(x);
		return NULL;
	}
	return x;
}

void pack_extract_free(struct pack_extract *x)
{
	if (x == NULL)
		return;
	if (x->open)
		pack_newfile_drop(&x->file, x->parent);
	if (x->parent >= 0)
		close(x->parent);
	names_free(x->restore.names);
	pack_descent_free(x->descent);
	buf_fini(&x->open_head);
	buf_fini(&x->absent);
	free(x);
}

/* Without room only what is said of links to it is less exact. */
static void remember(struct pack_extract *x, struct pack_bytes path)
{
	uint8_t *to = buf_room(&x->absent, path.len + 2, NULL);

	if (to == NULL)
		return;
	to[0] = to[path.len + 1] = 0;
	memcpy(to + 1, path.at, path.len);
	buf_took(&x->absent, path.len + 2);
}

static bool is_absent(const struct pack_extract *x, struct pack_bytes path)
{
	const uint8_t *at = x->absent.data, *end = at + x->absent.len;

	while (x->absent.len > 0 &&
		(at = memmem(at, (size_t)(end - at), path.at, path.len)) != NULL) {
		if (at[-1] == 0 && at[path.len] == 0)
			return true;
		at++;
	}
	return false;
}

__attribute__((format(printf, 4, 5))) static void problem(struct pack_extract *x,
	struct pack_bytes path, enum pack_extract_kind kind, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (kind == PACK_EXTRACT_ABSENT)
		remember(x, path);
	x->o.problem(x->o.ctx, path, kind, 0, text);
}

static void problem_errno(
	struct pack_extract *x, struct pack_bytes path, const char *what, int errnum)
{
	char text[TEXT_MAX], reason[96];

	snprintf(text, sizeof text, "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
	x->o.problem(x->o.ctx, path, PACK_EXTRACT_LOST, errnum, text);
}

/* A file can't be written: EFBIG is the one reason that asks for the size. */
static void problem_write(struct pack_extract *x, struct pack_bytes path, uint64_t size, int errnum)
{
	char text[TEXT_MAX];

	if (errnum != EFBIG) {
		problem_errno(x, path, "can't be written", errnum != 0 ? errnum : EIO);
		return;
	}
	snprintf(text, sizeof text,
		"can't be written: its %llu bytes are more than this file system, or a limit "
		"(ulimit -f), allows in one file",
		(unsigned long long)size);
	x->o.problem(x->o.ctx, path, PACK_EXTRACT_LOST, errnum, text);
}

/* --- paths -------------------------------------------------------------- */

/* The path without the components that are to be left off. False: nothing of
 * it is left. */
static bool strip(const struct pack_extract *x, struct pack_bytes *path)
{
	unsigned i;

	for (i = 0; i < x->o.strip; i++) {
		const uint8_t *slash = memchr(path->at, '/', path->len);

		if (slash == NULL)
			return false;
		path->len -= (size_t)(slash + 1 - path->at);
		path->at = slash + 1;
	}
	return true;
}

static bool is_root(struct pack_bytes path)
{
	return path.len == 1 && path.at[0] == '.';
}

/* --- files -------------------------------------------------------------- */

/* Whether what is there gives way to the entry. */
static bool may_replace(
	const struct pack_extract *x, const struct pack_head *head, const struct stat *st)
{
	struct pack_time now = {st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec};

	switch (x->o.overwrite) {
	case PACK_OVERWRITE_NEVER:
		return false;
	case PACK_OVERWRITE_NEWER:
		return head->mtime.sec > now.sec ||
		       (head->mtime.sec == now.sec && head->mtime.nsec > now.nsec);
	case PACK_OVERWRITE_CHANGED:
		return head->type != PACK_REGULAR || !S_ISREG(st->st_mode) ||
		       head->mtime.sec != now.sec || head->mtime.nsec != now.nsec ||
		       !(head->has & PACK_HAS_SIZE) || head->size != (uint64_t)st->st_size;
	default:
		return true;
	}
}

/* Puts a finished file under its name, over what is there if that may go.
 * Returns 0; 1 if what is there stays; -1 with errno set. The file's
 * temporary name is gone on success. */
static int file_place(struct pack_extract *x, struct pack_newfile *file, int dir, const char *name,
	const struct pack_head *head)
{
	int got = pack_newfile_place(file, dir, name);
	struct stat st;

	if (got != 1)
		return got;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!may_replace(x, head, &st))
			return 1;
		if (S_ISDIR(st.st_mode) && unlinkat(dir, name, AT_REMOVEDIR) != 0)
			return -1;
	}
	return pack_newfile_replace(file, dir, name, &x->serial);
}

static void done(struct pack_extract *x, struct pack_bytes path)
{
	if (x->o.entry != NULL)
		x->o.entry(x->o.ctx, path);
}

static bool is_file(const struct pack_head *head)
{
	return head->type == PACK_REGULAR || head->type == PACK_COMMAND;
}

/* What the TAIL's status means for the one who restores. Returns 0 to restore
 * the entry, 1 to leave it out; both reported if the status is not ok. */
static int heed_status(struct pack_extract *x, struct pack_bytes path, const struct pack_head *head,
	const struct pack_tail *tail)
{
	char text[TEXT_MAX];

	switch (tail->status) {
	case PACK_OK:
		return 0;
	case PACK_CHANGED:
	case PACK_GROWN:
	case PACK_SHRUNK:
		problem(x, path, PACK_EXTRACT_NOTE, "restored as it was read: it %s meanwhile",
			tail->status == PACK_CHANGED ? "was written to"
			: tail->status == PACK_GROWN ? "grew"
						     : "shrank");
		return 0;
	case PACK_VANISHED:
		if (tail->has_content && !tail->has_error && tail->size == head->size) {
			problem(x, path, PACK_EXTRACT_NOTE,
				"restored: it was removed while it was %s", x->o.made);
			return 0;
		}
		problem(x, path, PACK_EXTRACT_ABSENT, "not restored: it vanished while it was %s",
			x->o.made);
		return 1;
	case PACK_INCOMPLETE:
		problem(x, path, PACK_EXTRACT_NOTE,
			"restored without attributes or flags that could not be read when it was "
			"%s",
			x->o.made);
		return 0;
	case PACK_COMMAND_FAILED:
		pack_command_failed(tail->exit, text, sizeof text);
		problem(x, path, PACK_EXTRACT_ABSENT, "not restored: %s", text);
		return 1;
	default:
		if (!is_file(head)) { /* all that it needs is in its HEAD */
			problem(x, path, PACK_EXTRACT_NOTE, "could not be listed when it was %s",
				x->o.made);
			return 0;
		}
		problem(x, path, PACK_EXTRACT_ABSENT,
			"not restored: it could not be read when it was %s", x->o.made);
		return 1;
	}
}

/* Metadata, and the size; in_target: it was made in the target itself, whose
 * ways are known. Returns 0, or -1 with errno set; what could not be restored
 * is in text. */
static int file_finish(struct pack_extract *x, struct pack_newfile *file, bool in_target,
	const struct pack_head *head, uint64_t size, bool sparse_end, char *text)
{
	bool acl = pack_descent_acl(x->descent), known = in_target && !acl && !x->setgid;
	unsigned how = (known ? PACK_RESTORE_FRESH : 0) | (acl ? PACK_RESTORE_ACL : 0);

	return pack_newfile_finish(file, &x->restore, how, head, size, sparse_end, text, TEXT_MAX);
}

/* The last steps of a file, small or large. dir is where it goes. */
static void file_commit(struct pack_extract *x, struct pack_newfile *file, int dir,
	struct pack_bytes path, const struct pack_head *head, const char *text)
{
	char name[PACK_NAME_MAX + 1], more[TEXT_MAX];
	int got;

	pack_descent_name(path, name);
	got = file_place(x, file, dir, name, head);
	if (got < 0)
		problem_errno(x, path, "can't be put in place", errno);
	if (got != 0) {
		if (file->temporary[0] != 0)
			unlinkat(dir, file->temporary, 0);
		file->temporary[0] = 0;
		return;
	}
	if (text[0] != 0)
		problem(x, path, PACK_EXTRACT_NOTE, "%s", text);
	if (pack_restore_flags(&x->restore, file->fd, head, more, sizeof more) != 0)
		problem(x, path, PACK_EXTRACT_NOTE, "%s", more);
	done(x, path);
}

/* --- small files, ahead of their turn ----------------------------------- */

/* What prepare leaves in a member. */
struct prepared {
	struct pack_newfile file;
	char text[TEXT_MAX];
};

static bool wanted_path(const struct pack_extract *x, struct pack_bytes path)
{
	return x->o.selected == NULL || x->o.selected(x->o.ctx, path.at, path.len);
}

static bool wanted(const struct pack_extract *x, const struct pack_head *head)
{
	return wanted_path(x, head->path);
}

/* Writes a whole member's file. Returns 0, or -1 with errno set. */
static int write_member(struct pack_extract *x, const struct pack_load *load,
	const struct pack_member *m, struct pack_newfile *file, bool in_target, char *text)
{
	uint64_t at = 0;
	bool hole = false;

	if (pack_newfile_write(file->fd, load, m->content, m->content_end, &at, &hole) != 0)
		return -1;
	return file_finish(x, file, in_target, &m->head, at, hole, text);
}

void pack_extract_prepare(struct pack_extract *x, struct pack_load *load)
{
	struct pack_member *m;
	struct pack_bytes path;
	struct prepared *p;
	size_t count, i;

	if (load->misplaced || load->bad.code != ERR_NONE)
		return;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++) {
		path = m[i].head.path;
		if (!is_file(&m[i].head) || m[i].verdict != PACK_GOOD ||
			m[i].tail.status > PACK_SHRUNK || !wanted(x, &m[i].head) ||
			!strip(x, &path))
			continue;
		if (atomic_fetch_sub(&x->files, 1) <= 0 || (p = malloc(sizeof *p)) == NULL) {
			atomic_fetch_add(&x->files, 1);
			return; /* the rest is written in its turn */
		}
		if (pack_newfile_open(&p->file, x->o.target,
			    pack_restore_mode(&x->restore, &m[i].head), NULL) != 0 ||
			write_member(x, load, &m[i], &p->file, true, p->text) != 0) {
			/* It is tried once more in its turn, and reported then. */
			if (p->file.fd >= 0)
				close(p->file.fd);
			free(p);
			atomic_fetch_add(&x->files, 1);
			continue;
		}
		m[i].user = p;
	}
}

static void drop_prepared(struct pack_extract *x, struct pack_member *m)
{
	struct prepared *p = m->user;

	if (p == NULL)
		return;
	pack_newfile_drop(&p->file, x->o.target);
	free(p);
	m->user = NULL;
	atomic_fetch_add(&x->files, 1);
}

void pack_extract_drop(struct pack_extract *x, struct pack_load *load)
{
	size_t count, i;
	struct pack_member *m = pack_load_members(load, &count);

	for (i = 0; i < count; i++)
		drop_prepared(x, &m[i]);
}

/* A whole regular file in its turn. Returns 0, or -1 with err set. */
static int put_file(struct pack_extract *x, struct pack_load *load, struct pack_member *m,
	struct pack_bytes path, struct err *err)
{
	struct prepared *p = m->user, mine = {.file = {.fd = -1}};
	int dir;

	if (heed_status(x, path, &m->head, &m->tail) != 0)
		return 0;
	dir = pack_descent_go(x->descent, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 0;
	if (p != NULL) {
		file_commit(x, &p->file, dir, path, &m->head, p->text);
		return 0;
	}
	if (pack_newfile_open(
		    &mine.file, dir, pack_restore_mode(&x->restore, &m->head), &x->serial) != 0 ||
		write_member(x, load, m, &mine.file, false, mine.text) != 0)
		problem_write(x, path, m->tail.size, errno);
	else
		file_commit(x, &mine.file, dir, path, &m->head, mine.text);
	pack_newfile_drop(&mine.file, dir);
	return 0;
}

/* --- large files, from load to load ------------------------------------- */

static void stop_file(struct pack_extract *x)
{
	if (!x->open)
		return;
	pack_newfile_drop(&x->file, x->parent);
	if (x->parent >= 0)
		close(x->parent);
	x->parent = -1;
	x->open = false;
}

/* Books that the open file can't be written. */
static void spoil(struct pack_extract *x)
{
	struct pack_bytes path = x->head.path;

	strip(x, &path);
	problem_write(x, path, x->head.size, errno);
	x->bad = true;
}

/* Content of the open file. */
static void write_on(
	struct pack_extract *x, const struct pack_load *load, uint32_t from, uint32_t end)
{
	if (!x->bad && pack_newfile_write(x->file.fd, load, from, end, &x->at, &x->hole) != 0)
		spoil(x);
}

void pack_extract_data(struct pack_extract *x, const uint8_t *bytes, size_t len)
{
	struct err err;

	errno = 0;
	if (!x->bad && fs_write_at(x->file.fd, bytes, len, x->at, &err) != 0)
		spoil(x);
	x->at += len;
	x->hole = false;
}

void pack_extract_hole(struct pack_extract *x, uint64_t len)
{
	x->hole = true;
	x->at += len;
}

int pack_extract_head(struct pack_extract *x, const struct pack_head *head, struct err *err)
{
	struct pack_bytes path = head->path;
	int dir;

	stop_file(x);
	x->open = true;
	x->bad = true;
	x->file = (struct pack_newfile){.fd = -1};
	x->at = 0;
	x->hole = false;
	/* Entries without content can be cut in two as well. */
	if (pack_head_keep(&x->open_head, &x->head, head, err) != 0)
		return -1;
	if (!wanted(x, head) || !strip(x, &path) || !is_file(head))
		return 0;
	dir = pack_descent_go(x->descent, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 0;
	x->parent = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (x->parent < 0 || pack_newfile_open(&x->file, x->parent,
				     pack_restore_mode(&x->restore, head), &x->serial) != 0) {
		problem_errno(x, path, "can't be written", errno);
		return 0;
	}
	x->bad = false;
	return 0;
}

/* Begins a file that goes on in the next load. */
static int begin_file(struct pack_extract *x, struct pack_load *load, struct err *err)
{
	const struct pack_member *m = &load->trail;

	if (m->verdict != PACK_GOOD)
		return 0;
	if (pack_extract_head(x, &m->head, err) != 0)
		return -1;
	write_on(x, load, m->content, m->content_end);
	return 0;
}

int pack_extract_tail(struct pack_extract *x, const struct pack_tail *tail,
	enum pack_verdict verdict, struct err *err)
{
	struct pack_bytes path = x->head.path;
	char text[TEXT_MAX];

	if (!is_file(&x->head)) {
		struct pack_member m = {.head = x->head, .tail = *tail, .verdict = verdict};

		x->open = false;
		return put_member(x, NULL, &m, err);
	}
	if (!x->bad && verdict == PACK_GOOD && strip(x, &path) &&
		heed_status(x, path, &x->head, tail) == 0) {
		if (file_finish(x, &x->file, false, &x->head, x->at, x->hole, text) != 0)
			problem_write(x, path, x->at, errno);
		else
			file_commit(x, &x->file, x->parent, path, &x->head, text);
	}
	stop_file(x);
	return 0;
}

void pack_extract_lost(struct pack_extract *x)
{
	stop_file(x);
}

void pack_extract_finish(struct pack_extract *x)
{
	pack_descent_finish(x->descent);
}

/* --- everything else ---------------------------------------------------- */

/* A directory: its metadata are due when it is left. */
static int put_dir(struct pack_extract *x, const struct pack_member *m, struct pack_bytes path,
	struct err *err)
{
	int got;

	heed_status(x, path, &m->head, &m->tail);
	/* What is there already, and stays, keeps its metadata. */
	got = pack_descent_put(
		x->descent, &m->head, path, x->o.overwrite == PACK_OVERWRITE_NEVER, err);
	if (got == 0)
		done(x, path);
	return got < 0 ? -1 : 0;
}

/* Metadata of something that was just made under a name: only if it still is
 * what was made. */
static void dress(struct pack_extract *x, int dir, const char *name, const struct pack_head *head,
	struct pack_bytes path)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char text[TEXT_MAX];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_uid != geteuid() || st.st_nlink != 1 ||
		S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		problem(x, path, PACK_EXTRACT_NOTE,
			"metadata not restored: it was replaced meanwhile");
	else if (pack_restore_meta(&x->restore, fd,
			 PACK_RESTORE_PATH |
				 (S_ISLNK(st.st_mode) ? (unsigned)PACK_RESTORE_SYMLINK : 0),
			 0, head, text, sizeof text) != 0)
		problem(x, path, PACK_EXTRACT_NOTE, "%s", text);
	if (fd >= 0)
		close(fd);
}

/* Makes a symbolic link, fifo, socket or device. Returns 0, or -1 with errno
 * set. */
static int make_node(int dir, const char *name, const struct pack_head *head, const char *target)
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

/* Makes way if something has the name. Returns 0 if it may be tried again, 1
 * if what is there stays, -1 with errno set. */
static int replace(struct pack_extract *x, int dir, const char *name, const struct pack_head *head)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -1;
	if (!may_replace(x, head, &st))
		return 1;
	return pack_descent_clear(dir, name);
}

static int put_node(struct pack_extract *x, const struct pack_member *m, struct pack_bytes path,
	struct err *err)
{
	char name[PACK_NAME_MAX + 1], *target = NULL;
	bool device = m->head.type == PACK_CHAR || m->head.type == PACK_BLOCK;
	int dir, got;

	if (device && !x->o.privileged) {
		problem(x, path, PACK_EXTRACT_LOST, "device not made: needs privilege");
		return 0;
	}
	dir = pack_descent_go(x->descent, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 0;
	if (m->head.target.at != NULL &&
		(target = strndup((const char *)m->head.target.at, m->head.target.len)) == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	pack_descent_name(path, name);
	got = make_node(dir, name, &m->head, target);
	if (got != 0 && errno == EEXIST) {
		got = replace(x, dir, name, &m->head);
		if (got == 0)
			got = make_node(dir, name, &m->head, target);
	}
	free(target);
	if (got < 0)
		problem_errno(x, path, "can't be made", errno);
	if (got == 0) {
		dress(x, dir, name, &m->head, path);
		done(x, path);
	}
	return 0;
}

/* Links name to an entry that was put before. Returns 0, 1 it stays, -1. */
static int make_link(struct pack_extract *x, int from, const char *old, int dir, const char *name)
{
	char temporary[PACK_NEWFILE_TEMPORARY];
	struct stat a, b;

	if (linkat(from, old, dir, name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	if (fstatat(from, old, &a, AT_SYMLINK_NOFOLLOW) != 0 ||
		fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 0; /* it is that file already */
	if (x->o.overwrite == PACK_OVERWRITE_NEVER)
		return 1;
	if (S_ISDIR(b.st_mode) && unlinkat(dir, name, AT_REMOVEDIR) != 0)
		return -1;
	pack_newfile_temporary(temporary, x->serial++);
	unlinkat(dir, temporary, 0);
	if (linkat(from, old, dir, temporary, 0) != 0)
		return -1;
	if (renameat(dir, temporary, dir, name) != 0) {
		int saved = errno;

		unlinkat(dir, temporary, 0);
		errno = saved;
		return -1;
	}
	return 0;
}

/* As make_link. What is immutable or append-only can't be linked, so it is
 * neither for as long as that takes. */
static int make_any_link(
	struct pack_extract *x, int from, const char *old, int dir, const char *name)
{
	const uint32_t bars = PACK_FLAG_IMMUTABLE | PACK_FLAG_APPEND;
	int got = make_link(x, from, old, dir, name), fd, saved = EPERM;
	uint32_t flags;
	struct stat st;

	if (got >= 0 || errno != EPERM || !x->o.privileged)
		return got;
	if (fstatat(from, old, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
		errno = EPERM;
		return -1;
	}
	fd = openat(from, old, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		fs_flags_get(fd, &flags) == 0 && (flags & bars) != 0 &&
		fs_flags_set(fd, flags & ~bars) == 0) {
		got = make_link(x, from, old, dir, name);
		saved = errno;
		if (fs_flags_set(fd, flags) != 0 && got >= 0) {
			got = -1;
			saved = errno;
		}
	}
	if (fd >= 0)
		close(fd);
	errno = saved;
	return got;
}

static int put_link(struct pack_extract *x, const struct pack_member *m, struct pack_bytes path,
	struct err *err)
{
	char name[PACK_NAME_MAX + 1], old[PACK_NAME_MAX + 1];
	struct pack_bytes link = m->head.link;
	int dir, from, got;

	if (!wanted_path(x, link) || !strip(x, &link)) {
		problem(x, path, PACK_EXTRACT_LOST,
			"hard link to an entry that is not unpacked along with it");
		return 0;
	}
	if (is_absent(x, link)) { /* what has its name is something else */
		problem(x, path, PACK_EXTRACT_ABSENT,
			"not restored: a hard link to an entry that is not");
		return 0;
	}
	dir = pack_descent_go(x->descent, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 0;
	pack_descent_name(path, name);
	pack_descent_name(link, old);
	from = dir;
	if (pack_descent_parent(link) != pack_descent_parent(path) ||
		memcmp(link.at, path.at, pack_descent_parent(path)) != 0)
		from = fs_open_beneath(x->o.target, (const char *)link.at,
			pack_descent_parent(link), O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
	got = from < 0 ? -1 : make_any_link(x, from, old, dir, name);
	if (got < 0)
		problem_errno(x, path, "can't be linked", errno);
	if (from >= 0 && from != dir)
		close(from);
	if (got == 0)
		done(x, path);
	return 0;
}

static int put_member(
	struct pack_extract *x, struct pack_load *load, struct pack_member *m, struct err *err)
{
	struct pack_bytes path = m->head.path;

	if (m->verdict != PACK_GOOD || !wanted(x, &m->head) || !strip(x, &path))
		return 0;
	if (is_root(path) && m->head.type != PACK_DIRECTORY)
		return 0;
	if (is_file(&m->head))
		return put_file(x, load, m, path, err);
	if (m->head.type == PACK_DIRECTORY)
		return put_dir(x, m, path, err);
	if (heed_status(x, path, &m->head, &m->tail) != 0)
		return 0;
	switch (m->head.type) {
	case PACK_HARDLINK:
		return put_link(x, m, path, err);
	default:
		return put_node(x, m, path, err);
	}
}

int pack_extract_load(struct pack_extract *x, struct pack_load *load, struct err *err)
{
	struct pack_member *m;
	size_t count, i;
	int result = 0;

	if (load->lost_open)
		stop_file(x);
	if (load->lead_live && x->open) {
		write_on(x, load, 0, load->lead_end);
		if (load->lead_ends &&
			pack_extract_tail(x, &load->lead_tail, load->lead_verdict, err) != 0)
			return -1;
	}
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++) {
		if (load->usable && result == 0)
			result = put_member(x, load, &m[i], err);
		drop_prepared(x, &m[i]);
	}
	if (result == 0 && load->usable && load->has_trail)
		result = begin_file(x, load, err);
	return result;
}
