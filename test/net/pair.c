/* Both ends are in one thread: whoever waits runs the loop, in steps of some milliseconds. */
#include "test/net/pair.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "lib/pool.h"
#include "test/unit/unit.h"

struct rpc_loop *pair_loop;
struct rpc_service pair_service;
struct peer_state pair_state;
uint32_t pair_credit;

static char folder[256];
static struct rpc_async pool_wake;

static void on_up(void *arg)
{
	((struct pair_end *)arg)->up++;
}

static void on_room(void *arg)
{
	((struct pair_end *)arg)->room++;
}

static void on_closed(void *arg, const struct err *why)
{
	struct pair_end *e = arg;

	e->closed++;
	e->why = *why;
	if (e->free_when_closed) {
		rpc_conn_free(e->conn);
		e->conn = NULL;
	}
}

static const struct rpc_conn_ops conn_ops = {on_up, on_room, on_closed};

static void on_reply(void *arg, const uint8_t *bytes, size_t len, bool more)
{
	struct pair_call *o = arg;

	o->replies++;
	o->more = more;
	o->reply_len = len < sizeof o->reply ? len : sizeof o->reply;
	memcpy(o->reply, bytes, o->reply_len);
	if (o->free_at_reply != NULL)
		rpc_conn_free(o->free_at_reply);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct pair_call *o = arg;

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

static void on_sent(void *arg, size_t len)
{
	((struct pair_call *)arg)->sent += len;
}

static void on_done(void *arg, const struct err *err)
{
	struct pair_call *o = arg;

	o->dones++;
	o->ok = err == NULL;
	if (err != NULL)
		o->err = *err;
}

const struct rpc_call_ops pair_call_ops = {on_reply, on_data, on_sent, on_done};

void pair_start(struct rpc_conn *conn, struct pair_call *o, unsigned method, const void *params,
	size_t len, bool blob)
{
	struct buf bytes = peer_blob(o->len);
	struct rpc_request r = {
		.method = (uint16_t)method,
		.params = params,
		.len = len,
		.blob = blob ? bytes.data : NULL,
		.blob_len = bytes.len,
		.timeout_ms = 5000,
		.reply_max = o->reply_max != 0 ? o->reply_max : UINT64_MAX,
		.reply_window = o->reply_window,
		.ops = &pair_call_ops,
		.arg = o,
	};
	struct err err = {0};

	o->call = rpc_call_start(conn, &r, &err);
	assert_non_null(o->call);
	assert_int_equal(o->dones, 0);
}

static void stop_loop(void *arg)
{
	(void)arg;
	rpc_loop_stop(pair_loop);
}

void pair_run_ms(int64_t ms)
{
	struct rpc_timer t = {0};

	rpc_timer_start(&t, pair_loop, ms, stop_loop, NULL);
	rpc_loop_run(pair_loop);
	rpc_timer_stop(&t);
}

void pair_wait_done(struct pair_call *o)
{
	int i;

	for (i = 0; i < 500 && o->dones == 0; i++)
		pair_run_ms(20);
	assert_int_equal(o->dones, 1);
}

void pair_wait_closed(struct pair_end *e)
{
	int i;

	for (i = 0; i < 500 && e->closed == 0; i++)
		pair_run_ms(20);
	assert_int_equal(e->closed, 1);
}

struct rpc_tls_conf *pair_conf(const char *name, const struct rpc_deny *deny)
{
	struct err err = {0};
	struct rpc_tls_conf *conf = peer_conf(folder, name, deny, &err);

	if (conf == NULL)
		fail_msg("%s", err.message);
	return conf;
}

static void make_end(struct pair_end *e, int fd, struct rpc_tls_conf *conf,
	const struct rpc_expect *expect, const struct rpc_times *times)
{
	struct rpc_conn_opts opts = {.conf = conf,
		.expect = expect,
		.service = &pair_service,
		.times = times,
		.ops = &conn_ops,
		.arg = e,
		.address = "pair",
		.credit = expect == NULL ? pair_credit : 0};
	struct err err = {0};

	*e = (struct pair_end){0};
	e->conn = rpc_conn_new(pair_loop, fd, &opts, &err);
	assert_non_null(e->conn);
	assert_int_equal(e->up + e->closed, 0);
}

void pair_make_as(struct pair *p, const char *client, const char *server,
	const struct rpc_expect *expect, const struct rpc_deny *deny, const struct rpc_times *times)
{
	struct rpc_tls_conf *c = pair_conf(client, NULL), *s = pair_conf(server, deny);
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	make_end(&p->client, fd[0], c, expect, times);
	make_end(&p->server, fd[1], s, NULL, times);
	rpc_tls_conf_unref(c);
	rpc_tls_conf_unref(s);
}

void pair_wait_up(struct pair *p)
{
	int i;

	for (i = 0; i < 200 && (p->client.up == 0 || p->server.up == 0) &&
		    p->client.closed + p->server.closed == 0;
		i++)
		pair_run_ms(10);
}

void pair_make_timed(struct pair *p, const struct rpc_times *times)
{
	const struct rpc_expect expect = {RPC_STORE, "s1"};

	pair_make_as(p, "a1", "s1", &expect, NULL, times);
	pair_wait_up(p);
	assert_int_equal(p->client.up, 1);
	assert_int_equal(p->server.up, 1);
}

void pair_make(struct pair *p)
{
	pair_make_timed(p, NULL);
}

void pair_free(struct pair *p)
{
	rpc_conn_free(p->client.conn);
	rpc_conn_free(p->server.conn);
}

size_t pair_echo_params(uint8_t *mem, size_t cap, const void *data, size_t len)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, cap);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "data");
	cbor_put_bytes(&out, data, len);
	assert_false(cbor_out_full(&out));
	return cbor_out_len(&out);
}

size_t pair_number_params(uint8_t *mem, const char *key, uint64_t n, uint64_t seed)
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

static void drain(void *arg)
{
	(void)arg;
	pool_drain(pair_state.pool);
}

int pair_setup(void **unused)
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
	pair_loop = rpc_loop_new(&err);
	pair_state.loop = pair_loop;
	rpc_async_start(&pool_wake, pair_loop, drain, NULL);
	pair_state.pool = pool_new(2, 100, rpc_async_send, &pool_wake, &err);
	peer_service(&pair_service, &pair_state);
	return pair_state.pool != NULL ? 0 : -1;
}

int pair_teardown(void **unused)
{
	char command[300];

	(void)unused;
	pool_free(pair_state.pool);
	rpc_async_stop(&pool_wake);
	rpc_loop_free(pair_loop);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}
