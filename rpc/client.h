/*
 * A blocking client: one peer, one connection, one thread of its own that runs
 * the event loop. Any other thread gives it requests and waits for the answer,
 * or continues and gets a callback. For commands, which use threads; a service,
 * which runs a loop itself, uses rpc/dial.
 *
 * rpc_client_open -> rpc_client_call, or rpc_client_start -> done or
 * rpc_client_wait ... -> rpc_client_close.
 *
 * A lost connection is made again, and unanswered requests are sent again on
 * it, in the order in which they were started. So every method called through a
 * client must be idempotent, and a request's blob must not change until the
 * request is over. The client gives up if there is no progress for
 * `patience_ms`, if the peer refuses this identity (ERR_DENIED) or has no
 * common version (ERR_UNSUPPORTED), and after rpc_client_cancel. Then open
 * requests end with that error, and so do requests started later.
 *
 * Progress is an answer, or blob bytes beyond those that an earlier connection
 * already carried. The peer's own refusals (busy, not found, no space ...) are
 * answers: they end the request at once and are not retried.
 *
 * Memory. At most calls_max requests are open; starting one more waits. Each
 * has the request's blob, which is the caller's memory, and a reply of up to
 * reply_max. Answers that have not been collected yet do not count.
 */
#ifndef FDUMP_RPC_CLIENT_H
#define FDUMP_RPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/tls.h"

struct buf;
struct err;
struct rpc_client;
struct rpc_client_job;
struct rpc_times;

struct rpc_client_opts {
	const struct rpc_tls_opts *tls; /* own identity; read by rpc_client_open */
	struct rpc_expect expect;       /* the peer to reach; copied */
	const char *host, *port;        /* its address; copied */
	const struct rpc_times *times;  /* NULL: rpc_times_default; borrowed */
	/* Longest time without progress; 0: 600 s. */
	int64_t patience_ms;
	/* The same until the first connection is up, so that a wrong address is not tried
	 * for so long. 0: patience_ms. */
	int64_t connect_ms;
	/* The same while the connection is lost, after the first one was up. 0: patience_ms. */
	int64_t lost_ms;
	int64_t wait_min_ms, wait_max_ms; /* between attempts; 0, 0: as in rpc/dial.h */
	unsigned calls_max;               /* 0: RPC_CALLS_MAX */
};

/* The outcome of a request. Everything is borrowed until the callback returns. */
struct rpc_client_answer {
	const struct err *err; /* NULL: it succeeded, and the rest is valid */
	const uint8_t *reply;  /* the result: a CBOR map */
	size_t reply_len;
	bool has_blob;
	struct buf *blob; /* complete; the client frees what the callback leaves in it */
};

struct rpc_client_request {
	uint16_t method;
	const void *params; /* a CBOR map; copied */
	size_t len;
	/* The request's blob, borrowed until the request is over; NULL: none. The peer
	 * may answer without having taken any of it; that is not an error. */
	const void *blob;
	size_t blob_len;  /* at least 1 */
	size_t reply_max; /* longest reply blob; 0: there must be none */
	/* Longest time without progress of this request while connected; it then ends
	 * with ERR_TIMEOUT. 0: only the client's patience counts. */
	int64_t timeout_ms;
	/* Only for rpc_client_start, see there. Runs in the client's thread: it must not
	 * block, start requests or wait for them. */
	void (*done)(void *arg, const struct rpc_client_answer *answer);
	void *arg;
	/* Tells the peer something that it must know about this client. Once it has
	 * succeeded, it is sent again on each later connection, before anything else,
	 * until another greeting replaces it. A refusal makes the client give up; busy is
	 * retried. It has no blob; a blob in the reply is dropped. */
	bool greeting;
};

struct rpc_client_stats {
	uint64_t sent, received; /* bytes of blobs, repeated ones included */
	uint64_t answered;       /* requests */
	uint64_t connections;    /* that were established */
	bool up;                 /* there is one now */
};

/* Loads the certificates, starts the thread and begins to connect, without
 * waiting for that. Don't call it from two threads at once. Returns NULL with
 * err set: ERR_CONFIG or the error of a file, ERR_USAGE for an invalid name or
 * address, ERR_NOMEM. */
struct rpc_client *rpc_client_open(const struct rpc_client_opts *opts, struct err *err);

/* Sends the request and waits until it is over. Returns 0, or -1 with err set:
 * the peer's error, with the peer's name in front; ERR_TIMEOUT, ERR_DENIED,
 * ERR_CANCELLED, ERR_UNSUPPORTED if the client has given up; ERR_LIMIT for
 * parameters or a blob that are too long; ERR_NOMEM. reply and blob, which may
 * be NULL, belong to the caller and must be initialised. They are set only if 0
 * is returned; their old content is then freed. */
int rpc_client_call(struct rpc_client *client, const struct rpc_client_request *request,
	struct buf *reply, struct buf *blob, struct err *err);

/* Sends the request and returns; waits only while there is no room (see above).
 * If `done` is set, it is called once with the outcome, and the job must not be
 * used. Without it the job must be passed to rpc_client_wait. Returns NULL with
 * err set, in which case `done` never runs: the client has given up, ERR_LIMIT,
 * ERR_NOMEM. */
struct rpc_client_job *rpc_client_start(
	struct rpc_client *client, const struct rpc_client_request *request, struct err *err);
/* Waits until the request is over, and frees the job. Otherwise as
 * rpc_client_call. */
int rpc_client_wait(
	struct rpc_client_job *job, struct buf *reply, struct buf *blob, struct err *err);

/* Sets err to the reason why there is no answer yet, with the code ERR_TIMEOUT.
 * For messages to someone who waits. */
void rpc_client_why(struct rpc_client *client, struct err *err);

/* Ends everything with ERR_CANCELLED, and wakes all waiting threads. From any
 * thread or a signal handler. The client must still be closed. */
void rpc_client_cancel(struct rpc_client *client);

void rpc_client_stats(const struct rpc_client *client, struct rpc_client_stats *stats);

/* Waits for open requests, then ends the connection in order, all within
 * deadline_ms; after that cancels the requests and cuts the connection. No
 * other thread may use the client any more, and every job without `done` must
 * have been waited for. A name look-up that hangs is left to end by itself.
 * NULL does nothing. */
void rpc_client_close(struct rpc_client *client, int64_t deadline_ms);

#endif
