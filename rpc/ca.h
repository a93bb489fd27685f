/*
 * The small CA: a root, an intermediate for each manager, end certificates for
 * everybody else (rpc/identity.h has who signs whom). EC P-256, SHA-256.
 *
 * Once:       rpc_ca_make makes the root, its key under a passphrase: that file
 *             goes to a safe place, and is opened for a manager or an operator
 *             only. rpc_ca_intermediate for each manager.
 * Enrolment:  rpc_key_make and rpc_csr_make on the machine, rpc_ca_sign at the
 *             manager, rpc_cert_check on the machine again. Renewal: the same,
 *             with the identity that the peer's certificate has; rpc_cert_info
 *             says when it is due.
 *
 * A certificate says nothing that the request said but the public key: who it
 * is for comes from the caller. Functions may run in any thread, but one
 * struct rpc_ca in one at a time. Keys are written 0600, and never logged.
 * lib/hash's hash_crypto_init must have been called.
 */
#ifndef FDUMP_RPC_CA_H
#define FDUMP_RPC_CA_H

#include <stddef.h>
#include <stdint.h>

#include "lib/sealed.h"
#include "rpc/identity.h"

struct buf;
struct err;
struct pass;
struct rpc_ca;

#define RPC_CERT_DAYS         90  /* an end certificate lives so long, */
#define RPC_CERT_RENEW_DAYS   30  /* and is renewed when so many days are left; */
#define RPC_OPERATOR_DAYS     400 /* an operator's, which a person renews */
#define RPC_INTERMEDIATE_DAYS 1826
#define RPC_ROOT_DAYS         7300
/* A new certificate is good from so long before now on: clocks differ. */
#define RPC_CERT_SKEW_SEC 3600

#define RPC_FILE_MAX   (64 * 1024) /* bytes of a file of keys or certificates */
#define RPC_CSR_MAX    2048        /* bytes of a request (PKCS#10, DER) */
#define RPC_CHAIN_MAX  8192        /* bytes of a certificate with its intermediates (PEM) */
#define RPC_CA_DER_MAX 2048        /* bytes of a CA's certificate (DER) */
#define RPC_DIGEST_LEN 32          /* bytes of a fingerprint: SHA-256 of the DER */

/* Makes a root: its key at key_path, its certificate at cert_path. label is for
 * people, by the grammar of lib/name. The key is a file of lib/sealed under
 * RPC_ROOT_HEADER, with the key (DER) as its secret; or, if pass is NULL, PEM.
 * Nothing is replaced. Returns 0, or -1 with err set. */
#define RPC_ROOT_HEADER "fdump-root 1 protected"
int rpc_ca_make(const char *key_path, const char *cert_path, const char *label,
	const struct pass *pass, struct err *err);

/* Opens a root or an intermediate. ask (with ctx) is for a sealed key: see
 * sealed_load; NULL: such a one is ERR_USAGE. NULL with err set. */
struct rpc_ca *rpc_ca_open(const char *key_path, const char *cert_path, sealed_ask *ask,
	const char *ctx, struct err *err);
/* Wipes the key. NULL does nothing. */
void rpc_ca_close(struct rpc_ca *ca);
/* Whose it is; of the root both names are empty. Borrowed. */
const struct rpc_issuer *rpc_ca_issuer(const struct rpc_ca *ca);
/* When its certificate ends, in unix seconds. */
int64_t rpc_ca_until(const struct rpc_ca *ca);

/* Adds to cert (PEM) the intermediate of a manager, for the public key of the
 * request: as rpc_ca_sign. ca must be the root: else ERR_DENIED. */
int rpc_ca_intermediate(struct rpc_ca *ca, const void *csr, size_t len, const char *manager,
	const char *host, struct buf *cert, struct err *err);

/* Makes a private key at path. Returns 0 or -1. */
int rpc_key_make(const char *path, struct err *err);

/* Whether the key is that of the (first) certificate. Returns 0, 1 if not, or
 * -1 with err set (ERR_NOTFOUND: one of them is not there). */
int rpc_key_fits(const char *key_path, const char *cert_path, struct err *err);

/* Adds to csr the request (DER) of the key at path. Returns 0 or -1. */
int rpc_csr_make(const char *key_path, struct buf *csr, struct err *err);

/* Adds to chain (PEM): a certificate for id's role, name and host id and the
 * request's public key, then the CA's own unless it is a root. The request is
 * held to RPC_CSR_MAX before it is parsed; its signature is checked: who asks
 * has the private half. Good from not_before to not_after (unix seconds); both
 * 0: from now, for RPC_CERT_DAYS or RPC_OPERATOR_DAYS. Never beyond the CA's
 * own end. Returns 0, or -1 with err set: ERR_LIMIT, ERR_FORMAT, ERR_DENIED (it
 * has not the key; or this CA may not sign for such an identity), ERR_FAILED. */
int rpc_ca_sign(struct rpc_ca *ca, const void *csr, size_t len, const struct rpc_identity *id,
	int64_t not_before, int64_t not_after, struct buf *chain, struct err *err);

struct rpc_cert_info {
	struct rpc_identity id;
	int64_t not_before, not_after; /* unix seconds */
};
/* Of the first certificate in the file. Returns 0 or -1. */
int rpc_cert_info(const char *path, struct rpc_cert_info *info, struct err *err);
/* True if it is time to renew: RPC_CERT_RENEW_DAYS or less are left. */
bool rpc_cert_due(const struct rpc_cert_info *info, int64_t now);

/* Whether a chain (PEM, not terminated) that was received is good: below this
 * root (DER), now, for the key at key_path, with an identity, which is in *id
 * then; of an intermediate, that of its manager. Whether it is the right one is
 * the caller's to say. Returns 0, or -1 with err set: ERR_FORMAT, ERR_DENIED,
 * ERR_CONFIG (another's key). */
int rpc_cert_check(const void *root, size_t root_len, const void *chain, size_t len,
	const char *key_path, bool intermediate, struct rpc_identity *id, struct err *err);

/* The first certificate of the PEM file as DER, into der, and its fingerprint.
 * Returns 0 or -1. */
int rpc_ca_der(const char *path, struct buf *der, uint8_t digest[RPC_DIGEST_LEN], struct err *err);
/* DER as PEM. Returns 0, or -1 with err set if it is no certificate. */
int rpc_ca_pem(const void *der, size_t len, struct buf *pem, struct err *err);
/* 128 random bits in hex: a host id. Returns 0 or -1. */
int rpc_host_new(char host[RPC_HOST_LEN + 1], struct err *err);

#endif
