/*
 * Small files are written by pack_extract_prepare, in any thread, without a name and in the
 * target itself; they get their names in order. Large files are written in order, in their own
 * directory.
 */
#include "pack/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/mem.h"
#include "lib/mutex.h"
#include "lib/names.h"
#include "pack/descent.h"
#include "pack/hardlink.h"
#include "pack/load.h"
#include "pack/newfile.h"
#include "pack/restore.h"

#define TEXT_MAX 256 /* longest text of a problem */
/* Descriptors that are not for prepared files: levels, borders, inputs, the rest. */
#define FILES_KEPT  (PACK_DESCENT_OPEN + BORDERS_MAX + 64)
#define BORDERS_MAX 64

static int put_member(
	struct pack_extract *x, struct pack_load *load, struct pack_member *m, struct err *err);

/*
 * A directory of the target into which a file created elsewhere in the target can't be linked:
 * another file system, a bind mount, a subvolume, a project quota. Nothing shows all of these
 * reliably, not even device numbers, so each is learnt when a link into it fails.
 */
struct border {
	uint8_t *path;
	size_t len;
	int fd;
};

struct pack_extract {
	struct pack_extract_options o;
	struct pack_restore restore;
	struct pack_descent *descent;
	bool setgid;       /* new files in the target may get its group */
	atomic_long files; /* how many more files may be prepared */
	unsigned serial;   /* counts temporary names */
	struct mutex borders_lock;
	struct border borders[BORDERS_MAX]; /* the most recent ones */
	size_t border_count, next_border;   /* next_border: the next to be replaced */
	struct pack_outcome outcome;
	/* The file that continues from load to load. */
	bool open;
	struct pack_newfile file;
	struct buf open_head; /* what its HEAD borrows */
	struct pack_head head;
	int parent; /* duplicate descriptor of its directory */
	uint64_t at;
	bool hole; /* it ends in a hole so far */
	bool bad;  /* abandoned: its content is skipped */
};

/* --- the beginning and the end ------------------------------------------ */

struct pack_extract *pack_extract_new(const struct pack_extract_options *o, struct err *err)
{
	struct pack_extract *x = mem_new(sizeof *x, err);
	struct stat st;

	if (x == NULL)
		return NULL;
	x->o = *o;
	x->restore = (struct pack_restore){
		.privileged = o->privileged,
		.numeric_owner = o->numeric_owner,
		.xattrs = o->xattrs,
		.uid = geteuid(),
		.gid = getegid(),
		.umask = o->umask,
	};
	buf_init(&x->open_head, PACK_HEAD_KEEP);
	mutex_init(&x->borders_lock);
	pack_outcome_init(&x->outcome, &x->o);
	x->parent = -1;
	x->setgid =
		fstat(o->target, &st) == 0 && (st.st_mode & S_ISGID || st.st_gid != x->restore.gid);
	atomic_init(&x->files, o->files > FILES_KEPT ? (long)(o->files - FILES_KEPT) : 0);
	x->descent = pack_descent_new(&x->o, &x->restore, &x->outcome, err);
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
	fs_close(x->parent);
	names_free(x->restore.names);
	pack_descent_free(x->descent);
	buf_fini(&x->open_head);
	while (x->border_count > 0) {
		close(x->borders[--x->border_count].fd);
		free(x->borders[x->border_count].path);
	}
	mutex_fini(&x->borders_lock);
	pack_outcome_fini(&x->outcome);
	free(x);
}

/* The entry's SHA-256; NULL if it has none. */
static const uint8_t *sum_of(const struct pack_tail *tail)
{
	return tail->has_content && !tail->sparse ? tail->sum : NULL;
}

/* --- paths -------------------------------------------------------------- */

/* Removes the leading components. Returns false if nothing of the path is left. */
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

static bool wanted(const struct pack_extract *x, struct pack_bytes path)
{
	return x->o.selected == NULL || x->o.selected(x->o.ctx, path.at, path.len);
}

/* --- files -------------------------------------------------------------- */

/* Applies the metadata and the size. in_target: it was created in the target itself, where the
 * mode and owner of new files are known. Returns 0, or -1 with errno set if the file is not
 * whole. text says what could not be restored. */
static int file_finish(struct pack_extract *x, struct pack_newfile *file, bool in_target,
	const struct pack_head *head, uint64_t size, bool sparse_end, char *text)
{
	bool acl = pack_descent_acl(x->descent), known = in_target && !acl && !x->setgid;
	unsigned how = (known ? PACK_RESTORE_FRESH : 0) | (acl ? PACK_RESTORE_ACL : 0);

	text[0] = 0;
	if (sparse_end && ftruncate(file->fd, (off_t)size) != 0)
		return -1;
	pack_restore_meta(&x->restore, file->fd, how, file->made, head, text, TEXT_MAX);
	return 0;
}

