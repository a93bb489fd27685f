/*
 * Cryptography by libgcrypt. Random bytes come straight from the kernel: there
 * is no state to seed, and none that a fork could duplicate.
 */
#include "lib/seal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include <gcrypt.h>

#include "lib/err.h"
#include "lib/gcm.h"
#include "lib/hash.h"

const struct seal_argon2 seal_argon2_default = {.passes = 5, .memory = 65536, .lanes = 1};

/* The order of the group of Ed25519, little-endian (RFC 8032, 5.1). */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
	0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};

static int failed(struct err *err, const char *what, gcry_error_t code)
{
	return err_set(err, gcry_err_code(code) == GPG_ERR_ENOMEM ? ERR_NOMEM : ERR_FAILED,
		"%s: %s", what, gcry_strerror(code));
}

int seal_random(void *bytes, size_t len, struct err *err)
{
	uint8_t *at = bytes;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "random bytes");
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

void seal_nonce(uint64_t n, uint8_t nonce[SEAL_NONCE_LEN])
{
	int i;

	memset(nonce, 0, 4);
	for (i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(n >> (56 - 8 * i));
}

int seal_seal(struct gcm *gcm, const uint8_t nonce[SEAL_NONCE_LEN], const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, struct err *err)
{
	return gcm_seal(gcm, nonce, ad, ad_len, in, len, out, (uint8_t *)out + len, err);
}

int seal_open(struct gcm *gcm, const uint8_t nonce[SEAL_NONCE_LEN], const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, struct err *err)
{
	if (len < SEAL_TAG_LEN)
		return 1;
	len -= SEAL_TAG_LEN;
	return gcm_open(gcm, nonce, ad, ad_len, in, len, out, (const uint8_t *)in + len, err);
}

int seal_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info,
	size_t info_len, void *out, size_t out_len, struct err *err)
{
	static const uint8_t no_salt[HASH_LEN];
	uint8_t prk[HASH_LEN], t[HASH_LEN + SEAL_INFO_MAX + 1], *at = out;
	size_t before = 0; /* length of the previous round's output at the start of t */
	uint8_t round = 0;
	int ret = -1;

	assert(info_len <= SEAL_INFO_MAX && out_len <= 255 * HASH_LEN);
	if (salt_len == 0) {
		salt = no_salt;
		salt_len = sizeof no_salt;
	}
	if (hash_hmac(salt, salt_len, ikm, ikm_len, prk, err) != 0)
		return -1;
	while (out_len > 0) {
		size_t n = out_len < HASH_LEN ? out_len : HASH_LEN;

		if (info_len > 0)
			memcpy(t + before, info, info_len);
		t[before + info_len] = ++round;
		if (hash_hmac(prk, sizeof prk, t, before + info_len + 1, t, err) != 0)
			goto out;
		before = HASH_LEN;
		memcpy(at, t, n);
		at += n;
		out_len -= n;
	}
	ret = 0;
out:
	seal_wipe(prk, sizeof prk);
	seal_wipe(t, sizeof t);
	return ret;
}

int seal_x25519_new(
	uint8_t secret[SEAL_X25519_LEN], uint8_t public[SEAL_X25519_LEN], struct err *err)
{
	if (seal_random(secret, SEAL_X25519_LEN, err) != 0)
		return -1;
	return seal_x25519_public(secret, public, err);
}

int seal_x25519_public(
	const uint8_t secret[SEAL_X25519_LEN], uint8_t public[SEAL_X25519_LEN], struct err *err)
{
	gcry_error_t code = gcry_ecc_mul_point(GCRY_ECC_CURVE25519, public, secret, NULL);

	return code == 0 ? 0 : failed(err, "X25519", code);
}

int seal_x25519(const uint8_t secret[SEAL_X25519_LEN], const uint8_t public[SEAL_X25519_LEN],
	uint8_t shared[SEAL_X25519_LEN], struct err *err)
{
	static const uint8_t zeros[SEAL_X25519_LEN];
	gcry_error_t code = gcry_ecc_mul_point(GCRY_ECC_CURVE25519, shared, secret, public);

	if (code != 0)
		return failed(err, "X25519", code);
	/* libgcrypt reports success here; RFC 7748, 6.1, asks for a check. */
	if (seal_equal(shared, zeros, sizeof zeros))
		return err_set(err, ERR_FORMAT, "X25519: the public key is of small order");
	return 0;
}

