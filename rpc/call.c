/*
 * Calls, own and served: how they begin, send and end. rpc/conn.c handles what
 * comes in.
 *
 * A call is in its table from its REQUEST until both sides have ended it, so
 * that a REPLY or BLOB with an unknown id is always a protocol violation. A
 * call that only one side has ended is a ghost. An own call that was cancelled
 * waits for the REPLY (or the end of the blob), which always comes. A served
 * call that was answered before its request's blob was complete waits for LAST
 * or CANCEL.
 */
#include "rpc/inner.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/le.h"
#include "lib/mem.h"

static void on_deadline(void *arg);

/* --- Life --- */

static struct rpc_table *table_of(struct rpc_conn *conn, bool mine)
{
	return mine ? &conn->mine : &conn->theirs;
}

struct rpc_call *rpc_call_find(struct rpc_conn *conn, bool mine, uint64_t id)
{
	struct rpc_call *call = table_of(conn, mine)->chains[id % RPC_CHAINS];

	while (call != NULL && call->id != id)
		call = call->hash_next;
	return call;
}

struct rpc_call *rpc_call_new(
	struct rpc_conn *conn, bool mine, uint64_t id, int64_t timeout_ms, struct err *err)
{
	struct rpc_table *t = table_of(conn, mine);
	struct rpc_call *call = mem_new(sizeof *call, err);

	if (call == NULL)
		return NULL;
	call->conn = conn;
	call->mine = mine;
	call->id = id;
	call->timeout_ms = timeout_ms;
	call->start_ms = rpc_loop_now_ms(conn->link.loop);
	call->deadline_ms = call->start_ms + timeout_ms;
	call->in_size = call->in_window = conn->link.credit;
	call->out_credit = conn->link.peer_credit;
	call->hash_next = t->chains[id % RPC_CHAINS];
	t->chains[id % RPC_CHAINS] = call;
	t->count++;
	rpc_timer_start(&call->timer, conn->link.loop, timeout_ms, on_deadline, call);
	return call;
}

/* The blob of the request, whichever side sends it. */
static enum rpc_half *request_half(struct rpc_call *call)
{
	return call->mine ? &call->out : &call->in;
}

void rpc_call_end_half(struct rpc_call *call, enum rpc_half *half)
{
	struct rpc_table *t = table_of(call->conn, call->mine);

	if (call->counted && half == request_half(call)) {
		assert(*half == RPC_HALF_OPEN && t->blobs > 0);
		t->blobs--;
		call->counted = false;
	}
	*half = RPC_HALF_DONE;
}

void rpc_call_open_request(struct rpc_call *call, uint32_t credit)
{
	*request_half(call) = RPC_HALF_OPEN;
	call->counted = credit > 0;
	if (call->counted)
		table_of(call->conn, call->mine)->blobs++;
}

static void remove_sender(struct rpc_call *call)
{
	if (call->sending)
		TAILQ_REMOVE(&call->conn->senders, call, send_link);
	call->sending = false;
}

void rpc_call_remove(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;
	struct rpc_table *t = table_of(conn, call->mine);
	struct rpc_call **at = &t->chains[call->id % RPC_CHAINS];

	assert(!call->over && !call->finished);
	rpc_call_end_half(call, &call->out);
	rpc_call_end_half(call, &call->in);
	remove_sender(call);
	rpc_timer_stop(&call->timer);
	while (*at != call)
		at = &(*at)->hash_next;
	*at = call->hash_next;
	t->count--;
	call->over = true;
	call->list_next = conn->grave;
	conn->grave = call;
	/* Shutdown, or a new call, may have been waiting for this. */
	rpc_link_kick(&conn->link);
}

void rpc_call_bury(struct rpc_conn *conn)
{
	while (conn->grave != NULL) {
		struct rpc_call *call = conn->grave;

		conn->grave = call->list_next;
		free(call);
	}
}

/* --- Frames out --- */

static void send_frame(
	struct rpc_call *call, enum rpc_kind kind, unsigned flags, const void *payload, size_t len)
{
	struct rpc_header h = {
		.kind = (uint8_t)kind,
		.flags = (uint8_t)(flags | (call->mine ? 0 : RPC_RESPONSE)),
		.len = (uint32_t)len,
		.id = call->id,
	};

	rpc_link_send(&call->conn->link, &h, payload);
}

void rpc_call_send_status(
	struct rpc_call *call, enum rpc_kind kind, unsigned flags, const struct err *status)
{
	uint8_t payload[RPC_STATUS_MAX];
	size_t len = rpc_status_put(payload, status);

