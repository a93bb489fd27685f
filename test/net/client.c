/* rpc/client over loopback: the server is a thread of this process with a loop of its own; it can
 * be stopped, restarted, or cut its connections. */
#include "test/unit/unit.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "rpc/client.h"
#include "rpc/deny.h"
#include "rpc/listen.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

#define PUT_LEN (100 * 1024)

static char folder[256];
static uint8_t pattern[4 * 1024 * 1024];

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(unsigned ms)
{
	usleep(ms * 1000);
}

/* --- The server --- */

struct server {
	pthread_t thread;
	struct rpc_loop *loop;
	struct rpc_async wake;
	struct rpc_listen *listen;
	struct rpc_tls_conf *conf;
	struct rpc_service service;
	struct rpc_deny deny;
	struct peer_state state; /* belongs to the thread while it runs */
	struct rpc_listen_opts opts;
	char port[8];
	atomic_bool stop, cut;
};

static void server_listen(struct server *s)
{
	struct err err = {0};

	s->opts.port = s->port;
	s->listen = rpc_listen_new(s->loop, &s->opts, &err);
	if (s->listen == NULL)
		abort();
	snprintf(s->port, sizeof s->port, "%u", rpc_listen_port(s->listen));
}

static void server_wake(void *arg)
{
	struct server *s = arg;

	if (atomic_exchange(&s->cut, false)) {
		rpc_listen_free(s->listen);
		server_listen(s);
	}
	if (atomic_load(&s->stop))
		rpc_loop_stop(s->loop);
}

static void *server_run(void *arg)
{
	struct server *s = arg;

	rpc_loop_run(s->loop);
	return NULL;
}

static unsigned put_max = 4; /* for servers started from now on */

/* port NULL: any. credit as in rpc_conn_opts. */
static void server_start(struct server *s, const char *port, uint32_t credit)
{
	struct err err = {0};

	memset(s, 0, sizeof *s);
	snprintf(s->port, sizeof s->port, "%s", port != NULL ? port : "0");
	rpc_deny_init(&s->deny);
	s->conf = peer_conf(folder, "s1", &s->deny, &err);
	s->loop = rpc_loop_new(&err);
	assert_non_null(s->conf);
	assert_non_null(s->loop);
	s->state.loop = s->loop;
	s->state.put_max = put_max;
	peer_service(&s->service, &s->state);
	s->opts.conf = s->conf;
	s->opts.service = &s->service;
	s->opts.host = "127.0.0.1";
	s->opts.credit = credit;
	server_listen(s);
	rpc_async_start(&s->wake, s->loop, server_wake, s);
	assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void server_cut(struct server *s)
{
	atomic_store(&s->cut, true);
	rpc_async_send(&s->wake);
}

static void server_stop(struct server *s)
{
	atomic_store(&s->stop, true);
	rpc_async_send(&s->wake);
	pthread_join(s->thread, NULL);
	rpc_listen_free(s->listen);
	rpc_async_stop(&s->wake);
	rpc_loop_free(s->loop);
	rpc_tls_conf_unref(s->conf);
	rpc_deny_fini(&s->deny);
}

/* --- The client --- */

static struct rpc_client *open_as(
	const char *who, const char *peer, const char *port, struct rpc_client_opts opts)
{
	char cert[300], key[300], ca[300];
	const struct rpc_tls_opts tls = {
		.kind = RPC_TLS_MUTUAL, .cert = cert, .key = key, .ca = ca};
	struct err err = {0};
	struct rpc_client *c;

	snprintf(cert, sizeof cert, "%s/%s.crt", folder, who);
	snprintf(key, sizeof key, "%s/%s.key", folder, who);
	snprintf(ca, sizeof ca, "%s/root.crt", folder);
	opts.tls = &tls;
	opts.expect = (struct rpc_expect){RPC_STORE, peer};
	if (opts.host == NULL)
		opts.host = "127.0.0.1";
	opts.port = port;
	if (opts.wait_max_ms == 0) {
		opts.wait_min_ms = 10;
		opts.wait_max_ms = 100;
	}
	c = rpc_client_open(&opts, &err);
	if (c == NULL)
		fail_msg("%s", err.message);
	return c;
}

static struct rpc_client *open_client(const struct server *s)
{
	return open_as("a1", "s1", s->port, (struct rpc_client_opts){0});
}

static size_t number_params(uint8_t *mem, const char *key, uint64_t n)
{
	struct cbor_out out;

	cbor_out_init(&out, mem, 64);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, key);
	cbor_put_uint(&out, n);
	return cbor_out_len(&out);
}

