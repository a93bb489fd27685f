/*
 * Encryption keys and their files. A key is an X25519 pair: data are sealed to
 * the public half and opened with the secret half. A key may be shared. Its
 * public half then also carries a secret, common to all who seal to it, and
 * must be kept as private as a secret half.
 *
 * Making: key_make -> key_secret_save, key_public_save -> key_secret_wipe.
 * Sealing: key_public_load -> key_public_wipe. Opening: key_secret_load ->
 * key_secret_wipe. To inspect a key file only, use struct key_file.
 * Thread-safe, except for asking for a passphrase; the caller owns the structs.
 * Call hash_crypto_init (lib/hash) first.
 *
 * The file has a header line and a line of base64 (RFC 4648), each ended by a
 * newline, and nothing else. The header is one of
 *
 *     fdump-key 1 public             fdump-key 1 public shared
 *     fdump-key 1 secret             fdump-key 1 secret shared
 *     fdump-key 1 secret protected   fdump-key 1 secret shared protected
 *
 * and the base64 encodes these fields:
 *
 *     public     public key 32, [shared secret 32], check 8
 *     secret     public key 32, secret key 32, [shared secret 32], check 8
 *     protected  public key 32, salt 16, passes 4, memory 4 (KiB), lanes 4,
 *                sealed (32 + [32] + 16), check 8
 *
 * Numbers are little-endian. check is the start of the SHA-256 of the header
 * line (without its newline) and all fields before check. sealed holds what an
 * unprotected file holds in clear (secret key, [shared secret]), sealed with
 * AES-256-GCM. Its nonce is 12 zero bytes, its associated data are the header
 * line and all fields before sealed, and its key is the Argon2id of the
 * passphrase.
 */
#ifndef FDUMP_LIB_KEY_H
#define FDUMP_LIB_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/seal.h"

struct err;
struct pass;

#define KEY_LEN    SEAL_X25519_LEN
#define KEY_ID_LEN 16

struct key_public {
	uint8_t public[KEY_LEN];
	uint8_t id[KEY_ID_LEN]; /* the start of SHA-256("fdump key" || public) */
	bool has_shared;
	uint8_t shared[KEY_LEN];
};

struct key_secret {
	struct key_public half;
	uint8_t secret[KEY_LEN];
};

/* An id as text: 32 hexadecimal digits and a NUL. */
#define KEY_ID_TEXT (2 * KEY_ID_LEN + 1)
void key_id_text(const uint8_t id[KEY_ID_LEN], char text[KEY_ID_TEXT]);

/* The id of a public key. */
void key_id(const uint8_t public[KEY_LEN], uint8_t id[KEY_ID_LEN]);

/* Makes a new pair. Returns 0, or -1 with err set. */
int key_make(bool shared, struct key_secret *key, struct err *err);

void key_public_wipe(struct key_public *key);
void key_secret_wipe(struct key_secret *key);

/* A callback that gets the passphrase for a key file. One is pass_ask
 * (lib/pass), whose ctx is the --passphrase-file or NULL. Returns 0, or -1 with
 * err set. */
typedef int key_ask(const char *ctx, const char *path, struct pass *pass, struct err *err);

/* Loads FILE.pub. Returns 0, or -1 with err set: ERR_NOTFOUND; ERR_CONFIG if it
 * is not a key file, is damaged, of a later version or a secret half, or if it
 * is shared and other users have access to it (the message says how to fix
 * that). */
int key_public_load(const char *path, struct key_public *key, struct err *err);

/* Loads FILE. ask is called only if the file is protected; if ask is NULL, a
 * protected file is ERR_USAGE. Returns 0, or -1 with err set: as above;
 * ERR_DENIED if the passphrase is wrong. */
int key_secret_load(
	const char *path, key_ask *ask, const char *ctx, struct key_secret *key, struct err *err);

/* Writes FILE.pub (0644; 0600 if shared). Never replaces a file. Returns 0, or
 * -1 with err set, ERR_EXISTS if the name is taken. */
int key_public_save(const char *path, const struct key_public *key, struct err *err);

/* Writes FILE (0600), protected by the passphrase; unprotected if pass is NULL.
 * Returns as key_public_save. */
int key_secret_save(
	const char *path, const struct key_secret *key, const struct pass *pass, struct err *err);

/* A key file that has been checked, but not unlocked. */
enum key_kind {
	KEY_SECRET = 1, /* else public */
	KEY_SHARED = 2,
	KEY_PROTECTED = 4, /* only with KEY_SECRET */
};
#define KEY_BODY_MAX 148
#define KEY_TEXT_MAX 256 /* the longest file, with a NUL */

struct key_file {
	unsigned kind;              /* bits of enum key_kind */
	uint8_t public[KEY_LEN];    /* available even if protected */
	size_t len;                 /* of the body */
	uint8_t body[KEY_BODY_MAX]; /* the fields described above, check included */
};

/* The length of the body for this kind; 0 if there is no such kind. */
size_t key_body_len(unsigned kind);

/* Sets kind and body, checks them, and fills in the rest. Returns 0, or -1 with
 * err set to ERR_FORMAT. */
int key_file_set(struct key_file *file, unsigned kind, const void *body, struct err *err);

/* Parses or writes the text of a key file. key_file_parse returns 0, or -1 with
 * err set: ERR_FORMAT, ERR_UNSUPPORTED. key_file_text writes at most
 * KEY_TEXT_MAX - 1 bytes and a NUL, and returns the length without the NUL. */
int key_file_parse(struct key_file *file, const char *text, size_t len, struct err *err);
size_t key_file_text(const struct key_file *file, char text[KEY_TEXT_MAX]);

/* Like key_public_load and key_secret_save, but for either half. */
int key_file_load(const char *path, struct key_file *file, struct err *err);
int key_file_save(const char *path, const struct key_file *file, struct err *err);

/* Makes the file of either half; pass may be NULL: unprotected. Return 0, or -1
 * with err set. */
void key_file_of_public(struct key_file *file, const struct key_public *key);
int key_file_of_secret(struct key_file *file, const struct key_secret *key, const struct pass *pass,
	struct err *err);

/* Extracts the secret half. pass is needed if the file is protected. Returns 0,
 * or -1 with err set: ERR_USAGE if it is needed and NULL, ERR_DENIED if the
 * passphrase is wrong, ERR_LIMIT if the file demands more work than allowed,
 * ERR_FORMAT if the halves do not belong together. */
int key_file_unlock(const struct key_file *file, const struct pass *pass, struct key_secret *key,
	struct err *err);

#endif
