/* pack/scan: order, depth, entries that are left out, names of entries. */
#include "test/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buf.h"
#include "pack/entry.h"
#include "pack/scan.h"

static struct err err;
static char base[] = "/tmp/fdump-unit-scan.XXXXXX";
static int base_fd;
static struct buf seen; /* paths, each with a newline */
static unsigned problems;
static const char *const *roots;

static int next_root(void *ctx, const char **path, struct err *e)
{
	(void)ctx, (void)e;
	*path = *roots;
	return *path == NULL ? 1 : (roots++, 0);
}

static void on_problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	(void)ctx, (void)path, (void)len, (void)errnum;
	assert_true(what[0] != 0);
	problems++;
}

static bool excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	(void)ctx;
	return len >= 2 && memcmp(path + len - 2, "xx", 2) == 0 && is_dir;
}

static struct pack_scan_options options(void)
{
	return (struct pack_scan_options){
		.base = base_fd, .next_root = next_root, .problem = on_problem};
}

/* Scans; afterwards the paths are in `seen`. Returns how many there are. */
static unsigned scan(const struct pack_scan_options *o, const char *const *paths)
{
	struct pack_scan *s = pack_scan_new(o, &err);
	struct pack_scan_item item;
	unsigned count = 0;
	int got;

	buf_clear(&seen);
	problems = 0;
	roots = paths;
	while ((got = pack_scan_next(s, &item, &err)) == 0) {
		assert_int_equal(strlen(item.path), item.path_len);
		assert_null(pack_path_wrong((const uint8_t *)item.path, item.path_len));
		assert_int_equal(buf_addf(&seen, &err, "%s\n", item.path), 0);
		count++;
	}
	assert_int_equal(got, 1);
	assert_int_equal(pack_scan_next(s, &item, &err), 1);
	assert_int_equal(buf_add(&seen, "", 1, &err), 0);
	pack_scan_free(s);
	return count;
}

