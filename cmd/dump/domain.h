/*
 * Domains: the sets of backups that share chunks, and the secrets derived for each. See
 * cmd/dump/CHUNKS.md, section 1.
 *
 * A domain is a set of recipients on one agent. Its secret is HMAC-SHA-256(agent's secret, "fdump
 * domain" || public keys, sorted bytewise). If any of the keys is shared, the shared secrets
 * (sorted by their public keys) are used in place of the agent's secret. An open domain, one
 * without recipients, also has a secret, which only serves to name the domain.
 *
 * Subkeys of a secret are HKDF-SHA-256(secret, no salt, info), 32 bytes (gear: 2048):
 *   "fdump chunk id"      HMAC key of chunk ids; open domains use plain SHA-256
 *   "fdump dump"          HMAC key of the dumps' records
 *   "fdump access"        secret half of the Ed25519 pair that proves membership of the domain; the
 *                         first 16 bytes of the SHA-256 of its public half are the fingerprint
 *   "fdump gear"          the chunker's table, which hides nothing; open domains derive it from a
 *                         secret of 32 zero bytes
 *
 * The caller owns the structs. They are not changed after init, so any thread may use them.
 */
#ifndef FDUMP_CMD_DUMP_DOMAIN_H
#define FDUMP_CMD_DUMP_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"
#include "cmd/store/proof.h"
#include "lib/hash.h"
#include "lib/key.h"

struct err;

#define DUMP_SECRET_LEN 32

struct dump_domain {
	uint8_t fingerprint[STORE_DOMAIN_LEN];
	uint8_t public[SEAL_SIGN_LEN]; /* the fingerprint is made from it */
	bool open;
	uint8_t secret[HASH_LEN];
	uint8_t id_key[HASH_LEN];
	uint8_t dump_key[HASH_LEN];
	uint8_t access[SEAL_SIGN_LEN]; /* secret half of .public */
	uint64_t gear[256];
	struct key_public to[STORE_WRAPS_MAX]; /* the recipients, sorted by public key */
	size_t to_count;
};

/* Makes the domain of an agent's secret and these recipients (none: an open domain). Returns 0, or
 * -1 with err set: ERR_LIMIT (more than STORE_WRAPS_MAX), ERR_USAGE (the same key twice). */
int dump_domain_init(struct dump_domain *domain, const uint8_t agent[DUMP_SECRET_LEN],
	const struct key_public *to, size_t to_count, struct err *err);

/* Makes the domain of a domain's secret, as a dump's record yields it; it has no recipients.
 * Returns 0, or -1 with err set. */
int dump_domain_of_secret(
	struct dump_domain *domain, const uint8_t secret[HASH_LEN], struct err *err);

void dump_domain_wipe(struct dump_domain *domain);

/* The id of a content: an HMAC, or plain SHA-256 in an open domain. Returns 0, or -1 with err
 * set. */
int dump_domain_id(const struct dump_domain *domain, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err);

/* Signs a proof that this run belongs to the domain; a store checks .public and the signature with
 * store_proof_check (cmd/store/proof.h). Returns 0, or -1 with err set. */
int dump_domain_prove(const struct dump_domain *domain, const struct store_proof *proof,
	uint8_t signature[SEAL_SIG_LEN], struct err *err);

/* The HMAC of a dump's record, computed over its map. Returns 0, or -1 with err set. */
int dump_domain_mac(const struct dump_domain *domain, const void *map, size_t len,
	uint8_t mac[STORE_MAC_LEN], struct err *err);

#endif
