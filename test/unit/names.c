/* lib/names, over made-up databases: the linker puts these functions in place of the C library's.
 */
#include "test/unit/unit.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdlib.h>

#include "lib/names.h"

int __wrap_getpwuid_r(uid_t, struct passwd *, char *, size_t, struct passwd **);
int __wrap_getpwnam_r(const char *, struct passwd *, char *, size_t, struct passwd **);
int __wrap_getgrgid_r(gid_t, struct group *, char *, size_t, struct group **);
int __wrap_getgrnam_r(const char *, struct group *, char *, size_t, struct group **);

static unsigned asked;
static size_t wants;  /* bytes of room that an entry takes */
static int interrupt; /* returns EINTR so many times first */

/* Users and groups have the name "nID"; ids over 1,000,000 have none; 255 and 256 have names of
 * that many bytes. Returns 0 if found, -1 if not, or errno. */
static int look_up(uint32_t id, char *mem, size_t cap)
{
	asked++;
	if (interrupt > 0) {
		interrupt--;
		return EINTR;
	}
	if (cap < wants)
		return ERANGE;
	if (id > 1000000)
		return -1;
	if (id == 255 || id == 256)
		snprintf(mem, cap, "%0*d", (int)id, 0);
	else
		snprintf(mem, cap, "n%u", id);
	return 0;
}

static int look_up_name(const char *name, uint32_t *id, size_t cap)
{
	char *end = NULL;

	asked++;
	if (cap < wants)
		return ERANGE;
	if (strcmp(name, "broken") == 0)
		return EIO;
	*id = name[0] == 'n' ? (uint32_t)strtoul(name + 1, &end, 10) : 0;
	return end != NULL && *end == 0 && end > name + 1 ? 0 : -1;
}

int __wrap_getpwuid_r(uid_t id, struct passwd *pw, char *mem, size_t cap, struct passwd **out)
{
	int got = look_up(id, mem, cap);

	pw->pw_name = mem;
	*out = got == 0 ? pw : NULL;
	return got > 0 ? got : 0;
}

int __wrap_getgrgid_r(gid_t id, struct group *gr, char *mem, size_t cap, struct group **out)
{
	int got = look_up(id, mem, cap);

	gr->gr_name = mem;
	*out = got == 0 ? gr : NULL;
	return got > 0 ? got : 0;
}

int __wrap_getpwnam_r(
	const char *name, struct passwd *pw, char *mem, size_t cap, struct passwd **out)
{
	int got = look_up_name(name, &pw->pw_uid, cap);

	(void)mem;
	*out = got == 0 ? pw : NULL;
	return got > 0 ? got : 0;
}

int __wrap_getgrnam_r(const char *name, struct group *gr, char *mem, size_t cap, struct group **out)
{
	int got = look_up_name(name, &gr->gr_gid, cap);

	(void)mem;
	*out = got == 0 ? gr : NULL;
	return got > 0 ? got : 0;
}

static struct err err;
static struct names *names;

static int start(void **state)
{
	(void)state;
	asked = 0;
	wants = 0;
	names = names_new(&err);
	return names != NULL ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	names_free(names);
	names_free(NULL);
	return 0;
}

static void asks_once(void **state)
{
	char name[NAMES_MAX];
	uint32_t id = 7;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(names_name(names, NAMES_USER, 5, name), 2);
		assert_memory_equal(name, "n5", 2);
		assert_int_equal(names_name(names, NAMES_GROUP, 0, name), 2);
		assert_memory_equal(name, "n0", 2);
		assert_int_equal(names_name(names, NAMES_USER, UINT32_MAX, name), 0);
		assert_true(names_id(names, NAMES_USER, "n12", 3, &id));
		assert_int_equal(id, 12);
		assert_true(names_id(names, NAMES_GROUP, "n4294967294", 11, &id));
		assert_int_equal(id, 4294967294u);
		assert_false(names_id(names, NAMES_GROUP, "nobody", 6, &id));
		assert_false(names_id(names, NAMES_USER, "broken", 6, &id));
		assert_int_equal(id, 4294967294u);
	}
	assert_int_equal(asked, 7);
}

/* Impossible names: never looked up, never number 0. */
static void odd_names(void **state)
{
	static char large[NAMES_MAX + 1];
	char name[NAMES_MAX];
	uint32_t id = 7;

	(void)state;
	memset(large, 'n', sizeof large);
	assert_false(names_id(names, NAMES_USER, "", 0, &id));
	assert_false(names_id(names, NAMES_USER, "n1\0x", 4, &id));
	assert_false(names_id(names, NAMES_USER, large, sizeof large, &id));
	assert_int_equal(asked, 0);
	assert_false(names_id(names, NAMES_USER, large, sizeof large - 1, &id));
	assert_int_equal(id, 7);
	assert_int_equal(names_name(names, NAMES_USER, 255, name), 255);
	assert_int_equal(names_name(names, NAMES_USER, 256, name), 0);
}

static void grows_and_goes_on(void **state)
{
	char name[NAMES_MAX];

	(void)state;
	wants = 100000;
	assert_int_equal(names_name(names, NAMES_GROUP, 1, name), 2);
	wants = 100u << 20; /* larger than the buffer limit: as if it had no name */
	assert_int_equal(names_name(names, NAMES_GROUP, 2, name), 0);
	wants = 0;
	interrupt = 3;
	assert_int_equal(names_name(names, NAMES_GROUP, 3, name), 2);
}

/* More ids than the cache holds: each answer is still right. */
static void forgets_but_never_mixes(void **state)
{
	char name[NAMES_MAX], want[16];
	uint32_t id, i, round;

	(void)state;
	for (round = 0; round < 2; round++)
		for (i = 0; i < 20000; i++) {
			int len = snprintf(want, sizeof want, "n%u", i);

			if (i == 255 || i == 256)
				continue;
			assert_int_equal(names_name(names, NAMES_USER, i, name), len);
			assert_memory_equal(name, want, (size_t)len);
			assert_true(names_id(names, NAMES_GROUP, want, (size_t)len, &id));
			assert_int_equal(id, i);
		}
	/* A few ids stay in the cache, whatever their numbers. */
	asked = 0;
	for (round = 0; round < 10; round++)
		for (i = 0; i < 64; i++)
			names_name(names, NAMES_GROUP, i * 65536, name);
	assert_int_equal(asked, 64);
}

static void *hammer(void *arg)
{
	char name[NAMES_MAX], want[16];
	uint32_t i, id;

	for (i = 0; i < 20000; i++) {
		uint32_t n = (i * 7 + (uint32_t)(uintptr_t)arg) % 3000 + 1000;
		int len = snprintf(want, sizeof want, "n%u", n);

		if (names_name(names, NAMES_USER, n, name) != (size_t)len ||
			memcmp(name, want, (size_t)len) != 0 ||
			!names_id(names, NAMES_USER, want, (size_t)len, &id) || id != n)
			return names; /* mixed up */
	}
	return NULL;
}

static void threads(void **state)
{
	pthread_t t[4];
	void *result;
	uintptr_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, (void *)i), 0);
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], &result);
		assert_null(result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_once, start, stop),
		cmocka_unit_test_setup_teardown(odd_names, start, stop),
		cmocka_unit_test_setup_teardown(grows_and_goes_on, start, stop),
		cmocka_unit_test_setup_teardown(forgets_but_never_mixes, start, stop),
		cmocka_unit_test_setup_teardown(threads, start, stop),
	};
	return RUN(tests);
}