static struct rpc_client_request number_request(
	uint16_t method, uint8_t *mem, const char *key, uint64_t n)
{
	return (struct rpc_client_request){
		.method = method, .params = mem, .len = number_params(mem, key, n)};
}

static bool has(const struct buf *b, const char *bytes)
{
	return b->len > 0 && memmem(b->data, b->len, bytes, strlen(bytes)) != NULL;
}

/* --- Tests --- */

static void asks_and_is_answered(void **unused)
{
	struct server s;
	struct rpc_client *c;
	struct rpc_client_request r;
	struct rpc_client_stats stats;
	struct buf reply, blob;
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	server_start(&s, NULL, 0);
	c = open_client(&s);
	buf_init(&reply, RPC_PAYLOAD_MAX);
	buf_init(&blob, 1);
	r = (struct rpc_client_request){.method = PEER_WHOAMI};
	assert_int_equal(rpc_client_call(c, &r, &reply, NULL, &err), 0);
	assert_true(has(&reply, "\x62"
				"a1"));
	/* A blob in each direction, longer than any window. */
	r = (struct rpc_client_request){
		.method = PEER_SINK, .blob = pattern, .blob_len = sizeof pattern};
	assert_int_equal(rpc_client_call(c, &r, &reply, &blob, &err), 0);
	assert_true(has(&reply, "\x64good\xf5"));
	assert_int_equal(blob.len, 0);
	r = number_request(PEER_SOURCE, mem, "len", 20000000);
	r.reply_max = 20000000;
	assert_int_equal(rpc_client_call(c, &r, &reply, &blob, &err), 0);
	assert_int_equal(blob.len, 20000000);
	assert_true(peer_check(blob.data, 0, blob.len));
	/* Refusals come from the peer, with its name, and affect nothing else. */
	r.reply_max--;
	assert_int_equal(rpc_client_call(c, &r, &reply, &blob, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(blob.len, 20000000);
	r = (struct rpc_client_request){.method = PEER_FAIL};
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DAMAGE);
	assert_memory_equal(err.message, "s1: bad", 7);
	r = (struct rpc_client_request){.method = PEER_FOR_MANAGERS};
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	r = (struct rpc_client_request){
		.method = PEER_ECHO, .params = pattern, .len = RPC_PAYLOAD_MAX + 1};
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	r = (struct rpc_client_request){.method = PEER_EARLY};
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), 0);
	rpc_client_stats(c, &stats);
	assert_int_equal(stats.sent, sizeof pattern);
	assert_true(stats.received >= 20000000 && stats.connections == 1 && stats.up);
	assert_int_equal(stats.answered, 7);
	rpc_client_close(c, 5000);
	server_stop(&s);
	buf_fini(&reply);
	buf_fini(&blob);
}

/* Shared by a row of puts. */
struct puts {
	atomic_uint dones, oks, hads;
	struct err err;
};

static void put_done(void *arg, const struct rpc_client_answer *answer)
{
	struct puts *p = arg;
	struct buf reply = {.data = (uint8_t *)answer->reply, .len = answer->reply_len};

	if (answer->err != NULL) {
		p->err = *answer->err;
	} else {
		atomic_fetch_add(&p->oks, 1);
		if (has(&reply, "\x63had\xf5"))
			atomic_fetch_add(&p->hads, 1);
	}
	atomic_fetch_add(&p->dones, 1);
}

