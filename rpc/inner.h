/*
 * The interface between call.c and conn.c; nobody else includes this.
 *
 * A call is never freed while an event runs: calls that are over wait in
 * `grave` until the event ends.
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
	RPC_HALF_OPEN, /* has not ended */
	RPC_HALF_DONE,
};

struct rpc_call {
	struct rpc_conn *conn;
	uint64_t id;
	bool mine;
	bool replied;  /* the REPLY has come, or was sent */
	bool finished; /* served: answered completely; settle will run done */
	bool ghost;    /* no more callbacks; waits for the peer to end the call */
	bool over;     /* removed from the table, and in the grave */
	bool sending;  /* in the list of senders */
	bool counted;  /* counted in the table's blobs */
	enum rpc_half out, in;
	const uint8_t *out_at; /* what is left of the own blob */
	size_t out_left;
	uint32_t out_credit; /* bytes that may be sent */
	/* Of in_size bytes of credit, the peer may still send in_window; in_held were
	 * passed to data and not taken; in_taken were taken and not yet returned to the
	 * peer. */
	uint32_t in_size, in_window, in_held, in_taken;
	uint64_t in_max; /* own: longest reply blob that is accepted */
	const struct rpc_call_ops *ops;
	void *arg;
	int64_t timeout_ms, deadline_ms, start_ms;
	struct rpc_timer timer;
	struct rpc_call *hash_next;      /* in the table */
	TAILQ_ENTRY(rpc_call) send_link; /* in the list of senders */
	struct rpc_call *list_next;      /* finished, or grave */
	/* Served, for limits and log: */
	const struct rpc_method *method; /* NULL if there is no such method */
	enum err_code status;
	uint64_t bytes_in, bytes_out;
};

/* The open calls of one side of a connection, in chains by id. Ids are
 * consecutive. */
#define RPC_CHAINS 32
struct rpc_table {
	struct rpc_call *chains[RPC_CHAINS];
	size_t count;   /* at most RPC_CALLS_MAX */
	unsigned blobs; /* calls with a request blob that began with credit and has not ended */
};

struct rpc_conn {
	struct rpc_link link; /* its arg is the connection */
	const struct rpc_service *service;
	const struct rpc_conn_ops *ops;
	void *arg;
	bool refused_busy; /* `room` must be called */
	struct rpc_table mine, theirs;
	uint64_t next_id, their_next;
	int64_t blob_ms; /* when bytes of any blob came last */
	TAILQ_HEAD(, rpc_call) senders;
	struct rpc_call *finished, *grave;
};

/* --- due at the end of an event --- */

/* Sends pieces of blobs until the output exceeds RPC_OUT_LOW. */
void rpc_call_refill(struct rpc_conn *conn);
/* Runs done for finished calls. */
void rpc_call_settle(struct rpc_conn *conn);
/* Ends all calls with the error. */
void rpc_call_end_all(struct rpc_conn *conn, const struct err *why);
/* Frees the calls in the grave. */
void rpc_call_bury(struct rpc_conn *conn);

/* --- incoming frames --- */

/* The call with this id, among own or served calls; NULL if there is none. */
struct rpc_call *rpc_call_find(struct rpc_conn *conn, bool mine, uint64_t id);
/* Begins a call and its deadline. Returns NULL with err set on failure. */
struct rpc_call *rpc_call_new(
	struct rpc_conn *conn, bool mine, uint64_t id, int64_t timeout_ms, struct err *err);
/* The request's blob begins. It counts towards the limit if it began with
 * credit, because then its sender decides when to send; not if the receiver has
 * yet to grant the first credit. */
void rpc_call_open_request(struct rpc_call *call, uint32_t credit);
/* Every end of a blob goes through here. half: &call->in or &call->out. */
void rpc_call_end_half(struct rpc_call *call, enum rpc_half *half);
/* Adds the call to the senders if it has something to send and may send it. */
void rpc_call_add_sender(struct rpc_call *call);
/* Restarts the call's deadline. */
void rpc_call_progress(struct rpc_call *call);
/* Lets the peer send that many more bytes of its blob. */
void rpc_call_send_credit(struct rpc_call *call, uint32_t more);
/* Sends an error, as a frame of this kind. */
void rpc_call_send_status(
	struct rpc_call *call, enum rpc_kind kind, unsigned flags, const struct err *status);
/* Passes a served call to the service's log. */
void rpc_call_log(struct rpc_call *call, const struct err *err);
/* Moves the call from the table to the grave. */
void rpc_call_remove(struct rpc_call *call);

/* Ends an own call that the peer has ended. */
void rpc_call_end_own(struct rpc_call *call, const struct err *err);
/* Ends an own call on this side, tells the peer, and waits for its end. err
 * NULL: done does not run. */
void rpc_call_abort_own(struct rpc_call *call, const struct err *err);
/* Ends an own call if it has been answered completely. */
void rpc_call_check_own(struct rpc_call *call);
/* Ends a served call that was not answered completely; the peer already knows,
 * or need not. */
void rpc_call_abort_served(struct rpc_call *call, const struct err *err);
/* Answers a served call with an error, which its handler gets too. */
void rpc_call_fail_now(struct rpc_call *call, const struct err *status);

#endif
