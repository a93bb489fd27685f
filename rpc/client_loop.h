/*
 * A client and its loop: what rpc/client.c, which is the threads' side, and client_loop.c, which is
 * the loop's, share. Nobody else includes this.
 *
 * The loop belongs to the client's thread alone. Other threads leave jobs in
 * `incoming`, set flags, and wake it; `step` then does all that is due: takes
 * the jobs over, sends what can be sent, gives up, ends.
 *
 * A job is in `incoming`, in `queue`, or on the connection (`flying`). When the
 * connection is lost its jobs return to the queue, to where they were.
 */
#ifndef FDUMP_RPC_CLIENT_LOOP_H
#define FDUMP_RPC_CLIENT_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mutex.h"
#include "lib/name.h"
#include "rpc/client.h"
#include "rpc/loop.h"

struct pool;
struct rpc_call;
struct rpc_conn;
struct rpc_dial;

struct rpc_client_job {
	struct rpc_client *client;
	struct rpc_client_request r; /* its params are our copy */
	uint64_t number;             /* in the order of starts */
	uint64_t weight;             /* of the client's bytes */
	struct rpc_client_job *next;
	struct rpc_call *call; /* while it is on a connection */
	size_t sent;           /* of the blob, on this connection */
	size_t most_sent, most_got;
	struct buf reply, blob;
	bool has_blob;
	struct err err;
	bool over; /* under the lock; only of those that are waited for */
};

struct rpc_client {
	struct rpc_client_opts opts;
	char name[NAME_LEN_MAX + 1], host[256], port[32];
	pthread_t thread;

	/* Under the lock: what threads and loop share. */
	struct mutex lock;
	pthread_cond_t room, over;
	struct rpc_client_job *incoming, **incoming_end;
	uint64_t started; /* number of the last */
	unsigned jobs;    /* that are not over */
	uint64_t bytes;   /* their weight */
	bool gave_up;
	struct err why;
	struct err last; /* why there is no connection; set by the loop */
	bool closing;
	int64_t close_ms; /* how long it may take */
	unsigned owners;  /* its user and its thread: who leaves last frees it */

	atomic_bool cancelled;
	_Atomic uint64_t sent, received, answered, connections;
	atomic_bool up;

	/* The loop's own. */
	struct rpc_loop *loop;
	struct rpc_tls_conf *conf;
	struct pool *pool;
	struct rpc_async wake, pool_wake;
	struct rpc_soon soon;
	struct rpc_timer timer;
	struct rpc_dial *dial; /* NULL once given up */
	struct rpc_conn *conn; /* NULL while there is none */
	struct rpc_client_job *queue;
	unsigned flying;
	bool was_up, shut;
	int64_t progress_ms;
	int64_t close_at; /* 0: not closing */
	struct {
		uint16_t method;
		void *params; /* NULL: there is none */
		size_t len, reply_max;
		bool due; /* to be sent on this connection */
		bool flying;
		struct rpc_timer again; /* the peer was busy */
	} greeting;
};

/* Makes loop, look-ups and dialler, before there is the thread that will own them. Returns 0, or -1
 * with err set. */
int rpc_client_loop_init(struct rpc_client *client, struct err *err);
/* The thread. arg: the client, of which it is one owner. */
void *rpc_client_loop_run(void *arg);

/* Why nothing comes, in words. The lock is held, or it is the loop's thread. */
const char *rpc_client_loop_reason(const struct rpc_client *client);

/* One of the owners leaves; the last one frees the client. */
void rpc_client_loop_leave(struct rpc_client *client);
/* Frees one of which there are no owners yet, or any more. */
void rpc_client_loop_free(struct rpc_client *client);
void rpc_client_loop_job_free(struct rpc_client_job *job);

#endif
