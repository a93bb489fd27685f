/*
 * Reads files safely: opens them without following links and without blocking, examines them
 * before and after, and never trusts the size they claim.
 */
#include "pack/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/mem.h"
#include "lib/names.h"
#include "pack/digest.h"
#include "pack/part.h"
#include "pack/scan.h"

#define XATTR_LIST_MAX 65536
#define XATTR_LIST_FEW 1024 /* nearly always enough; the kernel allocates what is asked for */

struct pack_feed {
	bool xattrs, owner_names;
	dev_t no_flags_dev; /* a file system that has no inode flags */
	bool no_flags;
	struct names *names;
	char user[NAMES_MAX], group[NAMES_MAX];
	struct buf list;    /* names of attributes */
	struct buf order;   /* char *, sorted */
	struct buf encoded; /* the map */
	struct buf target;  /* of a symbolic link */
};

struct pack_feed *pack_feed_new(bool xattrs, bool owner_names, struct err *err)
{
	struct pack_feed *f = mem_new(sizeof *f, err);

	if (f == NULL)
		return NULL;
	f->xattrs = xattrs;
	f->owner_names = owner_names;
	buf_init(&f->list, XATTR_LIST_MAX + 1);
	buf_init(&f->order, XATTR_LIST_MAX * sizeof(char *));
	buf_init(&f->encoded, PACK_HEAD_MAX + PACK_XATTR_MAX + 1024);
	buf_init(&f->target, PACK_PATH_MAX + 2);
	if (owner_names && (f->names = names_new(err)) == NULL) {
		pack_feed_free(f);
		return NULL;
	}
	return f;
}

void pack_feed_free(struct pack_feed *f)
{
	if (f == NULL)
		return;
	names_free(f->names);
	buf_fini(&f->list);
	buf_fini(&f->order);
	buf_fini(&f->encoded);
	buf_fini(&f->target);
	free(f);
}

/* --- attributes --------------------------------------------------------- */

/* An object whose attributes are read: by descriptor, or by a path with calls that do not
 * follow links. */
struct handle {
	int fd;
	char path[FS_PROC_MAX + PACK_NAME_MAX + 2];
};

static void handle_init(struct handle *h, int fd, const struct pack_scan_item *item)
{
	size_t len;

	h->fd = fd;
	if (fd >= 0)
		return;
	fs_proc_path(item->dir->fd, h->path);
	len = strlen(h->path);
	snprintf(h->path + len, sizeof h->path - len, "/%s", item->name);
}

static ssize_t list_xattrs(const struct handle *h, void *to, size_t len)
{
	return h->fd >= 0 ? flistxattr(h->fd, to, len) : llistxattr(h->path, to, len);
}

