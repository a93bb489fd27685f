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

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/proto.h"
#include "cmd/store/service.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/pool.h"

struct rpc_call;
struct store_job;

#define STORE_READS_MAX 32 /* records that are read or sent at the same time */

/* Does the work. Returns -1 with .err set, or what the answer makes of it. */
typedef int store_work(struct store_job *job);
/* Answers the call, which is still there, after work that did not fail. */
typedef void store_answer(struct store_job *job);

struct store_job_row {
	struct store_job *first, **last;
};

/* What the parts of a service share: the methods' ctx. */
struct store_jobs {
	struct store_service_opts o;
	struct store_guests guests;
	uint64_t free;  /* bytes of the budget */
	unsigned reads; /* under way */
	struct store_job_row puts, gets;
	struct store_foreign foreign; /* whose receipts agents may bring */
	int64_t lock_max_sec;         /* how far in the future an agent may lock a dump, at most */
	bool collecting;              /* gc is at work in a thread */
	atomic_bool stop;             /* gc, or scrub, is to end soon */
};

struct store_job {
	struct pool_job pool; /* must be first */
	struct store_jobs *jobs;
	struct rpc_call *call; /* NULL: it is over */
	store_work *work;
	store_answer *answer;
	/* The whole blob is in .in: starts the job, or fails the call. NULL: it is started. */
	void (*arrived)(struct store_job *job);
	struct store_job *next; /* in a row of waiting ones */
	bool working;           /* a thread has it */
	bool waits;             /* in a row */
	bool reads;             /* it counts among the reads */
	uint64_t budget;        /* bytes of the budget that it has */
	/* The request. */
	char agent[STORE_NAME_MAX + 1]; /* of an agent: its name; of others empty: any */
	struct store_params p;          /* .ids are in .in */
	bool checked;
	bool marked;        /* what was to be read is damaged, and is marked so since now */
	int64_t time;       /* commit: of the first one */
	struct buf in, out; /* the request's and the reply's blob */
	size_t out_at;
	/* What the work came to. */
	int ret;
	struct err err;
	struct store_receipt receipt;
	struct store_about about;
};

/* The guest whose call it is. */
struct store_guest *store_job_guest(const struct store_job *job);
/* Whether gc is at work, which then ends soon: who asks waits for it. */
bool store_jobs_give_way(struct store_jobs *jobs);
/* Reports what a guest has asked that went into no log by itself, and counts anew. */
void store_jobs_tell(struct store_jobs *jobs, struct store_guest *guest);

/* A job for a call, with its parameters, as `fields` has them (NULL: none). NULL: the call was
 * answered, there is no memory. */
struct store_job *store_job_new(struct store_jobs *jobs, struct rpc_call *call,
	const struct cbormap_field *fields, const struct cbormap_value *values, store_work *work,
	store_answer *answer);

/* Hands the job to the pool. */
void store_job_start(struct store_job *job);
/* The call's blob, of .p.size bytes, may come as soon as the budget has room for it. */
void store_job_take(struct store_job *job);
/* Starts the job as soon as there is room among the reads. */
void store_job_read(struct store_job *job);

/* Answer the call, if it is still there. */
void store_job_fail(struct store_job *job, const struct err *why);
void store_job_failf(struct store_job *job, enum err_code code, const char *text);
/* A yes or no; blob: .out follows. */
void store_job_reply(struct store_job *job, bool is, bool blob);

/* The methods (methods.c), whose handlers have a struct store_jobs as ctx. */
extern const struct rpc_method store_methods[];
extern const size_t store_methods_count;

#endif
