/*
 * Two lists: connections in the handshake, oldest first, and authenticated
 * ones.
 */
#include "rpc/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "lib/mem.h"
#include "rpc/loop.h"
#include "rpc/net.h"
#include "rpc/tls.h"

/* Connections accepted before others get a turn. */
#define TURN 64
/* The wait after accept failed for lack of descriptors. */
#define PAUSE_MS 100
/* Refusals that are reported within this time; more are only counted. */
#define TELL_MAX 100
#define TELL_MS  60000

const struct rpc_listen_limits rpc_listen_limits_default = {256, 64, 4096, 16};

struct entry {
	struct rpc_listen *listen;
	struct rpc_conn *conn;
	TAILQ_ENTRY(entry) link;
	struct sockaddr_storage address;
	bool up, known; /* known: it has shown who it is */
};

struct list {
	TAILQ_HEAD(, entry) entries;
	unsigned count;
};

struct rpc_listen {
	struct rpc_loop *loop;
	struct rpc_listen_opts opts;
	struct rpc_listen_limits limits;
	struct rpc_tls_conf *conf;
	int fd;
	unsigned port;
	struct rpc_fd io;
	struct rpc_timer pause;
	struct list shaking, known;
	int64_t tell_ms; /* since when refusals are counted */
	unsigned told, untold;
};

static void list_add(struct list *list, struct entry *e)
{
	TAILQ_INSERT_TAIL(&list->entries, e, link);
	list->count++;
}

static void list_remove(struct list *list, struct entry *e)
{
	TAILQ_REMOVE(&list->entries, e, link);
	list->count--;
}

static void entry_free(struct entry *e)
{
	list_remove(e->known ? &e->listen->known : &e->listen->shaking, e);
	rpc_conn_free(e->conn);
	free(e);
}

static void list_free(struct list *list)
{
	while (!TAILQ_EMPTY(&list->entries))
		entry_free(TAILQ_FIRST(&list->entries));
}

/* Reports a refusal, unless there are too many: anyone who can connect could fill the log. */
static void tell(struct rpc_listen *listen, const char *address, const struct err *why)
{
	int64_t now = rpc_loop_now_ms(listen->loop);
	struct err copy = *why;

	if (now - listen->tell_ms >= TELL_MS) {
		if (listen->untold > 0)
			err_prefix(&copy, "after %u others that are not listed", listen->untold);
		listen->tell_ms = now;
		listen->told = listen->untold = 0;
	}
	if (listen->told == TELL_MAX) {
		listen->untold++;
		return;
	}
	listen->told++;
	if (listen->opts.refused != NULL)
		listen->opts.refused(listen->opts.arg, address, &copy);
}

static void refuse(struct entry *e, const struct err *why)
{
	tell(e->listen, rpc_conn_address(e->conn), why);
	entry_free(e);
}

/* --- Events of connections --- */

static bool has_place(const struct rpc_listen *listen, const struct rpc_identity *peer)
{
	const struct entry *e;
	unsigned same = 0;

	if (listen->known.count >= listen->limits.conns_max)
		return false;
	TAILQ_FOREACH(e, &listen->known.entries, link)
		if (strcmp(rpc_conn_peer(e->conn)->host, peer->host) == 0)
			same++;
	return same < listen->limits.conns_per_peer;
}

static void on_up(void *arg)
{
	struct entry *e = arg;
	struct rpc_listen *listen = e->listen;
	struct err err = {0};

	if (!has_place(listen, rpc_conn_peer(e->conn))) {
		err_set(&err, ERR_LIMIT, "too many connections, in all or of %s",
			rpc_conn_peer(e->conn)->name);
		refuse(e, &err);
		return;
	}
	e->up = true;
	if (rpc_conn_peer(e->conn)->role != RPC_NOBODY) {
		list_remove(&listen->shaking, e);
		e->known = true;
		list_add(&listen->known, e);
	}
	if (listen->opts.up != NULL)
		listen->opts.up(listen->opts.arg, e->conn);
}

