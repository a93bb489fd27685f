/*
 * rpc/ in one process: two connections over a socket pair, on one loop.
 */
#include "test/unit/unit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "lib/pool.h"
#include "rpc/deny.h"
#include "rpc/listen.h"
#include "rpc/dial.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

static char folder[256];
static struct rpc_loop *loop;
static struct rpc_service service;
static struct peer_state state;
static struct rpc_async pool_wake;

/* One end. */
struct end {
	struct rpc_conn *conn;
	int up, closed, room;
	struct err why;
	bool free_when_closed;
};

struct pair {
	struct end client, server;
};

static const struct rpc_times quick = {
	.handshake = 5000, .frame = 3000, .ping = 200, .dead = 3000, .bye = 1000, .cancel = 500};

/* A call's outcome. */
struct outcome {
	struct rpc_call *call;
	int replies, dones;
	bool ok, more, ended, bad;
	struct err err;
	uint64_t got, sent, len, random;
	uint8_t reply[256];
	size_t reply_len;
	bool stop; /* the loop, when done */
	bool lazy; /* takes nothing */
	uint64_t cancel_at;
	struct rpc_conn *free_at_reply;
	uint64_t reply_max; /* 0: any */
	uint32_t reply_window;
};

static void on_up(void *arg)
{
	((struct end *)arg)->up++;
}

static void on_room(void *arg)
{
	((struct end *)arg)->room++;
}

static void on_closed(void *arg, const struct err *why)
{
	struct end *e = arg;

	e->closed++;
	e->why = *why;
	if (e->free_when_closed) {
		rpc_conn_free(e->conn);
		e->conn = NULL;
	}
}

static const struct rpc_conn_ops conn_ops = {on_up, on_room, on_closed};

static void out_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct outcome *o = arg;

	o->replies++;
	o->more = more;
	o->reply_len = len < sizeof o->reply ? len : sizeof o->reply;
	memcpy(o->reply, bytes, o->reply_len);
	if (o->free_at_reply != NULL)
		rpc_conn_free(o->free_at_reply);
}

static void out_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct outcome *o = arg;

	if (!peer_check(bytes, o->got, len))
		o->bad = true;
	o->got += len;
	o->ended = last;
	if (!o->lazy)
		rpc_call_took(o->call, len);
	if (o->cancel_at != 0 && o->got >= o->cancel_at && !last) {
		rpc_call_cancel(o->call);
		o->call = NULL;
	}
}

static int out_fill(void *arg, uint8_t *to, size_t cap, size_t *len, bool *last, struct err *err)
{
	struct outcome *o = arg;

	(void)err;
	if (o->random != 0)
		cap = 1 + peer_random(&o->random, (uint32_t)cap);
	*len = o->len - o->sent < cap ? (size_t)(o->len - o->sent) : cap;
	peer_fill(to, o->sent, *len);
	o->sent += *len;
	*last = o->sent == o->len;
	return 0;
}

static void out_done(void *arg, const struct err *err)
{
	struct outcome *o = arg;

	o->dones++;
	o->ok = err == NULL;
	if (err != NULL)
		o->err = *err;
	if (o->stop)
		rpc_loop_stop(loop);
}

static const struct rpc_call_ops out_ops = {out_reply, out_data, out_fill, out_done};

static void start(struct rpc_conn *conn, struct outcome *o, unsigned method, const void *params,
	size_t len, bool blob)
{
	struct rpc_request r = {
		.method = (uint16_t)method,
		.params = params,
		.len = len,
		.blob = blob,
		.timeout_ms = 5000,
		.reply_max = o->reply_max != 0 ? o->reply_max : UINT64_MAX,
		.reply_window = o->reply_window,
		.ops = &out_ops,
		.arg = o,
	};
	struct err err = {0};

	o->call = rpc_call_start(conn, &r, &err);
	assert_non_null(o->call);
	assert_int_equal(o->dones, 0);
}

static uint32_t server_credit; /* of the pairs made from now on */

static void stop_loop(void *arg)
{
	(void)arg;
	rpc_loop_stop(loop);
}

static void run_ms(int64_t ms)
{
	struct rpc_timer t = {0};

	rpc_timer_start(&t, loop, ms, stop_loop, NULL);
	rpc_loop_run(loop);
	rpc_timer_stop(&t);
}

static void wait_done(struct outcome *o)
{
	int i;

	for (i = 0; i < 500 && o->dones == 0; i++)
		run_ms(20);
	assert_int_equal(o->dones, 1);
}

static void wait_closed(struct end *e)
{
	int i;

	for (i = 0; i < 500 && e->closed == 0; i++)
		run_ms(20);
	assert_int_equal(e->closed, 1);
}

static struct rpc_tls_conf *conf_of(const char *name, const struct rpc_deny *deny)
{
	struct err err = {0};
	struct rpc_tls_conf *conf = peer_conf(folder, name, deny, &err);

	if (conf == NULL)
		fail_msg("%s", err.message);
	return conf;
}

static void make_end(struct end *e, int fd, struct rpc_tls_conf *conf,
	const struct rpc_expect *expect, const struct rpc_times *times)
{
	struct rpc_conn_opts opts = {.conf = conf,
		.expect = expect,
		.service = &service,
		.times = times,
		.ops = &conn_ops,
		.arg = e,
		.address = "pair",
		.credit = expect == NULL ? server_credit : 0};
	struct err err = {0};

	*e = (struct end){0};
	e->conn = rpc_conn_new(loop, fd, &opts, &err);
	assert_non_null(e->conn);
	assert_int_equal(e->up + e->closed, 0);
}

