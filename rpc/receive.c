/* Each frame is checked against the state of its call; what does not fit is a breach, and ends the
 * connection. */
#include "rpc/receive.h"

#include <assert.h>

#include "lib/err.h"
#include "lib/le.h"
#include "rpc/inner.h"

static void breach(struct rpc_conn *conn, const struct rpc_header *h, const char *what)
{
	rpc_link_failf(&conn->link, ERR_FORMAT, "frame of kind %u, id %llu: %s", h->kind,
		(unsigned long long)h->id, what);
}

static void run_handler(struct rpc_call *call, const struct rpc_header *h, const uint8_t *payload)
{
	static const struct cbormap_field no_fields[] = {{0}};
	const struct rpc_method *m = call->method;
	struct cbormap_value values[RPC_FIELDS_MAX];
	struct err err = {0};

	if (cbormap_get(values, m->fields != NULL ? m->fields : no_fields, payload, h->len, &err) !=
		0) {
		err_prefix(&err, "method %s", m->name);
		rpc_call_fail(call, &err);
		return;
	}
	m->handler(call->conn->service->ctx, call, values);
}

static void on_notify(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *m, const struct err *verdict)
{
	static const struct cbormap_field no_fields[] = {{0}};
	struct cbormap_value values[RPC_FIELDS_MAX];
	struct err err = {0};
	struct rpc_call record = {.conn = conn, .method = m};

	record.start_ms = rpc_loop_now_ms(conn->link.loop);
	if (verdict == NULL && cbormap_get(values, m->fields != NULL ? m->fields : no_fields,
				       payload, h->len, &err) != 0)
		verdict = &err;
	if (verdict == NULL)
		m->notified(conn->service->ctx, &conn->link.peer, values);
	rpc_call_log(&record, verdict);
}

static void on_request(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *m, const struct err *verdict)
{
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
	if (verdict != NULL)
		rpc_call_fail(call, verdict);
	else
		run_handler(call, h, payload);
}

static void on_reply(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload)
{
	struct rpc_call *call = rpc_table_find(&conn->mine, h->id);
	struct err err = {0};

	if (call == NULL || call->replied) {
		breach(conn, h, "a reply that nothing waits for");
		return;
	}
	call->replied = true;
	rpc_call_progress(call);
	if (h->flags & RPC_ERROR) {
		if (rpc_status_get(&err, payload, h->len, &err) != 0)
			rpc_link_fail(&conn->link, &err);
		else if (call->ghost)
			rpc_call_remove(call);
		else
			rpc_call_end_own(call, &err);
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

/* Hands a piece to whom it is for. */
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
	struct rpc_call *call = rpc_table_find(rpc_call_table(conn, mine), h->id);
	struct err err = {0};

	if (call == NULL || call->in != RPC_HALF_OPEN) {
		breach(conn, h, "a blob that nothing waits for");
		return;
	}
	if (h->flags & RPC_ERROR) {
		rpc_call_end_half(call, &call->in);
		if (rpc_status_get(&err, payload, h->len, &err) != 0)
			rpc_link_fail(&conn->link, &err);
		else if (call->ghost)
			rpc_call_remove(call);
		else
			rpc_call_end_own(call, &err);
		return;
	}
	if (h->len > call->in_window) {
		rpc_link_failf(&conn->link, ERR_LIMIT, "a blob goes over its window");
		return;
	}
	assert(!call->over && call->in_window <= call->in_size);
	call->in_window -= h->len;
	call->bytes_in += h->len;
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
	struct rpc_call *call = rpc_table_find(rpc_call_table(conn, mine), h->id);
	uint32_t more = le_get32(payload);

	if (call == NULL) { /* it may have crossed the blob's end */
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
	struct rpc_call *call = rpc_table_find(&conn->theirs, h->id);
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

void rpc_receive_frame(struct rpc_conn *conn, const struct rpc_header *h, const uint8_t *payload,
	const struct rpc_method *found, const struct err *verdict)
{
	struct err err = {0};

	if (verdict == NULL && (h->kind == RPC_REQUEST || h->kind == RPC_NOTIFY))
		rpc_dispatch_check(conn->service, &conn->link.peer, h, &found, &err);
	switch (h->kind) {
	case RPC_REQUEST:
		on_request(conn, h, payload, found, verdict);
		break;
	case RPC_NOTIFY:
		on_notify(conn, h, payload, found, verdict);
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
