/* lib/esc: one name is one line, and no information is lost. */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "lib/esc.h"

static void check(const char *in, size_t len, const char *want)
{
	char out[256];

	assert_int_equal(esc_name(out, sizeof out, in, len), strlen(want));
	assert_string_equal(out, want);
}

static void escapes(void **state)
{
	(void)state;
	check("plain name", 10, "plain name");
	check("a\nb\tc\rd\\e", 9, "a\\nb\\tc\\rd\\\\e");
	check("\x1b[31m", 5, "\\033[31m");
	check("caf\xc3\xa9", 5, "caf\xc3\xa9");
	check("\xff\xfe", 2, "\\377\\376");
	check("\xc0\xaf", 2, "\\300\\257");
	check("\xed\xa0\x80", 3, "\\355\\240\\200");
	check("\xe2\x80\xae", 3, "\\342\\200\\256");
	check("\xc2\x85", 2, "\\302\\205");
	check("a\0b", 3, "a\\000b");
	check("\xf0\x9f\x92\xbe", 4, "\xf0\x9f\x92\xbe");
}

static void keeps_backslashes(void **state)
{
	char out[32];

	(void)state;
	assert_int_equal(esc_line(out, sizeof out, "a\\nb: no\nsuch\xff", 14), 18);
	assert_string_equal(out, "a\\nb: no\\nsuch\\377");
}

static void cuts_at_a_character(void **state)
{
	char out[6];

	(void)state;
	assert_int_equal(esc_name(out, sizeof out,
				 "ab\x01"
				 "c",
				 4),
		2);
	assert_string_equal(out, "ab");
	assert_int_equal(esc_name(out, 1, "abc", 3), 0);
}

static void writes_digits(void **state)
{
	char out[7];

	(void)state;
	esc_hex(out, "\x00\x9f\xa0", 3);
	assert_string_equal(out, "009fa0");
	esc_hex(out, NULL, 0);
	assert_string_equal(out, "");
}

static void reads_digits(void **state)
{
	static const char *const no[] = {
		"009fa", "009fa00", "009fA0", "009f 0", "+09fa0", "009fx0", ""};
	uint8_t bytes[3];
	size_t i;

	(void)state;
	assert_true(esc_unhex(bytes, 3, "009fa0"));
	assert_memory_equal(bytes, "\x00\x9f\xa0", 3);
	assert_true(esc_unhex(bytes, 0, ""));
	for (i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(esc_unhex(bytes, 3, no[i]));
}

/* Printed names can be read back, and nothing else is accepted as one. */
static void turns_back(void **state)
{
	static const char *const no[] = {"", "plain", "back\\slash", "a\\", "\\08", "\\000",
		"\\400", "\\101", "\\012", "\\303\\244", "a\nb\\n"};
	char name[300], text[ESC_MAX(300)], back[ESC_MAX(300)];
	unsigned seed = 1;
	size_t i, len, round;

	(void)state;
	for (i = 0; i < sizeof no / sizeof *no; i++)
		assert_false(esc_back(back, no[i]));
	assert_true(esc_back(back, "new\\nline\\\\ lat\\344"));
	assert_string_equal(back, "new\nline\\ lat\344");
	for (round = 0; round < 3000; round++) {
		len = 1 + (size_t)rand_r(&seed) % 20;
		for (i = 0; i < len; i++)
			name[i] = (char)(1 + rand_r(&seed) % (round % 2 ? 255 : 127));
		name[len] = 0;
		esc_name(text, sizeof text, name, len);
		assert_int_equal(esc_back(back, text), strchr(text, '\\') != NULL);
		if (strchr(text, '\\') != NULL)
			assert_string_equal(back, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test(keeps_backslashes),
		cmocka_unit_test(cuts_at_a_character),
		cmocka_unit_test(writes_digits),
		cmocka_unit_test(reads_digits),
		cmocka_unit_test(turns_back),
	};
	return RUN(tests);
}
