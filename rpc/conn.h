/*
 * A connection: frames over a record layer, with requests in both directions.
 *
 * rpc_conn_new -> up -> rpc_call_start (rpc/call.h) ... -> rpc_conn_shutdown
 * -> closed -> rpc_conn_free.
 *
 * Call everything from the loop's thread. Callbacks never run from inside
 * rpc_conn_new, rpc_conn_shutdown or rpc_call_start. A callback may call
 * anything here, even rpc_conn_free of its own connection.
 *
 * Memory. An idle connection has its TLS session (2 x 16.3 KiB of records and
 * some 6 KiB, mbedTLS) and about 2 KiB here. The most that an authorised peer
 * can make it hold: 16 KiB of an incomplete frame, RPC_CALLS_MAX calls of 400
 * bytes, RPC_OUT_MAX bytes of output that the peer does not read; and, in
 * handlers, RPC_BLOBS_MAX windows of blob bytes that they have not taken, or,
 * with RPC_CREDIT_NONE, what they have granted.
 */
#ifndef FDUMP_RPC_CONN_H
#define FDUMP_RPC_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "rpc/identity.h"
#include "rpc/times.h"

struct rpc_conn;
struct rpc_expect;
struct rpc_loop;
struct rpc_service;
struct rpc_tls_conf;

struct rpc_conn_ops {
	/* The peer is authenticated and has sent HELLO: calls may start. */
	void (*up)(void *arg);
	/* After a start was refused with ERR_BUSY: now there is room. May be NULL. */
	void (*room)(void *arg);
	/* Once: the connection is over, and all its calls have ended. why->code is
	 * ERR_NONE if both sides ended it in order. Free it, now or later. */
	void (*closed)(void *arg, const struct err *why);
};

/* See rpc_conn_opts. */
#define RPC_CREDIT_NONE UINT32_MAX

struct rpc_conn_opts {
	struct rpc_tls_conf *conf;
	const struct rpc_expect *expect;   /* the peer we dialled; NULL: we accepted */
	const struct rpc_service *service; /* methods that the peer may call; may be NULL */
	const struct rpc_times *times;     /* NULL: rpc_times_default */
	const struct rpc_conn_ops *ops;
	void *arg;
	const char *address; /* of the peer, for logs; copied */
	/* Credit with which each blob to this side begins, up to RPC_WINDOW_MAX; 0:
	 * RPC_WINDOW. RPC_CREDIT_NONE: the peer sends nothing of a request's blob before
	 * rpc_call_grant. */
	uint32_t credit;
};

/* Makes a connection over fd, a connected non-blocking stream socket, which it
 * takes over, unless NULL is returned with err set. Borrows service, times and
 * ops for its life. */
struct rpc_conn *rpc_conn_new(
	struct rpc_loop *loop, int fd, const struct rpc_conn_opts *opts, struct err *err);

/* Allows no new calls from either side, lets running calls finish, then closes,
 * within times->bye. Calling it again does nothing. */
void rpc_conn_shutdown(struct rpc_conn *conn);

/* Ends all calls (their `done` runs, with ERR_CLOSED) and frees the connection;
 * `closed` does not run any more. NULL does nothing. */
void rpc_conn_free(struct rpc_conn *conn);

/* Who the peer is; valid from `up` on. Borrowed. */
const struct rpc_identity *rpc_conn_peer(const struct rpc_conn *conn);
/* When the peer's certificate expires, in seconds since 1970. */
int64_t rpc_conn_until(const struct rpc_conn *conn);
const char *rpc_conn_address(const struct rpc_conn *conn);
/* True once the connection has failed or is being freed. In an own call's
 * `done` this distinguishes a call that was lost with its connection from one
 * that ended by itself. */
bool rpc_conn_is_lost(const struct rpc_conn *conn);
/* Ends the connection if the peer's certificate has expired or its host is now
 * denied. Call it after the deny list has changed; each request checks it
 * anyway. */
void rpc_conn_recheck(struct rpc_conn *conn);

#endif
