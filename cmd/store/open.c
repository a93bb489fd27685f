/* A store made, opened, closed. What is read from it: read.c. */
#include "cmd/store/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/store/inner.h"
#include "lib/db.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"

#define ABOUT     "fdump-store"
#define ABOUT_MAX 512
#define IDENTITY  "identity"
#define POLL_MS   50
#define WHO_MAX   96 /* bytes that the lock file has */
#define WHOM_MAX  (ESC_MAX(WHO_MAX) + 32)

int64_t engine_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* --- making -------------------------------------------------------------- */

static char *join(const char *dir, const char *name, struct err *err)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) >= 0)
		return path;
	err_set(err, ERR_NOMEM, "out of memory");
	return NULL;
}

/* Returns 0, or -1 with err set. */
static int must_be_empty(const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int ret;

	if (dir == NULL)
		return err_errno(err, errno, "%s", path);
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry != NULL &&
		 (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (entry != NULL)
		ret = err_set(err, ERR_EXISTS, "%s: is not empty", path);
	else
		ret = errno != 0 ? err_errno(err, errno, "%s", path) : 0;
	closedir(dir);
	return ret;
}

/* A directory that is there stays, with its owner and mode: a mount point, say. */
static int make_folders(const char *path, struct err *err)
{
	static const char *const names[] = {"volumes", "index"};
	const bool made = mkdir(path, 0700) == 0;
	size_t i;

	if (!made && errno != EEXIST)
		return err_errno(err, errno, "%s", path);
	if (!made && must_be_empty(path, err) != 0)
		return -1;
	for (i = 0; i < 2; i++) {
		char *folder = join(path, names[i], err);
		int got = folder == NULL ? -1 : mkdir(folder, 0700);

		if (got != 0 && folder != NULL)
			err_errno(err, errno, "%s", folder);
		free(folder);
		if (got != 0)
			return -1;
	}
	return 0;
}

static int write_file(
	const char *path, const char *name, const void *bytes, size_t len, struct err *err)
{
	char *file = join(path, name, err);
	int got = file != NULL ? file_write_new(file, bytes, len, 0600, err) : -1;

	free(file);
	return got;
}

static int write_about(const char *path, const uint8_t *uid, const uint8_t *public,
	uint64_t reserve, struct err *err)
{
	char uid_text[2 * STORE_UID_LEN + 1], public_text[2 * SEAL_SIGN_LEN + 1], about[ABOUT_MAX];
	char *file = join(path, ABOUT, err);
	int got = -1, len;

	esc_hex(uid_text, uid, STORE_UID_LEN);
	esc_hex(public_text, public, SEAL_SIGN_LEN);
	len = snprintf(about, sizeof about,
		"fdump-store 1\nuid %s\npublic %s\nreserve %" PRIu64 "\n", uid_text, public_text,
		reserve);
	if (file != NULL)
		got = file_write(file, about, (size_t)len, 0600, err);
	free(file);
	return got;
}

/* The row without which an index is none. */
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
	struct db *db = NULL;
	char *index = NULL;
	int got = -1;

	if (seal_random(uid, sizeof uid, err) != 0 || seal_sign_new(secret, public, err) != 0 ||
		make_folders(path, err) != 0)
		return -1;
	index = join(path, "index", err);
	if (index != NULL)
		db = store_index_open(index, true, err);
	/* The file that makes it a store comes last. */
	if (db != NULL && put_first_meta(db, err) == 0 &&
		write_file(path, IDENTITY, secret, sizeof secret, err) == 0 &&
		write_about(path, uid, public, reserve, err) == 0)
		got = 0;
	db_close(db);
	free(index);
	seal_wipe(secret, sizeof secret);
	return got;
}

/* --- opening ------------------------------------------------------------- */

static int unhex(const char *text, uint8_t *bytes, size_t len)
{
	size_t i;
	unsigned byte;

	for (i = 0; i < len; i++, text += 2) {
		if (sscanf(text, "%2x", &byte) != 1)
			return -1;
		bytes[i] = (uint8_t)byte;
	}
	return 0;
}