static ssize_t get_xattr(const struct handle *h, const char *name, void *to, size_t len)
{
	return h->fd >= 0 ? fgetxattr(h->fd, name, to, len) : lgetxattr(h->path, name, to, len);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sets the problem's text. errnum 0: no reason is known. */
static void say(struct pack_stream *s, const char *what, int errnum)
{
	char reason[96];

	snprintf(s->problem, sizeof s->problem, "%s%s%s", what, errnum != 0 ? ": " : "",
		errnum != 0 ? strerror_r(errnum, reason, sizeof reason) : "");
}

/* Part of the metadata is left out; the entry is packed all the same. */
static void missing(struct pack_stream *s, const char *what, int errnum)
{
	s->missing = errnum;
	say(s, what, errnum);
}

/* Adds one attribute to the encoded map. Returns 0; 1 if it has vanished or can't be read (then
 * s->problem says why); -1 with err set. */
static int add_xattr(struct pack_feed *f, const struct handle *h, const char *name,
	struct pack_stream *s, struct err *err)
{
	struct cbor_out out;
	uint8_t *to, *value;
	size_t room = strlen(name) + 2 * CBOR_HEAD_MAX + PACK_XATTR_MAX;
	ssize_t n;

	to = buf_room(&f->encoded, room, err);
	if (to == NULL)
		return -1;
	/* The value is read after the place where it will go, then moved there. */
	value = to + room - PACK_XATTR_MAX;
	n = get_xattr(h, name, value, PACK_XATTR_MAX);
	if (n < 0) {
		if (errno != ENODATA)
			missing(s, "an attribute can't be read and is left out", errno);
		return 1;
	}
	cbor_out_init(&out, to, room);
	cbor_put_bytes(&out, name, strlen(name));
	cbor_put_bytes_head(&out, (size_t)n);
	memmove(to + cbor_out_len(&out), value, (size_t)n);
	buf_took(&f->encoded, cbor_out_len(&out) + (size_t)n);
	return 0;
}

/* Encodes all attributes as a map in *xattrs. Returns 0, 1 if they exceed the limit, -1 with
 * err set. */
static int read_xattrs(struct pack_feed *f, const struct handle *h, struct pack_bytes *xattrs,
	struct pack_stream *s, struct err *err)
{
	char **order, *at;
	size_t i, count, kept = 0, prefix;
	ssize_t n;
	struct cbor_out out;

	buf_clear(&f->list);
	if (buf_room(&f->list, XATTR_LIST_MAX + 1, err) == NULL)
		return -1;
	n = list_xattrs(h, f->list.data, XATTR_LIST_FEW);
	if (n < 0 && errno == ERANGE)
		n = list_xattrs(h, f->list.data, XATTR_LIST_MAX);
	if (n < 0 && errno != EOPNOTSUPP)
		missing(s, "attributes can't be read and are left out", errno);
	if (n <= 0)
		return 0;
	f->list.data[n] = 0;
	buf_clear(&f->order);
	for (at = (char *)f->list.data; at < (char *)f->list.data + n; at += strlen(at) + 1)
		if (buf_add(&f->order, &at, sizeof at, err) != 0)
			return -1;
	order = (char **)(void *)f->order.data;
	count = f->order.len / sizeof *order;
	qsort(order, count, sizeof *order, by_name);
	/* Leave room for the map's head, whose length is known last. */
	buf_clear(&f->encoded);
	if (buf_room(&f->encoded, CBOR_HEAD_MAX, err) == NULL)
		return -1;
	buf_took(&f->encoded, CBOR_HEAD_MAX);
	for (i = 0; i < count; i++) {
		struct err inner = {0};
		int got = add_xattr(f, h, order[i], s, &inner);

		if (got < 0 && inner.code == ERR_LIMIT)
			return 1;
		if (got < 0) {
			*err = inner;
			return -1;
		}
		kept += got == 0;
	}
	if (kept == 0)
		return 0;
	cbor_out_init(&out, f->encoded.data, CBOR_HEAD_MAX);
	cbor_put_map(&out, kept);
	prefix = CBOR_HEAD_MAX - cbor_out_len(&out);
	memmove(f->encoded.data + prefix, f->encoded.data, cbor_out_len(&out));
	*xattrs = (struct pack_bytes){f->encoded.data + prefix, f->encoded.len - prefix};
	return 0;
}

/* --- HEAD --------------------------------------------------------------- */

static struct pack_time mtime_of(const struct stat *st)
{
	return (struct pack_time){st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec};
}

static void head_from_stat(struct pack_feed *f, struct pack_head *h, const struct stat *st)
{
	h->type = pack_type_of(st->st_mode);
	h->has = PACK_HAS_MODE | PACK_HAS_UID | PACK_HAS_GID | PACK_HAS_MTIME;
	h->mode = st->st_mode & 07777;
	h->uid = st->st_uid;
	h->gid = st->st_gid;
	h->mtime = mtime_of(st);
	if (f->names != NULL) {
		size_t user = names_name(f->names, NAMES_USER, st->st_uid, f->user);
		size_t group = names_name(f->names, NAMES_GROUP, st->st_gid, f->group);

		if (user > 0)
			h->user = (struct pack_bytes){(const uint8_t *)f->user, user};
		if (group > 0)
			h->group = (struct pack_bytes){(const uint8_t *)f->group, group};
	}
	if (h->type == PACK_REGULAR) {
		h->has |= PACK_HAS_SIZE;
		h->size = st->st_size < 0 ? 0 : (uint64_t)st->st_size;
	}
	if (h->type == PACK_CHAR || h->type == PACK_BLOCK) {
		h->has |= PACK_HAS_RDEV;
		h->rdev_major = major(st->st_rdev);
		h->rdev_minor = minor(st->st_rdev);
	}
}

/* Records a failure to read: status, errno, text. */
static void failed(struct pack_stream *s, enum pack_status status, int errnum, const char *what)
{
	s->tail.status = status;
	s->tail.has_error = true;
	s->tail.error_offset = s->at;
	s->tail.error = (uint32_t)errnum;
	say(s, what, errnum);
}

/* Opens a regular file, unless it is open already. Sets stream->fd, or the status. */
static void open_file(struct pack_stream *s, const struct pack_scan_item *item)
{
	int fd = item->fd >= 0 ? item->fd : fs_open_read(item->dir->fd, item->name, 0);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) {
		failed(s, PACK_VANISHED, errno, "vanished before it was opened");
	} else if (fd < 0) {
		failed(s, PACK_READ_ERROR, errno, "can't be opened");
	} else if (item->fd < 0 && fstat(fd, &s->st) != 0) {
		failed(s, PACK_READ_ERROR, errno, "can't be examined");
	} else if (s->st.st_ino != item->st.st_ino || s->st.st_dev != item->st.st_dev ||
		   !S_ISREG(s->st.st_mode)) {
		failed(s, PACK_VANISHED, 0, "was replaced while it was being opened");
	} else if (s->st.st_size < 0 || (uint64_t)s->st.st_size > PACK_CONTENT_MAX) {
		failed(s, PACK_READ_ERROR, EFBIG, "is over the format's limit of 16 TiB");
	} else {
		s->fd = fd;
		return;
	}
	s->st = item->st;
	fs_close(fd);
}

