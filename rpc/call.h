/*
 * A call: a request and its reply, each with or without a blob, made by either
 * side.
 *
 * Own:     rpc_call_start -> sent, reply, data ... -> done; or rpc_call_cancel.
 * Served:  the method's handler gets the call -> rpc_call_serve, if it has
 *          use for callbacks -> data, rpc_call_reply or rpc_call_fail ... ->
 *          sent ... -> done.
 *
 * `done` runs exactly once for each call, but never from inside rpc_call_start,
 * rpc_call_reply or rpc_call_fail, and never after rpc_call_cancel. When it
 * runs the call is over; the pointer is not valid after it returns.
 *
 * A blob is sent from the caller's memory, which must stay as it is until
 * `done` or rpc_call_cancel. One that comes is handed out by `data`; its bytes
 * count against the sender's window until rpc_call_took says that they have
 * left memory. So a slow consumer stops its own blob and nothing else. The
 * window is what this side's HELLO gave to each blob (rpc_conn_opts.credit),
 * what rpc_call_grant gave to a request's blob, or rpc_request.reply_window for
 * a reply's. A blob is complete only when `data` got `last`; one that ends in
 * any other way ends in `done` with an error.
 */
#ifndef FDUMP_RPC_CALL_H
#define FDUMP_RPC_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct rpc_call;
struct rpc_conn;
struct rpc_identity;

/* Each may be NULL. Pointers passed to them are valid until they return.
 * Callbacks may call anything here. */
struct rpc_call_ops {
	/* Own: the reply has come; more: a blob follows. */
	void (*reply)(void *arg, const uint8_t *bytes, size_t len, bool more);
	/* A piece of the other side's blob, at most RPC_PAYLOAD_MAX bytes; may be empty
	 * if it is the last. NULL: the blob is thrown away. */
	void (*data)(void *arg, const uint8_t *bytes, size_t len, bool last);
	/* The next len bytes of the own blob were handed to the connection. */
	void (*sent)(void *arg, size_t len);
	/* The call is over. err is NULL if it succeeded. An own call's error may be the
	 * peer's, with its code and its escaped message. A served call succeeded if its
	 * whole answer was handed to the connection; its error is ERR_CANCELLED,
	 * ERR_CLOSED, ERR_TIMEOUT or ERR_LIMIT (the blob is longer than the method
	 * allows). */
	void (*done)(void *arg, const struct err *err);
};

struct rpc_request {
	uint16_t method;
	const void *params; /* a CBOR map; copied */
	size_t len;
	/* NULL: none. The responder may answer before it wants any of it: `done` then has
	 * no error, and the reply is the whole answer. */
	const void *blob;
	size_t blob_len;
	/* Longest reply blob that is accepted; 0: none. A longer one ends the call with
	 * ERR_LIMIT. */
	uint64_t reply_max;
	/* Bytes of the reply blob that may be in flight at once, up to RPC_WINDOW_MAX. If
	 * less than the connection's credit, or 0, the usual window applies. */
	uint32_t reply_window;
	/* Longest time without progress: until the reply, then between pieces. */
	int64_t timeout_ms;
	const struct rpc_call_ops *ops; /* borrowed until done */
	void *arg;
};

/* Starts a call. Returns NULL with err set: ERR_BUSY if RPC_CALLS_MAX calls are
 * open, or RPC_BLOBS_MAX with blobs that may be sent at once, or the peer is
 * slow to read (the connection's `room` says when to try again); ERR_CLOSED if
 * the connection is not up; ERR_LIMIT if the parameters are too long;
 * ERR_NOMEM. */
struct rpc_call *rpc_call_start(
	struct rpc_conn *conn, const struct rpc_request *request, struct err *err);
/* Cancels an own call and tells the peer. No callback runs any more, and the
 * pointer is not valid after it. */
void rpc_call_cancel(struct rpc_call *call);

/* Sends a NOTIFY. Returns 0, or -1 with err set as for rpc_call_start. */
int rpc_notify(
	struct rpc_conn *conn, uint16_t method, const void *params, size_t len, struct err *err);

/* Sets the callbacks of a served call. Without this there are none. */
void rpc_call_serve(struct rpc_call *call, const struct rpc_call_ops *ops, void *arg);
/* For a served call: allows the peer to send that many more bytes of the
 * request's blob, in addition to what rpc_call_took gives back; with
 * RPC_CREDIT_NONE the first ones. At most RPC_WINDOW_MAX bytes may be granted
 * and not yet taken. A blob that is never granted is never sent: a handler may
 * reply without it. Does nothing if the blob has ended. */
void rpc_call_grant(struct rpc_call *call, uint32_t bytes);
/* Answers a served call, once. bytes are a CBOR map; len is at most
 * RPC_PAYLOAD_MAX. blob: NULL: none. The rest of the request's blob is thrown
 * away, unless the own blob has not ended. */
void rpc_call_reply(struct rpc_call *call, const void *bytes, size_t len, const struct buf *blob);
/* Answers with an error instead, or ends the own blob with one. */
void rpc_call_fail(struct rpc_call *call, const struct err *status);

/* The consumer is done with len bytes that `data` delivered: the peer may send
 * as many more. */
void rpc_call_took(struct rpc_call *call, size_t len);

/* For a served call: who asks. Borrowed, valid as long as the call. */
const struct rpc_identity *rpc_call_peer(const struct rpc_call *call);
/* For a served call: the peer's address, for logs. Borrowed likewise. */
const char *rpc_call_address(const struct rpc_call *call);
/* For a served call: true if the request has a blob. */
bool rpc_call_has_blob(const struct rpc_call *call);

#endif
