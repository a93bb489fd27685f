/* The threads' side: requests are left for the loop (rpc/client_loop.h), and waited for. */
#include "rpc/client.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rpc/client_loop.h"
#include "rpc/wire.h"

#define PATIENCE_MS (600 * 1000)
#define BYTES_MAX   (64 * 1024 * 1024)
#define CLOSE_MS    1000 /* to end, when nothing is open any more */

struct rpc_client *rpc_client_open(const struct rpc_client_opts *opts, struct err *err)
{
	struct rpc_client *c = calloc(1, sizeof *c);
	sigset_t all, before;
	int ret;

	if (c == NULL) {
		err_set(err, ERR_NOMEM, "client: out of memory");
		return NULL;
	}
	mutex_init(&c->lock);
	pthread_cond_init(&c->room, NULL);
	pthread_cond_init(&c->over, NULL);
	c->incoming_end = &c->incoming;
	c->opts = *opts;
	snprintf(c->name, sizeof c->name, "%s", opts->expect.name);
	snprintf(c->host, sizeof c->host, "%s", opts->host);
	snprintf(c->port, sizeof c->port, "%s", opts->port);
	c->opts.expect.name = c->name;
	if (opts->patience_ms == 0)
		c->opts.patience_ms = PATIENCE_MS;
	if (opts->calls_max == 0)
		c->opts.calls_max = RPC_CALLS_MAX;
	if (opts->bytes_max == 0)
		c->opts.bytes_max = BYTES_MAX;
	/* Signals are for the threads of the program. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	ret = rpc_client_loop_init(c, err);
	if (ret == 0) {
		c->owners = 2;
		ret = pthread_create(&c->thread, NULL, rpc_client_loop_run, c);
		if (ret == 0)
			pthread_detach(c->thread);
		else
			err_errno(err, ret, "client of %s: thread", c->name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret != 0) {
		rpc_client_loop_free(c);
		return NULL;
	}
	return c;
}

static struct rpc_client_job *job_new(
	struct rpc_client *c, const struct rpc_client_request *r, struct err *err)
{
	struct rpc_client_job *job = calloc(1, sizeof *job);
	void *params = malloc(r->len > 0 ? r->len : 1);

	assert(r->blob == NULL || r->blob_len > 0);
	if (job == NULL || params == NULL) {
		free(job);
		free(params);
		err_set(err, ERR_NOMEM, "request to %s: out of memory", c->name);
		return NULL;
	}
	if (r->len > 0)
		memcpy(params, r->params, r->len);
	job->client = c;
	job->r = *r;
	job->r.params = params;
	job->weight = (r->blob != NULL ? r->blob_len : 0) + r->reply_max;
	buf_init(&job->reply, RPC_PAYLOAD_MAX);
	buf_init(&job->blob, r->reply_max);
	return job;
}

struct rpc_client_job *rpc_client_start(
	struct rpc_client *c, const struct rpc_client_request *request, struct err *err)
{
	struct rpc_client_job *job;
	bool gave_up;

	if (request->len > RPC_PAYLOAD_MAX) {
		err_set(err, ERR_LIMIT, "request to %s: %zu bytes of parameters, at most %d",
			c->name, request->len, RPC_PAYLOAD_MAX);
		return NULL;
	}
	assert(!pthread_equal(pthread_self(), c->thread));
	job = job_new(c, request, err);
	if (job == NULL)
		return NULL;
	mutex_lock(&c->lock);
	assert(!c->closing);
	while (!c->gave_up && (c->jobs >= c->opts.calls_max ||
				      (c->jobs > 0 && c->bytes + job->weight > c->opts.bytes_max)))
		mutex_wait(&c->lock, &c->room);
	gave_up = c->gave_up;
	if (gave_up) {
		if (err != NULL)
			*err = c->why;
	} else {
		job->number = ++c->started;
		*c->incoming_end = job;
		c->incoming_end = &job->next;
		c->jobs++;
		c->bytes += job->weight;
		/* Inside the lock: the job may be over, and the client closed, as
		 * soon as it is let go. */
		rpc_async_send(&c->wake);
	}
	mutex_unlock(&c->lock);
	if (gave_up) {
		rpc_client_loop_job_free(job);
		return NULL;
	}
	return job;
}

/* Gives away the content of a buffer. */
static void move(struct buf *to, struct buf *from)
{
	if (to == NULL)
		return;
	buf_fini(to);
	*to = *from;
	buf_init(from, 0);
}

int rpc_client_wait(
	struct rpc_client_job *job, struct buf *reply, struct buf *blob, struct err *err)
{
	struct rpc_client *c = job->client;
	int ret = 0;

	assert(job->r.done == NULL && !pthread_equal(pthread_self(), c->thread));
	mutex_lock(&c->lock);
	while (!job->over)
		mutex_wait(&c->lock, &c->over);
	mutex_unlock(&c->lock);
	if (job->err.code == ERR_NONE) {
		move(reply, &job->reply);
		move(blob, &job->blob);
	} else {
		if (err != NULL)
			*err = job->err;
		ret = -1;
	}
	rpc_client_loop_job_free(job);
	return ret;
}

int rpc_client_call(struct rpc_client *c, const struct rpc_client_request *request,
	struct buf *reply, struct buf *blob, struct err *err)
{
	struct rpc_client_request r = *request;
	struct rpc_client_job *job;

	r.done = NULL;
	job = rpc_client_start(c, &r, err);
	return job != NULL ? rpc_client_wait(job, reply, blob, err) : -1;
}

void rpc_client_why(struct rpc_client *c, struct err *err)
{
	mutex_lock(&c->lock);
	if (c->last.code == ERR_NONE)
		err_set(err, ERR_TIMEOUT, "%s port %s: %s", c->host, c->port,
			rpc_client_loop_reason(c));
	else
		err_set(err, ERR_TIMEOUT, "%s", rpc_client_loop_reason(c));
	mutex_unlock(&c->lock);
}

void rpc_client_cancel(struct rpc_client *c)
{
	atomic_store(&c->cancelled, true);
	rpc_async_send(&c->wake);
}

void rpc_client_stats(const struct rpc_client *c, struct rpc_client_stats *stats)
{
	*stats = (struct rpc_client_stats){
		.sent = atomic_load(&c->sent),
		.received = atomic_load(&c->received),
		.answered = atomic_load(&c->answered),
		.connections = atomic_load(&c->connections),
		.up = atomic_load(&c->up),
	};
}

void rpc_client_close(struct rpc_client *c, int64_t deadline_ms)
{
	struct timespec end;
	int ret = 0;

	if (c == NULL)
		return;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += (deadline_ms + CLOSE_MS) / 1000;
	mutex_lock(&c->lock);
	c->closing = true;
	c->close_ms = deadline_ms;
	rpc_async_send(&c->wake);
	while (c->owners > 1 && ret == 0)
		ret = mutex_wait_until(&c->lock, &c->over, &end);
	assert(c->owners > 1 || c->jobs == 0);
	mutex_unlock(&c->lock);
	rpc_client_loop_leave(c);
}
