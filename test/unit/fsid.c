/* A file system has the same identity by each of its files, and another one than its neighbour. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fsid.h"

static uint64_t of(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t id;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	id = fsid_of(fd, st.st_dev);
	close(fd);
	return id;
}

static void same(void **state)
{
	(void)state;
	assert_int_equal(of("/proc"), of("/proc/self"));
	assert_int_equal(of("."), of("CMakeLists.txt"));
	assert_int_not_equal(of("/proc"), of("."));
}

/* If there is no file, the device number counts. */
static void numbers(void **state)
{
	(void)state;
	assert_int_equal(fsid_of(-1, 7), fsid_of(-1, 7));
	assert_int_not_equal(fsid_of(-1, 7), fsid_of(-1, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same), cmocka_unit_test(numbers)};

	return RUN(tests);
}
