/* Who the manager's peers are, and what each may do: strangers, roles, stores, orders, denials. */
#include "test/net/managed.h"

#include <time.h>

#include "cmd/manager/db.h"
#include "cmd/manager/plan.h"
#include "lib/cbor.h"
#include "test/unit/unit.h"

static struct err err;

/* The row of a machine in a listing of hosts. */
static void row_of(struct managed_peer *operator, const char * name, struct manager_host_row *row)
{
	const uint8_t *at = operator->blob.data;
	size_t left = operator->blob.len;

	while (manager_row_get(row, sizeof *row, manager_host_fields, &at, &left, &err) == 0)
		if (strcmp(row->name, name) == 0)
			return;
	fail_msg("%s: not listed", name);
}

/* Two machines with one certificate, and two with one name. */
static void test_strangers(void **unused)
{
	struct manager_hello h = {.boot = {1}}, again = {.boot = {2}}, same = {.boot = {1}};
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct managed_peer a, b, o, other;

	(void)unused;
	managed_start();
	managed_dial(&o, "o1");
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	/* The same start of the machine again: the earlier connection is not yet known to be lost.
	 */
	managed_dial(&b, "a1");
	assert_int_equal(managed_hello(&b, &same, &w), ERR_NONE);
	assert_int_equal(a.notified, 0);
	managed_hang_up(&b);
	/* Another start: the machine was restarted, unless the earlier one is heard of again. */
	managed_dial(&b, "a1");
	assert_int_equal(managed_hello(&b, &again, &w), ERR_NONE);
	while (a.notified == 0)
		rpc_loop_run(managed_loop);
	assert_false(managed_alarm(&o, "agent/a1/clone", &alarm));
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_true(managed_alarm(&o, "agent/a1/clone", &alarm));
	assert_string_equal(alarm.state, "cloned");
	assert_true(alarm.critical);
	managed_hang_up(&b);
	managed_hang_up(&o);
	/* Another machine with that name. */
	peer_make_cert_by(managed_folder, "int", "a1-other", "a1", "agent", NULL, 0, 0);
	managed_dial(&other, "a1-other");
	assert_int_equal(managed_hello(&other, &again, &w), ERR_DENIED);
	assert_non_null(strstr(other.result.message, "another machine is known as the agent a1"));
	assert_int_equal(managed_ask(&other, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_DENIED);
	managed_hang_up(&other);
	managed_dial(&o, "o1");
	assert_true(managed_alarm(&o, "agent/a1/stranger", &alarm));
	assert_non_null(strstr(alarm.reason, "another machine is known as the agent a1"));
	managed_hang_up(&o);
	managed_hang_up(&a);
	managed_stop();
}

/* What the list of machines says about them. */
static void test_hosts(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_host_row row;
	struct manager_welcome w;
	static const char agent_a1[] = "\xa1\x65"
				       "agent\x62"
				       "a1";
	static const char agent_m2[] = "\xa1\x65"
				       "agent\x62"
				       "m2";
	struct managed_peer a, b, o;
	size_t one;

	(void)unused;
	managed_start();
	managed_dial(&a, "a1");
	/* A machine whose plan differs from that of the manager that it follows. */
	strcpy(h.follows, "m2");
	h.digest[0] = 1;
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	managed_dial(&o, "o1");
	assert_int_equal(managed_ask(&o, MANAGER_METHOD_HOSTS, "\xa0", 1), ERR_NONE);
	row_of(&o, "a1", &row);
	assert_true(row.differs);
	managed_hang_up(&o);
	h.follows[0] = 0;
	h.digest[0] = 0;
	/* Another manager's agent says hello as well: it belongs to the fleet. That manager's
	 * operator may not. */
	managed_dial(&b, "a2");
	assert_int_equal(managed_hello(&b, &h, &w), ERR_NONE);
	managed_hang_up(&b);
	managed_dial(&b, "o-m2");
	assert_null(b.conn);
	managed_hang_up(&b);
	managed_dial(&o, "o1");
	/* Data of one named agent, not of another machine. */
	assert_int_equal(
		managed_ask(&o, MANAGER_METHOD_HOSTS, agent_m2, sizeof agent_m2 - 1), ERR_NONE);
	assert_int_equal(o.blob.len, 0);
	assert_int_equal(
		managed_ask(&o, MANAGER_METHOD_HOSTS, agent_a1, sizeof agent_a1 - 1), ERR_NONE);
	one = o.blob.len;
	row_of(&o, "a1", &row);
	assert_int_equal(managed_ask(&o, MANAGER_METHOD_HOSTS, "\xa0", 1), ERR_NONE);
	assert_true(one < o.blob.len);
	managed_hang_up(&o);
	managed_hang_up(&a);
	managed_stop();
}

/* Each method, called by each role: those that may not are refused before anything else. */
static void test_roles(void **unused)
{
	static const struct {
		uint16_t method;
		const char *may; /* of a1, s1, o1 */
	} table[] = {{2, "as"}, {3, "o"}, {4, "o"}, {64, "as"}, {65, "a"}, {66, "a"}, {96, "o"},
		{97, "o"}, {99, "o"}, {100, "o"}, {101, "o"}, {102, "o"}, {103, "o"}};
	static const char *const files[] = {"a1", "s1", "o1"};
	struct managed_peer p;
	size_t i, k;

	(void)unused;
	managed_start();
	for (k = 0; k < 3; k++) {
		managed_dial(&p, files[k]);
		for (i = 0; i < sizeof table / sizeof *table; i++) {
			bool may = strchr(table[i].may, files[k][0]) != NULL;

			/* A text instead of a map: peers that may call the method get that error.
			 * Methods without parameters answer. */
			managed_ask(&p, table[i].method, "\x61x", 2);
			if (may)
				assert_true(p.result.code != ERR_DENIED || table[i].method == 65);
			else
				assert_int_equal(p.result.code, ERR_DENIED);
		}
		assert_int_equal(managed_ask(&p, 98, "\xa0", 1), ERR_UNSUPPORTED);
		managed_hang_up(&p);
	}
	managed_stop();
}

static void test_store(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_hello sh = {
		.boot = {2}, .uid = {3}, .key = {4}, .address = "s1.example.org:7421", .free = 5};
	struct manager_welcome w;
	struct manager_plan plan;
	struct managed_peer a, s, copy;

	(void)unused;
	managed_start();
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.store_count, 0);
	managed_dial(&s, "s1");
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_NONE);
	assert_true(manager_is_zero(w.digest, sizeof w.digest));
	/* The agent is notified, and finds the store in its plan. */
	while (a.notified == 0)
		rpc_loop_run(managed_loop);
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(w.store_count, 1);
	assert_string_equal(w.stores[0].address, "s1.example.org:7421");
	assert_int_equal(w.stores[0].uid[0], 3);
	assert_int_equal(managed_ask(&a, MANAGER_METHOD_PLAN, "\xa0", 1), ERR_NONE);
	assert_int_equal(manager_plan_decode(&plan, a.blob.data, a.blob.len, &err), 0);
	assert_true(plan.stores[0].has_key && plan.stores[0].key[0] == 4);
	manager_plan_free(&plan);
	/* An address that would be a line of its own in a list. */
	strcpy(sh.address, "x\ns9 6.6.6.6:1 00 00");
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_NONE);
	assert_int_equal(w.store_count, 1);
	assert_string_equal(w.stores[0].address, "127.0.0.1:7421");
	strcpy(sh.address, ":1 0");
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_NONE);
	assert_int_equal(w.store_count, 1);
	assert_string_equal(w.stores[0].address, "127.0.0.1:7421");
	strcpy(sh.address, ":7422");
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_NONE);
	assert_int_equal(w.store_count, 1);
	assert_string_equal(w.stores[0].address, "127.0.0.1:7422");
	/* A copy of its directory under another name. */
	managed_dial(&copy, "s2");
	assert_int_equal(managed_hello(&copy, &sh, &w), ERR_DENIED);
	assert_non_null(strstr(managed_log, "the store s2 has the uid of the store s1"));
	managed_hang_up(&copy);
	/* Another store with the same certificate. */
	sh.uid[0] = 9;
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_DENIED);
	assert_non_null(strstr(managed_log, "refused: the store s1 is not the same as before"));
	memset(sh.uid, 0, sizeof sh.uid);
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_USAGE);
	managed_hang_up(&s);
	managed_hang_up(&a);
	managed_stop();
}

