/*
 * A connection is a link (rpc/link), the calls on it (rpc/call), and its user.
 * This file joins them: it passes events of the link to the calls or to the
 * user. Each frame is checked against the state of its call; a frame that does
 * not fit is a protocol violation and ends the connection.
 */
#include "rpc/inner.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/le.h"
#include "lib/mem.h"

/* --- Incoming frames --- */

static void breach(struct rpc_conn *conn, const struct rpc_header *h, const char *what)
{
	rpc_link_failf(&conn->link, ERR_FORMAT, "frame of kind %u, id %llu: %s", h->kind,
		(unsigned long long)h->id, what);
}

static int get_params(struct cbormap_value values[RPC_FIELDS_MAX], const struct rpc_method *m,
	const uint8_t *payload, size_t len, struct err *err)
{
	static const struct cbormap_field none[] = {{0}};

	if (cbormap_get(values, m->fields != NULL ? m->fields : none, payload, len, err) == 0)
		return 0;
	return err_prefix(err, "method %s", m->name);
}

static void on_notify(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *m, const struct err *verdict)
{
	struct cbormap_value values[RPC_FIELDS_MAX];
	struct err err = {0};
	struct rpc_call record = {.conn = conn, .method = m};

	record.start_ms = rpc_loop_now_ms(conn->link.loop);
	if (verdict == NULL && get_params(values, m, payload, h->len, &err) != 0)
		verdict = &err;
	if (verdict == NULL)
		m->notified(conn->service->ctx, &conn->link.peer, values);
	rpc_call_log(&record, verdict);
}

static void on_request(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *m, const struct err *verdict)
{
	struct cbormap_value values[RPC_FIELDS_MAX];
	struct rpc_call *call;
	struct err err = {0};

	if (h->id != conn->their_next || conn->link.peer_bye) {
		breach(conn, h, "not the next request");
		return;
	}
	conn->their_next++;
	if (conn->theirs.count >= RPC_CALLS_MAX ||
		((h->flags & RPC_MORE) && conn->link.credit > 0 &&
			conn->theirs.blobs >= RPC_BLOBS_MAX)) {
		rpc_link_failf(&conn->link, ERR_LIMIT,
			"more requests open than %d, or blobs than %d", RPC_CALLS_MAX,
			RPC_BLOBS_MAX);
		return;
	}
	call = rpc_call_new(
		conn, false, h->id, m != NULL ? m->deadline_ms : conn->link.times->cancel, &err);
	if (call == NULL) {
		rpc_link_fail(&conn->link, &err);
		return;
	}
	call->method = m;
	if (h->flags & RPC_MORE)
		rpc_call_open_request(call, conn->link.credit);
	if (verdict == NULL && get_params(values, m, payload, h->len, &err) != 0)
		verdict = &err;
	if (verdict != NULL)
		rpc_call_fail(call, verdict);
	else
		m->handler(conn->service->ctx, call, values);
}

/* The peer ends its half with an error. */
static void on_error(struct rpc_call *call, const struct rpc_header *h, const uint8_t *payload)
{
	struct err err = {0};

	if (rpc_status_get(&err, payload, h->len, &err) != 0)
		rpc_link_fail(&call->conn->link, &err);
	else if (call->ghost)
		rpc_call_remove(call);
	else
		rpc_call_end_own(call, &err);
}

static void on_reply(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	struct rpc_call *call = rpc_call_find(conn, true, h->id);
	struct err err = {0};

	if (call == NULL || call->replied) {
		breach(conn, h, "an unexpected reply");
		return;
	}
	call->replied = true;
	rpc_call_progress(call);
	if (h->flags & RPC_ERROR) {
		on_error(call, h, payload);
		return;
	}
	if (h->flags & RPC_MORE) {
		call->in = RPC_HALF_OPEN;
		if (!call->ghost && call->in_max == 0) {
			err_set(&err, ERR_LIMIT, "the reply has a blob, and none was asked for");
			rpc_call_abort_own(call, &err);
			return;
		}
		if (!call->ghost && call->in_size == 0) {
			call->in_size = RPC_WINDOW;
			rpc_call_send_credit(call, RPC_WINDOW);
		}
	}
	if (!call->ghost && call->ops != NULL && call->ops->reply != NULL)
		call->ops->reply(call->arg, payload, h->len, (h->flags & RPC_MORE) != 0);
	rpc_call_check_own(call);
}

