/* pack/links: first paths are found again, in memory and in a file. */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "lib/buf.h"
#include "pack/links.h"

static struct err err;
static struct buf first;

static int meet(struct pack_links *l, uint64_t dev, uint64_t ino, uint64_t nlink, const char *path)
{
	return pack_links_meet(l, dev, ino, nlink, path, strlen(path), &first, &err);
}

static void is_first(const char *path)
{
	assert_int_equal(first.len, strlen(path));
	assert_memory_equal(first.data, path, first.len);
}

static void finds_again(void **state)
{
	struct pack_links *l = pack_links_new(0, &err);

	(void)state;
	assert_int_equal(meet(l, 1, 7, 3, "one"), 0);
	assert_int_equal(meet(l, 2, 7, 3, "other device"), 0);
	assert_int_equal(meet(l, 1, 7, 3, "two"), 1);
	is_first("one");
	assert_int_equal(meet(l, 2, 7, 3, "x"), 1);
	is_first("other device");
	assert_int_equal(meet(l, 1, 7, 3, "three"), 1);
	is_first("one");
	/* All three names were met: the inode is forgotten. A fourth is a new one. */
	assert_int_equal(meet(l, 1, 7, 4, "four"), 0);
	assert_int_equal(meet(l, 1, 7, 4, "five"), 1);
	is_first("four");
	pack_links_free(l);
	pack_links_free(NULL);
}

/* Pairs that are all open at once, then closed: with a table of this size. */
static void pairs(size_t memory, uint64_t count)
{
	struct pack_links *l = pack_links_new(memory, &err);
	char path[32];
	uint64_t i;

	for (i = 0; i < count; i++) {
		snprintf(path, sizeof path, "first/%llu", (unsigned long long)i);
		assert_int_equal(meet(l, 1, i * 977, 2, path), 0);
	}
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof path, "first/%llu", (unsigned long long)i);
		assert_int_equal(meet(l, 1, i * 977, 2, "second"), 1);
		is_first(path);
	}
	for (i = 0; i < count; i++) /* nothing is left of them */
		assert_int_equal(meet(l, 1, i * 977, 2, "again"), 0);
	pack_links_free(l);
}

static void in_memory(void **state)
{
	(void)state;
	pairs(0, 20000);
}

static void in_a_file(void **state)
{
	(void)state;
	pairs(1, 200);
	pairs(256, 3000);
}

/* Pairs side by side need only a small table, however many there are. */
static void done_ones_make_room(void **state)
{
	struct pack_links *l = pack_links_new(0, &err);
	uint64_t i;

	(void)state;
	for (i = 0; i < 100000; i++) {
		assert_int_equal(meet(l, 1, i, 2, "a"), 0);
		assert_int_equal(meet(l, 1, i, 2, "b"), 1);
		is_first("a");
	}
	pack_links_free(l);
}

static void no_place_for_paths(void **state)
{
	struct pack_links *l = pack_links_new(0, &err);

	(void)state;
	setenv("TMPDIR", "/proc/none", 1);
	assert_int_equal(meet(l, 1, 1, 2, "a"), -1);
	assert_int_equal(err.code, ERR_IO);
	unsetenv("TMPDIR");
	pack_links_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_again),
		cmocka_unit_test(in_memory),
		cmocka_unit_test(in_a_file),
		cmocka_unit_test(done_ones_make_room),
		cmocka_unit_test(no_place_for_paths),
	};

	buf_init(&first, 65536);
	return RUN(tests);
}
