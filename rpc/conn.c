/*
 * The connection machine. Every event (socket, timer, kick) goes the same way:
 * enter, do, settle, leave. `wanted` alone decides what the socket is watched
 * for, `deadline` alone when the timer fires, `destroy` alone frees.
 */
#include "rpc/inner.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Records read, and written, before other connections have their turn. */
#define TURN 32

/* An empty buffer larger than this is given back. */
#define KEEP 4096

const struct rpc_times rpc_times_default = {
	.handshake = 10 * 1000,
	.frame = 30 * 1000,
	.ping = 30 * 1000,
	.dead = 90 * 1000,
	.bye = 30 * 1000,
	.cancel = 60 * 1000,
};

static void on_io(void *arg, int events);
static void on_timer(void *arg);
static void on_soon(void *arg);

bool rpc_conn_alive(const struct rpc_conn *conn)
{
	return conn->state < RPC_FAILED;
}

size_t rpc_conn_behind(const struct rpc_conn *conn)
{
	return conn->out.len - conn->out_at;
}

void rpc_conn_kick(struct rpc_conn *conn)
{
	if (conn->state != RPC_FREED)
		rpc_soon_start(&conn->soon, conn->loop, on_soon, conn);
}

void rpc_conn_fail(struct rpc_conn *conn, const struct err *why)
{
	if (!rpc_conn_alive(conn))
		return;
	conn->state = RPC_FAILED;
	*conn->why = *why;
	rpc_conn_kick(conn);
}

void rpc_conn_failf(struct rpc_conn *conn, enum err_code code, const char *fmt, ...)
{
	struct err why = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.message, sizeof why.message, fmt, ap);
	va_end(ap);
	rpc_conn_fail(conn, &why);
}

void rpc_conn_send(struct rpc_conn *conn, const struct rpc_header *header, const void *payload)
{
	struct rpc_header h = *header;
	struct err err = {0};
	uint8_t *to;

	if (!rpc_conn_alive(conn))
		return;
	h.version = h.kind == RPC_HELLO || h.kind == RPC_BYE ? 1 : (uint8_t)conn->version;
	if (conn->out_at > 0 && conn->out.max - conn->out.len < RPC_HEADER_LEN + h.len) {
		buf_drop(&conn->out, conn->out_at);
		conn->out_at = 0;
	}
	if (rpc_conn_behind(conn) == 0)
		conn->wrote_ms = rpc_loop_now_ms(conn->loop);
	to = buf_room(&conn->out, RPC_HEADER_LEN + h.len, &err);
	if (to == NULL) {
		err_prefix(&err, "the peer does not read");
		rpc_conn_fail(conn, &err);
		return;
	}
	rpc_header_put(to, &h);
	if (h.len > 0)
		memcpy(to + RPC_HEADER_LEN, payload, h.len);
	buf_took(&conn->out, RPC_HEADER_LEN + h.len);
	rpc_conn_kick(conn);
}

/* No request is open, and the peer will make none. */
static bool is_quiet(const struct rpc_conn *conn)
{
	return conn->bye_said && conn->peer_bye && conn->mine.count == 0 &&
	       conn->theirs.count == 0 && rpc_conn_behind(conn) == 0;
}

/* --- What to wait for --- */