	send_frame(call, kind, flags | RPC_ERROR, payload, len);
}

void rpc_call_send_credit(struct rpc_call *call, uint32_t more)
{
	uint8_t payload[4];

	call->in_window += more;
	assert(call->in_size <= RPC_WINDOW_MAX &&
		call->in_window + call->in_held + call->in_taken <= call->in_size);
	le_put32(payload, more);
	send_frame(call, RPC_WINDOW_MORE, 0, payload, sizeof payload);
}

/* --- Ends --- */

void rpc_call_log(struct rpc_call *call, const struct err *err)
{
	struct rpc_conn *conn = call->conn;
	struct rpc_access access = {
		.peer = &conn->link.peer,
		.address = conn->link.address,
		.method = call->method != NULL ? call->method->name : "?",
		.status = err != NULL ? err->code : call->status,
		.message = err != NULL ? err->message : "",
		.ms = rpc_loop_now_ms(conn->link.loop) - call->start_ms,
		.bytes_in = call->bytes_in,
		.bytes_out = call->bytes_out,
	};

	if (!call->mine && conn->service != NULL && conn->service->log != NULL)
		conn->service->log(conn->service->ctx, &access);
}

/* Removes the callbacks, then runs `done`. */
static void say_done(struct rpc_call *call, const struct err *err)
{
	const struct rpc_call_ops *ops = call->ops;

	call->ghost = true;
	call->ops = NULL;
	if (ops != NULL && ops->done != NULL)
		ops->done(call->arg, err);
}

/* Nothing on this side uses the call any more. It waits, for a limited time,
 * for the peer to end it too. */
static void make_ghost(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	call->ghost = true;
	remove_sender(call);
	call->timeout_ms = conn->link.times->cancel;
	call->deadline_ms = rpc_loop_now_ms(conn->link.loop) + call->timeout_ms;
	rpc_timer_start(&call->timer, conn->link.loop, call->timeout_ms, on_deadline, call);
}

/* Tells the peer that this own call is no longer wanted. */
static void send_cancel(struct rpc_call *call)
{
	rpc_call_end_half(call, &call->out);
	send_frame(call, RPC_CANCEL, 0, NULL, 0);
}

void rpc_call_end_own(struct rpc_call *call, const struct err *err)
{
	if (call->out == RPC_HALF_OPEN)
		send_cancel(call);
	rpc_call_remove(call);
	say_done(call, err);
}

void rpc_call_abort_own(struct rpc_call *call, const struct err *err)
{
	send_cancel(call);
	make_ghost(call);
	if (err != NULL)
		say_done(call, err);
}

void rpc_call_check_own(struct rpc_call *call)
{
	if (!call->over && call->replied && call->in != RPC_HALF_OPEN) {
		if (call->ghost)
			rpc_call_remove(call);
		else
			rpc_call_end_own(call, NULL);
	}
}

/* A served call has been answered completely: done runs at the end of the
 * event. */
static void finish_theirs(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	if (call->finished || call->ghost || !call->replied || call->out == RPC_HALF_OPEN)
		return;
	call->finished = true;
	call->list_next = conn->finished;
	conn->finished = call;
	rpc_link_kick(&conn->link);
}

void rpc_call_settle(struct rpc_conn *conn)
{
	while (conn->finished != NULL) {
		struct rpc_call *call = conn->finished;

		conn->finished = call->list_next;
		call->finished = false;
		if (call->in == RPC_HALF_OPEN)
			make_ghost(call);
		else
			rpc_call_remove(call);
		if (call->status == ERR_NONE)
			rpc_call_log(call, NULL);
		say_done(call, NULL);
	}
}

void rpc_call_abort_served(struct rpc_call *call, const struct err *err)
{
	rpc_call_remove(call);
	rpc_call_log(call, err);
	say_done(call, err);
}

void rpc_call_fail(struct rpc_call *call, const struct err *status)
{
	assert(!call->mine);
	if (call->ghost || call->finished)
		return;
	assert(status->code != ERR_NONE);
	if (!call->replied)
		rpc_call_send_status(call, RPC_REPLY, 0, status);
	else
		rpc_call_send_status(call, RPC_BLOB, RPC_LAST, status);
	call->replied = true;
	call->status = status->code;
	remove_sender(call);
	rpc_call_end_half(call, &call->out);
	rpc_call_log(call, status);
	finish_theirs(call);
}

