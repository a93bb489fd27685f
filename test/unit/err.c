/* lib/err: codes, context, cutting. */
#include "test/unit/unit.h"

#include <errno.h>

static void sets_and_prefixes(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_set(&err, ERR_FORMAT, "x %d", 7), -1);
	assert_int_equal(err.code, ERR_FORMAT);
	assert_string_equal(err.message, "x 7");
	err_prefix(&err, "file %s", "a");
	assert_string_equal(err.message, "file a: x 7");
	assert_int_equal(err_set(NULL, ERR_IO, "nobody listens"), -1);
}

static void errno_decides_the_code(void **state)
{
	struct err err = {0};

	(void)state;
	err_errno(&err, ENOSPC, "write %s", "f");
	assert_int_equal(err.code, ERR_NOSPACE);
	assert_string_equal(err.message, "write f: No space left on device");
	err_errno(&err, ENOMEM, "x");
	assert_int_equal(err.code, ERR_NOMEM);
	err_errno(&err, EIO, "x");
	assert_int_equal(err.code, ERR_IO);
}

static void long_messages_are_cut_and_marked(void **state)
{
	struct err err = {0};
	char text[2 * ERR_MESSAGE_MAX];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 0;
	err_set(&err, ERR_IO, "%s", text);
	assert_int_equal(strlen(err.message), ERR_MESSAGE_MAX - 1);
	assert_string_equal(err.message + ERR_MESSAGE_MAX - 4, "\xe2\x80\xa6");
	err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.message), ERR_MESSAGE_MAX - 1);
}

static void every_code_has_a_name_and_a_status(void **state)
{
	int c;

	(void)state;
	for (c = 0; c < ERR_CODES; c++) {
		assert_non_null(err_name((enum err_code)c));
		assert_true((c == 0) == (err_exit_status((enum err_code)c) == 0));
	}
	assert_int_equal(err_exit_status(ERR_DAMAGE), 5);
	assert_int_equal(err_exit_status((enum err_code)999), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_and_prefixes),
		cmocka_unit_test(errno_decides_the_code),
		cmocka_unit_test(long_messages_are_cut_and_marked),
		cmocka_unit_test(every_code_has_a_name_and_a_status),
	};
	return RUN(tests);
}
