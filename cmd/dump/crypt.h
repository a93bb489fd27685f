/*
 * Making and opening chunks' records (cmd/store/record.h). See
 * cmd/dump/CHUNKS.md, section 2.
 *
 * A run has a secret S of 32 random bytes and an ephemeral X25519 pair, of
 * which only the public half and S, sealed to each recipient, go into each
 * record. Wrapping key: HKDF-SHA-256(X25519(ephemeral, recipient), no salt,
 * "fdump record wrap" || ephemeral || recipient). S is sealed under it by
 * AES-256-GCM, nonce 12 zero bytes, associated data: the domain's fingerprint. A record's key
 * is HMAC-SHA-256(S, "fdump record" || id); nonce random, associated
 * data the record's head.
 *
 *   sealing: dump_run_init -> dump_crypt_make ... -> dump_run_wipe
 *   opening: dump_keys_new -> dump_crypt_open ... -> dump_keys_free
 *
 * Any thread may make and open records, each with its own struct zst.
 */
#ifndef FDUMP_CMD_DUMP_CRYPT_H
#define FDUMP_CMD_DUMP_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/dump/domain.h"
#include "cmd/store/record.h"

struct dump_keys;
struct buf;
struct err;
struct zst;

/* A run's secrets; const once made, any thread may use it. */
struct dump_run {
	const struct dump_domain *domain; /* borrowed */
	uint8_t secret[32];
	uint8_t ephemeral[KEY_LEN];
	uint8_t wraps[STORE_WRAPS_MAX * STORE_WRAP_LEN]; /* of its secret */
	uint8_t domain_wraps[STORE_WRAPS_MAX *
			     STORE_WRAP_LEN]; /* of the domain's: for the dump's
					       * record; info "fdump domain wrap" */
};
int dump_run_init(struct dump_run *run, const struct dump_domain *domain, struct err *err);
void dump_run_wipe(struct dump_run *run);

/* Appends the record of a content, whose id is `id`, to `out`. zst: NULL to leave it uncompressed.
 * In an open domain, and if `open`, it is an open record, and id the SHA-256. Returns 0, or -1 with
 * err set. */
int dump_crypt_make(const struct dump_run *run, struct zst *zst, bool open,
	const uint8_t id[STORE_ID_LEN], const void *content, size_t len, struct buf *out,
	struct err *err);

/* Secret keys, and the run secrets they have opened (kept, so that each run
 * costs one X25519). Thread-safe. keys are copied. None: only open records. */
struct dump_keys *dump_keys_new(const struct key_secret *keys, size_t count, struct err *err);
void dump_keys_free(struct dump_keys *keys);

/* The domain's secret out of the record of a sealed dump, whose HMAC is checked.
 * Returns 0, or -1 with err set: ERR_DENIED (none of the keys is right: which is,
 * is said), ERR_DAMAGE (not authentic). */
int dump_keys_domain(struct dump_keys *keys, const struct store_dump *dump,
	struct dump_domain *domain, struct err *err);

/* Gets the content of a record of this domain into `out` (cleared first). It is authentic as
 * far as the key goes; whether it is what its id says the caller must check, by
 * dump_domain_id or by the checksum of what is made of it. bytes may be changed. Returns 0, or -1
 * with err set: ERR_DENIED, ERR_DAMAGE, ERR_FORMAT. */
int dump_crypt_open(struct dump_keys *keys, struct zst *zst, const uint8_t domain[STORE_DOMAIN_LEN],
	const uint8_t id[STORE_ID_LEN], uint8_t *bytes, size_t len, struct buf *out,
	struct err *err);

#endif