void rpc_call_fail_now(struct rpc_call *call, const struct err *status)
{
	const struct rpc_call_ops *ops = call->ops;

	if (call->ghost || call->finished)
		return;
	rpc_call_fail(call, status);
	/* done gets the error, because the handler did not report it itself. */
	call->ops = NULL;
	if (ops != NULL && ops->done != NULL)
		ops->done(call->arg, status);
}

/* A callback may answer another call, which is then finished; so the list of
 * finished calls always goes first. */
static void end_table(struct rpc_conn *conn, struct rpc_table *t, const struct err *why)
{
	size_t i = 0;

	while (i < RPC_CHAINS) {
		struct rpc_call *call = t->chains[i];

		rpc_call_settle(conn);
		if (call != t->chains[i])
			continue;
		if (call == NULL) {
			i++;
		} else if (!call->mine && !call->ghost) {
			rpc_call_abort_served(call, why);
		} else {
			bool ghost = call->ghost;

			rpc_call_remove(call);
			if (!ghost)
				say_done(call, why);
		}
	}
}

void rpc_call_end_all(struct rpc_conn *conn, const struct err *why)
{
	end_table(conn, &conn->mine, why);
	end_table(conn, &conn->theirs, why);
}

static void on_deadline(void *arg)
{
	struct rpc_call *call = arg;
	struct rpc_conn *conn = call->conn;
	int64_t left;
	struct err err = {0};

	/* On a slow line the peer's end of a call may be behind its other blobs. */
	if (call->ghost && call->deadline_ms < conn->blob_ms + call->timeout_ms)
		call->deadline_ms = conn->blob_ms + call->timeout_ms;
	left = call->deadline_ms - rpc_loop_now_ms(conn->link.loop);
	if (left > 0) { /* there has been progress */
		rpc_timer_start(&call->timer, conn->link.loop, left, on_deadline, call);
		return;
	}
	rpc_link_enter(&conn->link);
	err_set(&err, ERR_TIMEOUT, "no answer for %g s", (double)call->timeout_ms / 1000);
	if (call->ghost)
		rpc_link_failf(
			&conn->link, ERR_TIMEOUT, "the peer does not end a cancelled request");
	else if (call->mine)
		rpc_call_abort_own(call, &err);
	else
		rpc_call_fail_now(call, &err);
	rpc_link_leave(&conn->link);
}

void rpc_call_progress(struct rpc_call *call)
{
	call->deadline_ms = rpc_loop_now_ms(call->conn->link.loop) + call->timeout_ms;
}

/* --- Blobs out --- */

