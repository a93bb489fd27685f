/*
 * Every event (socket, timer, kick) is handled in the same way: enter, work,
 * leave, which settles. Only `wanted` decides which socket events to watch,
 * only `next_due` when the timer fires, only `destroy` frees.
 */
#include "rpc/link.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/mem.h"

/* Records read, and written, before other connections get a turn. */
#define TURN 32

/* An empty buffer larger than this is freed. */
#define KEEP 4096

const struct rpc_times rpc_times_default = {
	.handshake = 10 * 1000,
	.frame = 30 * 1000,
	.ping = 30 * 1000,
	.dead = 90 * 1000,
	.bye = 30 * 1000,
	.cancel = 60 * 1000,
	.redial = 30 * 1000,
};

static void on_io(void *arg, int events);
static void on_timer(void *arg);
static void on_soon(void *arg);

bool rpc_link_alive(const struct rpc_link *link)
{
	return link->state < RPC_FAILED;
}

size_t rpc_link_behind(const struct rpc_link *link)
{
	assert(link->out_at <= link->out.len);
	return link->out.len - link->out_at;
}

void rpc_link_kick(struct rpc_link *link)
{
	if (link->state != RPC_FREED)
		rpc_soon_start(&link->soon, link->loop, on_soon, link);
}

void rpc_link_fail(struct rpc_link *link, const struct err *why)
{
	if (!rpc_link_alive(link))
		return;
	link->state = RPC_FAILED;
	*link->why = *why;
	rpc_link_kick(link);
}

void rpc_link_failf(struct rpc_link *link, enum err_code code, const char *fmt, ...)
{
	struct err why = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.message, sizeof why.message, fmt, ap);
	va_end(ap);
	rpc_link_fail(link, &why);
}

void rpc_link_send(struct rpc_link *link, const struct rpc_header *header, const void *payload)
{
	struct rpc_header h = *header;
	struct err err = {0};
	uint8_t *to;

	assert(h.len <= RPC_PAYLOAD_MAX && (h.len == 0 || payload != NULL));
	if (!rpc_link_alive(link))
		return;
	h.version = h.kind == RPC_HELLO || h.kind == RPC_BYE ? 1 : (uint8_t)link->version;
	if (link->out_at > 0 && link->out.max - link->out.len < RPC_HEADER_LEN + h.len) {
		buf_drop(&link->out, link->out_at);
		link->out_at = 0;
	}
	if (rpc_link_behind(link) == 0)
		link->wrote_ms = rpc_loop_now_ms(link->loop);
	to = buf_room(&link->out, RPC_HEADER_LEN + h.len, &err);
	if (to == NULL) {
		err_prefix(&err, "the peer does not read");
		rpc_link_fail(link, &err);
		return;
	}
	rpc_header_put(to, &h);
	if (h.len > 0)
		memcpy(to + RPC_HEADER_LEN, payload, h.len);
	buf_took(&link->out, RPC_HEADER_LEN + h.len);
	rpc_link_kick(link);
}

/* No request is open, and the peer will start none. */
static bool is_quiet(const struct rpc_link *link)
{
	return link->bye_said && link->peer_bye && !link->ops->has_calls(link->arg) &&
	       rpc_link_behind(link) == 0;
}

/* --- What to wait for --- */

static int wanted(const struct rpc_link *link)
{
	int events = RPC_READ;

	if (!rpc_link_alive(link))
		return 0;
	if (link->state == RPC_SHAKING)
		return link->tls != NULL ? rpc_tls_wants(link->tls) : RPC_READ;
	if (link->stuck || link->read_wants_write || rpc_link_behind(link) > 0)
		events |= RPC_WRITE;
	return events;
}

/* The next deadline: if nothing happens until then, the link fails with this
 * text, or, if there is none, PING is sent. */
struct due {
	int64_t at, ms;
	const char *text;
};

static void add_deadline(struct due *due, int64_t since, int64_t ms, const char *text)
{
	if (since + ms < due->at)
		*due = (struct due){since + ms, ms, text};
}

static struct due next_due(const struct rpc_link *link)
{
	const struct rpc_times *t = link->times;
	struct due due = {.at = INT64_MAX};

	if (link->state < RPC_UP) {
		add_deadline(&due, link->start_ms, t->handshake, "no handshake within");
		return due;
	}
	add_deadline(&due, link->heard_ms, t->dead, "the peer has been silent for");
	if (link->closing)
		add_deadline(&due, link->bye_ms, t->bye, "not shut down within");
	if (link->in.len > 0 || link->skip > 0)
		add_deadline(&due, link->frame_ms, t->frame, "a frame took longer than");
	if (rpc_link_behind(link) > 0 || link->stuck)
		add_deadline(&due, link->wrote_ms, t->dead, "the peer has read nothing for");
	if (!link->ping_out)
		add_deadline(&due, link->heard_ms, t->ping, NULL);
	return due;
}

