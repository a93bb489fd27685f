/*
 * A sequence of states: look up, connect to each address, handshake, up. Any
 * failure leads to `lost`, and from there the timer leads back to the
 * beginning.
 */
#include "rpc/dial.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/pool.h"
#include "rpc/ca.h"
#include "rpc/loop.h"
#include "rpc/net.h"

/* More than the system's resolver takes for all its attempts in its usual
 * configuration. */
#define LOOKUP_MS 45000
#define WAIT_MS   1000 /* the default first wait */
#define LASTED    10   /* a connection up for this many times the first wait resets the wait */

/* A look-up that outlives its dialler: owned by the pool until done or drop. */
struct lookup {
	struct pool_job job;
	struct rpc_dial *dial;
	char host[256], port[32];
	struct addrinfo *found;
	int status;
};

struct rpc_dial {
	struct rpc_loop *loop;
	struct rpc_dial_opts opts;
	char name[NAME_LEN_MAX + 1], host[256], port[32], address[RPC_ADDRESS_MAX];
	struct rpc_tls_conf *conf;
	uint8_t pin[RPC_DIGEST_LEN];
	struct buf prelude;
	struct lookup *lookup;
	struct addrinfo *found, *next;
	int fd; /* the socket that is connecting */
	struct rpc_fd io;
	struct rpc_timer timer;
	struct rpc_soon soon;
	struct rpc_conn *conn;
	bool up;
	int64_t up_ms, wait_ms;
	struct err last; /* why the last address failed */
};

static void begin(void *arg);
static void try_next(struct rpc_dial *dial);

static void drop_connecting(struct rpc_dial *dial)
{
	rpc_fd_stop(&dial->io);
	rpc_timer_stop(&dial->timer);
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

/* One half of the time is fixed, the other half random. */
static int64_t jitter(int64_t ms)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof r, 0) != sizeof r)
		r = 0;
	return ms - ms / 2 * (r % 1024) / 1024;
}

static void lost(struct rpc_dial *dial, const struct err *why)
{
	int64_t wait = -1;

	drop_connecting(dial);
	if (dial->found != NULL)
		freeaddrinfo(dial->found);
	dial->found = NULL;
	if (!dial->opts.once) {
		if (dial->up &&
			rpc_loop_now_ms(dial->loop) - dial->up_ms > LASTED * dial->opts.wait_min_ms)
			dial->wait_ms = dial->opts.wait_min_ms;
		wait = jitter(dial->wait_ms);
		dial->wait_ms = dial->wait_ms > dial->opts.wait_max_ms / 2 ? dial->opts.wait_max_ms
									   : 2 * dial->wait_ms;
		rpc_timer_start(&dial->timer, dial->loop, wait, begin, dial);
	}
	dial->up = false;
	if (dial->opts.down != NULL)
		dial->opts.down(dial->opts.arg, why, wait);
}

/* --- The connection --- */

static void on_up(void *arg)
{
	struct rpc_dial *dial = arg;

	dial->up = true;
	dial->up_ms = rpc_loop_now_ms(dial->loop);
	if (dial->opts.up != NULL)
		dial->opts.up(dial->opts.arg, dial->conn);
}

static void on_room(void *arg)
{
	struct rpc_dial *dial = arg;

	if (dial->opts.room != NULL)
		dial->opts.room(dial->opts.arg, dial->conn);
}

static void on_closed(void *arg, const struct err *why)
{
	struct rpc_dial *dial = arg;
	struct err copy = *why;

	if (copy.code != ERR_NONE)
		err_prefix(&copy, "%s (%s)", dial->host, dial->address);
	rpc_conn_free(dial->conn);
	dial->conn = NULL;
	lost(dial, &copy);
}

static const struct rpc_conn_ops conn_ops = {on_up, on_room, on_closed};

static void start_conn(struct rpc_dial *dial)
{
	struct rpc_conn_opts opts = {
		.conf = dial->conf,
		.expect = &dial->opts.expect,
		.service = dial->opts.service,
		.times = dial->opts.times,
		.ops = &conn_ops,
		.arg = dial,
		.address = dial->address,
		.credit = dial->opts.credit,
	};
	struct err err = {0};
	int fd = dial->fd;

	dial->fd = -1;
	drop_connecting(dial);
	rpc_net_tune(fd);
	dial->conn = rpc_conn_new(dial->loop, fd, &opts, &err);
	if (dial->conn == NULL) {
		close(fd);
		lost(dial, &err);
	}
}

