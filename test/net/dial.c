/* Dialling, redialling after a failure, and listening: which connection gives way when too many
 * come. */
#include "rpc/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/pool.h"
#include "rpc/listen.h"
#include "rpc/net.h"
#include "test/net/pair.h"
#include "test/unit/unit.h"

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
		.conf = conf, .service = &pair_service, .host = "127.0.0.1", .port = port};
	struct err err = {0};
	struct rpc_listen *l = rpc_listen_new(pair_loop, &opts, &err);

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

/* A loop that has only a look-up to wait for waits for it. */
static void waits_for_a_name(void **unused)
{
	struct pool_job before = {.work = work_a_while, .done = nothing, .drop = nothing};
	struct err err = {0};
	struct lonely l = {.loop = rpc_loop_new(&err)};
	struct rpc_tls_conf *a1 = pair_conf("a1", NULL);
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
	struct rpc_tls_conf *s1 = pair_conf("s1", NULL), *a1 = pair_conf("a1", NULL);
	struct rpc_listen *l = listen_on("0", s1);
	struct dialled d = {0};
	struct rpc_dial_opts opts = {.conf = a1,
		.expect = {RPC_STORE, "s1"},
		.service = &pair_service,
		.host = "127.0.0.1",
		.pool = pair_state.pool,
		.wait_min_ms = 50,
		.wait_max_ms = 400,
		.arg = &d,
		.up = dial_up,
		.down = dial_down};
	struct err err = {0};
	struct pair_call o = {0};
	struct rpc_dial *dial;
	char port[8];
	int i;

	(void)unused;
	snprintf(port, sizeof port, "%u", rpc_listen_port(l));
	opts.port = port;
	dial = rpc_dial_new(pair_loop, &opts, &err);
	assert_non_null(dial);
	assert_null(d.conn);
	for (i = 0; i < 200 && d.up < 1; i++)
		pair_run_ms(10);
	assert_int_equal(d.up, 1);
	assert_int_equal(rpc_listen_count(l), 1);
	pair_start(d.conn, &o, PEER_EARLY, NULL, 0, false);
	pair_wait_done(&o);
	assert_true(o.ok);
	rpc_listen_shutdown(l);
	for (i = 0; i < 200 && d.down < 3; i++)
		pair_run_ms(10);
	assert_true(d.down >= 3);
	assert_true(d.wait >= 25 && d.wait <= 400);
	assert_int_equal(d.up, 1);
	rpc_listen_free(l);
	l = listen_on(port, s1);
	for (i = 0; i < 200 && d.up < 2; i++)
		pair_run_ms(10);
	assert_int_equal(d.up, 2);
	/* The connection did not last, so the wait is as long as before. */
	rpc_listen_free(l);
	l = listen_on(port, s1);
	for (i = 0; i < 200 && d.up < 3; i++) {
		pair_run_ms(10);
		assert_true(d.first_wait == 0 || d.first_wait >= 100);
	}
	assert_int_equal(d.up, 3);
	/* After one that lasted the wait is short again. */
	pair_run_ms(600);
	rpc_listen_free(l);
	for (i = 0; i < 200 && d.first_wait == 0; i++)
		pair_run_ms(10);
	assert_in_range(d.first_wait, 25, 50);
	l = listen_on(port, s1);
	for (i = 0; i < 200 && d.up < 4; i++)
		pair_run_ms(10);
	assert_int_equal(d.up, 4);
	rpc_dial_free(dial);
	pair_run_ms(50);
	assert_int_equal(rpc_listen_count(l), 0);
	rpc_listen_free(l);
	rpc_tls_conf_unref(s1);
	rpc_tls_conf_unref(a1);
}

