/*
 * The greeting of a client (rpc/client.h): a request that was answered once, and is made again at
 * the beginning of each connection, before all others.
 *
 *   zeroed, the first group set -> rpc_greeting_keep -> (rpc_greeting_up -> rpc_greeting_said ...
 *   -> rpc_greeting_down)* -> rpc_greeting_fini
 *
 * All from the loop's thread.
 */
#ifndef FDUMP_RPC_GREETING_H
#define FDUMP_RPC_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/loop.h"

struct err;
struct rpc_conn;

struct rpc_greeting {
	struct rpc_loop *loop;
	/* It was answered (err NULL), and what waits can be sent; or refused. Not called if the
	 * connection is lost. */
	void (*answered)(void *ctx, const struct err *err);
	/* The peer was busy, and it is time to ask rpc_greeting_said again. */
	void (*again)(void *ctx);
	void *ctx;
	/* Its own. */
	struct rpc_conn *conn; /* NULL: there is none */
	uint16_t method;
	void *params; /* NULL: there is no greeting yet */
	size_t len, reply_max;
	bool due; /* to be sent on this connection */
	bool flying;
	struct rpc_timer busy;
};

/* From now on each connection begins with it. params: the greeting's from now on; free frees it. */
void rpc_greeting_keep(
	struct rpc_greeting *greeting, uint16_t method, void *params, size_t len, size_t reply_max);
void rpc_greeting_fini(struct rpc_greeting *greeting);

void rpc_greeting_up(struct rpc_greeting *greeting, struct rpc_conn *conn);
void rpc_greeting_down(struct rpc_greeting *greeting);

/* Whether the connection, which is up, was begun with the greeting, and can be used. If not it is
 * sent, as soon as there is room. */
bool rpc_greeting_said(struct rpc_greeting *greeting);

#endif
