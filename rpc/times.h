/* The deadlines of a connection. */
#ifndef FDUMP_RPC_TIMES_H
#define FDUMP_RPC_TIMES_H

#include <stdint.h>

/* In milliseconds. */
struct rpc_times {
	int64_t handshake; /* from the start to the peer's HELLO */
	int64_t frame;     /* from a frame's first byte to its last */
	int64_t ping;      /* silence after which PING is sent */
	int64_t dead;      /* silence, or time without output written, after which it is cut */
	int64_t bye;       /* from shutdown to the end */
	int64_t cancel;    /* for the peer to end a cancelled request */
	int64_t redial;    /* longest wait before a lost connection is dialled again */
};
extern const struct rpc_times rpc_times_default;

#endif