static void make_pair_as(struct pair *p, const char *client, const char *server,
	const struct rpc_expect *expect, const struct rpc_deny *deny, const struct rpc_times *times)
{
	struct rpc_tls_conf *c = conf_of(client, NULL), *s = conf_of(server, deny);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	make_end(&p->client, fd[0], c, expect, times);
	make_end(&p->server, fd[1], s, NULL, times);
	rpc_tls_conf_unref(c);
	rpc_tls_conf_unref(s);
}

static void wait_up(struct pair *p)
{
	int i;

	for (i = 0; i < 200 && (p->client.up == 0 || p->server.up == 0) &&
		    p->client.closed + p->server.closed == 0;
		i++)
		run_ms(10);
}

static void make_pair_timed(struct pair *p, const struct rpc_times *times)
{
	const struct rpc_expect expect = {RPC_STORE, "s1"};

	make_pair_as(p, "a1", "s1", &expect, NULL, times);
	wait_up(p);
	assert_int_equal(p->client.up, 1);
	assert_int_equal(p->server.up, 1);
}

static void make_pair(struct pair *p)
{
	make_pair_timed(p, NULL);
}

static void free_pair(struct pair *p)
{
	rpc_conn_free(p->client.conn);
	rpc_conn_free(p->server.conn);
}

static size_t echo_params(uint8_t *mem, size_t cap, const void *data, size_t len)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, cap);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "data");
	cbor_put_bytes(&out, data, len);
	assert_false(cbor_out_full(&out));
	return cbor_out_len(&out);
}

static size_t number_params(uint8_t *mem, const char *key, uint64_t n, uint64_t seed)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, 64);
	cbor_put_map(&out, seed != 0 ? 2 : 1);
	cbor_put_text(&out, key);
	cbor_put_uint(&out, n);
	if (seed != 0) {
		cbor_put_text(&out, "seed");
		cbor_put_uint(&out, seed);
	}
	return cbor_out_len(&out);
}

/* --- Tests --- */

static void calls_go_both_ways(void **unused)
{
	struct pair p;
	struct outcome a = {0}, b = {0};
	uint8_t mem[128];
	size_t len = echo_params(mem, sizeof mem, "hello", 5);

	(void)unused;
	make_pair(&p);
	assert_string_equal(rpc_conn_peer(p.client.conn)->name, "s1");
	assert_string_equal(rpc_conn_peer(p.server.conn)->name, "a1");
	assert_int_equal(rpc_conn_peer(p.server.conn)->role, RPC_AGENT);
	start(p.client.conn, &a, PEER_ECHO, mem, len, false);
	start(p.server.conn, &b, PEER_ECHO, mem, len, false);
	wait_done(&a);
	wait_done(&b);
	assert_true(a.ok && b.ok);
	assert_int_equal(a.reply_len, len);
	assert_memory_equal(a.reply, mem, len);
	free_pair(&p);
}

static void pipelines_up_to_the_limit(void **unused)
{
	static struct outcome o[RPC_CALLS_MAX + 1];
	struct rpc_request r = {.method = PEER_ECHO, .timeout_ms = 5000, .ops = &out_ops, .arg = o};
	struct err err = {0};
	uint8_t mem[128];
	struct pair p;
	int i;

	(void)unused;
	memset(o, 0, sizeof o);
	make_pair(&p);
	r.params = mem;
	r.len = echo_params(mem, sizeof mem, "x", 1);
	for (i = 0; i < RPC_CALLS_MAX; i++)
		start(p.client.conn, &o[i], PEER_ECHO, mem, r.len, false);
	assert_null(rpc_call_start(p.client.conn, &r, &err));
	assert_int_equal(err.code, ERR_BUSY);
	for (i = 0; i < RPC_CALLS_MAX; i++) {
		wait_done(&o[i]);
		assert_true(o[i].ok);
	}
	assert_int_equal(p.client.room, 1);
	free_pair(&p);
}

static void blob_of(uint64_t len, uint64_t seed)
{
	struct pair p;
	struct outcome up = {.len = len, .random = seed}, down = {0}, both = {.len = len};
	uint8_t mem[64];

	make_pair(&p);
	start(p.client.conn, &up, PEER_SINK, NULL, 0, true);
	wait_done(&up);
	assert_true(up.ok);
	assert_non_null(memmem(up.reply, up.reply_len, "\x64good\xf5", 6));
	start(p.server.conn, &down, PEER_SOURCE, mem, number_params(mem, "len", len, seed), false);
	wait_done(&down);
	assert_true(down.ok && down.ended && !down.bad);
	assert_int_equal(down.got, len);
	start(p.client.conn, &both, PEER_DUPLEX, NULL, 0, true);
	wait_done(&both);
	assert_true(both.ok && both.ended && !both.bad);
	assert_int_equal(both.got, len);
	free_pair(&p);
}

static void blobs_of_all_sizes(void **unused)
{
	(void)unused;
	blob_of(0, 0);
	blob_of(1, 0);
	blob_of(RPC_PAYLOAD_MAX, 0);
	blob_of(RPC_PAYLOAD_MAX + 1, 7);
	blob_of(RPC_WINDOW, 0);
	blob_of(RPC_WINDOW + 1, 0);
	blob_of(5 * RPC_WINDOW + 12345, 99);
}

