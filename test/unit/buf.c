/* lib/buf: growth, limit, dropping. */
#include "test/unit/unit.h"

#include "lib/buf.h"

static void grows_up_to_its_limit(void **state)
{
	struct buf buf;
	struct err err = {0};
	int i;

	(void)state;
	buf_init(&buf, 1000);
	for (i = 0; i < 100; i++)
		assert_int_equal(buf_add(&buf, "0123456789", 10, &err), 0);
	assert_int_equal(buf.len, 1000);
	assert_int_equal(buf_add(&buf, "x", 1, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(buf.len, 1000);
	assert_memory_equal(buf.data + 990, "0123456789", 10);
	assert_null(buf_room(&buf, SIZE_MAX, &err));
	buf_fini(&buf);
}

static void drops_from_the_front(void **state)
{
	struct buf buf;
	struct err err = {0};

	(void)state;
	buf_init(&buf, 100);
	assert_int_equal(buf_addf(&buf, &err, "%s-%d", "abc", 12), 0);
	buf_drop(&buf, 4);
	assert_int_equal(buf.len, 2);
	assert_memory_equal(buf.data, "12", 2);
	buf_clear(&buf);
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_up_to_its_limit),
		cmocka_unit_test(drops_from_the_front),
	};
	return RUN(tests);
}
