/*
 * Builds the index from the volumes alone: enters all their blocks, one after the other. The old
 * index only serves to report what is lost.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/store/care.h"
#include "cmd/store/identity.h"
#include "cmd/store/listing.h"
#include "cmd/store/lock.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/fs.h"

#define OLD "index.old" /* the old index, if the two can't be exchanged */

struct rebuild {
	struct buf old; /* struct old */
	struct engine *store;
	struct db *db;
	struct db_txn *txn;
	struct store_meta meta;
	int volumes;
	uint32_t number; /* of the volume being read */
	uint64_t good;   /* where its last good block ends */
	unsigned puts;   /* rows put in this transaction */
	store_problem *problem;
	void *ctx;
	struct store_checked *result;
};

static int renew(struct rebuild *r, struct err *err)
{
	struct db_txn *txn = r->txn;

	r->txn = NULL;
	r->puts = 0;
	if (txn != NULL && db_commit(txn, err) != 0)
		return -1;
	return db_begin(r->db, true, &r->txn, err);
}

static int met(void *ctx, uint64_t offset, const struct pack_block *block, const uint8_t *payload,
	uint64_t len, struct err *err)
{
	struct rebuild *r = ctx;
	char text[128];
	int got = 1;

	r->result->bytes += len;
	if (payload != NULL)
		got = store_index_absorb(r->txn, &r->meta, r->number, offset, block, payload, err);
	if (got < 0)
		return -1;
	if (got > 0) {
		r->result->damaged++;
		snprintf(text, sizeof text, "volume %08x at %llu: damaged", r->number,
			(unsigned long long)offset);
		r->problem(r->ctx, NULL, text);
		return 0;
	}
	r->good = offset + len;
	r->result->blocks++;
	return ++r->puts < DB_BATCH ? 0 : renew(r, err);
}

/* The numbers of all volumes, in order. */
static int list_volumes(int dir, struct buf *numbers, struct err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int got = 0;

	if (d == NULL)
		return err_errno(err, errno, "volumes");
	while (got == 0 && (e = readdir(d)) != NULL) {
		unsigned number;
		int end = 0;

		if (sscanf(e->d_name, "%8x.vol%n", &number, &end) == 1 && end == 12 &&
			e->d_name[12] == 0) {
			uint32_t n = number;

			got = buf_add(numbers, &n, sizeof n, err);
		}
	}
	closedir(d);
	return got;
}

/* A volume ends with its last good block. Nothing may be written after a block that is cut off: a
 * reader would skip it together with that block. The next writer cuts the rest off. */
static int take_volume(struct rebuild *r, uint32_t number, struct err *err)
{
	struct store_volume_row row = {.state = STORE_VOLUME_LIVE};
	struct store_volume v;
	int got;

	r->number = number;
	r->good = 0;
	if (store_volume_open(r->volumes, number, false, &v, err) != 0)
		return -1;
	got = store_volume_scan(&v, 0, v.len, NULL, met, r, err);
	row.len = r->good > 0 ? r->good : v.len;
	store_volume_close(&v);
	if (number >= r->meta.volume)
		r->meta.volume = number + 1;
	return got == 0 ? store_row_put(r->txn, STORE_VOLUMES, &number, &row, err) : -1;
}

static int take_all(struct rebuild *r, struct err *err)
{
	struct buf numbers = {.max = SIZE_MAX};
	const uint32_t *n;
	size_t i;
	int got;

	got = list_volumes(r->volumes, &numbers, err);
	if (got == 0 && numbers.len > 0)
		qsort(numbers.data, numbers.len / sizeof *n, sizeof *n, engine_by_number);
	n = (const uint32_t *)(const void *)numbers.data;
	for (i = 0; got == 0 && i < numbers.len / sizeof *n; i++)
		got = take_volume(r, n[i], err);
	buf_fini(&numbers);
	if (got == 0)
		got = store_meta_put(r->txn, &r->meta, err);
	return got == 0 ? renew(r, err) : -1;
}

/* Removes an index that is not in use. */
static void clear(const char *folder)
{
	char file[ENGINE_PATH_MAX];

	engine_path(file, folder, "data.mdb");
	unlink(file);
	engine_path(file, folder, "lock.mdb");
	unlink(file);
	rmdir(folder);
}

/* Puts the new folder in the old one's place, atomically, while nobody opens the index: readers do
 * so under byte 3. Removes the old one. If the file system can't exchange two names, the old one
 * gets another name first; a crash between these two steps leaves a store without an index. */