static void errors_arrive_escaped(void **unused)
{
	struct pair p;
	struct outcome o = {0};

	(void)unused;
	make_pair(&p);
	start(p.client.conn, &o, PEER_FAIL, NULL, 0, false);
	wait_done(&o);
	assert_int_equal(o.err.code, ERR_DAMAGE);
	assert_string_equal(o.err.message, "bad \\033[31mred\\033[0m\\nand \\342\\200\\256 more");
	assert_int_equal(p.client.closed, 0);
	free_pair(&p);
}

static void limits_hold(void **unused)
{
	struct pair p;
	struct outcome big = {0}, blob = {.len = 1001}, fits = {.len = 1000}, none = {0},
		       name = {0};
	unsigned handled;
	uint8_t mem[512], data[100] = {0};
	size_t len;

	(void)unused;
	make_pair(&p);
	handled = state.handled;
	len = echo_params(mem, sizeof mem, data, sizeof data);
	start(p.client.conn, &big, PEER_TIGHT, mem, len, false); /* over param_max */
	wait_done(&big);
	assert_int_equal(big.err.code, ERR_LIMIT);
	start(p.client.conn, &none, PEER_ECHO, NULL, 0, true); /* takes no blob */
	wait_done(&none);
	assert_int_equal(none.err.code, ERR_LIMIT);
	assert_int_equal(state.handled, handled);
	start(p.client.conn, &name, PEER_TIGHT, "\xa1\x64name\x64../x", 11, false);
	wait_done(&name);
	assert_int_equal(name.err.code, ERR_FORMAT);
	assert_int_equal(state.handled, handled);
	start(p.client.conn, &blob, PEER_TIGHT, NULL, 0, true);
	wait_done(&blob);
	assert_int_equal(blob.err.code, ERR_LIMIT);
	start(p.client.conn, &fits, PEER_TIGHT, NULL, 0, true);
	wait_done(&fits);
	assert_true(fits.ok);
	assert_int_equal(p.client.closed, 0);
	free_pair(&p);
}

static void cancel_stops_a_blob(void **unused)
{
	struct pair p;
	struct outcome down = {.cancel_at = 3000000}, up = {.len = UINT64_MAX}, after = {0};
	unsigned over;
	uint8_t mem[64];
	int i;

	(void)unused;
	make_pair(&p);
	over = state.over;
	start(p.client.conn, &down, PEER_SOURCE, mem, number_params(mem, "len", 1ull << 40, 0),
		false);
	start(p.client.conn, &up, PEER_SINK, NULL, 0, true);
	for (i = 0; i < 2000 && down.call != NULL; i++)
		run_ms(5);
	assert_null(down.call);
	rpc_call_cancel(up.call);
	start(p.client.conn, &after, PEER_ECHO, mem, echo_params(mem, sizeof mem, "x", 1), false);
	wait_done(&after);
	run_ms(50);
	assert_int_equal(down.dones + up.dones, 0);
	assert_true(down.got < 3000000 + 2 * RPC_WINDOW);
	assert_int_equal(state.over, over + 2);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	rpc_conn_shutdown(p.client.conn);
	wait_closed(&p.client);
	assert_int_equal(p.client.why.code, ERR_NONE);
	free_pair(&p);
}

static void a_failing_source_is_no_whole_blob(void **unused)
{
	struct pair p;
	struct outcome o = {0};
	uint8_t mem[64];

	(void)unused;
	make_pair(&p);
	start(p.client.conn, &o, PEER_ABORT, mem, number_params(mem, "len", 100000, 0), false);
	wait_done(&o);
	assert_int_equal(o.err.code, ERR_IO);
	assert_int_equal(o.got, 100000);
	assert_false(o.ended);
	free_pair(&p);
}

static void an_early_reply_stops_the_blob(void **unused)
{
	struct pair p;
	struct outcome o = {.len = UINT64_MAX}, after = {0};

	(void)unused;
	make_pair(&p);
	start(p.client.conn, &o, PEER_EARLY, NULL, 0, true);
	wait_done(&o);
	assert_true(o.ok);
	start(p.client.conn, &after, PEER_EARLY, NULL, 0, false);
	wait_done(&after);
	assert_true(after.ok);
	rpc_conn_shutdown(p.server.conn);
	wait_closed(&p.server);
	wait_closed(&p.client);
	assert_int_equal(p.server.why.code, ERR_NONE);
	assert_int_equal(p.client.why.code, ERR_NONE);
	free_pair(&p);
}

static void a_slow_consumer_stops_only_its_blob(void **unused)
{
	struct pair p;
	struct outcome up = {.len = UINT64_MAX}, down = {.lazy = true}, o = {0};
	uint8_t mem[64];
	int i;

	(void)unused;
	make_pair(&p);
	start(p.client.conn, &up, PEER_STUCK, NULL, 0, true);
	start(p.client.conn, &down, PEER_SOURCE, mem, number_params(mem, "len", 1u << 30, 0),
		false);
	for (i = 0; i < 500 && (up.sent < RPC_WINDOW || down.got < RPC_WINDOW); i++)
		run_ms(20);
	run_ms(100);
	assert_int_equal(up.sent, RPC_WINDOW);
	assert_int_equal(down.got, RPC_WINDOW);
	start(p.client.conn, &o, PEER_ECHO, mem, echo_params(mem, sizeof mem, "x", 1), false);
	wait_done(&o);
	assert_true(o.ok);
	free_pair(&p);
	assert_int_equal(up.dones + down.dones, 2);
	assert_int_equal(up.err.code, ERR_CLOSED);
}

