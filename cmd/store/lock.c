/* The locks are on bytes of a file, and belong to the open file description: F_OFD_SETLK. */
#include "cmd/store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/store/state.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"

#define POLL_MS  50
#define WHO_MAX  96 /* bytes of the lock file that are read */
#define WHOM_MAX (ESC_MAX(WHO_MAX) + 32)

/* For locks that are only held for moments. */
static const struct engine_wait moments = {.sec = STORE_LOCK_SEC};

/* Describes who holds the lock. */
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
		snprintf(text, WHOM_MAX, "is being read");
	} else if (byte == 3 && type == F_WRLCK) {
		snprintf(text, WHOM_MAX, "its index is being opened");
	} else {
		snprintf(text, WHOM_MAX,
			type == F_RDLCK ? "its index is being rebuilt" : "it is being scrubbed");
	}
}

/* Writes the owner's name to the lock file, for people. Errors do not matter: the disk may be
 * full. */
static void sign_lock(int fd)
{
	char host[65] = "", text[WHO_MAX];
	int len;

	gethostname(host, sizeof host - 1);
	len = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return;
}

int engine_try_byte(
	int fd, short type, off_t byte, const struct engine_wait *wait, const char *path)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	struct timespec pause = {0, POLL_MS * 1000000L};
	char who[WHOM_MAX], text[4400];
	int64_t waited;

	if (wait == NULL)
		wait = &moments;
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

int engine_lock_byte(int fd, short type, off_t byte, const struct engine_wait *wait,
	const char *path, struct err *err)
{
	char who[WHOM_MAX];
	int got = engine_try_byte(fd, type, byte, byte == 3 ? &moments : wait, path);

	if (got < 0)
		return err_errno(err, errno, "%s/lock", path);
	if (got > 0) {
		whom(fd, type, byte, who);
		return err_set(err, ERR_BUSY, "%s: %s (waited %lld s%s)%s", path, who,
			(long long)(byte == 3 ? moments.sec : wait->sec),
			byte == 3 ? "" : ": --lock-wait",
			byte == 0 ? "; if that is the store's service: give its name, as an "
				    "operator (-s NAME); 'fdump store' needs it to be stopped"
				  : "");
	}
	if (byte == 0)
		sign_lock(fd);
	return 0;
}

int engine_lock_store(struct engine *s, struct err *err)
{
	bool writes = s->mode == ENGINE_WRITE;

	if (s->mode == ENGINE_READ) {
		/* If it can't lock, a reader goes on without. Where locks don't work, gc doesn't
		 * run either; in other cases nothing protects the reader from gc. */
		s->lock_fd = openat(s->dir, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (s->lock_fd >= 0)
			engine_try_byte(s->lock_fd, F_RDLCK, 1, &moments, s->path);
		return 0;
	}
	/* Byte 2 keeps a rebuild from replacing the index during a scrub. */
	s->lock_fd = fs_open_owned(s->dir, "lock", O_RDWR, 0600);
	if (s->lock_fd < 0)
		return err_errno(err, errno, "%s/lock", s->path);
	return engine_lock_byte(
		s->lock_fd, writes ? F_WRLCK : F_RDLCK, writes ? 0 : 2, &s->wait, s->path, err);
}

void engine_unlock_byte(int fd, off_t byte)
{
	struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	fcntl(fd, F_OFD_SETLK, &none);
}

int engine_wait_readers(struct engine *s, struct err *err)
{
	if (engine_lock_byte(s->lock_fd, F_WRLCK, 1, &s->wait, s->path, err) != 0)
		return -1;
	engine_unlock_byte(s->lock_fd, 1);
	return 0;
}