static struct rpc_client_job *put(
	struct rpc_client *c, struct puts *p, bool had, size_t len, struct err *err)
{
	uint8_t mem[64];
	struct cbor_out out;
	struct rpc_client_request r = {.method = PEER_PUT,
		.params = mem,
		.blob = pattern,
		.blob_len = len,
		.done = put_done,
		.arg = p};

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 2);
	cbor_put_text(&out, "len");
	cbor_put_uint(&out, len);
	cbor_put_text(&out, "had");
	cbor_put_bool(&out, had);
	r.len = cbor_out_len(&out);
	return rpc_client_start(c, &r, err);
}

static void wait_dones(struct puts *p, unsigned count)
{
	int64_t until = now_ms() + 60 * 1000;

	while (atomic_load(&p->dones) < count && now_ms() < until)
		sleep_ms(2);
	assert_int_equal(atomic_load(&p->dones), count);
}

struct putter {
	pthread_t thread;
	struct rpc_client *client;
	struct puts *puts;
};

static void *put_half(void *arg)
{
	struct putter *t = arg;
	struct err err = {0};
	unsigned i;

	for (i = 0; i < 500; i++)
		if (put(t->client, t->puts, i % 10 == 0, PUT_LEN, &err) == NULL)
			abort();
	return NULL;
}

/* A thousand chunks from two threads, of which the server has a tenth. */
static void a_thousand_puts(void **unused)
{
	struct server s;
	struct puts p = {0};
	struct putter t[2];
	struct rpc_client_stats stats;
	struct rpc_client *c;
	int i;

	(void)unused;
	server_start(&s, NULL, RPC_CREDIT_NONE);
	c = open_client(&s);
	for (i = 0; i < 2; i++) {
		t[i] = (struct putter){.client = c, .puts = &p};
		assert_int_equal(pthread_create(&t[i].thread, NULL, put_half, &t[i]), 0);
	}
	for (i = 0; i < 2; i++)
		pthread_join(t[i].thread, NULL);
	wait_dones(&p, 1000);
	assert_int_equal(p.oks, 1000);
	assert_int_equal(p.hads, 100);
	rpc_client_stats(c, &stats);
	assert_int_equal(stats.sent, 900ull * PUT_LEN);
	rpc_client_close(c, 5000);
	server_stop(&s);
	assert_int_equal(s.state.sunk, 900ull * PUT_LEN);
	/* Many were offered at once, four at a time were sent. */
	assert_true(s.state.puts_most > 100);
}

static void a_lost_connection_is_made_again(void **unused)
{
	struct server s;
	struct puts p = {0};
	struct rpc_client_stats stats;
	struct rpc_client *c;
	struct err err = {0};
	unsigned i, cuts = 0;

	(void)unused;
	server_start(&s, NULL, RPC_CREDIT_NONE);
	c = open_client(&s);
	for (i = 0; i < 600; i++) {
		assert_non_null(put(c, &p, i % 7 == 0, PUT_LEN, &err));
		if (atomic_load(&p.dones) > 100 * (cuts + 1) && cuts < 4) {
			server_cut(&s);
			cuts++;
		}
	}
	server_cut(&s);
	wait_dones(&p, 600);
	assert_int_equal(p.oks, 600);
	rpc_client_stats(c, &stats);
	assert_true(stats.connections >= 2);
	rpc_client_close(c, 5000);
	server_stop(&s);
	assert_true(s.state.sunk >= (600 - 86) * (uint64_t)PUT_LEN);
}

