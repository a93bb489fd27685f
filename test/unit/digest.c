/* pack/digest.c: digests depend on the content only, however it is cut and whichever zeros are
 * holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/le.h"
#include "pack/digest.h"

#define SIZE 50001

static struct err err;
static struct pack_digest *digest;
static uint8_t content[SIZE];

/* FORMAT.md, section 4.5, implemented literally. */
static void by_the_text(const uint8_t *bytes, size_t size, uint8_t sum[HASH_LEN])
{
	static const uint8_t zeros[4096];
	struct hash *hash = hash_new(&err);
	uint8_t number[8];
	size_t at, n;

	for (at = 0; at < size; at += n) {
		n = size - at < 4096 ? size - at : 4096;
		if (memcmp(bytes + at, zeros, n) == 0)
			continue;
		le_put64(number, at);
		hash_add(hash, number, 8);
		hash_add(hash, bytes + at, n);
	}
	le_put64(number, size);
	hash_add(hash, number, 8);
	hash_end(hash, sum);
	hash_free(hash);
}

/* In pieces of random lengths; in some, zeros are a hole. */
static void in_pieces(size_t size, bool sparse, uint8_t sum[HASH_LEN])
{
	size_t at, n, i;

	pack_digest_begin(digest, sparse);
	for (at = 0; at < size; at += n) {
		bool zero = true;

		n = (size_t)random() % (random() % 2 ? 10000 : 20) + 1;
		if (n > size - at)
			n = size - at;
		for (i = 0; i < n; i++)
			zero = zero && content[at + i] == 0;
		if (zero && random() % 4 > 0)
			pack_digest_hole(digest, n);
		else
			pack_digest_data(digest, content + at, n);
	}
	pack_digest_end(digest, sum);
}

static void any_cut(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 40000, SIZE};
	uint8_t have[HASH_LEN], want[HASH_LEN], plain[HASH_LEN];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		hash_sha256(content, sizes[i], plain);
		by_the_text(content, sizes[i], want);
		for (k = 0; k < 50; k++) {
			in_pieces(sizes[i], true, have);
			assert_memory_equal(have, want, HASH_LEN);
			in_pieces(sizes[i], false, have);
			assert_memory_equal(have, plain, HASH_LEN);
		}
	}
}

static void of_another_size(void **state)
{
	uint8_t a[HASH_LEN], b[HASH_LEN];

	(void)state;
	pack_digest_begin(digest, true);
	pack_digest_hole(digest, (uint64_t)1 << 43);
	pack_digest_end(digest, a);
	pack_digest_begin(digest, true);
	pack_digest_hole(digest, ((uint64_t)1 << 43) + 1);
	pack_digest_end(digest, b);
	assert_memory_not_equal(a, b, HASH_LEN);
}

/* A few bytes that stand for terabytes keep nobody busy: this returns at once. */
static void too_much_that_is_plain(void **state)
{
	uint8_t sum[HASH_LEN];

	(void)state;
	pack_digest_begin(digest, false);
	pack_digest_data(digest, "x", 1);
	pack_digest_hole(digest, (uint64_t)1 << 43);
	pack_digest_end(digest, sum);
	pack_digest_end(digest, sum); /* started again */
	hash_sha256("", 0, content);
	assert_memory_equal(sum, content, HASH_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_cut),
		cmocka_unit_test(of_another_size),
		cmocka_unit_test(too_much_that_is_plain),
	};
	size_t i;

	srandom(1);
	for (i = 0; i < SIZE; i++) /* zeros for long, and then data */
		content[i] = i / 3000 % 3 == 0 || i > 45000 ? 0 : (uint8_t)random();
	if (hash_crypto_init(&err) != 0 || (digest = pack_digest_new(&err)) == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
