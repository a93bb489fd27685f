/* lib/sums: for all lengths the same digests as if computed one after the other. */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "lib/sums.h"

#define PIECES 600

static void agrees_with_hash(void **state)
{
	static uint8_t got[PIECES][HASH_LEN];
	uint8_t *bytes = malloc(3 << 20), want[HASH_LEN];
	struct err err = {0};
	struct sums *sums = sums_new(&err);
	size_t len[PIECES], i, round;

	(void)state;
	assert_non_null(sums);
	assert_non_null(bytes);
	for (i = 0; i < 3 << 20; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < PIECES; i++) {
			/* All lengths around the block boundaries; some long ones between. */
			len[i] = round == 0 ? i : i % 37 == 0 ? i * 3491 : (i * 131 + round) % 9000;
			assert_int_equal(sums_add(sums, bytes + i, len[i], got[i], &err), 0);
		}
		sums_run(sums);
		for (i = 0; i < PIECES; i++) {
			hash_sha256(bytes + i, len[i], want);
			assert_memory_equal(got[i], want, HASH_LEN);
		}
	}
	sums_run(sums); /* nothing */
	assert_int_equal(sums_add(sums, "abc", 3, got[0], &err), 0);
	sums_run(sums); /* one alone */
	hash_sha256("abc", 3, want);
	assert_memory_equal(got[0], want, HASH_LEN);
	sums_free(sums);
	sums_free(NULL);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_hash),
	};
	struct err err = {0};

	return hash_crypto_init(&err) != 0 ? 1 : RUN(tests);
}
