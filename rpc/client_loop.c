/*
 * What the client's thread does: jobs on the connection, which is made again when it is lost, the
 * greeting before them, and giving up.
 */
#include "rpc/client_loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pool.h"
#include "rpc/call.h"
#include "rpc/dial.h"
#include "rpc/wire.h"

#define BUSY_MS 1000
/* In place of no deadline at all. */
#define LONG_MS (365ll * 24 * 3600 * 1000)

static void step(void *arg);

static void kick(struct rpc_client *c)
{
	rpc_soon_start(&c->soon, c->loop, step, c);
}

static void progress(struct rpc_client *c)
{
	c->progress_ms = rpc_loop_now_ms(c->loop);
}

/* --- Jobs --- */

void rpc_client_loop_job_free(struct rpc_client_job *job)
{
	buf_fini(&job->reply);
	buf_fini(&job->blob);
	free((void *)job->r.params);
	free(job);
}

/* The job is over: whoever started it is told, and there is room for another.
 * A job that is waited for is the waiter's from here on. */
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
	assert(c->jobs > 0 && c->bytes >= job->weight);
	c->jobs--;
	c->bytes -= job->weight;
	job->over = true;
	pthread_cond_broadcast(&c->room);
	if (waited)
		pthread_cond_broadcast(&c->over);
	mutex_unlock(&c->lock);
	if (!waited)
		rpc_client_loop_job_free(job);
	kick(c);
}

/* Puts a job that was not answered back to where it was in the queue. */
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

static int on_fill(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err)
{
	struct rpc_client_job *job = arg;
	size_t left = job->r.blob_len - job->sent;

	(void)err;
	assert(job->sent < job->r.blob_len);
	*len = left < cap ? left : cap;
	memcpy(to, (const uint8_t *)job->r.blob + job->sent, *len);
	job->sent += *len;
	*last = job->sent == job->r.blob_len;
	atomic_fetch_add(&job->client->sent, *len);
	if (job->sent > job->most_sent) {
		job->most_sent = job->sent;
		progress(job->client);
	}
	return 0;
}

/* From now on each connection begins with it. */
static void keep_greeting(struct rpc_client_job *job)
{
	struct rpc_client *c = job->client;

	free(c->greeting.params);
	c->greeting.method = job->r.method;
	c->greeting.params = (void *)job->r.params;
	c->greeting.len = job->r.len;
	c->greeting.reply_max = job->r.reply_max;
	job->r.params = NULL;
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
		if (job->r.greeting)
			keep_greeting(job);
		finish(job, NULL);
		return;
	}
	copy = *err;
	err_prefix(&copy, "%s", c->name);
	finish(job, &copy);
}

static void give_up(struct rpc_client *c, const struct err *why);

static void greet_again(void *arg)
{
	struct rpc_client *c = arg;

	c->greeting.due = c->conn != NULL;
	kick(c);
}

static void on_greeted(void *arg, const struct err *err)
{
	struct rpc_client *c = arg;
	struct err why;

	c->greeting.flying = false;
	if (err == NULL) {
		progress(c);
		kick(c);
		return;
	}
	if (c->conn == NULL || rpc_conn_is_lost(c->conn))
		return;
	if (err->code == ERR_BUSY) {
		rpc_timer_start(&c->greeting.again, c->loop, BUSY_MS, greet_again, c);
		return;
	}
	why = *err;
	err_prefix(&why, "%s", c->name);
	give_up(c, &why);
}

/* Whether the connection can be used: it has been begun with the greeting. */
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

	if (c->greeting.flying || rpc_timer_on(&c->greeting.again))
		return false;
	if (!c->greeting.due)
		return true;
	c->greeting.flying = rpc_call_start(c->conn, &q, NULL) != NULL;
	c->greeting.due = !c->greeting.flying; /* busy: `room` comes */
	return false;
}

