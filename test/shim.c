/*
 * Preloaded (LD_PRELOAD) before a program under test:
 *
 *   SHIM_SHORT=SEED       reads and writes are short at random; some fail with EINTR
 *   SHIM_MALLOC=N         the N-th allocation fails
 *   SHIM_MALLOC_FROM=N    the N-th and all later ones fail
 *   SHIM_MAP=BYTES        LMDB's file can't grow beyond this
 *   SHIM_CLOCK=FILE       the wall clock is read from the file, in seconds
 *   SHIM_AGED=SECONDS     files seem to have changed (ctime) so much earlier
 *   SHIM_IPV4=1           the kernel has no IPv6
 *   SHIM_SAID=FILE        is created when a fault has been injected
 *
 * Allocations before the program's main are not counted: they are the loader's.
 * Nor are those that the C library makes for lookups of users and groups: glibc
 * 2.36 crashes there (nss_database_check_reload_and_get, when it gets no
 * memory).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static atomic_ulong counted, fail_at, fail_from, seed;
static const char *said, *clock_file;
static time_t aged;
static int begun;

__attribute__((constructor)) static void begin(void)
{
	const char *text;

	said = getenv("SHIM_SAID");
	if ((text = getenv("SHIM_SHORT")) != NULL)
		seed = strtoul(text, NULL, 10);
	if ((text = getenv("SHIM_MALLOC")) != NULL)
		fail_at = strtoul(text, NULL, 10);
	if ((text = getenv("SHIM_MALLOC_FROM")) != NULL)
		fail_from = strtoul(text, NULL, 10);
	if ((text = getenv("SHIM_AGED")) != NULL)
		aged = (time_t)strtoul(text, NULL, 10);
	clock_file = getenv("SHIM_CLOCK");
	begun = 1;
}

static void say(void)
{
	int saved = errno, fd;

	if (said != NULL &&
		(fd = (int)syscall(SYS_openat, AT_FDCWD, said, O_WRONLY | O_CREAT, 0600)) >= 0)
		syscall(SYS_close, fd);
	errno = saved;
}

/* --- short reads and writes --------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014), one state for all threads. */
static uint64_t chance(void)
{
	uint64_t z = atomic_fetch_add(&seed, 0x9e3779b97f4a7c15u) + 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* How many of len bytes are transferred; 0: fail with EINTR. */
static size_t some(size_t len)
{
	uint64_t r = chance();

	if (len == 0)
		return len;
	if (r % 16 == 0) {
		errno = EINTR;
		return 0;
	}
	if (r % 4 == 0)
		return len;
	say();
	return r % 4 == 1 ? 1 : 1 + chance() % len;
}

#define SHORT(number, ...)                                                                         \
	do {                                                                                       \
		if (seed != 0 && len > 0 && (len = some(len)) == 0)                                \
			return -1;                                                                 \
		return syscall(number, __VA_ARGS__);                                               \
	} while (0)

ssize_t read(int fd, void *to, size_t len)
{
	SHORT(SYS_read, fd, to, len);
}

ssize_t write(int fd, const void *from, size_t len)
{
	SHORT(SYS_write, fd, from, len);
}

ssize_t pread(int fd, void *to, size_t len, off_t at)
{
	SHORT(SYS_pread64, fd, to, len, at);
}

ssize_t pread64(int fd, void *to, size_t len, off_t at)
{
	SHORT(SYS_pread64, fd, to, len, at);
}

ssize_t pwrite(int fd, const void *from, size_t len, off_t at)
{
	SHORT(SYS_pwrite64, fd, from, len, at);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off_t at)
{
	SHORT(SYS_pwrite64, fd, from, len, at);
}

/* Fills the vectors up to a part of their total length. */
static ssize_t vectors(long number, int fd, const struct iovec *v, int count)
{
	struct iovec cut[16];
	size_t len = 0, left;
	int i;

	if (seed == 0 || count > 16)
		return syscall(number, fd, v, count);
	for (i = 0; i < count; i++)
		len += v[i].iov_len;
	if (len > 0 && (len = some(len)) == 0)
		return -1;
	left = len;
	for (i = 0; i < count; i++) {
		cut[i] = v[i];
		if (cut[i].iov_len > left)
			cut[i].iov_len = left;
		left -= cut[i].iov_len;
	}
	return syscall(number, fd, cut, count);
}

ssize_t readv(int fd, const struct iovec *v, int count)
{
	return vectors(SYS_readv, fd, v, count);
}

ssize_t writev(int fd, const struct iovec *v, int count)
{
	return vectors(SYS_writev, fd, v, count);
}

/* --- time ---------------------------------------------------------------- */

int clock_gettime(clockid_t id, struct timespec *now)
{
	char text[32] = "";
	int ret = (int)syscall(SYS_clock_gettime, id, now), fd;

	if (clock_file != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) &&
		(fd = (int)syscall(SYS_openat, AT_FDCWD, clock_file, O_RDONLY)) >= 0) {
		if (syscall(SYS_read, fd, text, sizeof text - 1) > 0)
			*now = (struct timespec){.tv_sec = (time_t)strtoull(text, NULL, 10)};
		syscall(SYS_close, fd);
	}
	return ret;
}

