/*
 * The byte stream under a connection: the TLS session on a socket, frames taken
 * from and put into records, pending output, HELLO, PING and BYE, and every
 * deadline. It knows no requests; frames about them are passed up through
 * rpc_link_ops. Only for rpc/conn and rpc/call.
 *
 * rpc_link_init -> up -> header, frame, refill ... -> ended -> rpc_link_free
 * -> freed.
 *
 * Every event is handled in the same way: rpc_link_enter, the work,
 * rpc_link_leave. Memory is never freed while an event runs: `freed` runs when
 * the outermost event ends, possibly from inside rpc_link_free.
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

/* Above HIGH bytes of output new calls are refused; below LOW blobs are asked
 * for more. */
#define RPC_OUT_HIGH (256 * 1024)
#define RPC_OUT_LOW  (64 * 1024)

struct rpc_link_ops {
	/* The peer is authenticated and has sent HELLO. */
	void (*up)(void *arg);
	/* The header of a frame about requests, already valid on the wire. Returns 0 if
	 * its payload is wanted: `frame` follows; 1 to skip the payload. */
	int (*header)(void *arg, const struct rpc_header *h);
	void (*frame)(void *arg, const struct rpc_header *h, const uint8_t *payload);
	/* There is room for blob bytes: append some, up to RPC_OUT_LOW. */
	void (*refill)(void *arg);
	/* Output was written, or could have been. */
	void (*written)(void *arg);
	/* True while a request of either side is open. */
	bool (*has_calls)(const void *arg);
	/* The end of every event: do what is due. */
	void (*settle)(void *arg);
	/* Once: the link is over, and no byte goes in or out any more. why->code is
	 * ERR_NONE if both sides ended it in order. */
	void (*ended)(void *arg, const struct err *why);
	/* The last callback: arg may be freed. */
	void (*freed)(void *arg);
};

enum rpc_state {
	RPC_SHAKING, /* TLS handshake */
	RPC_HELLOING,
	RPC_UP,
	RPC_FAILED, /* `why` is set; ends when the event ends */
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
	struct rpc_tls *tls; /* NULL until the handshake begins */
	enum rpc_state state;
	unsigned version;
	uint32_t credit, peer_credit; /* initial credit of blobs to this side, to the peer */
	unsigned busy;                /* nesting depth of running events */
	struct err *why;
	bool shake_due; /* the handshake can continue */
	bool shaken;    /* the handshake is complete: peer is set */
	struct rpc_identity peer;

	struct rpc_fd io;
	struct rpc_timer timer;
	int64_t timer_at; /* when the timer fires */
	struct rpc_soon soon;

	struct buf in; /* an incomplete frame */
	size_t skip;   /* payload bytes still to be skipped */
	struct buf out;
	size_t out_at; /* bytes of out already written */
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
	uint32_t credit; /* in our HELLO */
};

/* Initialises a link in the caller's zeroed memory. Takes over fd, unless -1 is
 * returned with err set. No callback runs from inside. */
int rpc_link_init(struct rpc_link *link, struct rpc_loop *loop, int fd,
	const struct rpc_link_opts *opts, struct err *err);
/* After this only `freed` runs, now or at the end of the event; `ended` does
 * not. Call it once. */
void rpc_link_free(struct rpc_link *link);

/* Call these around code that may run callbacks outside of the link's own
 * events. After leave the link may be gone. */
void rpc_link_enter(struct rpc_link *link);
void rpc_link_leave(struct rpc_link *link);
/* Something must be done soon: written, settled. */
void rpc_link_kick(struct rpc_link *link);

/* Ends the link with this error when the event ends; only the first error
 * counts. */
void rpc_link_fail(struct rpc_link *link, const struct err *why);
void rpc_link_failf(struct rpc_link *link, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Sends BYE, and closes when nothing is open any more. */
void rpc_link_shutdown(struct rpc_link *link);

/* Appends a frame to the output; it is written in this turn of the loop. Output
 * beyond RPC_OUT_MAX fails the link. */
void rpc_link_send(struct rpc_link *link, const struct rpc_header *h, const void *payload);
/* Bytes of output not yet written. */
size_t rpc_link_behind(const struct rpc_link *link);

/* True in the states in which frames are received and sent. */
bool rpc_link_alive(const struct rpc_link *link);
/* True while requests may begin. */
bool rpc_link_is_up(const struct rpc_link *link);
/* Fails the link if the peer's certificate is no longer valid. Returns whether
 * it is valid. */
bool rpc_link_recheck(struct rpc_link *link);

#endif
