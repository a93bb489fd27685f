/*
 * A listener: accepts connections, limits their number, and owns them.
 *
 * rpc_listen_new -> up, down for each connection -> rpc_listen_free.
 *
 * A connection may be used from `up` until `down` returns. The listener owns
 * it; don't free it.
 *
 * Limits. A connection that is not authenticated yet, or never will be
 * (enrolment), takes one of shaking_max places, and one of shaking_per_host for
 * its address. If none is left, or no file descriptor, the connection that has
 * waited longest is dropped: a handshake takes milliseconds, so slow ones do not
 * keep others out. There may be conns_max authenticated connections in all, and
 * conns_per_peer for one host id.
 */
#ifndef FDUMP_RPC_LISTEN_H
#define FDUMP_RPC_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "rpc/conn.h"

struct rpc_listen;

struct rpc_listen_limits {
	unsigned shaking_max, shaking_per_host, conns_max, conns_per_peer;
};
/* 256, 64, 4096, 16. At some 50 KiB each during the handshake, unknown peers
 * hold 13 MiB at most. */
extern const struct rpc_listen_limits rpc_listen_limits_default;

struct rpc_listen_opts {
	struct rpc_tls_conf *conf;
	const struct rpc_service *service;
	const struct rpc_times *times;          /* NULL: default */
	const struct rpc_listen_limits *limits; /* NULL: default */
	const char *host, *port; /* numeric; host NULL: all addresses; port "0": any */
	uint32_t credit;         /* as in rpc_conn_opts */
	/* Sent before TLS begins (enrolment); borrowed, at most 4 KiB. */
	const void *prelude;
	size_t prelude_len;
	void *arg;
	/* Each may be NULL. */
	void (*up)(void *arg, struct rpc_conn *conn);
	void (*down)(void *arg, struct rpc_conn *conn, const struct err *why);
	/* A connection that did not come up, or had to give way; for the log. If there are
	 * many, not for each: `why` of a later one says how many were left out. */
	void (*refused)(void *arg, const char *address, const struct err *why);
};

/* Binds and listens. Copies opts; borrows the strings, the service and the
 * times. Returns NULL with err set: ERR_CONFIG for a bad address, ERR_IO,
 * ERR_NOMEM. */
struct rpc_listen *rpc_listen_new(
	struct rpc_loop *loop, const struct rpc_listen_opts *opts, struct err *err);
/* The port that it listens on. */
unsigned rpc_listen_port(const struct rpc_listen *listen);
/* The number of connections, authenticated or not. */
unsigned rpc_listen_count(const struct rpc_listen *listen);
/* Uses this configuration for new connections. */
void rpc_listen_conf(struct rpc_listen *listen, struct rpc_tls_conf *conf);
/* Call it when the deny list has changed: ends the connections that are on it. */
void rpc_listen_recheck(struct rpc_listen *listen);
/* Accepts no more, drops connections that are not authenticated yet, and shuts
 * down the others in order. */
void rpc_listen_shutdown(struct rpc_listen *listen);
/* Ends all connections (their calls' done run, `down` does not) and frees the
 * listener. Don't call it from its own callbacks. NULL does nothing. */
void rpc_listen_free(struct rpc_listen *listen);

#endif
