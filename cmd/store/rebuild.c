/* The index from the volumes alone: all blocks, taken in one after the other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/store/care.h"
#include "cmd/store/inner.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"

struct rebuild {
	struct db *db;
	struct db_txn *txn;
	struct store_meta meta;
	int volumes;
	uint32_t number;
	unsigned puts; /* in this transaction */
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

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int take_volume(struct rebuild *r, uint32_t number, struct err *err)
{
	struct store_volume_row row = {.state = STORE_VOLUME_LIVE};
	struct store_volume v;
	int got;

	r->number = number;
	if (store_volume_open(r->volumes, number, false, &v, err) != 0)
		return -1;
	row.len = v.len;
	got = store_volume_scan(&v, 0, v.len, NULL, met, r, err);
	store_volume_close(&v);
	if (number >= r->meta.volume)
		r->meta.volume = number + 1;
	return got == 0 ? store_volume_put(r->txn, number, &row, err) : -1;
}

static int take_all(struct rebuild *r, struct err *err)
{
	struct buf numbers;
	const uint32_t *n;
	size_t i;
	int got;

	buf_init(&numbers, SIZE_MAX);
	got = list_volumes(r->volumes, &numbers, err);
	if (got == 0 && numbers.len > 0)
		qsort(numbers.data, numbers.len / sizeof *n, sizeof *n, by_number);
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
	char file[4200];

	snprintf(file, sizeof file, "%s/data.mdb", folder);
	unlink(file);
	snprintf(file, sizeof file, "%s/lock.mdb", folder);
	unlink(file);
	rmdir(folder);
}

/* The names in a folder are on the disk. */
static int sync_folder(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int got = fd >= 0 && fsync(fd) == 0 ? 0 : err_errno(err, errno, "%s", path);

	if (fd >= 0)
		close(fd);
	return got;
}

/* The new folder takes the old one's place, at one blow; the old one goes. */
static int swap(const char *fresh, const char *index, int dir, struct err *err)
{
	if (sync_folder(fresh, err) != 0)
		return -1;
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, index, RENAME_EXCHANGE) == 0) {
		if (fsync(dir) != 0)
			return err_errno(err, errno, "%s", index);
		clear(fresh);
		return 0;
	}
	if (errno == EINVAL) /* a file system that can't: not at one blow then */
		clear(index);
	if (rename(fresh, index) != 0 || fsync(dir) != 0)
		return err_errno(err, errno, "%s", index);
	return 0;
}

/* Only one may write, or rebuild, at a time; and nobody scrubs meanwhile. */
static int lock(const char *path, struct err *err)
{
	struct flock writer = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	struct flock scrub = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 1};
	char file[4200];
	int fd;

	snprintf(file, sizeof file, "%s/lock", path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(err, errno, "%s", file);
	if (fcntl(fd, F_OFD_SETLK, &writer) == 0 && fcntl(fd, F_OFD_SETLK, &scrub) == 0)
		return fd;
	close(fd);
	return err_set(err, ERR_BUSY, "%s: another process writes to it, or scrubs it", path);
}

static int build(struct rebuild *r, const char *fresh, struct err *err)
{
	int got;

	clear(fresh); /* of a rebuild that was killed */
	if (mkdir(fresh, 0700) != 0)
		return err_errno(err, errno, "%s", fresh);
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

int store_rebuild(const char *path, store_problem *problem, void *ctx, struct store_checked *result,
	struct err *err)
{
	struct rebuild r = {.meta = {.seq = 1, .volume = 1, .domain = 1},
		.problem = problem,
		.ctx = ctx,
		.result = result};
	char fresh[4160], index[4160], volumes[4160];
	int fd, dir, got = -1;

	*result = (struct store_checked){0};
	snprintf(fresh, sizeof fresh, "%.4000s/index.new", path);
	snprintf(index, sizeof index, "%.4000s/index", path);
	snprintf(volumes, sizeof volumes, "%.4000s/volumes", path);
	fd = store_check_files(path, false, err) == 0 ? lock(path, err) : -1;
	if (fd < 0)
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r.volumes = open(volumes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || r.volumes < 0)
		err_errno(err, errno, "%s", volumes);
	else if (build(&r, fresh, err) == 0)
		got = swap(fresh, index, dir, err);
	if (got == 0 && (got = store_mend_identity(path, err)) > 0) {
		problem(ctx, NULL,
			"fdump-store or identity was missing: the store has a new identity, "
			"and no reserve if that was lost");
		got = 0;
	}
	if (r.volumes >= 0)
		close(r.volumes);
	if (dir >= 0)
		close(dir);
	close(fd);
	return got;
}
