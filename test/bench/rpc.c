/*
 * Measures rpc/: calls a second, blob bytes a second compared with bare mbedTLS
 * records in the same run, memory of idle connections.
 *
 *   bench-rpc [calls] [blob] [idle]       all if none is named
 *
 * The server is a child process on 127.0.0.1, so two cores take part.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cbor.h"
#include "rpc/dial.h"
#include "rpc/listen.h"
#include "rpc/wire.h"
#include "test/net/peer.h"

#define CALLS       300000
#define BLOB_LEN    (1024ull * 1024 * 1024)
#define CONNECTIONS 1000
#define ROUNDS      3

static char folder[256];
static struct rpc_loop *loop;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", what, err != NULL ? err->message : "failed");
	exit(2);
}

static struct rpc_tls_conf *conf_of(const char *name)
{
	struct err err = {0};
	struct rpc_tls_conf *conf = peer_conf(folder, name, NULL, &err);

	if (conf == NULL)
		fail(name, &err);
	return conf;
}

/* --- The server --- */

struct server {
	pid_t pid;
	unsigned port;
};

static void serve(int port_fd)
{
	static const struct rpc_listen_limits limits = {2000, 2000, 4096, 4096};
	struct peer_state state = {0};
	struct rpc_service service;
	struct rpc_listen_opts opts = {
		.service = &service, .limits = &limits, .host = "127.0.0.1", .port = "0"};
	struct err err = {0};
	struct rpc_listen *l;
	unsigned port;

	loop = rpc_loop_new(&err);
	state.loop = loop;
	peer_service(&service, &state);
	opts.conf = conf_of("s1");
	l = rpc_listen_new(loop, &opts, &err);
	if (l == NULL)
		fail("listen", &err);
	port = rpc_listen_port(l);
	if (write(port_fd, &port, sizeof port) != sizeof port)
		exit(2);
	rpc_loop_run(loop);
	exit(0);
}

static struct server start_server(void (*run)(int port_fd))
{
	struct server s;
	int fd[2];

	if (pipe(fd) != 0)
		exit(2);
	s.pid = fork();
	if (s.pid == 0) {
		close(fd[0]);
		run(fd[1]);
	}
	close(fd[1]);
	if (read(fd[0], &s.port, sizeof s.port) != sizeof s.port)
		exit(2);
	close(fd[0]);
	return s;
}

static void stop_server(const struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* --- The client --- */

static int ups;
static struct rpc_conn *dialled; /* the last one */

static void on_up(void *arg, struct rpc_conn *conn)
{
	(void)arg;
	dialled = conn;
	ups++;
	rpc_loop_stop(loop);
}

static void on_down(void *arg, const struct err *why, int64_t wait)
{
	(void)arg, (void)wait;
	fail("connection", why);
}

static void (*on_more)(struct rpc_conn *conn);

static void on_room(void *arg, struct rpc_conn *conn)
{
	(void)arg;
	if (on_more != NULL)
		on_more(conn);
}

static struct rpc_dial *dial(struct rpc_tls_conf *conf, unsigned port)
{
	char text[8];
	struct rpc_dial_opts opts = {.conf = conf,
		.expect = {RPC_STORE, "s1"},
		.host = "127.0.0.1",
		.port = text,
		.once = true,
		.up = on_up,
		.room = on_room,
		.down = on_down};
	struct err err = {0};
	struct rpc_dial *d;
	int before = ups;

	snprintf(text, sizeof text, "%u", port);
	d = rpc_dial_new(loop, &opts, &err);
	if (d == NULL)
		fail("dial", &err);
	while (ups == before)
		rpc_loop_run(loop);
	return d;
}

/* --- Calls --- */

static unsigned started, ended;

static void call_done(void *arg, const struct err *err)
{
	(void)arg;
	if (err != NULL)
		fail("call", err);
	if (++ended == CALLS)
		rpc_loop_stop(loop);
}

static void start_calls(struct rpc_conn *conn)
{
	static const struct rpc_call_ops ops = {.done = call_done};
	static const char params[] = "\xa1\x64"
				     "data\x50"
				     "0123456789abcdef";
	struct rpc_request r = {.method = PEER_ECHO,
		.params = params,
		.len = sizeof params - 1,
		.timeout_ms = 10000,
		.ops = &ops};

	while (started < CALLS && rpc_call_start(conn, &r, NULL) != NULL)
		started++;
}

static void bench_calls(struct rpc_tls_conf *conf, const struct server *s)
{
	struct rpc_dial *d = dial(conf, s->port);
	double from = now();

	on_more = start_calls;
	started = ended = 0;
	start_calls(dialled);
	rpc_loop_run(loop);
	printf("calls: %.0f a second, pipelined on one connection\n", CALLS / (now() - from));
	on_more = NULL;
	rpc_dial_free(d);
}

/* --- Blobs --- */

static uint64_t moved;
static struct rpc_call *blob_call;

static void blob_sent(void *arg, size_t len)
{
	(void)arg;
	moved += len;
}

static void blob_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	(void)arg, (void)bytes, (void)last;
	moved += len;
	rpc_call_took(blob_call, len);
}

static void blob_done(void *arg, const struct err *err)
{
	(void)arg;
	if (err != NULL)
		fail("blob", err);
	rpc_loop_stop(loop);
}

