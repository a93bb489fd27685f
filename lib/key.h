/*
 * Keys: an X25519 pair. Data are sealed to the public half, and opened with
 * the secret half. A key may be shared: then its public half carries a secret
 * too, common to all who seal to it, and is as private as a secret half.
 *
 * Making: key_make -> key_secret_save, key_public_save -> key_secret_wipe.
 * Sealing: key_public_load -> key_public_wipe. Opening: key_secret_load ->
 * key_secret_wipe. Those who only look at a key file use struct key_file.
 * Thread-safe but for the passphrase that is asked for; structs are the
 * caller's. hash_crypto_init (lib/hash) must have been called.
 *
 * The file: a header line and a line of base64 (RFC 4648), each ended by a
 * newline, nothing else. The header is one of
 *
 *     fdump-key 1 public             fdump-key 1 public shared
 *     fdump-key 1 secret             fdump-key 1 secret shared
 *     fdump-key 1 secret protected   fdump-key 1 secret shared protected
 *
 * and the base64 stands for these fields:
 *
 *     public     public key 32, [shared secret 32], check 8
 *     secret     public key 32, secret key 32, [shared secret 32], check 8
 *     protected  public key 32, salt 16, passes 4, memory 4 (KiB), lanes 4,
 *                sealed (32 + [32] + 16), check 8
 *
 * Numbers are little-endian. check is the start of the SHA-256 of the header
 * line (without its newline) and all fields before. sealed is what stands in
 * a file that is not protected (secret key, [shared secret]), under
 * AES-256-GCM with 12 zero bytes as nonce, the header line and all fields
 * before as associated data, and as key the Argon2id of the passphrase.
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

/* A text form of an id, its NUL included: 32 hexadecimal digits. */
#define KEY_ID_TEXT (2 * KEY_ID_LEN + 1)
void key_id_text(const uint8_t id[KEY_ID_LEN], char text[KEY_ID_TEXT]);

/* The id of a public key. */
void key_id(const uint8_t public[KEY_LEN], uint8_t id[KEY_ID_LEN]);

/* A new pair. Returns 0, or -1 with err set. */
int key_make(bool shared, struct key_secret *key, struct err *err);

void key_public_wipe(struct key_public *key);
void key_secret_wipe(struct key_secret *key);

/* Gets the passphrase for a key file. pass_ask (lib/pass) is one, with the
 * --passphrase-file or NULL as ctx. Returns 0, or -1 with err set. */
typedef int key_ask(const char *ctx, const char *path, struct pass *pass, struct err *err);

/* Loads FILE.pub. Returns 0, or -1 with err set: ERR_NOTFOUND; ERR_CONFIG if
 * it is no key file, or damaged, or of a later version, or a secret half, or if it is shared and
 * others have access to it (the message says how to mend that). */
int key_public_load(const char *path, struct key_public *key, struct err *err);

/* Loads FILE; ask is only called if it is protected, and may be NULL: then
 * that is ERR_USAGE. Returns 0, or -1 with err set: as above, or ERR_DENIED
 * if the passphrase is wrong. */
int key_secret_load(
	const char *path, key_ask *ask, const char *ctx, struct key_secret *key, struct err *err);

/* Writes FILE.pub (0644; 0600 if shared). Nothing is replaced. Returns 0, or
 * -1 with err set, ERR_EXISTS if the name is taken. */
int key_public_save(const char *path, const struct key_public *key, struct err *err);

/* Writes FILE (0600), protected by the passphrase, or not if pass is NULL.
 * Returns as key_public_save. */
int key_secret_save(
	const char *path, const struct key_secret *key, const struct pass *pass, struct err *err);

/* A key file, checked, but not unlocked. */
enum key_kind {
	KEY_SECRET = 1, /* else public */
	KEY_SHARED = 2,
	KEY_PROTECTED = 4, /* only with KEY_SECRET */
};
#define KEY_BODY_MAX 148
#define KEY_TEXT_MAX 256 /* the longest file, a NUL included */

struct key_file {
	unsigned kind;              /* bits of enum key_kind */
	uint8_t public[KEY_LEN];    /* known even if protected */
	size_t len;                 /* of the body */
	uint8_t body[KEY_BODY_MAX]; /* the fields, as above, the check included */
};

/* The length of the body of this kind; 0 if there is no such kind. */
size_t key_body_len(unsigned kind);

/* Takes kind and body, checks them, fills the rest. Returns 0, or -1 with err
 * set, ERR_FORMAT. */
int key_file_set(struct key_file *file, unsigned kind, const void *body, struct err *err);

/* From text to struct and back. Returns 0, or -1 with err set: ERR_FORMAT,
 * ERR_UNSUPPORTED. The text is at most KEY_TEXT_MAX - 1 bytes; key_file_text
 * adds a NUL and returns the length without it. */
int key_file_parse(struct key_file *file, const char *text, size_t len, struct err *err);
size_t key_file_text(const struct key_file *file, char text[KEY_TEXT_MAX]);

/* As key_public_load and key_secret_save, of either kind. */
int key_file_load(const char *path, struct key_file *file, struct err *err);
int key_file_save(const char *path, const struct key_file *file, struct err *err);

/* Makes the file of either half. Returns 0, or -1 with err set. */
void key_file_of_public(struct key_file *file, const struct key_public *key);
int key_file_of_secret(struct key_file *file, const struct key_secret *key, const struct pass *pass,
	struct err *err);

/* Takes the secret half out. pass is needed if the file is protected. Returns
 * 0, or -1 with err set: ERR_DENIED if the passphrase is wrong, ERR_LIMIT if
 * the file wants more work for it than is allowed, ERR_FORMAT if the halves do
 * not belong together. */
int key_file_unlock(const struct key_file *file, const struct pass *pass, struct key_secret *key,
	struct err *err);

#endif
