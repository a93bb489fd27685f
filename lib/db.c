/* LMDB, with its error codes translated to ours. */
#include "lib/db.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fs.h"
#include "lib/mem.h"

#define READERS   254
#define LOCK_FILE 16384 /* bytes that this many readers take */
#define ROOM      65536 /* a disk with less free space counts as full */
/* Flags for a database that nobody writes to. */
#define COPIED (MDB_NOTLS | MDB_NORDAHEAD | MDB_RDONLY | MDB_NOLOCK)
/* To open a database that another process is closing (stale_locks). */
#define TRIES    200
#define PAUSE_MS 10

struct db {
	MDB_env *env;
	char *path;
	dev_t dev; /* of the directory */
	ino_t ino;
	pid_t pid;           /* one that the parent process opened is not ours */
	LIST_ENTRY(db) link; /* in the list of open databases */
	MDB_dbi tables[DB_TABLES_MAX];
};

struct db_txn {
	MDB_txn *txn;
	struct db *db;
	MDB_cursor *cursors[DB_TABLES_MAX];
};

/* --- pages that crash LMDB ------------------------------------------------------ */

/* The directory of the database in which this thread is executing LMDB code. */
static _Thread_local const char *volatile within;

const char *db_within(void)
{
	return within;
}

/* LMDB would abort as well, but print a line of its own first. */
static void on_assert(MDB_env *env, const char *text)
{
	(void)env;
	(void)text;
	abort();
}

static void enter(const struct db *db)
{
	within = db->path;
}

static int leave(int got)
{
	within = NULL;
	return got;
}

#define SAFE(db, call) (enter(db), leave(call))

/* --- opening --------------------------------------------------------------- */

static int fail(struct err *err, int code, const char *what)
{
	switch (code) {
	case MDB_MAP_FULL:
		return err_set(
			err, ERR_NOSPACE, "index: %s: it has reached its maximum size", what);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_BAD_DBI:
	case MDB_INCOMPATIBLE:
	case MDB_PANIC:
	case MDB_BAD_TXN: /* follows one of the errors above */
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_BAD_VALSIZE:
		return err_set(
			err, ERR_DAMAGE, "index: %s: it is damaged (%s)", what, mdb_strerror(code));
	case MDB_NOTFOUND:
		return err_set(err, ERR_DAMAGE,
			"index: %s: a table is missing (fdump store rebuild makes a new one)",
			what);
	case ENOENT:
	case EBADF: /* of a file that is empty and open for reading */
		return err_set(err, ERR_NOTFOUND, "index: %s: not found", what);
	default:
		if (code > 0)
			return err_errno(err, code, "index: %s", what);
		return err_set(err, ERR_FAILED, "index: %s: %s", what, mdb_strerror(code));
	}
}

/* If a process opens a database twice, closing the first drops its locks, and
 * opening the second drops its readers. */
static pthread_mutex_t opened_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, db) opened = LIST_HEAD_INITIALIZER(opened);

static int enlist(struct db *db, struct err *err)
{
	const struct db *other;
	struct stat st;

	if (stat(db->path, &st) != 0)
		return fail(err, errno, "open");
	pthread_mutex_lock(&opened_lock);
	LIST_FOREACH(other, &opened, link)
		if (other->pid == getpid() && other->dev == st.st_dev && other->ino == st.st_ino)
			break;
	if (other == NULL) {
		db->dev = st.st_dev;
		db->ino = st.st_ino;
		db->pid = getpid();
		LIST_INSERT_HEAD(&opened, db, link);
	}
	pthread_mutex_unlock(&opened_lock);
	return other == NULL ? 0 : err_set(err, ERR_BUSY, "index: it is open already");
}

/* Creates the files, so that they get the owner of their directory. LMDB writes
 * to the lock file through a memory map, which on a full disk would raise
 * SIGBUS, so its space is reserved here. */
static int have_files(const char *path, bool write, struct err *err)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, got = 0;

	if (dir >= 0)
		fd = fs_open_owned(dir, "lock.mdb", O_RDWR, 0600);
	if ((fd < 0 || fallocate(fd, 0, 0, LOCK_FILE) != 0) && (errno == ENOSPC || errno == EDQUOT))
		got = err_errno(err, errno, "index: %s/lock.mdb", path);
	fs_close(fd);
	fd = dir >= 0 && write ? fs_open_owned(dir, "data.mdb", O_RDWR, 0600) : -1;
	fs_close(fd);
	fs_close(dir);
	return got;
}

static int open_tables(
	struct db *db, const char *const *tables, size_t count, bool write, struct err *err)
{
	MDB_txn *txn;
	MDB_dbi main;
	MDB_stat stat = {0};
	size_t i;
	int got = SAFE(db, mdb_txn_begin(db->env, NULL, write ? 0 : MDB_RDONLY, &txn));

