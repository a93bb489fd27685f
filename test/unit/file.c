/* lib/file: files are read up to the limit, and written completely or not at all. */
#include "test/unit/unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/file.h"

static struct err err;
static char folder[] = "/tmp/fdump-file.XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

/* Counts the names, and removes them. */
static int clear(void)
{
	DIR *dir = opendir(".");
	struct dirent *d;
	int n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.') {
			unlink(d->d_name);
			n++;
		}
	closedir(dir);
	return n;
}

static int leave(void **state)
{
	(void)state;
	clear();
	return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void writes_and_reads(void **state)
{
	char mem[8];
	struct stat st;
	size_t len;
	mode_t before = umask(077);

	(void)state;
	assert_int_equal(file_write_new("a", "1234", 4, 0644, &err), 0);
	umask(before);
	assert_int_equal(file_read("a", mem, sizeof mem, &len, &st, &err), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(mem, "1234", 4);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_read("a", mem, 4, &len, NULL, &err), 0);
	assert_int_equal(file_read("a", mem, 3, &len, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(file_read("none", mem, 3, &len, NULL, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(file_read(".", mem, 3, &len, NULL, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(clear(), 1);
}

static void replaces_nothing(void **state)
{
	char mem[8];
	size_t len;

	(void)state;
	assert_int_equal(file_write_new("a", "1", 1, 0600, &err), 0);
	assert_int_equal(file_write_new("a", "2", 1, 0600, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(file_write_new("link", "2", 1, 0600, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(file_write_new("none/a", "2", 1, 0600, &err), -1);
	assert_int_equal(err.code, ERR_IO);
	assert_int_equal(file_read("a", mem, sizeof mem, &len, NULL, &err), 0);
	assert_memory_equal(mem, "1", 1);
	assert_int_equal(clear(), 2); /* no temporary name is left */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(replaces_nothing),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
