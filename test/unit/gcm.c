/* lib/gcm: the two libraries agree, for both key lengths. */
#include "test/unit/unit.h"

#include "lib/gcm.h"
#include "lib/hash.h"

#define LEN_MAX 20000

static void both_libraries_agree(void **unused)
{
	static uint8_t in[LEN_MAX], a[LEN_MAX], b[LEN_MAX];
	static const size_t lens[] = {0, 1, 15, 16, 17, 255, 256, 4097, LEN_MAX};
	static const uint8_t zeros[LEN_MAX];
	uint8_t key[32], tag_a[GCM_TAG_LEN], tag_b[GCM_TAG_LEN];
	struct err err = {0};
	size_t key_len, i;

	(void)unused;
	for (i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * i + i / 7);
	for (i = 0; i < sizeof key; i++)
		key[i] = (uint8_t)(3 * i);
	for (key_len = 16; key_len <= 32; key_len += 16) {
		struct gcm *fast = gcm_new(key, key_len, &err);
		struct gcm *narrow = gcm_new_narrow(key, key_len, &err);

		assert_non_null(fast);
		assert_non_null(narrow);
		for (i = 0; i < sizeof lens / sizeof *lens; i++) {
			size_t len = lens[i];

			assert_int_equal(gcm_seal(fast, key, in, i, in, len, a, tag_a, &err), 0);
			assert_int_equal(gcm_seal(narrow, key, in, i, in, len, b, tag_b, &err), 0);
			assert_memory_equal(a, b, len);
			assert_memory_equal(tag_a, tag_b, sizeof tag_a);
			/* Each opens the other's output, in place. */
			assert_int_equal(gcm_open(narrow, key, in, i, a, len, a, tag_a, &err), 0);
			assert_int_equal(gcm_open(fast, key, in, i, b, len, b, tag_b, &err), 0);
			assert_memory_equal(a, in, len);
			assert_memory_equal(b, in, len);
			tag_a[i] ^= 0x80;
			assert_int_equal(gcm_open(narrow, key, in, i, a, len, a, tag_a, &err), 1);
			assert_int_equal(gcm_open(fast, key, in, i, b, len, b, tag_a, &err), 1);
			assert_memory_equal(a, zeros, len);
			assert_memory_equal(b, zeros, len);
		}
		gcm_free(fast);
		gcm_free(narrow);
	}
	assert_non_null(gcm_library());
}

static int set_up(void **unused)
{
	struct err err = {0};

	(void)unused;
	return hash_crypto_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_libraries_agree)};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
