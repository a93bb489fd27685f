/* A connection: whom it accepts, what each role may ask, and how it ends. */
#include "test/net/pair.h"

#include "rpc/deny.h"
#include "test/unit/unit.h"

static const struct rpc_times quick = {
	.handshake = 5000, .frame = 3000, .ping = 200, .dead = 3000, .bye = 1000, .cancel = 500};

static void shutdown_waits_for_calls(void **unused)
{
	struct pair p;
	struct pair_call o = {0};
	struct rpc_request r = {.method = PEER_EARLY, .timeout_ms = 100, .ops = &pair_call_ops};
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	pair_make(&p);
	pair_start(
		p.client.conn, &o, PEER_SLEEP, mem, pair_number_params(mem, "ms", 200, 0), false);
	rpc_conn_shutdown(p.client.conn);
	rpc_conn_shutdown(p.client.conn);
	assert_null(rpc_call_start(p.client.conn, &r, &err));
	assert_int_equal(err.code, ERR_CLOSED);
	pair_run_ms(100);
	assert_int_equal(p.client.closed, 0);
	assert_null(rpc_call_start(p.server.conn, &r, &err));
	pair_wait_closed(&p.client);
	pair_wait_closed(&p.server);
	assert_true(o.ok && o.dones == 1);
	assert_int_equal(p.client.why.code, ERR_NONE);
	assert_int_equal(p.server.why.code, ERR_NONE);
	pair_free(&p);
}

static void silence_is_noticed(void **unused)
{
	struct pair p;
	struct pair_call o = {0};
	uint8_t mem[64];

	(void)unused;
	pair_make_timed(&p, &quick);
	pair_run_ms(1500); /* pings keep it alive */
	assert_int_equal(p.client.closed + p.server.closed, 0);
	pair_start(
		p.client.conn, &o, PEER_SLEEP, mem, pair_number_params(mem, "ms", 60000, 0), false);
	pair_run_ms(50);
	rpc_conn_free(p.server.conn); /* no close_notify */
	p.server.conn = NULL;
	pair_wait_closed(&p.client);
	assert_int_equal(p.client.why.code, ERR_CLOSED);
	assert_int_equal(o.dones, 1);
	assert_int_equal(o.err.code, ERR_CLOSED);
	pair_free(&p);
}

static void freeing_inside_a_callback(void **unused)
{
	struct pair p;
	struct pair_call a = {0}, b = {0};
	uint8_t mem[64];

	(void)unused;
	pair_make(&p);
	a.free_at_reply = p.client.conn;
	p.server.free_when_closed = true;
	pair_start(
		p.client.conn, &b, PEER_SLEEP, mem, pair_number_params(mem, "ms", 5000, 0), false);
	pair_start(p.client.conn, &a, PEER_SOURCE, mem, pair_number_params(mem, "len", 100000, 0),
		false);
	pair_wait_done(&a);
	assert_int_equal(a.err.code, ERR_CLOSED);
	assert_int_equal(b.dones, 1);
	assert_int_equal(p.client.closed, 0);
	pair_wait_closed(&p.server);
}

/* Every method called by every role: the result is that of the table. */
static void roles_and_methods(void **unused)
{
	static const char *const who[] = {"a1", "m1", "s2", "o1"};
	static const enum rpc_role roles[] = {RPC_AGENT, RPC_MANAGER, RPC_STORE, RPC_OPERATOR};
	const struct rpc_expect expect = {RPC_STORE, "s1"};
	size_t w, m;

	(void)unused;
	for (w = 0; w < 4; w++) {
		struct pair p;

		pair_make_as(&p, who[w], "s1", &expect, NULL, NULL);
		pair_wait_up(&p);
		assert_int_equal(p.client.up, 1);
		for (m = 0; m <= peer_methods_count; m++) {
			const struct rpc_method *method = &peer_methods[m];
			bool known = m < peer_methods_count && method->handler != NULL;
			bool may = known && (method->roles & RPC_ROLE_BIT(roles[w])) != 0;
			unsigned number = m < peer_methods_count ? method->number : 999;
			struct pair_call o = {0};
			unsigned handled = pair_state.handled, logged = pair_state.logged;

			/* Malformed on purpose: a permitted method reports that, and no handler
			 * runs; one that is not permitted does not even parse it. */
			pair_start(p.client.conn, &o, number, "\xff", 1, false);
			pair_wait_done(&o);
			assert_int_equal(o.err.code, !known ? ERR_UNSUPPORTED
						     : may  ? ERR_FORMAT
							    : ERR_DENIED);
			assert_int_equal(pair_state.handled, handled);
			assert_int_equal(pair_state.logged, logged + 1);
		}
		assert_int_equal(p.client.closed, 0);
		pair_free(&p);
	}
}

static void refused_by(const char *client, const char *server, const struct rpc_expect *expect,
	const struct rpc_deny *deny)
{
	struct pair p;
	unsigned logged = pair_state.logged;

	pair_make_as(&p, client, server, expect, deny, NULL);
	pair_wait_up(&p);
	pair_wait_closed(&p.client);
	pair_wait_closed(&p.server);
	/* At least one side reports why; neither came up on the refusing side. */
	assert_true(p.client.why.code == ERR_DENIED || p.server.why.code == ERR_DENIED);
	assert_int_equal(p.server.up, 0);
	assert_int_equal(pair_state.logged, logged);
	pair_free(&p);
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
	struct rpc_tls_conf *conf = pair_conf("a1", NULL);

	(void)unused;
	refused_by("a1", "s1", &other, NULL);
	refused_by("a1", "s1", &role, NULL);
	refused_by("expired", "s1", &s1, NULL);
	refused_by("early", "s1", &s1, NULL);
	refused_by("a1", "expired", &(struct rpc_expect){RPC_AGENT, "expired"}, NULL);
	refused_by("s1", "s1", &s1, NULL); /* this process's own certificate */
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
	struct pair_call o = {0};
	struct pair p;

	(void)unused;
	rpc_deny_init(&deny);
	pair_make_as(&p, "a1", "s1", &s1, &deny, NULL);
	pair_wait_up(&p);
	assert_int_equal(p.server.up, 1);
	deny_host(&deny, rpc_conn_peer(p.server.conn)->host);
	pair_start(p.client.conn, &o, PEER_EARLY, NULL, 0, false);
	pair_wait_closed(&p.server);
	pair_wait_done(&o);
	assert_int_equal(o.err.code, ERR_DENIED);
	pair_free(&p);
	/* Without a request, after the list has changed. */
	rpc_deny_fini(&deny);
	pair_make_as(&p, "a1", "s1", &s1, &deny, NULL);
	pair_wait_up(&p);
	assert_int_equal(p.server.up, 1);
	rpc_conn_recheck(p.server.conn);
	pair_run_ms(50);
	assert_int_equal(p.server.closed, 0);
	deny_host(&deny, rpc_conn_peer(p.server.conn)->host);
	rpc_conn_recheck(p.server.conn);
	assert_int_equal(p.server.closed, 0);
	pair_wait_closed(&p.server);
	pair_wait_closed(&p.client);
	assert_int_equal(p.server.why.code, ERR_DENIED);
	pair_free(&p);
	rpc_deny_fini(&deny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shutdown_waits_for_calls),
		cmocka_unit_test(silence_is_noticed),
		cmocka_unit_test(freeing_inside_a_callback),
		cmocka_unit_test(roles_and_methods),
		cmocka_unit_test(identities_are_held_against_what_is_expected),
		cmocka_unit_test(denied_while_connected),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
