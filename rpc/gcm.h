/*
 * Makes mbedTLS use lib/gcm for the AES-GCM of TLS, which is many times as fast
 * as mbedTLS's own.
 *
 * gcm.c defines mbedTLS's AES-GCM functions under mbedTLS's names. mbedTLS
 * offers this interface so that the functions can be replaced; here that is
 * done by the linker, without a rebuild. libmbedcrypto calls them through its
 * symbol table, where a program's definition precedes the library's. Where it
 * does not, as in an mbedTLS that binds them to itself, mbedTLS's own code
 * runs: slower, but just as correct. Only the functions for one TLS 1.2 record
 * work; those for a message in pieces return an error.
 */
#ifndef FDUMP_RPC_GCM_H
#define FDUMP_RPC_GCM_H

#include <stdbool.h>

struct err;

/* Tests AES-GCM with known vectors, through the calls that TLS makes, once per
 * process. Returns 0, or -1 with err set: the result is wrong, and TLS must not
 * be used. Thread-safe. */
int rpc_gcm_start(struct err *err);

/* After rpc_gcm_start: true if lib/gcm was used. */
bool rpc_gcm_is_ours(void);

#endif