/* Reads attributes and flags, then writes HEAD into the part. Returns as pack_feed_begin. */
static int finish_head(struct pack_feed *f, struct pack_part *part, struct pack_stream *s,
	const struct pack_scan_item *item, struct pack_head *h, struct err *err)
{
	int fd = item->self != NULL ? item->self->fd : s->fd, got = 0;
	struct handle handle;
	struct err inner = {0};
	uint32_t flags;

	if (f->xattrs && s->tail.status == PACK_OK && (fd >= 0 || h->type != PACK_REGULAR)) {
		handle_init(&handle, fd, item);
		got = read_xattrs(f, &handle, &h->xattrs, s, err);
		if (got < 0)
			return -1;
	}
	if (fd >= 0 && (h->type == PACK_REGULAR || h->type == PACK_DIRECTORY) &&
		!(f->no_flags && f->no_flags_dev == s->st.st_dev)) {
		if (fs_flags_get(fd, &flags) == 0) {
			h->flags = flags & PACK_FLAGS_MASK;
			h->has |= h->flags != 0 ? PACK_HAS_FLAGS : 0;
		} else if (errno == ENOTTY || errno == EOPNOTSUPP || errno == ENOSYS ||
			   errno == EINVAL) {
			/* The file system has no flags (EINVAL: FUSE, NFS). */
			f->no_flags = true;
			f->no_flags_dev = s->st.st_dev;
		} else {
			missing(s, "flags can't be read and are left out", errno);
		}
	}
	if (got == 0)
		got = pack_part_head(part, h, &inner);
	if (got == 0)
		return 0;
	if (inner.code != ERR_NONE && inner.code != ERR_LIMIT) {
		*err = inner;
		return -1;
	}
	snprintf(s->problem, sizeof s->problem,
		"its names and attributes are over the format's limit of 1 MiB: left out");
	return 1;
}

/* Whether the file system reports more than PACK_HOLES_MAX bytes of holes. Looks no further
 * than needed to decide. */
static bool has_large_holes(int fd, off_t size)
{
	const off_t most = PACK_HOLES_MAX;
	off_t at = 0, holes = 0, data;
	bool large = false;

	/* Stop when what remains could not be enough, even if it were all hole. */
	while (!large && size - at > most - holes) {
		data = lseek(fd, at, SEEK_DATA);
		if (data < 0 && errno != ENXIO)
			break; /* not supported here: no holes */
		if (data < 0 || data > size)
			data = size;
		holes += data - at;
		large = holes > most;
		at = lseek(fd, data, SEEK_HOLE);
		if (at <= data)
			break;
	}
	lseek(fd, 0, SEEK_SET);
	return large;
}

int pack_feed_begin(struct pack_feed *f, struct pack_part *part, const struct pack_scan_item *item,
	struct pack_bytes link, struct pack_stream *s, struct err *err)
{
	struct pack_head h = {.path = {(const uint8_t *)item->path, item->path_len}};
	ssize_t n;
	int got;

