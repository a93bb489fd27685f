/* lib/fs: complete reads and writes, paths whose links are not followed, listings. */
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fs.h"

static struct err err;
static char base[] = "/tmp/fdump-unit-fs.XXXXXX";
static int base_fd;

static int make_base(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL)
		return -1;
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return base_fd < 0 ? -1 : 0;
}

static int remove_base(void **state)
{
	char command[100];

	(void)state;
	close(base_fd);
	snprintf(command, sizeof command, "rm -rf '%s'", base);
	return system(command);
}

/* --- reading and writing --------------------------------------------------- */

static void at_offsets(void **state)
{
	char text[8] = "";
	int fd = fs_temporary(&err);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fs_write_at(fd, "world", 5, 6, &err), 0);
	assert_int_equal(fs_write_at(fd, "hello ", 6, 0, &err), 0);
	assert_int_equal(fs_read_at(fd, text, 5, 6, &err), 0);
	assert_string_equal(text, "world");
	assert_int_equal(fs_read_at(fd, text, 6, 6, &err), -1); /* beyond the end */
	assert_int_equal(fs_read_at(fd, text, 0, 100, &err), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	assert_int_equal(fs_write_at(fd, "x", 1, 0, &err), -1);
	assert_int_equal(err.code, ERR_IO);
}

static void temporary_elsewhere(void **state)
{
	(void)state;
	setenv("TMPDIR", "/proc/none", 1);
	assert_int_equal(fs_temporary(&err), -1);
	setenv("TMPDIR", base, 1);
	close(fs_temporary(&err));
	unsetenv("TMPDIR");
	assert_int_equal(rmdir(base), 0); /* it left no file */
	assert_int_equal(mkdir(base, 0700), 0);
	close(base_fd);
	base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void whole_through_a_pipe(void **state)
{
	static char all[150000], got[sizeof all + 10];
	size_t n = 0;
	int ends[2];
	pid_t child;

	(void)state;
	memset(all, 'x', sizeof all);
	all[sizeof all - 1] = 'y';
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		_exit(fs_write_two(ends[1], all, 70000, all + 70000, sizeof all - 70000) != 0);
	}
	close(ends[1]);
	assert_int_equal(fs_read_full(ends[0], got, sizeof got, &n), sizeof all);
	assert_int_equal(n, sizeof all);
	assert_memory_equal(got, all, sizeof all);
	close(ends[0]);
	assert_int_equal(fs_write_two(-1, "a", 1, "b", 1), -1);
	assert_int_equal(fs_read_full(-1, got, 1, &n), -1);
}

/* --- paths ------------------------------------------------------------------ */

static int beneath(const char *path, int flags)
{
	return fs_open_beneath(base_fd, path, strlen(path), flags, 0600);
}

/* True if it could be opened. */
static int opens(const char *path, int flags)
{
	int fd = beneath(path, flags);

	if (fd >= 0) {
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		close(fd);
	}
	return fd >= 0;
}

static void nothing_is_followed(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(base_fd, "dir", 0700), 0);
	assert_true(opens("dir/file", O_WRONLY | O_CREAT | O_EXCL));
	assert_int_equal(symlinkat("dir", base_fd, "link"), 0);
	assert_int_equal(symlinkat("/etc", base_fd, "out"), 0);
	assert_int_equal(symlinkat("file", base_fd, "dir/link"), 0);
	assert_true(opens("dir/file", O_RDONLY));
	assert_true(opens(".", O_RDONLY | O_DIRECTORY));
	assert_true(opens("", O_RDONLY | O_DIRECTORY));
	assert_false(opens("link/file", O_RDONLY));
	assert_true(errno == ELOOP || errno == ENOTDIR);
	assert_false(opens("link", O_RDONLY));
	assert_true(errno == ELOOP || errno == ENOTDIR);
	assert_false(opens("out/passwd", O_RDONLY));
	assert_false(opens("dir/link", O_RDONLY));
	assert_false(opens("..", O_RDONLY));
	assert_int_equal(errno, EXDEV);
	assert_false(opens("dir/..", O_RDONLY));
	assert_int_equal(errno, EXDEV);
	assert_false(opens("dir/../dir/file", O_RDONLY));
	assert_false(opens("/etc/passwd", O_RDONLY));
	assert_int_equal(errno, EXDEV);
	assert_false(opens("dir/none", O_RDONLY));
	assert_int_equal(errno, ENOENT);
	assert_false(opens("dir/file/more", O_RDONLY));
	assert_int_equal(errno, ENOTDIR);
	/* No NUL is needed after it. */
	assert_true(fs_open_beneath(base_fd, "dirXXX", 3, O_RDONLY | O_DIRECTORY, 0) >= 0);
}