/* Deadlines mostly move later, so the timer is set only if one came nearer. */
static void arm(struct rpc_link *link)
{
	int64_t at = next_due(link).at;

	if (rpc_timer_on(&link->timer) && at >= link->timer_at)
		return;
	link->timer_at = at;
	rpc_timer_start(&link->timer, link->loop,
		at > rpc_loop_now_ms(link->loop) ? at - rpc_loop_now_ms(link->loop) : 0, on_timer,
		link);
}

/* --- Writing --- */

/* Returns false if nothing more can be written now. */
static bool write_record(struct rpc_link *link)
{
	struct err err = {0};
	bool waited = link->stuck;
	size_t n = 0;
	int status;

	if (rpc_link_behind(link) < 16384 && link->state == RPC_UP)
		link->ops->refill(link->arg);
	if (rpc_link_behind(link) == 0 || !rpc_link_alive(link))
		return false;
	status = rpc_tls_write(
		link->tls, link->out.data + link->out_at, rpc_link_behind(link), &n, &err);
	link->stuck = status == 1;
	if (status < 0)
		rpc_link_fail(link, &err);
	if (status != 0)
		return false;
	link->wrote_ms = rpc_loop_now_ms(link->loop);
	if (waited) /* there is room, so the peer's system has taken something */
		link->heard_ms = link->wrote_ms;
	link->out_at += n;
	assert(link->out_at <= link->out.len);
	if (rpc_link_behind(link) == 0) {
		buf_clear(&link->out);
		link->out_at = 0;
	}
	return true;
}

static void say_close_notify(struct rpc_link *link)
{
	struct err err = {0};
	int status = rpc_tls_bye(link->tls, &err);

	link->stuck = status == 1;
	link->wrote_ms = rpc_loop_now_ms(link->loop);
	link->notify_said = status == 0;
	if (status < 0)
		rpc_link_fail(link, &err);
}

static void write_some(struct rpc_link *link)
{
	int turn;

	if (link->state != RPC_HELLOING && link->state != RPC_UP)
		return;
	for (turn = 0; turn < TURN && write_record(link); turn++)
		;
	link->ops->written(link->arg);
	if (rpc_link_alive(link) && is_quiet(link) && !link->notify_said)
		say_close_notify(link);
}

/* --- Reading --- */

/* Sends BYE as soon as the link is up. */
static void start_closing(struct rpc_link *link)
{
	const struct rpc_header bye = {.kind = RPC_BYE};

	if (!link->closing) {
		link->closing = true;
		link->bye_ms = rpc_loop_now_ms(link->loop);
	}
	if (!link->bye_said && link->state == RPC_UP) {
		link->bye_said = true;
		rpc_link_send(link, &bye, NULL);
	}
}

static void on_hello(struct rpc_link *link, const struct rpc_header *h, const uint8_t *payload)
{
	const struct rpc_hello ours = {RPC_VERSION_MIN, RPC_VERSION, 0, link->credit};
	struct rpc_hello theirs;
	struct err err = {0};

	if (rpc_hello_get(&theirs, payload, h->len, &err) != 0) {
		rpc_link_fail(link, &err);
		return;
	}
	link->peer_credit = theirs.credit;
	link->version = rpc_hello_agree(&ours, &theirs);
	if (link->version == 0) {
		rpc_link_failf(link, ERR_UNSUPPORTED,
			"no common version of the protocol: it speaks %u to %u, this is %d to %d",
			theirs.version_min, theirs.version_max, RPC_VERSION_MIN, RPC_VERSION);
		return;
	}
	link->state = RPC_UP;
	if (link->closing)
		start_closing(link);
	else
		link->ops->up(link->arg);
}

static void on_bye(struct rpc_link *link, const struct rpc_header *h, const uint8_t *payload)
{
	struct err err = {0};

	if (h->flags & RPC_ERROR) {
		rpc_status_get(&err, payload, h->len, &err);
		err_prefix(&err, "the peer ended the connection");
		rpc_link_fail(link, &err);
		return;
	}
	if (link->peer_bye)
		rpc_link_failf(link, ERR_FORMAT, "a second BYE");
	link->peer_bye = true;
	start_closing(link);
}