int engine_is_none(const char *path, struct err *err)
{
	return err_set(err, ERR_NOTFOUND,
		"%s: is no store: a store is a directory that fdump store init made", path);
}

static int read_about(struct engine *s, struct err *err)
{
	char text[ABOUT_MAX + 1], uid[2 * STORE_UID_LEN + 1], public[2 * SEAL_SIGN_LEN + 1];
	char *path = join(s->path, ABOUT, err);
	int version = 0, got;
	size_t len;

	if (path == NULL)
		return -1;
	got = file_read(path, text, ABOUT_MAX, &len, NULL, err);
	free(path);
	if (got != 0)
		return err->code == ERR_NOTFOUND ? engine_is_none(s->path, err) : -1;
	text[len] = 0;
	got = sscanf(text, "fdump-store %d\nuid %32[0-9a-f]\npublic %64[0-9a-f]\nreserve %" SCNu64,
		&version, uid, public, &s->reserve);
	if (got >= 1 && version != 1)
		return err_set(
			err, ERR_UNSUPPORTED, "%s: is a store of version %d", s->path, version);
	if (got != 4 || unhex(uid, s->uid, sizeof s->uid) != 0 ||
		unhex(public, s->public, sizeof s->public) != 0)
		return err_set(err, ERR_FORMAT, "%s/%s: is malformed", s->path, ABOUT);
	return 0;
}

static int read_identity(struct engine *s, struct err *err)
{
	char *path = join(s->path, IDENTITY, err);
	size_t len;
	int got;

	if (path == NULL)
		return -1;
	got = file_read(path, s->secret, sizeof s->secret, &len, NULL, err);
	free(path);
	if (got == 0 && len != sizeof s->secret)
		got = err_set(err, ERR_FORMAT, "%s/%s: is malformed", s->path, IDENTITY);
	return got;
}

int engine_mend_identity(const char *path, struct err *err)
{
	struct engine s = {.path = strdup(path)};
	struct err why = {0};
	bool about, identity;
	char *file = s.path != NULL ? join(path, IDENTITY, err) : NULL;
	int got = -1;

	if (file == NULL)
		goto out;
	about = read_about(&s, &why) == 0;
	identity = (about || why.code == ERR_NOTFOUND || why.code == ERR_FORMAT) &&
		   read_identity(&s, &why) == 0;
	if (!identity && why.code != ERR_NOTFOUND && why.code != ERR_FORMAT) {
		*err = why;
		goto out;
	}
	got = 0;
	if (about && identity)
		goto out;
	if (!about)
		s.reserve = 0;
	if ((!about && seal_random(s.uid, sizeof s.uid, err) != 0) ||
		(identity ? seal_sign_public(s.secret, s.public, err)
			  : seal_sign_new(s.secret, s.public, err)) != 0 ||
		write_about(path, s.uid, s.public, s.reserve, err) != 0 ||
		(!identity && file_write(file, s.secret, sizeof s.secret, 0600, err) != 0))
		got = -1;
	else
		got = 1;
out:
	seal_wipe(s.secret, sizeof s.secret);
	free(s.path);
	free(file);
	return got;
}

/* --- locks --------------------------------------------------------------- */

/* Who is waited for, in words. */
static void whom(int fd, short type, off_t byte, char text[WHOM_MAX])
{
	char said[WHO_MAX], who[ESC_MAX(WHO_MAX)] = "another process";
	ssize_t len;

	if (byte == 0) {
		len = pread(fd, said, sizeof said - 1, 0);
		said[len > 0 ? len : 0] = 0;
		if (strcspn(said, "\n") > 0)
			esc_name(who, sizeof who, said, strcspn(said, "\n"));
		snprintf(text, WHOM_MAX, "%s writes to it", who);
	} else if (byte == 1) {
		snprintf(text, WHOM_MAX, "is being read from, maybe a dump that was deleted");
	} else if (byte == 3 && type == F_WRLCK) {
		snprintf(text, WHOM_MAX, "its index is being opened");
	} else {
		snprintf(text, WHOM_MAX,
			type == F_RDLCK ? "its index is being rebuilt" : "it is being scrubbed");
	}
}

