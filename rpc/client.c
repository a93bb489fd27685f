/*
 * Only the client's thread uses the loop. Other threads put jobs into
 * `incoming`, set flags, and wake it; `step` then does everything that is due:
 * takes over the jobs, sends what it can, gives up, ends.
 *
 * A job is in `incoming`, in `queue`, or on the connection (`flying`). When the
 * connection is lost its jobs return to their old places in the queue.
 */
#include "rpc/client.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/mem.h"
#include "lib/mutex.h"
#include "lib/name.h"
#include "lib/pool.h"
#include "lib/uptime.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/loop.h"
#include "rpc/wire.h"

#define PATIENCE_MS (600 * 1000)
#define CLOSE_MS    1000 /* for closing once no request is open */
#define BUSY_MS     1000 /* until a refused greeting is sent again */
/* Used where there is no deadline. */
#define LONG_MS (365ll * 24 * 3600 * 1000)

struct rpc_client_job {
	struct rpc_client *client;
	struct rpc_client_request r; /* its params are a copy that the job owns */
	uint64_t number;             /* in order of start */
	struct rpc_client_job *next;
	struct rpc_call *call; /* while it is on a connection */
	size_t sent;           /* of the blob, on this connection */
	size_t most_sent, most_got;
	struct buf reply, blob;
	bool has_blob;
	struct err err;
	bool over; /* under the lock; only for jobs that are waited for */
};

struct rpc_client {
	struct rpc_client_opts opts;
	char name[NAME_LEN_MAX + 1], host[256], port[32];
	pthread_t thread;

	/* Under the lock: shared by the loop and other threads. */
	struct mutex lock;
	pthread_cond_t room, over;
	struct rpc_client_job *incoming, **incoming_end;
	uint64_t started; /* number of the last one */
	unsigned jobs;    /* not over yet */
	bool gave_up;
	struct err why;
	struct err last; /* why there is no connection; set by the loop */
	bool closing;
	int64_t close_ms; /* how long closing may take */
	unsigned owners;  /* its user and its thread; the last to leave frees it */

	atomic_bool cancelled;
	_Atomic uint64_t sent, received, answered, connections;
	atomic_bool up;

	/* Used by the loop only. */
	struct rpc_loop *loop;
	struct rpc_tls_conf *conf;
	struct pool *pool;
	struct rpc_async wake, pool_wake;
	struct rpc_soon soon;
	struct rpc_timer timer;
	struct rpc_dial *dial; /* NULL after giving up */
	struct rpc_conn *conn; /* NULL while there is none */
	struct rpc_client_job *queue;
	unsigned flying;
	bool was_up, shut;
	int64_t progress_ms;
	bool only_greeted; /* a greeting was the only progress since then */
	int64_t lost_at;   /* when the last connection was lost */
	int64_t close_at;  /* 0: not closing */

	/* The greeting is kept once it has been answered, and is sent again at the
	 * beginning of each connection, before anything else. */
	struct rpc_client_request greeting; /* no params: there is none; the client owns them */
	bool greeting_due, greeting_flying; /* on this connection */
	struct rpc_timer greeting_busy;     /* the peer was busy: when to send it again */
};

static void step(void *arg);

static void kick(void *client)
{
	struct rpc_client *c = client;

	rpc_soon_start(&c->soon, c->loop, step, c);
}

static void progress(struct rpc_client *c)
{
	c->progress_ms = rpc_loop_now_ms(c->loop);
	c->only_greeted = false;
}

/* --- Jobs --- */

static void job_free(struct rpc_client_job *job)
{
	buf_fini(&job->reply);
	buf_fini(&job->blob);
	free((void *)job->r.params);
	free(job);
}

static struct rpc_client_job *job_new(
	struct rpc_client *c, const struct rpc_client_request *r, struct err *err)
{
	struct rpc_client_job *job = mem_new(sizeof *job, err);
	void *params = job != NULL ? mem_new(r->len + 1, err) : NULL;