static void on_ping(struct rpc_link *link, const struct rpc_header *h)
{
	struct rpc_header pong = {.kind = RPC_PONG, .flags = RPC_RESPONSE, .id = h->id};

	if (h->kind == RPC_PING)
		rpc_link_send(link, &pong, NULL);
	else if (!link->ping_out || h->id != link->ping_id)
		rpc_link_failf(link, ERR_FORMAT, "PONG without a PING");
	else
		link->ping_out = false;
}

static void on_frame(struct rpc_link *link, const struct rpc_header *h, const uint8_t *payload)
{
	switch (h->kind) {
	case RPC_HELLO:
		on_hello(link, h, payload);
		break;
	case RPC_BYE:
		on_bye(link, h, payload);
		break;
	case RPC_PING:
	case RPC_PONG:
		on_ping(link, h);
		break;
	default:
		link->ops->frame(link->arg, h, payload);
	}
}

/* Checks a header as soon as it has come. Returns 0 if its payload is wanted, 1
 * if it must be skipped, -1 if the connection has failed. */
static int on_header(struct rpc_link *link, struct rpc_header *h, const uint8_t *from)
{
	struct err err = {0};
	int ret;

	if (rpc_header_get(h, from, link->version, &err) != 0) {
		rpc_link_fail(link, &err);
		return -1;
	}
	if ((link->state == RPC_HELLOING) != (h->kind == RPC_HELLO) &&
		!(h->kind == RPC_BYE && (h->flags & RPC_ERROR))) {
		rpc_link_failf(link, ERR_FORMAT, "frame of kind %u: out of order", h->kind);
		return -1;
	}
	if (h->kind == RPC_HELLO || h->kind == RPC_BYE || h->kind == RPC_PING ||
		h->kind == RPC_PONG)
		return 0;
	ret = link->ops->header(link->arg, h);
	if (!rpc_link_alive(link))
		return -1;
	if (ret != 0)
		link->skip = h->len;
	return ret;
}

/* Moves bytes into link->in until it holds `want` bytes of a frame. Returns how
 * many it moved, 0 on failure. */
static size_t gather(struct rpc_link *link, const uint8_t *bytes, size_t len, size_t want)
{
	struct err err = {0};
	size_t n;

	assert(link->in.len < want && want <= RPC_HEADER_LEN + RPC_PAYLOAD_MAX);
	n = want - link->in.len < len ? want - link->in.len : len;

	if (buf_add(&link->in, bytes, n, &err) != 0) {
		rpc_link_fail(link, &err);
		return 0;
	}
	return n;
}

/* Handles a frame that comes in parts: first its header, then its payload. */
static size_t feed_part(struct rpc_link *link, const uint8_t *bytes, size_t len)
{
	struct rpc_header h = {0};
	size_t n;
	int status;

	if (link->in.len < RPC_HEADER_LEN) {
		n = gather(link, bytes, len, RPC_HEADER_LEN);
		if (link->in.len < RPC_HEADER_LEN)
			return n;
		/* A frame that is refused, or has no payload, ends here. */
		status = on_header(link, &h, link->in.data);
		if (status == 0 && h.len == 0)
			on_frame(link, &h, NULL);
		if (status != 0 || h.len == 0)
			buf_clear(&link->in);
		return n;
	}
	rpc_header_get(&h, link->in.data, link->version, NULL); /* it was valid before */
	n = gather(link, bytes, len, RPC_HEADER_LEN + h.len);
	if (link->in.len == RPC_HEADER_LEN + h.len) {
		on_frame(link, &h, link->in.data + RPC_HEADER_LEN);
		buf_clear(&link->in);
	}
	return n;
}

/* One step through the bytes: skips, gathers, or handles a frame. Returns how
 * many bytes were used; 0 only if the connection has failed. */
static size_t feed_step(struct rpc_link *link, const uint8_t *bytes, size_t len)
{
	struct rpc_header h;
	size_t n;
	int status;

	if (link->skip > 0) {
		n = link->skip < len ? link->skip : len;
		link->skip -= n;
		return n;
	}
	if (link->in.len > 0 || len < RPC_HEADER_LEN)
		return feed_part(link, bytes, len);
	status = on_header(link, &h, bytes);
	if (status != 0)
		return status < 0 ? 0 : RPC_HEADER_LEN;
	n = RPC_HEADER_LEN + h.len;
	if (len < n)
		return gather(link, bytes, len, n);
	on_frame(link, &h, bytes + RPC_HEADER_LEN);
	return n;
}

