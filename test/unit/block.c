/* pack/block: the layout of a header and its rules. */
#include "test/unit/unit.h"

#include "lib/hash.h"
#include "lib/le.h"
#include "pack/block.h"

static struct err err;

static struct pack_block good(void)
{
	struct pack_block b = {.kind = PACK_ENTRY,
		.first = 3,
		.seq = 0x1122334455667788,
		.raw_len = 1000,
		.stored_len = 1000,
		.check = 0x99aabbccddeeff00};

	memcpy(b.id, "0123456789abcdef", PACK_BLOCK_ID);
	return b;
}

/* Puts a header and gets it back; returns the result of pack_block_get. */
static int again(const struct pack_block *b)
{
	uint8_t header[PACK_BLOCK_HEADER];
	struct pack_block got;

	err = (struct err){0};
	pack_block_put(b, header);
	return pack_block_get(&got, header, &err);
}

static void places(void **state)
{
	struct pack_block b = good(), got = {0};
	uint8_t h[PACK_BLOCK_HEADER];

	(void)state;
	b.may = 0x0201;
	pack_block_put(&b, h);
	assert_memory_equal(h,
		"\xf7"
		"DMP\1\3\0\0\0\0\1\2\3\0\0\0"
		"0123456789abcdef",
		32);
	assert_memory_equal(h + 32, "\x88\x77\x66\x55\x44\x33\x22\x11\xe8\3\0\0\xe8\3\0\0", 16);
	assert_int_equal(le_get64(h + 48), b.check);
	assert_int_equal(le_get64(h + 56), hash_xxh3(h, 56));
	assert_int_equal(pack_block_get(&got, h, &err), 0);
	assert_memory_equal(got.id, b.id, PACK_BLOCK_ID);
	assert_true(got.kind == b.kind && got.may == b.may && got.first == b.first);
	assert_true(got.seq == b.seq && got.raw_len == 1000 && got.check == b.check);
}

static void each_bit_is_checked(void **state)
{
	struct pack_block b = good(), got;
	uint8_t h[PACK_BLOCK_HEADER];
	size_t i;

	(void)state;
	pack_block_put(&b, h);
	for (i = 0; i < 8 * sizeof h; i++) {
		h[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(pack_block_get(&got, h, &err), 1);
		h[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void later_versions_are_refused(void **state)
{
	struct pack_block b = good(), got;
	uint8_t h[PACK_BLOCK_HEADER];

	(void)state;
	pack_block_put(&b, h);
	h[4] = 2;
	le_put64(h + 56, hash_xxh3(h, 56));
	assert_int_equal(pack_block_get(&got, h, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	b.must = 1;
	assert_int_equal(again(&b), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	b.must = 0;
	b.may = 0xffff;
	assert_int_equal(again(&b), 0);
}

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct pack_block b = good();                                                      \
		change;                                                                            \
		assert_int_equal(again(&b), -1);                                                   \
		assert_int_equal(err.code, ERR_FORMAT);                                            \
	} while (0)
#define TAKEN(change)                                                                              \
	do {                                                                                       \
		struct pack_block b = good();                                                      \
		change;                                                                            \
		assert_int_equal(again(&b), 0);                                                    \
	} while (0)

static void rules(void **state)
{
	(void)state;
	TAKEN(b.first = 999);
	REFUSED(b.first = 1000);
	TAKEN(b.first = PACK_BLOCK_NONE);
	REFUSED(b.kind = PACK_INDEX);
	REFUSED(b.codec = 2);
	REFUSED(b.sealed = 2);
	REFUSED(b.raw_len = b.stored_len = 0);
	TAKEN(b.raw_len = b.stored_len = PACK_BLOCK_RAW_MAX);
	REFUSED(b.raw_len = b.stored_len = PACK_BLOCK_RAW_MAX + 1);
	REFUSED(b.stored_len = 999);
	REFUSED(b.sealed = 1);
	TAKEN((b.sealed = 1, b.stored_len = 1016));
	REFUSED((b.codec = PACK_ZSTD));
	TAKEN((b.codec = PACK_ZSTD, b.stored_len = 999));
	REFUSED((b.codec = PACK_ZSTD, b.sealed = 1, b.stored_len = 1016));
	TAKEN((b.codec = PACK_ZSTD, b.sealed = 1, b.stored_len = 1015));
	REFUSED((b.codec = PACK_ZSTD, b.sealed = 1, b.stored_len = 15));
	REFUSED((b.kind = PACK_START, b.first = PACK_BLOCK_NONE)); /* not number 0 */
	TAKEN((b.kind = PACK_START, b.first = PACK_BLOCK_NONE, b.seq = 0));
	REFUSED((b.kind = PACK_KEY, b.first = PACK_BLOCK_NONE, b.sealed = 1, b.stored_len = 1016));
	REFUSED((b.kind = PACK_END, b.first = PACK_BLOCK_NONE, b.codec = PACK_ZSTD,
		b.stored_len = 9));
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(pack_block_name(PACK_START), "START");
	assert_string_equal(pack_block_name(PACK_END), "END");
	assert_string_equal(pack_block_name(0), "?");
	assert_string_equal(pack_block_name(6), "?");
	assert_string_equal(pack_block_name(255), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(each_bit_is_checked),
		cmocka_unit_test(later_versions_are_refused),
		cmocka_unit_test(rules),
		cmocka_unit_test(names),
	};

	return RUN(tests);
}