time_t time(time_t *to)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (to != NULL)
		*to = now.tv_sec;
	return now.tv_sec;
}

/* fstatat and fstat, as a program with _FILE_OFFSET_BITS=64 calls them. */
int fstatat64(int dir, const char *name, struct stat64 *st, int flags)
{
	static int (*next)(int, const char *, struct stat64 *, int);
	int got;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "fstatat64");
	got = next(dir, name, st, flags);
	if (got == 0)
		st->st_ctim.tv_sec -= aged;
	return got;
}

int fstat64(int fd, struct stat64 *st)
{
	return fstatat64(fd, "", st, AT_EMPTY_PATH);
}

/* --- sockets -------------------------------------------------------------- */

int socket(int domain, int type, int protocol)
{
	if (domain == AF_INET6 && getenv("SHIM_IPV4") != NULL) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return (int)syscall(SYS_socket, domain, type, protocol);
}

/* --- LMDB ---------------------------------------------------------------- */

int mdb_env_set_mapsize(void *env, size_t size)
{
	int (*next)(void *, size_t);
	const char *text = getenv("SHIM_MAP");

	*(void **)&next = dlsym(RTLD_NEXT, "mdb_env_set_mapsize");
	return next(env, text != NULL ? strtoul(text, NULL, 10) : size);
}

/* --- allocations -------------------------------------------------------- */

static _Thread_local int exempt;

static int fails(void)
{
	unsigned long n, one = fail_at, from = fail_from;

	if (!begun || exempt || (one == 0 && from == 0))
		return 0;
	n = ++counted;
	if (n != one && (from == 0 || n < from))
		return 0;
	say();
	errno = ENOMEM;
	return 1;
}

#ifdef SHIM_NEXT /* over a sanitizer's allocator, which is next in the order */
static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t),
	*(*next_realloc)(void *, size_t);

/* While dlsym looks, its own allocations (for a message) fail. */
static int looking;

#define NEXT(name)                                                                                 \
	do {                                                                                       \
		if (looking)                                                                       \
			return NULL;                                                               \
		if (next_##name != NULL)                                                           \
			break;                                                                     \
		looking = 1;                                                                       \
		*(void **)&next_##name = dlsym(RTLD_NEXT, #name);                                  \
		looking = 0;                                                                       \
	} while (0)
#else
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

#define next_malloc  __libc_malloc
#define next_calloc  __libc_calloc
#define next_realloc __libc_realloc
#define NEXT(name)   ((void)0)
#endif

#define DATABASE(name, type, key)                                                                  \
	int name(key k, struct type *entry, char *mem, size_t len, struct type **result)           \
	{                                                                                          \
		static int (*next)(key, struct type *, char *, size_t, struct type **);            \
		int got;                                                                           \
                                                                                                   \
		exempt++;                                                                          \
		if (next == NULL)                                                                  \
			*(void **)&next = dlsym(RTLD_NEXT, #name);                                 \
		got = next(k, entry, mem, len, result);                                            \
		exempt--;                                                                          \
		return got;                                                                        \
	}

DATABASE(getpwuid_r, passwd, uid_t)
DATABASE(getpwnam_r, passwd, const char *)
DATABASE(getgrgid_r, group, gid_t)
DATABASE(getgrnam_r, group, const char *)

void *malloc(size_t len)
{
	NEXT(malloc);
	return fails() ? NULL : next_malloc(len);
}

void *calloc(size_t count, size_t len)
{
	NEXT(calloc);
	return fails() ? NULL : next_calloc(count, len);
}

void *realloc(void *old, size_t len)
{
	NEXT(realloc);
	return fails() ? NULL : next_realloc(old, len);
}
