/* A domain's fingerprint is a hash of its public key, so the store need not keep the key. */
#include "cmd/store/proof.h"

#include <string.h>

#include "lib/hash.h"

void store_proof_message(const struct store_proof *proof, uint8_t message[STORE_PROOF_LEN])
{
	uint8_t *at = message;

	memcpy(at, STORE_PROOF_LABEL, sizeof STORE_PROOF_LABEL);
	at += sizeof STORE_PROOF_LABEL;
	memcpy(at, proof->uid, STORE_UID_LEN);
	at += STORE_UID_LEN;
	memcpy(at, proof->host, STORE_HOST_LEN);
	at += STORE_HOST_LEN;
	memcpy(at, proof->run, STORE_RUN_LEN);
}

void store_proof_fingerprint(
	const uint8_t public[SEAL_SIGN_LEN], uint8_t fingerprint[STORE_DOMAIN_LEN])
{
	uint8_t sum[HASH_LEN];

	hash_sha256(public, SEAL_SIGN_LEN, sum);
	memcpy(fingerprint, sum, STORE_DOMAIN_LEN);
}

int store_proof_check(const uint8_t public[SEAL_SIGN_LEN],
	const uint8_t fingerprint[STORE_DOMAIN_LEN], const struct store_proof *proof,
	const uint8_t signature[SEAL_SIG_LEN], struct err *err)
{
	uint8_t own[STORE_DOMAIN_LEN], message[STORE_PROOF_LEN];

	store_proof_fingerprint(public, own);
	if (memcmp(own, fingerprint, sizeof own) != 0)
		return 1;
	store_proof_message(proof, message);
	return seal_verify(public, message, sizeof message, signature, err);
}