/* Delivers a piece of a blob to its call. */
static void deliver(struct rpc_call *call, const uint8_t *bytes, size_t len, bool last)
{
	struct err err = {0};

	if (!call->mine && call->bytes_in > call->method->blob_max) {
		err_set(&err, ERR_LIMIT, "method %s: its blob is longer than %llu bytes",
			call->method->name, (unsigned long long)call->method->blob_max);
		rpc_call_fail_now(call, &err);
		return;
	}
	if (call->mine && call->bytes_in > call->in_max) {
		err_set(&err, ERR_LIMIT, "the reply's blob is longer than %llu bytes",
			(unsigned long long)call->in_max);
		if (last)
			rpc_call_end_own(call, &err);
		else
			rpc_call_abort_own(call, &err);
		return;
	}
	call->in_held += (uint32_t)len;
	assert(call->in_window + call->in_held + call->in_taken <= call->in_size);
	if (call->ops != NULL && call->ops->data != NULL)
		call->ops->data(call->arg, bytes, len, last);
	else if (!call->over)
		rpc_call_took(call, len);
}

static void on_blob(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	bool mine = (h->flags & RPC_RESPONSE) != 0, last = (h->flags & RPC_LAST) != 0;
	struct rpc_call *call = rpc_call_find(conn, mine, h->id);

	if (call == NULL || call->in != RPC_HALF_OPEN) {
		breach(conn, h, "an unexpected blob");
		return;
	}
	if (h->flags & RPC_ERROR) {
		rpc_call_end_half(call, &call->in);
		on_error(call, h, payload);
		return;
	}
	if (h->len > call->in_window) {
		rpc_link_failf(&conn->link, ERR_LIMIT, "a blob exceeds its credit");
		return;
	}
	assert(!call->over && call->in_window <= call->in_size);
	call->in_window -= h->len;
	call->bytes_in += h->len;
	conn->blob_ms = rpc_loop_now_ms(conn->link.loop);
	rpc_call_progress(call);
	if (last)
		rpc_call_end_half(call, &call->in);
	if (!call->ghost && !call->finished)
		deliver(call, payload, h->len, last);
	if (mine)
		rpc_call_check_own(call);
	else if (call->ghost && !call->over && last)
		rpc_call_remove(call);
}

static void on_window(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	bool mine = (h->flags & RPC_RESPONSE) != 0;
	struct rpc_call *call = rpc_call_find(conn, mine, h->id);
	uint32_t more = le_get32(payload);

	if (call == NULL) { /* it may have crossed the end of the blob */
		if (h->id >= (mine ? conn->next_id : conn->their_next))
			breach(conn, h, "credit for an unknown request");
		return;
	}
	if (more == 0 || more > RPC_WINDOW_MAX - call->out_credit) {
		breach(conn, h, "credit beyond the window");
		return;
	}
	call->out_credit += more;
	rpc_call_progress(call);
	rpc_call_add_sender(call);
}

static void on_cancel(struct rpc_conn *conn, const struct rpc_header *h)
{
	struct rpc_call *call = rpc_call_find(conn, false, h->id);
	struct err err = {0};

	if (call == NULL) { /* it may have crossed the reply */
		if (h->id >= conn->their_next)
			breach(conn, h, "cancels an unknown request");
		return;
	}
	err_set(&err, ERR_CANCELLED, "cancelled by the peer");
	rpc_call_end_half(call, &call->in);
	if (call->ghost) {
		rpc_call_remove(call);
	} else if (!call->finished) {
		if (!call->replied)
			rpc_call_send_status(call, RPC_REPLY, 0, &err);
		else
			rpc_call_send_status(call, RPC_BLOB, RPC_LAST, &err);
		rpc_call_abort_served(call, &err);
	}
}

