/*
 * Hashes: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), XXH3-64.
 *
 * SHA-256: hash_new -> (hash_add ... hash_end) repeatedly -> hash_free. A
 * struct hash is one running hash, which hash_end resets. Use it from one
 * thread at a time; it may move between threads. main must call
 * hash_crypto_init before anything else here (or in lib/seal), and before it
 * starts threads.
 */
#ifndef FDUMP_LIB_HASH_H
#define FDUMP_LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct hash;

#define HASH_LEN 32

/* Initialises libgcrypt. Returns 0, or -1 with err set: ERR_UNSUPPORTED if the
 * library is too old, ERR_NOMEM; the program cannot continue. May be called
 * more than once. If libgcrypt runs out of memory during its own
 * initialisation, it ends the program. */
int hash_crypto_init(struct err *err);

/* A new SHA-256. Returns NULL with err set if out of memory. */
struct hash *hash_new(struct err *err);
void hash_free(struct hash *hash);
void hash_add(struct hash *hash, const void *bytes, size_t len);
/* Adds len zero bytes. */
void hash_add_zeros(struct hash *hash, uint64_t len);
/* Writes the digest, and resets the hash for the next use. */
void hash_end(struct hash *hash, uint8_t digest[HASH_LEN]);

/* SHA-256 of one piece of memory. */
void hash_sha256(const void *bytes, size_t len, uint8_t digest[HASH_LEN]);

/* HMAC-SHA-256. Returns 0, or -1 with err set (out of memory). */
int hash_hmac(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t mac[HASH_LEN],
	struct err *err);

/* XXH3-64 with seed 0: detects accidental changes, not forgery. */
uint64_t hash_xxh3(const void *bytes, size_t len);

#endif
