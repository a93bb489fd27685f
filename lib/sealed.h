/*
 * Secrets under a passphrase, as key files (lib/key) and the fleet's root key
 * (rpc/ca) keep them.
 *
 * The sealed form of a secret, numbers little-endian:
 *
 *     salt 16, passes 4, memory 4 (KiB), lanes 4, ciphertext, tag 16
 *
 * The key is the Argon2id of the passphrase, the cipher AES-256-GCM with 12
 * zero bytes as nonce (the salt is fresh, so the key is used once), and the
 * associated data are the caller's, then salt and costs.
 *
 * Thread-safe; hash_crypto_init (lib/hash) must have been called. Sealing and
 * opening take about 0.3 s and 64 MiB.
 */
#ifndef FDUMP_LIB_SEALED_H
#define FDUMP_LIB_SEALED_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct pass;

#define SEALED_HEAD  28                 /* before the ciphertext */
#define SEALED_EXTRA (SEALED_HEAD + 16) /* what sealing adds */

#define SEALED_CHECK 8 /* bytes of a file's check */

#define SEALED_AD_MAX     256  /* bytes of the caller's associated data */
#define SEALED_SECRET_MAX 1024 /* bytes of a secret in a file */

/* Writes len + SEALED_EXTRA bytes to out. Returns 0, or -1 with err set. */
int sealed_put(const struct pass *pass, const void *ad, size_t ad_len, const void *secret,
	size_t len, uint8_t *out, struct err *err);

/* Opens len bytes; writes len - SEALED_EXTRA bytes to out. Returns 0, or -1
 * with err set: ERR_DENIED if the passphrase is wrong (or a byte is not what it
 * was), ERR_LIMIT if more work is wanted for it than is allowed, ERR_FORMAT if
 * len is too short. */
int sealed_get(const struct pass *pass, const void *ad, size_t ad_len, const uint8_t *sealed,
	size_t len, void *out, struct err *err);

/* The check of a file: the start of the SHA-256 of its header line (without the newline) and the
 * bytes of its body, at most SEALED_EXTRA + SEALED_SECRET_MAX. */
void sealed_check(const char *header, const void *body, size_t len, uint8_t check[SEALED_CHECK]);

/* The same as a file of its own (0600): a header line, which says what it is
 * and is the associated data, then a line of base64 of the sealed form and 8
 * bytes of check: sealed_check of the sealed form. */

/* Nothing is replaced. Returns 0, or -1 with err set, ERR_EXISTS if the name
 * is taken. */
int sealed_save(const char *path, const char *header, const struct pass *pass, const void *secret,
	size_t len, struct err *err);

/* Gets the passphrase for a file: key_ask of lib/key. */
typedef int sealed_ask(const char *ctx, const char *path, struct pass *pass, struct err *err);

/* Loads it; out has SEALED_SECRET_MAX bytes. ask is only called once the file
 * has proved whole; NULL: ERR_USAGE. Returns 0, 1 if the file begins with another line: it is
 * something else; or -1 with err set: ERR_NOTFOUND, ERR_CONFIG (damaged, or
 * open to others), ERR_DENIED (wrong passphrase), what ask set. */
int sealed_load(const char *path, const char *header, sealed_ask *ask, const char *ctx, void *out,
	size_t *len, struct err *err);

#endif
