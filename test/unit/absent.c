/* pack/absent: what is not restored is known, and what is the same is read. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/hash.h"
#include "pack/absent.h"

static struct pack_bytes path_of(const char *text)
{
	return (struct pack_bytes){(const uint8_t *)text, strlen(text)};
}

static enum pack_absent_why get(struct pack_absent *a, const char *path)
{
	return pack_absent_get(a, path_of(path), -1, "none");
}

static void is_known_until_restored(void **state)
{
	struct pack_absent a = {0};

	(void)state;
	assert_int_equal(get(&a, "a"), PACK_ABSENT_NOT);
	pack_absent_remove(&a, path_of("a"));
	pack_absent_add(&a, path_of("a"), PACK_ABSENT_LOST, NULL);
	pack_absent_add(&a, path_of("b"), PACK_ABSENT_KEPT, NULL);
	pack_absent_remove(&a, path_of("a"));
	assert_int_equal(get(&a, "a"), PACK_ABSENT_NOT);
	assert_int_equal(get(&a, "b"), PACK_ABSENT_KEPT);
	assert_int_equal(get(&a, "c"), PACK_ABSENT_NOT);
	pack_absent_add(&a, path_of("a"), PACK_ABSENT_NONE, NULL);
	assert_int_equal(get(&a, "a"), PACK_ABSENT_NONE);
	pack_absent_fini(&a);
}

/* Adds "0", "1" and so on. */
static void add_many(struct pack_absent *a, unsigned from, unsigned to)
{
	char path[16];

	for (; from < to; from++) {
		snprintf(path, sizeof path, "%u", from);
		pack_absent_add(a, path_of(path), PACK_ABSENT_LOST, NULL);
	}
}

static void without_room_nothing_is_restored(void **state)
{
	struct pack_absent a = {0};

	(void)state;
	add_many(&a, 0, 100000);
	assert_false(a.full);
	assert_int_equal(get(&a, "99999"), PACK_ABSENT_LOST);
	assert_int_equal(get(&a, "100000"), PACK_ABSENT_NOT);
	add_many(&a, 100000, 2000000);
	assert_true(a.full);
	assert_int_equal(get(&a, "99999"), PACK_ABSENT_LOST);
	assert_int_equal(get(&a, "3000000"), PACK_ABSENT_KEPT);
	pack_absent_fini(&a);
}

static void the_same_is_read(void **state)
{
	char dir[] = "/tmp/fdump-absent.XXXXXX";
	struct pack_absent a = {0};
	uint8_t sum[HASH_LEN];
	int at, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(at, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "content", 7), 7);
	close(fd);
	hash_sha256("content", 7, sum);
	pack_absent_add(&a, path_of("f"), PACK_ABSENT_SAME, sum);
	sum[0] ^= 1;
	pack_absent_add(&a, path_of("other"), PACK_ABSENT_SAME, sum);
	pack_absent_add(&a, path_of("none"), PACK_ABSENT_SAME, sum);
	assert_int_equal(pack_absent_get(&a, path_of("f"), at, "f"), PACK_ABSENT_NOT);
	assert_int_equal(pack_absent_get(&a, path_of("other"), at, "f"), PACK_ABSENT_KEPT);
	assert_int_equal(pack_absent_get(&a, path_of("none"), at, "none"), PACK_ABSENT_KEPT);
	assert_int_equal(pack_absent_get(&a, path_of("f"), -1, "f"), PACK_ABSENT_NOT);
	unlinkat(at, "f", 0);
	close(at);
	rmdir(dir);
	pack_absent_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_known_until_restored),
		cmocka_unit_test(without_room_nothing_is_restored),
		cmocka_unit_test(the_same_is_read),
	};

	return hash_crypto_init(NULL) != 0 ? 1 : RUN(tests);
}
