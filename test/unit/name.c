/* lib/name: the grammar of names. */
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

static void refusals_have_the_rule(void **state)
{
	struct err err = {0};
	char big[4096];

	(void)state;
	assert_int_equal(name_check("--name", "web-1.example", &err), 0);
	assert_int_equal(name_check("--name", "Web\n1", &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_string_equal(err.message, "--name 'Web\\n1': not a name: " NAME_RULE);
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = 0;
	assert_int_equal(name_check("--name", big, &err), -1);
	assert_non_null(strstr(err.message, NAME_RULE));
}

static void host_names(void **state)
{
	static const char *const good[][2] = {
		{"web1", "web1"}, {"Web_1.Example.ORG", "web-1.example.org"}, {"a", "a"}};
	static const char *const bad[] = {"", "_web", "web_", "b\xc3\xbcro", "(none)", "a..b",
		"x234567890123456789012345678901234567890123456789012345678901234"};
	char name[NAME_LEN_MAX + 1];
	struct err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(name_from_host(name, good[i][0], &err), 0);
		assert_string_equal(name, good[i][1]);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(name_from_host(name, bad[i], &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.message, NAME_RULE));
		assert_non_null(strstr(err.message, "--agent"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(refusals_have_the_rule),
		cmocka_unit_test(host_names),
	};
	return RUN(tests);
}
