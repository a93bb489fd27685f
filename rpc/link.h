/*
 * The byte machine under a connection: the TLS session over a socket, frames
 * cut out of records and put together, output that waits, HELLO, PING and BYE,
 * and every deadline. It knows no requests: what concerns them goes up through
 * rpc_link_ops. For rpc/conn and rpc/call alone.
 *
 * rpc_link_init -> up -> header, frame, refill ... -> ended -> rpc_link_free
 * -> freed. Every event goes the same way: rpc_link_enter, do, rpc_link_leave.
 * Memory is never given back while an event runs: `freed` comes when the
 * outermost is through, and may come from inside rpc_link_free.
 */
#ifndef FDUMP_RPC_LINK_H
#define FDUMP_RPC_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/name.h"
#include "rpc/identity.h"
#include "rpc/loop.h"
#include "rpc/times.h"
#include "rpc/tls.h"
#include "rpc/wire.h"

/* Output above HIGH refuses new calls, below LOW blobs are asked for more. */
#define RPC_OUT_HIGH (256 * 1024)
#define RPC_OUT_LOW  (64 * 1024)

struct rpc_link_ops {
	/* The peer is known and has said HELLO. */
	void (*up)(void *arg);
	/* The header of a frame about requests, which the wire allows. Returns 0:
	 * its payload is wanted, and `frame` follows; 1: it is passed by. */
	int (*header)(void *arg, const struct rpc_header *h);
	void (*frame)(void *arg, const struct rpc_header *h, const uint8_t *payload);
	/* There is room for blob bytes: append some, up to RPC_OUT_LOW. */
	void (*refill)(void *arg);
	/* Something was written, or could have been. */
	void (*written)(void *arg);
	/* True while a request is open, either side's. */
	bool (*has_calls)(const void *arg);
	/* The end of every event: what is due runs now. */
	void (*settle)(void *arg);
	/* Once: it is over; no byte goes in or out any more. why->code is
	 * ERR_NONE if both sides ended it in order. */
	void (*ended)(void *arg, const struct err *why);
	/* The last of all: arg may be freed. */
	void (*freed)(void *arg);
};

enum rpc_state {
	RPC_SHAKING, /* TLS handshake */
	RPC_HELLOING,
	RPC_UP,
	RPC_FAILED, /* `why` is set; the end of the event will end it */
	RPC_CLOSED, /* `ended` has run */
	RPC_FREED,
};

struct rpc_link {
	struct rpc_loop *loop;
	struct rpc_tls_conf *conf;
	const struct rpc_times *times;
	const struct rpc_link_ops *ops;
	void *arg;
	char address[64];
	struct rpc_expect expect;
	char expect_name[NAME_LEN_MAX + 1];

	int fd;
	struct rpc_tls *tls; /* NULL until the first byte has come */
	enum rpc_state state;
	unsigned version;
	uint32_t credit, peer_credit; /* that blobs to this side, to the peer, begin with */
	unsigned busy;                /* events that run, one inside the other */
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

	bool closing, peer_bye, bye_said, notify_said;
	bool ping_out;
	uint64_t ping_id;
	int64_t start_ms, heard_ms, wrote_ms, frame_ms, bye_ms;
};

struct rpc_link_opts {
	struct rpc_tls_conf *conf;
	const struct rpc_expect *expect; /* NULL: we accepted */
	const struct rpc_times *times;   /* borrowed */
	const struct rpc_link_ops *ops;
	void *arg;
	const char *address;
	uint32_t credit; /* of our HELLO */
};

/* In the caller's zeroed memory. Takes fd over, unless -1 is returned with err
 * set. No callback runs from inside. */
int rpc_link_init(struct rpc_link *link, struct rpc_loop *loop, int fd,
	const struct rpc_link_opts *opts, struct err *err);
/* Nothing runs any more but `freed`, now or at the end of the event. `ended`
 * does not run. Once. */
void rpc_link_free(struct rpc_link *link);

/* Around whatever may call back from outside of the link's own events. After
 * leave the link may be gone. */
void rpc_link_enter(struct rpc_link *link);
void rpc_link_leave(struct rpc_link *link);
/* Something is to be done soon: written, settled. */
void rpc_link_kick(struct rpc_link *link);

/* Ends it with this error, from the end of the event on; only the first
 * counts. */
void rpc_link_fail(struct rpc_link *link, const struct err *why);
void rpc_link_failf(struct rpc_link *link, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Says BYE, and closes when nothing is open any more. */
void rpc_link_shutdown(struct rpc_link *link);

/* Appends a frame to the output; it is written in this turn of the loop. What
 * goes over RPC_OUT_MAX fails the link. */
void rpc_link_send(struct rpc_link *link, const struct rpc_header *h, const void *payload);
/* Bytes of output not yet written. */
size_t rpc_link_behind(const struct rpc_link *link);

/* True in the states in which frames are taken and sent. */
bool rpc_link_alive(const struct rpc_link *link);
/* True while requests may begin. */
bool rpc_link_is_up(const struct rpc_link *link);
/* Fails the link unless the peer's certificate is still good. Returns whether
 * it is. */
bool rpc_link_recheck(struct rpc_link *link);

#endif