	assert(r->blob == NULL || r->blob_len > 0);
	if (params == NULL) {
		free(job);
		return NULL;
	}
	if (r->len > 0)
		memcpy(params, r->params, r->len);
	job->client = c;
	job->r = *r;
	job->r.params = params;
	buf_init(&job->reply, RPC_PAYLOAD_MAX);
	buf_init(&job->blob, r->reply_max);
	return job;
}

/* The job is over: notifies whoever started it, and makes room for another. A
 * job that is waited for belongs to the waiting thread from here on. */
static void finish(struct rpc_client_job *job, const struct err *err)
{
	struct rpc_client *c = job->client;
	bool waited = job->r.done == NULL;

	if (err != NULL)
		job->err = *err;
	if (!waited) {
		const struct rpc_client_answer answer = {
			.err = err,
			.reply = job->reply.data,
			.reply_len = job->reply.len,
			.has_blob = job->has_blob,
			.blob = &job->blob,
		};

		job->r.done(job->r.arg, &answer);
	}
	mutex_lock(&c->lock);
	assert(c->jobs > 0);
	c->jobs--;
	job->over = true;
	pthread_cond_broadcast(&c->room);
	if (waited)
		pthread_cond_broadcast(&c->over);
	mutex_unlock(&c->lock);
	if (!waited)
		job_free(job);
	kick(c);
}

/* Returns an unanswered job to its old place in the queue. */
static void requeue(struct rpc_client_job *job)
{
	struct rpc_client_job **at = &job->client->queue;

	while (*at != NULL && (*at)->number < job->number)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
}

/* --- One request on the connection --- */

/* There is no memory for the answer. */
static void drop(struct rpc_client_job *job)
{
	rpc_call_cancel(job->call);
	assert(job->client->flying > 0);
	job->client->flying--;
	finish(job, &job->err);
}

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct rpc_client_job *job = arg;

	progress(job->client);
	job->has_blob = more;
	if (buf_add(&job->reply, bytes, len, &job->err) != 0)
		drop(job);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct rpc_client_job *job = arg;
	struct rpc_client *c = job->client;

	(void)last;
	atomic_fetch_add(&c->received, len);
	if (buf_add(&job->blob, bytes, len, &job->err) != 0) {
		drop(job);
		return;
	}
	rpc_call_took(job->call, len);
	if (job->blob.len > job->most_got) {
		job->most_got = job->blob.len;
		progress(c);
	}
}

static void on_sent(void *arg, size_t len)
{
	struct rpc_client_job *job = arg;

	job->sent += len;
	atomic_fetch_add(&job->client->sent, len);
	if (job->sent > job->most_sent) {
		job->most_sent = job->sent;
		progress(job->client);
	}
}

static void on_done(void *arg, const struct err *err)
{
	struct rpc_client_job *job = arg;
	struct rpc_client *c = job->client;
	struct err copy;

	assert(c->flying > 0);
	c->flying--;
	job->call = NULL;
	if (err != NULL && rpc_conn_is_lost(c->conn)) {
		requeue(job);
		return;
	}
	progress(c);
	atomic_fetch_add(&c->answered, 1);
	if (err == NULL) {
		if (job->r.greeting) {
			free((void *)c->greeting.params);
			c->greeting = job->r;
			job->r.params = NULL;
		}
		finish(job, NULL);
		return;
	}
	copy = *err;
	err_prefix(&copy, "%s", c->name);
	finish(job, &copy);
}

static void give_up(struct rpc_client *c, const struct err *why);

static void on_greeted(void *arg, const struct err *err)
{
	struct rpc_client *c = arg;
	struct err why;

	c->greeting_flying = false;
	if (err == NULL) {
		if (!c->only_greeted)
			progress(c);
		c->only_greeted = true;
		kick(c);
	} else if (c->conn == NULL || rpc_conn_is_lost(c->conn)) {
		return;
	} else if (err->code == ERR_BUSY) {
		c->greeting_due = true;
		rpc_timer_start(&c->greeting_busy, c->loop, BUSY_MS, kick, c);
	} else {
		why = *err;
		err_prefix(&why, "%s", c->name);
		give_up(c, &why);
	}
}

/* True if the connection is up and the greeting has been answered on it.
 * Otherwise sends the greeting as soon as there is room. */
