/*
 * Connections cut off, or with one bit changed, at every place that matters.
 *
 *   net-cut [N]              cuts at 200 places in 3 ways, and a sample of flips; only each N-th
 *   net-cut flip FIRST STEP [AT-ONCE]
 *                            flips bit FIRST, FIRST+STEP, ... of an exchange
 *
 * Client and server run on one loop; their bytes go through a relay over TCP
 * on 127.0.0.1, which does the damage after so many bytes of one direction. Many exchanges run at
 * once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/wire.h"
#include "test/net/peer.h"

#define AT_ONCE_MAX 128
#define BLOB_LEN    60000
#define CALL_MS     1500

/* Deadlines; lengthened on a slow or busy machine. */
static const struct rpc_times base = {
	.handshake = 2500, .frame = 800, .ping = 400, .dead = 1000, .bye = 1000, .cancel = 900};
static struct rpc_times times;
static int64_t call_ms;

enum harm { NONE, SILENT, RST, FIN, FLIP };
static const char *const harm_names[] = {"none", "silent", "RST", "FIN", "flip"};

enum { UP, DOWN }; /* directions: to the server, to the client */

struct plan {
	enum harm harm;
	int direction;
	uint64_t at; /* byte of that direction */
	unsigned bit;
	bool blobs; /* the exchange has some */
	int tries;
};

struct run;

struct end {
	struct run *run;
	struct rpc_conn *conn;
	int closed;
	struct err why;
};

struct run {
	struct plan plan;
	struct end client, server;
	struct peer_state state;
	struct rpc_service service;
	int relay[2]; /* relay[UP]: where the client's bytes come from */
	struct rpc_fd io[2];
	uint64_t passed[2], shaken[2];
	bool harmed;
	int started, dones, oks, closed;
	int64_t call_ms, worst_ms;
	uint64_t got;
	bool ended, bad;
	struct rpc_call *call;
	bool active;
};

static struct rpc_loop *loop;
static struct rpc_tls_conf *client_conf, *server_conf;
static struct run runs[AT_ONCE_MAX];
static int active, failures, at_once = 24;
static char folder[256];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void complain(const struct run *r, const char *what)
{
	failures++;
	printf("%s at byte %llu bit %u of direction %d: %s (client: %s; server: %s)\n",
		harm_names[r->plan.harm], (unsigned long long)r->plan.at, r->plan.bit,
		r->plan.direction, what, r->client.why.message, r->server.why.message);
}

/* --- The exchange: echo, sink, source, shutdown --- */

static void next_call(struct run *r);

static void on_data(void *arg, const uint8_t *bytes, size_t len, bool last)
{
	struct run *r = arg;

	if (!peer_check(bytes, r->got, len))
		r->bad = true;
	r->got += len;
	r->ended = last;
	rpc_call_took(r->call, len);
}

static void on_done(void *arg, const struct err *err)
{
	struct run *r = arg;
	int64_t took = rpc_loop_now_ms(loop) - r->call_ms;

	r->dones++;
	if (took > r->worst_ms)
		r->worst_ms = took;
	if (err == NULL) {
		if (r->started == 3 && (!r->ended || r->got != BLOB_LEN || r->bad))
			complain(r, "a blob that is not whole was taken for whole");
		r->oks++;
		next_call(r);
	}
}

static void next_call(struct run *r)
{
	static const struct rpc_call_ops ops = {.data = on_data, .done = on_done};
	static const char echo[] = "\xa1\x64"
				   "data\x45hello";
	static const char source[] = "\xa1\x63len\x19\xea\x60"; /* 60000 */
	struct rpc_request q = {
		.timeout_ms = call_ms, .reply_max = BLOB_LEN, .ops = &ops, .arg = r};
	int last = r->plan.blobs ? 3 : 1;

	if (r->started == last) {
		rpc_conn_shutdown(r->client.conn);
		return;
	}
	r->got = 0;
	r->call_ms = rpc_loop_now_ms(loop);
	switch (r->started++) {
	case 0:
		q.method = PEER_ECHO;
		q.params = echo;
		q.len = sizeof echo - 1;
		break;
	case 1:
		q.method = PEER_SINK;
		q.blob = peer_blob(BLOB_LEN).data;
		q.blob_len = BLOB_LEN;
		break;
	default:
		q.method = PEER_SOURCE;
		q.params = source;
		q.len = sizeof source - 1;
	}
	r->call = rpc_call_start(r->client.conn, &q, NULL);
	if (r->call == NULL) /* it has just been lost */
		r->started--;
}