static size_t put_params(uint8_t *mem, uint64_t len, bool had)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, 64);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "len");
	cbor_put_uint(&out, len);
	cbor_put_text(&out, "had");
	cbor_put_bool(&out, had);
	return cbor_out_len(&out);
}

/* More blobs are offered than may be open, each larger than a window. The
 * server takes them by threes, and some never. */
static void the_server_decides_when_a_blob_is_sent(void **unused)
{
	enum { PUTS = 250, LEN = 100 * 1024, LARGE = 3 * 1024 * 1024 };
	static struct outcome o[PUTS];
	struct pair p;
	struct outcome other = {0};
	uint64_t wanted = 0, sunk;
	unsigned over;
	uint8_t mem[64];
	int i;

	(void)unused;
	memset(o, 0, sizeof o);
	server_credit = RPC_CREDIT_NONE;
	make_pair(&p);
	state.put_max = 0; /* nothing yet */
	state.puts_most = 0;
	sunk = state.sunk;
	over = state.over;
	for (i = 0; i < PUTS; i++) {
		o[i].len = i == 3 ? LARGE : LEN;
		if (i % 5 != 0)
			wanted += o[i].len;
		start(p.client.conn, &o[i], PEER_PUT, mem, put_params(mem, o[i].len, i % 5 == 0),
			true);
	}
	for (i = 0; i < PUTS; i += 5) {
		wait_done(&o[i]);
		assert_true(o[i].ok && o[i].sent == 0);
		assert_non_null(memmem(o[i].reply, o[i].reply_len, "\x63had\xf5", 5));
	}
	start(p.client.conn, &other, PEER_ECHO, mem, echo_params(mem, sizeof mem, "x", 1), false);
	wait_done(&other);
	assert_int_equal(state.puts_most, PUTS - PUTS / 5);
	for (i = 0; i < PUTS; i++)
		assert_int_equal(o[i].sent, 0);
	state.put_max = 3;
	memset(&other, 0, sizeof other);
	other.len = 1; /* a put starts the rest */
	start(p.client.conn, &other, PEER_PUT, mem, put_params(mem, 1, false), true);
	for (i = 0; i < PUTS; i++) {
		wait_done(&o[i]);
		assert_true(o[i].ok);
		assert_int_equal(o[i].sent, i % 5 == 0 ? 0 : o[i].len);
	}
	wait_done(&other);
	assert_true(other.ok);
	assert_int_equal(state.sunk - sunk, wanted + 1);
	run_ms(50);
	assert_int_equal(state.over, over + PUTS + 1);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	rpc_conn_shutdown(p.client.conn);
	wait_closed(&p.client);
	assert_int_equal(p.client.why.code, ERR_NONE);
	free_pair(&p);
	server_credit = 0;
}

/* What is offered and not granted is cancelled like all others. */
static void a_blob_without_credit_is_cancelled(void **unused)
{
	struct pair p;
	struct outcome gone = {.len = 1000}, o = {0};
	unsigned over;
	uint8_t mem[64];

	(void)unused;
	server_credit = RPC_CREDIT_NONE;
	make_pair(&p);
	state.put_max = 0;
	over = state.over;
	start(p.client.conn, &gone, PEER_PUT, mem, put_params(mem, 1000, false), true);
	run_ms(20);
	rpc_call_cancel(gone.call);
	start(p.client.conn, &o, PEER_ECHO, mem, echo_params(mem, sizeof mem, "x", 1), false);
	wait_done(&o);
	assert_int_equal(state.over, over + 1);
	assert_int_equal(state.puts_waiting, 0);
	assert_int_equal(gone.sent + (uint64_t)gone.dones, 0);
	/* The other way credit is as usual. */
	memset(&gone, 0, sizeof gone);
	gone.len = 2 * RPC_WINDOW;
	start(p.server.conn, &gone, PEER_SINK, NULL, 0, true);
	wait_done(&gone);
	assert_true(gone.ok);
	free_pair(&p);
	server_credit = 0;
}

static void reply_blobs_have_a_limit_and_a_window(void **unused)
{
	struct pair p;
	struct outcome none = {.reply_max = 1}, fits = {.reply_max = 100000},
		       wide = {.reply_window = 8 * RPC_WINDOW, .lazy = true}, o = {0}, credit = {0};
	struct rpc_request r = {
		.method = PEER_SOURCE, .timeout_ms = 5000, .ops = &out_ops, .arg = &o};
	struct err err = {0};
	uint8_t mem[64];
	int i;

	(void)unused;
	server_credit = RPC_CREDIT_NONE;
	make_pair(&p);
	start(p.client.conn, &none, PEER_SOURCE, mem, number_params(mem, "len", 100000, 0), false);
	start(p.client.conn, &fits, PEER_SOURCE, mem, number_params(mem, "len", 100000, 0), false);
	start(p.client.conn, &wide, PEER_SOURCE, mem, number_params(mem, "len", 1ull << 40, 0),
		false);
	/* None is accepted unless asked for. */
	r.params = mem;
	r.len = number_params(mem, "len", 1, 0);
	assert_non_null(rpc_call_start(p.client.conn, &r, &err));
	wait_done(&none);
	assert_int_equal(none.err.code, ERR_LIMIT);
	wait_done(&fits);
	assert_true(fits.ok && fits.ended && !fits.bad);
	wait_done(&o);
	assert_int_equal(o.err.code, ERR_LIMIT);
	assert_int_equal(o.replies + (int)o.got, 0);
	for (i = 0; i < 500 && wide.got < 8 * RPC_WINDOW; i++)
		run_ms(20);
	run_ms(50);
	assert_int_equal(wide.got, 8 * RPC_WINDOW);
	rpc_call_cancel(wide.call);
	/* A side that gives no credit by itself gives it to what it asks for. */
	start(p.server.conn, &credit, PEER_SOURCE, mem,
		number_params(mem, "len", 3 * RPC_WINDOW, 0), false);
	wait_done(&credit);
	assert_true(credit.ok && credit.ended && credit.got == 3 * RPC_WINDOW);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	free_pair(&p);
	server_credit = 0;
}