static void on_closed(void *arg, const struct err *why)
{
	struct entry *e = arg;
	struct rpc_listen *listen = e->listen;

	if (!e->up) {
		refuse(e, why);
		return;
	}
	if (listen->opts.down != NULL)
		listen->opts.down(listen->opts.arg, e->conn, why);
	entry_free(e);
}

static const struct rpc_conn_ops conn_ops = {.up = on_up, .closed = on_closed};

/* --- Accepting --- */

/* The connection that has waited longest gives way. */
static void make_room(struct rpc_listen *listen, struct entry *oldest)
{
	struct err err = {0};

	err_set(&err, ERR_LIMIT, "too many unauthenticated connections");
	if (oldest->up && listen->opts.down != NULL)
		listen->opts.down(listen->opts.arg, oldest->conn, &err);
	refuse(oldest, &err);
}

/* Makes room for one more connection that is not authenticated. */
static void make_place(struct rpc_listen *listen, const struct sockaddr_storage *address)
{
	struct entry *e, *oldest = NULL;
	unsigned same = 0;

	TAILQ_FOREACH(e, &listen->shaking.entries, link) {
		if (!rpc_net_same_host(&e->address, address))
			continue;
		if (same++ == 0)
			oldest = e;
	}
	if (same < listen->limits.shaking_per_host)
		oldest = listen->shaking.count < listen->limits.shaking_max
				 ? NULL
				 : TAILQ_FIRST(&listen->shaking.entries);
	if (oldest != NULL)
		make_room(listen, oldest);
}

static int start(struct rpc_listen *listen, int fd, const struct sockaddr_storage *address,
	socklen_t len, struct err *err)
{
	struct entry *e = mem_new(sizeof *e, err);
	char text[RPC_ADDRESS_MAX];
	struct rpc_conn_opts opts = {
		.conf = listen->conf,
		.service = listen->opts.service,
		.times = listen->opts.times,
		.ops = &conn_ops,
		.arg = e,
		.address = text,
		.credit = listen->opts.credit,
	};

	if (e == NULL)
		return -1;
	rpc_net_text(text, (const struct sockaddr *)address, len);
	rpc_net_tune(fd);
	e->listen = listen;
	e->address = *address;
	e->conn = rpc_conn_new(listen->loop, fd, &opts, err);
	if (e->conn == NULL) {
		free(e);
		return -1;
	}
	list_add(&listen->shaking, e);
	return 0;
}

static void on_pause(void *arg);

/* Returns false if there is nothing more to accept now. */
static bool accept_one(struct rpc_listen *listen)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof address;
	struct err err = {0};
	int fd = accept4(
		listen->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && errno == EMFILE && !TAILQ_EMPTY(&listen->shaking.entries)) {
		make_room(listen, TAILQ_FIRST(&listen->shaking.entries));
		return true;
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		rpc_fd_stop(&listen->io);
		rpc_timer_start(&listen->pause, listen->loop, PAUSE_MS, on_pause, listen);
		return false;
	}
	if (fd < 0)
		return errno == ECONNABORTED || errno == EINTR;
	make_place(listen, &address);
	/* The socket's buffer is empty, so a small prelude fits. */
	if (listen->opts.prelude_len > 0 &&
		send(fd, listen->opts.prelude, listen->opts.prelude_len, MSG_NOSIGNAL) !=
			(ssize_t)listen->opts.prelude_len)
		close(fd);
	else if (start(listen, fd, &address, len, &err) != 0)
		close(fd);
	return true;
}

static void on_ready(void *arg, int events)
{
	struct rpc_listen *listen = arg;
	int turn;

	(void)events;
	for (turn = 0; turn < TURN && accept_one(listen); turn++)
		;
}

static void on_pause(void *arg)
{
	struct rpc_listen *listen = arg;

	if (listen->fd >= 0)
		rpc_fd_want(&listen->io, listen->loop, listen->fd, RPC_READ, on_ready, listen);
}