static int swap(const char *fresh, const char *index, int dir, int lock_fd, const char *path,
	struct err *err)
{
	int fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int got = fd >= 0 && fsync(fd) == 0 ? 0 : err_errno(err, errno, "%s", fresh);
	char old[ENGINE_PATH_MAX];

	engine_path(old, path, OLD);
	fs_close(fd);
	if (got != 0 || engine_lock_byte(lock_fd, F_WRLCK, 3, NULL, path, err) != 0)
		return -1;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, index, RENAME_EXCHANGE) == 0) {
		if (fsync(dir) != 0)
			got = err_errno(err, errno, "%s", index);
		else
			clear(fresh);
	} else {
		if (errno == EINVAL) {
			clear(old);
			rename(index, old);
		}
		if (rename(fresh, index) != 0 || fsync(dir) != 0)
			got = err_errno(err, errno, "%s", index);
		else
			clear(old);
	}
	engine_unlock_byte(lock_fd, 3);
	return got;
}

/* Whether this is a store: it has its file or, if that is lost, at least one volume. Else nothing
 * must be written there. Returns 0, or -1 with err set. */
static int check_store(const char *path, const char *volumes, struct err *err)
{
	int fd = open(volumes, O_RDONLY | O_DIRECTORY | O_CLOEXEC), got = 0;
	struct buf numbers = {.max = SIZE_MAX};
	char about[ENGINE_PATH_MAX];

	engine_path(about, path, "fdump-store");
	if (access(about, F_OK) != 0 && errno != ENOENT && errno != ENOTDIR)
		got = err_errno(err, errno, "%s", about);
	else if (access(about, F_OK) != 0 &&
		 (fd < 0 || list_volumes(fd, &numbers, NULL) != 0 || numbers.len == 0))
		got = engine_is_none(path, err);
	buf_fini(&numbers);
	fs_close(fd);
	return got;
}

/* Takes the locks that keep writers, other rebuilds and scrubs out. Returns the descriptor, or -1
 * with err set. */
static int lock(const char *path, int dir, const struct engine_wait *wait, struct err *err)
{
	int fd = fs_open_owned(dir, "lock", O_RDWR, 0600);

	if (fd < 0)
		return err_errno(err, errno, "%s/lock", path);
	if (engine_lock_byte(fd, F_WRLCK, 0, wait, path, err) == 0 &&
		engine_lock_byte(fd, F_WRLCK, 2, wait, path, err) == 0)
		return fd;
	close(fd);
	return -1;
}

