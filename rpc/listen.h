/*
 * A listener: accepts connections, bounds them, owns them.
 *
 * rpc_listen_new -> up, down for each connection -> rpc_listen_free. A
 * connection that `up` told of may be used until `down` tells of its end; it
 * is the listener's, and not to be freed by others.
 *
 * Limits. A connection that has not shown who it is holds a place among
 * shaking_max, and among shaking_per_host of its address; when there is none
 * left, the one that has waited longest gives way: a handshake takes
 * milliseconds, so slow ones do not keep others out. Known peers are at most
 * conns_max in all and conns_per_peer of one host id.
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
/* 256, 64, 4096, 16. At some 50 KiB each while they shake, 13 MiB at most are
 * held by peers that are not known. */
extern const struct rpc_listen_limits rpc_listen_limits_default;

struct rpc_listen_opts {
	struct rpc_tls_conf *conf;
	const struct rpc_service *service;
	const struct rpc_times *times;          /* NULL: default */
	const struct rpc_listen_limits *limits; /* NULL: default */
	const char *host, *port;                /* numeric; host NULL: all; port "0": any */
	uint32_t credit;                        /* as in rpc_conn_opts */
	/* Sent before TLS begins (enrolment); borrowed, at most 4 KiB. */
	const void *prelude;
	size_t prelude_len;
	void *arg;
	/* Each may be NULL. */
	void (*up)(void *arg, struct rpc_conn *conn);
	void (*down)(void *arg, struct rpc_conn *conn, const struct err *why);
	/* One that did not come up: for the log. */
	void (*refused)(void *arg, const char *address, const struct err *why);
};

/* NULL with err set. */
struct rpc_listen *rpc_listen_new(
	struct rpc_loop *loop, const struct rpc_listen_opts *opts, struct err *err);
/* The port it listens on. */
unsigned rpc_listen_port(const struct rpc_listen *listen);
/* Connections, known or not. */
unsigned rpc_listen_count(const struct rpc_listen *listen);
/* Takes this configuration for connections that come from now on. */
void rpc_listen_conf(struct rpc_listen *listen, struct rpc_tls_conf *conf);
/* The deny list has changed: ends those that are on it. */
void rpc_listen_recheck(struct rpc_listen *listen);
/* Accepts no more, and shuts all connections down in order. */
void rpc_listen_shutdown(struct rpc_listen *listen);
/* Ends all connections (their calls' done run, `down` does not) and frees.
 * Not from inside its own callbacks. NULL does nothing. */
void rpc_listen_free(struct rpc_listen *listen);

#endif