	if (got != 0)
		return fail(err, got, "begin");
	got = SAFE(db, mdb_dbi_open(txn, NULL, 0, &main));
	if (got == 0)
		got = SAFE(db, mdb_stat(txn, main, &stat));
	for (i = 0; i < count && got == 0; i++)
		got = SAFE(db,
			mdb_dbi_open(txn, tables[i], write && stat.ms_entries == 0 ? MDB_CREATE : 0,
				&db->tables[i]));
	if (got == 0)
		got = SAFE(db, mdb_txn_commit(txn));
	else
		enter(db), mdb_txn_abort(txn), leave(0);
	return got == 0 ? 0 : fail(err, got, "open");
}

/* In LMDB 0.9.27 to 0.9.31 the last process that closes a database destroys the mutexes of its lock
 * file, even if another one has just begun to open it; that one gets EINVAL from then on
 * (ITS#10095). Opening it again makes new mutexes. */
static bool stale_locks(const struct db *db, MDB_env *env)
{
	MDB_txn *txn;
	int got = SAFE(db, mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));

	if (got == 0)
		enter(db), mdb_txn_abort(txn), leave(0);
	return got == EINVAL;
}

static int try_env(
	const struct db *db, MDB_env **env, const char *path, uint64_t map, unsigned flags)
{
	int got = mdb_env_create(env);

	if (got == 0)
		got = mdb_env_set_assert(*env, on_assert);
	if (got == 0)
		got = mdb_env_set_maxdbs(*env, DB_TABLES_MAX);
	if (got == 0)
		got = mdb_env_set_maxreaders(*env, READERS);
	if (got == 0)
		got = mdb_env_set_mapsize(*env, map);
	return got == 0 ? SAFE(db, mdb_env_open(*env, path, flags, 0600)) : got;
}

/* Opens an environment at a path. The caller must close *env even if this
 * fails. */
static int open_env(
	const struct db *db, MDB_env **env, const char *path, uint64_t map, unsigned flags)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int tries = TRIES, got;

	while ((got = try_env(db, env, path, map, flags)) == 0 && stale_locks(db, *env) &&
		--tries > 0) {
		enter(db), mdb_env_close(*env), leave(0);
		nanosleep(&pause, NULL);
	}
	return got;
}

static struct db *db_new(const char *path, struct err *err)
{
	struct db *db = calloc(1, sizeof *db);

