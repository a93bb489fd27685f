/*
 * A blocking client: one peer, one connection, one thread of its own that runs
 * the event loop. Any other thread hands it requests and waits for the answer,
 * or goes on and is told later. For commands that are made of threads; a
 * service, which is a loop itself, uses rpc/dial.
 *
 * rpc_client_open -> rpc_client_call, or rpc_client_start -> done or
 * rpc_client_wait ... -> rpc_client_close.
 *
 * A lost connection is made again, and what was not answered is sent again on
 * it, in the order in which it was started: so every method that is asked
 * through a client must be idempotent, and a request's blob must stay as it is
 * until the request is over. When nothing has moved for `patience_ms`, when the
 * peer refuses this identity (ERR_DENIED), when it speaks no common version
 * (ERR_UNSUPPORTED), and after rpc_client_cancel, the client has given up:
 * what is open ends with that error, and so does what is started later.
 *
 * Progress is an answer, or blob bytes beyond those that an earlier connection
 * had carried already. The peer's own refusals (busy, not found, no space ...)
 * are answers: they end the request at once, and are not tried again.
 *
 * Memory. Open requests are at most calls_max; whoever starts one more waits.
 * Each has the request's blob, which is the caller's memory, and a reply of up to
 * reply_max. Answers that were not collected yet do not count.
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
	const struct rpc_tls_opts *tls; /* who we are; read by rpc_client_open */
	struct rpc_expect expect;       /* whom we want to reach; copied */
	const char *host, *port;        /* where; copied */
	const struct rpc_times *times;  /* NULL: rpc_times_default; borrowed */
	/* Longest time without progress; 0: 600 s. */
	int64_t patience_ms;
	/* The same until the first connection is up: an address that is wrong
	 * need not be tried for so long. 0: patience_ms. */
	int64_t connect_ms;
	int64_t wait_min_ms, wait_max_ms; /* between attempts; 0, 0: as in rpc/dial.h */
	unsigned calls_max;               /* 0: RPC_CALLS_MAX */
};

/* What became of a request. All is borrowed, until the callback returns. */
struct rpc_client_answer {
	const struct err *err; /* NULL: it went well, and the rest is valid */
	const uint8_t *reply;  /* the result: a CBOR map */
	size_t reply_len;
	bool has_blob;
	struct buf *blob; /* whole; what is left in it is freed */
};

struct rpc_client_request {
	uint16_t method;
	const void *params; /* a CBOR map; copied */
	size_t len;
	/* The request's blob, borrowed until it is over; NULL: none. The peer may
	 * answer without having taken any of it: that is no error. */
	const void *blob;
	size_t blob_len;  /* at least 1 */
	size_t reply_max; /* longest blob of the reply; 0: there must be none */
	/* Longest time without progress of this one while connected: it then ends
	 * with ERR_TIMEOUT. 0: only the client's patience counts. */
	int64_t timeout_ms;
	/* Only for rpc_client_start, see there. Runs in the client's thread: it
	 * must not block, and not start or wait for anything here. */
	void (*done)(void *arg, const struct rpc_client_answer *answer);
	void *arg;
	/* Once it has gone well, it is sent again on each further connection, before
	 * anything else, until another such request takes its place: what the peer
	 * must know of this client. A refusal then makes the client give up; busy is
	 * tried again. It has no blob; one that the peer answers with is dropped. */
	bool greeting;
};

struct rpc_client_stats {
	uint64_t sent, received; /* bytes of blobs, what was repeated included */
	uint64_t answered;       /* requests */
	uint64_t connections;    /* that came up */
	bool up;                 /* there is one now */
};

/* Loads the certificates, starts the thread, begins to connect; does not wait
 * for that. Not from two threads at the same time. NULL with err set:
 * ERR_CONFIG or what the files gave, ERR_USAGE for a name or address that is
 * none, ERR_NOMEM. */
struct rpc_client *rpc_client_open(const struct rpc_client_opts *opts, struct err *err);

/* Sends the request and waits until it is over. Returns 0, or -1 with err set:
 * the peer's error, its name in front; ERR_TIMEOUT, ERR_DENIED, ERR_CANCELLED,
 * ERR_UNSUPPORTED when the client has given up; ERR_LIMIT for parameters or a
 * blob that are too long; ERR_NOMEM. reply and blob, each may be NULL, are the
 * caller's and initialised; what was in them is freed. They are set only when
 * 0 is returned. */
int rpc_client_call(struct rpc_client *client, const struct rpc_client_request *request,
	struct buf *reply, struct buf *blob, struct err *err);

/* Sends the request and returns; waits only while there is no room (see
 * above). With `done` that is called once, and tells all: the job is not to be
 * used. Without it the job must be given to rpc_client_wait. NULL with err
 * set, and `done` never runs: the client has given up, ERR_LIMIT, ERR_NOMEM. */
struct rpc_client_job *rpc_client_start(
	struct rpc_client *client, const struct rpc_client_request *request, struct err *err);
/* Waits until it is over, and frees the job. The rest is as rpc_client_call. */
int rpc_client_wait(
	struct rpc_client_job *job, struct buf *reply, struct buf *blob, struct err *err);

/* Why no answer has come, for who waits: err is set, with ERR_TIMEOUT. */
void rpc_client_why(struct rpc_client *client, struct err *err);

/* Ends everything with ERR_CANCELLED, and wakes whoever waits. From any thread
 * or a signal handler. The client is still to be closed. */
void rpc_client_cancel(struct rpc_client *client);

void rpc_client_stats(const struct rpc_client *client, struct rpc_client_stats *stats);

/* Waits for what is open, then ends the connection in order, all within
 * deadline_ms; then cancels and cuts. No other thread may use the client any
 * more, and every job without `done` must have been waited for. A look-up of
 * the host's name that hangs is left to end by itself. NULL does nothing. */
void rpc_client_close(struct rpc_client *client, int64_t deadline_ms);

#endif
