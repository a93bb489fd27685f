/* lib/base64: RFC 4648's vectors; each byte string has exactly one text. */
#include "test/unit/unit.h"

#include "lib/base64.h"

static void vectors(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+"}};
	char text[16], bytes[16];
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		base64_encode(pairs[i][0], strlen(pairs[i][0]), text);
		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(strlen(text), BASE64_LEN(strlen(pairs[i][0])));
		assert_int_equal(base64_decode(text, strlen(text), bytes, sizeof bytes, &len), 0);
		assert_int_equal(len, strlen(pairs[i][0]));
		assert_memory_equal(bytes, pairs[i][0], len);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {"Z", "Zg",
		"Zg=", "Zg==Zg==", "Zm9v=", "Z===", "====", "Zm 9", "Zm9\n", "Zh==", "Zm9=", "Zm-_",
		"Z=g=", "Zg=g"};
	char bytes[16];
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(
			base64_decode(bad[i], strlen(bad[i]), bytes, sizeof bytes, &len), -1);
	assert_int_equal(base64_decode("Zm9v", 4, bytes, 2, &len), -1);
	assert_int_equal(base64_decode("Zm9v", 4, bytes, 3, &len), 0);
}

/* Any four characters that decode encode to the same four again. */
static void one_text(void **state)
{
	static const char some[] = "AZagz09+/=-\n";
	char quad[5] = {0}, again[5];
	uint8_t bytes[3];
	size_t i, len, base = sizeof some, taken = 0;

	(void)state;
	for (i = 0; i < base * base * base * base; i++) {
		quad[0] = some[i % base];
		quad[1] = some[i / base % base];
		quad[2] = some[i / base / base % base];
		quad[3] = some[i / base / base / base];
		if (base64_decode(quad, 4, bytes, sizeof bytes, &len) != 0)
			continue;
		base64_encode(bytes, len, again);
		assert_string_equal(quad, again);
		taken++;
	}
	assert_true(taken > 6000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(refuses),
		cmocka_unit_test(one_text),
	};
	return RUN(tests);
}
