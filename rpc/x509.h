/*
 * Helpers for the files that use mbedTLS: random numbers, errors, loading of
 * keys and certificates, the identity in a certificate. Nothing outside rpc/
 * includes this.
 *
 * Only .c files include mbedTLS, so its objects are void pointers here: `chain`
 * and `crt` are an mbedtls_x509_crt, `key` is an mbedtls_pk_context, `profile`
 * an mbedtls_x509_crt_profile.
 */
#ifndef FDUMP_RPC_X509_H
#define FDUMP_RPC_X509_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "rpc/identity.h"

/* mbedTLS 3 hides members that have no accessor; 2.28 does not define the
 * macro. */
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif
#define RPC_MBEDTLS3 (MBEDTLS_VERSION_NUMBER >= 0x03000000)

/* Must be called before anything else of mbedTLS; loading does so. Returns 0,
 * or -1 with err set. */
int rpc_x509_start(struct err *err);

/* mbedTLS's f_rng: the kernel's random numbers. */
int rpc_x509_random(void *unused, unsigned char *out, size_t len);

/* Sets err to the message and mbedTLS's own text for its code. Returns -1. */
int rpc_x509_fail(struct err *err, enum err_code code, int mbedtls_code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Appends the PEM certificates of a file to the chain. Returns 0, or -1 with
 * err set. */
int rpc_x509_load_chain(void *chain, const char *path, struct err *err);
/* Loads a private key; only its owner may have access to the file. Returns 0,
 * or -1 with err set. */
int rpc_x509_load_key(void *key, const char *path, struct err *err);
/* Parses a private key: PEM with its NUL counted, or DER. Returns 0, or -1 with
 * err set. */
int rpc_x509_parse_key(void *key, const void *bytes, size_t len, struct err *err);

/* Checks that the key belongs to the (first) certificate. Returns 0, or -1 with
 * err set to ERR_CONFIG. Without this check every handshake would fail with an
 * error that explains nothing. */
int rpc_x509_check_pair(const void *crt, const void *key, const char *path, struct err *err);

/* Reads the identity and its issuer from an end certificate, and checks that
 * this issuer may sign for it. Only the verification of the chain shows that
 * the issuer did sign it. err must not be NULL. Returns 0, or -1 with err set
 * to ERR_DENIED: it is not such a certificate. */
int rpc_x509_identity(struct rpc_identity *id, const void *crt, struct err *err);
/* Reads from a CA's certificate who signs with it. Returns 0, or -1 with err
 * set to ERR_DENIED: it is neither a root nor an intermediate. */
int rpc_x509_authority(struct rpc_issuer *issuer, const void *crt, struct err *err);

/* Converts an mbedtls_x509_time to seconds since 1970. */
int64_t rpc_x509_time(const void *time);

/* What is accepted in a chain: ECDSA over P-256 and P-384, SHA-2. */
const void *rpc_x509_profile(void);

/* The O attribute of both kinds of CA. */
#define RPC_ROOT_O    "fdump root"
#define RPC_MANAGER_O "fdump manager"

#endif