static bool opens_within(const char *path)
{
	int fd = fs_open_within(base_fd, path, strlen(path), O_RDONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* After nothing_is_followed: its links. */
static void links_stay_within(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("/dir/file", base_fd, "absolute"), 0);
	assert_int_equal(symlinkat("../../../../dir", base_fd, "dir/up"), 0);
	if (!opens_within("dir/file") && errno == ENOSYS)
		skip();
	assert_true(opens_within("link/file"));
	assert_true(opens_within("link"));
	assert_true(opens_within("absolute"));
	assert_true(opens_within("dir/up/link"));
	assert_true(opens_within(""));
	assert_false(opens_within("out"));
	assert_false(opens_within("out/passwd"));
	assert_false(opens_within("../../../etc/passwd"));
}

/* Paths of 20,000 bytes, one of them with a link far down. */
static void beyond_path_max(void **state)
{
	static char path[20100];
	int at = base_fd, fd;
	size_t i, len = 0;

	(void)state;
	for (i = 0; i < 100; i++) {
		char name[200];

		memset(name, 'a' + (int)(i % 26), sizeof name - 1);
		name[sizeof name - 1] = 0;
		assert_int_equal(mkdirat(at, name, 0700), 0);
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		if (at != base_fd)
			close(at);
		at = fd;
		len += (size_t)snprintf(
			path + len, sizeof path - len, "%s%s", len ? "/" : "", name);
	}
	assert_true(len > 4 * PATH_MAX);
	assert_int_equal(symlinkat(".", at, "here"), 0);
	close(openat(at, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(at);
	assert_true(opens(path, O_RDONLY | O_DIRECTORY));
	path[len] = '/';
	memcpy(path + len + 1, "file", 5);
	assert_true(opens(path, O_RDONLY));
	memcpy(path + len + 1, "here/file", 10);
	assert_false(opens(path, O_RDONLY));
	assert_true(errno == ELOOP || errno == ENOTDIR);
	memcpy(path + len + 1, "..", 3);
	assert_false(opens(path, O_RDONLY));
	assert_int_equal(errno, EXDEV);
	/* A single component of that length is too long for a name. */
	memset(path, 'n', sizeof path - 1);
	assert_false(opens(path, O_RDONLY));
	assert_int_equal(errno, ENAMETOOLONG);
}

/* --- the rest ----------------------------------------------------------------- */

struct seen {
	unsigned count, stop_at;
};

static int on_name(void *ctx, const char *name, uint8_t type)
{
	struct seen *seen = ctx;

	(void)type;
	assert_string_not_equal(name, ".");
	assert_string_not_equal(name, "..");
	return ++seen->count == seen->stop_at ? -1 : 0;
}

static void lists(void **state)
{
	static uint64_t mem[32768 / 8];
	struct seen seen = {0};
	char name[32];
	int i, fd;

	(void)state;
	assert_int_equal(mkdirat(base_fd, "list", 0700), 0);
	fd = openat(base_fd, "list", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(fs_list(fd, mem, sizeof mem, on_name, &seen), 0);
	assert_int_equal(seen.count, 0);
	for (i = 0; i < 3000; i++) {
		snprintf(name, sizeof name, "a-name-of-some-length-%d", i);
		close(openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(fs_list(fd, mem, sizeof mem, on_name, &seen), 0);
	assert_int_equal(seen.count, 3000);
	lseek(fd, 0, SEEK_SET);
	seen = (struct seen){.stop_at = 7};
	assert_int_equal(fs_list(fd, mem, sizeof mem, on_name, &seen), -2);
	assert_int_equal(seen.count, 7);
	close(fd);
	assert_int_equal(fs_list(fd, mem, sizeof mem, on_name, &seen), -1);
}

static void small_things(void **state)
{
	char path[FS_PROC_MAX];
	struct stat a, b;

	(void)state;
	fs_proc_path(base_fd, path);
	assert_int_equal(stat(path, &a), 0);
	assert_int_equal(fstat(base_fd, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	fs_proc_path(INT_MAX, path); /* fits */
	assert_true(fs_raise_file_limit() >= 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_offsets),
		cmocka_unit_test(temporary_elsewhere),
		cmocka_unit_test(whole_through_a_pipe),
		cmocka_unit_test(nothing_is_followed),
		cmocka_unit_test(links_stay_within),
		cmocka_unit_test(beyond_path_max),
		cmocka_unit_test(lists),
		cmocka_unit_test(small_things),
	};

	return cmocka_run_group_tests(tests, make_base, remove_base);
}
