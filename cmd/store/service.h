/*
 * The service in front of the engine: answers the methods of a store (proto.h, rpc/PROTOCOL.md)
 * to whoever may ask them.
 *
 *   store_service_new -> [store_service_tend] ... -> store_service_shutdown -> store_service_free
 *
 * All from the loop's thread; the engine's work runs in the pool's threads, one or more for each
 * call. Identity: an agent reaches only dumps of its own name, and puts only into domains that it
 * has proved on this service; operators of the root list, read, delete and lock; other managers'
 * operators are refused. Crash-only: what the engine can't go on from is given to `failed`, and the
 * process ends.
 *
 * Memory: `budget` bytes of records that have not reached the engine, STORE_DUMP_MAX for each
 * commit and STORE_RECORD_MAX for each read under way, of which there are READS_MAX; the rest wait
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
/* What came of it: of one of the two; or err. */
typedef void store_tended(void *ctx, enum store_tending what, const struct engine_gc_result *gc,
	const struct store_checked *scrub, const struct err *err);

#define STORE_BUDGET (64u << 20)
/* After the start, until gc begins: who was connected before comes back in this time. */
#define STORE_RETURN_MS 60000

struct store_service_opts {
	struct rpc_loop *loop;
	struct pool *pool;     /* drained by the caller's loop */
	struct engine *engine; /* open to write; borrowed */
	struct rpc_tls_conf *conf;
	const char *host, *port;       /* as rpc/listen.h has them */
	const struct rpc_times *times; /* NULL: default */
	uint64_t budget;               /* 0: STORE_BUDGET */
	int64_t return_ms;             /* 0: STORE_RETURN_MS */
	void *ctx;
	/* Once for each request, but those of `tallied`. May be NULL. */
	void (*log)(void *ctx, const struct rpc_access *access);
	/* How many requests put, get and have of a guest went well, when a run or its last
	 * connection ends. May be NULL. */
	void (*tallied)(
		void *ctx, const struct rpc_identity *peer, const struct store_tally *tally);
	/* A connection that was refused. May be NULL. */
	void (*refused)(void *ctx, const char *address, const struct err *why);
	/* What a scrub met. */
	store_problem *problem;
	/* A chunk that somebody reads is damaged; it was marked, so that it is taken when it is put
	 * again. */
	void (*damaged)(void *ctx, const struct err *what);
	/* The engine has failed: end the process, and start it again. */
	void (*failed)(void *ctx, const struct err *why);
};

/* NULL with err set. */
struct store_service *store_service_new(const struct store_service_opts *opts, struct err *err);
/* How far in the future agents may lock their dumps: STORE_LOCK_MAX_SEC at first. */
#define STORE_LOCK_MAX_SEC (90 * 86400)
void store_service_limits(struct store_service *service, int64_t lock_max_sec);
/* What a manager (by its place) says which stores the fleet has, in place of what it said before:
 * agents may bring their receipts. Returns 0, or -1 with err set. */
int store_service_fleet(struct store_service *service, size_t manager, const struct store_key *keys,
	size_t count, struct err *err);
/* The port it listens on. */
unsigned store_service_port(const struct store_service *service);
/* A renewed certificate, for connections that come from now on. */
void store_service_conf(struct store_service *service, struct rpc_tls_conf *conf);
/* The deny list has changed. */
void store_service_recheck(struct store_service *service);

/* Tends the store in a thread of the pool: gc (once no run and no dump that is read is open;
 * meanwhile new ones are told to come back; it stops after a volume as soon as one waits), or a
 * scrub. done: once, with what came of it, or err. Returns 0, or 1: it is being tended already. */
int store_service_tend(struct store_service *service, enum store_tending what, store_tended *done);

/* Takes no more connections, and ends those there are in order. */
void store_service_shutdown(struct store_service *service);
/* Connections that are left, known or not. */
unsigned store_service_count(const struct store_service *service);
/* Ends all. The pool must be freed before: work may be under way. NULL does nothing. */
void store_service_free(struct store_service *service);

#endif