/* The last steps for a file, small or large: gives it its name in dir, replacing what is there
 * if allowed. Returns 0, or 1 if the file can't be linked there from where it was created. */
static int file_commit(struct pack_extract *x, struct pack_newfile *file, int dir,
	struct pack_bytes path, const struct pack_head *head, const uint8_t *sum, const char *text)
{
	char name[PACK_NAME_MAX + 1], more[TEXT_MAX];
	struct stat there;
	int got;

	pack_descent_name(path, name);
	got = pack_newfile_place(file, dir, name);
	if (got == 1) {
		bool is = fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0;

		if (!is || pack_overwrite_may(x->o.overwrite, head, &there, dir))
			got = is && S_ISDIR(there.st_mode) && unlinkat(dir, name, AT_REMOVEDIR) != 0
				      ? -1
				      : pack_newfile_replace(file, dir, name, &x->serial);
	}
	if (got < 0 && errno == EXDEV)
		return 1;
	if (got < 0)
		pack_outcome_lost(&x->outcome, path, "can't be put in place", errno);
	if (got == 1)
		pack_outcome_kept(&x->outcome, path, head, &there, dir, sum);
	if (got != 0) {
		if (file->temporary[0] != 0)
			unlinkat(dir, file->temporary, 0);
		file->temporary[0] = 0;
		return 0;
	}
	if (text[0] != 0)
		pack_outcome_problem(&x->outcome, path, PACK_OUTCOME_NOTE, text);
	if (pack_restore_flags(&x->restore, file->fd, head, more, sizeof more) != 0)
		pack_outcome_problem(&x->outcome, path, PACK_OUTCOME_NOTE, more);
	pack_outcome_done(&x->outcome, path);
	return 0;
}

/* --- small files, ahead of their turn ----------------------------------- */

/* What pack_extract_prepare leaves in a member. */
struct prepared {
	struct pack_newfile file;
	char text[TEXT_MAX];
};

/* Writes the file of a whole member. Returns 0, or -1 with errno set. */
static int write_member(struct pack_extract *x, const struct pack_load *load,
	const struct pack_member *m, struct pack_newfile *file, bool in_target, char *text)
{
	uint64_t at = 0;
	bool hole = false;

	if (pack_newfile_write(file->fd, load, m->content, m->content_end, &at, &hole) != 0)
		return -1;
	return file_finish(x, file, in_target, &m->head, at, hole, text);
}

/* Records that files created in the target can't be linked into the current directory. Without
 * memory it is not recorded. */
