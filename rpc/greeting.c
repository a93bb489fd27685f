#include "rpc/greeting.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/err.h"
#include "rpc/call.h"
#include "rpc/conn.h"

#define BUSY_MS 1000
/* In place of no deadline: the client's patience ends it. */
#define DEADLINE_MS (365ll * 24 * 3600 * 1000)

void rpc_greeting_keep(
	struct rpc_greeting *g, uint16_t method, void *params, size_t len, size_t reply_max)
{
	assert(params != NULL);
	free(g->params);
	g->method = method;
	g->params = params;
	g->len = len;
	g->reply_max = reply_max;
}

void rpc_greeting_fini(struct rpc_greeting *g)
{
	assert(g->conn == NULL);
	free(g->params);
	g->params = NULL;
}

void rpc_greeting_up(struct rpc_greeting *g, struct rpc_conn *conn)
{
	assert(g->conn == NULL && !g->flying);
	g->conn = conn;
	g->due = g->params != NULL;
}

void rpc_greeting_down(struct rpc_greeting *g)
{
	g->conn = NULL;
	rpc_timer_stop(&g->busy);
}

static void on_time(void *arg)
{
	struct rpc_greeting *g = arg;

	g->due = g->conn != NULL;
	g->again(g->ctx);
}

static void on_done(void *arg, const struct err *err)
{
	struct rpc_greeting *g = arg;

	g->flying = false;
	if (err != NULL && (g->conn == NULL || rpc_conn_is_lost(g->conn)))
		return;
	if (err != NULL && err->code == ERR_BUSY)
		rpc_timer_start(&g->busy, g->loop, BUSY_MS, on_time, g);
	else
		g->answered(g->ctx, err);
}

bool rpc_greeting_said(struct rpc_greeting *g)
{
	static const struct rpc_call_ops ops = {.done = on_done};
	const struct rpc_request q = {
		.method = g->method,
		.params = g->params,
		.len = g->len,
		.reply_max = g->reply_max,
		.timeout_ms = DEADLINE_MS,
		.ops = &ops,
		.arg = g,
	};

	assert(g->conn != NULL);
	if (g->flying || rpc_timer_on(&g->busy))
		return false;
	if (!g->due)
		return true;
	g->flying = rpc_call_start(g->conn, &q, NULL) != NULL;
	g->due = !g->flying; /* busy: `room` comes */
	return false;
}