static void feed(struct rpc_link *link, const uint8_t *bytes, size_t len)
{
	bool whole = link->in.len == 0 && link->skip == 0;
	size_t n;

	link->heard_ms = rpc_loop_now_ms(link->loop);
	while (len > 0 && rpc_link_alive(link)) {
		n = feed_step(link, bytes, len);
		assert(n <= len && (n > 0 || !rpc_link_alive(link)));
		bytes += n;
		len -= n;
		if (link->in.len == 0 && link->skip == 0)
			whole = true;
	}
	/* A frame began in these bytes and did not end in them. */
	if (whole)
		link->frame_ms = link->heard_ms;
}

static void on_end(struct rpc_link *link)
{
	struct err none = {0};

	if (link->bye_said && link->peer_bye && !link->ops->has_calls(link->arg) &&
		link->in.len == 0 && link->skip == 0) {
		if (!link->notify_said)
			say_close_notify(link);
		rpc_link_fail(link, &none);
	} else {
		rpc_link_failf(link, ERR_CLOSED, "the peer closed the connection unexpectedly");
	}
}

static void read_some(struct rpc_link *link)
{
	uint8_t *scratch = rpc_loop_scratch(link->loop);
	int turn;

	link->read_wants_write = false;
	for (turn = 0; turn < TURN && rpc_link_alive(link); turn++) {
		struct err err = {0};
		size_t len = 0;
		int status = rpc_tls_read(link->tls, scratch, RPC_SCRATCH_LEN, &len, &err);

		if (status == 0) {
			feed(link, scratch, len);
			continue;
		}
		if (status == 1)
			link->read_wants_write = rpc_tls_wants(link->tls) == RPC_WRITE;
		else if (status == 2)
			on_end(link);
		else
			rpc_link_fail(link, &err);
		return;
	}
}

/* --- Events --- */

static void say_hello(struct rpc_link *link)
{
	const struct rpc_hello hello = {RPC_VERSION_MIN, RPC_VERSION, 0, link->credit};
	struct rpc_header h = {.kind = RPC_HELLO};
	uint8_t payload[RPC_HELLO_MAX];

	h.len = (uint32_t)rpc_hello_put(payload, &hello);
	rpc_link_send(link, &h, payload);
}

/* The session is made when the first byte has come, so that a silent peer costs
 * no TLS memory. */
static void shake(struct rpc_link *link)
{
	struct err err = {0};
	int status = 0;

	if (link->tls == NULL) {
		link->tls = rpc_tls_new(link->conf, link->fd,
			link->expect.name != NULL ? &link->expect : NULL, &err);
		status = link->tls == NULL ? -1 : 0;
	}
	if (status == 0)
		status = rpc_tls_handshake(link->tls, &err);
	if (status < 0)
		rpc_link_fail(link, &err);
	if (status != 0)
		return;
	link->state = RPC_HELLOING;
	link->shaken = true;
	link->peer = *rpc_tls_peer(link->tls);
	link->heard_ms = link->wrote_ms = rpc_loop_now_ms(link->loop);
	say_hello(link);
}

static void on_io(void *arg, int events)
{
	struct rpc_link *link = arg;

	/* Handshakes are queued in the order in which they came. */
	if (link->state == RPC_SHAKING) {
		link->shake_due = true;
		rpc_link_kick(link);
		return;
	}
	rpc_link_enter(link);
	if ((link->state == RPC_HELLOING || link->state == RPC_UP) &&
		((events & RPC_READ) || link->read_wants_write))
		read_some(link);
	write_some(link);
	rpc_link_leave(link);
}

static void on_soon(void *arg)
{
	struct rpc_link *link = arg;

	if (link->state == RPC_SHAKING && link->shake_due && !rpc_loop_may(link->loop)) {
		rpc_link_kick(link);
		return;
	}
	rpc_link_enter(link);
	if (link->state == RPC_SHAKING && link->shake_due) {
		link->shake_due = false;
		shake(link);
	}
	write_some(link);
	rpc_link_leave(link);
}

static void on_timer(void *arg)
{
	struct rpc_link *link = arg;
	struct rpc_header ping = {.kind = RPC_PING};
	struct due due = next_due(link); /* the deadline may have moved later */
	int64_t now = rpc_loop_now_ms(link->loop);

	rpc_link_enter(link);
	if (now >= due.at && due.text != NULL) {
		rpc_link_failf(link, ERR_TIMEOUT, "%s %g s", due.text, (double)due.ms / 1000);
	} else if (now >= due.at) {
		link->ping_out = true;
		ping.id = ++link->ping_id;
		rpc_link_send(link, &ping, NULL);
	}
	write_some(link);
	rpc_link_leave(link);
}

/* --- Ending --- */