static bool is_greeted(struct rpc_client *c)
{
	static const struct rpc_call_ops ops = {.done = on_greeted};
	const struct rpc_request q = {
		.method = c->greeting.method,
		.params = c->greeting.params,
		.len = c->greeting.len,
		.reply_max = c->greeting.reply_max,
		.timeout_ms = LONG_MS,
		.ops = &ops,
		.arg = c,
	};

	if (c->conn == NULL || c->shut || c->greeting_flying || rpc_timer_on(&c->greeting_busy))
		return false;
	if (!c->greeting_due)
		return true;
	c->greeting_flying = rpc_call_start(c->conn, &q, NULL) != NULL;
	c->greeting_due = !c->greeting_flying; /* busy: `room` will follow */
	return false;
}

/* Sends as many queued requests as the connection has room for. */
static void send_queue(struct rpc_client *c)
{
	static const struct rpc_call_ops ops = {on_reply, on_data, on_sent, on_done};

	/* The greeting is sent even if there is nothing else to send. */
	while (is_greeted(c) && c->queue != NULL) {
		struct rpc_client_job *job = c->queue;
		struct rpc_request q = {
			.method = job->r.method,
			.params = job->r.params,
			.len = job->r.len,
			.blob = job->r.blob,
			.blob_len = job->r.blob_len,
			.reply_max = job->r.reply_max,
			.reply_window = job->r.reply_max < RPC_WINDOW_MAX
						? (uint32_t)job->r.reply_max
						: RPC_WINDOW_MAX,
			.timeout_ms = job->r.timeout_ms > 0 ? job->r.timeout_ms : LONG_MS,
			.ops = &ops,
			.arg = job,
		};
		struct err err = {0};

		job->sent = 0;
		job->has_blob = false;
		buf_clear(&job->reply);
		buf_clear(&job->blob);
		job->call = rpc_call_start(c->conn, &q, &err);
		/* Busy: `room` will follow. Closed: `down` will follow. */
		if (job->call == NULL && (err.code == ERR_BUSY || err.code == ERR_CLOSED))
			return;
		c->queue = job->next;
		if (job->call != NULL)
			c->flying++;
		else
			finish(job, &err);
	}
}

/* --- Giving up, and the end --- */

static void set_down(struct rpc_client *c)
{
	assert(c->flying == 0);
	if (c->conn != NULL)
		c->lost_at = rpc_loop_now_ms(c->loop);
	c->conn = NULL;
	rpc_timer_stop(&c->greeting_busy);
	atomic_store(&c->up, false);
}

/* Appends newly started jobs to the queue. Returns whether there were any. */
static bool take_incoming(struct rpc_client *c)
{
	struct rpc_client_job **end = &c->queue;

	while (*end != NULL)
		end = &(*end)->next;
	mutex_lock(&c->lock);
	*end = c->incoming;
	c->incoming = NULL;
	c->incoming_end = &c->incoming;
	mutex_unlock(&c->lock);
	return *end != NULL;
}

/* Ends everything that is open with this error; later requests will get it too. */
static void give_up(struct rpc_client *c, const struct err *why)
{
	struct rpc_client_job *job;

	mutex_lock(&c->lock);
	if (c->gave_up) {
		mutex_unlock(&c->lock);
		return;
	}
	c->gave_up = true;
	c->why = *why;
	pthread_cond_broadcast(&c->room);
	mutex_unlock(&c->lock);
	/* Requests on the connection return to the queue. */
	rpc_dial_free(c->dial);
	c->dial = NULL;
	set_down(c);
	take_incoming(c);
	while (c->queue != NULL) {
		job = c->queue;
		c->queue = job->next;
		finish(job, why);
	}
}

/* The caller holds the lock or is the loop's thread. */
static const char *reason_of(const struct rpc_client *c)
{
	if (atomic_load(&c->up))
		return "it is connected, but does not answer";
	return c->last.code != ERR_NONE ? c->last.message : "no answer to the attempt to connect";
}