static void touch(int at, const char *name, const char *content)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static int make_base(void **state)
{
	(void)state;
	if (mkdtemp(base) == NULL || (base_fd = open(base, O_RDONLY | O_DIRECTORY)) < 0)
		return -1;
	mkdirat(base_fd, "t", 0700);
	mkdirat(base_fd, "t/b", 0700);
	mkdirat(base_fd, "t/b/xx", 0700);
	mkdirat(base_fd, "t/cache", 0700);
	touch(base_fd, "t/a", "");
	touch(base_fd, "t/b/1", "");
	touch(base_fd, "t/b/xx/in", "");
	touch(base_fd, "t/b-", "");
	touch(base_fd, "t/\xff", "");
	touch(base_fd, "t/cache/data", "");
	touch(base_fd, "t/cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
	return symlinkat("b", base_fd, "t/link");
}

static int remove_base(void **state)
{
	char command[100];

	(void)state;
	close(base_fd);
	snprintf(command, sizeof command, "rm -rf '%s'", base);
	return system(command);
}

static void in_order(void **state)
{
	static const char *const whole[] = {"t", NULL}, *const odd[] = {"./t//b/", "t/link", NULL};
	struct pack_scan_options o = options();

	(void)state;
	assert_int_equal(scan(&o, whole), 12);
	assert_string_equal((char *)seen.data,
		"t\nt/a\nt/b\nt/b/1\nt/b/xx\nt/b/xx/in\nt/b-\nt/cache\nt/cache/CACHEDIR.TAG\n"
		"t/cache/data\nt/link\nt/\xff\n");
	assert_int_equal(scan(&o, odd), 5);
	assert_string_equal((char *)seen.data, "t/b\nt/b/1\nt/b/xx\nt/b/xx/in\nt/link\n");
}

static void left_out(void **state)
{
	static const char *const whole[] = {"t", NULL};
	struct pack_scan_options o = options();

	(void)state;
	o.excluded = excluded;
	o.exclude_caches = true;
	assert_int_equal(scan(&o, whole), 9);
	assert_null(strstr((char *)seen.data, "xx"));
	assert_null(strstr((char *)seen.data, "data"));
	assert_non_null(strstr((char *)seen.data, "CACHEDIR.TAG"));
	assert_int_equal(problems, 0);
}

static void what_is_not_there(void **state)
{
	static const char *const paths[] = {"none", "t/a", "t/a/below", "", NULL};
	struct pack_scan_options o = options();

	(void)state;
	assert_int_equal(scan(&o, paths), 1);
	assert_string_equal((char *)seen.data, "t/a\n");
	assert_int_equal(problems, 3);
}

static void output_is_left_out(void **state)
{
	static const char *const paths[] = {"t", NULL};
	struct pack_scan_options o = options();
	struct stat st;

	(void)state;
	assert_int_equal(fstatat(base_fd, "t/b/1", &st, 0), 0);
	o.skip_known = true;
	o.skip_dev = st.st_dev;
	o.skip_ino = st.st_ino;
	assert_int_equal(scan(&o, paths), 11);
	assert_int_equal(problems, 1);
}

/* Deeper than the number of directories kept open, with a file on each way back. */
static void deep(void **state)
{
	static const char *const paths[] = {"deep", NULL};
	struct pack_scan_options o = options();
	int at = base_fd, fd, i;
	const char *name = "deep";

	(void)state;
	for (i = 0; i < 300; i++, name = "d") {
		assert_int_equal(mkdirat(at, name, 0700), 0);
		fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (at != base_fd)
			close(at);
		at = fd;
		touch(at, "z", "");
	}
	close(at);
	assert_int_equal(scan(&o, paths), 600);
	assert_int_equal(problems, 0);
}

/* A path that grows beyond the limit: entries that are too long are left out and reported. */
static void too_deep(void **state)
{
	static const char *const paths[] = {"long", NULL};
	struct pack_scan_options o = options();
	char text[256] = "long";
	int at = base_fd, fd, i;
	unsigned count;

	(void)state;
	for (i = 0; i < 262; i++) {
		assert_int_equal(mkdirat(at, text, 0700), 0);
		fd = openat(at, text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (at != base_fd)
			close(at);
		at = fd;
		memset(text, 'n', 255);
	}
	close(at);
	count = scan(&o, paths);
	assert_int_equal(count, 1 + (PACK_PATH_MAX - 4) / 256);
	assert_int_equal(problems, 1);
}

/* As many regular files are opened as were asked for, and nothing else. */
static void files_are_opened(void **state)
{
	static const char *const whole[] = {"t", NULL};
	struct pack_scan_options o = options();
	struct pack_scan *s = pack_scan_new(&o, &err);
	struct pack_scan_item item;
	unsigned opened = 0, count = 0;
	struct stat st;

	(void)state;
	roots = whole;
	pack_scan_open(s, 3);
	for (; pack_scan_next(s, &item, &err) == 0; count++) {
		if (item.fd < 0)
			continue;
		assert_int_equal(fstat(item.fd, &st), 0);
		assert_true(S_ISREG(st.st_mode) && st.st_ino == item.st.st_ino);
		close(item.fd);
		opened++;
	}
	assert_int_equal(count, 12);
	assert_int_equal(opened, 3);
	pack_scan_free(s);
}

static void names_of_entries(void **state)
{
	static const char *const pairs[][2] = {{"a", "a"}, {"/a/b", "a/b"}, {"a//b/./c/", "a/b/c"},
		{".", "."}, {"/", "."}, {"", "."}, {"../a", "a"}, {"a/../b", "b"}, {"..", "."},
		{"a/b/..", "."}, {"...", "..."}, {"./..a", "..a"}};
	char out[64];
	bool cut;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		assert_int_equal(pack_scan_name(pairs[i][0], out, &cut), strlen(pairs[i][1]));
		assert_string_equal(out, pairs[i][1]);
	}
	pack_scan_name("a/./b", out, &cut);
	assert_false(cut);
	pack_scan_name("/a", out, &cut);
	assert_true(cut);
	pack_scan_name("a/../b", out, &cut);
	assert_true(cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(left_out),
		cmocka_unit_test(what_is_not_there),
		cmocka_unit_test(output_is_left_out),
		cmocka_unit_test(deep),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(files_are_opened),
		cmocka_unit_test(names_of_entries),
	};

	buf_init(&seen, 64u << 20);
	return cmocka_run_group_tests(tests, make_base, remove_base);
}
