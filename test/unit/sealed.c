/* lib/sealed: a secret in a file, protected by a passphrase. */
#include "test/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/pass.h"
#include "lib/sealed.h"

static char path[256];
static const char header[] = "fdump-test 1 protected";
static int asked;

static int ask(const char *ctx, const char *name, struct pass *pass, struct err *err)
{
	(void)name, (void)err;
	asked++;
	pass->len = strlen(ctx);
	memcpy(pass->bytes, ctx, pass->len);
	return 0;
}

static int load(const char *pass, uint8_t *out, size_t *len, struct err *err)
{
	asked = 0;
	return sealed_load(path, header, ask, pass, out, len, err);
}

static void a_file_is_opened_by_its_passphrase_only(void **state)
{
	uint8_t out[SEALED_SECRET_MAX], secret[SEALED_SECRET_MAX];
	struct pass pass = {4, "open"};
	struct err err = {0};
	struct stat st;
	size_t len, i;

	(void)state;
	for (i = 0; i < sizeof secret; i++)
		secret[i] = (uint8_t)(i * 7);
	assert_int_equal(sealed_save(path, header, &pass, secret, sizeof secret, &err), 0);
	assert_int_equal(sealed_save(path, header, &pass, secret, 1, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(load("open", out, &len, &err), 0);
	assert_int_equal(len, sizeof secret);
	assert_memory_equal(out, secret, sizeof secret);
	assert_int_equal(load("Open", out, &len, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(sealed_load(path, "fdump-test 1", ask, "open", out, &len, &err), 1);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(load("open", out, &len, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_int_equal(asked, 0);
}

static void damage_is_no_wrong_passphrase(void **state)
{
	uint8_t out[SEALED_SECRET_MAX];
	struct pass pass = {4, "open"};
	struct err err = {0};
	char text[4096];
	size_t len, text_len, i;

	(void)state;
	unlink(path);
	assert_int_equal(sealed_save(path, header, &pass, "secret", 6, &err), 0);
	assert_int_equal(file_read(path, text, sizeof text, &text_len, NULL, &err), 0);
	for (i = 0; i <= text_len; i++) { /* each byte changed, then cut, then longer */
		char was = text[i];
		size_t cut = i < text_len ? text_len : text_len - 1;

		text[i] ^= 1;
		assert_int_equal(file_write(path, text, cut, 0600, &err), 0);
		text[i] = was;
		if (i < strlen(header) + 1) {
			assert_int_equal(load("open", out, &len, &err), 1);
		} else {
			assert_int_equal(load("open", out, &len, &err), -1);
			assert_int_equal(err.code, ERR_CONFIG);
		}
		assert_int_equal(asked, 0);
	}
	unlink(path);
	assert_int_equal(load("open", out, &len, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_opened_by_its_passphrase_only),
		cmocka_unit_test(damage_is_no_wrong_passphrase),
	};
	const char *temp = getenv("TMPDIR");
	struct err err = {0};
	char folder[200];
	int failed;

	snprintf(folder, sizeof folder, "%s/fdump-sealed-XXXXXX", temp != NULL ? temp : "/tmp");
	if (hash_crypto_init(&err) != 0 || mkdtemp(folder) == NULL)
		return 2;
	snprintf(path, sizeof path, "%s/s", folder);
	failed = RUN(tests);
	unlink(path);
	rmdir(folder);
	return failed;
}