static void note_border(struct pack_extract *x)
{
	struct border new, old = {0};
	const uint8_t *path;
	int fd = pack_descent_border(x->descent, &path, &new.len);

	if (fd < 0 || new.len == 0 || (new.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return;
	new.path = malloc(new.len);
	if (new.path == NULL) {
		close(new.fd);
		return;
	}
	memcpy(new.path, path, new.len);
	mutex_lock(&x->borders_lock);
	if (x->border_count == BORDERS_MAX)
		old = x->borders[x->next_border];
	else
		x->border_count++;
	x->borders[x->next_border] = new;
	x->next_border = (x->next_border + 1) % BORDERS_MAX;
	mutex_unlock(&x->borders_lock);
	if (old.path != NULL)
		close(old.fd);
	free(old.path);
}

/* Finds the innermost known border around the entry. Returns a new descriptor, or -1 if there
 * is none. */
static int find_border(struct pack_extract *x, struct pack_bytes path)
{
	const struct border *best = NULL, *b;
	int fd = -1;

	mutex_lock(&x->borders_lock);
	for (b = x->borders; b < x->borders + x->border_count; b++)
		if (pack_path_in(path, (struct pack_bytes){b->path, b->len}) &&
			(best == NULL || b->len > best->len))
			best = b;
	if (best != NULL)
		fd = fcntl(best->fd, F_DUPFD_CLOEXEC, 0);
	mutex_unlock(&x->borders_lock);
	return fd;
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

/* Creates a member's file in the target, or inside the innermost known border around it. After
 * a failure pack_extract_load tries again, and reports. */
static void prepare_member(struct pack_extract *x, const struct pack_load *load,
	struct pack_member *m, struct pack_bytes path, struct prepared *p)
{
	int behind = find_border(x, path);

	m->user = p;
	if (pack_newfile_open(&p->file, behind >= 0 ? behind : x->o.target,
		    pack_restore_mode(&x->restore, &m->head), &m->head, NULL) != 0 ||
		write_member(x, load, m, &p->file, behind < 0, p->text) != 0)
		drop_prepared(x, m);
	fs_close(behind);
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
		if (!pack_type_has_content(m[i].head.type) || m[i].verdict != PACK_GOOD ||
			m[i].tail.status > PACK_SHRUNK || !wanted(x, m[i].head.path) ||
			!strip(x, &path))
			continue;
		if (atomic_fetch_sub(&x->files, 1) <= 0 || (p = malloc(sizeof *p)) == NULL) {
			atomic_fetch_add(&x->files, 1);
			return; /* pack_extract_load writes the rest */
		}
		prepare_member(x, load, &m[i], path, p);
	}
}

void pack_extract_drop(struct pack_extract *x, struct pack_load *load)
{
	size_t count, i;
	struct pack_member *m = pack_load_members(load, &count);

	for (i = 0; i < count; i++)
		drop_prepared(x, &m[i]);
}

/* Puts a whole regular file in place. Returns 0, or -1 with err set. */
static int put_file(struct pack_extract *x, struct pack_load *load, struct pack_member *m,
	struct pack_bytes path, struct err *err)
{
	struct prepared *p = m->user, mine = {.file = {.fd = -1}};
	const uint8_t *sum = sum_of(&m->tail);
	int dir;

	dir = pack_descent_go(x->descent, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 0;
	if (p != NULL) {
		if (file_commit(x, &p->file, dir, path, &m->head, sum, p->text) == 0)
			return 0;
		note_border(x);
	}
	if (pack_newfile_open(&mine.file, dir, pack_restore_mode(&x->restore, &m->head), &m->head,
		    &x->serial) != 0 ||
		write_member(x, load, m, &mine.file, false, mine.text) != 0)
		pack_outcome_unwritten(&x->outcome, path, m->tail.size, errno);
	else if (file_commit(x, &mine.file, dir, path, &m->head, sum, mine.text) != 0)
		pack_outcome_lost(&x->outcome, path, "can't be put in place", EXDEV);
	pack_newfile_drop(&mine.file, dir);
	return 0;
}

/* --- large files, from load to load ------------------------------------- */

static void close_file(struct pack_extract *x)
{
	pack_newfile_drop(&x->file, x->parent);
	fs_close(x->parent);
	x->parent = -1;
	x->open = false;
}

/* Gives up the open entry, if there is one: it is lost. */
static void stop_file(struct pack_extract *x)
{
	struct pack_bytes path = x->head.path;

	if (!x->open)
		return;
	pack_outcome_begin(&x->outcome);
	if (path.at != NULL && strip(x, &path))
		pack_outcome_end(&x->outcome, path, NULL);
	close_file(x);
}

/* Reports that the open file can't be written, and gives it up. */
static void spoil(struct pack_extract *x)
{
	struct pack_bytes path = x->head.path;

	strip(x, &path);
	pack_outcome_unwritten(&x->outcome, path, x->head.size, errno);
	x->bad = true;
}

/* Writes content of the open file. */
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
	x->head.path = (struct pack_bytes){0};
	/* An entry without content can span two blocks as well. */
	if (pack_head_keep(&x->open_head, &x->head, head, err) != 0) {
		x->head.path = (struct pack_bytes){0};
		return -1;
	}
	if (!wanted(x, head->path) || !strip(x, &path) || !pack_type_has_content(head->type))
		return 0;
	dir = pack_descent_go(x->descent, path, err);
	if (dir < 0)
		return dir == -2 ? -1 : 0;
	x->parent = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (x->parent < 0 || pack_newfile_open(&x->file, x->parent,
				     pack_restore_mode(&x->restore, head), head, &x->serial) != 0) {
		pack_outcome_lost(&x->outcome, path, "can't be written", errno);
		return 0;
	}
	x->bad = false;
	return 0;
}

int pack_extract_tail(struct pack_extract *x, const struct pack_tail *tail,
	enum pack_verdict verdict, struct err *err)
{
	struct pack_bytes path = x->head.path;
	const uint8_t *sum = sum_of(tail);
	char text[TEXT_MAX];

	if (!pack_type_has_content(x->head.type)) {
		struct pack_member m = {.head = x->head, .tail = *tail, .verdict = verdict};

		x->open = false;
		return put_member(x, NULL, &m, err);
	}
	if (!wanted(x, x->head.path) || !strip(x, &path)) {
		close_file(x);
		return 0;
	}
	pack_outcome_begin(&x->outcome);
	if (!x->bad && verdict == PACK_GOOD &&
		!pack_outcome_left_out(&x->outcome, path, &x->head, tail)) {
		if (file_finish(x, &x->file, false, &x->head, x->at, x->hole, text) != 0)
			pack_outcome_unwritten(&x->outcome, path, x->at, errno);
		else if (file_commit(x, &x->file, x->parent, path, &x->head, sum, text) != 0)
			pack_outcome_lost(&x->outcome, path, "can't be put in place", EXDEV);
	}
	pack_outcome_end(&x->outcome, path, sum);
	close_file(x);
	return 0;
}

void pack_extract_lost(struct pack_extract *x)
{
	x->outcome.gaps = true;
	stop_file(x);
}

int pack_extract_way(struct pack_extract *x, struct pack_bytes path, struct err *err)
{
	return strip(x, &path) && pack_descent_go(x->descent, path, err) == -2 ? -1 : 0;
}

void pack_extract_finish(struct pack_extract *x)
{
	pack_descent_finish(x->descent);
}

void pack_extract_back(struct pack_extract *x)
{
	pack_descent_back(x->descent);
}

/* --- everything else ---------------------------------------------------- */

/* Creates an object that is neither a file nor a directory. Returns 0, or -1 with errno set. */
static int make_node(int dir, const char *name, const struct pack_head *head, const char *target)
{
	switch (head->type) {
	case PACK_SYMLINK:
		return symlinkat(target, dir, name);
	case PACK_FIFO:
		return mknodat(dir, name, S_IFIFO | 0600, 0);
	case PACK_SOCKET:
		return mknodat(dir, name, S_IFSOCK | 0600, 0);
	default:
		return mknodat(dir, name,
			(head->type == PACK_CHAR ? S_IFCHR : S_IFBLK) | (mode_t)0600,
			makedev(head->rdev_major, head->rdev_minor));
	}
}

/* Applies metadata to a node just created, if it is still the same. Uses O_PATH, because
 * opening a device or FIFO has side effects. */
static void dress_node(struct pack_extract *x, int dir, const char *name, struct pack_bytes path,
	const struct pack_head *head)
{
	char text[TEXT_MAX] = "metadata not restored: it was replaced in the meantime";
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), missing = 1;
	unsigned how = PACK_RESTORE_PATH;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == x->restore.uid && st.st_nlink == 1 &&
		!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		if (pack_descent_acl(x->descent))
			how |= PACK_RESTORE_ACL;
		if (S_ISLNK(st.st_mode))
			how |= PACK_RESTORE_SYMLINK;
		missing = pack_restore_meta(&x->restore, fd, how, 0, head, text, sizeof text);
	}
	fs_close(fd);
	if (missing != 0)
		pack_outcome_problem(&x->outcome, path, PACK_OUTCOME_NOTE, text);
}

