/*
 * A dialler: connects to one peer, and again when the connection is lost.
 *
 * rpc_dial_new -> up -> rpc_call_start on its connection ... -> down -> up ->
 * ... -> rpc_dial_free.
 *
 * A pool's thread looks up names; each address found is tried. After a failure
 * it waits: first wait_min_ms, then twice as long each time up to wait_max_ms,
 * minus a random part of up to half, so that a fleet does not reconnect all at
 * once. After a connection that stayed up for more than ten times wait_min_ms
 * the wait starts with wait_min_ms again. So a peer that is restarted now and
 * then is reconnected quickly, and one that drops every connection is not
 * flooded.
 */
#ifndef FDUMP_RPC_DIAL_H
#define FDUMP_RPC_DIAL_H

#include <stdint.h>

#include "rpc/conn.h"
#include "rpc/tls.h"

struct pool;
struct rpc_dial;

struct rpc_dial_opts {
	struct rpc_tls_conf *conf;
	/* Enrolment: replaces conf. The fingerprint of the CA whose certificate the peer
	 * sends before TLS begins; RPC_DIGEST_LEN bytes, copied. */
	const uint8_t *pin;
	struct rpc_expect expect;          /* its name is copied */
	const struct rpc_service *service; /* methods that the peer may call; may be NULL */
	const struct rpc_times *times;     /* NULL: default; handshake also bounds connecting */
	const char *host, *port;           /* copied */
	uint32_t credit;                   /* as in rpc_conn_opts */
	struct pool *pool;                 /* NULL: host must be numeric */
	int64_t wait_min_ms, wait_max_ms;  /* 0, 0: 1 s to times->redial */
	bool once; /* don't retry after a lost connection or a failed attempt */
	void *arg;
	/* Each may be NULL. The dialler owns the connection, which is valid until down. */
	void (*up)(void *arg, struct rpc_conn *conn);
	void (*room)(void *arg, struct rpc_conn *conn);
	/* The connection was lost, or the attempt failed; the next attempt follows in
	 * wait_ms, or never if that is -1. rpc_dial_free may be called from here. */
	void (*down)(void *arg, const struct err *why, int64_t wait_ms);
};

/* Starts at once; no callback runs from inside. Returns NULL with err set:
 * ERR_USAGE for an invalid host, port or name, ERR_NOMEM. Free it with
 * rpc_dial_free. */
struct rpc_dial *rpc_dial_new(
	struct rpc_loop *loop, const struct rpc_dial_opts *opts, struct err *err);
/* With pin, once the connection is up: the CA's certificate (DER). Borrowed. */
const uint8_t *rpc_dial_pinned(const struct rpc_dial *dial, size_t *len);
/* Uses this configuration (a renewed certificate) from the next attempt on. */
void rpc_dial_conf(struct rpc_dial *dial, struct rpc_tls_conf *conf);
/* Ends the connection (its calls' done run) and all attempts. No callback of
 * the dialler runs after it. NULL does nothing. */
void rpc_dial_free(struct rpc_dial *dial);

#endif
