/* lib/pass: from a file. The terminal is tested in cli/key-terminal.sh. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/pass.h"

static struct err err;
static struct pass pass;

/* Asks for the passphrase in a file of this content and mode. */
static int asked(const char *content, size_t len, mode_t mode)
{
	char path[] = "/tmp/fdump-pass.XXXXXX";
	int fd = mkstemp(path), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	err.code = ERR_NONE;
	ret = pass_ask(path, "it", &pass, &err);
	unlink(path);
	return ret;
}

static void first_line(void **state)
{
	(void)state;
	assert_int_equal(asked("secret\nrest\n", 12, 0600), 0);
	assert_int_equal(pass.len, 6);
	assert_memory_equal(pass.bytes, "secret", 6);
	assert_int_equal(asked("  \xff\0 ", 5, 0400), 0); /* bytes as they are */
	assert_int_equal(pass.len, 5);
	pass_wipe(&pass);
	assert_int_equal(pass.len, 0);
	assert_int_equal(pass.bytes[0], 0);
}

static void refuses(void **state)
{
	static char large[5000];

	(void)state;
	memset(large, 'a', sizeof large);
	assert_int_equal(asked("", 0, 0600), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(asked("\nsecret\n", 8, 0600), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(asked(large, PASS_MAX, 0600), 0);
	assert_int_equal(asked(large, PASS_MAX + 1, 0600), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(asked(large, sizeof large, 0600), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	/* Readable by others, or writable by the group; a credential's 0440 is fine. */
	assert_int_equal(asked("secret", 6, 0604), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.message, "chmod 600"));
	assert_int_equal(asked("secret", 6, 0620), -1);
	assert_int_equal(asked("secret", 6, 0440), 0);
	assert_int_equal(pass_ask("/nonexistent/pass", "it", &pass, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

static void from_pipe(void **state)
{
	char path[32];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "secret\n", 7), 7);
	close(fds[1]);
	snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
	assert_int_equal(pass_ask_new(path, "it", &pass, &err), 0);
	assert_int_equal(pass.len, 6);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_line),
		cmocka_unit_test(refuses),
		cmocka_unit_test(from_pipe),
	};
	return RUN(tests);
}