/* What a store reports about itself. */
static void test_full(void **unused)
{
	struct manager_hello sh = {.boot = {2},
		.expires = time(NULL) + 86400,
		.uid = {3},
		.key = {4},
		.size = 1000,
		.used = 700,
		.damaged = 2,
		.fault = "the index is damaged"};
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct managed_peer s, o;

	(void)unused;
	managed_start();
	managed_dial(&o, "o1");
	managed_dial(&s, "s1");
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_NONE);
	assert_true(managed_alarm(&o, "store/s1/space", &alarm));
	assert_string_equal(alarm.state, "full");
	assert_true(managed_alarm(&o, "store/s1/damage", &alarm));
	assert_true(managed_alarm(&o, "store/s1/stopped", &alarm));
	assert_non_null(strstr(alarm.reason, sh.fault));
	assert_true(managed_alarm(&o, "store/s1/certificate", &alarm));
	sh.free = 500;
	sh.damaged = 0;
	sh.fault[0] = 0;
	sh.expires += 80 * 86400;
	assert_int_equal(managed_hello(&s, &sh, &w), ERR_NONE);
	assert_int_equal(managed_ask(&o, MANAGER_METHOD_ALARMS, "\xa0", 1), ERR_NONE);
	assert_false(managed_alarm(&o, "store/s1/space", &alarm));
	assert_false(managed_alarm(&o, "store/s1/damage", &alarm));
	assert_false(managed_alarm(&o, "store/s1/stopped", &alarm));
	assert_false(managed_alarm(&o, "store/s1/certificate", &alarm));
	managed_hang_up(&s);
	managed_hang_up(&o);
	managed_stop();
}

