/* lib/hash: published vectors. */
#include "test/unit/unit.h"

#include "lib/hash.h"

static void hex(const uint8_t *bytes, size_t len, char *out)
{
	size_t i;

	for (i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* FIPS 180-4 examples. */
static void sha256(void **state)
{
	static const char abc[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct err err = {0};
	struct hash *h;
	uint8_t d[HASH_LEN], e[HASH_LEN];
	static uint8_t zeros[200000];
	char text[65];

	(void)state;
	hash_sha256("abc", 3, d);
	hex(d, sizeof d, text);
	assert_string_equal(text, abc);
	h = hash_new(&err);
	assert_non_null(h);
	hash_add(h, "a", 1);
	hash_add(h, "bc", 2);
	hash_end(h, d);
	hex(d, sizeof d, text);
	assert_string_equal(text, abc);
	hash_add_zeros(h, sizeof zeros);
	hash_end(h, d);
	hash_sha256(zeros, sizeof zeros, e);
	assert_memory_equal(d, e, sizeof d);
	hash_free(h);
	hash_free(NULL);
}

/* RFC 4231, case 2. */
static void hmac(void **state)
{
	struct err err = {0};
	uint8_t mac[HASH_LEN];
	char text[65];

	(void)state;
	assert_int_equal(hash_hmac("Jefe", 4, "what do ya want for nothing?", 28, mac, &err), 0);
	hex(mac, sizeof mac, text);
	assert_string_equal(
		text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

/* The XXH3 of no bytes, as its specification gives it. */
static void xxh3(void **state)
{
	(void)state;
	assert_true(hash_xxh3("", 0) == 0x2d06800538d394c2ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256),
		cmocka_unit_test(hmac),
		cmocka_unit_test(xxh3),
	};
	struct err err = {0};

	return hash_crypto_init(&err) != 0 ? 1 : RUN(tests);
}
