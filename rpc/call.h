/*
 * A call: a request and its reply, each with a blob or without, whichever side
 * made it.
 *
 * Own:     rpc_call_start -> reply, data, fill ... -> done; or rpc_call_cancel.
 * Served:  the method's handler gets the call -> rpc_call_serve, if it has
 *          use for callbacks -> data, fill, rpc_call_reply or rpc_call_fail
 *          ... -> done.
 *
 * `done` runs exactly once for each call, never from inside rpc_call_start,
 * rpc_call_reply or rpc_call_fail, never after rpc_call_cancel. When it runs
 * the call is over, and its pointer is not valid any more after it.
 *
 * Blobs are pulled: `fill` is asked for the next bytes when there is room for
 * them, and `data` hands out what came. Bytes handed out count against the
 * sender's window until rpc_call_took says that they are out of memory again:
 * a slow consumer so stops its own blob and nothing else. The window is what
 * this side's HELLO gave to each blob (rpc_conn_opts.credit), what
 * rpc_call_grant gave to a request's, or what rpc_request.reply_window has for
 * a reply's. A blob is whole only when `data` said `last`; one that ends in any other way ends in
 * `done` with an error.
 */
#ifndef FDUMP_RPC_CALL_H
#define FDUMP_RPC_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct rpc_call;
struct rpc_conn;
struct rpc_identity;

/* Each may be NULL. All borrow what they are given for the length of the
 * call, and may call anything here. */
struct rpc_call_ops {
	/* Own: the reply has come; more: a blob follows. */
	void (*reply)(void *arg, const uint8_t *bytes, size_t len, bool more);
	/* A piece of the other side's blob, at most RPC_PAYLOAD_MAX bytes;
	 * empty perhaps if it is the last. NULL: it is thrown away. */
	void (*data)(void *arg, const uint8_t *bytes, size_t len, bool last);
	/* Wants the next 1 to cap bytes of the own blob. Returns 0 with *len
	 * and *last set (*len may be 0 if *last), 1 for "nothing now":
	 * rpc_call_resume asks again, or -1 with err set: the blob ends there,
	 * and the peer gets the error. */
	int (*fill)(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err);
	/* It is over. err is NULL if it went well; an own call's error may be
	 * the peer's, with its code and its message, escaped. A served call went
	 * well if its whole answer was handed to the connection; its error is
	 * ERR_CANCELLED, ERR_CLOSED, ERR_TIMEOUT, ERR_LIMIT (the blob is longer
	 * than the method's may be), or what fill said. */
	void (*done)(void *arg, const struct err *err);
};

struct rpc_request {
	uint16_t method;
	const void *params; /* a CBOR map; copied */
	size_t len;
	/* ops->fill gives a blob. The responder may answer before it wants any of
	 * it: `done` then has no error, and what the reply says is all there is. */
	bool blob;
	/* Longest blob of the reply that is accepted; 0: none. A longer one ends
	 * the call with ERR_LIMIT. */
	uint64_t reply_max;
	/* Bytes of it that may be under way at once, up to RPC_WINDOW_MAX; what
	 * is less than the connection's credit, or 0, is the usual window. */
	uint32_t reply_window;
	/* Longest time without progress: until the reply, then between pieces. */
	int64_t timeout_ms;
	const struct rpc_call_ops *ops; /* borrowed until done */
	void *arg;
};

/* Starts a call. NULL with err set: ERR_BUSY if RPC_CALLS_MAX are open, or
 * RPC_BLOBS_MAX with blobs that may be sent at once, or the peer is behind with reading (the
 * connection's `room` will say when), ERR_CLOSED if it is not up, ERR_LIMIT if
 * the parameters are too long. */
struct rpc_call *rpc_call_start(
	struct rpc_conn *conn, const struct rpc_request *request, struct err *err);
/* No callback runs any more, the peer is told, the pointer is not valid after
 * it. Only for own calls. */
void rpc_call_cancel(struct rpc_call *call);

/* Sends a NOTIFY. Returns 0, or -1 with err set as rpc_call_start. */
int rpc_notify(
	struct rpc_conn *conn, uint16_t method, const void *params, size_t len, struct err *err);

/* Sets the callbacks of a served call. Without, there are none. */
void rpc_call_serve(struct rpc_call *call, const struct rpc_call_ops *ops, void *arg);
/* Of a served call: that many more bytes of the request's blob may be sent,
 * beside what rpc_call_took gives back; with RPC_CREDIT_NONE the first ones.
 * What was granted and not taken may be RPC_WINDOW_MAX bytes at most. What is
 * never granted is never sent: a handler may reply without it. Nothing happens
 * if the blob is at its end. */
void rpc_call_grant(struct rpc_call *call, uint32_t bytes);
/* Answers a served call, once; bytes are a CBOR map, len at most
 * RPC_PAYLOAD_MAX. With blob, ops->fill gives one. What the request's blob
 * still sends is thrown away, unless the own blob is not at its end. */
void rpc_call_reply(struct rpc_call *call, const void *bytes, size_t len, bool blob);
/* Answers with an error instead, or ends the own blob with one. */
void rpc_call_fail(struct rpc_call *call, const struct err *status);

/* len bytes that `data` gave are done with: the peer may send as many more. */
void rpc_call_took(struct rpc_call *call, size_t len);
/* fill said "nothing now", and now there is something. */
void rpc_call_resume(struct rpc_call *call);

/* Of a served call: who asks. Borrowed, valid as long as the call. */
const struct rpc_identity *rpc_call_peer(const struct rpc_call *call);
/* Of a served call: the peer's address, for logs. Borrowed likewise. */
const char *rpc_call_address(const struct rpc_call *call);
/* Of a served call: true if a blob comes with it. */
bool rpc_call_has_blob(const struct rpc_call *call);

#endif