static void deadlines_end_calls(void **unused)
{
	struct pair p;
	struct outcome theirs = {0}, mine = {0}, o = {0};
	struct rpc_request r = {
		.method = PEER_SLEEP, .timeout_ms = 100, .ops = &out_ops, .arg = &mine};
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	make_pair(&p);
	start(p.client.conn, &theirs, PEER_HOLD, NULL, 0, false);
	r.params = mem;
	r.len = number_params(mem, "ms", 300, 0);
	assert_non_null(rpc_call_start(p.client.conn, &r, &err));
	wait_done(&mine);
	assert_int_equal(mine.err.code, ERR_TIMEOUT);
	wait_done(&theirs);
	assert_int_equal(theirs.err.code, ERR_TIMEOUT);
	start(p.client.conn, &o, PEER_ECHO, mem, echo_params(mem, sizeof mem, "x", 1), false);
	wait_done(&o);
	assert_true(o.ok);
	run_ms(300);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	free_pair(&p);
}

static void shutdown_waits_for_calls(void **unused)
{
	struct pair p;
	struct outcome o = {0};
	struct rpc_request r = {.method = PEER_EARLY, .timeout_ms = 100, .ops = &out_ops};
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	make_pair(&p);
	start(p.client.conn, &o, PEER_SLEEP, mem, number_params(mem, "ms", 200, 0), false);
	rpc_conn_shutdown(p.client.conn);
	rpc_conn_shutdown(p.client.conn);
	assert_null(rpc_call_start(p.client.conn, &r, &err));
	assert_int_equal(err.code, ERR_CLOSED);
	run_ms(100);
	assert_int_equal(p.client.closed, 0);
	assert_null(rpc_call_start(p.server.conn, &r, &err));
	wait_closed(&p.client);
	wait_closed(&p.server);
	assert_true(o.ok && o.dones == 1);
	assert_int_equal(p.client.why.code, ERR_NONE);
	assert_int_equal(p.server.why.code, ERR_NONE);
	free_pair(&p);
}

static void silence_is_noticed(void **unused)
{
	struct pair p;
	struct outcome o = {0};
	uint8_t mem[64];

	(void)unused;
	make_pair_timed(&p, &quick);
	run_ms(1500); /* pings keep it alive */
	assert_int_equal(p.client.closed + p.server.closed, 0);
	start(p.client.conn, &o, PEER_SLEEP, mem, number_params(mem, "ms", 60000, 0), false);
	run_ms(50);
	rpc_conn_free(p.server.conn); /* no close_notify */
	p.server.conn = NULL;
	wait_closed(&p.client);
	assert_int_equal(p.client.why.code, ERR_CLOSED);
	assert_int_equal(o.dones, 1);
	assert_int_equal(o.err.code, ERR_CLOSED);
	free_pair(&p);
}

static void freeing_inside_a_callback(void **unused)
{
	struct pair p;
	struct outcome a = {0}, b = {0};
	uint8_t mem[64];

	(void)unused;
	make_pair(&p);
	a.free_at_reply = p.client.conn;
	p.server.free_when_closed = true;
	start(p.client.conn, &b, PEER_SLEEP, mem, number_params(mem, "ms", 5000, 0), false);
	start(p.client.conn, &a, PEER_SOURCE, mem, number_params(mem, "len", 100000, 0), false);
	wait_done(&a);
	assert_int_equal(a.err.code, ERR_CLOSED);
	assert_int_equal(b.dones, 1);
	assert_int_equal(p.client.closed, 0);
	wait_closed(&p.server);
}

static void work_in_the_pool(void **unused)
{
	struct pair p;
	struct outcome o[4] = {0};
	uint8_t mem[64];
	size_t len = number_params(mem, "ms", 50, 0);
	int i;

	(void)unused;
	make_pair(&p);
	for (i = 0; i < 4; i++)
		start(p.client.conn, &o[i], PEER_WORK, mem, len, false);
	rpc_call_cancel(o[3].call);
	wait_done(&o[0]);
	assert_true(o[0].ok);
	free_pair(&p); /* with work running */
	assert_int_equal(o[1].dones + o[2].dones, 2);
	assert_int_equal(o[3].dones, 0);
	run_ms(200);
}

static void notes_arrive(void **unused)
{
	struct pair p;
	struct err err = {0};
	uint8_t mem[64];
	size_t len = number_params(mem, "n", 7, 0);

	(void)unused;
	make_pair(&p);
	state.notes = 0;
	assert_int_equal(rpc_notify(p.client.conn, PEER_NOTE, mem, len, &err), 0);
	assert_int_equal(rpc_notify(p.server.conn, PEER_NOTE, mem, len, &err), 0);
	/* Wrong ones are logged, and nothing else. */
	assert_int_equal(rpc_notify(p.client.conn, PEER_ECHO, mem, len, &err), 0);
	assert_int_equal(rpc_notify(p.client.conn, PEER_NOTE, "\xff", 1, &err), 0);
	run_ms(50);
	assert_int_equal(state.notes, 14);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	free_pair(&p);
}

