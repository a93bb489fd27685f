/*
 * A call that a store's service answers, from its request until both the call and the engine's work
 * for it are over. A method says what the work is and what is answered; the rest is the same for
 * all.
 *
 *   store_job_new -> [store_job_take | store_job_read] -> store_job_start -> work, answer
 *
 * Memory is bounded here: `budget` bytes of records that are on their way to the engine, and
 * STORE_READS_MAX records that are read or sent; what is beyond waits in order.
 *
 * `work` runs in a thread of the pool, all else in the loop's. A job frees itself.
 */
#ifndef FDUMP_CMD_STORE_JOB_H
#define FDUMP_CMD_STORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/foreign.h"
#include "cmd/store/guest.h"
#include "cmd/store/store.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/name.h"
#include "lib/pool.h"

struct engine;
struct rpc_call;
struct store_job;

#define STORE_READS_MAX 32 /* records that are read or sent at the same time */

struct store_job_row {
	struct store_job *first, **last;
};

/* What all jobs of a service share. */
struct store_jobs {
	struct pool *pool;
	struct engine *engine;
	struct store_guests guests;
	uint64_t budget, free; /* bytes in all; of them free */
	unsigned reads;        /* under way */
	struct store_job_row puts, gets;
	struct store_foreign foreign; /* whose receipts agents may bring */
	int64_t lock_max_sec;         /* how far in the future an agent may lock a dump, at most */
	/* The engine has failed. */
	void (*failed)(void *ctx, const struct err *why);
	/* A record that was to be read is damaged, and was marked. */
	void (*damaged)(void *ctx, const struct err *what);
	void *ctx;
};

struct store_job {
	struct pool_job pool; /* must be first */
	struct store_jobs *jobs;
	struct rpc_call *call; /* NULL: it is over */
	/* Does the work. Returns -1 with .err set, or what `answer` makes of it. */
	int (*work)(struct store_job *job);
	/* Answers the call, which is still there, after work that did not fail. */
	void (*answer)(struct store_job *job);
	/* The whole blob is in .in: starts the job, or fails the call. NULL: it is started. */
	void (*arrived)(struct store_job *job);
	struct store_job *next; /* in a row of waiting ones */
	bool working;           /* a thread has it */
	bool waits;             /* in a row */
	bool reads;             /* it counts among the reads */
	uint64_t budget;        /* bytes of the budget that it has */
	/* The request: what the method's handler put here. */
	char agent[NAME_LEN_MAX + 1]; /* of an agent: its name; of others empty: any */
	char name[NAME_LEN_MAX + 1], filter_agent[NAME_LEN_MAX + 1];
	uint8_t domain[STORE_DOMAIN_LEN], id[STORE_ID_LEN], dump[STORE_DUMP_ID];
	bool has_dump, checked;
	bool marked; /* what was to be read is damaged, and is marked so since now */
	uint64_t after;
	int64_t time;
	size_t size;
	struct buf in, out; /* the request's and the reply's blob */
	size_t out_at;
	/* What the work came to. */
	int ret;
	struct err err;
	struct store_receipt receipt;
	struct store_about about;
};

void store_jobs_init(struct store_jobs *jobs, uint64_t budget);

/* A job for a call. NULL: the call was answered, there is no memory. */
struct store_job *store_job_new(struct store_jobs *jobs, struct rpc_call *call);
/* The guest whose call it is. NULL: see store_guests_find. */
struct store_guest *store_job_guest(const struct store_job *job);

/* Hands the job to the pool. */
void store_job_start(struct store_job *job);
/* The call's blob, of .size bytes, may come as soon as the budget has room for it. */
void store_job_take(struct store_job *job);
/* Starts the job as soon as there is room among the reads. */
void store_job_read(struct store_job *job);

/* Answer the call, if it is still there. */
void store_job_fail(struct store_job *job, const struct err *why);
void store_job_failf(struct store_job *job, enum err_code code, const char *text);
/* A yes or no; blob: .out follows. */
void store_job_reply(struct store_job *job, bool is, bool blob);

#endif
