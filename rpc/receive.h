/*
 * Frames that come in and concern calls: requests are handed to their methods' handlers, replies
 * and blobs to whoever asked. For conn.c only.
 */
#ifndef FDUMP_RPC_RECEIVE_H
#define FDUMP_RPC_RECEIVE_H

#include <stdint.h>

struct err;
struct rpc_conn;
struct rpc_header;
struct rpc_method;

/* Takes a frame that concerns a call. verdict: what rpc_dispatch_check said of
 * a REQUEST or NOTIFY, its payload is then not there. */
void rpc_receive_frame(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *found, const struct err *verdict);

#endif