static void finish(struct run *r)
{
	int i;

	if (r->client.closed == 0 || r->server.closed == 0 || !r->active)
		return;
	for (i = 0; i < 2; i++) {
		rpc_fd_stop(&r->io[i]);
		if (r->relay[i] >= 0)
			close(r->relay[i]);
	}
	rpc_conn_free(r->client.conn);
	rpc_conn_free(r->server.conn);
	r->active = false;
	active--;
	rpc_loop_stop(loop);
}

static void on_up(void *arg)
{
	struct end *e = arg;
	struct run *r = e->run;

	if (e == &r->client) {
		memcpy(r->shaken, r->passed, sizeof r->shaken);
		next_call(r);
	}
}

static void on_closed(void *arg, const struct err *why)
{
	struct end *e = arg;

	e->closed++;
	e->run->closed++;
	e->why = *why;
	finish(e->run);
}

static const struct rpc_conn_ops conn_ops = {on_up, NULL, on_closed};

/* --- The relay --- */

static void close_both(struct run *r, bool reset)
{
	struct linger now = {1, 0};
	int i;

	for (i = 0; i < 2; i++) {
		rpc_fd_stop(&r->io[i]);
		if (r->relay[i] < 0)
			continue;
		if (reset)
			setsockopt(r->relay[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(r->relay[i]);
		r->relay[i] = -1;
	}
}

static void do_harm(struct run *r)
{
	r->harmed = true;
	if (r->plan.harm == SILENT) {
		rpc_fd_stop(&r->io[UP]);
		rpc_fd_stop(&r->io[DOWN]);
	} else if (r->plan.harm == RST) {
		close_both(r, true);
	} else {
		/* FIN in both directions, without close_notify; incoming bytes are still read, so
		 * that no RST follows. */
		shutdown(r->relay[UP], SHUT_WR);
		shutdown(r->relay[DOWN], SHUT_WR);
	}
}

static void pump(struct run *r, int direction)
{
	uint8_t mem[16384];
	ssize_t n = recv(r->relay[direction], mem, sizeof mem, 0), keep, sent;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			rpc_fd_stop(&r->io[direction]);
			if (!r->harmed)
				shutdown(r->relay[!direction], SHUT_WR);
		}
		return;
	}
	keep = n;
	if (direction == r->plan.direction && r->plan.harm != NONE && !r->harmed &&
		r->plan.at < r->passed[direction] + (uint64_t)n) {
		keep = (ssize_t)(r->plan.at - r->passed[direction]);
		if (r->plan.harm == FLIP) {
			mem[keep] ^= (uint8_t)(1u << r->plan.bit);
			keep = n;
			r->harmed = true;
		}
	} else if (r->harmed && r->plan.harm != FLIP) {
		return; /* after FIN: thrown away */
	}
	r->passed[direction] += (uint64_t)keep;
	/* Loopback's buffers hold everything that one exchange has in transit. */
	sent = keep > 0 ? send(r->relay[!direction], mem, (size_t)keep, MSG_NOSIGNAL) : 0;
	if (sent != keep && errno != EPIPE && errno != ECONNRESET)
		die("relay");
	if (keep != n)
		do_harm(r);
}

static void on_up_ready(void *arg, int events)
{
	(void)events;
	pump(arg, UP);
}

static void on_down_ready(void *arg, int events)
{
	(void)events;
	pump(arg, DOWN);
}

static void tcp_pair(int fd[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 1 << 20;

	setsockopt(l, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(l, (struct sockaddr *)&a, sizeof a) != 0 || listen(l, 1) != 0 ||
		getsockname(l, (struct sockaddr *)&a, &len) != 0)
		die("listen");
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd[0], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (connect(fd[0], (struct sockaddr *)&a, sizeof a) != 0)
		die("connect");
	fd[1] = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	close(l);
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) != 0)
		die("nonblock");
}

