/*
 * What conn.c and call.c share. conn.c calls call.c, which calls neither it nor
 * anything else above rpc/link. Nobody else includes this.
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
#include "rpc/table.h"
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

/* Of call.c, for conn.c. */

/* Takes a frame that concerns a call. verdict: what rpc_dispatch_check said of
 * a REQUEST or NOTIFY, its payload is then not there. */
void rpc_call_frame(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *found, const struct err *verdict);
/* Asks the senders for blob bytes until the output is over RPC_OUT_LOW. */
void rpc_call_refill(struct rpc_conn *conn);
/* Runs done of calls that finished. */
void rpc_call_settle(struct rpc_conn *conn);
/* Ends all calls with the error. */
void rpc_call_end_all(struct rpc_conn *conn, const struct err *why);
/* Frees what is in the grave. */
void rpc_call_bury(struct rpc_conn *conn);

#endif