static size_t order(struct managed_peer *o, const char *agent, struct manager_order_row *row)
{
	const uint8_t *at;
	struct cbor_out out;
	uint8_t mem[128];
	size_t left, count = 0;
	struct manager_order_row one;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, agent != NULL ? 3 : 2);
	cbor_put_text(&out, "method");
	cbor_put_uint(&out, MANAGER_METHOD_RUN);
	cbor_put_text(&out, "job");
	cbor_put_text(&out, "system");
	if (agent != NULL) {
		cbor_put_text(&out, "agent");
		cbor_put_text(&out, agent);
	}
	if (managed_ask(o, MANAGER_METHOD_ORDER, mem, cbor_out_len(&out)) != ERR_NONE)
		return 0;
	at = o->blob.data;
	left = o->blob.len;
	while (manager_row_get(&one, sizeof one, manager_order_fields, &at, &left, &err) == 0) {
		if (count++ == 0)
			*row = one;
	}
	return count;
}

static void test_orders(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_order_row row;
	struct manager_welcome w;
	struct managed_peer a, o;

	(void)unused;
	managed_start();
	managed_dial(&o, "o-m1");
	managed_dial(&a, "a1");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(order(&o, "a1", &row), 1);
	assert_string_equal(row.error, "");
	assert_memory_equal(row.run, "sixteen of a run", sizeof row.run);
	assert_string_equal(a.job, "system");
	assert_int_equal(order(&o, "a1", &row), 1);
	assert_non_null(strstr(row.error, "it is running"));
	/* a2 has said hello in another test. */
	assert_int_equal(order(&o, "a2", &row), 1);
	assert_string_equal(row.error, "not connected");
	assert_int_equal(order(&o, NULL, &row), 2);
	assert_int_equal(order(&o, "zz", &row), 0);
	assert_int_equal(o.result.code, ERR_NOTFOUND);
	managed_hang_up(&a);
	managed_hang_up(&o);
	managed_stop();
}

/* Orders of an operator who has the host id from another manager. */
static enum err_code revoke_host(struct managed_peer *o, const char *name, const char *host)
{
	uint8_t mem[128];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "role");
	cbor_put_text(&out, "agent");
	cbor_put_text(&out, "name");
	cbor_put_text(&out, name);
	cbor_put_text(&out, "host");
	cbor_put_text(&out, host);
	return managed_ask(o, MANAGER_METHOD_REVOKE, mem, cbor_out_len(&out));
}

static void test_denied(void **unused)
{
	static const char revoke[] = "\xa2\x64role\x65"
				     "agent\x64name\x62"
				     "a1";
	struct manager_hello h = {.boot = {1}};
	struct manager_welcome w;
	struct managed_peer a, b, o;

	(void)unused;
	managed_start();
	managed_dial(&o, "o1");
	managed_dial(&a, "a1");
	managed_dial(&b, "a2");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	assert_int_equal(managed_hello(&b, &h, &w), ERR_NONE);
	assert_int_equal(
		managed_ask(&o, MANAGER_METHOD_REVOKE, revoke, sizeof revoke - 1), ERR_NONE);
	/* It is cut off at once; the others are notified. */
	while (!a.down || b.notified == 0)
		rpc_loop_run(managed_loop);
	assert_int_equal(managed_hello(&b, &h, &w), ERR_NONE);
	assert_int_equal(strlen(w.denied), RPC_HOST_LEN);
	managed_hang_up(&a);
	managed_dial(&a, "a1");
	assert_null(a.conn);
	managed_hang_up(&a);
	/* The name is free. */
	managed_dial(&a, "a1-other");
	assert_int_equal(managed_hello(&a, &h, &w), ERR_NONE);
	managed_hang_up(&a);
	managed_hang_up(&b);
	managed_hang_up(&o);
	managed_stop();
	/* And it stays free. */
	managed_start();
	managed_dial(&a, "a1");
	assert_null(a.conn);
	managed_hang_up(&a);
	managed_stop();
}