static void make_end(struct run *r, struct end *e, int fd, struct rpc_tls_conf *conf,
	const struct rpc_expect *expect)
{
	struct rpc_conn_opts opts = {.conf = conf,
		.expect = expect,
		.service = &r->service,
		.times = &times,
		.ops = &conn_ops,
		.arg = e,
		.address = "relay"};
	struct err err = {0};

	e->run = r;
	e->conn = rpc_conn_new(loop, fd, &opts, &err);
	if (e->conn == NULL)
		die(err.message);
}

static void start(struct run *r, const struct plan *plan)
{
	const struct rpc_expect expect = {RPC_STORE, "s1"};
	int up[2], down[2];

	memset(r, 0, sizeof *r);
	r->plan = *plan;
	r->state.loop = loop;
	peer_service(&r->service, &r->state);
	tcp_pair(up);
	tcp_pair(down);
	r->relay[UP] = up[1];
	r->relay[DOWN] = down[1];
	rpc_fd_want(&r->io[UP], loop, up[1], RPC_READ, on_up_ready, r);
	rpc_fd_want(&r->io[DOWN], loop, down[1], RPC_READ, on_down_ready, r);
	make_end(r, &r->server, down[0], server_conf, NULL);
	make_end(r, &r->client, up[0], client_conf, &expect);
	r->active = true;
	active++;
}

/* What must hold, whatever happened. */
static void judge(const struct run *r)
{
	if (r->dones != r->started)
		complain(r, "a call did not end");
	if (r->worst_ms > 2 * call_ms)
		complain(r, "a call ended after its deadline");
	if (r->closed != 2)
		complain(r, "a connection did not end once");
	if (r->state.sunk != 0 && r->state.sunk != BLOB_LEN)
		complain(r, "the server took a cut blob for whole");
	if (r->harmed && r->plan.harm != FLIP && r->client.why.code == ERR_NONE &&
		r->server.why.code == ERR_NONE)
		complain(r, "a cut connection ended in order");
	if (!r->harmed && r->plan.harm == NONE &&
		(r->client.why.code != ERR_NONE || r->server.why.code != ERR_NONE))
		complain(r, "an unharmed exchange failed");
}

/* Takes plans from next until it has none; passes each outcome to after. */
static void run_all(bool (*next)(struct plan *plan), void (*after)(const struct run *r))
{
	struct plan plan;
	int i;

	do {
		if (active > 0)
			rpc_loop_run(loop);
		for (i = 0; i < at_once; i++) {
			if (runs[i].active)
				continue;
			plan = runs[i].plan;
			if (runs[i].client.closed != 0) {
				runs[i].client.closed = 0;
				judge(&runs[i]);
				/* On a busy machine an exchange may be too slow for its deadlines,
				 * and not reach its place. */
				if (plan.harm != NONE && !runs[i].harmed && plan.tries++ < 5) {
					start(&runs[i], &plan);
					continue;
				}
				after(&runs[i]);
			}
			if (next(&plan))
				start(&runs[i], &plan);
		}
	} while (active > 0);
}

/* --- Cuts --- */

static struct run whole; /* an unharmed exchange, for its lengths */
static int count;

static bool one_plan(struct plan *plan)
{
	*plan = (struct plan){.blobs = whole.plan.blobs};
	return count++ == 0;
}

static void keep_whole(const struct run *r)
{
	whole = *r;
}

static void stretch(int64_t percent)
{
	times = (struct rpc_times){.handshake = base.handshake * percent / 100,
		.frame = base.frame * percent / 100,
		.ping = base.ping * percent / 100,
		.dead = base.dead * percent / 100,
		.bye = base.bye * percent / 100,
		.cancel = base.cancel * percent / 100};
	call_ms = CALL_MS * percent / 100;
}

static void measure(bool blobs)
{
	int64_t from = rpc_loop_now_ms(loop), took;

	count = 0;
	whole.plan.blobs = blobs;
	stretch(2000);
	run_all(one_plan, keep_whole);
	/* The estimated time of all that run at once, at the machine's present speed. */
	took = (rpc_loop_now_ms(loop) - from) * at_once;
	stretch(took > 4000 ? 400 : took > 1000 ? took / 10 : 100);
	printf("an exchange: %llu bytes up (%llu of them handshake), %llu down (%llu)\n",
		(unsigned long long)whole.passed[UP], (unsigned long long)whole.shaken[UP],
		(unsigned long long)whole.passed[DOWN], (unsigned long long)whole.shaken[DOWN]);
	if (failures > 0)
		exit(1);
}