/* --- Connecting --- */

/* How many bytes of the prelude are missing: first of its length, then of what
 * follows. */
static size_t prelude_rest(const struct buf *p)
{
	size_t len = p->len < 2 ? 0 : (size_t)(p->data[0] | p->data[1] << 8);

	return 2 + len - p->len;
}

/* The CA's certificate is complete. Nothing of it is parsed before its hash
 * matches the token. */
static int trust(struct rpc_dial *dial, struct err *err)
{
	struct rpc_tls_opts opts = {.kind = RPC_TLS_ENROLL_CLIENT,
		.ca_der = dial->prelude.data + 2,
		.ca_len = dial->prelude.len - 2};
	uint8_t digest[RPC_DIGEST_LEN];

	hash_sha256(opts.ca_der, opts.ca_len, digest);
	if (memcmp(digest, dial->pin, sizeof digest) != 0)
		return err_set(err, ERR_DENIED,
			"%s (%s): the fingerprint of its CA is not the one in the token",
			dial->host, dial->address);
	rpc_tls_conf_unref(dial->conf);
	dial->conf = rpc_tls_conf_new(&opts, err);
	return dial->conf != NULL ? 0 : -1;
}

static void on_prelude(void *arg, int events)
{
	struct rpc_dial *dial = arg;
	struct err err = {0};
	size_t rest = prelude_rest(&dial->prelude);
	uint8_t *to = buf_room(&dial->prelude, rest, &err);
	ssize_t n = to != NULL ? recv(dial->fd, to, rest, 0) : -1;

	(void)events;
	if (n < 0 && to != NULL && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_took(&dial->prelude, (size_t)n);
	if (n > 0 && (dial->prelude.len < 3 || prelude_rest(&dial->prelude) > 0))
		return;
	if (n <= 0)
		err_set(&err, ERR_CLOSED, "%s (%s): not an enrolment service", dial->host,
			dial->address);
	else if (trust(dial, &err) == 0) {
		start_conn(dial);
		return;
	}
	lost(dial, &err);
}

static void on_connected(void *arg, int events)
{
	struct rpc_dial *dial = arg;
	int error = 0;
	socklen_t len = sizeof error;

	(void)events;
	if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0 && dial->opts.pin != NULL) {
		rpc_fd_want(&dial->io, dial->loop, dial->fd, RPC_READ, on_prelude, dial);
		return;
	}
	if (error == 0) {
		start_conn(dial);
		return;
	}
	err_errno(&dial->last, error, "connect to %s (%s)", dial->host, dial->address);
	try_next(dial);
}

static void on_slow(void *arg)
{
	struct rpc_dial *dial = arg;

	err_set(&dial->last, ERR_TIMEOUT, "connect to %s (%s): no answer", dial->host,
		dial->address);
	try_next(dial);
}

static void try_next(struct rpc_dial *dial)
{
	const struct rpc_times *times =
		dial->opts.times != NULL ? dial->opts.times : &rpc_times_default;

	drop_connecting(dial);
	buf_clear(&dial->prelude);
	while (dial->next != NULL) {
		const struct addrinfo *ai = dial->next;

		dial->next = ai->ai_next;
		rpc_net_text(dial->address, ai->ai_addr, ai->ai_addrlen);
		dial->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (dial->fd >= 0 && (connect(dial->fd, ai->ai_addr, ai->ai_addrlen) == 0 ||
					     errno == EINPROGRESS)) {
			rpc_fd_want(&dial->io, dial->loop, dial->fd, RPC_WRITE, on_connected, dial);
			rpc_timer_start(&dial->timer, dial->loop, times->handshake, on_slow, dial);
			return;
		}
		err_errno(&dial->last, errno, "connect to %s (%s)", dial->host, dial->address);
		drop_connecting(dial);
	}
	lost(dial, &dial->last);
}

/* --- Looking up --- */

static void take_addresses(struct rpc_dial *dial, struct addrinfo *found, int status)
{
	if (status != 0) {
		err_set(&dial->last, ERR_NOTFOUND, "look up %s port %s: %s", dial->host, dial->port,
			gai_strerror(status));
		lost(dial, &dial->last);
		return;
	}
	dial->found = dial->next = found;
	try_next(dial);
}

static void lookup_work(struct pool_job *job)
{
	struct lookup *l = (struct lookup *)job;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

	l->status = getaddrinfo(l->host, l->port, &hints, &l->found);
}

