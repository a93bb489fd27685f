/* A stack under a lock. Modes are changed with the lock held. */
#include "pack/widen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fs.h"
#include "lib/mem.h"
#include "lib/mutex.h"

struct wide {
	int fd; /* a duplicate descriptor */
	mode_t mode;
};

struct pack_widen {
	struct mutex lock;
	struct wide wides[PACK_WIDEN_MAX];
	size_t count;
	bool ended;
};

struct pack_widen *pack_widen_new(struct err *err)
{
	struct pack_widen *w = mem_new(sizeof *w, err);

	if (w != NULL)
		mutex_init(&w->lock);
	return w;
}

void pack_widen_free(struct pack_widen *w)
{
	if (w == NULL)
		return;
	pack_widen_back(w);
	mutex_fini(&w->lock);
	free(w);
}

static bool may_change(const struct stat *st)
{
	/* Only a member of its group could restore a set-group-id bit. */
	return st->st_uid == geteuid() && (st->st_mode & S_IRWXU) != S_IRWXU &&
	       (!(st->st_mode & S_ISGID) || st->st_gid == getegid());
}

/* Widens the directory that path_fd refers to, and opens it. Returns as pack_widen_open. */
static int widen(struct pack_widen *w, int path_fd, const struct stat *st)
{
	char path[FS_PROC_MAX];
	int fd = -1, copy = -1;

	fs_proc_path(path_fd, path);
	mutex_lock(&w->lock);
	if (w->ended || w->count == PACK_WIDEN_MAX)
		errno = EACCES;
	else if (chmod(path, (st->st_mode & 07777) | S_IRWXU) == 0) {
		fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
		if (copy >= 0)
			w->wides[w->count++] = (struct wide){copy, st->st_mode & 07777};
		else
			chmod(path, st->st_mode & 07777);
	}
	mutex_unlock(&w->lock);
	if (copy < 0 && fd >= 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int pack_widen_open(struct pack_widen *w, int parent, const char *name, bool *wide)
{
	const int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, O_RDONLY | flags), path_fd, wider, saved;
	struct stat st;

	*wide = false;
	if (fd >= 0 && (fstat(fd, &st) != 0 || !may_change(&st) ||
			       faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0))
		return fd;
	if (fd < 0 && errno != EACCES)
		return -1;
	path_fd = fd >= 0 ? fd : openat(parent, name, O_PATH | flags);
	if (path_fd < 0)
		return -1;
	wider = fstat(path_fd, &st) == 0 && may_change(&st) ? widen(w, path_fd, &st) : -1;
	*wide = wider >= 0;
	if (wider < 0 && fd >= 0)
		return fd; /* write permission may not be needed */
	saved = wider < 0 ? EACCES : errno;
	close(path_fd);
	errno = saved;
	return wider;
}

int pack_widen_narrow(struct pack_widen *w, bool keep)
{
	struct wide wide = {-1, 0};
	int ret = 0, saved = 0;

	mutex_lock(&w->lock);
	assert(w->count > 0 || w->ended);
	if (w->count > 0) {
		wide = w->wides[--w->count];
		if (!keep)
			ret = fchmod(wide.fd, wide.mode);
		saved = errno;
		close(wide.fd);
	}
	mutex_unlock(&w->lock);
	errno = saved;
	return ret;
}

void pack_widen_back(struct pack_widen *w)
{
	mutex_lock(&w->lock);
	w->ended = true;
	while (w->count > 0) {
		w->count--;
		fchmod(w->wides[w->count].fd, w->wides[w->count].mode);
		close(w->wides[w->count].fd);
	}
	mutex_unlock(&w->lock);
}
