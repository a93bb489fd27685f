/*
 * A connection is a link (rpc/link), the calls on it (rpc/call), and its user.
 * Here the three meet: what the link has goes to the calls or to the user.
 */
#include "rpc/inner.h"
#include "rpc/receive.h"

#include <assert.h>
#include <stdlib.h>

static void on_up(void *arg)
{
	struct rpc_conn *conn = arg;

	if (conn->ops->up != NULL)
		conn->ops->up(conn->arg);
}

/* A request is checked as soon as its header is there: what is refused costs
 * no memory. */
static int on_header(void *arg, const struct rpc_header *h)
{
	struct rpc_conn *conn = arg;
	const struct rpc_method *found;
	struct err err = {0};

	if (h->kind != RPC_REQUEST && h->kind != RPC_NOTIFY)
		return 0;
	if (!rpc_link_recheck(&conn->link))
		return 1;
	if (rpc_dispatch_check(conn->service, &conn->link.peer, h, &found, &err) != NULL)
		return 0;
	rpc_receive_frame(conn, h, NULL, found, &err);
	return 1;
}

static void on_frame(void *arg, const struct rpc_header *h, const uint8_t *payload)
{
	rpc_receive_frame(arg, h, payload, NULL, NULL);
}

static void on_refill(void *arg)
{
	rpc_call_refill(arg);
}

/* Tells whoever was refused that there is room again. */
static void on_written(void *arg)
{
	struct rpc_conn *conn = arg;

	if (!conn->refused_busy || !rpc_link_alive(&conn->link) ||
		rpc_link_behind(&conn->link) >= RPC_OUT_LOW || conn->mine.count >= RPC_CALLS_MAX ||
		conn->mine.blobs >= RPC_BLOBS_MAX)
		return;
	conn->refused_busy = false;
	if (conn->ops->room != NULL)
		conn->ops->room(conn->arg);
}

static bool has_calls(const void *arg)
{
	const struct rpc_conn *conn = arg;

	return conn->mine.count > 0 || conn->theirs.count > 0;
}

static void on_settle(void *arg)
{
	rpc_call_settle(arg);
	rpc_call_bury(arg);
}

static void on_ended(void *arg, const struct err *why)
{
	struct rpc_conn *conn = arg;
	struct err cut = *why;

	if (cut.code == ERR_NONE)
		err_set(&cut, ERR_CLOSED, "the connection was closed");
	rpc_call_end_all(conn, &cut);
	if (conn->link.state != RPC_FREED && conn->ops->closed != NULL)
		conn->ops->closed(conn->arg, why);
}

static void on_freed(void *arg)
{
	struct rpc_conn *conn = arg;

	assert(conn->finished == NULL && conn->send_first == NULL);
	rpc_call_bury(conn);
	rpc_table_fini(&conn->mine);
	rpc_table_fini(&conn->theirs);
	free(conn);
}

static const struct rpc_link_ops link_ops = {
	.up = on_up,
	.header = on_header,
	.frame = on_frame,
	.refill = on_refill,
	.written = on_written,
	.has_calls = has_calls,
	.settle = on_settle,
	.ended = on_ended,
	.freed = on_freed,
};

struct rpc_conn *rpc_conn_new(
	struct rpc_loop *loop, int fd, const struct rpc_conn_opts *opts, struct err *err)
{
	struct rpc_conn *conn = calloc(1, sizeof *conn);
	struct rpc_link_opts link = {
		.conf = opts->conf,
		.expect = opts->expect,
		.times = opts->times != NULL ? opts->times : &rpc_times_default,
		.ops = &link_ops,
		.arg = conn,
		.address = opts->address,
		.credit = opts->credit != 0 ? opts->credit : RPC_WINDOW,
	};

	if (conn == NULL) {
		err_set(err, ERR_NOMEM, "connection: out of memory");
		return NULL;
	}
	if (opts->credit == RPC_CREDIT_NONE)
		link.credit = 0;
	conn->service = opts->service;
	conn->ops = opts->ops;
	conn->arg = opts->arg;
	conn->next_id = conn->their_next = 1;
	conn->send_last = &conn->send_first;
	if (rpc_link_init(&conn->link, loop, fd, &link, err) != 0) {
		free(conn);
		return NULL;
	}
	return conn;
}

void rpc_conn_shutdown(struct rpc_conn *conn)
{
	rpc_link_shutdown(&conn->link);
}

void rpc_conn_free(struct rpc_conn *conn)
{
	struct err why = {0};

	if (conn == NULL || conn->link.state == RPC_FREED)
		return;
	rpc_link_enter(&conn->link);
	rpc_link_free(&conn->link);
	err_set(&why, ERR_CLOSED, "the connection was closed");
	rpc_call_end_all(conn, &why);
	rpc_link_leave(&conn->link);
}

const struct rpc_identity *rpc_conn_peer(const struct rpc_conn *conn)
{
	return &conn->link.peer;
}

int64_t rpc_conn_until(const struct rpc_conn *conn)
{
	return rpc_tls_until(conn->link.tls);
}

const char *rpc_conn_address(const struct rpc_conn *conn)
{
	return conn->link.address;
}

bool rpc_conn_is_lost(const struct rpc_conn *conn)
{
	return !rpc_link_alive(&conn->link);
}

void rpc_conn_recheck(struct rpc_conn *conn)
{
	rpc_link_recheck(&conn->link);
}