	memset(s, 0, sizeof *s);
	s->fd = -1;
	s->st = item->st;
	if (link.at != NULL) { /* a hard link has only its two paths */
		h.type = PACK_HARDLINK;
		h.link = link;
		return pack_part_head(part, &h, err);
	}
	if (S_ISREG(item->st.st_mode))
		open_file(s, item);
	else if (item->error != 0)
		failed(s, PACK_READ_ERROR, item->error, "can't be listed");
	head_from_stat(f, &h, &s->st);
	if (h.type == PACK_SYMLINK) {
		buf_clear(&f->target);
		if (buf_room(&f->target, PACK_PATH_MAX + 1, err) == NULL)
			return -1;
		n = readlinkat(
			item->dir->fd, item->name, (char *)f->target.data, PACK_PATH_MAX + 1);
		if (n <= 0 || n > PACK_PATH_MAX) {
			missing(s, "its target can't be read, it is left out",
				n < 0 ? errno : ENOENT);
			return 1;
		}
		h.target = (struct pack_bytes){f->target.data, (size_t)n};
	}
	s->tail.has_content = h.type == PACK_REGULAR;
	s->sparse = s->fd >= 0 && (s->st.st_blocks * 512 < s->st.st_size ||
					  (uint64_t)s->st.st_size > PACK_HOLES_MAX);
	s->tail.sparse = s->fd >= 0 && has_large_holes(s->fd, s->st.st_size);
	if (s->tail.sparse)
		h.has |= PACK_HAS_SPARSE;
	got = finish_head(f, part, s, item, &h, err);
	if (got != 0)
		pack_feed_drop(s);
	return got;
}

/* --- content ------------------------------------------------------------ */

/* Compares the file with its state when it was opened. */
static void look_again(struct pack_stream *s)
{
	struct stat now;
	unsigned changed = 0;

	if (s->command)
		return;
	if (fstat(s->fd, &now) != 0) {
		failed(s, PACK_READ_ERROR, errno, "can't be examined again");
		return;
	}
	if (now.st_size != s->st.st_size)
		changed |= PACK_CHANGED_SIZE;
	if (now.st_mtim.tv_sec != s->st.st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != s->st.st_mtim.tv_nsec) {
		changed |= PACK_CHANGED_MTIME;
		s->tail.has_mtime = true;
		s->tail.mtime = mtime_of(&now);
	}
	if (now.st_ctim.tv_sec != s->st.st_ctim.tv_sec ||
		now.st_ctim.tv_nsec != s->st.st_ctim.tv_nsec)
		changed |= PACK_CHANGED_CTIME;
	s->tail.changed = changed;
	if (now.st_nlink == 0) {
		s->tail.status = PACK_VANISHED;
		s->tail.changed = 0;
		snprintf(s->problem, sizeof s->problem, "was removed while it was read");
	} else if (s->at < (uint64_t)s->st.st_size) {
		s->tail.status = PACK_SHRUNK;
		snprintf(s->problem, sizeof s->problem,
			"shrank while it was read: %llu of %llu bytes", (unsigned long long)s->at,
			(unsigned long long)s->st.st_size);
	} else if (now.st_size > s->st.st_size) {
		s->tail.status = PACK_GROWN;
		snprintf(s->problem, sizeof s->problem, "grew while it was read: %llu bytes kept",
			(unsigned long long)s->at);
	} else if (changed != 0) {
		s->tail.status = PACK_CHANGED;
		snprintf(s->problem, sizeof s->problem, "changed while it was read");
	}
}

/* Ends the content: nothing more is read. */
static int ended(struct pack_stream *s)
{
	if (s->tail.status == PACK_OK)
		look_again(s);
	close(s->fd);
	s->fd = -1;
	return 0;
}

/* Finds the next data of a sparse file, up to the size it had when it was opened, and adds the
 * hole before it. Returns 0 with data_end set, or with .sparse false if the rest must be read
 * as data; 1 at the end of the file; -1 with err set. */
static int skip_hole(
	struct pack_part *part, struct pack_stream *s, struct pack_digest *digest, struct err *err)
{
	off_t size = s->st.st_size, at = (off_t)s->at, data, end;

