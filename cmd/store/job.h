/*
 * A job: a call that the store's service answers, from its request until both the call and the
 * engine's work for it are over. A method only says what the work is and what the answer is; the
 * rest is the same for all.
 *
 *   store_job_new -> [store_job_take | store_job_read] -> store_job_start -> work, answer
 *
 * Memory is bounded here: `budget` bytes of records on their way to the engine, and STORE_READS_MAX
 * records being read or sent. Jobs beyond that wait in order.
 *
 * `work` runs in a thread of the pool, everything else in the loop's. A job frees itself.
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

#define STORE_READS_MAX 32 /* records being read or sent at the same time */

/* Does the work. Returns -1 with .err set, or another value for the answer to use (.ret). */
typedef int store_work(struct store_job *job);
/* Answers the call, which is still open, after work that did not fail. */
typedef void store_answer(struct store_job *job);

struct store_job_row {
	struct store_job *first, **last;
};

/* What the parts of a service share; the ctx of the methods. */
struct store_jobs {
	struct store_service_opts o;
	struct store_guests guests;
	uint64_t free;  /* bytes of the budget that are not in use */
	unsigned reads; /* in progress */
	struct store_job_row puts, gets;
	struct store_foreign foreign; /* stores whose receipts agents may bring */
	int64_t lock_max_sec;         /* how far in the future an agent may lock a dump */
	bool collecting;              /* a thread runs gc */
	atomic_bool stop;             /* ask gc or scrub to end soon */
};

struct store_job {
	struct pool_job pool; /* must be first */
	struct store_jobs *jobs;
	struct rpc_call *call; /* NULL: it is over */
	store_work *work;
	store_answer *answer;
	/* Called when the whole blob is in .in: starts the job, or fails the call. NULL: the job
	 * just starts. */
	void (*arrived)(struct store_job *job);
	struct store_job *next; /* in a queue */
	bool working;           /* a thread runs it */
	bool waits;             /* it is in a queue */
	bool reads;             /* it is, or waits to be, one of the reads */
	uint64_t budget;        /* bytes of the budget that it holds */
	/* The request. */
	char agent[STORE_NAME_MAX + 1]; /* an agent's name; empty for others, who may use any */
	struct store_params p;          /* .ids are in .in */
	bool checked;                   /* get: it may read the domain */
	bool marked;        /* the record to be read is damaged, and was marked so just now */
	int64_t time;       /* commit: that of the first commit, or STORE_NOW */
	struct buf in, out; /* the request's and the reply's blob */
	/* The result of the work. */
	int ret;
	struct err err;
	struct store_receipt receipt;
	struct store_about about;
};

/* The guest that made the call. */
struct store_guest *store_job_guest(const struct store_job *job);
/* Reports the guest's requests that were counted instead of logged, and resets the counts. */
void store_jobs_tell(struct store_jobs *jobs, struct store_guest *guest);

/* Makes a job for a call; its parameters are taken from `values` as `fields` says (NULL: none).
 * Returns NULL if there is no memory: then the call was answered. */
struct store_job *store_job_new(struct store_jobs *jobs, struct rpc_call *call,
	const struct cbormap_field *fields, const struct cbormap_value *values, store_work *work,
	store_answer *answer);

/* Hands the job to the pool. If the pool is full, fails the call. */
void store_job_start(struct store_job *job);
/* Lets the peer send the call's blob, of .p.size bytes, as soon as the budget has room for it. */
void store_job_take(struct store_job *job);
/* Starts the job as soon as there is room among the reads. */
void store_job_read(struct store_job *job);

/* Fail the call, if it is still open. */
void store_job_fail(struct store_job *job, const struct err *why);
void store_job_failf(struct store_job *job, enum err_code code, const char *text);
/* Answers the call with a map, and a blob if that is not NULL. */
void store_job_answer(struct store_job *job, const struct cbormap_field *fields, const void *from,
	const struct buf *blob);
/* Answers yes or no, if the call is still open; blob: .out follows. */
void store_job_reply(struct store_job *job, bool is, bool blob);

/* The methods (methods.c); the ctx of their handlers is a struct store_jobs. */
extern const struct rpc_method store_methods[];
extern const size_t store_methods_count;

#endif