/* Returns 0; 1 with err set if the kernel lacks this family of addresses; -1 with err set. */
static int bind_to(struct rpc_listen *l, const char *host, struct err *err)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM};
	struct addrinfo *ai;
	int one = 1, zero = 0, error = 0;
	int status = getaddrinfo(host, l->opts.port, &hints, &ai);

	if (status != 0)
		return err_set(err, ERR_CONFIG, "listen on %s port %s: %s", host, l->opts.port,
			gai_strerror(status));
	l->fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd >= 0)
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (l->fd >= 0 && ai->ai_family == AF_INET6)
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (l->fd < 0 || bind(l->fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(l->fd, 1024) != 0)
		error = errno;
	freeaddrinfo(ai);
	if (error == 0)
		return 0;
	err_errno(err, error, "listen on %s port %s", host, l->opts.port);
	return l->fd < 0 && error == EAFNOSUPPORT ? 1 : -1;
}

/* On all addresses one socket serves both families; if the kernel has no IPv6, IPv4. */
static int open_socket(struct rpc_listen *l, struct err *err)
{
	bool all = l->opts.host == NULL || strcmp(l->opts.host, "::") == 0;
	struct sockaddr_storage bound;
	socklen_t len = sizeof bound;
	int ret = bind_to(l, all ? "::" : l->opts.host, err);

	if (ret == 1 && all)
		ret = bind_to(l, "0.0.0.0", err);
	if (ret != 0)
		return -1;
	if (getsockname(l->fd, (struct sockaddr *)&bound, &len) != 0)
		return err_errno(err, errno, "listen on port %s", l->opts.port);
	/* The port is at the same offset in both address families. */
	l->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	return 0;
}

struct rpc_listen *rpc_listen_new(
	struct rpc_loop *loop, const struct rpc_listen_opts *opts, struct err *err)
{
	struct rpc_listen *listen = mem_new(sizeof *listen, err);

	if (listen == NULL)
		return NULL;
	listen->loop = loop;
	listen->opts = *opts;
	listen->limits = opts->limits != NULL ? *opts->limits : rpc_listen_limits_default;
	listen->fd = -1;
	TAILQ_INIT(&listen->shaking.entries);
	TAILQ_INIT(&listen->known.entries);
	listen->conf = rpc_tls_conf_ref(opts->conf);
	if (open_socket(listen, err) != 0) {
		rpc_listen_free(listen);
		return NULL;
	}
	rpc_fd_want(&listen->io, loop, listen->fd, RPC_READ, on_ready, listen);
	return listen;
}

unsigned rpc_listen_port(const struct rpc_listen *listen)
{
	return listen->port;
}

unsigned rpc_listen_count(const struct rpc_listen *listen)
{
	return listen->shaking.count + listen->known.count;
}

void rpc_listen_conf(struct rpc_listen *listen, struct rpc_tls_conf *conf)
{
	rpc_tls_conf_ref(conf);
	rpc_tls_conf_unref(listen->conf);
	listen->conf = conf;
}

void rpc_listen_recheck(struct rpc_listen *listen)
{
	struct entry *e;

	TAILQ_FOREACH(e, &listen->known.entries, link)
		rpc_conn_recheck(e->conn);
}

static void stop(struct rpc_listen *listen)
{
	rpc_fd_stop(&listen->io);
	rpc_timer_stop(&listen->pause);
	if (listen->fd >= 0)
		close(listen->fd);
	listen->fd = -1;
}

void rpc_listen_shutdown(struct rpc_listen *listen)
{
	struct entry *e;

	stop(listen);
	list_free(&listen->shaking);
	TAILQ_FOREACH(e, &listen->known.entries, link)
		rpc_conn_shutdown(e->conn);
}

void rpc_listen_free(struct rpc_listen *listen)
{
	if (listen == NULL)
		return;
	stop(listen);
	list_free(&listen->shaking);
	list_free(&listen->known);
	rpc_tls_conf_unref(listen->conf);
	free(listen);
}
