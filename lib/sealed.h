/*
 * Secrets protected by a passphrase, as stored in key files (lib/key) and in
 * the file of the fleet's root key (rpc/ca).
 *
 * The sealed form of a secret, with little-endian numbers:
 *
 *     salt 16, passes 4, memory 4 (KiB), lanes 4, ciphertext, tag 16
 *
 * The key is the Argon2id of the passphrase. The cipher is AES-256-GCM with a
 * nonce of 12 zero bytes (the salt is fresh, so the key is used only once). The
 * associated data are the caller's, then salt and costs.
 *
 * Thread-safe. Call hash_crypto_init (lib/hash) first. Sealing and opening take
 * about 0.3 s and 64 MiB.
 */
#ifndef FDUMP_LIB_SEALED_H
#define FDUMP_LIB_SEALED_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct pass;

#define SEALED_HEAD  28                 /* bytes before the ciphertext */
#define SEALED_EXTRA (SEALED_HEAD + 16) /* what sealing adds */

#define SEALED_CHECK 8 /* bytes in a file's check */

#define SEALED_AD_MAX     256  /* bytes in the caller's associated data */
#define SEALED_SECRET_MAX 1024 /* bytes in a secret stored in a file */

/* Writes len + SEALED_EXTRA bytes to out. Returns 0, or -1 with err set. */
int sealed_put(const struct pass *pass, const void *ad, size_t ad_len, const void *secret,
	size_t len, uint8_t *out, struct err *err);

/* Opens len bytes and writes len - SEALED_EXTRA bytes to out. Returns 0, or -1
 * with err set: ERR_DENIED if the passphrase is wrong (or a byte has changed),
 * ERR_LIMIT if this would take more work than allowed, ERR_FORMAT if len is too
 * short. */
int sealed_get(const struct pass *pass, const void *ad, size_t ad_len, const uint8_t *sealed,
	size_t len, void *out, struct err *err);

/* The check of a file: the start of the SHA-256 of its header line (without the
 * newline) and the bytes of its body, at most SEALED_EXTRA + SEALED_SECRET_MAX. */
void sealed_check(const char *header, const void *body, size_t len, uint8_t check[SEALED_CHECK]);

/* The same as a file of its own (0600). Its header line says what it is, and is
 * the associated data. A line of base64 follows, of the sealed form and 8 bytes
 * of check: sealed_check of the sealed form. */

/* Never replaces a file. Returns 0, or -1 with err set, ERR_EXISTS if the name
 * is taken. */
int sealed_save(const char *path, const char *header, const struct pass *pass, const void *secret,
	size_t len, struct err *err);

/* A callback that gets the passphrase for a file: key_ask of lib/key. */
typedef int sealed_ask(const char *ctx, const char *path, struct pass *pass, struct err *err);

/* Loads it to out, which has room for SEALED_SECRET_MAX bytes. Calls ask only
 * when the check of the file has passed; if ask is NULL, it fails with
 * ERR_USAGE. Returns 0; 1 if the file begins with another line, or is too long:
 * it is another kind of file; or -1 with err set: ERR_NOTFOUND, ERR_CONFIG
 * (damaged, or open to others), ERR_DENIED (wrong passphrase), or the error of
 * ask. */
int sealed_load(const char *path, const char *header, sealed_ask *ask, const char *ctx, void *out,
	size_t *len, struct err *err);

#endif
