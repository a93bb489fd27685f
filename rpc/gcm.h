/*
 * AES-GCM for TLS by lib/gcm, which is many times as fast as mbedTLS's own.
 *
 * gcm.c defines the functions of mbedTLS's AES-GCM under mbedTLS's names: the
 * interface by which mbedTLS lets it be replaced, bound by the linker and not by
 * a rebuild. libmbedcrypto calls them through its symbol table, in which a
 * program's definition comes before the library's. If it does not, as with an
 * mbedTLS that binds them for itself, mbedTLS's own code runs: slower, no less
 * right. Only what one TLS 1.2 record needs is there; the functions for a
 * message in pieces return an error.
 */
#ifndef FDUMP_RPC_GCM_H
#define FDUMP_RPC_GCM_H

#include <stdbool.h>

struct err;

/* Proves AES-GCM as TLS will call it, once a process, with known vectors.
 * Returns 0, or -1 with err set: it gives a wrong result, and TLS must not be
 * used. Thread-safe. */
int rpc_gcm_start(struct err *err);

/* After rpc_gcm_start: true if what ran is lib/gcm. */
bool rpc_gcm_is_ours(void);

#endif
