/* AES-GCM as TLS calls it, through libmbedcrypto. Built twice: gcm-ours with rpc/gcm, gcm-theirs
 * with mbedTLS's own code. Each checks published vectors, wrong tags and operation in place, and
 * prints its results for made-up input, so that gcm.py can compare the two. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/cipher.h>
#include <mbedtls/gcm.h>
#include <mbedtls/version.h>

#ifdef GCM_OURS
#include "lib/err.h"
#include "rpc/gcm.h"
#endif

#define LEN_MAX 40000

static void check(int good, const char *what)
{
	if (!good) {
		printf("FAILED: %s\n", what);
		exit(1);
	}
}

static size_t unhex(const char *hex, uint8_t *to)
{
	size_t len = strlen(hex) / 2, i;

	for (i = 0; i < len; i++) {
		unsigned byte = 0;

		sscanf(hex + 2 * i, "%2x", &byte);
		to[i] = (uint8_t)byte;
	}
	return len;
}

static void start(mbedtls_cipher_context_t *c, const uint8_t *key, int bits, mbedtls_operation_t op)
{
	mbedtls_cipher_init(c);
	check(mbedtls_cipher_setup(c, mbedtls_cipher_info_from_type(
					      bits == 128 ? MBEDTLS_CIPHER_AES_128_GCM
							  : MBEDTLS_CIPHER_AES_256_GCM)) == 0 &&
			mbedtls_cipher_setkey(c, key, bits, op) == 0,
		"setting the key");
}

/* Seals, to out: ciphertext and tag. */
static void seal(const uint8_t *key, int bits, const uint8_t *nonce, const uint8_t *ad,
	size_t ad_len, const uint8_t *in, size_t len, uint8_t *out)
{
	mbedtls_cipher_context_t c;
	size_t n = 0;

	start(&c, key, bits, MBEDTLS_ENCRYPT);
	check(mbedtls_cipher_auth_encrypt_ext(
		      &c, nonce, 12, ad, ad_len, in, len, out, len + 16, &n, 16) == 0 &&
			n == len + 16,
		"sealing");
	mbedtls_cipher_free(&c);
}

/* Opens len bytes, ciphertext and tag. Returns mbedTLS's code. */
static int open_sealed(const uint8_t *key, int bits, const uint8_t *nonce, const uint8_t *ad,
	size_t ad_len, const uint8_t *in, size_t len, uint8_t *out)
{
	mbedtls_cipher_context_t c;
	size_t n = 0;
	int ret;

	start(&c, key, bits, MBEDTLS_DECRYPT);
	ret = mbedtls_cipher_auth_decrypt_ext(
		&c, nonce, 12, ad, ad_len, in, len, out, len > 16 ? len - 16 : 16, &n, 16);
	check(ret != 0 || n == len - 16, "length of what was opened");
	mbedtls_cipher_free(&c);
	return ret;
}

/* --- Published vectors: cases 1 to 4 and 13 to 16 of McGrew and Viega --- */

#define KEY   "feffe9928665731c6d6a8f9467308308"
#define ZERO  "00000000000000000000000000000000"
#define NONCE "cafebabefacedbaddecaf888"
#define PLAIN                                                                                      \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                         \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define AD "feedfacedeadbeeffeedfacedeadbeefabaddad2"

