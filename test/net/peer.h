/*
 * Shared by the tests and benchmarks of rpc/: a small set of certificates, a
 * service of test methods, and the pattern that blobs consist of.
 *
 * The pattern: byte i of every blob is peer_byte(i), so that each side can
 * make and check any part of it without the other.
 */
#ifndef FDUMP_TEST_NET_PEER_H
#define FDUMP_TEST_NET_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "rpc/call.h"
#include "rpc/conn.h"
#include "rpc/dispatch.h"
#include "rpc/loop.h"
#include "rpc/tls.h"

struct pool;
struct task;

enum peer_method {
	PEER_ECHO = 1,    /* {data} -> {data} */
	PEER_SINK = 2,    /* {} + blob -> {len, good} */
	PEER_SOURCE = 3,  /* {len, seed} -> {len} + blob; see peer_blob */
	PEER_SLEEP = 4,   /* {ms} -> {} */
	PEER_TWICE = 5,   /* {} + blob -> {} + the same blob */
	PEER_FAIL = 6,    /* {} -> an error with control characters */
	PEER_HOLD = 7,    /* {} -> never: its deadline is 300 ms */
	PEER_TIGHT = 8,   /* {data: at most 64} + blob of at most 1000 -> {} */
	PEER_NOTE = 9,    /* NOTIFY only: {n} */
	PEER_WORK = 10,   /* {ms} -> {}, from a thread of the pool */
	PEER_ABORT = 11,  /* {len} -> {} + blob that fails after len bytes or more */
	PEER_STUCK = 12,  /* {} + blob -> never takes any of it */
	PEER_EARLY = 13,  /* {} + blob -> {} at once, before the blob */
	PEER_WHOAMI = 14, /* {} -> {name, role, host} */
	PEER_PUT = 15,    /* {len, had} + blob -> {had}; see put_max */
	PEER_FOR_AGENTS = 21,
	PEER_FOR_MANAGERS = 22,
	PEER_FOR_STORES = 23,
	PEER_FOR_OPERATORS = 24,
};

extern const struct rpc_method peer_methods[];
extern const size_t peer_methods_count;

/* What the service's ctx points to. */
struct peer_state {
	struct rpc_loop *loop;
	struct pool *pool; /* for PEER_WORK */
	unsigned handled;  /* handlers run */
	unsigned over;     /* done callbacks of served calls with callbacks */
	uint64_t notes;    /* sum of PEER_NOTE's n */
	unsigned logged;
	uint64_t sunk;          /* bytes of the blobs that PEER_SINK accepted as complete */
	struct rpc_access last; /* its strings are not valid */
	/* PEER_PUT, as a store would do it: where no credit comes by itself, blobs
	 * are granted to the first put_max of the queue. */
	unsigned put_max, puts_running, puts_waiting, puts_most;
	struct task *put_first;
	bool print; /* the access log to standard error */
};

/* A service over peer_methods. */
void peer_service(struct rpc_service *service, struct peer_state *state);

uint8_t peer_byte(uint64_t offset);
void peer_fill(uint8_t *to, uint64_t offset, size_t len);
/* A blob of this length, but not more than PEER_BLOB_MAX; it stays. */
#define PEER_BLOB_MAX (64u << 20)
struct buf peer_blob(uint64_t len);
bool peer_check(const uint8_t *bytes, uint64_t offset, size_t len);
/* A small generator of numbers below limit. */
uint32_t peer_random(uint64_t *state, uint32_t limit);

/* All of these make files NAME.key and NAME.crt in folder, and exit on failure. */

/* "root". */
void peer_make_root(const char *folder);
/* The intermediate of a manager. */
void peer_make_intermediate(const char *folder, const char *file, const char *manager);
/* "root", and "int": the intermediate of manager m1. */
void peer_make_ca(const char *folder);
/* A certificate signed by issuer (the files' name); host NULL: a new host id. Times as in
 * rpc_ca_sign. */
void peer_make_cert_by(const char *folder, const char *issuer, const char *file, const char *name,
	const char *role, const char *host, int64_t not_before, int64_t not_after);
/* The same, signed by "int", or for an operator by "root"; name is the files' name too. */
void peer_make_cert(const char *folder, const char *name, const char *role, const char *host,
	int64_t not_before, int64_t not_after);
/* A fleet: "root"; "int" and "int2" of managers m1 and m2; below each a manager (m1, m2), an agent
 * (a1, a2), a store (s1, s2) and an operator of its own (o-m1, o-m2); the root's operator o1; and
 * agents whose validity is over ("expired") or has not begun ("early"). */
void peer_make_fleet(const char *folder);
/* The configuration of NAME. NULL with err set. */
struct rpc_tls_conf *peer_conf(
	const char *folder, const char *name, const struct rpc_deny *deny, struct err *err);

#endif
