/*
 * The payload of KEY blocks: the pack key, wrapped for each who may open the
 * pack. See pack/FORMAT.md, section 6. Pure but for random bytes; only bytes
 * in memory. Thread-safe.
 *
 * Sealing: pack_keyblock_make, once for a pack; the payload is then written
 * in each of its KEY blocks. Opening: pack_keyblock_parse -> look who it is
 * for, ask for a passphrase if need be -> pack_keyblock_open.
 * hash_crypto_init (lib/hash) must have been called.
 */
#ifndef FDUMP_PACK_KEYBLOCK_H
#define FDUMP_PACK_KEYBLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/key.h"
#include "lib/seal.h"

struct err;
struct pass;

#define PACK_KEYBLOCK_MAX    16384 /* bytes of a payload */
#define PACK_KEYBLOCK_WRAPS  64    /* wraps in it */
#define PACK_KEYBLOCK_PASSES 8     /* of them for passphrases: each costs work to try */
#define PACK_KEYBLOCK_SALT   16
#define PACK_KEYBLOCK_WRAP   (SEAL_KEY_LEN + SEAL_TAG_LEN) /* a wrapped pack key */

/* ERR_DENIED, where a key was given and a pack is not sealed: someone may have put it there. */
#define PACK_NOT_SEALED                                                                            \
	"not sealed, though a key was given: anyone may have made it (it is read without --key)"

/* Who a pack is sealed to. Borrowed. */
struct pack_recipients {
	const struct key_public *keys;
	size_t key_count;
	const struct pass *passes;
	size_t pass_count;
};

/* What there is to open it with. Borrowed. */
struct pack_secrets {
	const struct key_secret *keys;
	size_t key_count;
	const struct pass *pass; /* or NULL */
};

/* Makes a pack key, writes the payload (its length to *len) and the payload
 * key under which blocks are sealed; the caller wipes that. Each passphrase
 * takes its 0.3 s. Returns 0, or -1 with err set: ERR_USAGE if there is no
 * recipient, ERR_LIMIT if there are more than PACK_KEYBLOCK_WRAPS, ERR_FORMAT
 * if a public key is of no use. */
int pack_keyblock_make(const struct pack_recipients *to, uint8_t payload[PACK_KEYBLOCK_MAX],
	size_t *len, uint8_t payload_key[SEAL_KEY_LEN], struct err *err);

enum pack_wrap_kind {
	PACK_WRAP_OTHER = 0, /* not known here: passed over */
	PACK_WRAP_KEY = 1,
	PACK_WRAP_PASS = 2,
};

/* One wrap. The pointers go into the payload. */
struct pack_wrap {
	enum pack_wrap_kind kind;
	const uint8_t *id, *ephemeral; /* PACK_WRAP_KEY: KEY_ID_LEN and KEY_LEN bytes */
	const uint8_t *salt;           /* PACK_WRAP_PASS: PACK_KEYBLOCK_SALT bytes */
	struct seal_argon2 cost;       /* PACK_WRAP_PASS; not compared with the limits */
	const uint8_t *sealed;         /* PACK_KEYBLOCK_WRAP bytes */
};

struct pack_keyblock {
	const uint8_t *payload;
	size_t len;
	const uint8_t *commitment; /* SEAL_KEY_LEN bytes */
	size_t key_count, pass_count, count;
	struct pack_wrap wraps[PACK_KEYBLOCK_WRAPS];
};

/* Reads a payload, which stays the caller's and must stay as long as the
 * struct is used. Returns 0, or -1 with err set: ERR_FORMAT if it is
 * malformed, ERR_LIMIT if it has too much, ERR_UNSUPPORTED if it names an
 * algorithm, or has a key, that is not known here. */
int pack_keyblock_parse(
	struct pack_keyblock *block, const void *payload, size_t len, struct err *err);

/* Opens the pack key: by the keys first, then by the passphrase, and writes
 * the payload key; the caller wipes that. Returns 0, or -1 with err set:
 *   ERR_DENIED  none of the keys is among those it is sealed to (they are
 *               named), or the passphrase is wrong
 *   ERR_FORMAT  a wrap for one of the keys does not open, or not to what the
 *               commitment says: damaged or forged
 *   ERR_LIMIT   the passphrase would cost more than is allowed */
int pack_keyblock_open(const struct pack_keyblock *block, const struct pack_secrets *with,
	uint8_t payload_key[SEAL_KEY_LEN], struct err *err);

#endif