static int put_node(struct pack_extract *x, const struct pack_member *m, struct pack_bytes path,
	struct err *err)
{
	char name[PACK_NAME_MAX + 1], *target = NULL;
	bool device = m->head.type == PACK_CHAR || m->head.type == PACK_BLOCK;
	struct stat there;
	int dir, got;

	if (device && !x->o.privileged) {
		pack_outcome_problem(
			&x->outcome, path, PACK_OUTCOME_LOST, "device not made: needs privilege");
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
		got = fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW);
		if (got != 0)
			got = errno == ENOENT ? 0 : -1; /* it has vanished */
		else if (pack_overwrite_may(x->o.overwrite, &m->head, &there, dir))
			got = pack_descent_clear(dir, name);
		else
			got = 1; /* it is kept */
		if (got == 0)
			got = make_node(dir, name, &m->head, target);
	}
	free(target);
	if (got < 0) {
		pack_outcome_lost(&x->outcome, path, "can't be made", errno);
	} else if (got > 0) {
		pack_outcome_kept(&x->outcome, path, &m->head, &there, dir, NULL);
	} else {
		dress_node(x, dir, name, path, &m->head);
		pack_outcome_done(&x->outcome, path);
	}
	return 0;
}

/* Creates the link or, across a border, a copy. */
static void link_or_copy(
	struct pack_extract *x, const struct pack_hardlink *link, struct pack_bytes path)
{
	struct stat there, old;
	int got = pack_hardlink_make(link, &there), errnum = errno;

