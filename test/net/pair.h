/*
 * Two connections over a socket pair, on one loop, and what the tests of rpc/ do with them.
 *
 *   pair_setup (once a group) -> pair_make -> pair_start, pair_wait_done -> pair_free
 *
 * One side is the client, the agent a1; the other one is the server, the store s1. Both serve the
 * methods of peer.h. A failure fails the test.
 */
#ifndef FDUMP_TEST_NET_PAIR_H
#define FDUMP_TEST_NET_PAIR_H

#include "lib/err.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

/* Shared by both ends. */
extern struct rpc_loop *pair_loop;
extern struct rpc_service pair_service;
extern struct peer_state pair_state;
/* The credit that servers give by default, in pairs made from now on. */
extern uint32_t pair_credit;

/* One end, and how often each callback was called. */
struct pair_end {
	struct rpc_conn *conn;
	int up, closed, room;
	struct err why;
	bool free_when_closed;
};

struct pair {
	struct pair_end client, server;
};

/* A call: what it does, and its outcome. */
struct pair_call {
	/* Set before it starts. */
	uint64_t len;       /* of the blob that is sent, see peer_blob */
	bool lazy;          /* takes nothing of the reply's blob */
	uint64_t cancel_at; /* after this many bytes of it, if not 0 */
	struct rpc_conn *free_at_reply;
	uint64_t reply_max; /* 0: any */
	uint32_t reply_window;
	/* The outcome. */
	struct rpc_call *call;
	int replies, dones;
	bool ok, more, ended, bad; /* ended: the reply's blob; bad: it is not the pattern */
	struct err err;
	uint64_t got, sent;
	uint8_t reply[256];
	size_t reply_len;
};

/* The callbacks of a request whose argument is a pair_call. */
extern const struct rpc_call_ops pair_call_ops;

/* Certificates of a1, s1, s2, m1, o1, and of agents whose validity is over ("expired") or has not
 * begun ("early"); the loop, and a pool. */
int pair_setup(void **unused);
int pair_teardown(void **unused);
struct rpc_tls_conf *pair_conf(const char *name, const struct rpc_deny *deny);

/* A pair that is up. */
void pair_make(struct pair *p);
void pair_make_timed(struct pair *p, const struct rpc_times *times);
/* A pair of other identities; it may come up, or not. */
void pair_make_as(struct pair *p, const char *client, const char *server,
	const struct rpc_expect *expect, const struct rpc_deny *deny,
	const struct rpc_times *times);
void pair_free(struct pair *p);

/* Starts a call. */
void pair_start(struct rpc_conn *conn, struct pair_call *o, unsigned method, const void *params,
	size_t len, bool blob);
/* Parameters, in mem. Both return their length. */
size_t pair_echo_params(uint8_t *mem, size_t cap, const void *data, size_t len);
/* {key: n}, or {key: n, "seed": seed}; mem has 64 bytes. */
size_t pair_number_params(uint8_t *mem, const char *key, uint64_t n, uint64_t seed);

/* Run the loop: for a time; until a call is over; until a connection is closed; until both are up
 * or one is closed. */
void pair_run_ms(int64_t ms);
void pair_wait_done(struct pair_call *o);
void pair_wait_closed(struct pair_end *e);
void pair_wait_up(struct pair *p);

#endif