static int build(struct rebuild *r, const char *fresh, int dir, struct err *err)
{
	int got, fd;

	clear(fresh); /* left by a rebuild that was killed */
	if (mkdir(fresh, 0700) != 0 ||
		(fd = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_errno(err, errno, "%s", fresh);
	got = fs_own(fd, dir) == 0 ? 0 : err_errno(err, errno, "%s", fresh);
	close(fd);
	if (got != 0)
		return -1;
	r->db = store_index_open(fresh, true, err);
	if (r->db == NULL)
		return -1;
	got = renew(r, err);
	if (got == 0)
		got = take_all(r, err);
	db_abort(r->txn);
	db_close(r->db);
	return got;
}

/* --- what is lost ----------------------------------------------------------- */

/* What the old index had: first its next sequence number, then volumes, then dumps. */
struct old {
	uint32_t volume;             /* 0: this is a dump, or the first */
	uint64_t len;                /* committed length; of the first: the sequence number */
	uint8_t dump[STORE_DUMP_ID]; /* if volume is 0 */
};

/* Within a transaction of the old index. */
static int list_old(struct db_txn *txn, struct buf *out)
{
	struct store_at at = {.len = 0};
	struct store_volume_row volume;
	struct store_dump_row dump;
	struct store_meta meta;
	struct old old = {.volume = 0};

	if (store_meta_get(txn, &meta, NULL) != 0)
		return -1;
	old.len = meta.seq;
	buf_add(out, &old, sizeof old, NULL);
	while (store_volume_next(txn, &at, &old.volume, &volume, NULL) == 0) {
		old.len = volume.len;
		if (volume.state == STORE_VOLUME_LIVE && volume.len > 0)
			buf_add(out, &old, sizeof old, NULL);
	}
	at.len = 0;
	old.volume = 0;
	while (store_row_next(txn, STORE_DUMPS, &at, &dump, NULL) == 0) {
		memcpy(old.dump, at.key, sizeof old.dump);
		buf_add(out, &old, sizeof old, NULL);
	}
	return 0;
}

int engine_old(const char *path, struct buf *out)
{
	char index[ENGINE_PATH_MAX];
	struct db_txn *txn;
	struct db *db;
	int got = -1;

	engine_path(index, path, "index");
	db = store_index_open(index, false, NULL);
	if (db == NULL) {
		engine_path(index, path, OLD);
		db = store_index_open(index, false, NULL);
	}
	if (db != NULL && db_begin(db, false, &txn, NULL) == 0) {
		got = list_old(txn, out);
		db_abort(txn);
	}
	db_close(db);
	return got;
}

static void check_old_volume(struct rebuild *r, const struct old *old)
{
	struct store_volume v;
	char text[128];

	if (store_volume_open(r->volumes, old->volume, false, &v, NULL) != 0)
		snprintf(text, sizeof text, "volume %08x, of %llu bytes, is missing", old->volume,
			(unsigned long long)old->len);
	else if (v.len < old->len)
		snprintf(text, sizeof text, "volume %08x: %llu bytes long, expected %llu",
			old->volume, (unsigned long long)v.len, (unsigned long long)old->len);
	else
		text[0] = 0;
	store_volume_close(&v);
	r->result->lost += text[0] != 0;
	if (text[0] != 0)
		r->problem(r->ctx, NULL, text);
}

static int check_old_dump(struct rebuild *r, const struct old *old, struct err *err)
{
	struct store_entry e = {.dump = {.id = old->dump}};
	struct store_dump_row row;
	int64_t deleted;
	int got = engine_row(r->store, STORE_DUMPS, old->dump, &row, err);

	if (got == 1)
		got = engine_row(r->store, STORE_DELETED, old->dump, &deleted, err);
	if (got != 1)
		return got;
	r->result->incomplete++;
	r->problem(r->ctx, &e, "is lost: its record is no longer there");
	return 0;
}

/* Reports what the old index had and the new one has not. If the old index is older than the
 * volumes, gc may have removed some of its volumes since, so only dumps are compared; one that was
 * deleted is known to be. */
static int check_old(struct rebuild *r, struct err *err)
{
	const struct old *old = (const struct old *)(const void *)r->old.data;
	size_t count = r->old.len / sizeof *old, i;

	for (i = 1; i < count; i++)
		if (old[i].volume > 0 && old->len >= r->meta.seq)
			check_old_volume(r, &old[i]);
		else if (old[i].volume == 0 && check_old_dump(r, &old[i], err) != 0)
			return -1;
	return 0;
}

static int check(
	struct rebuild *r, const char *path, const struct engine_wait *wait, struct err *err)
{
	struct engine_check check = {.problem = r->problem, .ctx = r->ctx, .result = r->result};
	int got = -1;

	r->store = engine_open(path, ENGINE_READ, wait, err);
	if (r->store != NULL && check_old(r, err) == 0) {
		check.store = r->store;
		got = engine_dumps(
			r->store, &(struct store_filter){0}, engine_check_dump, &check, err);
	}
	engine_close(r->store);
	return got;
}

int engine_rebuild(const char *path, const struct engine_wait *wait, engine_ask_old *ask,
	store_problem *problem, void *ctx, struct store_checked *result, struct err *err)
{
	struct rebuild r = {.meta = {.seq = 1, .volume = 1, .domain = 1},
		.problem = problem,
		.ctx = ctx,
		.result = result,
		.old = {.max = SIZE_MAX},
		.volumes = -1};
	char fresh[ENGINE_PATH_MAX], index[ENGINE_PATH_MAX], volumes[ENGINE_PATH_MAX];
	int fd = -1, dir = -1, got = -1;

	*result = (struct store_checked){0};
	engine_path(fresh, path, "index.new");
	engine_path(index, path, "index");
	engine_path(volumes, path, "volumes");
	if (engine_check_files(path, false, err) != 0 || check_store(path, volumes, err) != 0)
		goto out;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r.volumes = open(volumes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || r.volumes < 0) {
		err_errno(err, errno, "%s", volumes);
		goto out;
	}
	fd = lock(path, dir, wait, err);
	if (fd < 0)
		goto out;
	if (ask != NULL && engine_check_files(path, true, NULL) == 0)
		ask(ctx, path, &r.old);
	if (build(&r, fresh, dir, err) == 0)
		got = swap(fresh, index, dir, fd, path, err);
	else
		clear(fresh); /* the disk may be full */
	if (got == 0 && (got = engine_mend_identity(path, err)) > 0) {
		problem(ctx, NULL,
			"fdump-store or identity was missing: the store has a new identity, "
			"and no reserve if that was lost");
		got = 0;
	}
	if (got == 0)
		got = check(&r, path, wait, err);
out:
	buf_fini(&r.old);
	fs_close(r.volumes);
	fs_close(dir);
	fs_close(fd);
	return got;
}
