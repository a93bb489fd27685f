/*
 * What the files that use mbedTLS share: random numbers, errors, loading of
 * keys and certificates, the identity in a certificate. Nobody outside rpc/
 * includes this.
 */
#ifndef FDUMP_RPC_X509_H
#define FDUMP_RPC_X509_H

#include <stdbool.h>
#include <stddef.h>

#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include "lib/err.h"
#include "rpc/identity.h"

/* mbedTLS 3 hides members that have no accessor; 2.28 does not know the macro. */
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif
#define RPC_MBEDTLS3 (MBEDTLS_VERSION_NUMBER >= 0x03000000)

/* To be called before anything else of mbedTLS. Returns 0, or -1. */
int rpc_x509_start(struct err *err);

/* mbedTLS's f_rng: the kernel's random numbers. */
int rpc_x509_random(void *unused, unsigned char *out, size_t len);

/* Sets err to the message and mbedTLS's own text for its code. Returns -1. */
int rpc_x509_fail(struct err *err, enum err_code code, int mbedtls_code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds the PEM certificates of a file to the chain. Returns 0, or -1. */
int rpc_x509_load_chain(mbedtls_x509_crt *chain, const char *path, struct err *err);
/* Loads a private key; the file has to be for its owner only. 0, or -1. */
int rpc_x509_load_key(mbedtls_pk_context *key, const char *path, struct err *err);

/* Reads the identity from an end certificate. Returns 0, or -1 with err set
 * to ERR_DENIED: it is no certificate of this kind. */
int rpc_x509_identity(struct rpc_identity *id, const mbedtls_x509_crt *crt, struct err *err);

/* What is accepted in a chain: ECDSA over P-256 and P-384, SHA-2. */
extern const mbedtls_x509_crt_profile rpc_x509_profile;

#endif