static void give_up_waiting(struct rpc_client *c, int64_t ms)
{
	struct err why = {0};

	err_set(&why, ERR_TIMEOUT, "%s %s (%s port %s): no progress for %g s: %s",
		rpc_role_name(c->opts.expect.role), c->name, c->host, c->port, (double)ms / 1000,
		reason_of(c));
	give_up(c, &why);
}

/* How long there may be no progress in the current state, and from when on. */
static int64_t patience(const struct rpc_client *c, int64_t *since)
{
	*since = c->progress_ms;
	if (!c->was_up && c->opts.connect_ms != 0)
		return c->opts.connect_ms;
	if (c->was_up && c->conn == NULL && c->opts.lost_ms != 0) {
		if (c->lost_at > *since)
			*since = c->lost_at;
		return c->opts.lost_ms;
	}
	return c->opts.patience_ms;
}

static void on_timer(void *arg)
{
	struct rpc_client *c = arg;
	int64_t now = rpc_loop_now_ms(c->loop), since, most = patience(c, &since);
	struct err why = {0};

	if (c->close_at != 0 && now >= c->close_at) {
		err_set(&why, ERR_CANCELLED, "%s: closed before it answered", c->name);
		give_up(c, &why);
	} else if ((c->queue != NULL || c->flying > 0) && now >= since + most) {
		give_up_waiting(c, most);
	}
	kick(c);
}

/* The timer always runs, so that the loop does not end by itself. */
static void arm(struct rpc_client *c)
{
	int64_t now = rpc_loop_now_ms(c->loop), at = now + LONG_MS, since, most;

	most = patience(c, &since);
	if (c->queue != NULL || c->flying > 0)
		at = since + most;
	if (c->close_at != 0 && c->close_at < at)
		at = c->close_at;
	rpc_timer_start(&c->timer, c->loop, at > now ? at - now : 0, on_timer, c);
}

/* Does all that is due after any event. */
static void step(void *arg)
{
	struct rpc_client *c = arg;
	struct err why = {0};
	bool idle = c->queue == NULL && c->flying == 0;

	if (atomic_load(&c->cancelled)) {
		err_set(&why, ERR_CANCELLED, "%s: cancelled", c->name);
		give_up(c, &why);
	}
	if (take_incoming(c) && idle)
		progress(c);
	mutex_lock(&c->lock);
	if (c->closing && c->close_at == 0)
		c->close_at = rpc_loop_now_ms(c->loop) + c->close_ms;
	mutex_unlock(&c->lock);
	send_queue(c);
	if (c->close_at != 0 && c->queue == NULL && c->flying == 0) {
		if (c->conn == NULL) {
			rpc_loop_stop(c->loop);
			return;
		}
		if (!c->shut)
			rpc_conn_shutdown(c->conn);
		c->shut = true;
	}
	arm(c);
}

static void on_pool(void *arg)
{
	pool_drain(((struct rpc_client *)arg)->pool);
}

/* --- The connection --- */

static void on_up(void *arg, struct rpc_conn *conn)
{
	struct rpc_client *c = arg;

	c->conn = conn;
	assert(!c->greeting_flying);
	c->greeting_due = c->greeting.params != NULL;
	c->was_up = true;
	atomic_store(&c->up, true);
	atomic_fetch_add(&c->connections, 1);
	kick(c);
}

static void on_room(void *arg, struct rpc_conn *conn)
{
	(void)conn;
	kick(arg);
}

static void on_down(void *arg, const struct err *why, int64_t wait_ms)
{
	struct rpc_client *c = arg;
	struct err refused = *why;

	(void)wait_ms;
	set_down(c);
	mutex_lock(&c->lock);
	c->last = *why;
	if (c->last.code == ERR_NONE)
		err_set(&c->last, ERR_CLOSED, "it has ended the connection");
	mutex_unlock(&c->lock);
	/* Retrying would not help. */
	if (why->code == ERR_DENIED || why->code == ERR_UNSUPPORTED) {
		err_prefix(&refused, "%s %s", rpc_role_name(c->opts.expect.role), c->name);
		give_up(c, &refused);
	}
	kick(c);
}

