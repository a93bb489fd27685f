/*
 * The payload of KEY blocks: the pack key, wrapped for each key and passphrase that may open
 * the pack. See pack/FORMAT.md, section 6. Works in memory only; pure, except for random bytes.
 * Thread-safe.
 *
 * Sealing: call pack_keyblock_make once per pack, and write the payload in each of its KEY
 * blocks. Opening: pack_keyblock_parse -> see what can open it, ask for a passphrase if need be
 * -> pack_keyblock_open. Call hash_crypto_init (lib/hash) first.
 */
#ifndef FDUMP_PACK_KEYBLOCK_H
#define FDUMP_PACK_KEYBLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/key.h"
#include "lib/seal.h"

struct err;
struct pass;

#define PACK_KEYBLOCK_MAX    16384 /* longest payload */
#define PACK_KEYBLOCK_WRAPS  64    /* most wraps in it */
#define PACK_KEYBLOCK_PASSES 8 /* most of them for passphrases, because each costs work to try */
#define PACK_KEYBLOCK_SALT   16
#define PACK_KEYBLOCK_WRAP   (SEAL_KEY_LEN + SEAL_TAG_LEN) /* length of a wrapped pack key */

/* ERR_DENIED: a key was given but the pack is not sealed, so someone may have substituted it. */
#define PACK_NOT_SEALED                                                                            \
	"not sealed, though a key was given: anyone may have made it (it is read without --key)"

/* The keys and passphrases a pack is sealed to. Borrowed. */
struct pack_recipients {
	const struct key_public *keys;
	size_t key_count;
	const struct pass *passes;
	size_t pass_count;
};

/* The keys and the passphrase available for opening. Borrowed. */
struct pack_secrets {
	const struct key_secret *keys;
	size_t key_count;
	const struct pass *pass; /* or NULL */
};

/* Makes a pack key, and writes the payload (its length to *len) and the payload key that seals
 * blocks. The caller wipes the payload key. Each passphrase costs 0.3 s. Returns 0, or -1 with
 * err set: ERR_USAGE if there is no recipient, ERR_LIMIT if there are more than
 * PACK_KEYBLOCK_WRAPS, ERR_FORMAT if a public key is unusable. */
int pack_keyblock_make(const struct pack_recipients *to, uint8_t payload[PACK_KEYBLOCK_MAX],
	size_t *len, uint8_t payload_key[SEAL_KEY_LEN], struct err *err);

enum pack_wrap_kind {
	PACK_WRAP_OTHER = 0, /* unknown: ignored */
	PACK_WRAP_KEY = 1,
	PACK_WRAP_PASS = 2,
};

/* One wrap. The pointers point into the payload. */
struct pack_wrap {
	enum pack_wrap_kind kind;
	const uint8_t *id, *ephemeral; /* PACK_WRAP_KEY: KEY_ID_LEN and KEY_LEN bytes */
	const uint8_t *salt;           /* PACK_WRAP_PASS: PACK_KEYBLOCK_SALT bytes */
	struct seal_argon2 cost;       /* PACK_WRAP_PASS; not yet compared with the limits */
	const uint8_t *sealed;         /* PACK_KEYBLOCK_WRAP bytes */
};

struct pack_keyblock {
	const uint8_t *payload;
	size_t len;
	const uint8_t *commitment; /* SEAL_KEY_LEN bytes */
	size_t key_count, pass_count, count;
	struct pack_wrap wraps[PACK_KEYBLOCK_WRAPS];
};

/* Parses a payload. The payload is borrowed as long as the struct is in use. Returns 0, or -1
 * with err set: ERR_FORMAT if it is malformed, ERR_LIMIT if something is too long or too many,
 * ERR_UNSUPPORTED if it names an unknown algorithm or has an unknown required key. */
int pack_keyblock_parse(
	struct pack_keyblock *block, const void *payload, size_t len, struct err *err);

/* Unwraps the pack key and writes the payload key; the caller wipes that. Tries the keys first.
 * If that fails, for whatever reason, tries the passphrase, if there is one and the pack has a
 * wrap for passphrases. Returns 0, or -1 with err set:
 *   ERR_DENIED  the pack is not sealed to any of the keys (err names those it is sealed to), or
 *               the passphrase is wrong
 *   ERR_FORMAT  the wrap for one of the keys does not open, or yields a key that does not match
 *               the commitment: damaged or forged
 *   ERR_LIMIT   the passphrase would cost more work than is allowed */
int pack_keyblock_open(const struct pack_keyblock *block, const struct pack_secrets *with,
	uint8_t payload_key[SEAL_KEY_LEN], struct err *err);

#endif