	if (db == NULL || (db->path = strdup(path)) == NULL) {
		free(db);
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	if (enlist(db, err) == 0)
		return db;
	db_close(db);
	return NULL;
}

struct db *db_open(const char *path, const char *const *tables, size_t count, uint64_t map,
	bool write, struct err *err)
{
	struct db *db = db_new(path, err);
	unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (write ? 0 : MDB_RDONLY);
	int got, dead;

	if (db == NULL)
		return NULL;
	if (have_files(path, write, err) != 0) {
		db_close(db);
		return NULL;
	}
	got = open_env(db, &db->env, path, map, flags);
	if (got == EROFS && !write) /* a read-only medium needs no lock */
		got = SAFE(db, mdb_env_open(db->env, path, flags | MDB_NOLOCK, 0600));
	if (got == 0)
		mdb_reader_check(db->env, &dead);
	else if (got == EACCES && !write)
		err_set(err, ERR_DENIED, "index: open: %s", strerror(got));
	else
		fail(err, got, "open");
	if (got == 0 && open_tables(db, tables, count, write, err) == 0)
		return db;
	db_close(db);
	return NULL;
}

/* Copies the database in its current state. Returns 0, or -1 with err set. */
static int copy_to(struct db *db, int fd, uint64_t map, struct err *err)
{
	MDB_env *from = NULL;
	int got = open_env(db, &from, db->path, map, COPIED);

	if (got == 0)
		got = SAFE(db, mdb_env_copyfd(from, fd));
	if (from != NULL)
		enter(db), mdb_env_close(from), leave(0);
	return got == 0 ? 0 : fail(err, got, "copy");
}

struct db *db_open_copy(
	const char *path, const char *const *tables, size_t count, uint64_t map, struct err *err)
{
	struct db *db = db_new(path, err);
	char copy[FS_PROC_MAX];
	struct err why = {0};
	int got = -1, fd = -1;

	if (db != NULL && (fd = fs_temporary(&why)) < 0 &&
		(fd = memfd_create("fdump-index", MFD_CLOEXEC)) < 0) /* fall back to memory */
		*err = why;
	if (fd >= 0 && copy_to(db, fd, map, err) == 0) {
		fs_proc_path(fd, copy);
		got = open_env(db, &db->env, copy, map, COPIED | MDB_NOSUBDIR);
		if (got != 0)
			fail(err, got, "open the copy");
	}
	fs_close(fd);
	if (got == 0 && open_tables(db, tables, count, false, err) == 0)
		return db;
	db_close(db);
	return NULL;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	if (db->env != NULL)
		enter(db), mdb_env_close(db->env), leave(0);
	pthread_mutex_lock(&opened_lock);
	if (db->pid != 0) /* it is in the list */
		LIST_REMOVE(db, link);
	pthread_mutex_unlock(&opened_lock);
	free(db->path);
	free(db);
}

int db_begin(struct db *db, bool write, struct db_txn **txn, struct err *err)
{
	struct db_txn *t = mem_new(sizeof *t, err);
	int got;

	if (t == NULL)
		return -1;
	t->db = db;
	got = SAFE(db, mdb_txn_begin(db->env, NULL, write ? 0 : MDB_RDONLY, &t->txn));
	if (got != 0) {
		free(t);
		return fail(err, got, "begin");
	}
	*txn = t;
	return 0;
}

static void close_cursors(struct db_txn *t)
{
	size_t i;

	for (i = 0; i < DB_TABLES_MAX; i++)
		if (t->cursors[i] != NULL)
			mdb_cursor_close(t->cursors[i]);
}

int db_commit(struct db_txn *t, struct err *err)
{
	struct statvfs vfs;
	struct rlimit limit;
	int got;

	enter(t->db);
	close_cursors(t);
	got = leave(mdb_txn_commit(t->txn));
	/* LMDB reports a short write as EIO too. */
	if (got == EIO && statvfs(t->db->path, &vfs) == 0 && vfs.f_bavail * vfs.f_bsize < ROOM)
		got = ENOSPC;
	if (got == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		got = MDB_CORRUPTED; /* the number of a page that can't exist */
	free(t);
	return got == 0 ? 0 : fail(err, got, "commit");
}

void db_abort(struct db_txn *t)
{
	if (t == NULL)
		return;
	enter(t->db);
	close_cursors(t);
	mdb_txn_abort(t->txn);
	leave(0);
	free(t);
}

static MDB_val val(struct db_bytes b)
{
	return (MDB_val){b.len, (void *)(uintptr_t)b.at};
}

/* Reads the last byte, to prove that the value can be read to its end. */
static int touch(int got, const MDB_val *v)
{
	if (got == 0 && v->mv_size > 0)
		(void)((const volatile char *)v->mv_data)[v->mv_size - 1];
	return got;
}

int db_get(struct db_txn *t, unsigned table, struct db_bytes key, struct db_bytes *value,
	struct err *err)
{
	MDB_val k = val(key), v;
	int got = SAFE(t->db, touch(mdb_get(t->txn, t->db->tables[table], &k, &v), &v));

	if (got == MDB_NOTFOUND)
		return 1;
	if (got != 0)
		return fail(err, got, "read");
	*value = (struct db_bytes){v.mv_data, v.mv_size};
	return 0;
}

int db_put(struct db_txn *t, unsigned table, struct db_bytes key, struct db_bytes value,
	struct err *err)
{
	MDB_val k = val(key), v = val(value);
	int got = SAFE(t->db, mdb_put(t->txn, t->db->tables[table], &k, &v, 0));

	return got == 0 ? 0 : fail(err, got, "write");
}

int db_del(struct db_txn *t, unsigned table, struct db_bytes key, struct err *err)
{
	MDB_val k = val(key);
	int got = SAFE(t->db, mdb_del(t->txn, t->db->tables[table], &k, NULL));

	if (got == MDB_NOTFOUND)
		return 1;
	return got == 0 ? 0 : fail(err, got, "delete");
}

/* Moves on from the table's cursor if it is at the given key; searches for the
 * key otherwise. */
static int step(MDB_cursor *cursor, struct db_bytes *key, MDB_val *k, MDB_val *v)
{
	MDB_val want = val(*key), at, none;
	int got;

	if (key->at == NULL)
		return mdb_cursor_get(cursor, k, v, MDB_FIRST);
	if (mdb_cursor_get(cursor, &at, &none, MDB_GET_CURRENT) == 0 && at.mv_data == key->at)
		return mdb_cursor_get(cursor, k, v, MDB_NEXT);
	*k = want;
	got = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
	if (got == 0 && k->mv_size == want.mv_size &&
		mdb_cmp(mdb_cursor_txn(cursor), mdb_cursor_dbi(cursor), k, &want) == 0)
		got = mdb_cursor_get(cursor, k, v, MDB_NEXT);
	return got;
}

int db_next(struct db_txn *t, unsigned table, struct db_bytes *key, struct db_bytes *value,
	struct err *err)
{
	MDB_val k, v;
	int got = 0;

	if (t->cursors[table] == NULL)
		got = SAFE(
			t->db, mdb_cursor_open(t->txn, t->db->tables[table], &t->cursors[table]));
	if (got == 0)
		got = SAFE(t->db, touch(touch(step(t->cursors[table], key, &k, &v), &k), &v));
	if (got == MDB_NOTFOUND)
		return 1;
	if (got != 0)
		return fail(err, got, "read");
	*key = (struct db_bytes){k.mv_data, k.mv_size};
	*value = (struct db_bytes){v.mv_data, v.mv_size};
	return 0;
}

int db_count(struct db_txn *t, unsigned table, uint64_t *count, struct err *err)
{
	MDB_stat stat;
	int got = SAFE(t->db, mdb_stat(t->txn, t->db->tables[table], &stat));

	if (got != 0)
		return fail(err, got, "count");
	*count = stat.ms_entries;
	return 0;
}