/* The method of that number; NULL if there is none. */
static const struct rpc_method *find_method(const struct rpc_service *service, uint16_t number)
{
	size_t i;

	for (i = 0; service != NULL && i < service->count; i++)
		if (service->methods[i].number == number)
			return &service->methods[i];
	return NULL;
}

/* Checks identity, role and limits, using only the frame's header, before a
 * byte of its payload is kept. m: the method of that number; NULL if there is
 * none. Returns 0, or -1 with err set: ERR_DENIED, ERR_UNSUPPORTED (no such
 * method), ERR_LIMIT. */
static int check_request(const struct rpc_method *m, const struct rpc_identity *peer,
	const struct rpc_header *h, struct err *err)
{
	if (m == NULL || (h->kind == RPC_NOTIFY ? m->notified == NULL : m->handler == NULL))
		return err_set(err, ERR_UNSUPPORTED, "method %u: unknown", h->method);
	if ((m->roles & RPC_ROLE_BIT(peer->role)) == 0)
		return err_set(err, ERR_DENIED, "method %s: not for the role %s", m->name,
			rpc_role_name(peer->role));
	if (h->len > m->param_max)
		return err_set(err, ERR_LIMIT,
			"method %s: %u bytes of parameters, at most %u are allowed", m->name,
			(unsigned)h->len, (unsigned)m->param_max);
	if ((h->flags & RPC_MORE) && m->blob_max == 0)
		return err_set(err, ERR_LIMIT, "method %s: takes no blob", m->name);
	return 0;
}

/* A request is checked as soon as its header has come, so that a refused one
 * costs no memory. */
static int on_header(void *arg, const struct rpc_header *h)
{
	struct rpc_conn *conn = arg;
	const struct rpc_method *m = find_method(conn->service, h->method);
	struct err err = {0};

	if (h->kind != RPC_REQUEST && h->kind != RPC_NOTIFY)
		return 0;
	if (!rpc_link_recheck(&conn->link))
		return 1;
	if (check_request(m, &conn->link.peer, h, &err) == 0)
		return 0;
	if (h->kind == RPC_REQUEST)
		on_request(conn, h, NULL, m, &err);
	else
		on_notify(conn, h, NULL, m, &err);
	return 1;
}

static void on_frame(void *arg, const struct rpc_header *h, const uint8_t *payload)
{
	struct rpc_conn *conn = arg;

	switch (h->kind) {
	case RPC_REQUEST:
		on_request(conn, h, payload, find_method(conn->service, h->method), NULL);
		break;
	case RPC_NOTIFY:
		on_notify(conn, h, payload, find_method(conn->service, h->method), NULL);
		break;
	case RPC_REPLY:
		on_reply(conn, h, payload);
		break;
	case RPC_BLOB:
		on_blob(conn, h, payload);
		break;
	case RPC_WINDOW_MORE:
		on_window(conn, h, payload);
		break;
	default:
		on_cancel(conn, h);
	}
}

/* --- Events of the link --- */

static void on_up(void *arg)
{
	struct rpc_conn *conn = arg;

	if (conn->ops->up != NULL)
		conn->ops->up(conn->arg);
}

static void on_refill(void *arg)
{
	rpc_call_refill(arg);
}

/* Reports that there is room again, after a request was refused. */
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

	assert(conn->finished == NULL && TAILQ_EMPTY(&conn->senders));
	assert(conn->mine.count == 0 && conn->theirs.count == 0);
	rpc_call_bury(conn);
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
	struct rpc_conn *conn = mem_new(sizeof *conn, err);
	struct rpc_link_opts link = {
		.conf = opts->conf,
		.expect = opts->expect,
		.times = opts->times != NULL ? opts->times : &rpc_times_default,
		.ops = &link_ops,
		.arg = conn,
		.address = opts->address,
		.credit = opts->credit != 0 ? opts->credit : RPC_WINDOW,
	};

	if (conn == NULL)
		return NULL;
	if (opts->credit == RPC_CREDIT_NONE)
		link.credit = 0;
	conn->service = opts->service;
	conn->ops = opts->ops;
	conn->arg = opts->arg;
	conn->next_id = conn->their_next = 1;
	TAILQ_INIT(&conn->senders);
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