	if (at >= size)
		return 1;
	data = lseek(s->fd, at, SEEK_DATA);
	if (data < 0 && errno != ENXIO) {
		s->sparse = false; /* not supported here: read everything */
		if (lseek(s->fd, at, SEEK_SET) >= 0)
			return 0;
		failed(s, PACK_READ_ERROR, errno, "can't be read on");
		return 1;
	}
	if (data < 0) { /* a hole to the end of the file, which may have moved */
		data = lseek(s->fd, 0, SEEK_END);
		if (data < at)
			return 1;
	}
	if (data > size)
		data = size;
	/* The file got such large holes only after it was opened, when its kind of digest was
	 * decided. So read them as zeros. */
	if (!s->tail.sparse && s->holes + (uint64_t)(data - at) > PACK_HOLES_MAX) {
		s->sparse = false;
		if (lseek(s->fd, at, SEEK_SET) >= 0)
			return 0;
		failed(s, PACK_READ_ERROR, errno, "can't be read on");
		return 1;
	}
	if (data > at) {
		if (pack_part_hole(part, (uint64_t)(data - at), err) != 0)
			return -1;
		if (digest != NULL)
			pack_digest_hole(digest, (uint64_t)(data - at));
		s->holes += (uint64_t)(data - at);
		s->at = (uint64_t)data;
	}
	if (data == size)
		return 1;
	end = lseek(s->fd, data, SEEK_HOLE);
	if (end < 0 || lseek(s->fd, data, SEEK_SET) < 0) {
		/* ENXIO: it became shorter, which look_again will notice. */
		if (errno != ENXIO)
			failed(s, PACK_READ_ERROR, errno, "can't be read on");
		return 1;
	}
	if (end <= data)
		return 1;
	s->data_end = (uint64_t)(end < size ? end : size);
	return 0;
}

/* Whether a file has been read as far as intended, that is to the size it had when it was
 * opened. A file of size 0 is read all the same, because some files in /proc claim that and
 * have content. */
static bool at_end(const struct pack_stream *s)
{
	uint64_t size = (uint64_t)s->st.st_size;

	return !s->command && !s->sparse && s->at >= (size > 0 ? size : PACK_FEED_GROWTH);
}

/* How much to read next, at most what is left in the part. */
static size_t want(const struct pack_part *part, const struct pack_stream *s)
{
	size_t left = pack_part_left(part);
	uint64_t size = (uint64_t)s->st.st_size, n;

	if (s->command)
		n = left;
	else if (s->sparse)
		n = s->data_end - s->at;
	else if (size > 0)
		n = size - s->at;
	else
		n = s->at == 0 ? 4096 : PACK_FEED_GROWTH - s->at;
	return n < left ? (size_t)n : left;
}

int pack_feed_fill(
	struct pack_part *part, struct pack_stream *s, struct pack_digest *digest, struct err *err)
{
	while (s->fd >= 0) {
		size_t len, got = 0;
		ssize_t n;
		uint8_t *to;

		if (at_end(s))
			return ended(s);
		if (pack_part_full(part))
			return 1;
		if (s->sparse && s->at >= s->data_end) {
			int at_end = skip_hole(part, s, digest, err);

			if (at_end < 0)
				return -1;
			if (at_end > 0)
				return ended(s);
			continue;
		}
		len = want(part, s);
		to = pack_part_room(part, len, err);
		if (to == NULL)
			return -1;
		n = fs_read_full(s->fd, to, len, &got);
		if (n < 0)
			failed(s, PACK_READ_ERROR, errno, "can't be read on");
		pack_part_took(part, got);
		if (digest != NULL && got > 0)
			pack_digest_data(digest, to, got);
		s->at += got;
		if (n < 0)
			s->tail.error_offset = s->at;
		if (n < 0 || got < len)
			return ended(s);
	}
	return 0;
}

int pack_feed_end(
	struct pack_part *part, struct pack_stream *s, const uint8_t *sum, struct err *err)
{
	pack_feed_drop(s);
	if (s->missing != 0 && s->tail.status == PACK_OK) {
		s->tail.status = PACK_INCOMPLETE;
		s->tail.has_error = true;
		s->tail.error = (uint32_t)s->missing;
	}
	if (s->tail.has_content) {
		s->tail.size = s->at;
		memcpy(s->tail.sum, sum, sizeof s->tail.sum);
	}
	return pack_part_tail(part, &s->tail, err);
}

void pack_feed_drop(struct pack_stream *s)
{
	fs_close(s->fd);
	s->fd = -1;
}