static double blob_rate(struct rpc_conn *conn, bool up)
{
	static const struct rpc_call_ops ops = {
		.data = blob_data, .sent = blob_sent, .done = blob_done};
	struct buf blob = peer_blob(PEER_BLOB_MAX);
	uint8_t mem[32];
	struct cbor_out out;
	struct rpc_request r = {.method = up ? PEER_SINK : PEER_SOURCE,
		.blob = up ? blob.data : NULL,
		.blob_len = blob.len,
		.reply_max = UINT64_MAX,
		.timeout_ms = 10000,
		.ops = &ops};
	double from = now();

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 1);
	cbor_put_text(&out, "len");
	cbor_put_uint(&out, PEER_BLOB_MAX);
	if (!up) {
		r.params = mem;
		r.len = cbor_out_len(&out);
	}
	for (moved = 0; moved < BLOB_LEN;) {
		blob_call = rpc_call_start(conn, &r, NULL);
		rpc_loop_run(loop);
	}
	return (double)moved / (now() - from) / 1e6;
}

/* --- Bare records: the same record layer, nothing above it --- */

static void blocking(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct rpc_tls *bare_session(const char *name, int fd, const struct rpc_expect *expect)
{
	struct err err = {0};
	struct rpc_tls *tls = rpc_tls_new(conf_of(name), fd, expect, &err);

	if (tls == NULL || rpc_tls_handshake(tls, &err) != 0)
		fail("bare handshake", &err);
	return tls;
}

static void serve_bare(int port_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static uint8_t mem[RPC_SCRATCH_LEN];
	struct rpc_tls *tls;
	uint64_t total = 0;
	size_t n;
	unsigned port;

	if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 1) != 0 ||
		getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		exit(2);
	port = ntohs(a.sin_port);
	if (write(port_fd, &port, sizeof port) != sizeof port)
		exit(2);
	fd = accept(fd, NULL, NULL);
	blocking(fd);
	tls = bare_session("s1", fd, NULL);
	while (total < BLOB_LEN && rpc_tls_read(tls, mem, sizeof mem, &n, NULL) == 0)
		total += n;
	rpc_tls_write(tls, mem, 1, &n, NULL);
	pause();
	exit(0);
}

static double bare_rate(void)
{
	const struct rpc_expect expect = {RPC_STORE, "s1"};
	struct server s = start_server(serve_bare);
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr = {htonl(INADDR_LOOPBACK)},
		.sin_port = htons((uint16_t)s.port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static uint8_t mem[16384];
	struct rpc_tls *tls;
	uint64_t total = 0;
	double from, rate;
	size_t n;

	if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
		exit(2);
	blocking(fd);
	tls = bare_session("a1", fd, &expect);
	from = now();
	while (total < BLOB_LEN) {
		if (rpc_tls_write(tls, mem, sizeof mem, &n, NULL) != 0)
			exit(2);
		total += n;
	}
	if (rpc_tls_read(tls, mem, 1, &n, NULL) != 0)
		exit(2);
	rate = (double)total / (now() - from) / 1e6;
	rpc_tls_free(tls);
	close(fd);
	stop_server(&s);
	return rate;
}

static void bench_blobs(struct rpc_tls_conf *conf, const struct server *s)
{
	struct rpc_dial *d = dial(conf, s->port);
	double bare = 0, up = 0, down = 0;
	int i;

	/* Alternating, and the best of each, because other work on the machine slows single runs.
	 */
	for (i = 0; i < ROUNDS; i++) {
		double b = bare_rate();
		double u = blob_rate(dialled, true);
		double v = blob_rate(dialled, false);

		printf("round %d: bare %.0f, blob up %.0f, blob down %.0f MB/s\n", i + 1, b, u, v);
		bare = b > bare ? b : bare;
		up = u > up ? u : up;
		down = v > down ? v : down;
	}
	printf("blobs: up %.0f MB/s (%.2f of bare), down %.0f MB/s (%.2f), bare records %.0f MB/s\n"
	       "       AES-GCM: %s\n",
		up, up / bare, down, down / bare, bare, rpc_tls_gcm(NULL));
	rpc_dial_free(d);
}

/* --- Idle connections --- */

static long rss_anon_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kib;
}

static void bench_idle(struct rpc_tls_conf *conf)
{
	struct server s = start_server(serve);
	static struct rpc_dial *d[CONNECTIONS];
	long empty = rss_anon_kib(s.pid);
	double from = now();
	int i;

	for (i = 0; i < CONNECTIONS; i++)
		d[i] = dial(conf, s.port);
	printf("idle: %d connections, RssAnon of the server %.1f MiB (%.1f MiB before), %.0f "
	       "handshakes a "
	       "second\n",
		CONNECTIONS, (double)rss_anon_kib(s.pid) / 1024, (double)empty / 1024,
		CONNECTIONS / (now() - from));
	for (i = 0; i < CONNECTIONS; i++)
		rpc_dial_free(d[i]);
	stop_server(&s);
}

static bool wants(int argc, char **argv, const char *what)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], what) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	const char *temp = getenv("TMPDIR");
	struct rlimit files = {8192, 8192};
	struct err err = {0};
	struct rpc_tls_conf *conf;
	struct server s;
	char command[300];

	setrlimit(RLIMIT_NOFILE, &files);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(folder, sizeof folder, "%s/fdump-bench-XXXXXX", temp != NULL ? temp : "/tmp");
	if (mkdtemp(folder) == NULL)
		return 2;
	peer_make_ca(folder);
	peer_make_cert(folder, "s1", "store", NULL, 0, 0);
	peer_make_cert(folder, "a1", "agent", NULL, 0, 0);
	s = start_server(serve);
	loop = rpc_loop_new(&err);
	if (loop == NULL)
		fail("loop", &err);
	conf = conf_of("a1");
	if (wants(argc, argv, "calls"))
		bench_calls(conf, &s);
	if (wants(argc, argv, "blob"))
		bench_blobs(conf, &s);
	if (wants(argc, argv, "idle"))
		bench_idle(conf);
	stop_server(&s);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}
