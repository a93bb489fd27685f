/*
 * What call.c does for conn.c, which alone includes this beside it.
 *
 * Memory of a call is never freed while an event runs: calls that are over wait
 * in `grave` for its end.
 */
#ifndef FDUMP_RPC_INNER_H
#define FDUMP_RPC_INNER_H

#include "rpc/call.h"
#include "rpc/conn.h"
#include "rpc/dispatch.h"
#include "rpc/link.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

enum rpc_half {
	RPC_HALF_NONE, /* no blob */
	RPC_HALF_OPEN, /* not at its end */
	RPC_HALF_DONE,
};

struct rpc_call {
	struct rpc_conn *conn;
	uint64_t id;
	bool mine;
	bool replied;  /* the REPLY has come, or gone out */
	bool finished; /* served: answered whole; done will run from settle */
	bool ghost;    /* no callbacks any more; waits for the peer's end of it */
	bool over;     /* not in the table any more, but in the grave */
	bool ready;    /* fill may be asked */
	bool sending;  /* in the list of senders */
	bool counted;  /* its request blob is among the table's blobs */
	enum rpc_half out, in;
	uint32_t out_credit; /* bytes that may be sent */
	/* Of in_size bytes of credit, the peer may send in_window, in_held were
	 * given to data and not taken, in_taken taken and not yet said to the peer. */
	uint32_t in_size, in_window, in_held, in_taken;
	uint64_t in_max; /* own: longest reply blob that is accepted */
	const struct rpc_call_ops *ops;
	void *arg;
	int64_t timeout_ms, deadline_ms, start_ms;
	struct rpc_timer timer;
	struct rpc_call *hash_next; /* in the table */
	struct rpc_call *send_next; /* in the list of senders */
	struct rpc_call *list_next; /* finished, or grave */
	/* Served, for limits and log. */
	const struct rpc_method *method; /* NULL if there is none */
	enum err_code status;
	uint64_t bytes_in, bytes_out;
};

/* The open calls of one side of a connection, in chains by id: ids follow one another. */
#define RPC_CHAINS 32
struct rpc_table {
	struct rpc_call *chains[RPC_CHAINS];
	size_t count;   /* at most RPC_CALLS_MAX */
	unsigned blobs; /* of them, with a request blob that began with credit and has not ended */
};

struct rpc_conn {
	struct rpc_link link; /* its arg is the connection */
	const struct rpc_service *service;
	const struct rpc_conn_ops *ops;
	void *arg;
	bool refused_busy; /* `room` is due */
	struct rpc_table mine, theirs;
	uint64_t next_id, their_next;
	struct rpc_call *send_first, **send_last;
	struct rpc_call *finished, *grave;
};

/* --- what is due --- */

/* Asks the senders for blob bytes until the output is over RPC_OUT_LOW. */
void rpc_call_refill(struct rpc_conn *conn);
/* Runs done of calls that finished. */
void rpc_call_settle(struct rpc_conn *conn);
/* Ends all calls with the error. */
void rpc_call_end_all(struct rpc_conn *conn, const struct err *why);
/* Frees what is in the grave. */
void rpc_call_bury(struct rpc_conn *conn);

/* --- what comes in --- */

/* The call of this id, of those that were made here or of those that are served; NULL: there is
 * none. */
struct rpc_call *rpc_call_find(struct rpc_conn *conn, bool mine, uint64_t id);
/* A call begins, with its deadline. NULL with err set. */
struct rpc_call *rpc_call_new(
	struct rpc_conn *conn, bool mine, uint64_t id, int64_t timeout_ms, struct err *err);
/* The blob of the request begins. What it is sent with is the sender's choice,
 * so it counts, unless the receiver has yet to give it its first credit. */
void rpc_call_open_request(struct rpc_call *call, uint32_t credit);
/* Every end of a blob comes here. half: &call->in or &call->out. */
void rpc_call_end_half(struct rpc_call *call, enum rpc_half *half);
/* Puts the call among the senders if it has something to send and may. */
void rpc_call_add_sender(struct rpc_call *call);
/* Its deadline begins again. */
void rpc_call_progress(struct rpc_call *call);
/* Lets the peer send that many more bytes of its blob. */
void rpc_call_send_credit(struct rpc_call *call, uint32_t more);
/* Sends an error, as a frame of this kind. */
void rpc_call_send_status(
	struct rpc_call *call, enum rpc_kind kind, unsigned flags, const struct err *status);
/* Tells the service's log of a served call. */
void rpc_call_log(struct rpc_call *call, const struct err *err);
/* Out of the table, into the grave. */
void rpc_call_remove(struct rpc_call *call);

/* An own call ends, and the peer has ended it. */
void rpc_call_end_own(struct rpc_call *call, const struct err *err);
/* An own call ends here; the peer is told, and its end awaited. err NULL: done does not run. */
void rpc_call_abort_own(struct rpc_call *call, const struct err *err);
/* Ends an own call if it was answered whole. */
void rpc_call_check_own(struct rpc_call *call);
/* A served call ends without having been answered whole; the peer has heard
 * of it, or need not. */
void rpc_call_abort_served(struct rpc_call *call, const struct err *err);
/* Answers a served call with an error that its handler hears of too. */
void rpc_call_fail_now(struct rpc_call *call, const struct err *status);

#endif