/* Hands the queue to the connection, as far as it has room. */
static void send_queue(struct rpc_client *c)
{
	static const struct rpc_call_ops ops = {on_reply, on_data, on_fill, on_done};

	if (c->conn != NULL && !c->shut)
		is_greeted(c); /* also when there is nothing else to send */
	while (c->conn != NULL && c->queue != NULL && !c->shut && is_greeted(c)) {
		struct rpc_client_job *job = c->queue;
		struct rpc_request q = {
			.method = job->r.method,
			.params = job->r.params,
			.len = job->r.len,
			.blob = job->r.blob != NULL,
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
		/* Busy: `room` comes. Closed: `down` comes. */
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

/* Everything that is open ends with this error, and so will what comes. */
static void give_up(struct rpc_client *c, const struct err *why)
{
	struct rpc_client_job *job, **end = &c->queue;

	mutex_lock(&c->lock);
	if (c->gave_up) {
		mutex_unlock(&c->lock);
		return;
	}
	c->gave_up = true;
	c->why = *why;
	pthread_cond_broadcast(&c->room);
	mutex_unlock(&c->lock);
	/* What is flying returns to the queue. */
	rpc_timer_stop(&c->greeting.again);
	rpc_dial_free(c->dial);
	c->dial = NULL;
	c->conn = NULL;
	atomic_store(&c->up, false);
	assert(c->flying == 0);
	while (*end != NULL)
		end = &(*end)->next;
	mutex_lock(&c->lock);
	*end = c->incoming;
	c->incoming = NULL;
	c->incoming_end = &c->incoming;
	mutex_unlock(&c->lock);
	while (c->queue != NULL) {
		job = c->queue;
		c->queue = job->next;
		finish(job, why);
	}
}

const char *rpc_client_loop_reason(const struct rpc_client *c)
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
		rpc_client_loop_reason(c));
	give_up(c, &why);
}

/* How long nothing may move as things are. */
static int64_t patience(const struct rpc_client *c)
{
	return c->was_up || c->opts.connect_ms == 0 ? c->opts.patience_ms : c->opts.connect_ms;
}

static void on_timer(void *arg)
{
	struct rpc_client *c = arg;
	int64_t now = rpc_loop_now_ms(c->loop);
	struct err why = {0};

	if (c->close_at != 0 && now >= c->close_at) {
		err_set(&why, ERR_CANCELLED, "%s: closed before it answered", c->name);
		give_up(c, &why);
	} else if ((c->queue != NULL || c->flying > 0) && now >= c->progress_ms + patience(c)) {
		give_up_waiting(c, patience(c));
	}
	kick(c);
}

/* The timer is always on, so that the loop does not end by itself. */
static void arm(struct rpc_client *c)
{
	int64_t now = rpc_loop_now_ms(c->loop), at = now + LONG_MS;

	if (c->queue != NULL || c->flying > 0)
		at = c->progress_ms + patience(c);
	if (c->close_at != 0 && c->close_at < at)
		at = c->close_at;
	rpc_timer_start(&c->timer, c->loop, at > now ? at - now : 0, on_timer, c);
}

/* All that is due, after whatever has happened. */
static void step(void *arg)
{
	struct rpc_client *c = arg;
	struct rpc_client_job **end = &c->queue;
	struct err why = {0};
	bool idle = c->queue == NULL && c->flying == 0;

	if (atomic_load(&c->cancelled)) {
		err_set(&why, ERR_CANCELLED, "%s: cancelled", c->name);
		give_up(c, &why);
	}
	while (*end != NULL)
		end = &(*end)->next;
	mutex_lock(&c->lock);
	if (c->incoming != NULL) {
		*end = c->incoming;
		c->incoming = NULL;
		c->incoming_end = &c->incoming;
		if (idle)
			progress(c);
	}
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

static void on_wake(void *arg)
{
	kick(arg);
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
	c->greeting.due = c->greeting.params != NULL;
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
	assert(c->flying == 0);
	c->conn = NULL;
	rpc_timer_stop(&c->greeting.again);
	atomic_store(&c->up, false);
	mutex_lock(&c->lock);
	c->last = *why;
	if (c->last.code == ERR_NONE)
		err_set(&c->last, ERR_CLOSED, "it has ended the connection");
	mutex_unlock(&c->lock);
	/* Trying again would not change its mind. */
	if (why->code == ERR_DENIED || why->code == ERR_UNSUPPORTED) {
		err_prefix(&refused, "%s %s", rpc_role_name(c->opts.expect.role), c->name);
		give_up(c, &refused);
	}
	kick(c);
}

/* --- Life --- */

void rpc_client_loop_free(struct rpc_client *c)
{
	rpc_dial_free(c->dial);
	pool_free(c->pool);
	rpc_async_stop(&c->wake);
	rpc_async_stop(&c->pool_wake);
	rpc_loop_free(c->loop);
	rpc_tls_conf_unref(c->conf);
	free(c->greeting.params);
	pthread_cond_destroy(&c->room);
	pthread_cond_destroy(&c->over);
	mutex_fini(&c->lock);
	free(c);
}

void rpc_client_loop_leave(struct rpc_client *c)
{
	unsigned left;

	mutex_lock(&c->lock);
	left = --c->owners;
	pthread_cond_broadcast(&c->over);
	mutex_unlock(&c->lock);
	if (left == 0)
		rpc_client_loop_free(c);
}

int rpc_client_loop_init(struct rpc_client *c, struct err *err)
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
	rpc_async_start(&c->wake, c->loop, on_wake, c);
	rpc_async_start(&c->pool_wake, c->loop, on_pool, c);
	c->pool = pool_new(1, 4, rpc_async_send, &c->pool_wake, err);
	if (c->pool == NULL)
		return -1;
	dial.conf = c->conf;
	dial.pool = c->pool;
	c->dial = rpc_dial_new(c->loop, &dial, err);
	return c->dial != NULL ? 0 : -1;
}

void *rpc_client_loop_run(void *arg)
{
	struct rpc_client *c = arg;

	kick(c);
	rpc_loop_run(c->loop);
	rpc_soon_stop(&c->soon);
	rpc_timer_stop(&c->timer);
	rpc_timer_stop(&c->greeting.again);
	rpc_dial_free(c->dial);
	c->dial = NULL;
	pool_free(c->pool); /* waits for a look-up */
	c->pool = NULL;
	rpc_client_loop_leave(c);
	return NULL;
}
