/*
 * The proof that the host which begins a run belongs to a domain: a signature with the domain's
 * key. The domain's fingerprint is made of the key's public half, so a store needs no list of
 * members. See cmd/dump/CHUNKS.md, section 1. Pure functions.
 *
 * dump_domain_prove (cmd/dump/domain.h) makes proofs.
 */
#ifndef FDUMP_CMD_STORE_PROOF_H
#define FDUMP_CMD_STORE_PROOF_H

#include <stdint.h>

#include "cmd/store/dump.h"
#include "cmd/store/receipt.h"
#include "lib/seal.h"

struct err;

#define STORE_HOST_LEN 16 /* a host id (rpc/identity.h), as bytes */
#define STORE_RUN_LEN  16 /* the id of a run */

/* The signed message: a label with its NUL, then store, host and run. */
#define STORE_PROOF_LABEL "fdump access 1"
#define STORE_PROOF_LEN   (sizeof STORE_PROOF_LABEL + STORE_UID_LEN + STORE_HOST_LEN + STORE_RUN_LEN)

/* A proof is for one run of one host at one store. One that was made for another store, host or run
 * is invalid. */
struct store_proof {
	uint8_t uid[STORE_UID_LEN]; /* of the store */
	uint8_t host[STORE_HOST_LEN];
	uint8_t run[STORE_RUN_LEN];
};

/* Writes the message that is signed. */
void store_proof_message(const struct store_proof *proof, uint8_t message[STORE_PROOF_LEN]);

/* The fingerprint of the domain with this public key. */
void store_proof_fingerprint(
	const uint8_t public[SEAL_SIGN_LEN], uint8_t fingerprint[STORE_DOMAIN_LEN]);

/* Checks a proof. Returns 0 if `public` is the domain's key, and its secret half made the signature
 * for this run; 1 if not: refuse; -1 with err set: the check failed, refuse too. */
int store_proof_check(const uint8_t public[SEAL_SIGN_LEN],
	const uint8_t fingerprint[STORE_DOMAIN_LEN], const struct store_proof *proof,
	const uint8_t signature[SEAL_SIG_LEN], struct err *err);

#endif