	if (got < 0 &&
		(errnum == EXDEV || errnum == EPERM || errnum == EMLINK || errnum == EOPNOTSUPP) &&
		pack_hardlink_copy(link, &x->restore) == 0) {
		pack_outcome_problem(&x->outcome, path, PACK_OUTCOME_NOTE,
			"restored as a copy: no hard link can be made here");
		got = 0;
	}
	if (got < 0)
		pack_outcome_lost(&x->outcome, path, "can't be linked", errnum);
	else if (got == 0)
		pack_outcome_done(&x->outcome, path);
	else if (fstatat(link->from, link->old, &old, AT_SYMLINK_NOFOLLOW) != 0 ||
		 (old.st_mode & S_IFMT) != (there.st_mode & S_IFMT))
		pack_outcome_problem(&x->outcome, path, PACK_OUTCOME_KEPT,
			"not restored: something else of that name exists and is kept");
}

static int put_link(struct pack_extract *x, const struct pack_member *m, struct pack_bytes path,
	struct err *err)
{
	char name[PACK_NAME_MAX + 1], old[PACK_NAME_MAX + 1];
	struct pack_hardlink make = {
		.old = old,
		.name = name,
		.when = x->o.overwrite,
		.privileged = x->o.privileged,
		.serial = &x->serial,
	};
	struct pack_bytes link = m->head.link;

	if (!wanted(x, link) || !strip(x, &link)) {
		pack_outcome_problem(&x->outcome, path, PACK_OUTCOME_LOST,
			"hard link to an entry that is not unpacked along with it");
		return 0;
	}
	make.dir = make.from = pack_descent_go(x->descent, path, err);
	if (make.dir < 0)
		return make.dir == -2 ? -1 : 0;
	pack_descent_name(path, name);
	pack_descent_name(link, old);
	if (pack_descent_parent(link) != pack_descent_parent(path) ||
		memcmp(link.at, path.at, pack_descent_parent(path)) != 0)
		make.from = pack_descent_open(x->descent, link.at, pack_descent_parent(link));
	if (pack_outcome_foreign(&x->outcome, path, link, make.from, old)) {
		/* already reported */
	} else if (make.from < 0) {
		pack_outcome_lost(&x->outcome, path, "can't be linked", errno);
	} else {
		link_or_copy(x, &make, path);
	}
	if (make.from >= 0 && make.from != make.dir)
		close(make.from);
	return 0;
}

static int put_selected(struct pack_extract *x, struct pack_load *load, struct pack_member *m,
	struct pack_bytes path, struct err *err)
{
	bool left_out = pack_outcome_left_out(&x->outcome, path, &m->head, &m->tail);
	int got;

	if (m->head.type == PACK_DIRECTORY) {
		got = pack_descent_put(x->descent, &m->head, path, err);
		if (got == 0)
			pack_outcome_done(&x->outcome, path);
		return got < 0 ? -1 : 0;
	}
	if (left_out)
		return 0;
	if (pack_type_has_content(m->head.type))
		return put_file(x, load, m, path, err);
	return m->head.type == PACK_HARDLINK ? put_link(x, m, path, err)
					     : put_node(x, m, path, err);
}

static int put_member(
	struct pack_extract *x, struct pack_load *load, struct pack_member *m, struct err *err)
{
	struct pack_bytes path = m->head.path;
	bool directory = m->head.type == PACK_DIRECTORY;
	int ret = 0;

	if (path.at == NULL || !strip(x, &path) || (pack_path_is_root(path) && !directory))
		return 0;
	if (!wanted(x, m->head.path))
		return directory && m->verdict == PACK_GOOD && !pack_path_is_root(path)
			       ? pack_descent_way(x->descent, &m->head, path, err)
			       : 0;
	pack_outcome_begin(&x->outcome);
	if (m->verdict == PACK_GOOD)
		ret = put_selected(x, load, m, path, err);
	if (!directory)
		pack_outcome_end(&x->outcome, path, sum_of(&m->tail));
	return ret;
}

int pack_extract_load(struct pack_extract *x, struct pack_load *load, struct err *err)
{
	struct pack_member *m;
	size_t count, i;
	int result = 0;

	if (load->bad.code != ERR_NONE || load->misplaced || load->gap || load->lost_open ||
		load->broken_at != PACK_BLOCK_NONE)
		x->outcome.gaps = true;
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
	if (result != 0 || !load->usable || !load->has_trail || load->trail.verdict != PACK_GOOD)
		return result;
	if (pack_extract_head(x, &load->trail.head, err) != 0)
		return -1;
	write_on(x, load, load->trail.content, load->trail.content_end);
	return 0;
}
