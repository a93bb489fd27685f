/* Makes, opens and closes a store: the top of the engine. After a crash, opening it to write
 * recovers the tails of volumes and removes leftovers. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/store/engine.h"
#include "cmd/store/identity.h"
#include "cmd/store/lock.h"
#include "cmd/store/quota.h"
#include "cmd/store/state.h"
#include "lib/buf.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/fs.h"

/* --- making --------------------------------------------------------------- */

/* Whether a directory is empty. Returns 0, or -1 with err set. */
static int check_empty(const char *path, struct err *err)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool empty = true;

	if (d == NULL)
		return err_errno(err, errno, "%s", path);
	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
	closedir(d);
	return empty ? 0 : err_set(err, ERR_EXISTS, "%s: is not empty", path);
}

/* Sets *made if the folders are ours, even if it fails. An existing directory keeps its owner and
 * mode: it may be a mount point. Returns 0, or -1 with err set. */
static int make_folders(const char *path, bool *made, struct err *err)
{
	static const char *const names[] = {"volumes", "index"};
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, ret = 0;
	size_t i;

	if (dir < 0)
		return err_errno(err, errno, "%s", path);
	for (i = 0; i < sizeof names / sizeof *names && ret == 0; i++) {
		fd = -1;
		if (mkdirat(dir, names[i], 0700) != 0)
			ret = -1;
		else
			*made = true;
		if (ret != 0 ||
			(fd = openat(dir, names[i],
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0 ||
			fs_own(fd, dir) != 0)
			ret = err_errno(err, errno, "%s/%s", path, names[i]);
		fs_close(fd);
	}
	close(dir);
	return ret;
}

/* Removes what engine_make has made before it failed, so that it can be called again. */
static void unmake(const char *path)
{
	static const char *const names[] = {
		"fdump-store", "identity", "index/data.mdb", "index/lock.mdb", "index", "volumes"};
	char file[ENGINE_PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		engine_path(file, path, names[i]);
		remove(file);
	}
}

/* Without this row an index counts as lost. */
static int put_first_meta(struct db *db, struct err *err)
{
	const struct store_meta meta = {.seq = 1, .volume = 1, .domain = 1};
	struct db_txn *txn;

	if (db_begin(db, true, &txn, err) != 0)
		return -1;
	if (store_meta_put(txn, &meta, err) == 0)
		return db_commit(txn, err);
	db_abort(txn);
	return -1;
}

int engine_make(const char *path, uint64_t reserve, struct err *err)
{
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN], secret[SEAL_SIGN_LEN];
	char index[ENGINE_PATH_MAX];
	struct db *db = NULL;
	bool folder = mkdir(path, 0700) == 0, made = false;
	int got = -1;

	if (!folder && errno != EEXIST)
		return err_errno(err, errno, "%s", path);
	if (!folder && check_empty(path, err) != 0)
		return -1;
	engine_path(index, path, "index");
	if (seal_random(uid, sizeof uid, err) == 0 && seal_sign_new(secret, public, err) == 0 &&
		make_folders(path, &made, err) == 0)
		db = store_index_open(index, true, err);
	/* The file that makes it a store comes last. */
	if (db != NULL && put_first_meta(db, err) == 0 &&
		engine_write_identity(path, secret, err) == 0 &&
		engine_write_about(path, uid, public, reserve, err) == 0)
		got = 0;
	db_close(db);
	if (got != 0 && made)
		unmake(path);
	if (got != 0 && folder)
		rmdir(path);
	seal_wipe(secret, sizeof secret);
	return got;
}

/* --- recovery, whenever a writer opens the store (LAYOUT.md, section 6) ----- */

struct tail {
	struct engine *store;
	struct db_txn *txn;
	uint32_t number;
	uint64_t good; /* end of the blocks taken */
};

/* Takes a block beyond the committed length; stops at the first that is not good. */
static int take_tail(void *ctx, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, uint64_t len, struct err *err)
{
	struct tail *t = ctx;
	int got;

	if (payload == NULL || offset != t->good)
		return 1;
	got = store_index_absorb(t->txn, &t->store->meta, t->number, offset, block, payload, err);
	if (got == 0)
		t->good = offset + len;
	return got;
}

static int recover_tail(struct engine *s, struct db_txn *txn, uint32_t number,
	struct store_volume_row *row, struct store_volume *v, struct err *err)
{
	struct tail t = {s, txn, number, row->len};

	if (store_volume_scan(v, row->len, v->len, NULL, take_tail, &t, err) != 0)
		return -1;
	if (t.good < v->len && ftruncate(v->fd, (off_t)t.good) != 0)
		return err_errno(err, errno, "volume %08x", number);
	v->len = t.good;
	if (store_volume_sync(v, err) != 0) {
		if (ftruncate(v->fd, (off_t)row->len) != 0)
			return err_prefix(err, "volume %08x can't be cut back", number);
		return -1;
	}
	if (row->len == 0 && fsync(s->volumes) != 0) /* its directory entry may be new */
		return err_errno(err, errno, "%s/volumes: sync", s->path);
	row->len = t.good;
	return store_row_put(txn, STORE_VOLUMES, &number, row, err);
}

/* The volume's id is in its first block. */
static int read_id(struct store_volume *v)
{
	uint8_t header[PACK_BLOCK_HEADER];
	struct pack_block block;

	if (pread(v->fd, header, sizeof header, 0) != sizeof header ||
		pack_block_get(&block, header, NULL) != 0 || block.kind != STORE_BLOCK_VOLUME)
		return -1;
	memcpy(v->id, block.id, sizeof v->id);
	return 0;
}

static int recover_volume(struct engine *s, struct db_txn *txn, uint32_t number,
	struct store_volume_row *row, struct err *err)
{
	struct store_volume v = {.fd = -1};
	struct engine_cut cut = {.volume = number};
	struct err why = {0};
	int got = 0;

	if (row->state == STORE_VOLUME_LIVE)
		got = store_volume_open(s->volumes, number, true, &v, &why);
	if (row->state != STORE_VOLUME_LIVE || (row->len == 0 && (got != 0 || v.len == 0))) {
		store_volume_close(&v);
		return store_volume_remove(s->volumes, number, err) == 0
			       ? store_row_del(txn, STORE_VOLUMES, &number, err)
			       : -1;
	}
	if (got != 0) /* a missing volume is damage, which scrub reports */
		return why.code == ERR_NOTFOUND ? buf_add(&s->cut, &cut, sizeof cut, err) : 0;
	cut.len = v.len;
	if (v.len < row->len)
		got = buf_add(&s->cut, &cut, sizeof cut, err);
	else if (v.len > row->len && row->len < STORE_VOLUME_FULL)
		/* nothing is ever written beyond a full one */
		got = recover_tail(s, txn, number, row, &v, err);
	if (got == 0 && v.len == row->len && v.len > 0 && v.len < STORE_VOLUME_FULL &&
		read_id(&v) == 0) {
		store_volume_close(&s->current);
		s->current = v;
		return 0;
	}
	store_volume_close(&v);
	return got;
}

/* Recovers the tails of volumes, removes leftovers, finds the current volume, and lists missing and
 * cut volumes in s->cut. */
static int recover_all(struct engine *s, struct err *err)
{
	struct store_at at = {.len = 0};
	struct store_volume_row row;
	struct db_txn *txn;
	uint32_t number;
	int got;

	if (db_begin(s->db, true, &txn, err) != 0)
		return -1;
	while ((got = store_volume_next(txn, &at, &number, &row, err)) == 0)
		if (recover_volume(s, txn, number, &row, err) != 0) {
			got = -1;
			break;
		}
	if (got > 0)
		got = store_meta_put(txn, &s->meta, err);
	return engine_end(s, txn, got, err);
}

/* Marks what was in missing volumes, or beyond the end of those that were cut, as damaged, so that
 * readers too take it for missing. table: STORE_CHUNKS or STORE_DUMPS. */
static int mark_lost(struct engine *s, enum store_table table, struct err *err)
{
	struct store_at at = {.len = 0};
	union store_block_row row;
	struct db_txn *txn;
	size_t n;
	int got = 0;

	while (got == 0) {
		if (db_begin(s->db, true, &txn, err) != 0)
			return -1;
		for (n = 0; n < DB_BATCH && got == 0;) {
			got = store_row_next(txn, table, &at, &row, err);
			if (got != 0 || row.any.damaged || !engine_is_lost(s, &row.any.place))
				continue;
			n++;
			got = store_row_mark(txn, table, at.key, &row.any.place, true, err);
		}
		if (engine_end(s, txn, got, err) != 0)
			return -1;
	}
	return 0;
}

/* --- opening -------------------------------------------------------------- */

/* Copies the index, for a user who may read the store but not write to it. Nobody may write to it
 * in the meantime. */
static struct db *copy_index(struct engine *s, const char *path, struct err *err)
{
	struct db *db;
	int got = s->lock_fd >= 0 ? engine_try_byte(s->lock_fd, F_RDLCK, 0, &s->wait, s->path) : 0;

	if (got < 0) {
		err_errno(err, errno, "lock");
		return NULL;
	}
	if (got > 0) {
		err_set(err, ERR_BUSY,
			"another process is writing to it, and users without write access have to "
			"wait for that (try again later)");
		return NULL;
	}
	db = store_index_copy(path, err);
	if (s->lock_fd >= 0)
		engine_unlock_byte(s->lock_fd, 0);
	return db;
}

/* Byte 3 keeps a rebuild from replacing the index while its files are opened. */
static int open_index(struct engine *s, struct err *err)
{
	bool reads = s->mode == ENGINE_READ && s->lock_fd >= 0;
	char path[ENGINE_PATH_MAX];
	struct err why = {0};
	struct db_txn *txn;
	int got = -1;

	engine_path(path, s->path, "index");
	if (reads)
		engine_try_byte(s->lock_fd, F_RDLCK, 3, NULL, s->path);
	s->db = store_index_open(path, s->mode != ENGINE_READ, &why);
	if (s->db == NULL && s->mode == ENGINE_READ && why.code == ERR_DENIED)
		s->db = copy_index(s, path, err);
	else if (s->db == NULL)
		*err = why;
	if (reads)
		engine_unlock_byte(s->lock_fd, 3);
	if (s->db != NULL && db_begin(s->db, false, &txn, err) == 0) {
		got = store_meta_get(txn, &s->meta, err);
		db_abort(txn);
	}
	if (got == 1 || (s->db == NULL && err->code == ERR_NOTFOUND))
		err_set(err, ERR_DAMAGE,
			"index: it is missing (fdump store rebuild makes a new one)");
	return got != 0 ? err_prefix(err, "%s", s->path) : 0;
}

static int open_writer(struct engine *s, struct err *err)
{
	s->pending = calloc(ENGINE_PENDING_MAX, sizeof *s->pending);
	s->slots = calloc(4 * (size_t)ENGINE_PENDING_MAX, sizeof *s->slots);
	s->block = malloc(PACK_BLOCK_HEADER + PACK_BLOCK_VOLUME_MAX);
	if (s->pending == NULL || s->slots == NULL || s->block == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (recover_all(s, err) != 0)
		return -1;
	if (s->cut.len == 0)
		return 0;
	return mark_lost(s, STORE_CHUNKS, err) == 0 ? mark_lost(s, STORE_DUMPS, err) : -1;
}

struct engine *engine_open(
	const char *path, enum engine_mode mode, const struct engine_wait *wait, struct err *err)
{
	struct engine *s = calloc(1, sizeof *s);

	if (s == NULL || (s->path = strdup(path)) == NULL) {
		free(s);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	s->mode = mode;
	s->wait = *wait;
	s->dir = s->volumes = s->lock_fd = s->current.fd = -1;
	mutex_init(&s->writer);
	mutex_init(&s->lock);
	store_volumes_init(&s->reading);
	buf_init(&s->quotas, SIZE_MAX);
	buf_init(&s->limit_quotas, SIZE_MAX);
	s->limit_quota = ENGINE_QUOTA_NONE;
	buf_init(&s->cut, SIZE_MAX);
	if (engine_check_files(path, true, err) != 0 || engine_read_about(s, err) != 0 ||
		engine_quotas_load(s, err) != 0)
		goto fail;
	s->dir = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (s->dir >= 0)
		s->volumes =
			openat(s->dir, "volumes", O_DIRECTORY | O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (s->volumes < 0) {
		err_errno(err, errno, "%s/volumes", path);
		goto fail;
	}
	if ((mode == ENGINE_WRITE && engine_read_identity(s, err) != 0) ||
		engine_lock_store(s, err) != 0 || open_index(s, err) != 0 ||
		(mode == ENGINE_WRITE && open_writer(s, err) != 0))
		goto fail;
	return s;
fail:
	engine_close(s);
	return NULL;
}

void engine_close(struct engine *s)
{
	if (s == NULL)
		return;
	db_close(s->db);
	engine_quotas_drop(s);
	buf_fini(&s->limit_quotas);
	buf_fini(&s->cut);
	store_volume_close(&s->current);
	store_volumes_fini(&s->reading);
	fs_close(s->volumes);
	fs_close(s->dir);
	fs_close(s->lock_fd); /* and with it all locks */
	seal_wipe(s->secret, sizeof s->secret);
	mutex_fini(&s->writer);
	mutex_fini(&s->lock);
	free(s->pending);
	free(s->slots);
	free(s->block);
	free(s->domains);
	store_marks_fini(&s->read);
	free(s->path);
	free(s);
}
