/* lib/key: saved keys can be loaded, and nothing else can. */
#include "test/unit/unit.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/key.h"
#include "lib/pass.h"

static struct err err;
static char folder[] = "/tmp/fdump-key.XXXXXX";
static struct pass right = {6, "secret"}, wrong = {5, "other"};

static int enter(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
	(void)state;
	return chdir("/") == 0 ? rmdir(folder) : -1;
}

static int answer(const char *ctx, const char *path, struct pass *pass, struct err *e)
{
	(void)e;
	assert_string_equal(path, "k");
	*pass = *ctx == 'r' ? right : wrong;
	return 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void round_trip(void **state)
{
	struct key_secret key, got;
	struct key_public half;
	int shared, protected;

	(void)state;
	for (shared = 0; shared < 2; shared++)
		for (protected = 0; protected < 2; protected ++) {
			assert_int_equal(key_make(shared, &key, &err), 0);
			assert_int_equal(
				key_secret_save("k", &key, protected ? &right : NULL, &err), 0);
			assert_int_equal(key_public_save("k.pub", &key.half, &err), 0);
			assert_int_equal(mode_of("k"), 0600);
			assert_int_equal(mode_of("k.pub"), shared ? 0600 : 0644);
			assert_int_equal(key_public_load("k.pub", &half, &err), 0);
			assert_memory_equal(&half, &key.half, sizeof half);
			assert_int_equal(key_secret_load("k", answer, "right", &got, &err), 0);
			assert_memory_equal(&got, &key, sizeof got);
			if (protected) {
				assert_int_equal(
					key_secret_load("k", answer, "wrong", &got, &err), -1);
				assert_int_equal(err.code, ERR_DENIED);
				assert_string_equal(err.message, "k: wrong passphrase");
				assert_int_equal(key_secret_load("k", NULL, NULL, &got, &err), -1);
				assert_int_equal(err.code, ERR_USAGE);
			}
			unlink("k");
			unlink("k.pub");
		}
}

static void keys_differ(void **state)
{
	struct key_secret a, b;
	struct key_file one, two;

	(void)state;
	assert_int_equal(key_make(true, &a, &err), 0);
	assert_int_equal(key_make(true, &b, &err), 0);
	assert_memory_not_equal(a.secret, b.secret, KEY_LEN);
	assert_memory_not_equal(a.half.public, b.half.public, KEY_LEN);
	assert_memory_not_equal(a.half.shared, b.half.shared, KEY_LEN);
	assert_memory_not_equal(a.half.id, b.half.id, KEY_ID_LEN);
	/* Protected twice, nothing but the public half is the same: salts differ. */
	assert_int_equal(key_file_of_secret(&one, &a, &right, &err), 0);
	assert_int_equal(key_file_of_secret(&two, &a, &right, &err), 0);
	assert_memory_equal(one.body, two.body, KEY_LEN);
	assert_memory_not_equal(one.body + KEY_LEN, two.body + KEY_LEN, 16);
	assert_memory_not_equal(one.body + KEY_LEN + 28, two.body + KEY_LEN + 28, 64);
}

static void refuses_wide_modes(void **state)
{
	struct key_secret key, got;
	struct key_public half;
	unsigned mode;

	(void)state;
	assert_int_equal(key_make(true, &key, &err), 0);
	assert_int_equal(key_secret_save("k", &key, NULL, &err), 0);
	assert_int_equal(key_public_save("k.pub", &key.half, &err), 0);
	for (mode = 0; mode < 0100; mode++) {
		int want = mode == 0 ? 0 : -1;

		chmod("k", 0600 | mode);
		chmod("k.pub", 0600 | mode);
		err.code = ERR_NONE;
		assert_int_equal(key_secret_load("k", NULL, NULL, &got, &err), want);
		assert_int_equal(key_public_load("k.pub", &half, &err), want);
		assert_int_equal(err.code, want == 0 ? ERR_NONE : ERR_CONFIG);
	}
	assert_non_null(strstr(err.message, "chmod 600 'k.pub'"));
	unlink("k");
	unlink("k.pub");
}

static void names_what_is_wrong(void **state)
{
	struct key_secret key, got;
	struct key_public half;

	(void)state;
	assert_int_equal(key_make(false, &key, &err), 0);
	assert_int_equal(key_secret_save("k", &key, NULL, &err), 0);
	assert_int_equal(key_secret_save("k", &key, NULL, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(key_public_load("k", &half, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(key_public_load("none", &half, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(key_public_load("/dev/zero", &half, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	unlink("k");
	assert_int_equal(key_public_save("k", &key.half, &err), 0);
	assert_int_equal(key_secret_load("k", NULL, NULL, &got, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	unlink("k");
}

/* Any other byte at any place of any kind makes it invalid; so does any cut. */
static void finds_changes(void **state)
{
	struct key_secret key;
	struct key_file file, got;
	char text[KEY_TEXT_MAX];
	size_t len, at, kind;
	unsigned byte;

	(void)state;
	for (kind = 0; kind < 6; kind++) {
		assert_int_equal(key_make(kind % 2, &key, &err), 0);
		if (kind < 2)
			key_file_of_public(&file, &key.half);
		else
			assert_int_equal(
				key_file_of_secret(&file, &key, kind < 4 ? NULL : &right, &err), 0);
		len = key_file_text(&file, text);
		assert_true(len < KEY_TEXT_MAX);
		assert_int_equal(key_file_parse(&got, text, len, &err), 0);
		assert_memory_equal(&got, &file, sizeof got);
		for (at = 0; at < len; at++) {
			char was = text[at];

			assert_int_equal(key_file_parse(&got, text, at, &err), -1);
			for (byte = 0; byte < 256; byte++) {
				text[at] = (char)byte;
				if (text[at] == was)
					continue;
				assert_int_equal(key_file_parse(&got, text, len, &err), -1);
				assert_true(err.code == ERR_FORMAT || err.code == ERR_UNSUPPORTED);
			}
			text[at] = was;
		}
		text[len] = '\n';
		assert_int_equal(key_file_parse(&got, text, len + 1, &err), -1);
	}
}

/* Files of version 1 stay readable. Made by fdump 0.1.0; passphrase "secret". */
static void golden(void **state)
{
	static const char *const golden[] = {
#include "test/data/key-v1.inc"
	};
	struct key_secret key;
	struct key_file file;
	char id[KEY_ID_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		assert_int_equal(key_file_parse(&file, golden[i], strlen(golden[i]), &err), 0);
		assert_int_equal(key_file_unlock(&file, &right, &key, &err), 0);
		key_id_text(key.half.id, id);
		assert_string_equal(id, golden[2]);
		assert_int_equal(key.half.has_shared, i);
	}
	assert_int_equal(key_file_parse(&file, "fdump-key 2 new\n", 16, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
}

/* A file that asks for more work than allowed is refused before it is done. */
static void refuses_work(void **state)
{
	struct key_secret key;
	struct key_file file;

	(void)state;
	assert_int_equal(key_make(false, &key, &err), 0);
	assert_int_equal(key_file_of_secret(&file, &key, &right, &err), 0);
	memset(file.body + KEY_LEN + 16, 0xff, 4);
	assert_int_equal(key_file_unlock(&file, &right, &key, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

/* A secret half of one key with the public half of another. */
static void refuses_mixed_halves(void **state)
{
	struct key_secret a, b;
	struct key_file file;

	(void)state;
	assert_int_equal(key_make(false, &a, &err), 0);
	assert_int_equal(key_make(false, &b, &err), 0);
	memcpy(a.secret, b.secret, KEY_LEN);
	assert_int_equal(key_file_of_secret(&file, &a, NULL, &err), 0);
	assert_int_equal(key_file_unlock(&file, NULL, &b, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(refuses_wide_modes),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(finds_changes),
		cmocka_unit_test(golden),
		cmocka_unit_test(refuses_work),
		cmocka_unit_test(refuses_mixed_halves),
	};

	if (hash_crypto_init(&err) != 0)
		return 1;
	return cmocka_run_group_tests(tests, enter, leave);
}