static int wanted(const struct rpc_conn *conn)
{
	int events = RPC_READ;

	if (!rpc_conn_alive(conn))
		return 0;
	if (conn->state == RPC_SHAKING)
		return conn->tls != NULL ? rpc_tls_wants(conn->tls) : RPC_READ;
	if (conn->stuck || conn->read_wants_write || rpc_conn_behind(conn) > 0)
		events |= RPC_WRITE;
	return events;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When something has to be done if nothing happens. */
static int64_t deadline(const struct rpc_conn *conn)
{
	const struct rpc_times *t = conn->times;
	int64_t at;

	if (conn->state < RPC_UP)
		return conn->start_ms + t->handshake;
	at = conn->heard_ms + (conn->ping_out ? t->dead : earlier(t->ping, t->dead));
	if (conn->in.len > 0 || conn->skip > 0)
		at = earlier(at, conn->frame_ms + t->frame);
	if (rpc_conn_behind(conn) > 0 || conn->stuck)
		at = earlier(at, conn->wrote_ms + t->dead);
	if (conn->closing)
		at = earlier(at, conn->bye_ms + t->bye);
	return at;
}

/* Deadlines mostly move away; the timer is only set when one came nearer. */
static void arm(struct rpc_conn *conn)
{
	int64_t at = deadline(conn);

	if (rpc_timer_on(&conn->timer) && at >= conn->timer_at)
		return;
	conn->timer_at = at;
	rpc_timer_start(&conn->timer, conn->loop,
		at > rpc_loop_now_ms(conn->loop) ? at - rpc_loop_now_ms(conn->loop) : 0, on_timer,
		conn);
}

/* --- Writing --- */

/* Returns false if nothing more can be written now. */
static bool write_record(struct rpc_conn *conn)
{
	struct err err = {0};
	size_t n = 0;
	int status;

	if (rpc_conn_behind(conn) < 16384 && conn->state == RPC_UP)
		rpc_call_refill(conn);
	if (rpc_conn_behind(conn) == 0 || !rpc_conn_alive(conn))
		return false;
	status = rpc_tls_write(
		conn->tls, conn->out.data + conn->out_at, rpc_conn_behind(conn), &n, &err);
	conn->stuck = status == 1;
	if (status < 0)
		rpc_conn_fail(conn, &err);
	if (status != 0)
		return false;
	conn->wrote_ms = rpc_loop_now_ms(conn->loop);
	conn->out_at += n;
	if (rpc_conn_behind(conn) == 0) {
		buf_clear(&conn->out);
		conn->out_at = 0;
	}
	return true;
}

static void say_close_notify(struct rpc_conn *conn)
{
	struct err err = {0};
	int status = rpc_tls_bye(conn->tls, &err);

	conn->stuck = status == 1;
	conn->wrote_ms = rpc_loop_now_ms(conn->loop);
	conn->notify_said = status == 0;
	if (status < 0)
		rpc_conn_fail(conn, &err);
}

static void write_some(struct rpc_conn *conn)
{
	int turn;

	if (conn->state != RPC_HELLOING && conn->state != RPC_UP)
		return;
	for (turn = 0; turn < TURN && write_record(conn); turn++)
		;
	if (conn->refused_busy && rpc_conn_alive(conn) && rpc_conn_behind(conn) < RPC_OUT_LOW &&
		conn->mine.count < RPC_CALLS_MAX && conn->mine.blobs < RPC_BLOBS_MAX) {
		conn->refused_busy = false;
		if (conn->ops->room != NULL)
			conn->ops->room(conn->arg);
	}
	if (rpc_conn_alive(conn) && is_quiet(conn) && !conn->notify_said)
		say_close_notify(conn);
}

/* --- Reading --- */

static void say_bye(struct rpc_conn *conn)
{
	struct rpc_header bye = {.kind = RPC_BYE};

	if (conn->bye_said || conn->state != RPC_UP)
		return;
	conn->bye_said = true;
	rpc_conn_send(conn, &bye, NULL);
}

static void start_closing(struct rpc_conn *conn)
{
	if (!conn->closing) {
		conn->closing = true;
		conn->bye_ms = rpc_loop_now_ms(conn->loop);
	}
	say_bye(conn);
}

static void on_hello(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	const struct rpc_hello ours = {RPC_VERSION_MIN, RPC_VERSION, 0, conn->credit};
	struct rpc_hello theirs;
	struct err err = {0};

	if (rpc_hello_get(&theirs, payload, h->len, &err) != 0) {
		rpc_conn_fail(conn, &err);
		return;
	}
	conn->peer_credit = theirs.credit;
	conn->version = rpc_hello_agree(&ours, &theirs);
	if (conn->version == 0) {
		rpc_conn_failf(conn, ERR_UNSUPPORTED,
			"no common version of the protocol: it speaks %u to %u, this is %d to %d",
			theirs.version_min, theirs.version_max, RPC_VERSION_MIN, RPC_VERSION);
		return;
	}
	conn->state = RPC_UP;
	if (conn->closing)
		say_bye(conn);
	else if (conn->ops->up != NULL)
		conn->ops->up(conn->arg);
}

static void on_bye(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	struct err err = {0};

	if (h->flags & RPC_ERROR) {
		rpc_status_get(&err, payload, h->len, &err);
		err_prefix(&err, "the peer ended the connection");
		rpc_conn_fail(conn, &err);
		return;
	}
	if (conn->peer_bye)
		rpc_conn_failf(conn, ERR_FORMAT, "a second BYE");
	conn->peer_bye = true;
	start_closing(conn);
}

static void on_ping(struct rpc_conn *conn, const struct rpc_header *h)
{
	struct rpc_header pong = {.kind = RPC_PONG, .flags = RPC_RESPONSE, .id = h->id};

	if (h->kind == RPC_PING)
		rpc_conn_send(conn, &pong, NULL);
	else if (!conn->ping_out || h->id != conn->ping_id)
		rpc_conn_failf(conn, ERR_FORMAT, "PONG without a PING");
	else
		conn->ping_out = false;
}

static void on_frame(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	switch (h->kind) {
	case RPC_HELLO:
		on_hello(conn, h, payload);
		break;
	case RPC_BYE:
		on_bye(conn, h, payload);
		break;
	case RPC_PING:
	case RPC_PONG:
		on_ping(conn, h);
		break;
	default:
		rpc_call_frame(conn, h, payload, NULL, NULL);
	}
}

/* A header is checked as soon as it is there. Returns 0 if its payload is
 * wanted, 1 if it is to be passed by, -1 if the connection has failed. */
static int on_header(struct rpc_conn *conn, struct rpc_header *h, const uint8_t *from)
{
	const struct rpc_method *found;
	struct err err = {0};

	if (rpc_header_get(h, from, conn->version, &err) != 0) {
		rpc_conn_fail(conn, &err);
		return -1;
	}
	if ((conn->state == RPC_HELLOING) != (h->kind == RPC_HELLO) &&
		!(h->kind == RPC_BYE && (h->flags & RPC_ERROR))) {
		rpc_conn_failf(conn, ERR_FORMAT, "frame of kind %u: out of order", h->kind);
		return -1;
	}
	if (h->kind != RPC_REQUEST && h->kind != RPC_NOTIFY)
		return 0;
	if (!rpc_tls_peer_valid(conn->tls)) {
		rpc_conn_failf(conn, ERR_DENIED,
			"the peer's certificate has expired, or its host is denied");
		return -1;
	}
	if (rpc_dispatch_check(conn->service, rpc_tls_peer(conn->tls), h, &found, &err) != NULL)
		return 0;
	rpc_call_frame(conn, h, NULL, found, &err);
	conn->skip = h->len;
	return 1;
}

/* Takes what is needed, up to want bytes of a frame, into conn->in. Returns
 * how many bytes it took, 0 on failure. */
static size_t gather(struct rpc_conn *conn, const uint8_t *bytes, size_t len, size_t want)
{
	struct err err = {0};
	size_t n = want - conn->in.len < len ? want - conn->in.len : len;

	if (buf_add(&conn->in, bytes, n, &err) != 0) {
		rpc_conn_fail(conn, &err);
		return 0;
	}
	return n;
}

/* The header is in conn->in for the first time: what is refused, or has no
 * payload, ends here. */
static void on_gathered_header(struct rpc_conn *conn)
{
	struct rpc_header h;
	int status = on_header(conn, &h, conn->in.data);

	if (status == 0 && h.len > 0)
		return;
	if (status == 0)
		on_frame(conn, &h, NULL);
	buf_clear(&conn->in);
}

/* A frame that comes in parts: first its header, then its payload. */
static size_t feed_part(struct rpc_conn *conn, const uint8_t *bytes, size_t len)
{
	struct rpc_header h = {0};
	size_t n;

	if (conn->in.len < RPC_HEADER_LEN) {
		n = gather(conn, bytes, len, RPC_HEADER_LEN);
		if (conn->in.len == RPC_HEADER_LEN)
			on_gathered_header(conn);
		return n;
	}
	rpc_header_get(&h, conn->in.data, conn->version, NULL); /* it was good before */
	n = gather(conn, bytes, len, RPC_HEADER_LEN + h.len);
	if (conn->in.len == RPC_HEADER_LEN + h.len) {
		on_frame(conn, &h, conn->in.data + RPC_HEADER_LEN);
		buf_clear(&conn->in);
	}
	return n;
}

/* One step through the bytes: passes by, gathers, or takes a frame. Returns
 * how many bytes were used; 0 only if the connection has failed. */
static size_t feed_step(struct rpc_conn *conn, const uint8_t *bytes, size_t len)
{
	struct rpc_header h;
	size_t n;
	int status;

	if (conn->skip > 0) {
		n = conn->skip < len ? conn->skip : len;
		conn->skip -= n;
		return n;
	}
	if (conn->in.len > 0 || len < RPC_HEADER_LEN)
		return feed_part(conn, bytes, len);
	status = on_header(conn, &h, bytes);
	if (status != 0)
		return status < 0 ? 0 : RPC_HEADER_LEN;
	n = RPC_HEADER_LEN + h.len;
	if (len < n)
		return gather(conn, bytes, len, n);
	on_frame(conn, &h, bytes + RPC_HEADER_LEN);
	return n;
}

static void feed(struct rpc_conn *conn, const uint8_t *bytes, size_t len)
{
	bool whole = conn->in.len == 0 && conn->skip == 0;
	size_t n;

	conn->heard_ms = rpc_loop_now_ms(conn->loop);
	while (len > 0 && rpc_conn_alive(conn)) {
		n = feed_step(conn, bytes, len);
		bytes += n;
		len -= n;
		if (conn->in.len == 0 && conn->skip == 0)
			whole = true;
	}
	/* A frame began in these bytes and has not ended in them. */
	if (whole)
		conn->frame_ms = conn->heard_ms;
}

static void on_end(struct rpc_conn *conn)
{
	struct err none = {0};

	if (conn->bye_said && conn->peer_bye && conn->mine.count == 0 && conn->theirs.count == 0 &&
		conn->in.len == 0 && conn->skip == 0) {
		if (!conn->notify_said)
			say_close_notify(conn);
		rpc_conn_fail(conn, &none);
	} else {
		rpc_conn_failf(conn, ERR_CLOSED, "the peer ended the connection in the middle");
	}
}

static void read_some(struct rpc_conn *conn)
{
	uint8_t *scratch = rpc_loop_scratch(conn->loop);
	int turn;

	conn->read_wants_write = false;
	for (turn = 0; turn < TURN && rpc_conn_alive(conn); turn++) {
		struct err err = {0};
		size_t len = 0;
		int status = rpc_tls_read(conn->tls, scratch, RPC_SCRATCH_LEN, &len, &err);

		if (status == 0) {
			feed(conn, scratch, len);
			continue;
		}
		if (status == 1)
			conn->read_wants_write = rpc_tls_wants(conn->tls) == RPC_WRITE;
		else if (status == 2)
			on_end(conn);
		else
			rpc_conn_fail(conn, &err);
		return;
	}
}

/* --- Events --- */

static void say_hello(struct rpc_conn *conn)
{
	const struct rpc_hello hello = {RPC_VERSION_MIN, RPC_VERSION, 0, conn->credit};
	struct rpc_header h = {.kind = RPC_HELLO};
	uint8_t payload[RPC_HELLO_MAX];

	h.len = (uint32_t)rpc_hello_put(payload, &hello);
	rpc_conn_send(conn, &h, payload);
}

/* The session is made when the first byte is there: a silent peer costs no
 * TLS memory. */
static void shake(struct rpc_conn *conn)
{
	struct err err = {0};
	int status = 0;

	if (conn->tls == NULL) {
		conn->tls = rpc_tls_new(conn->conf, conn->fd,
			conn->expect.name != NULL ? &conn->expect : NULL, &err);
		status = conn->tls == NULL ? -1 : 0;
	}
	if (status == 0)
		status = rpc_tls_handshake(conn->tls, &err);
	if (status < 0)
		rpc_conn_fail(conn, &err);
	if (status != 0)
		return;
	conn->state = RPC_HELLOING;
	conn->shaken = true;
	conn->peer = *rpc_tls_peer(conn->tls);
	conn->heard_ms = conn->wrote_ms = rpc_loop_now_ms(conn->loop);
	say_hello(conn);
}

static void on_io(void *arg, int events)
{
	struct rpc_conn *conn = arg;

	/* Handshakes queue, in the order in which they came. */
	if (conn->state == RPC_SHAKING) {
		conn->shake_due = true;
		rpc_conn_kick(conn);
		return;
	}
	conn->busy++;
	if ((conn->state == RPC_HELLOING || conn->state == RPC_UP) &&
		((events & RPC_READ) || conn->read_wants_write))
		read_some(conn);
	write_some(conn);
	rpc_conn_leave(conn);
}

static void on_soon(void *arg)
{
	struct rpc_conn *conn = arg;

	if (conn->state == RPC_SHAKING && conn->shake_due && !rpc_loop_may(conn->loop)) {
		rpc_conn_kick(conn);
		return;
	}
	conn->busy++;
	if (conn->state == RPC_SHAKING && conn->shake_due) {
		conn->shake_due = false;
		shake(conn);
	}
	write_some(conn);
	rpc_conn_leave(conn);
}

static void ping(struct rpc_conn *conn)
{
	struct rpc_header h = {.kind = RPC_PING, .id = ++conn->ping_id};

	conn->ping_out = true;
	rpc_conn_send(conn, &h, NULL);
}

static void on_timer(void *arg)
{
	struct rpc_conn *conn = arg;
	const struct rpc_times *t = conn->times;
	int64_t now = rpc_loop_now_ms(conn->loop);

	conn->busy++;
	if (now < deadline(conn))
		; /* it has moved */
	else if (conn->state < RPC_UP)
		rpc_conn_failf(
			conn, ERR_TIMEOUT, "no handshake within %lld ms", (long long)t->handshake);
	else if (conn->closing && now >= conn->bye_ms + t->bye)
		rpc_conn_failf(
			conn, ERR_TIMEOUT, "not shut down within %lld ms", (long long)t->bye);
	else if ((conn->in.len > 0 || conn->skip > 0) && now >= conn->frame_ms + t->frame)
		rpc_conn_failf(
			conn, ERR_TIMEOUT, "a frame took longer than %lld ms", (long long)t->frame);
	else if (now >= conn->heard_ms + t->dead)
		rpc_conn_failf(conn, ERR_TIMEOUT, "the peer has been silent for %lld ms",
			(long long)t->dead);
	else if ((rpc_conn_behind(conn) > 0 || conn->stuck) && now >= conn->wrote_ms + t->dead)
		rpc_conn_failf(conn, ERR_TIMEOUT, "the peer has read nothing for %lld ms",
			(long long)t->dead);
	else if (!conn->ping_out)
		ping(conn);
	write_some(conn);
	rpc_conn_leave(conn);
}

/* --- Ending --- */

static void destroy(struct rpc_conn *conn)
{
	rpc_call_bury(conn);
	rpc_fd_stop(&conn->io);
	rpc_timer_stop(&conn->timer);
	rpc_soon_stop(&conn->soon);
	rpc_tls_free(conn->tls);
	rpc_tls_conf_unref(conn->conf);
	if (conn->fd >= 0)
		close(conn->fd);
	buf_fini(&conn->in);
	buf_fini(&conn->out);
	free(conn->mine.chains);
	free(conn->theirs.chains);
	free(conn->why);
	free(conn);
}

/* Tells the peer why, as far as it can be told without waiting. */
static void last_words(struct rpc_conn *conn)
{
	struct rpc_header h = {.version = 1, .kind = RPC_BYE, .flags = RPC_ERROR};
	uint8_t frame[RPC_HEADER_LEN + RPC_STATUS_MAX];
	size_t n;

	if (!conn->shaken || conn->why->code == ERR_NONE || conn->why->code == ERR_CLOSED ||
		conn->why->code == ERR_DAMAGE)
		return;
	h.len = (uint32_t)rpc_status_put(frame + RPC_HEADER_LEN, conn->why);
	rpc_header_put(frame, &h);
	while (rpc_conn_behind(conn) > 0) {
		if (rpc_tls_write(conn->tls, conn->out.data + conn->out_at, rpc_conn_behind(conn),
			    &n, NULL) != 0)
			return;
		conn->out_at += n;
	}
	rpc_tls_write(conn->tls, frame, RPC_HEADER_LEN + h.len, &n, NULL);
}

static void end(struct rpc_conn *conn)
{
	struct err cut = *conn->why;

	last_words(conn);
	rpc_fd_stop(&conn->io);
	rpc_timer_stop(&conn->timer);
	rpc_tls_free(conn->tls);
	conn->tls = NULL;
	close(conn->fd);
	conn->fd = -1;
	if (cut.code == ERR_NONE)
		err_set(&cut, ERR_CLOSED, "the connection was closed");
	rpc_call_end_all(conn, &cut);
	if (conn->state == RPC_FREED)
		return;
	conn->state = RPC_CLOSED;
	if (conn->ops->closed != NULL)
		conn->ops->closed(conn->arg, conn->why);
}

/* The end of every event: runs what callbacks are due, decides what to wait
 * for, frees what can be. */
void rpc_conn_leave(struct rpc_conn *conn)
{
	if (conn->busy == 1) {
		rpc_call_settle(conn);
		if (conn->state == RPC_FAILED)
			end(conn);
		rpc_call_bury(conn);
	}
	conn->busy--;
	if (conn->state == RPC_FREED) {
		if (conn->busy == 0)
			destroy(conn);
		return;
	}
	if (!rpc_conn_alive(conn))
		return;
	if (conn->in.len == 0 && conn->in.cap > KEEP)
		buf_fini(&conn->in);
	if (conn->out.len == 0 && conn->out.cap > KEEP)
		buf_fini(&conn->out);
	rpc_fd_want(&conn->io, conn->loop, conn->fd, wanted(conn), on_io, conn);
	arm(conn);
}

/* --- For the user --- */

struct rpc_conn *rpc_conn_new(
	struct rpc_loop *loop, int fd, const struct rpc_conn_opts *opts, struct err *err)
{
	struct rpc_conn *conn = calloc(1, sizeof *conn);

	if (conn != NULL)
		conn->why = calloc(1, sizeof *conn->why);
	if (conn == NULL || conn->why == NULL) {
		free(conn);
		err_set(err, ERR_NOMEM, "connection: out of memory");
		return NULL;
	}
	conn->loop = loop;
	conn->conf = rpc_tls_conf_ref(opts->conf);
	conn->service = opts->service;
	conn->times = opts->times != NULL ? opts->times : &rpc_times_default;
	conn->ops = opts->ops;
	conn->arg = opts->arg;
	conn->credit = opts->credit != 0 ? opts->credit : RPC_WINDOW;
	if (opts->credit == RPC_CREDIT_NONE)
		conn->credit = 0;
	assert(conn->credit <= RPC_WINDOW_MAX);
	conn->fd = fd;
	conn->next_id = conn->their_next = 1;
	conn->send_last = &conn->send_first;
	conn->start_ms = rpc_loop_now_ms(loop);
	snprintf(conn->address, sizeof conn->address, "%s", opts->address);
	if (opts->expect != NULL) {
		snprintf(conn->expect_name, sizeof conn->expect_name, "%s", opts->expect->name);
		conn->expect.role = opts->expect->role;
		conn->expect.name = conn->expect_name;
		conn->shake_due = true;
		rpc_conn_kick(conn);
	}
	buf_init(&conn->in, RPC_HEADER_LEN + RPC_PAYLOAD_MAX);
	buf_init(&conn->out, RPC_OUT_MAX);
	rpc_fd_want(&conn->io, loop, fd, wanted(conn), on_io, conn);
	arm(conn);
	return conn;
}

void rpc_conn_shutdown(struct rpc_conn *conn)
{
	if (rpc_conn_alive(conn)) {
		start_closing(conn);
		rpc_conn_kick(conn);
	}
}

void rpc_conn_free(struct rpc_conn *conn)
{
	struct err why = {0};

	if (conn == NULL || conn->state == RPC_FREED)
		return;
	conn->busy++;
	conn->state = RPC_FREED;
	err_set(&why, ERR_CLOSED, "the connection was closed");
	rpc_call_end_all(conn, &why);
	conn->busy--;
	if (conn->busy == 0)
		destroy(conn);
}

const struct rpc_identity *rpc_conn_peer(const struct rpc_conn *conn)
{
	return &conn->peer;
}

const char *rpc_conn_address(const struct rpc_conn *conn)
{
	return conn->address;
}

bool rpc_conn_is_up(const struct rpc_conn *conn)
{
	return conn->state == RPC_UP && !conn->closing;
}

bool rpc_conn_is_lost(const struct rpc_conn *conn)
{
	return !rpc_conn_alive(conn);
}

void rpc_conn_recheck(struct rpc_conn *conn)
{
	if (conn->state == RPC_UP && !rpc_tls_peer_valid(conn->tls))
		rpc_conn_failf(conn, ERR_DENIED,
			"the peer's certificate has expired, or its host is denied");
}
