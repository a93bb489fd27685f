/* lib/size: amounts as people write them. */
#include "test/unit/unit.h"

#include "lib/size.h"

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} right[] = {{"0", 0}, {"7", 7}, {"2K", 2048}, {"3M", 3u << 20},
		{"10G", UINT64_C(10) << 30}, {"1T", UINT64_C(1) << 40},
		{"18446744073709551615", UINT64_MAX}};
	static const char *const wrong[] = {"", "K", "-1", " 1", "1k", "1KB", "1 K",
		"18446744073709551616", "18446744073709551615K"};
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof right / sizeof *right; i++) {
		assert_int_equal(size_parse(right[i].text, &bytes), 0);
		assert_true(bytes == right[i].bytes);
	}
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(size_parse(wrong[i], &bytes), -1);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} right[] = {{"0s", 0}, {"90m", 5400}, {"8h", 28800}, {"14d", 14 * 86400},
		{"2w", 14 * 86400}, {"1y", 366 * 86400}};
	static const char *const wrong[] = {
		"", "7", "d", "-1d", " 1d", "1D", "1dd", "1 d", "9223372036854775807y"};
	int64_t seconds;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof right / sizeof *right; i++) {
		assert_int_equal(size_parse_time(right[i].text, &seconds), 0);
		assert_int_equal(seconds, right[i].seconds);
	}
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(size_parse_time(wrong[i], &seconds), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(times),
	};
	return RUN(tests);
}