int seal_wrap_key(const uint8_t secret[SEAL_X25519_LEN], const uint8_t other[SEAL_X25519_LEN],
	const uint8_t ephemeral[SEAL_X25519_LEN], const uint8_t public[SEAL_X25519_LEN],
	const char *label, uint8_t key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t shared[SEAL_X25519_LEN], info[SEAL_INFO_MAX];
	size_t len = strlen(label), halves = 2 * SEAL_X25519_LEN;
	int ret = seal_x25519(secret, other, shared, err);

	assert(len + halves <= sizeof info);
	memcpy(info, label, len);
	memcpy(info + len, ephemeral, SEAL_X25519_LEN);
	memcpy(info + len + SEAL_X25519_LEN, public, SEAL_X25519_LEN);
	if (ret == 0)
		ret = seal_hkdf(
			shared, sizeof shared, NULL, 0, info, len + halves, key, SEAL_KEY_LEN, err);
	seal_wipe(shared, sizeof shared);
	return ret;
}

bool seal_argon2_allowed(const struct seal_argon2 *cost)
{
	return cost->passes >= 1 && cost->passes <= SEAL_ARGON2_PASSES_MAX && cost->lanes >= 1 &&
	       cost->lanes <= SEAL_ARGON2_LANES_MAX && cost->memory >= 8 * cost->lanes &&
	       cost->memory <= SEAL_ARGON2_MEMORY_MAX;
}

int seal_argon2id(const void *pass, size_t pass_len, const void *salt, size_t salt_len,
	const struct seal_argon2 *cost, uint8_t key[SEAL_KEY_LEN], struct err *err)
{
	const unsigned long params[] = {SEAL_KEY_LEN, cost->passes, cost->memory, cost->lanes};
	gcry_kdf_hd_t kdf;
	gcry_error_t code;

	if (!seal_argon2_allowed(cost))
		return err_set(err, ERR_LIMIT,
			"Argon2id: %u passes, %u KiB, %u lanes: the limits are %d, %d and %d",
			cost->passes, cost->memory, cost->lanes, SEAL_ARGON2_PASSES_MAX,
			SEAL_ARGON2_MEMORY_MAX, SEAL_ARGON2_LANES_MAX);
	code = gcry_kdf_open(&kdf, GCRY_KDF_ARGON2, GCRY_KDF_ARGON2ID, params, 4, pass, pass_len,
		salt, salt_len, NULL, 0, NULL, 0);
	if (code != 0)
		return failed(err, "Argon2id", code);
	code = gcry_kdf_compute(kdf, NULL);
	if (code == 0)
		code = gcry_kdf_final(kdf, SEAL_KEY_LEN, key);
	gcry_kdf_close(kdf);
	return code == 0 ? 0 : failed(err, "Argon2id", code);
}

int seal_sign_new(uint8_t secret[SEAL_SIGN_LEN], uint8_t public[SEAL_SIGN_LEN], struct err *err)
{
	if (seal_random(secret, SEAL_SIGN_LEN, err) != 0)
		return -1;
	return seal_sign_public(secret, public, err);
}

/* Serialises Ed25519: libgcrypt creates constants at its first use, and two
 * threads would create them twice. */
static pthread_mutex_t signing = PTHREAD_MUTEX_INITIALIZER;

int seal_sign_public(
	const uint8_t secret[SEAL_SIGN_LEN], uint8_t public[SEAL_SIGN_LEN], struct err *err)
{
	gcry_sexp_t sexp = NULL;
	gcry_ctx_t ctx = NULL;
	gcry_mpi_t q = NULL;
	const uint8_t *bits;
	unsigned len = 0; /* in bits */
	gcry_error_t code;
	int ret = -1;

	pthread_mutex_lock(&signing);
	code = gcry_sexp_build(&sexp, NULL, "(private-key(ecc(curve Ed25519)(flags eddsa)(d%b)))",
		SEAL_SIGN_LEN, (const char *)secret);
	if (code == 0)
		code = gcry_mpi_ec_new(&ctx, sexp, NULL);
	if (code == 0 && (q = gcry_mpi_ec_get_mpi("q@eddsa", ctx, 1)) == NULL)
		code = gcry_error(GPG_ERR_ENOMEM);
	if (code != 0) {
		failed(err, "Ed25519", code);
		goto out;
	}
	bits = gcry_mpi_get_opaque(q, &len);
	if (bits == NULL || len != 8 * SEAL_SIGN_LEN) {
		err_set(err, ERR_FAILED, "Ed25519: a public key of %u bits", len);
		goto out;
	}
	memcpy(public, bits, SEAL_SIGN_LEN);
	ret = 0;
out:
	gcry_mpi_release(q);
	gcry_ctx_release(ctx);
	gcry_sexp_release(sexp);
	pthread_mutex_unlock(&signing);
	return ret;
}