/* Every method asked by every role: what the table says, and nothing else. */
static void roles_and_methods(void **unused)
{
	static const char *const who[] = {"a1", "m1", "s2", "o1"};
	static const enum rpc_role roles[] = {RPC_AGENT, RPC_MANAGER, RPC_STORE, RPC_OPERATOR};
	const struct rpc_expect expect = {RPC_STORE, "s1"};
	size_t w, m;

	(void)unused;
	for (w = 0; w < 4; w++) {
		struct pair p;

		make_pair_as(&p, who[w], "s1", &expect, NULL, NULL);
		wait_up(&p);
		assert_int_equal(p.client.up, 1);
		for (m = 0; m <= peer_methods_count; m++) {
			const struct rpc_method *method = &peer_methods[m];
			bool known = m < peer_methods_count && method->handler != NULL;
			bool may = known && (method->roles & RPC_ROLE_BIT(roles[w])) != 0;
			unsigned number = m < peer_methods_count ? method->number : 999;
			struct outcome o = {0};
			unsigned handled = state.handled, logged = state.logged;

			/* Malformed on purpose: a method that may be asked says so, and
			 * no handler runs; one that may not does not even look. */
			start(p.client.conn, &o, number, "\xff", 1, false);
			wait_done(&o);
			assert_int_equal(o.err.code, !known ? ERR_UNSUPPORTED
						     : may  ? ERR_FORMAT
							    : ERR_DENIED);
			assert_int_equal(state.handled, handled);
			assert_int_equal(state.logged, logged + 1);
		}
		assert_int_equal(p.client.closed, 0);
		free_pair(&p);
	}
}

static void refused_by(const char *client, const char *server, const struct rpc_expect *expect,
	const struct rpc_deny *deny)
{
	struct pair p;
	unsigned logged = state.logged;

	make_pair_as(&p, client, server, expect, deny, NULL);
	wait_up(&p);
	wait_closed(&p.client);
	wait_closed(&p.server);
	/* At least one of them says why; neither came up on the refusing side. */
	assert_true(p.client.why.code == ERR_DENIED || p.server.why.code == ERR_DENIED);
	assert_int_equal(p.server.up, 0);
	assert_int_equal(state.logged, logged);
	free_pair(&p);
}

static void deny_host(struct rpc_deny *deny, const char *host)
{
	const struct rpc_issuer m1 = {"m1", "00000000000000000000000000000001"};
	struct err err = {0};

	assert_int_equal(rpc_deny_replace(deny, &m1, host, 1, &err), 0);
}

static void identities_are_held_against_what_is_expected(void **unused)
{
	const struct rpc_expect s1 = {RPC_STORE, "s1"}, other = {RPC_STORE, "s2"},
				role = {RPC_MANAGER, "s1"};
	struct rpc_deny deny;
	struct rpc_tls_conf *conf = conf_of("a1", NULL);

	(void)unused;
	refused_by("a1", "s1", &other, NULL);
	refused_by("a1", "s1", &role, NULL);
	refused_by("expired", "s1", &s1, NULL);
	refused_by("early", "s1", &s1, NULL);
	refused_by("a1", "expired", &(struct rpc_expect){RPC_AGENT, "expired"}, NULL);
	refused_by("s1", "s1", &s1, NULL); /* ourselves */
	rpc_deny_init(&deny);
	deny_host(&deny, rpc_tls_conf_self(conf)->host);
	refused_by("a1", "s1", &s1, &deny);
	rpc_deny_fini(&deny);
	rpc_tls_conf_unref(conf);
}

static void denied_while_connected(void **unused)
{
	const struct rpc_expect s1 = {RPC_STORE, "s1"};
	struct rpc_deny deny;
	struct outcome o = {0};
	struct pair p;

	(void)unused;
	rpc_deny_init(&deny);
	make_pair_as(&p, "a1", "s1", &s1, &deny, NULL);
	wait_up(&p);
	assert_int_equal(p.server.up, 1);
	deny_host(&deny, rpc_conn_peer(p.server.conn)->host);
	start(p.client.conn, &o, PEER_EARLY, NULL, 0, false);
	wait_closed(&p.server);
	wait_done(&o);
	assert_int_equal(o.err.code, ERR_DENIED);
	free_pair(&p);
	/* Without a request, when the list has changed. */
	rpc_deny_fini(&deny);
	make_pair_as(&p, "a1", "s1", &s1, &deny, NULL);
	wait_up(&p);
	assert_int_equal(p.server.up, 1);
	rpc_conn_recheck(p.server.conn);
	run_ms(50);
	assert_int_equal(p.server.closed, 0);
	deny_host(&deny, rpc_conn_peer(p.server.conn)->host);
	rpc_conn_recheck(p.server.conn);
	assert_int_equal(p.server.closed, 0);
	wait_closed(&p.server);
	wait_closed(&p.client);
	assert_int_equal(p.server.why.code, ERR_DENIED);
	free_pair(&p);
	rpc_deny_fini(&deny);
}

/* --- Dialling --- */

struct dialled {
	int up, down;
	struct rpc_conn *conn;
	int64_t wait, first_wait; /* the last one; the first after the last connection */
	struct err why;
};

