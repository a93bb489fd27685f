/*
 * What conn.c and call.c share: the connection is the machine and the life
 * cycle, call.c the requests on it. Nobody else includes this.
 *
 * Memory of a call or a connection is never freed while a callback runs
 * (`busy`): calls that are over wait in `grave`, a freed connection in state
 * RPC_FREED, until the outermost event is through.
 */
#ifndef FDUMP_RPC_INNER_H
#define FDUMP_RPC_INNER_H

#include "lib/buf.h"
#include "lib/err.h"
#include "rpc/call.h"
#include "rpc/conn.h"
#include "rpc/dispatch.h"
#include "rpc/loop.h"
#include "rpc/tls.h"
#include "rpc/wire.h"

/* Output above HIGH refuses new calls, below LOW blobs are asked for more. */
#define RPC_OUT_HIGH (256 * 1024)
#define RPC_OUT_LOW  (64 * 1024)

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

/* Calls by id: chained, as many chains as calls. Ids follow one another, so
 * the id itself is a perfect hash. */
struct rpc_table {
	struct rpc_call **chains;
	size_t count, size;
	unsigned blobs; /* of them, with a request blob that began with credit and is not at its end
			 */
};

enum rpc_state {
	RPC_SHAKING, /* TLS handshake */
	RPC_HELLOING,
	RPC_UP,
	RPC_FAILED, /* `why` is set; settle will end it */
	RPC_CLOSED, /* `closed` has run */
	RPC_FREED,
};

struct rpc_conn {
	struct rpc_loop *loop;
	struct rpc_tls_conf *conf;
	const struct rpc_service *service;
	const struct rpc_times *times;
	const struct rpc_conn_ops *ops;
	void *arg;
	char address[64];
	struct rpc_expect expect;
	char expect_name[NAME_LEN_MAX + 1];

	int fd;
	struct rpc_tls *tls; /* NULL until the first byte has come */
	enum rpc_state state;
	unsigned version;
	uint32_t credit, peer_credit; /* that blobs to this side, to the peer, begin with */
	unsigned busy;
	struct err *why;
	bool shake_due; /* there is something to shake hands with */
	bool shaken;    /* the handshake is done: peer is set */
	struct rpc_identity peer;

	struct rpc_fd io;
	struct rpc_timer timer;
	int64_t timer_at; /* when the timer is set to */
	struct rpc_soon soon;

	struct buf in; /* a frame that is not whole */
	size_t skip;   /* payload bytes to pass by */
	struct buf out;
	size_t out_at; /* of out, written */
	bool stuck;    /* the last write would have blocked */
	bool read_wants_write;
	bool refused_busy; /* `room` is due */

	bool closing, peer_bye, bye_said, notify_said;
	bool ping_out;
	uint64_t ping_id;
	int64_t start_ms, heard_ms, wrote_ms, frame_ms, bye_ms;

	struct rpc_table mine, theirs;
	uint64_t next_id, their_next;
	struct rpc_call *send_first, **send_last;
	struct rpc_call *finished, *grave;
};

/* --- conn.c --- */

/* Ends the connection with this error, from the next settle on; only the first
 * counts. May be called from anywhere. */
void rpc_conn_fail(struct rpc_conn *conn, const struct err *why);
void rpc_conn_failf(struct rpc_conn *conn, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Appends a frame to the output; it is written in this turn of the loop. What
 * goes over RPC_OUT_MAX fails the connection. */
void rpc_conn_send(struct rpc_conn *conn, const struct rpc_header *h, const void *payload);
/* The end of an event, which began with busy++: runs the callbacks that are
 * due, decides what to wait for, frees what can be. conn may be gone then. */
void rpc_conn_leave(struct rpc_conn *conn);
/* Something is to be done: written, settled. */
void rpc_conn_kick(struct rpc_conn *conn);
/* Bytes of output not yet written. */
size_t rpc_conn_behind(const struct rpc_conn *conn);
/* True in the states in which frames are taken and sent. */
bool rpc_conn_alive(const struct rpc_conn *conn);

/* --- call.c --- */

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
