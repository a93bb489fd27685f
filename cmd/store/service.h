/*
 * The service in front of the engine: answers the methods of a store (proto.h, rpc/PROTOCOL.md) to
 * those who may call them.
 *
 *   store_service_new -> [store_service_tend] ... -> store_service_shutdown -> store_service_free
 *
 * Call all functions from the loop's thread; the engine's work runs in the pool's threads, once or
 * more for each call.
 *
 * Rights: an agent reaches only dumps of its own name, and puts only into domains that it has
 * proved on this service. Operators of the root list, read, delete and lock; other managers'
 * operators are refused. Managers list and lock, other stores list and read.
 *
 * If the engine fails for good, `failed` is called, and the process must end.
 *
 * Memory: `budget` bytes of records that have not reached the engine, STORE_DUMP_MAX for each
 * commit, and STORE_RECORD_MAX for each read, of which STORE_READS_MAX run at a time; the rest wait
 * in order.
 */
#ifndef FDUMP_CMD_STORE_SERVICE_H
#define FDUMP_CMD_STORE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/store/care.h"
#include "cmd/store/foreign.h"
#include "cmd/store/guest.h"
#include "rpc/dispatch.h"
#include "rpc/listen.h"

struct engine;
struct err;
struct pool;
struct rpc_loop;
struct rpc_tls_conf;
struct store_service;

enum store_tending { STORE_TEND_GC, STORE_TEND_SCRUB };
/* What came of it: gc's or scrub's result, or an error. Runs in the loop's thread. */
typedef void store_tended(void *ctx, enum store_tending what, const struct engine_gc_result *gc,
	const struct store_checked *scrub, const struct err *err);

#define STORE_BUDGET (64u << 20)
/* From the start until gc may begin: time for earlier clients to come back. */
#define STORE_RETURN_MS 60000

struct store_service_opts {
	struct rpc_loop *loop;
	struct pool *pool;     /* drained by the caller's loop */
	struct engine *engine; /* open to write; borrowed */
	struct rpc_tls_conf *conf;
	const char *host, *port;       /* as rpc/listen.h has them */
	const struct rpc_times *times; /* NULL: default */
	uint64_t budget;               /* bytes; 0: STORE_BUDGET */
	int64_t return_ms;             /* 0: STORE_RETURN_MS */
	void *ctx;
	/* Called once for each request, except those for `tallied`. May be NULL. */
	void (*log)(void *ctx, const struct rpc_access *access);
	/* Called when a guest's run or its last connection ends, with the number of its put, get
	 * and have requests that succeeded. May be NULL. */
	void (*tallied)(
		void *ctx, const struct rpc_identity *peer, const struct store_tally *tally);
	/* A connection was refused. May be NULL. */
	void (*refused)(void *ctx, const char *address, const struct err *why);
	/* Scrub found a problem. Runs in a thread of the pool. */
	store_problem *problem;
	/* A chunk that a peer reads is damaged. It was marked, so that the store takes it again. */
	void (*damaged)(void *ctx, const struct err *what);
	/* The engine has failed: end the process; it must be started again. */
	void (*failed)(void *ctx, const struct err *why);
};

/* Starts to listen. The options are copied, what they point to is borrowed. NULL with err set. */
struct store_service *store_service_new(const struct store_service_opts *opts, struct err *err);
/* Sets how far in the future agents may lock their dumps; STORE_LOCK_MAX_SEC at first. */
#define STORE_LOCK_MAX_SEC (90 * 86400)
void store_service_limits(struct store_service *service, int64_t lock_max_sec);
/* Replaces the list of the fleet's stores that a manager has sent; agents may bring receipts of
 * these stores. manager: its number. Returns 0, or -1 with err set: out of memory. */
int store_service_fleet(struct store_service *service, size_t manager, const struct store_key *keys,
	size_t count, struct err *err);
/* Its listener: for the port, the connections left, a renewed certificate, a deny list that has
 * changed. Borrowed. */
struct rpc_listen *store_service_listener(const struct store_service *service);

/* Starts gc or a scrub in a thread of the pool. gc begins once no run and no dump is open. A
 * guest that opens one while gc works is told to try again later, and gc then ends after the
 * current volume. done: called once, with the result, unless the service is freed first. Returns 0;
 * 1: gc or a scrub is running or waiting already. */
int store_service_tend(struct store_service *service, enum store_tending what, store_tended *done);

/* Accepts no more connections, and ends the present ones in order. */
void store_service_shutdown(struct store_service *service);
/* Ends everything. Free the pool first: it may still work for this service. NULL does nothing. */
void store_service_free(struct store_service *service);

#endif