static void dial_up(void *arg, struct rpc_conn *conn)
{
	struct dialled *d = arg;

	d->up++;
	d->conn = conn;
	d->first_wait = 0;
}

static void dial_down(void *arg, const struct err *why, int64_t wait)
{
	struct dialled *d = arg;

	d->down++;
	d->why = *why;
	d->wait = wait;
	if (d->first_wait == 0)
		d->first_wait = wait;
}

static struct rpc_listen *listen_on(const char *port, struct rpc_tls_conf *conf)
{
	struct rpc_listen_opts opts = {
		.conf = conf, .service = &service, .host = "127.0.0.1", .port = port};
	struct err err = {0};
	struct rpc_listen *l = rpc_listen_new(loop, &opts, &err);

	if (l == NULL)
		fail_msg("%s", err.message);
	return l;
}

struct lonely {
	struct rpc_loop *loop;
	struct pool *pool;
	int down;
};

static void lonely_wake(void *arg)
{
	pool_drain(((struct lonely *)arg)->pool);
}

static void lonely_down(void *arg, const struct err *why, int64_t wait)
{
	struct lonely *l = arg;

	(void)why;
	assert_int_equal(wait, -1);
	l->down++;
	rpc_loop_stop(l->loop);
}

static void work_a_while(struct pool_job *job)
{
	const struct timespec while_ = {.tv_nsec = 50000000};

	(void)job;
	nanosleep(&while_, NULL);
}

static void nothing(struct pool_job *job)
{
	(void)job;
}

/* A loop that has nothing but a name to wait for waits for it. */
static void waits_for_a_name(void **unused)
{
	struct pool_job before = {.work = work_a_while, .done = nothing, .drop = nothing};
	struct err err = {0};
	struct lonely l = {.loop = rpc_loop_new(&err)};
	struct rpc_tls_conf *a1 = conf_of("a1", NULL);
	struct rpc_dial_opts opts = {.conf = a1,
		.expect = {RPC_STORE, "s1"},
		.host = "localhost",
		.port = "1",
		.once = true,
		.arg = &l,
		.down = lonely_down};
	struct rpc_async wake = {0};
	struct rpc_dial *dial;

	(void)unused;
	assert_non_null(l.loop);
	rpc_async_start(&wake, l.loop, lonely_wake, &l);
	opts.pool = l.pool = pool_new(1, 4, rpc_async_send, &wake, &err);
	assert_non_null(l.pool);
	assert_int_equal(pool_start(l.pool, &before), 0);
	dial = rpc_dial_new(l.loop, &opts, &err);
	assert_non_null(dial);
	rpc_loop_run(l.loop);
	assert_int_equal(l.down, 1);
	rpc_dial_free(dial);
	pool_free(l.pool);
	rpc_async_stop(&wake);
	rpc_loop_free(l.loop);
	rpc_tls_conf_unref(a1);
}

static void dials_and_dials_again(void **unused)
{
	struct rpc_tls_conf *s1 = conf_of("s1", NULL), *a1 = conf_of("a1", NULL);
	struct rpc_listen *l = listen_on("0", s1);
	struct dialled d = {0};
	struct rpc_dial_opts opts = {.conf = a1,
		.expect = {RPC_STORE, "s1"},
		.service = &service,
		.host = "127.0.0.1",
		.pool = state.pool,
		.wait_min_ms = 50,
		.wait_max_ms = 400,
		.arg = &d,
		.up = dial_up,
		.down = dial_down};
	struct err err = {0};
	struct outcome o = {0};
	struct rpc_dial *dial;
	char port[8];
	int i;

	(void)unused;
	snprintf(port, sizeof port, "%u", rpc_listen_port(l));
	opts.port = port;
	dial = rpc_dial_new(loop, &opts, &err);
	assert_non_null(dial);
	assert_null(rpc_dial_conn(dial));
	for (i = 0; i < 200 && d.up < 1; i++)
		run_ms(10);
	assert_int_equal(d.up, 1);
	assert_int_equal(rpc_listen_count(l), 1);
	start(rpc_dial_conn(dial), &o, PEER_EARLY, NULL, 0, false);
	wait_done(&o);
	assert_true(o.ok);
	rpc_listen_shutdown(l);
	for (i = 0; i < 200 && d.down < 3; i++)
		run_ms(10);
	assert_true(d.down >= 3);
	assert_true(d.wait >= 25 && d.wait <= 400);
	assert_int_equal(d.up, 1);
	rpc_listen_free(l);
	l = listen_on(port, s1);
	for (i = 0; i < 200 && d.up < 2; i++)
		run_ms(10);
	assert_int_equal(d.up, 2);
	/* It did not last, so it waits as long as before. */
	rpc_listen_free(l);
	l = listen_on(port, s1);
	for (i = 0; i < 200 && d.up < 3; i++) {
		run_ms(10);
		assert_true(d.first_wait == 0 || d.first_wait >= 100);
	}
	assert_int_equal(d.up, 3);
	/* After one that lasted it is quick again. */
	run_ms(600);
	rpc_listen_free(l);
	for (i = 0; i < 200 && d.first_wait == 0; i++)
		run_ms(10);
	assert_in_range(d.first_wait, 25, 50);
	l = listen_on(port, s1);
	for (i = 0; i < 200 && d.up < 4; i++)
		run_ms(10);
	assert_int_equal(d.up, 4);
	rpc_dial_free(dial);
	run_ms(50);
	assert_int_equal(rpc_listen_count(l), 0);
	rpc_listen_free(l);
	rpc_tls_conf_unref(s1);
	rpc_tls_conf_unref(a1);
}

