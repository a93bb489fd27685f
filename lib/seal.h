/*
 * Cryptography: random bytes, AES-256-GCM, HKDF, X25519, Argon2id, Ed25519.
 * Each is a published algorithm, implemented by libgcrypt (AES-256-GCM: by
 * lib/gcm). Only lib/hash and lib/gcm use libgcrypt too.
 *
 * AES-256-GCM: gcm_new (lib/gcm) -> (seal_seal | seal_open) repeatedly ->
 * gcm_free. All other functions here are thread-safe. Call hash_crypto_init
 * (lib/hash) first.
 *
 * Caveats
 * - A nonce used twice under one key reveals both plaintexts and lets an attacker
 *   forge messages. Unique nonces are the caller's responsibility.
 * - At most 2^32 calls of seal_seal with random nonces under one key
 *   (NIST SP 800-38D, 8.3), and 64 GiB less 32 bytes in one call.
 * - Secrets stay with the caller, who wipes them with seal_wipe. X25519 and
 *   Ed25519 leave copies in freed memory.
 * - If X25519 or Ed25519 run out of memory (lib/hash keeps a reserve), libgcrypt
 *   ends the program.
 */
#ifndef FDUMP_LIB_SEAL_H
#define FDUMP_LIB_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct gcm;

#define SEAL_KEY_LEN   32
#define SEAL_NONCE_LEN 12
#define SEAL_TAG_LEN   16 /* what sealing adds */

/* Fills len bytes from the kernel's generator (getrandom(2)). Returns 0, or -1
 * with err set: do not use the bytes then. */
int seal_random(void *bytes, size_t len, struct err *err);

/* The nonce for message n of a sequence: 4 zero bytes, then n, big-endian. */
void seal_nonce(uint64_t n, uint8_t nonce[SEAL_NONCE_LEN]);

/* AES-256-GCM (NIST SP 800-38D). Encrypts len bytes at in, bound to the ad_len
 * bytes of associated data at ad, and writes len + SEAL_TAG_LEN bytes to out:
 * ciphertext, tag. out may be in; otherwise they must not overlap. Returns 0,
 * or -1 with err set: discard out then. */
int seal_seal(struct gcm *gcm, const uint8_t nonce[SEAL_NONCE_LEN], const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, struct err *err);

/* Decrypts len bytes (ciphertext, tag) at in, and writes len - SEAL_TAG_LEN
 * bytes to out, which may be in; otherwise they must not overlap. Returns 0; 1
 * if the bytes are not authentic (another key, nonce or associated data, a
 * changed byte, or len below SEAL_TAG_LEN): out is then zeroed and err not set,
 * because only the caller knows what that means; -1 with err set if the library
 * failed. */
int seal_open(struct gcm *gcm, const uint8_t nonce[SEAL_NONCE_LEN], const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, struct err *err);

/* HKDF-SHA-256 (RFC 5869): out_len bytes, at most 8160, from ikm. salt may be
 * empty; info has at most SEAL_INFO_MAX bytes. Returns 0, or -1 with err set
 * (out of memory). */
#define SEAL_INFO_MAX 256
int seal_hkdf(const void *ikm, size_t ikm_len, const void *salt, size_t salt_len, const void *info,
	size_t info_len, void *out, size_t out_len, struct err *err);

/* X25519 (RFC 7748). A secret is 32 random bytes. */
#define SEAL_X25519_LEN 32
/* Makes a new pair. Returns 0, or -1 with err set. */
int seal_x25519_new(
	uint8_t secret[SEAL_X25519_LEN], uint8_t public[SEAL_X25519_LEN], struct err *err);
/* The public half of a secret. Returns 0, or -1 with err set. */
int seal_x25519_public(
	const uint8_t secret[SEAL_X25519_LEN], uint8_t public[SEAL_X25519_LEN], struct err *err);
/* Computes the secret that this secret half and the other's public half share;
 * hash it before use. Returns 0, or -1 with err set; ERR_FORMAT if the result
 * is all zeros: then public is not an honest key and must be refused. */
int seal_x25519(const uint8_t secret[SEAL_X25519_LEN], const uint8_t public[SEAL_X25519_LEN],
	uint8_t shared[SEAL_X25519_LEN], struct err *err);
/* The wrapping key of what is sealed to an X25519 key, from either side:
 * HKDF-SHA-256(X25519(secret, other), no salt, label || ephemeral || public).
 * Returns as seal_x25519. */
int seal_wrap_key(const uint8_t secret[SEAL_X25519_LEN], const uint8_t other[SEAL_X25519_LEN],
	const uint8_t ephemeral[SEAL_X25519_LEN], const uint8_t public[SEAL_X25519_LEN],
	const char *label, uint8_t key[SEAL_KEY_LEN], struct err *err);

/* Argon2id (RFC 9106, version 0x13, no secret, no associated data): derives a
 * key from a passphrase. The cost is limited, because it is often read from a
 * file. */
#define SEAL_ARGON2_PASSES_MAX 16
#define SEAL_ARGON2_MEMORY_MAX 1048576 /* KiB */
#define SEAL_ARGON2_LANES_MAX  16
struct seal_argon2 {
	uint32_t passes;
	uint32_t memory; /* KiB; at least 8 for each lane */
	uint32_t lanes;  /* changes the result; the lanes are computed one after the other */
};
/* The cost for new passphrases: about 0.3 s and 64 MiB. */
extern const struct seal_argon2 seal_argon2_default;
/* True if the cost is within the limits. */
bool seal_argon2_allowed(const struct seal_argon2 *cost);
/* Makes SEAL_KEY_LEN bytes. The salt has at least 8 bytes. Returns 0, or -1
 * with err set: ERR_LIMIT if the cost is not allowed, ERR_NOMEM if there is not
 * enough memory. */
int seal_argon2id(const void *pass, size_t pass_len, const void *salt, size_t salt_len,
	const struct seal_argon2 *cost, uint8_t key[SEAL_KEY_LEN], struct err *err);

/* Ed25519 (RFC 8032, pure). A secret is 32 random bytes. A message has at most
 * SEAL_SIGNED_MAX bytes; the caller must hash a longer one first. */
#define SEAL_SIGN_LEN   32
#define SEAL_SIG_LEN    64
#define SEAL_SIGNED_MAX 65536
/* Makes a new pair. Returns 0, or -1 with err set. */
int seal_sign_new(uint8_t secret[SEAL_SIGN_LEN], uint8_t public[SEAL_SIGN_LEN], struct err *err);
/* The public half of a secret. Returns 0, or -1 with err set. */
int seal_sign_public(
	const uint8_t secret[SEAL_SIGN_LEN], uint8_t public[SEAL_SIGN_LEN], struct err *err);
/* Signs len bytes. Returns 0, or -1 with err set. */
int seal_sign(const uint8_t secret[SEAL_SIGN_LEN], const void *message, size_t len,
	uint8_t signature[SEAL_SIG_LEN], struct err *err);
/* Returns 0 if this is the key's signature of these bytes, 1 if not (err is not
 * set), -1 with err set if that could not be checked: treat it as invalid. */
int seal_verify(const uint8_t public[SEAL_SIGN_LEN], const void *message, size_t len,
	const uint8_t signature[SEAL_SIG_LEN], struct err *err);

/* True if the bytes are equal, in a time that depends only on len. */
bool seal_equal(const void *a, const void *b, size_t len);

/* Overwrites a secret; the compiler can't optimise this away. bytes may be NULL
 * if len is 0. */
void seal_wipe(void *bytes, size_t len);

#endif