static void lookup_done(struct pool_job *job)
{
	struct lookup *l = (struct lookup *)job;
	struct rpc_dial *dial = l->dial;

	dial->lookup = NULL;
	take_addresses(dial, l->found, l->status);
	free(l);
}

static void lookup_drop(struct pool_job *job)
{
	struct lookup *l = (struct lookup *)job;

	if (l->found != NULL)
		freeaddrinfo(l->found);
	free(l);
}

static void on_unresolved(void *arg)
{
	struct rpc_dial *dial = arg;

	pool_cancel(dial->opts.pool, &dial->lookup->job);
	dial->lookup = NULL;
	err_set(&dial->last, ERR_TIMEOUT, "look up %s: no answer", dial->host);
	lost(dial, &dial->last);
}

/* The timer also keeps the loop running if it has nothing else to wait for. */
static int start_lookup(struct rpc_dial *dial)
{
	struct lookup *l = dial->opts.pool != NULL ? calloc(1, sizeof *l) : NULL;

	if (l == NULL)
		return -1;
	l->job.work = lookup_work;
	l->job.done = lookup_done;
	l->job.drop = lookup_drop;
	l->dial = dial;
	strcpy(l->host, dial->host);
	strcpy(l->port, dial->port);
	if (pool_start(dial->opts.pool, &l->job) != 0) {
		free(l);
		return -1;
	}
	dial->lookup = l;
	rpc_timer_start(&dial->timer, dial->loop, LOOKUP_MS, on_unresolved, dial);
	return 0;
}

static void begin(void *arg)
{
	struct rpc_dial *dial = arg;
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int status = getaddrinfo(dial->host, dial->port, &hints, &found);

	/* A numeric address needs no look-up and does not block. */
	if (status == 0 || start_lookup(dial) != 0)
		take_addresses(dial, found, status);
}

struct rpc_dial *rpc_dial_new(
	struct rpc_loop *loop, const struct rpc_dial_opts *opts, struct err *err)
{
	struct rpc_dial *dial;

	if (strlen(opts->host) >= sizeof dial->host || strlen(opts->port) >= sizeof dial->port ||
		!name_ok(opts->expect.name, strlen(opts->expect.name))) {
		err_set(err, ERR_USAGE, "dial: the host, port or name of the peer is not valid");
		return NULL;
	}
	dial = mem_new(sizeof *dial, err);
	if (dial == NULL)
		return NULL;
	dial->loop = loop;
	dial->opts = *opts;
	strcpy(dial->name, opts->expect.name);
	strcpy(dial->host, opts->host);
	strcpy(dial->port, opts->port);
	dial->opts.expect.name = dial->name;
	if (dial->opts.wait_max_ms == 0) {
		dial->opts.wait_max_ms = opts->times != NULL && opts->times->redial > 0
						 ? opts->times->redial
						 : rpc_times_default.redial;
		dial->opts.wait_min_ms =
			dial->opts.wait_max_ms < WAIT_MS ? dial->opts.wait_max_ms : WAIT_MS;
	}
	dial->wait_ms = dial->opts.wait_min_ms;
	buf_init(&dial->prelude, 2 + RPC_CA_DER_MAX);
	if (opts->pin != NULL)
		memcpy(dial->pin, opts->pin, sizeof dial->pin);
	else
		dial->conf = rpc_tls_conf_ref(opts->conf);
	dial->fd = -1;
	rpc_soon_start(&dial->soon, loop, begin, dial);
	return dial;
}

const uint8_t *rpc_dial_pinned(const struct rpc_dial *dial, size_t *len)
{
	*len = dial->prelude.len - 2;
	return dial->prelude.data + 2;
}

void rpc_dial_conf(struct rpc_dial *dial, struct rpc_tls_conf *conf)
{
	rpc_tls_conf_ref(conf);
	rpc_tls_conf_unref(dial->conf);
	dial->conf = conf;
}

void rpc_dial_free(struct rpc_dial *dial)
{
	if (dial == NULL)
		return;
	drop_connecting(dial);
	rpc_soon_stop(&dial->soon);
	if (dial->lookup != NULL)
		pool_cancel(dial->opts.pool, &dial->lookup->job);
	if (dial->found != NULL)
		freeaddrinfo(dial->found);
	rpc_conn_free(dial->conn);
	rpc_tls_conf_unref(dial->conf);
	buf_fini(&dial->prelude);
	free(dial);
}
