/* Volumes that stay open for reading. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/store/volume.h"
#include "lib/err.h"
#include "lib/hash.h"

static char folder[64];
static int dir = -1;
static struct store_volumes volumes;
static struct err err;

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/fdump-volumes-XXXXXX");
	if (mkdtemp(folder) == NULL || hash_crypto_init(&err) != 0)
		return -1;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_volumes_init(&volumes);
	return dir >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	store_volumes_fini(&volumes);
	close(dir);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

/* Makes a volume of this many bytes. */
static void make(uint32_t number, off_t len)
{
	struct store_volume v;

	assert_int_equal(store_volume_make(dir, number, &v, &err), 0);
	assert_int_equal(ftruncate(v.fd, len), 0);
	store_volume_close(&v);
}

static struct store_volume take(uint32_t number)
{
	struct store_volume v;

	assert_int_equal(store_volumes_take(&volumes, dir, number, &v, &err), 0);
	assert_int_equal(v.number, number);
	return v;
}

static void opened_once(void **state)
{
	struct store_volume a, b;
	int fd;

	(void)state;
	make(1, 10);
	a = take(1);
	b = take(1);
	assert_int_equal(a.fd, b.fd);
	fd = a.fd;
	store_volumes_give(&volumes, &a);
	store_volumes_give(&volumes, &b);
	assert_int_equal(a.fd, -1);
	/* Its length is that of its file now. */
	assert_int_equal(store_volume_open(dir, 1, true, &b, &err), 0);
	assert_int_equal(ftruncate(b.fd, 30), 0);
	store_volume_close(&b);
	a = take(1);
	assert_int_equal(a.fd, fd);
	assert_int_equal(a.len, 30);
	store_volumes_give(&volumes, &a);
}

static void removed(void **state)
{
	struct store_volume a, b;

	(void)state;
	make(2, 10);
	a = take(2);
	assert_int_equal(store_volume_remove(dir, 2, &err), 0);
	assert_int_equal(store_volumes_take(&volumes, dir, 2, &b, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	make(2, 20);
	b = take(2);
	assert_int_not_equal(a.fd, b.fd);
	assert_int_equal(b.len, 20);
	store_volumes_give(&volumes, &a);
	store_volumes_give(&volumes, &b);
	store_volumes_forget(&volumes, 2);
	assert_int_equal(store_volume_remove(dir, 2, &err), 0);
}

/* More than are kept open: the excess is closed when it is given back. */
static void many(void **state)
{
	struct store_volume v[STORE_VOLUMES_OPEN + 4];
	size_t i, n = sizeof v / sizeof *v;
	int fd;

	(void)state;
	for (i = 0; i < n; i++) {
		make((uint32_t)(100 + i), (off_t)i);
		v[i] = take((uint32_t)(100 + i));
		assert_int_equal(v[i].len, i);
	}
	fd = v[n - 1].fd;
	for (i = n; i-- > 0;)
		store_volumes_give(&volumes, &v[i]);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	for (i = 0; i < n; i++) {
		v[0] = take((uint32_t)(100 + i));
		assert_int_equal(v[0].len, i);
		store_volumes_give(&volumes, &v[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened_once),
		cmocka_unit_test(removed),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