/* A reply's blob that is cut starts over. */
static void a_cut_blob_begins_again(void **unused)
{
	struct server s;
	struct rpc_client *c;
	struct rpc_client_request r;
	struct rpc_client_stats stats = {0};
	struct rpc_client_job *job;
	struct buf blob;
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	server_start(&s, NULL, 0);
	c = open_client(&s);
	buf_init(&blob, 1);
	r = number_request(PEER_SOURCE, mem, "len", 40000000);
	r.reply_max = 40000000;
	job = rpc_client_start(c, &r, &err);
	assert_non_null(job);
	while (stats.received == 0) {
		sleep_ms(1);
		rpc_client_stats(c, &stats);
	}
	server_cut(&s);
	assert_int_equal(rpc_client_wait(job, NULL, &blob, &err), 0);
	assert_int_equal(blob.len, 40000000);
	assert_true(peer_check(blob.data, 0, blob.len));
	rpc_client_close(c, 5000);
	server_stop(&s);
	buf_fini(&blob);
}

static void free_port(char port[8])
{
	struct server s;

	server_start(&s, NULL, 0);
	strcpy(port, s.port);
	server_stop(&s);
}

/* A name to look up, if there is one: a minimal system has no /etc/hosts. */
static const char *local_name(void)
{
	struct addrinfo *found;

	if (getaddrinfo("localhost", NULL, NULL, &found) != 0)
		return "127.0.0.1";
	freeaddrinfo(found);
	return "localhost";
}

static void a_server_that_comes_later(void **unused)
{
	struct server s;
	struct rpc_client *c;
	struct rpc_client_request r = {.method = PEER_EARLY};
	struct rpc_client_job *job;
	struct err err = {0};
	char port[8];

	(void)unused;
	free_port(port);
	c = open_as("a1", "s1", port, (struct rpc_client_opts){.host = local_name()});
	job = rpc_client_start(c, &r, &err);
	assert_non_null(job);
	sleep_ms(150);
	server_start(&s, port, 0);
	assert_int_equal(rpc_client_wait(job, NULL, NULL, &err), 0);
	rpc_client_close(c, 5000);
	server_stop(&s);
}

static void a_server_that_never_comes(void **unused)
{
	struct rpc_client *c;
	struct rpc_client_request r = {.method = PEER_EARLY};
	struct err err = {0}, again = {0};
	int64_t from = now_ms();
	char port[8];

	(void)unused;
	free_port(port);
	c = open_as("a1", "s1", port, (struct rpc_client_opts){.patience_ms = 300});
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.message, "store s1 (127.0.0.1 port "));
	assert_non_null(strstr(err.message, "no progress for 0.3 s: connect to 127.0.0.1"));
	assert_non_null(strstr(err.message, "refused"));
	assert_true(now_ms() - from >= 290 && now_ms() - from < 5000);
	/* It has given up permanently. */
	assert_null(rpc_client_start(c, &r, &again));
	assert_int_equal(again.code, ERR_TIMEOUT);
	rpc_client_close(c, 5000);
	/* The first connection may have a shorter limit. */
	c = open_as("a1", "s1", port, (struct rpc_client_opts){.connect_ms = 200});
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	rpc_client_close(c, 0);
	/* A connection that nobody waited for does not delay closing. */
	c = open_as("a1", "s1", port, (struct rpc_client_opts){0});
	rpc_client_close(c, 5000);
}

static void refused(const char *who, const char *peer, struct server *s)
{
	struct rpc_client *c = open_as(who, peer, s->port, (struct rpc_client_opts){0});
	struct rpc_client_request r = {.method = PEER_EARLY};
	int64_t from = now_ms();
	struct err err = {0};

	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_non_null(strstr(err.message, peer));
	assert_true(now_ms() - from < 10000);
	rpc_client_close(c, 5000);
}

static void a_refusal_is_final(void **unused)
{
	struct server s;

	(void)unused;
	server_start(&s, NULL, 0);
	refused("a1", "s2", &s);      /* we refuse it */
	refused("expired", "s1", &s); /* it refuses us */
	server_stop(&s);
}

