/* Deadlines of a connection. */
#ifndef FDUMP_RPC_TIMES_H
#define FDUMP_RPC_TIMES_H

#include <stdint.h>

/* In milliseconds. */
struct rpc_times {
	int64_t handshake; /* from the beginning to the peer's HELLO */
	int64_t frame;     /* from a frame's first byte to its last */
	int64_t ping;      /* of silence, after which it is asked for life */
	int64_t dead;      /* of silence, or of nothing written, after which it is cut */
	int64_t bye;       /* from shutdown to the end */
	int64_t cancel;    /* for the peer to end a request that was cancelled */
	int64_t redial;    /* the longest wait before a lost connection is tried again */
};
extern const struct rpc_times rpc_times_default;

#endif
