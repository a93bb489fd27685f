/* lib/seal: published vectors, and the properties that sealing must have. */
#include "test/unit/unit.h"

#include "lib/gcm.h"
#include "lib/hash.h"
#include "lib/seal.h"

#define LONGEST 128

static struct err err;

/* Bytes of a hexadecimal text. Returns how many. */
static size_t unhex(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	for (; *text != 0; text += 2) {
		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static void expect(const uint8_t *bytes, size_t len, const char *text)
{
	uint8_t want[LONGEST];

	assert_int_equal(unhex(text, want), len);
	assert_memory_equal(bytes, want, len);
}

/* D. McGrew and J. Viega, "The Galois/Counter Mode of Operation", appendix B,
 * test cases 13 to 16 (submitted to and kept by NIST). */
static const struct {
	const char *key, *nonce, *ad, *plain, *sealed;
} gcm_cases[] = {
	{"0000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{"0000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000", "", "00000000000000000000000000000000",
		"cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
		"b094dac5d93471bdec1a502270e3cc6c"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
		"76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void gcm_vectors(void **state)
{
	uint8_t key[LONGEST], nonce[LONGEST], ad[LONGEST], plain[LONGEST], out[LONGEST];
	size_t i, ad_len, len;

	(void)state;
	for (i = 0; i < sizeof gcm_cases / sizeof *gcm_cases; i++) {
		struct gcm *seal;

		unhex(gcm_cases[i].key, key);
		unhex(gcm_cases[i].nonce, nonce);
		ad_len = unhex(gcm_cases[i].ad, ad);
		len = unhex(gcm_cases[i].plain, plain);
		seal = gcm_new(key, SEAL_KEY_LEN, &err);
		assert_non_null(seal);
		assert_int_equal(seal_seal(seal, nonce, ad, ad_len, plain, len, out, &err), 0);
		expect(out, len + SEAL_TAG_LEN, gcm_cases[i].sealed);
		assert_int_equal(
			seal_open(seal, nonce, ad, ad_len, out, len + SEAL_TAG_LEN, out, &err), 0);
		assert_memory_equal(out, plain, len);
		/* In place, with the same context again. */
		assert_int_equal(seal_seal(seal, nonce, ad, ad_len, out, len, out, &err), 0);
		expect(out, len + SEAL_TAG_LEN, gcm_cases[i].sealed);
		gcm_free(seal);
	}
	gcm_free(NULL);
}

/* Each flipped bit of ciphertext, tag, nonce and associated data is found, each cut too, and no
 * plaintext is output. */
static void gcm_finds_changes(void **state)
{
	static const uint8_t zeros[LONGEST];
	uint8_t key[SEAL_KEY_LEN] = {1}, nonce[SEAL_NONCE_LEN] = {2}, ad[48] = {3}, plain[61] = {4};
	uint8_t sealed[sizeof plain + SEAL_TAG_LEN], out[sizeof plain];
	uint8_t *parts[] = {sealed, nonce, ad};
	size_t lens[] = {sizeof sealed, sizeof nonce, sizeof ad}, part, bit, len;
	struct gcm *seal = gcm_new(key, SEAL_KEY_LEN, &err), *other;

	(void)state;
	assert_non_null(seal);
	assert_int_equal(
		seal_seal(seal, nonce, ad, sizeof ad, plain, sizeof plain, sealed, &err), 0);
	for (part = 0; part < 3; part++)
		for (bit = 0; bit < 8 * lens[part]; bit++) {
			parts[part][bit / 8] ^= (uint8_t)(1u << bit % 8);
			memset(out, 0xff, sizeof out);
			assert_int_equal(seal_open(seal, nonce, ad, sizeof ad, sealed,
						 sizeof sealed, out, &err),
				1);
			assert_memory_equal(out, zeros, sizeof out);
			parts[part][bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	for (len = 0; len < sizeof sealed; len++)
		assert_int_equal(seal_open(seal, nonce, ad, sizeof ad, sealed, len, out, &err), 1);
	for (len = 0; len < sizeof ad; len++)
		assert_int_equal(
			seal_open(seal, nonce, ad, len, sealed, sizeof sealed, out, &err), 1);
	key[31] ^= 1;
	other = gcm_new(key, SEAL_KEY_LEN, &err);
	assert_non_null(other);
	assert_int_equal(
		seal_open(other, nonce, ad, sizeof ad, sealed, sizeof sealed, out, &err), 1);
	assert_int_equal(
		seal_open(seal, nonce, ad, sizeof ad, sealed, sizeof sealed, out, &err), 0);
	assert_memory_equal(out, plain, sizeof out);
	gcm_free(other);
	gcm_free(seal);
}

/* Whichever library does it: the same bytes, of any length, in place or not. */
static void gcm_the_same_everywhere(void **state)
{
	static const size_t far[] = {4095, 65536, 65537, 1u << 20, (4u << 20) + 5};
	static uint8_t plain[(4u << 20) + 5], a[sizeof plain + SEAL_TAG_LEN], b[sizeof a];
	uint8_t key[SEAL_KEY_LEN], nonce[SEAL_NONCE_LEN], ad[300];
	struct gcm *wide, *narrow;
	size_t i, len, ad_len;

	(void)state;
	assert_int_equal(seal_random(key, sizeof key, &err), 0);
	assert_int_equal(seal_random(ad, sizeof ad, &err), 0);
	assert_int_equal(seal_random(plain, sizeof plain, &err), 0);
	assert_non_null(wide = gcm_new(key, SEAL_KEY_LEN, &err));
	assert_non_null(narrow = gcm_new_narrow(key, SEAL_KEY_LEN, &err));
	for (i = 0; i < 1500 + sizeof far / sizeof *far; i++) {
		len = i < 1500 ? i : far[i - 1500];
		ad_len = i % (sizeof ad + 1);
		seal_nonce(i, nonce);
		assert_int_equal(seal_seal(wide, nonce, ad, ad_len, plain, len, a, &err), 0);
		memcpy(b, plain, len);
		assert_int_equal(seal_seal(narrow, nonce, ad, ad_len, b, len, b, &err), 0);
		assert_memory_equal(a, b, len + SEAL_TAG_LEN);
		assert_int_equal(
			seal_open(wide, nonce, ad, ad_len, b, len + SEAL_TAG_LEN, b, &err), 0);
		assert_memory_equal(b, plain, len);
		assert_int_equal(
			seal_open(narrow, nonce, ad, ad_len, a, len + SEAL_TAG_LEN, b, &err), 0);
		assert_memory_equal(b, plain, len);
		a[len + i % SEAL_TAG_LEN] ^= 1;
		assert_int_equal(
			seal_open(narrow, nonce, ad, ad_len, a, len + SEAL_TAG_LEN, b, &err), 1);
	}
	gcm_free(wide);
	gcm_free(narrow);
}

static void nonces_differ(void **state)
{
	static uint8_t seen[65536][SEAL_NONCE_LEN];
	static const uint64_t far[] = {UINT32_MAX, 1ULL << 32, 1ULL << 63, UINT64_MAX};
	uint8_t nonce[SEAL_NONCE_LEN], key[SEAL_KEY_LEN] = {0}, a[16 + SEAL_TAG_LEN], b[sizeof a];
	struct gcm *seal;
	size_t i;

	(void)state;
	for (i = 0; i < 65536; i++) {
		seal_nonce(i, seen[i]);
		/* They are big-endian numbers: each is greater than the previous one. */
		if (i > 0)
			assert_true(memcmp(seen[i - 1], seen[i], SEAL_NONCE_LEN) < 0);
	}
	for (i = 0; i < 4; i++) {
		seal_nonce(far[i], nonce);
		assert_true(memcmp(seen[65535], nonce, SEAL_NONCE_LEN) < 0);
	}
	expect(nonce, sizeof nonce, "00000000ffffffffffffffff");
	/* The nonce is really used: the same bytes are sealed to different ones. */
	seal = gcm_new(key, SEAL_KEY_LEN, &err);
	assert_non_null(seal);
	assert_int_equal(seal_seal(seal, seen[0], NULL, 0, key, 16, a, &err), 0);
	assert_int_equal(seal_seal(seal, seen[1], NULL, 0, key, 16, b, &err), 0);
	for (i = 0; i + 8 <= sizeof a; i += 8)
		assert_memory_not_equal(a + i, b + i, 8);
	gcm_free(seal);
}

static void randoms_differ(void **state)
{
	static uint8_t seen[1000][16], large[1 << 20];
	uint8_t block[256] = {0};
	size_t i, j;

	(void)state;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(seal_random(seen[i], sizeof seen[i], &err), 0);
		for (j = 0; j < i; j++)
			assert_memory_not_equal(seen[i], seen[j], sizeof seen[i]);
	}
	/* Large requests are filled to the end. */
	assert_int_equal(seal_random(large, sizeof large, &err), 0);
	for (i = 0; i + sizeof block <= sizeof large; i += sizeof block)
		assert_memory_not_equal(large + i, block, sizeof block);
}

static void ramp(uint8_t *out, uint8_t from, size_t len)
{
	while (len-- > 0)
		*out++ = from++;
}

/* RFC 5869, appendix A, cases 1 to 3. */
static void hkdf(void **state)
{
	uint8_t ikm[80], salt[80], info[80], out[82];

	(void)state;
	memset(ikm, 0x0b, 22);
	ramp(salt, 0, 13);
	ramp(info, 0xf0, 10);
	assert_int_equal(seal_hkdf(ikm, 22, salt, 13, info, 10, out, 42, &err), 0);
	expect(out, 42,
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b8871858"
		"65");
	assert_int_equal(seal_hkdf(ikm, 22, NULL, 0, NULL, 0, out, 42, &err), 0);
	expect(out, 42,
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96"
		"c8");
	ramp(ikm, 0, 80);
	ramp(salt, 0x60, 80);
	ramp(info, 0xb0, 80);
	assert_int_equal(seal_hkdf(ikm, 80, salt, 80, info, 80, out, 82, &err), 0);
	expect(out, 82,
		"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		"59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		"cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

/* RFC 7748, 5.2. */
static void x25519_vectors(void **state)
{
	uint8_t k[32], u[32], out[32];
	int i;

	(void)state;
	unhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", k);
	unhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", u);
	assert_int_equal(seal_x25519(k, u, out, &err), 0);
	expect(out, 32, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	unhex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", k);
	unhex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493", u);
	assert_int_equal(seal_x25519(k, u, out, &err), 0);
	expect(out, 32, "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
	memset(k, 0, 32);
	k[0] = 9;
	memcpy(u, k, 32);
	for (i = 0; i < 1000; i++) {
		assert_int_equal(seal_x25519(k, u, out, &err), 0);
		memcpy(u, k, 32);
		memcpy(k, out, 32);
		if (i == 0) /* the public half is the product with 9 */
			assert_int_equal(seal_x25519_public(u, out, &err), 0);
		if (i == 0)
			assert_memory_equal(out, k, 32);
		if (i == 0)
			expect(k, 32,
				"422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
	}
	expect(k, 32, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

static void x25519_pairs(void **state)
{
	/* Points of small order: 0, 1, and one of order 8. */
	static const char *const bad[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	};
	uint8_t a[32], b[32], a_public[32], b_public[32], ab[32], ba[32];
	size_t i;

	(void)state;
	assert_int_equal(seal_x25519_new(a, a_public, &err), 0);
	assert_int_equal(seal_x25519_new(b, b_public, &err), 0);
	assert_memory_not_equal(a, b, 32);
	assert_int_equal(seal_x25519(a, b_public, ab, &err), 0);
	assert_int_equal(seal_x25519(b, a_public, ba, &err), 0);
	assert_memory_equal(ab, ba, 32);
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		unhex(bad[i], b_public);
		err.code = ERR_NONE;
		assert_int_equal(seal_x25519(a, b_public, ab, &err), -1);
		assert_int_equal(err.code, ERR_FORMAT);
	}
}

/* The vectors of the reference implementation by RFC 9106's authors (test.c of phc-winner-argon2):
 * the RFC's own vectors need a secret and associated data, which are not used here. */
static void argon2id(void **state)
{
	static const struct {
		struct seal_argon2 cost;
		const char *pass, *salt, *key;
	} cases[] = {
		{{2, 65536, 1}, "password", "somesalt",
			"09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{{2, 256, 1}, "password", "somesalt",
			"9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"},
		{{2, 256, 2}, "password", "somesalt",
			"6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"},
		{{1, 65536, 1}, "password", "somesalt",
			"f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98"},
		{{4, 65536, 1}, "password", "somesalt",
			"9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c"},
		{{2, 65536, 1}, "differentpassword", "somesalt",
			"0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"},
		{{2, 65536, 1}, "password", "diffsalt",
			"bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c"},
	};
	static const struct seal_argon2 refused[] = {{0, 64, 1}, {17, 64, 1}, {1, 7, 1}, {1, 64, 0},
		{1, 1024, 17}, {1, 15, 2}, {1, 1048577, 1}, {UINT32_MAX, UINT32_MAX, 1}};
	uint8_t key[SEAL_KEY_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(seal_argon2id(cases[i].pass, strlen(cases[i].pass), cases[i].salt,
					 8, &cases[i].cost, key, &err),
			0);
		expect(key, sizeof key, cases[i].key);
	}
	for (i = 0; i < sizeof refused / sizeof *refused; i++) {
		assert_int_equal(seal_argon2id("x", 1, "somesalt", 8, &refused[i], key, &err), -1);
		assert_int_equal(err.code, ERR_LIMIT);
	}
	assert_true(seal_argon2_allowed(&seal_argon2_default));
}

/* RFC 8032, 7.1, tests 1 and 2. */
static void ed25519(void **state)
{
	static const struct {
		const char *secret, *public, *message, *signature;
	} cases[] = {
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
			"fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "r",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
			"85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	};
	uint8_t secret[32], public[32], sig[SEAL_SIG_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t len = strlen(cases[i].message);

		unhex(cases[i].secret, secret);
		assert_int_equal(seal_sign_public(secret, public, &err), 0);
		expect(public, sizeof public, cases[i].public);
		assert_int_equal(seal_sign(secret, cases[i].message, len, sig, &err), 0);
		expect(sig, sizeof sig, cases[i].signature);
		assert_int_equal(seal_verify(public, cases[i].message, len, sig, &err), 0);
		assert_int_equal(seal_verify(public, "other", 5, sig, &err), 1);
	}
}

/* A flipped bit anywhere is found, and so is the group's order added to s, which an implementation
 * that skips RFC 8032's range check accepts. */
static void ed25519_finds_changes(void **state)
{
	uint8_t secret[32], public[32], other[32], sig[SEAL_SIG_LEN], order[32];
	unsigned bit, i, carry = 0;

	(void)state;
	assert_int_equal(seal_sign_new(secret, public, &err), 0);
	assert_int_equal(seal_sign(secret, "message", 7, sig, &err), 0);
	for (bit = 0; bit < 8 * SEAL_SIG_LEN; bit++) {
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(seal_verify(public, "message", 7, sig, &err), 1);
		sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (bit = 0; bit < 256; bit++) {
		memcpy(other, public, sizeof other);
		other[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(seal_verify(other, "message", 7, sig, &err), 1);
	}
	assert_int_equal(seal_verify(public, "message", 7, sig, &err), 0);
	unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order);
	for (i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(seal_verify(public, "message", 7, sig, &err), 1);
}

static void equal_and_wipe(void **state)
{
	uint8_t a[40], b[40];
	size_t i;

	(void)state;
	memset(a, 7, sizeof a);
	memset(b, 7, sizeof b);
	assert_true(seal_equal(a, b, sizeof a));
	assert_true(seal_equal(a, b, 0));
	for (i = 0; i < sizeof a; i++) {
		b[i] ^= 0x80;
		assert_false(seal_equal(a, b, sizeof a));
		b[i] ^= 0x80;
	}
	seal_wipe(a, sizeof a);
	for (i = 0; i < sizeof a; i++)
		assert_int_equal(a[i], 0);
	seal_wipe(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gcm_vectors),
		cmocka_unit_test(gcm_finds_changes),
		cmocka_unit_test(gcm_the_same_everywhere),
		cmocka_unit_test(nonces_differ),
		cmocka_unit_test(randoms_differ),
		cmocka_unit_test(hkdf),
		cmocka_unit_test(x25519_vectors),
		cmocka_unit_test(x25519_pairs),
		cmocka_unit_test(argon2id),
		cmocka_unit_test(ed25519),
		cmocka_unit_test(ed25519_finds_changes),
		cmocka_unit_test(equal_and_wipe),
	};

	return hash_crypto_init(&err) != 0 ? 1 : RUN(tests);
}
