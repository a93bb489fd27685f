/* lib/zst: round trips, data that does not shrink, data that is not a frame. */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "lib/zst.h"

#define LEN 100000

static struct err err;
static uint8_t in[LEN], packed[LEN], back[LEN];

static void there_and_back(void **state)
{
	static const int levels[] = {1, 3, ZST_LEVEL_MAX};
	size_t i, n;

	(void)state;
	for (i = 0; i < LEN; i++)
		in[i] = (uint8_t)(i / 100);
	for (i = 0; i < 3; i++) {
		struct zst *z = zst_new(levels[i], &err);

		assert_int_equal(zst_pack(z, in, LEN, packed, LEN - 1, &n, &err), 0);
		assert_true(n < LEN / 4);
		memset(back, 0xff, LEN);
		assert_int_equal(zst_unpack(z, packed, n, back, LEN, &err), 0);
		assert_memory_equal(back, in, LEN);
		/* Not a byte more or less. */
		assert_int_equal(zst_unpack(z, packed, n, back, LEN - 1, &err), -1);
		assert_int_equal(err.code, ERR_DAMAGE);
		assert_int_equal(zst_unpack(z, packed, n - 1, back, LEN, &err), -1);
		assert_int_equal(zst_unpack(z, packed, n + 1, back, LEN, &err), -1);
		zst_free(z);
	}
	zst_free(NULL);
}

static void a_frame_that_says_less(void **state)
{
	struct zst *z = zst_new(1, &err);
	size_t n;

	(void)state;
	assert_int_equal(zst_pack(z, in, 1000, packed, LEN, &n, &err), 0);
	assert_int_equal(zst_unpack(z, packed, n, back, 1001, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	zst_free(z);
}

static void noise_is_kept_raw(void **state)
{
	struct zst *z = zst_new(1, &err);
	uint32_t seed = 1;
	size_t i, n;

	(void)state;
	for (i = 0; i < LEN; i++) {
		seed = seed * 1664525 + 1013904223;
		in[i] = (uint8_t)(seed >> 24);
	}
	assert_int_equal(zst_pack(z, in, LEN, packed, LEN - 1, &n, &err), 1);
	zst_free(z);
}

/* Arbitrary bytes: refused or not, but never more output than there is room for. */
static void no_frames(void **state)
{
	struct zst *z = zst_new(1, &err);
	size_t n, i;

	(void)state;
	memset(in, 'a', LEN);
	assert_int_equal(zst_unpack(z, in, 0, back, LEN, &err), -1);
	assert_int_equal(zst_unpack(z, in, 100, back, LEN, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	assert_int_equal(zst_pack(z, in, LEN, packed, LEN, &n, &err), 0);
	for (i = 0; i < n; i++) {
		packed[i] ^= 0x55;
		back[2000] = 0x77;
		zst_unpack(z, packed, n, back, 2000, &err);
		assert_int_equal(back[2000], 0x77);
		packed[i] ^= 0x55;
	}
	zst_free(z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(a_frame_that_says_less),
		cmocka_unit_test(noise_is_kept_raw),
		cmocka_unit_test(no_frames),
	};

	return RUN(tests);
}