static void free_client(struct rpc_client *c)
{
	rpc_dial_free(c->dial);
	pool_free(c->pool);
	rpc_async_stop(&c->wake);
	rpc_async_stop(&c->pool_wake);
	rpc_loop_free(c->loop);
	rpc_tls_conf_unref(c->conf);
	free((void *)c->greeting.params);
	pthread_cond_destroy(&c->room);
	pthread_cond_destroy(&c->over);
	mutex_fini(&c->lock);
	free(c);
}

static void leave(struct rpc_client *c)
{
	unsigned left;

	mutex_lock(&c->lock);
	left = --c->owners;
	pthread_cond_broadcast(&c->over);
	mutex_unlock(&c->lock);
	if (left == 0)
		free_client(c);
}

static void *run(void *arg)
{
	struct rpc_client *c = arg;

	kick(c);
	rpc_loop_run(c->loop);
	rpc_soon_stop(&c->soon);
	rpc_timer_stop(&c->timer);
	rpc_timer_stop(&c->greeting_busy);
	rpc_dial_free(c->dial);
	c->dial = NULL;
	pool_free(c->pool); /* waits for a look-up */
	c->pool = NULL;
	leave(c);
	return NULL;
}

/* --- For the user --- */

/* Makes loop, look-ups and dialler, before the thread that will own them. */
static int set_up(struct rpc_client *c, struct err *err)
{
	struct rpc_dial_opts dial = {
		.expect = c->opts.expect,
		.times = c->opts.times,
		.host = c->host,
		.port = c->port,
		.wait_min_ms = c->opts.wait_min_ms,
		.wait_max_ms = c->opts.wait_max_ms,
		.arg = c,
		.up = on_up,
		.room = on_room,
		.down = on_down,
	};

	c->conf = rpc_tls_conf_new(c->opts.tls, err);
	if (c->conf == NULL)
		return -1;
	c->loop = rpc_loop_new(err);
	if (c->loop == NULL)
		return -1;
	rpc_async_start(&c->wake, c->loop, kick, c);
	rpc_async_start(&c->pool_wake, c->loop, on_pool, c);
	c->pool = pool_new(1, 4, rpc_async_send, &c->pool_wake, err);
	if (c->pool == NULL)
		return -1;
	dial.conf = c->conf;
	dial.pool = c->pool;
	c->dial = rpc_dial_new(c->loop, &dial, err);
	return c->dial != NULL ? 0 : -1;
}

struct rpc_client *rpc_client_open(const struct rpc_client_opts *opts, struct err *err)
{
	struct rpc_client *c = mem_new(sizeof *c, err);
	sigset_t all, before;
	int ret;

	if (c == NULL)
		return NULL;
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
	/* Signals are for the program's other threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	ret = set_up(c, err);
	if (ret == 0) {
		c->owners = 2;
		ret = pthread_create(&c->thread, NULL, run, c);
		if (ret == 0)
			pthread_detach(c->thread);
		else
			err_errno(err, ret, "client of %s: thread", c->name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret != 0) {
		free_client(c);
		return NULL;
	}
	return c;
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
	while (!c->gave_up && c->jobs >= c->opts.calls_max)
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
		/* Inside the lock: once it is released, the job may end and the client be
		 * closed. */
		rpc_async_send(&c->wake);
	}
	mutex_unlock(&c->lock);
	if (gave_up) {
		job_free(job);
		return NULL;
	}
	return job;
}

/* Moves the content of a buffer. */
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
	job_free(job);
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
		err_set(err, ERR_TIMEOUT, "%s port %s: %s", c->host, c->port, reason_of(c));
	else
		err_set(err, ERR_TIMEOUT, "%s", reason_of(c));
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
	int64_t end = uptime_ms() + deadline_ms + CLOSE_MS;
	int ret = 0;

	if (c == NULL)
		return;
	mutex_lock(&c->lock);
	c->closing = true;
	c->close_ms = deadline_ms;
	rpc_async_send(&c->wake);
	while (c->owners > 1 && ret == 0)
		ret = mutex_wait_until(&c->lock, &c->over, end);
	assert(c->owners > 1 || c->jobs == 0);
	mutex_unlock(&c->lock);
	leave(c);
}
