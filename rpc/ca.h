/*
 * The fleet's certificate authority: a root, an intermediate for each manager,
 * and end certificates for everybody else (rpc/identity.h says who signs whom).
 * EC P-256, SHA-256.
 *
 * Once:       rpc_ca_make makes the root. Its key file is protected by a
 *             passphrase and kept in a safe place; it is opened only for a new
 *             manager or operator. rpc_ca_intermediate for each manager.
 * Enrolment:  rpc_key_make and rpc_csr_make on the machine, rpc_ca_sign on the
 *             manager, rpc_cert_check on the machine again. Renewal: the same,
 *             with the identity in the peer's certificate; rpc_cert_info and
 *             rpc_cert_due say when.
 *
 * Of a request only the public key goes into the certificate; the caller
 * supplies the identity. Functions may run in any thread, but use one struct
 * rpc_ca from one thread at a time. Keys are written with mode 0600 and never
 * logged. Call lib/hash's hash_crypto_init first.
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

#define RPC_CERT_DAYS         90  /* life of an end certificate, which */
#define RPC_CERT_RENEW_DAYS   30  /* is renewed when this many days are left */
#define RPC_OPERATOR_DAYS     400 /* life of an operator's, which a person renews */
#define RPC_INTERMEDIATE_DAYS 1826
#define RPC_ROOT_DAYS         7300
/* How far before now a new certificate's validity starts, because clocks
 * differ. */
#define RPC_CERT_SKEW_SEC 3600

#define RPC_FILE_MAX   (64 * 1024) /* bytes in a file of keys or certificates */
#define RPC_CSR_MAX    2048        /* bytes in a request (PKCS#10, DER) */
#define RPC_CHAIN_MAX  8192        /* bytes in a certificate with its intermediates (PEM) */
#define RPC_CA_DER_MAX 2048        /* bytes in a CA's certificate (DER) */
#define RPC_DIGEST_LEN 32          /* bytes in a fingerprint: SHA-256 of the DER */

/* Makes a root, with its key at key_path and its certificate at cert_path.
 * label is for people, and follows the grammar of lib/name. The key file is one
 * of lib/sealed with the header RPC_ROOT_HEADER and the key (DER) as its
 * secret; or PEM if pass is NULL. Never replaces a file. Returns 0, or -1 with
 * err set. */
#define RPC_ROOT_HEADER "fdump-root 1 protected"
int rpc_ca_make(const char *key_path, const char *cert_path, const char *label,
	const struct pass *pass, struct err *err);

/* Opens a root or an intermediate. ask and ctx are for a sealed key, as in
 * sealed_load; if ask is NULL, a sealed key is ERR_USAGE. Close it with
 * rpc_ca_close. Returns NULL with err set on failure. */
struct rpc_ca *rpc_ca_open(const char *key_path, const char *cert_path, sealed_ask *ask,
	const char *ctx, struct err *err);
/* Wipes the key. NULL does nothing. */
void rpc_ca_close(struct rpc_ca *ca);
/* Who signs with it; for the root both names are empty. Borrowed. */
const struct rpc_issuer *rpc_ca_issuer(const struct rpc_ca *ca);
/* When its certificate expires, in Unix seconds. */
int64_t rpc_ca_until(const struct rpc_ca *ca);

/* Appends to cert (PEM) a manager's intermediate for the public key of the
 * request. ca must be the root, else ERR_DENIED. Returns as rpc_ca_sign. */
int rpc_ca_intermediate(struct rpc_ca *ca, const void *csr, size_t len, const char *manager,
	const char *host, struct buf *cert, struct err *err);

/* Makes a private key at path; replaces a file there. Returns 0, or -1 with err
 * set. */
int rpc_key_make(const char *path, struct err *err);

/* Checks whether the key belongs to the (first) certificate. Returns 0 if it
 * does, 1 if not, or -1 with err set (ERR_NOTFOUND: one of the files does not
 * exist). */
int rpc_key_fits(const char *key_path, const char *cert_path, struct err *err);

/* Appends to csr the certificate request (DER) for the key at path. Returns 0,
 * or -1 with err set. */
int rpc_csr_make(const char *key_path, struct buf *csr, struct err *err);

/* Appends to chain (PEM) a certificate for id's role, name and host id and the
 * request's public key, then the CA's own certificate unless it is a root. A
 * request longer than RPC_CSR_MAX is not parsed. The request's signature is
 * checked: it proves that the requester has the private key. The certificate is
 * valid from not_before to not_after (Unix seconds); if both are 0, from now,
 * for RPC_CERT_DAYS or RPC_OPERATOR_DAYS. It never outlives the CA's own.
 * Returns 0, or -1 with err set: ERR_LIMIT, ERR_FORMAT, ERR_UNSUPPORTED
 * (another kind of key or signature), ERR_DENIED (the requester does not have
 * the key, or this CA may not sign for such an identity), ERR_FAILED. */
int rpc_ca_sign(struct rpc_ca *ca, const void *csr, size_t len, const struct rpc_identity *id,
	int64_t not_before, int64_t not_after, struct buf *chain, struct err *err);

struct rpc_cert_info {
	struct rpc_identity id;
	int64_t not_before, not_after; /* Unix seconds */
};
/* Reads the first certificate in the file. Returns 0, or -1 with err set. */
int rpc_cert_info(const char *path, struct rpc_cert_info *info, struct err *err);
/* True if it is time to renew: at most RPC_CERT_RENEW_DAYS are left, or it is
 * not valid yet, because the clock was ahead when it was signed. */
bool rpc_cert_due(const struct rpc_cert_info *info, int64_t now);

/* Checks a chain that was received (PEM, not terminated): it leads to this root
 * (DER), is valid now, is for the key at key_path, and has an identity, which
 * is written to *id. For an intermediate that is its manager's. The caller must
 * check that the identity is the right one. Returns 0, or -1 with err set:
 * ERR_FORMAT, ERR_LIMIT, ERR_DENIED, ERR_CONFIG (for another key). */
int rpc_cert_check(const void *root, size_t root_len, const void *chain, size_t len,
	const char *key_path, bool intermediate, struct rpc_identity *id, struct err *err);

/* Appends the first certificate of the PEM file to der, as DER, and writes its
 * fingerprint. Returns 0, or -1 with err set. */
int rpc_ca_der(const char *path, struct buf *der, uint8_t digest[RPC_DIGEST_LEN], struct err *err);
/* Appends a certificate (DER) to pem, as PEM. Does not check the content.
 * Returns 0, or -1 with err set if it is too long. */
int rpc_ca_pem(const void *der, size_t len, struct buf *pem, struct err *err);
/* Makes a host id: 128 random bits in hex. Returns 0, or -1 with err set. */
int rpc_host_new(char host[RPC_HOST_LEN + 1], struct err *err);

#endif
