/* lib/cbor: encoded values decode to the same; malformed input is refused. */
#include "test/unit/unit.h"

#include "lib/cbor.h"

static void round_trip(void **state)
{
	static const int64_t numbers[] = {0, 1, 23, 24, 255, 256, 65535, 65536, UINT32_MAX,
		INT64_MAX, -1, -24, -25, -256, -65537, INT64_MIN};
	uint8_t mem[512];
	struct cbor_out out;
	struct cbor_in in;
	struct cbor_item item;
	int64_t got;
	size_t i;

	(void)state;
	cbor_out_init(&out, mem, sizeof mem);
	for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
		cbor_put_int(&out, numbers[i]);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "key");
	cbor_put_array(&out, 3);
	cbor_put_bytes(&out, "\0\1\2", 3);
	cbor_put_bool(&out, true);
	cbor_put_null(&out);
	assert_false(cbor_out_full(&out));

	cbor_in_init(&in, mem, cbor_out_len(&out));
	for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		assert_int_equal(cbor_get(&in, &item), CBOR_OK);
		assert_true(cbor_as_int(&item, &got));
		assert_true(got == numbers[i]);
	}
	assert_int_equal(cbor_get(&in, &item), CBOR_OK);
	assert_true(item.type == CBOR_MAP && item.value == 1);
	assert_int_equal(cbor_get(&in, &item), CBOR_OK);
	assert_true(cbor_is_text(&item, "key"));
	assert_false(cbor_as_int(&item, &got));
	assert_int_equal(cbor_get(&in, &item), CBOR_OK);
	assert_true(item.type == CBOR_ARRAY && item.value == 3);
	assert_int_equal(cbor_get(&in, &item), CBOR_OK);
	assert_true(item.type == CBOR_BYTES && item.len == 3 && item.bytes[2] == 2);
	assert_int_equal(cbor_get(&in, &item), CBOR_OK);
	assert_true(item.type == CBOR_BOOL && item.value == 1);
	assert_int_equal(cbor_get(&in, &item), CBOR_OK);
	assert_true(item.type == CBOR_NULL);
	assert_int_equal(cbor_get(&in, &item), CBOR_END);
}

static void full_stays_full(void **state)
{
	uint8_t mem[4];
	struct cbor_out out;

	(void)state;
	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_text(&out, "abcd");
	assert_true(cbor_out_full(&out));
	cbor_put_uint(&out, 1);
	assert_true(cbor_out_full(&out));
}

static enum cbor_got skipped_as(const char *bytes, size_t len, unsigned depth)
{
	struct cbor_in in;

	cbor_in_init(&in, bytes, len);
	return cbor_skip(&in, depth);
}

static void refuses(void **state)
{
	(void)state;
	assert_int_equal(skipped_as("\x1b\xff", 2, 0), CBOR_CUT);
	assert_int_equal(skipped_as("\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, 0), CBOR_CUT);
	assert_int_equal(skipped_as("\x5f\x41x\xff", 4, 4), CBOR_MALFORMED); /* indefinite */
	assert_int_equal(skipped_as("\xc1\x00", 2, 4), CBOR_MALFORMED);      /* tag */
	assert_int_equal(skipped_as("\xfb\0\0\0\0\0\0\0\0", 9, 4), CBOR_MALFORMED);
	assert_int_equal(skipped_as("\xff", 1, 4), CBOR_MALFORMED);
	assert_int_equal(skipped_as("\x81\x81\x00", 3, 1), CBOR_MALFORMED); /* too deep */
	assert_int_equal(skipped_as("\x81\x81\x00", 3, 2), CBOR_OK);
	assert_int_equal(skipped_as("\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x00", 10, 1), CBOR_CUT);
	assert_int_equal(skipped_as("", 0, 1), CBOR_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(full_stays_full),
		cmocka_unit_test(refuses),
	};
	return RUN(tests);
}