static gcry_error_t message_sexp(gcry_sexp_t *sexp, const void *message, size_t len)
{
	assert(len <= SEAL_SIGNED_MAX);
	return gcry_sexp_build(
		sexp, NULL, "(data(flags eddsa)(hash-algo sha512)(value%b))", (int)len, message);
}

/* Copies 32 bytes, named "r" or "s", out of a signature. */
static int take_half(gcry_sexp_t sexp, const char *name, uint8_t *out)
{
	gcry_sexp_t token = gcry_sexp_find_token(sexp, name, 0);
	size_t len = 0;
	const char *bytes = token != NULL ? gcry_sexp_nth_data(token, 1, &len) : NULL;
	bool good = bytes != NULL && len == SEAL_SIG_LEN / 2;

	if (good)
		memcpy(out, bytes, len);
	gcry_sexp_release(token);
	return good ? 0 : -1;
}

int seal_sign(const uint8_t secret[SEAL_SIGN_LEN], const void *message, size_t len,
	uint8_t signature[SEAL_SIG_LEN], struct err *err)
{
	uint8_t public[SEAL_SIGN_LEN];
	gcry_sexp_t key = NULL, data = NULL, sig = NULL;
	gcry_error_t code;
	int ret = -1;

	if (seal_sign_public(secret, public, err) != 0)
		return -1;
	code = gcry_sexp_build(&key, NULL,
		"(private-key(ecc(curve Ed25519)(flags eddsa)(q%b)(d%b)))", SEAL_SIGN_LEN,
		(const char *)public, SEAL_SIGN_LEN, (const char *)secret);
	if (code == 0)
		code = message_sexp(&data, message, len);
	pthread_mutex_lock(&signing);
	if (code == 0)
		code = gcry_pk_sign(&sig, data, key);
	pthread_mutex_unlock(&signing);
	if (code != 0) {
		failed(err, "Ed25519", code);
		goto out;
	}
	if (take_half(sig, "r", signature) != 0 ||
		take_half(sig, "s", signature + SEAL_SIG_LEN / 2) != 0) {
		err_set(err, ERR_FAILED, "Ed25519: no signature");
		goto out;
	}
	ret = 0;
out:
	gcry_sexp_release(key);
	gcry_sexp_release(data);
	gcry_sexp_release(sig);
	return ret;
}

/* RFC 8032, 5.1.7: the second half must be below the group's order. Otherwise
 * one message would have several signatures. */
static bool below_order(const uint8_t *s)
{
	int i;

	for (i = 31; i >= 0; i--)
		if (s[i] != order[i])
			return s[i] < order[i];
	return false;
}

int seal_verify(const uint8_t public[SEAL_SIGN_LEN], const void *message, size_t len,
	const uint8_t signature[SEAL_SIG_LEN], struct err *err)
{
	const uint8_t *s = signature + SEAL_SIG_LEN / 2;
	gcry_sexp_t key = NULL, data = NULL, sig = NULL;
	gcry_error_t code;

	if (!below_order(s))
		return 1;
	code = gcry_sexp_build(&key, NULL, "(public-key(ecc(curve Ed25519)(flags eddsa)(q%b)))",
		SEAL_SIGN_LEN, (const char *)public);
	if (code == 0)
		code = message_sexp(&data, message, len);
	if (code == 0)
		code = gcry_sexp_build(&sig, NULL, "(sig-val(eddsa(r%b)(s%b)))", SEAL_SIG_LEN / 2,
			(const char *)signature, SEAL_SIG_LEN / 2, (const char *)s);
	pthread_mutex_lock(&signing);
	if (code == 0)
		code = gcry_pk_verify(sig, data, key);
	pthread_mutex_unlock(&signing);
	gcry_sexp_release(key);
	gcry_sexp_release(data);
	gcry_sexp_release(sig);
	switch (gcry_err_code(code)) {
	case GPG_ERR_NO_ERROR:
		return 0;
	case GPG_ERR_ENOMEM:
		return failed(err, "Ed25519", code);
	default:
		return 1; /* not a point of the curve, or not its signature */
	}
}

bool seal_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t different = 0;
	size_t i;

	for (i = 0; i < len; i++)
		different |= x[i] ^ y[i];
	return different == 0;
}

void seal_wipe(void *bytes, size_t len)
{
	if (len > 0)
		explicit_bzero(bytes, len);
}
