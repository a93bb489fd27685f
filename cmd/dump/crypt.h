/*
 * Makes and opens chunk records (cmd/store/record.h). See cmd/dump/CHUNKS.md, section 2.
 *
 * A run has a secret S of 32 random bytes and an ephemeral X25519 pair. Each record carries the
 * public half of the pair, and S sealed to each recipient. The wrapping key is
 * HKDF-SHA-256(X25519(ephemeral, recipient), no salt, "fdump record wrap" || ephemeral ||
 * recipient). It seals S by AES-256-GCM with a nonce of 12 zero bytes and the domain's fingerprint
 * as associated data. A record's key is HMAC-SHA-256(S, "fdump record" || id); its nonce is random,
 * and the associated data is the record's head.
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

/* A run's secrets. Not changed after dump_run_init, so any thread may use it. */
struct dump_run {
	const struct dump_domain *domain; /* borrowed */
	uint8_t secret[32];
	uint8_t ephemeral[KEY_LEN];
	uint8_t wraps[STORE_WRAPS_MAX * STORE_WRAP_LEN]; /* the wrapped .secret */
	uint8_t domain_wraps[STORE_WRAPS_MAX *
			     STORE_WRAP_LEN]; /* the domain's wrapped secret, for the dump's record;
						 label "fdump domain wrap" */
};
/* Makes the secrets and the wraps. Returns 0, or -1 with err set. */
int dump_run_init(struct dump_run *run, const struct dump_domain *domain, struct err *err);
void dump_run_wipe(struct dump_run *run);

/* Appends to `out` the record of a content whose id is `id`. zst: NULL to store it uncompressed.
 * The record is open (not sealed) in an open domain, and if `open` is set; the id of an open record
 * is the content's SHA-256. Returns 0, or -1 with err set. */
int dump_crypt_make(const struct dump_run *run, struct zst *zst, bool open,
	const uint8_t id[STORE_ID_LEN], const void *content, size_t len, struct buf *out,
	struct err *err);

/* Secret keys, and the run secrets that they have opened (kept, so that each run costs only one
 * X25519 operation). Thread-safe. The keys are copied; without any, only open records can be read.
 * NULL with err set: out of memory. */
struct dump_keys *dump_keys_new(const struct key_secret *keys, size_t count, struct err *err);
void dump_keys_free(struct dump_keys *keys);

/* Gets the domain's secret from the record of a sealed dump, and checks the record's HMAC. Returns
 * 0, or -1 with err set: ERR_DENIED (none of the keys opens it; the message names one that would),
 * ERR_DAMAGE (not authentic). */
int dump_keys_domain(struct dump_keys *keys, const struct store_dump *dump,
	struct dump_domain *domain, struct err *err);

/* Opens a record of this domain and puts its content into `out` (cleared first). The record is
 * known to be sealed to our key, which anyone could have done; the caller must check that the
 * content is the one that the id names, by dump_domain_id or by the checksum of the file that it
 * becomes part of. `bytes` may be overwritten. Returns 0, or -1 with err set: ERR_DENIED,
 * ERR_DAMAGE, ERR_FORMAT. */
int dump_crypt_open(struct dump_keys *keys, struct zst *zst, const uint8_t domain[STORE_DOMAIN_LEN],
	const uint8_t id[STORE_ID_LEN], uint8_t *bytes, size_t len, struct buf *out,
	struct err *err);

#endif
