/*
 * A dialler: connects to one peer, and again when the connection is lost.
 *
 * rpc_dial_new -> up -> rpc_call_start on its connection ... -> down -> up ->
 * ... -> rpc_dial_free. Names are looked up in a pool's thread; each address
 * that they have is tried. After a failure it waits: from wait_min_ms, doubled
 * each time up to wait_max_ms, of which a random half is taken off, so that a
 * fleet does not come back all at once. After a connection that stayed up for more
 * than ten times wait_min_ms it begins with that again: a peer that is restarted now
 * and then is not kept waiting for, one that drops each connection is spared.
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
	/* Enrolment: in place of conf, the fingerprint of the CA whose certificate
	 * the peer sends before TLS begins; RPC_DIGEST_LEN bytes, copied. */
	const uint8_t *pin;
	struct rpc_expect expect;          /* its name is copied */
	const struct rpc_service *service; /* what the peer may ask us */
	const struct rpc_times *times;     /* NULL: default; handshake also bounds connecting */
	const char *host, *port;           /* copied */
	uint32_t credit;                   /* as in rpc_conn_opts */
	struct pool *pool;                 /* NULL: host must be numeric */
	int64_t wait_min_ms, wait_max_ms;  /* 0, 0: 1 s to times->redial */
	bool once;                         /* never again after it was lost, or did not come up */
	void *arg;
	/* Each may be NULL. The connection is the dialler's, and good until down. */
	void (*up)(void *arg, struct rpc_conn *conn);
	void (*room)(void *arg, struct rpc_conn *conn);
	/* It was lost, or did not come up; tried again in wait_ms, or, if that
	 * is -1, never. rpc_dial_free may be called from here. */
	void (*down)(void *arg, const struct err *why, int64_t wait_ms);
};

/* Starts at once; no callback runs from inside. NULL with err set. */
struct rpc_dial *rpc_dial_new(
	struct rpc_loop *loop, const struct rpc_dial_opts *opts, struct err *err);
/* The connection, if it is up; else NULL. */
struct rpc_conn *rpc_dial_conn(const struct rpc_dial *dial);
/* With pin, once it is up: the CA's certificate (DER). Borrowed. */
const uint8_t *rpc_dial_pinned(const struct rpc_dial *dial, size_t *len);
/* Takes this configuration from the next attempt on (a renewed certificate). */
void rpc_dial_conf(struct rpc_dial *dial, struct rpc_tls_conf *conf);
/* Ends the connection (its calls' done run), and tries no more. No callback of
 * the dialler runs after it. NULL does nothing. */
void rpc_dial_free(struct rpc_dial *dial);

#endif