static void a_slow_server(void **unused)
{
	struct server s;
	struct rpc_client *c;
	struct rpc_client_request r;
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	server_start(&s, NULL, 0);
	c = open_client(&s);
	r = number_request(PEER_SLEEP, mem, "ms", 60000);
	r.timeout_ms = 100;
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	r = number_request(PEER_SLEEP, mem, "ms", 200);
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), 0);
	rpc_client_close(c, 5000);
	/* A server that accepts connections and never answers. */
	c = open_as("a1", "s1", s.port, (struct rpc_client_opts){.patience_ms = 2000});
	r = number_request(PEER_SLEEP, mem, "ms", 60000);
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_non_null(strstr(err.message, "connected, but does not answer"));
	rpc_client_close(c, 5000);
	server_stop(&s);
}

static struct rpc_client *to_cancel;

static void on_signal(int signum)
{
	(void)signum;
	rpc_client_cancel(to_cancel);
}

static void *start_one_more(void *arg)
{
	struct puts *p = arg;

	if (put(to_cancel, p, true, PUT_LEN, &p->err) != NULL)
		abort();
	return NULL;
}

/* Calls that wait for an answer, and calls that wait for room. */
static void end_it(void *arg, const struct rpc_client_answer *answer)
{
	atomic_store((atomic_int *)arg, answer->err != NULL ? (int)answer->err->code : -1);
}

/* Each connection is lost before the request is answered: that the greeting is answered each time
 * is no progress. */
static void greetings_are_no_progress(void **unused)
{
	struct server s;
	struct rpc_client *c;
	atomic_int ended = 0;
	uint8_t mem[64];
	struct rpc_client_request r = {.method = PEER_EARLY, .greeting = true};
	struct err err = {0};
	int64_t from;

	(void)unused;
	server_start(&s, NULL, 0);
	c = open_as("a1", "s1", s.port, (struct rpc_client_opts){.patience_ms = 600});
	r.params = mem;
	r.len = number_params(mem, "ms", 0);
	assert_int_equal(rpc_client_call(c, &r, NULL, NULL, &err), 0);
	r = number_request(PEER_SLEEP, mem, "ms", 60000);
	r.done = end_it;
	r.arg = &ended;
	assert_non_null(rpc_client_start(c, &r, &err));
	for (from = now_ms(); atomic_load(&ended) == 0 && now_ms() < from + 10000; sleep_ms(200))
		server_cut(&s);
	assert_int_equal(atomic_load(&ended), ERR_TIMEOUT);
	rpc_client_close(c, 0);
	server_stop(&s);
}

