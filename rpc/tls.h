/*
 * The record layer: TLS over a connected, non-blocking socket. All of it is in
 * tls.c, so that it can be replaced; nothing of mbedTLS is visible here.
 *
 * rpc_tls_conf_new once -> rpc_tls_new for each connection ->
 * rpc_tls_handshake until 0 -> rpc_tls_peer -> rpc_tls_read, rpc_tls_write ->
 * rpc_tls_bye -> rpc_tls_free.
 *
 * TLS 1.2, ECDHE with an AEAD, no tickets, no resumption, no renegotiation. The
 * handshake succeeds only if the peer's certificate chains to the CA, is within
 * its validity, has an identity (rpc/identity) that is not on the deny list and
 * not our own, and is the expected one, if one is expected. One exception, with
 * a configuration of its own: the enrolment server asks for no certificate.
 *
 * A function that returns 1 would block: call it again, with the same
 * arguments, when the socket is ready for rpc_tls_wants. Use everything from
 * one thread.
 */
#ifndef FDUMP_RPC_TLS_H
#define FDUMP_RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/identity.h"

struct err;
struct rpc_deny;
struct rpc_tls;
struct rpc_tls_conf;

enum rpc_tls_kind {
	RPC_TLS_MUTUAL,        /* both sides authenticate */
	RPC_TLS_ENROLL_SERVER, /* the client has no certificate yet */
	RPC_TLS_ENROLL_CLIENT, /* we have none; the CA is known by its fingerprint */
};

struct rpc_tls_opts {
	enum rpc_tls_kind kind;
	const char *cert; /* path: own certificate, then intermediates (PEM) */
	const char *key;  /* path: its private key, mode 0600 */
	const char *ca;   /* path: the CA's certificates */
	/* ENROLL_CLIENT only, instead of the three paths: the CA's certificate. */
	const uint8_t *ca_der;
	size_t ca_len;
	/* Borrowed for the life of the configuration; may be NULL. */
	const struct rpc_deny *deny;
};

/* Loads and checks the files: the key must belong to the certificate, and the
 * certificate must have an identity. The result has one reference. err must not
 * be NULL. Returns NULL with err set: ERR_CONFIG, ERR_FORMAT for a malformed
 * ca_der, or the error of a file. */
struct rpc_tls_conf *rpc_tls_conf_new(const struct rpc_tls_opts *opts, struct err *err);
/* Connections hold a reference, so a renewed configuration can replace one that
 * is in use. */
struct rpc_tls_conf *rpc_tls_conf_ref(struct rpc_tls_conf *conf);
void rpc_tls_conf_unref(struct rpc_tls_conf *conf);
/* Our own identity; only for RPC_TLS_MUTUAL. Borrowed. */
const struct rpc_identity *rpc_tls_conf_self(const struct rpc_tls_conf *conf);

/* The peer that a dialler expects. */
struct rpc_expect {
	enum rpc_role role;
	const char *name;
};

/* Makes a session on fd, which stays the caller's. The dialling side must pass
 * expect; NULL means the accepting side. Holds a reference to conf. Returns
 * NULL with err set on failure. */
struct rpc_tls *rpc_tls_new(
	struct rpc_tls_conf *conf, int fd, const struct rpc_expect *expect, struct err *err);
/* NULL does nothing. */
void rpc_tls_free(struct rpc_tls *tls);

/* Returns 0 when done, 1, or -1 with err set: ERR_DENIED if either side refused
 * the other, ERR_CLOSED if the peer left. */
int rpc_tls_handshake(struct rpc_tls *tls, struct err *err);

/* Who the peer is, once the handshake is done. For an enrolling peer the role
 * is RPC_NOBODY and the rest is empty. Borrowed. */
const struct rpc_identity *rpc_tls_peer(const struct rpc_tls *tls);

/* When the peer's certificate expires, in seconds since 1970. */
int64_t rpc_tls_until(const struct rpc_tls *tls);

/* True as long as the peer's certificate has not expired and is not on the deny
 * list. Check it again on long connections. */
bool rpc_tls_peer_valid(const struct rpc_tls *tls);

/* Reads up to cap bytes, and sets *len. Returns 0, 1, 2 if the peer ended its
 * side in order (close_notify), or -1 with err set: ERR_CLOSED if the
 * connection was cut, ERR_DAMAGE if a record was tampered with. */
int rpc_tls_read(struct rpc_tls *tls, uint8_t *to, size_t cap, size_t *len, struct err *err);

/* Writes from the front of the bytes, at most one record, and sets *len. After
 * 1 the bytes at the front must stay the same; more may be added after them.
 * Returns 0, 1, or -1 with err set. */
int rpc_tls_write(
	struct rpc_tls *tls, const uint8_t *bytes, size_t bytes_len, size_t *len, struct err *err);

/* Sends close_notify. Returns 0, 1, or -1 with err set. */
int rpc_tls_bye(struct rpc_tls *tls, struct err *err);

/* RPC_READ or RPC_WRITE: what the last call that returned 1 waits for. */
int rpc_tls_wants(const struct rpc_tls *tls);

/* The library that does the AES-GCM of TLS in this process: "libipsec-mb",
 * "libgcrypt", or a text that says it is mbedTLS's own, which is slow. Returns
 * NULL with err set if its results are wrong and TLS is unavailable. */
const char *rpc_tls_gcm(struct err *err);

#endif