static const struct {
	const char *key, *nonce, *ad, *plain, *sealed;
} vectors[] = {
	{ZERO, "000000000000000000000000", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{ZERO, "000000000000000000000000", "", ZERO,
		"0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
	{KEY, NONCE, "", PLAIN "1aafd255",
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
		"4d5c2af327cd64a62cf35abd2ba6fab4"},
	{KEY, NONCE, AD, PLAIN,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc"
		"3221a5db94fae95ae7121a47"},
	{ZERO ZERO, "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{ZERO ZERO, "000000000000000000000000", "", ZERO,
		"cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
	{KEY KEY, NONCE, "", PLAIN "1aafd255",
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
		"b094dac5d93471bdec1a502270e3cc6c"},
	{KEY KEY, NONCE, AD, PLAIN,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece"
		"0f4e1768cddf8853bb2d551b"},
};

static void published(void)
{
	uint8_t key[32], nonce[12], ad[32], plain[64], sealed[80], out[80];
	size_t i, ad_len, len;

	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		int bits = 8 * (int)unhex(vectors[i].key, key);

		unhex(vectors[i].nonce, nonce);
		ad_len = unhex(vectors[i].ad, ad);
		len = unhex(vectors[i].plain, plain);
		check(unhex(vectors[i].sealed, sealed) == len + 16, "length of a vector");
		seal(key, bits, nonce, ad, ad_len, plain, len, out);
		check(memcmp(out, sealed, len + 16) == 0, "a published vector, sealed");
		check(open_sealed(key, bits, nonce, ad, ad_len, sealed, len + 16, out) == 0 &&
				memcmp(out, plain, len) == 0,
			"a published vector, opened");
	}
	printf("%zu published vectors\n", i);
}

/* --- Made-up input --- */

static uint64_t state = 1;

static uint8_t next_byte(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint8_t)(state >> 56);
}

static uint64_t sum_of(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 14695981039346656037u;
	size_t i;

	for (i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * 1099511628211u;
	return sum;
}

static void made_up(int bits, size_t len, size_t ad_len)
{
	static uint8_t in[LEN_MAX], out[LEN_MAX + 16], place[LEN_MAX + 16];
	static const uint8_t zeros[LEN_MAX];
	uint8_t key[32], nonce[12], ad[64];
	size_t i, at;

	/* Repeated for compilers that warn about possible overflows. */
	if (len > LEN_MAX || ad_len > sizeof ad)
		return;
	for (i = 0; i < sizeof key; i++)
		key[i] = next_byte();
	for (i = 0; i < sizeof nonce; i++)
		nonce[i] = next_byte();
	for (i = 0; i < ad_len; i++)
		ad[i] = next_byte();
	for (i = 0; i < len; i++)
		in[i] = next_byte();
	seal(key, bits, nonce, ad, ad_len, in, len, out);
	printf("%d %zu %zu %016llx\n", bits, len, ad_len,
		(unsigned long long)sum_of(out, len + 16));
	/* In place, in both directions. */
	memcpy(place, in, len);
	seal(key, bits, nonce, ad, ad_len, place, len, place);
	check(memcmp(place, out, len + 16) == 0, "sealing in place");
	check(open_sealed(key, bits, nonce, ad, ad_len, place, len + 16, place) == 0 &&
			memcmp(place, in, len) == 0,
		"opening in place");
	/* Flips a bit of the bytes or the tag, then of the associated data. */
	for (i = 0; i < 4; i++) {
		at = i == 0 ? len + (size_t)(next_byte() % 16)
			    : (next_byte() * 256u + next_byte()) % (len + 16);
		memcpy(place, out, len + 16);
		place[at] ^= (uint8_t)(1u << next_byte() % 8);
		check(open_sealed(key, bits, nonce, ad, ad_len, place, len + 16, place) ==
				MBEDTLS_ERR_CIPHER_AUTH_FAILED,
			"a changed bit is found");
		check(memcmp(place, zeros, len) == 0, "nothing is left of what is refused");
	}
	if (ad_len > 0) {
		ad[ad_len - 1] ^= 1;
		check(open_sealed(key, bits, nonce, ad, ad_len, out, len + 16, place) ==
				MBEDTLS_ERR_CIPHER_AUTH_FAILED,
			"changed associated data are found");
	}
}

#ifdef GCM_OURS
/* Modes that TLS does not use are refused, not half supported. */
static void the_rest_is_refused(void)
{
	mbedtls_gcm_context g;
	uint8_t mem[32] = {0};

	mbedtls_gcm_init(&g);
	check(mbedtls_gcm_crypt_and_tag(
		      &g, MBEDTLS_GCM_ENCRYPT, 16, mem, 12, NULL, 0, mem, mem, 16, mem + 16) != 0,
		"no key");
	check(mbedtls_gcm_setkey(&g, MBEDTLS_CIPHER_ID_AES, mem, 192) != 0, "192 bits");
	check(mbedtls_gcm_setkey(&g, MBEDTLS_CIPHER_ID_CAMELLIA, mem, 128) != 0, "Camellia");
	check(mbedtls_gcm_setkey(&g, MBEDTLS_CIPHER_ID_AES, mem, 256) == 0 &&
			mbedtls_gcm_setkey(&g, MBEDTLS_CIPHER_ID_AES, mem, 128) == 0,
		"a key in place of another");
	check(mbedtls_gcm_crypt_and_tag(
		      &g, MBEDTLS_GCM_DECRYPT, 16, mem, 12, NULL, 0, mem, mem, 16, mem + 16) != 0,
		"opening without a tag");
	check(mbedtls_gcm_crypt_and_tag(
		      &g, MBEDTLS_GCM_ENCRYPT, 16, mem, 16, NULL, 0, mem, mem, 16, mem + 16) != 0,
		"a nonce of 16 bytes");
	check(mbedtls_gcm_auth_decrypt(&g, 16, mem, 12, NULL, 0, mem + 16, 4, mem, mem) != 0,
		"a short tag");
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
	size_t n;

	check(mbedtls_gcm_starts(&g, MBEDTLS_GCM_ENCRYPT, mem, 12) != 0 &&
			mbedtls_gcm_update_ad(&g, mem, 16) != 0 &&
			mbedtls_gcm_update(&g, mem, 16, mem, 16, &n) != 0 &&
			mbedtls_gcm_finish(&g, mem, 16, &n, mem, 16) != 0,
		"in pieces");
#else
	check(mbedtls_gcm_starts(&g, MBEDTLS_GCM_ENCRYPT, mem, 12, NULL, 0) != 0 &&
			mbedtls_gcm_update(&g, 16, mem, mem) != 0 &&
			mbedtls_gcm_finish(&g, mem, 16) != 0,
		"in pieces");
#endif
	mbedtls_gcm_free(&g);
	mbedtls_gcm_free(&g);
	mbedtls_gcm_free(NULL);
}
#endif

int main(void)
{
	static const size_t lens[] = {4096, 16363, 16364, 16384, 16385, LEN_MAX};
	size_t len, i;

#ifdef GCM_OURS
	struct err err = {0};

	check(rpc_gcm_start(&err) == 0, err.message);
	check(rpc_gcm_is_ours(), "mbedTLS calls its own code, and not rpc/gcm");
	the_rest_is_refused();
#endif
	published();
	for (len = 0; len < 300; len++) {
		made_up(128, len, 13);
		made_up(256, len, len % 64);
	}
	for (i = 0; i < sizeof lens / sizeof *lens; i++) {
		made_up(128, lens[i], 13);
		made_up(256, lens[i], 13);
	}
	return 0;
}