/* If a denial's entry is damaged its key is left, and still denies; once it is made again
 * everything works. */
static void test_denied_damaged(void **unused)
{
	static const char *const names[] = {"denied"};
	struct manager_hello h = {.boot = {1}};
	struct manager_alarm_row alarm;
	struct manager_welcome w;
	struct managed_peer a, b, o;
	char host[RPC_HOST_LEN + 1];

	(void)unused;
	managed_damage(names, 1);
	managed_start();
	managed_dial(&a, "a1");
	strcpy(host, rpc_tls_conf_self(a.conf)->host);
	assert_null(a.conn);
	managed_hang_up(&a);
	managed_dial(&o, "o1");
	managed_dial(&b, "a2");
	assert_int_equal(managed_hello(&b, &h, &w), ERR_NONE);
	assert_int_equal(strlen(w.denied), RPC_HOST_LEN);
	assert_memory_equal(w.denied, host, RPC_HOST_LEN);
	assert_true(managed_alarm(&o, "manager/m1/state", &alarm));
	assert_int_equal(revoke_host(&o, "a1", host), ERR_NONE);
	assert_false(managed_alarm(&o, "manager/m1/state", &alarm));
	managed_hang_up(&b);
	managed_hang_up(&o);
	managed_stop();
}

/* More damaged denials than the manager can list: all of them still deny. */
static void test_denied_many_damaged(void **unused)
{
	static const char *const names[] = {"denied"};
	struct managed_peer a, o;
	char host[RPC_HOST_LEN + 1], name[16];
	unsigned i;

	(void)unused;
	managed_start();
	managed_dial(&o, "o1");
	for (i = 1; i <= MANAGER_DAMAGED_MAX; i++) {
		snprintf(host, sizeof host, "%032x", i); /* before that of a1 */
		snprintf(name, sizeof name, "x%u", i);
		assert_int_equal(revoke_host(&o, name, host), ERR_NONE);
	}
	managed_hang_up(&o);
	managed_stop();
	managed_damage(names, 1);
	managed_start();
	managed_dial(&a, "a1");
	assert_null(a.conn);
	managed_hang_up(&a);
	managed_stop();
}

static void test_denied_unheard(void **unused)
{
	struct manager_hello h = {.boot = {1}};
	struct manager_welcome w;
	char host[RPC_HOST_LEN + 1];
	struct managed_peer a, b, o;

	(void)unused;
	managed_start();
	peer_make_cert_by(managed_folder, "int", "a9", "a9", "agent", NULL, 0, 0);
	managed_dial(&o, "o1");
	managed_dial(&b, "a2");
	assert_int_equal(managed_hello(&b, &h, &w), ERR_NONE);
	/* Not by another host's id, nor by the manager's. */
	strcpy(host, rpc_tls_conf_self(b.conf)->host);
	assert_int_equal(revoke_host(&o, "a9", host), ERR_DENIED);
	assert_int_equal(revoke_host(&o, "m1", rpc_conn_peer(o.conn)->host), ERR_USAGE);
	assert_int_equal(revoke_host(&o, "a9", "HHHHHHHHHHHHHHHHHHHHHHHHHHHHHHHH"), ERR_USAGE);
	/* It has never connected. */
	managed_dial(&a, "a9");
	assert_non_null(a.conn);
	strcpy(host, rpc_tls_conf_self(a.conf)->host);
	managed_hang_up(&a);
	assert_int_equal(revoke_host(&o, "a9", host), ERR_NONE);
	assert_int_equal(revoke_host(&o, "a9", host), ERR_NONE);
	managed_dial(&a, "a9");
	assert_null(a.conn);
	managed_hang_up(&a);
	managed_hang_up(&b);
	managed_hang_up(&o);
	managed_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_denied_damaged),
		cmocka_unit_test(test_denied_many_damaged),
		cmocka_unit_test(test_denied_unheard),
	};

	return cmocka_run_group_tests(tests, managed_setup, managed_teardown);
}