void rpc_call_add_sender(struct rpc_call *call)
{
	struct rpc_conn *conn = call->conn;

	if (call->sending || call->ghost || call->out != RPC_HALF_OPEN || call->out_credit == 0)
		return;
	call->sending = true;
	TAILQ_INSERT_TAIL(&conn->senders, call, send_link);
	rpc_link_kick(&conn->link);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void send_piece(struct rpc_call *call)
{
	const struct rpc_call_ops *ops = call->ops;
	size_t len = least(least(call->out_left, call->out_credit), RPC_PAYLOAD_MAX);
	bool last = len == call->out_left;

	send_frame(call, RPC_BLOB, last ? RPC_LAST : 0, call->out_at, len);
	call->out_at += len;
	call->out_left -= len;
	call->out_credit -= (uint32_t)len;
	call->bytes_out += len;
	rpc_call_progress(call);
	if (last)
		rpc_call_end_half(call, &call->out);
	else
		rpc_call_add_sender(call);
	if (last && !call->mine)
		finish_theirs(call);
	if (ops != NULL && ops->sent != NULL)
		ops->sent(call->arg, len);
}

void rpc_call_refill(struct rpc_conn *conn)
{
	struct rpc_call *call;

	while ((call = TAILQ_FIRST(&conn->senders)) != NULL &&
		rpc_link_behind(&conn->link) < RPC_OUT_LOW && rpc_link_alive(&conn->link)) {
		remove_sender(call);
		send_piece(call);
	}
}

/* --- For the user --- */

static int may_start(struct rpc_conn *conn, size_t len, struct err *err)
{
	if (!rpc_link_is_up(&conn->link))
		return err_set(
			err, ERR_CLOSED, "the connection to %s is not up", conn->link.address);
	if (len > RPC_PAYLOAD_MAX)
		return err_set(err, ERR_LIMIT, "request: %zu bytes of parameters, at most %d", len,
			RPC_PAYLOAD_MAX);
	if (rpc_link_behind(&conn->link) > RPC_OUT_HIGH) {
		conn->refused_busy = true;
		return err_set(err, ERR_BUSY, "%s does not read fast enough", conn->link.address);
	}
	return 0;
}

struct rpc_call *rpc_call_start(struct rpc_conn *conn, const struct rpc_request *r, struct err *err)
{
	struct rpc_header h = {.kind = RPC_REQUEST, .method = r->method, .len = (uint32_t)r->len};
	struct rpc_call *call;

	if (may_start(conn, r->len, err) != 0)
		return NULL;
	assert(r->reply_window <= RPC_WINDOW_MAX);
	if (conn->mine.count >= RPC_CALLS_MAX || (r->blob != NULL && conn->link.peer_credit > 0 &&
							 conn->mine.blobs >= RPC_BLOBS_MAX)) {
		conn->refused_busy = true;
		err_set(err, ERR_BUSY, "too many requests to %s are open", conn->link.address);
		return NULL;
	}
	call = rpc_call_new(conn, true, conn->next_id, r->timeout_ms, err);
	if (call == NULL)
		return NULL;
	h.id = conn->next_id++;
	call->ops = r->ops;
	call->arg = r->arg;
	if (r->blob != NULL) {
		h.flags = RPC_MORE;
		call->out_at = r->blob;
		call->out_left = r->blob_len;
		rpc_call_open_request(call, conn->link.peer_credit);
	}
	call->in_max = r->reply_max;
	rpc_link_send(&conn->link, &h, r->params);
	if (r->reply_max > 0 && r->reply_window > conn->link.credit) {
		call->in_size = r->reply_window;
		rpc_call_send_credit(call, r->reply_window - conn->link.credit);
	}
	rpc_call_add_sender(call);
	return call;
}

void rpc_call_cancel(struct rpc_call *call)
{
	assert(call->mine && !call->ghost);
	call->ops = NULL;
	rpc_call_abort_own(call, NULL);
}

int rpc_notify(
	struct rpc_conn *conn, uint16_t method, const void *params, size_t len, struct err *err)
{
	struct rpc_header h = {.kind = RPC_NOTIFY, .method = method, .len = (uint32_t)len};

	if (may_start(conn, len, err) != 0)
		return -1;
	rpc_link_send(&conn->link, &h, params);
	return 0;
}

void rpc_call_serve(struct rpc_call *call, const struct rpc_call_ops *ops, void *arg)
{
	call->ops = ops;
	call->arg = arg;
}

void rpc_call_reply(struct rpc_call *call, const void *bytes, size_t len, const struct buf *blob)
{
	assert(!call->mine && !call->replied && len <= RPC_PAYLOAD_MAX);
	call->replied = true;
	send_frame(call, RPC_REPLY, blob != NULL ? RPC_MORE : 0, bytes, len);
	if (blob != NULL) {
		call->out = RPC_HALF_OPEN;
		call->out_at = blob->data;
		call->out_left = blob->len;
		rpc_call_add_sender(call);
	} else {
		finish_theirs(call);
	}
}

void rpc_call_took(struct rpc_call *call, size_t len)
{
	uint32_t more;

	assert(len <= call->in_held);
	call->in_held -= (uint32_t)len;
	call->in_taken += (uint32_t)len;
	rpc_call_progress(call);
	/* Credit is returned by a quarter of the window, not for each piece. */
	if (call->in != RPC_HALF_OPEN || call->in_taken == 0 || call->in_taken < call->in_size / 4)
		return;
	more = call->in_taken;
	call->in_taken = 0;
	rpc_call_send_credit(call, more);
}

void rpc_call_grant(struct rpc_call *call, uint32_t bytes)
{
	assert(!call->mine && bytes > 0);
	if (call->in != RPC_HALF_OPEN || call->ghost || call->finished)
		return;
	assert(bytes <= RPC_WINDOW_MAX - call->in_size);
	call->in_size += bytes;
	rpc_call_progress(call);
	rpc_call_send_credit(call, bytes);
}

const struct rpc_identity *rpc_call_peer(const struct rpc_call *call)
{
	return &call->conn->link.peer;
}

const char *rpc_call_address(const struct rpc_call *call)
{
	return call->conn->link.address;
}

bool rpc_call_has_blob(const struct rpc_call *call)
{
	return call->in != RPC_HALF_NONE;
}