/* A silent client has no session; if all places are taken, the oldest such client gives way. */
static void slow_ones_give_way(void **unused)
{
	static const struct rpc_listen_limits limits = {8, 4, 2, 2};
	struct rpc_tls_conf *s1 = pair_conf("s1", NULL), *a1 = pair_conf("a1", NULL);
	struct rpc_listen_opts opts = {.conf = s1,
		.service = &pair_service,
		.limits = &limits,
		.host = "127.0.0.1",
		.port = "0"};
	struct err err = {0};
	struct rpc_listen *l = rpc_listen_new(pair_loop, &opts, &err);
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
		pair_run_ms(10);
	assert_int_equal(rpc_listen_count(l), 4);
	for (i = 0; i < 3; i++) {
		struct rpc_dial_opts dopts = {.conf = a1,
			.expect = {RPC_STORE, "s1"},
			.service = &pair_service,
			.host = "127.0.0.1",
			.port = port,
			.once = true,
			.arg = &d[i],
			.up = dial_up,
			.down = dial_down};

		dial[i] = rpc_dial_new(pair_loop, &dopts, &err);
		assert_non_null(dial[i]);
		for (j = 0; j < 500 && d[i].up + d[i].down == 0; j++)
			pair_run_ms(10);
		pair_run_ms(50); /* it may still be refused after its HELLO */
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

/* Returns 0 or errno. */
static int try_connect(const char *host, unsigned port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *ai;
	char text[8];
	int fd, ret = 0;

	snprintf(text, sizeof text, "%u", port);
	assert_int_equal(getaddrinfo(host, text, &hints, &ai), 0);
	fd = socket(ai->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen) != 0)
		ret = errno;
	freeaddrinfo(ai);
	close(fd);
	return ret;
}

static void all_addresses_are_both_families(void **unused)
{
	static const char *const all[] = {NULL, "::"};
	struct rpc_tls_conf *s1 = pair_conf("s1", NULL);
	struct rpc_listen_opts opts = {.conf = s1, .service = &pair_service, .port = "0"};
	struct err err = {0};
	struct rpc_listen *l;
	int i, ret;

	(void)unused;
	for (i = 0; i < 2; i++) {
		opts.host = all[i];
		l = rpc_listen_new(pair_loop, &opts, &err);
		assert_non_null(l);
		assert_int_equal(try_connect("127.0.0.1", rpc_listen_port(l)), 0);
		ret = try_connect("::1", rpc_listen_port(l));
		assert_true(ret == 0 || ret == EADDRNOTAVAIL || ret == EAFNOSUPPORT);
		rpc_listen_free(l);
	}
	rpc_tls_conf_unref(s1);
}

/* A service listens for both families by one socket, which shows IPv4 addresses as mapped ones. */
static void mapped_addresses_differ(void **unused)
{
	static const char *const hosts[] = {
		"::ffff:192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1", "2001:db8::2"};
	static const char *const texts[] = {
		"192.0.2.1:7420", "192.0.2.2:7420", "[2001:db8::1]:7420", "[2001:db8::2]:7420"};
	struct sockaddr_storage at[4] = {0};
	char text[RPC_ADDRESS_MAX];
	int i;

	(void)unused;
	for (i = 0; i < 4; i++) {
		struct sockaddr_in6 *a = (void *)&at[i];

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(7420);
		assert_int_equal(inet_pton(AF_INET6, hosts[i], &a->sin6_addr), 1);
		rpc_net_text(text, (struct sockaddr *)a, sizeof *a);
		assert_string_equal(text, texts[i]);
		assert_true(rpc_net_same_host(&at[i], &at[i]));
	}
	assert_false(rpc_net_same_host(&at[0], &at[1]));
	assert_true(rpc_net_same_host(&at[2], &at[3])); /* of one /64 */
	assert_false(rpc_net_same_host(&at[1], &at[2]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_a_name),
		cmocka_unit_test(dials_and_dials_again),
		cmocka_unit_test(slow_ones_give_way),
		cmocka_unit_test(all_addresses_are_both_families),
		cmocka_unit_test(mapped_addresses_differ),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