static void destroy(struct rpc_link *link)
{
	assert(link->busy == 0 && link->state == RPC_FREED);
	rpc_fd_stop(&link->io);
	rpc_timer_stop(&link->timer);
	rpc_soon_stop(&link->soon);
	rpc_tls_free(link->tls);
	rpc_tls_conf_unref(link->conf);
	if (link->fd >= 0)
		close(link->fd);
	buf_fini(&link->in);
	buf_fini(&link->out);
	free(link->why);
	link->ops->freed(link->arg);
}

/* Tells the peer the reason, as far as that can be written without waiting. */
static void last_words(struct rpc_link *link)
{
	struct rpc_header h = {.version = 1, .kind = RPC_BYE, .flags = RPC_ERROR};
	uint8_t frame[RPC_HEADER_LEN + RPC_STATUS_MAX];
	size_t n;

	if (!link->shaken || link->why->code == ERR_NONE || link->why->code == ERR_CLOSED ||
		link->why->code == ERR_DAMAGE)
		return;
	h.len = (uint32_t)rpc_status_put(frame + RPC_HEADER_LEN, link->why);
	rpc_header_put(frame, &h);
	while (rpc_link_behind(link) > 0) {
		if (rpc_tls_write(link->tls, link->out.data + link->out_at, rpc_link_behind(link),
			    &n, NULL) != 0)
			return;
		link->out_at += n;
	}
	rpc_tls_write(link->tls, frame, RPC_HEADER_LEN + h.len, &n, NULL);
}

static void end(struct rpc_link *link)
{
	last_words(link);
	rpc_fd_stop(&link->io);
	rpc_timer_stop(&link->timer);
	rpc_tls_free(link->tls);
	link->tls = NULL;
	close(link->fd);
	link->fd = -1;
	link->state = RPC_CLOSED;
	link->ops->ended(link->arg, link->why);
}

/* --- For conn.c and call.c --- */

void rpc_link_enter(struct rpc_link *link)
{
	link->busy++;
}

/* The end of every event: runs the callbacks that are due, decides what to wait
 * for, and frees what is over. */
void rpc_link_leave(struct rpc_link *link)
{
	assert(link->busy > 0);
	if (link->busy == 1) {
		link->ops->settle(link->arg);
		if (link->state == RPC_FAILED)
			end(link);
	}
	link->busy--;
	if (link->state == RPC_FREED) {
		if (link->busy == 0)
			destroy(link);
		return;
	}
	if (!rpc_link_alive(link))
		return;
	if (link->in.len == 0 && link->in.cap > KEEP)
		buf_fini(&link->in);
	if (link->out.len == 0 && link->out.cap > KEEP)
		buf_fini(&link->out);
	rpc_fd_want(&link->io, link->loop, link->fd, wanted(link), on_io, link);
	arm(link);
}

int rpc_link_init(struct rpc_link *link, struct rpc_loop *loop, int fd,
	const struct rpc_link_opts *opts, struct err *err)
{
	assert(opts->credit <= RPC_WINDOW_MAX);
	link->why = mem_new(sizeof *link->why, err);
	if (link->why == NULL)
		return -1;
	link->loop = loop;
	link->conf = rpc_tls_conf_ref(opts->conf);
	link->times = opts->times;
	link->ops = opts->ops;
	link->arg = opts->arg;
	link->fd = fd;
	link->credit = opts->credit;
	link->start_ms = rpc_loop_now_ms(loop);
	snprintf(link->address, sizeof link->address, "%s", opts->address);
	if (opts->expect != NULL) {
		snprintf(link->expect_name, sizeof link->expect_name, "%s", opts->expect->name);
		link->expect.role = opts->expect->role;
		link->expect.name = link->expect_name;
		link->shake_due = true;
		rpc_link_kick(link);
	}
	buf_init(&link->in, RPC_HEADER_LEN + RPC_PAYLOAD_MAX);
	buf_init(&link->out, RPC_OUT_MAX);
	rpc_fd_want(&link->io, loop, fd, wanted(link), on_io, link);
	arm(link);
	return 0;
}

void rpc_link_free(struct rpc_link *link)
{
	assert(link->state != RPC_FREED);
	link->state = RPC_FREED;
	if (link->busy == 0)
		destroy(link);
}

void rpc_link_shutdown(struct rpc_link *link)
{
	if (rpc_link_alive(link)) {
		start_closing(link);
		rpc_link_kick(link);
	}
}

bool rpc_link_is_up(const struct rpc_link *link)
{
	return link->state == RPC_UP && !link->closing;
}

bool rpc_link_recheck(struct rpc_link *link)
{
	if (link->state != RPC_UP || rpc_tls_peer_valid(link->tls))
		return true;
	rpc_link_failf(
		link, ERR_DENIED, "the peer's certificate has expired, or its host is denied");
	return false;
}