static void cancel_wakes_all(void **unused)
{
	struct server s;
	struct puts p = {0}, blocked = {0};
	struct rpc_client_request r;
	struct rpc_client_job *job;
	struct err err = {0};
	pthread_t thread;
	uint8_t mem[64];
	int i;

	(void)unused;
	put_max = 0; /* nothing is ever granted */
	server_start(&s, NULL, RPC_CREDIT_NONE);
	put_max = 4;
	to_cancel = open_as("a1", "s1", s.port, (struct rpc_client_opts){.calls_max = 10});
	for (i = 0; i < 9; i++)
		assert_non_null(put(to_cancel, &p, false, PUT_LEN, &err));
	r = number_request(PEER_SLEEP, mem, "ms", 60000);
	job = rpc_client_start(to_cancel, &r, &err);
	assert_non_null(job);
	assert_int_equal(pthread_create(&thread, NULL, start_one_more, &blocked), 0);
	sleep_ms(100);
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	assert_int_equal(rpc_client_wait(job, NULL, NULL, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	pthread_join(thread, NULL);
	assert_int_equal(blocked.err.code, ERR_CANCELLED);
	wait_dones(&p, 9);
	assert_int_equal(p.err.code, ERR_CANCELLED);
	assert_int_equal(p.oks + blocked.dones, 0);
	rpc_client_close(to_cancel, 5000);
	server_stop(&s);
}

static void close_has_a_deadline(void **unused)
{
	struct server s;
	struct puts p = {0};
	struct rpc_client_request r;
	struct rpc_client *c;
	struct err err = {0};
	int64_t from;
	uint8_t mem[64];

	(void)unused;
	server_start(&s, NULL, 0);
	/* Open calls are waited for ... */
	c = open_client(&s);
	r = number_request(PEER_SLEEP, mem, "ms", 200);
	r.done = put_done;
	r.arg = &p;
	assert_non_null(rpc_client_start(c, &r, &err));
	rpc_client_close(c, 10000);
	assert_int_equal(p.oks, 1);
	/* ... but not for ever. */
	c = open_client(&s);
	r.len = number_params(mem, "ms", 60000);
	assert_non_null(rpc_client_start(c, &r, &err));
	sleep_ms(50);
	from = now_ms();
	rpc_client_close(c, 200);
	assert_true(now_ms() - from < 5000);
	assert_int_equal(p.dones, 2);
	assert_int_equal(p.err.code, ERR_CANCELLED);
	server_stop(&s);
}

static void wrong_settings_are_refused_at_once(void **unused)
{
	struct rpc_tls_opts tls = {
		.kind = RPC_TLS_MUTUAL, .cert = "/nowhere", .key = "/nowhere", .ca = "/nowhere"};
	struct rpc_client_opts opts = {
		.tls = &tls, .expect = {RPC_STORE, "s1"}, .host = "127.0.0.1", .port = "1"};
	struct err err = {0};

	(void)unused;
	assert_null(rpc_client_open(&opts, &err));
	assert_int_not_equal(err.code, ERR_NONE);
}

static int set_up(void **unused)
{
	const char *temp = getenv("TMPDIR");

	(void)unused;
	snprintf(folder, sizeof folder, "%s/fdump-client-XXXXXX", temp != NULL ? temp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return -1;
	peer_make_ca(folder);
	peer_make_cert(folder, "a1", "agent", NULL, 0, 0);
	peer_make_cert(folder, "s1", "store", NULL, 0, 0);
	peer_make_cert(folder, "expired", "agent", NULL, time(NULL) - 1000, time(NULL) - 10);
	peer_fill(pattern, 0, sizeof pattern);
	return 0;
}

static int tear_down(void **unused)
{
	char command[300];

	(void)unused;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

/* --- A look-up that hangs --- */

static atomic_bool hangs, hung;

int __real_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);
int __wrap_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found);

int __wrap_getaddrinfo(
	const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
	if (strcmp(host, "name.hangs") != 0)
		return __real_getaddrinfo(host, port, hints, found);
	/* Numeric addresses are looked up first. */
	hung = (hints->ai_flags & AI_NUMERICHOST) == 0;
	while (hung && hangs)
		sleep_ms(5);
	hung = false;
	return EAI_NONAME;
}

/* Closing a client does not wait for the look-up. */
static void a_look_up_that_hangs(void **state)
{
	struct rpc_client *c;
	int64_t began;

	(void)state;
	hangs = true;
	c = open_as("a1", "s1", "1", (struct rpc_client_opts){.host = "name.hangs"});
	while (!hung)
		sleep_ms(5);
	began = now_ms();
	rpc_client_close(c, 0);
	assert_true(now_ms() - began < 5000);
	assert_true(hung);
	hangs = false;
	while (hung)
		sleep_ms(5);
	sleep_ms(100); /* for the thread that frees the client: only a leak checker would see it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_and_is_answered),
		cmocka_unit_test(a_thousand_puts),
		cmocka_unit_test(a_lost_connection_is_made_again),
		cmocka_unit_test(a_cut_blob_begins_again),
		cmocka_unit_test(a_server_that_comes_later),
		cmocka_unit_test(a_server_that_never_comes),
		cmocka_unit_test(a_refusal_is_final),
		cmocka_unit_test(a_slow_server),
		cmocka_unit_test(greetings_are_no_progress),
		cmocka_unit_test(cancel_wakes_all),
		cmocka_unit_test(close_has_a_deadline),
		cmocka_unit_test(a_look_up_that_hangs),
		cmocka_unit_test(wrong_settings_are_refused_at_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