/* A silent client has no session, a full house makes the oldest give way. */
static void slow_ones_give_way(void **unused)
{
	static const struct rpc_listen_limits limits = {8, 4, 2, 2};
	struct rpc_tls_conf *s1 = conf_of("s1", NULL), *a1 = conf_of("a1", NULL);
	struct rpc_listen_opts opts = {.conf = s1,
		.service = &service,
		.limits = &limits,
		.host = "127.0.0.1",
		.port = "0"};
	struct err err = {0};
	struct rpc_listen *l = rpc_listen_new(loop, &opts, &err);
	struct dialled d[3] = {0};
	struct rpc_dial *dial[3];
	char port[8];
	int fd[20], i, j;

	(void)unused;
	assert_non_null(l);
	snprintf(port, sizeof port, "%u", rpc_listen_port(l));
	for (i = 0; i < 20; i++) {
		struct sockaddr_in to = {.sin_family = AF_INET,
			.sin_port = htons((uint16_t)rpc_listen_port(l)),
			.sin_addr = {htonl(INADDR_LOOPBACK)}};

		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(fd[i], (struct sockaddr *)&to, sizeof to), 0);
	}
	for (i = 0; i < 100 && rpc_listen_count(l) != 4; i++)
		run_ms(10);
	assert_int_equal(rpc_listen_count(l), 4);
	for (i = 0; i < 3; i++) {
		struct rpc_dial_opts dopts = {.conf = a1,
			.expect = {RPC_STORE, "s1"},
			.service = &service,
			.host = "127.0.0.1",
			.port = port,
			.once = true,
			.arg = &d[i],
			.up = dial_up,
			.down = dial_down};

		dial[i] = rpc_dial_new(loop, &dopts, &err);
		assert_non_null(dial[i]);
		for (j = 0; j < 500 && d[i].up + d[i].down == 0; j++)
			run_ms(10);
		run_ms(50); /* it may still be refused after its HELLO */
	}
	assert_true(d[0].up == 1 && d[1].up == 1);
	assert_int_equal(d[2].down, 1); /* the third of the same host */
	assert_int_equal(d[2].wait, -1);
	for (i = 0; i < 3; i++)
		rpc_dial_free(dial[i]);
	for (i = 0; i < 20; i++)
		close(fd[i]);
	rpc_listen_free(l);
	rpc_tls_conf_unref(s1);
	rpc_tls_conf_unref(a1);
}

static void drain(void *arg)
{
	(void)arg;
	pool_drain(state.pool);
}

static int set_up(void **unused)
{
	const char *temp = getenv("TMPDIR");
	struct err err = {0};

	(void)unused;
	snprintf(folder, sizeof folder, "%s/fdump-rpc-XXXXXX", temp != NULL ? temp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	peer_make_ca(folder);
	peer_make_cert(folder, "a1", "agent", NULL, 0, 0);
	peer_make_cert(folder, "s1", "store", NULL, 0, 0);
	peer_make_cert(folder, "s2", "store", NULL, 0, 0);
	peer_make_cert(folder, "m1", "manager", NULL, 0, 0);
	peer_make_cert(folder, "o1", "operator", NULL, 0, 0);
	peer_make_cert(folder, "expired", "agent", NULL, time(NULL) - 1000, time(NULL) - 10);
	peer_make_cert(folder, "early", "agent", NULL, time(NULL) + 1000, time(NULL) + 2000);
	if (rpc_tls_gcm(&err) == NULL)
		return -1;
	loop = rpc_loop_new(&err);
	state.loop = loop;
	rpc_async_start(&pool_wake, loop, drain, NULL);
	state.pool = pool_new(2, 100, rpc_async_send, &pool_wake, &err);
	peer_service(&service, &state);
	return state.pool != NULL ? 0 : -1;
}

static int tear_down(void **unused)
{
	char command[300];

	(void)unused;
	pool_free(state.pool);
	rpc_async_stop(&pool_wake);
	rpc_loop_free(loop);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_go_both_ways),
		cmocka_unit_test(pipelines_up_to_the_limit),
		cmocka_unit_test(blobs_of_all_sizes),
		cmocka_unit_test(errors_arrive_escaped),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(cancel_stops_a_blob),
		cmocka_unit_test(a_failing_source_is_no_whole_blob),
		cmocka_unit_test(an_early_reply_stops_the_blob),
		cmocka_unit_test(a_slow_consumer_stops_only_its_blob),
		cmocka_unit_test(the_server_decides_when_a_blob_is_sent),
		cmocka_unit_test(a_blob_without_credit_is_cancelled),
		cmocka_unit_test(reply_blobs_have_a_limit_and_a_window),
		cmocka_unit_test(deadlines_end_calls),
		cmocka_unit_test(shutdown_waits_for_calls),
		cmocka_unit_test(silence_is_noticed),
		cmocka_unit_test(freeing_inside_a_callback),
		cmocka_unit_test(work_in_the_pool),
		cmocka_unit_test(notes_arrive),
		cmocka_unit_test(roles_and_methods),
		cmocka_unit_test(identities_are_held_against_what_is_expected),
		cmocka_unit_test(denied_while_connected),
		cmocka_unit_test(waits_for_a_name),
		cmocka_unit_test(dials_and_dials_again),
		cmocka_unit_test(slow_ones_give_way),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