/* For people: who writes. A disk may be full. */
static void sign_lock(int fd)
{
	char host[65] = "", text[WHO_MAX];
	int len;

	gethostname(host, sizeof host - 1);
	len = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return;
}

/* Returns 0; 1: not to be had in time; -1 with errno set. */
static int take_lock(
	int fd, short type, off_t byte, const struct engine_wait *wait, const char *path)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	struct timespec pause = {0, POLL_MS * 1000000L};
	char who[WHOM_MAX], text[4400];
	int64_t waited;

	for (waited = 0; fcntl(fd, F_OFD_SETLK, &lock) != 0; waited += POLL_MS) {
		if (errno != EAGAIN && errno != EACCES)
			return -1;
		if (waited / 1000 >= wait->sec)
			return 1;
		if (waited == 1000 && wait->waits != NULL) {
			whom(fd, type, byte, who);
			snprintf(text, sizeof text, "%s: %s: waiting, at most %lld s", path, who,
				(long long)wait->sec);
			wait->waits(wait->ctx, text);
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* For locks that are held for moments: there is nobody to wait for. */
static const struct engine_wait moments = {.sec = STORE_LOCK_SEC};

int engine_lock_byte(int fd, short type, off_t byte, const struct engine_wait *wait,
	const char *path, struct err *err)
{
	char who[WHOM_MAX];
	int got = take_lock(fd, type, byte, byte == 3 ? &moments : wait, path);

	if (got < 0)
		return err_errno(err, errno, "%s/lock", path);
	if (got > 0) {
		whom(fd, type, byte, who);
		return err_set(err, ERR_BUSY, "%s: %s (waited %lld s%s)", path, who,
			(long long)(byte == 3 ? moments.sec : wait->sec),
			byte == 3 ? "" : ": --lock-wait");
	}
	if (byte == 0)
		sign_lock(fd);
	return 0;
}

static int lock_writer(struct engine *s, struct err *err)
{
	s->lock_fd = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_errno(err, errno, "%s/lock", s->path);
	return engine_lock_byte(s->lock_fd, F_WRLCK, 0, &s->wait, s->path, err);
}

/* Where there can't be locks, nobody collects garbage either, or a reader does without. */
static void lock_reader(struct engine *s)
{
	s->lock_fd = openat(s->dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (s->lock_fd >= 0)
		take_lock(s->lock_fd, F_RDLCK, 1, &moments, s->path);
}

/* A rebuild would take the index away. */
static int lock_tender(struct engine *s, struct err *err)
{
	s->lock_fd = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_errno(err, errno, "%s/lock", s->path);
	return engine_lock_byte(s->lock_fd, F_RDLCK, 2, &s->wait, s->path, err);
}

static int lock_store(struct engine *s, struct err *err)
{
	switch (s->mode) {
	case ENGINE_WRITE:
		return lock_writer(s, err);
	case ENGINE_TEND:
		return lock_tender(s, err);
	default:
		lock_reader(s);
		return 0;
	}
}

static void unlock(int fd, off_t byte)
{
	struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	fcntl(fd, F_OFD_SETLK, &none);
}

int engine_wait_readers(struct engine *s, struct err *err)
{
	if (engine_lock_byte(s->lock_fd, F_WRLCK, 1, &s->wait, s->path, err) != 0)
		return -1;
	unlock(s->lock_fd, 1);
	return 0;
}

/* The index, for who may read the store and not write to it: a copy, made while nobody writes. */
static struct db *copy_index(struct engine *s, const char *path, struct err *err)
{
	struct db *db;
	int got = s->lock_fd >= 0 ? take_lock(s->lock_fd, F_RDLCK, 0, &s->wait, s->path) : 0;

	if (got < 0) {
		err_errno(err, errno, "lock");
		return NULL;
	}
	if (got > 0) {
		err_set(err, ERR_BUSY,
			"somebody writes to it: who may not write to it himself can't begin to "
			"read meanwhile (try again later)");
		return NULL;
	}
	db = store_index_copy(path, err);
	if (s->lock_fd >= 0)
		unlock(s->lock_fd, 0);
	return db;
}

/* Its files are of one folder: a rebuild does not put another one in its place meanwhile. */
static int open_index(struct engine *s, struct err *err)
{
	char *path = join(s->path, "index", err);
	struct err why = {0};
	struct db_txn *txn;
	int got;

	if (path == NULL)
		return -1;
	if (s->mode == ENGINE_READ && s->lock_fd >= 0)
		take_lock(s->lock_fd, F_RDLCK, 3, &moments, s->path);
	s->db = store_index_open(path, s->mode != ENGINE_READ, &why);
	if (s->db == NULL && s->mode == ENGINE_READ && why.code == ERR_DENIED)
		s->db = copy_index(s, path, err);
	else if (s->db == NULL)
		*err = why;
	if (s->mode == ENGINE_READ && s->lock_fd >= 0)
		unlock(s->lock_fd, 3);
	free(path);
	if (s->db == NULL && err->code == ERR_NOTFOUND)
		err_set(err, ERR_DAMAGE, "index: it is lost (fdump store rebuild makes it anew)");
	if (s->db == NULL || db_begin(s->db, false, &txn, err) != 0)
		return err_prefix(err, "%s", s->path);
	got = store_meta_get(txn, &s->meta, err);
	db_abort(txn);
	if (got == 1)
		err_set(err, ERR_DAMAGE, "index: it is lost (fdump store rebuild makes it anew)");
	return got != 0 ? err_prefix(err, "%s", s->path) : 0;
}

static int open_writer(struct engine *s, struct err *err)
{
	s->pending = calloc(ENGINE_PENDING_MAX, sizeof *s->pending);
	s->slots = calloc(4 * (size_t)ENGINE_PENDING_MAX, sizeof *s->slots);
	s->block = malloc(PACK_BLOCK_HEADER + PACK_BLOCK_VOLUME_MAX);
	if (s->pending == NULL || s->slots == NULL || s->block == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	return engine_recover(s, err);
}

int engine_check_files(const char *path, bool index, struct err *err)
{
	static const struct {
		const char *name;
		mode_t type;
		bool index;
	} files[] = {{ABOUT, S_IFREG, false}, {IDENTITY, S_IFREG, false}, {"lock", S_IFREG, false},
		{"quotas", S_IFREG, false}, {"volumes", S_IFDIR, false}, {"index", S_IFDIR, true},
		{"index/data.mdb", S_IFREG, true}, {"index/lock.mdb", S_IFREG, true}};
	char file[4200];
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(file, sizeof file, "%.4096s/%s", path, files[i].name);
		if ((files[i].index && !index) || lstat(file, &st) != 0 ||
			(st.st_mode & S_IFMT) == files[i].type)
			continue;
		return err_set(err, ERR_CONFIG,
			"%s: is no %s: somebody else has written to the store's folder", file,
			files[i].type == S_IFREG ? "regular file" : "directory");
	}
	return 0;
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
	pthread_mutex_init(&s->writer, NULL);
	pthread_mutex_init(&s->lock, NULL);
	buf_init(&s->quotas, SIZE_MAX);
	buf_init(&s->cut, SIZE_MAX);
	if (engine_check_files(path, true, err) != 0 || read_about(s, err) != 0 ||
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
	if ((mode == ENGINE_WRITE && read_identity(s, err) != 0) || lock_store(s, err) != 0 ||
		open_index(s, err) != 0 || (mode == ENGINE_WRITE && open_writer(s, err) != 0))
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
	buf_fini(&s->cut);
	store_volume_close(&s->current);
	if (s->volumes >= 0)
		close(s->volumes);
	if (s->dir >= 0)
		close(s->dir);
	if (s->lock_fd >= 0)
		close(s->lock_fd); /* and with it the lock */
	seal_wipe(s->secret, sizeof s->secret);
	pthread_mutex_destroy(&s->writer);
	pthread_mutex_destroy(&s->lock);
	free(s->pending);
	free(s->slots);
	free(s->block);
	free(s->domains);
	store_marks_fini(&s->read);
	free(s->path);
	free(s);
}

const char *engine_path(const struct engine *s)
{
	return s->path;
}

const uint8_t *engine_uid(const struct engine *s)
{
	return s->uid;
}

const uint8_t *engine_public(const struct engine *s)
{
	return s->public;
}