static int harmed, unharmed;
static int cut_step = 1;

/* 100 places in each direction: 40 in the handshake, 20 in the small request after it, 40 in the
 * rest, which is blobs. */
static bool next_cut(struct plan *plan)
{
	int direction = count % 2, place = count / 2 % 100, way = count / 200;
	uint64_t shaken = whole.shaken[direction], all = whole.passed[direction];

	if (way == 3)
		return false;
	*plan = (struct plan){.harm = SILENT + way, .direction = direction, .blobs = true};
	if (place < 40)
		plan->at = shaken * (uint64_t)place / 40;
	else if (place < 60)
		plan->at = shaken + (uint64_t)(place - 40) * 6;
	else
		plan->at = shaken + 120 + (all - shaken - 120) * (uint64_t)(place - 60) / 40;
	count += cut_step;
	return true;
}

static void after_cut(const struct run *r)
{
	harmed += r->harmed;
	unharmed += !r->harmed;
}

static void cuts(void)
{
	measure(true);
	count = 0;
	run_all(next_cut, after_cut);
	printf("%d cuts, %d not reached\n", harmed, unharmed);
	if (unharmed > 12) /* lengths vary by some bytes */
		failures++;
}

/* --- Flips --- */

static uint64_t flip_bit, flip_step;
static int survived, noticed;

static bool next_flip(struct plan *plan)
{
	uint64_t up = whole.passed[UP] * 8, all = up + whole.passed[DOWN] * 8;

	if (flip_bit >= all)
		return false;
	*plan = (struct plan){.harm = FLIP, .direction = flip_bit < up ? UP : DOWN};
	plan->at = (flip_bit < up ? flip_bit : flip_bit - up) / 8;
	plan->bit = flip_bit % 8;
	flip_bit += flip_step;
	return true;
}

static void after_flip(const struct run *r)
{
	bool clean = r->client.why.code == ERR_NONE && r->server.why.code == ERR_NONE;

	unharmed += !r->harmed;
	if (!r->harmed)
		return;
	if (!clean) {
		noticed++;
		return;
	}
	survived++;
	/* The version in the head of the first record is not covered by TLS, and must be ignored
	 * (RFC 5246 E.1, RFC 8446 5.1). */
	if (r->plan.direction == UP && r->plan.at == 2)
		return;
	complain(r, "a flipped bit was not noticed");
}

static void flips(uint64_t first, uint64_t step)
{
	measure(false);
	unharmed = 0;
	flip_bit = first;
	flip_step = step;
	run_all(next_flip, after_flip);
	printf("%d flipped bits ended the connection, %d did not, %d not reached\n", noticed,
		survived, unharmed);
	failures += unharmed > 64; /* lengths vary by some bytes */
}

int main(int argc, char **argv)
{
	const char *temp = getenv("TMPDIR");
	struct err err = {0};
	char command[300];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(folder, sizeof folder, "%s/fdump-cut-XXXXXX", temp != NULL ? temp : "/tmp");
	if (mkdtemp(folder) == NULL)
		die(folder);
	peer_make_ca(folder);
	peer_make_cert(folder, "a1", "agent", NULL, 0, 0);
	peer_make_cert(folder, "s1", "store", NULL, 0, 0);
	client_conf = peer_conf(folder, "a1", NULL, &err);
	server_conf = peer_conf(folder, "s1", NULL, &err);
	loop = rpc_loop_new(&err);
	if (argc >= 4 && strcmp(argv[1], "flip") == 0) {
		if (argc > 4)
			at_once = atoi(argv[4]) < AT_ONCE_MAX ? atoi(argv[4]) : AT_ONCE_MAX;
		flips(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	} else {
		if (argc > 1)
			cut_step = atoi(argv[1]) > 1 ? atoi(argv[1]) : 1;
		cuts();
		flips(3, 211u * (unsigned)cut_step);
	}
	rpc_loop_free(loop);
	rpc_tls_conf_unref(client_conf);
	rpc_tls_conf_unref(server_conf);
	snprintf(command, sizeof command, "rm -r %s", folder);
	if (system(command) != 0)
		return 2;
	printf("%d failures\n", failures);
	return failures > 0;
}
