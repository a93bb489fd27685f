/* lib/name: the one grammar. */
#include "test/unit/unit.h"

#include <string.h>

#include "lib/name.h"

static void names(void **state)
{
	static const char *const good[] = {"a", "0", "web1", "web-1.example.org", "a.b", "a--b",
		"x23456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {"", ".", "..", "../x", "/x", "x/", "a..b", "a.-b", "a-.b",
		"-a", "a-", ".a", "a.", "A", "a_b", "a b", "a\n", "%00", "a%2e", "\xc0\xae",
		"\xc3\xa4", "a\\b", "a:b",
		"x234567890123456789012345678901234567890123456789012345678901234"};
	char big[4096];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(name_ok(good[i], strlen(good[i])));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (name_ok(bad[i], strlen(bad[i])))
			fail_msg("'%s' was taken", bad[i]);
	assert_false(name_ok("a\0b", 3));
	memset(big, 'a', sizeof big);
	assert_false(name_ok(big, sizeof big));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
	return RUN(tests);
}
