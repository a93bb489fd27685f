/* Calls, blobs and notes over one connection: in both directions, their limits, cancelling,
 * deadlines. */
#include "test/net/pair.h"

#include "lib/cbor.h"
#include "test/unit/unit.h"

static void calls_go_both_ways(void **unused)
{
	struct pair p;
	struct pair_call a = {0}, b = {0};
	uint8_t mem[128];
	size_t len = pair_echo_params(mem, sizeof mem, "hello", 5);

	(void)unused;
	pair_make(&p);
	assert_string_equal(rpc_conn_peer(p.client.conn)->name, "s1");
	assert_string_equal(rpc_conn_peer(p.server.conn)->name, "a1");
	assert_int_equal(rpc_conn_peer(p.server.conn)->role, RPC_AGENT);
	pair_start(p.client.conn, &a, PEER_ECHO, mem, len, false);
	pair_start(p.server.conn, &b, PEER_ECHO, mem, len, false);
	pair_wait_done(&a);
	pair_wait_done(&b);
	assert_true(a.ok && b.ok);
	assert_int_equal(a.reply_len, len);
	assert_memory_equal(a.reply, mem, len);
	pair_free(&p);
}

static void pipelines_up_to_the_limit(void **unused)
{
	static struct pair_call o[RPC_CALLS_MAX + 1];
	struct rpc_request r = {
		.method = PEER_ECHO, .timeout_ms = 5000, .ops = &pair_call_ops, .arg = o};
	struct err err = {0};
	uint8_t mem[128];
	struct pair p;
	int i;

	(void)unused;
	memset(o, 0, sizeof o);
	pair_make(&p);
	r.params = mem;
	r.len = pair_echo_params(mem, sizeof mem, "x", 1);
	for (i = 0; i < RPC_CALLS_MAX; i++)
		pair_start(p.client.conn, &o[i], PEER_ECHO, mem, r.len, false);
	assert_null(rpc_call_start(p.client.conn, &r, &err));
	assert_int_equal(err.code, ERR_BUSY);
	for (i = 0; i < RPC_CALLS_MAX; i++) {
		pair_wait_done(&o[i]);
		assert_true(o[i].ok);
	}
	assert_int_equal(p.client.room, 1);
	pair_free(&p);
}

static void blob_of(uint64_t len)
{
	struct pair p;
	struct pair_call up = {.len = len}, down = {0}, both = {.len = len};
	uint8_t mem[64];

	pair_make(&p);
	pair_start(p.client.conn, &up, PEER_SINK, NULL, 0, true);
	pair_wait_done(&up);
	assert_true(up.ok);
	assert_non_null(memmem(up.reply, up.reply_len, "\x64good\xf5", 6));
	pair_start(p.server.conn, &down, PEER_SOURCE, mem, pair_number_params(mem, "len", len, 0),
		false);
	pair_wait_done(&down);
	assert_true(down.ok && down.ended && !down.bad);
	assert_int_equal(down.got, len);
	pair_start(p.client.conn, &both, PEER_TWICE, NULL, 0, true);
	pair_wait_done(&both);
	assert_true(both.ok && both.ended && !both.bad);
	assert_int_equal(both.got, len);
	pair_free(&p);
}

static void blobs_of_all_sizes(void **unused)
{
	(void)unused;
	blob_of(0);
	blob_of(1);
	blob_of(RPC_PAYLOAD_MAX);
	blob_of(RPC_PAYLOAD_MAX + 1);
	blob_of(RPC_WINDOW);
	blob_of(RPC_WINDOW + 1);
	blob_of(5 * RPC_WINDOW + 12345);
}

static void errors_arrive_escaped(void **unused)
{
	struct pair p;
	struct pair_call o = {0};

	(void)unused;
	pair_make(&p);
	pair_start(p.client.conn, &o, PEER_FAIL, NULL, 0, false);
	pair_wait_done(&o);
	assert_int_equal(o.err.code, ERR_DAMAGE);
	assert_string_equal(o.err.message, "bad \\033[31mred\\033[0m\\nand \\342\\200\\256 more");
	assert_int_equal(p.client.closed, 0);
	pair_free(&p);
}

static void limits_hold(void **unused)
{
	struct pair p;
	struct pair_call big = {0}, blob = {.len = 1001}, fits = {.len = 1000}, none = {0},
			 name = {0};
	unsigned handled;
	uint8_t mem[512], data[100] = {0};
	size_t len;

	(void)unused;
	pair_make(&p);
	handled = pair_state.handled;
	len = pair_echo_params(mem, sizeof mem, data, sizeof data);
	pair_start(p.client.conn, &big, PEER_TIGHT, mem, len, false); /* over param_max */
	pair_wait_done(&big);
	assert_int_equal(big.err.code, ERR_LIMIT);
	pair_start(p.client.conn, &none, PEER_ECHO, NULL, 0, true); /* takes no blob */
	pair_wait_done(&none);
	assert_int_equal(none.err.code, ERR_LIMIT);
	assert_int_equal(pair_state.handled, handled);
	pair_start(p.client.conn, &name, PEER_TIGHT, "\xa1\x64name\x64../x", 11, false);
	pair_wait_done(&name);
	assert_int_equal(name.err.code, ERR_FORMAT);
	assert_int_equal(pair_state.handled, handled);
	pair_start(p.client.conn, &blob, PEER_TIGHT, NULL, 0, true);
	pair_wait_done(&blob);
	assert_int_equal(blob.err.code, ERR_LIMIT);
	pair_start(p.client.conn, &fits, PEER_TIGHT, NULL, 0, true);
	pair_wait_done(&fits);
	assert_true(fits.ok);
	assert_int_equal(p.client.closed, 0);
	pair_free(&p);
}

static void cancel_stops_a_blob(void **unused)
{
	struct pair p;
	struct pair_call down = {.cancel_at = 3000000}, up = {.len = UINT64_MAX}, after = {0};
	unsigned over;
	uint8_t mem[64];
	int i;

	(void)unused;
	pair_make(&p);
	over = pair_state.over;
	pair_start(p.client.conn, &down, PEER_SOURCE, mem,
		pair_number_params(mem, "len", 1ull << 40, 0), false);
	pair_start(p.client.conn, &up, PEER_SINK, NULL, 0, true);
	for (i = 0; i < 2000 && down.call != NULL; i++)
		pair_run_ms(5);
	assert_null(down.call);
	rpc_call_cancel(up.call);
	pair_start(p.client.conn, &after, PEER_ECHO, mem, pair_echo_params(mem, sizeof mem, "x", 1),
		false);
	pair_wait_done(&after);
	pair_run_ms(50);
	assert_int_equal(down.dones + up.dones, 0);
	assert_true(down.got < 3000000 + 2 * RPC_WINDOW);
	assert_int_equal(pair_state.over, over + 2);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	rpc_conn_shutdown(p.client.conn);
	pair_wait_closed(&p.client);
	assert_int_equal(p.client.why.code, ERR_NONE);
	pair_free(&p);
}

static void a_failing_source_is_no_whole_blob(void **unused)
{
	struct pair p;
	struct pair_call o = {0};
	uint8_t mem[64];

	(void)unused;
	pair_make(&p);
	pair_start(p.client.conn, &o, PEER_ABORT, mem, pair_number_params(mem, "len", 100000, 0),
		false);
	pair_wait_done(&o);
	assert_int_equal(o.err.code, ERR_IO);
	assert_true(o.got >= 100000);
	assert_false(o.ended);
	pair_free(&p);
}

static void an_early_reply_stops_the_blob(void **unused)
{
	struct pair p;
	struct pair_call o = {.len = UINT64_MAX}, after = {0};

	(void)unused;
	pair_make(&p);
	pair_start(p.client.conn, &o, PEER_EARLY, NULL, 0, true);
	pair_wait_done(&o);
	assert_true(o.ok);
	pair_start(p.client.conn, &after, PEER_EARLY, NULL, 0, false);
	pair_wait_done(&after);
	assert_true(after.ok);
	rpc_conn_shutdown(p.server.conn);
	pair_wait_closed(&p.server);
	pair_wait_closed(&p.client);
	assert_int_equal(p.server.why.code, ERR_NONE);
	assert_int_equal(p.client.why.code, ERR_NONE);
	pair_free(&p);
}

static void a_slow_consumer_stops_only_its_blob(void **unused)
{
	struct pair p;
	struct pair_call up = {.len = UINT64_MAX}, down = {.lazy = true}, o = {0};
	uint8_t mem[64];
	int i;

	(void)unused;
	pair_make(&p);
	pair_start(p.client.conn, &up, PEER_STUCK, NULL, 0, true);
	pair_start(p.client.conn, &down, PEER_SOURCE, mem,
		pair_number_params(mem, "len", 1u << 30, 0), false);
	for (i = 0; i < 500 && (up.sent < RPC_WINDOW || down.got < RPC_WINDOW); i++)
		pair_run_ms(20);
	pair_run_ms(100);
	assert_int_equal(up.sent, RPC_WINDOW);
	assert_int_equal(down.got, RPC_WINDOW);
	pair_start(p.client.conn, &o, PEER_ECHO, mem, pair_echo_params(mem, sizeof mem, "x", 1),
		false);
	pair_wait_done(&o);
	assert_true(o.ok);
	pair_free(&p);
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

/* More blobs are offered than may be open, each larger than a window. The server grants three at a
 * time, and some never. */
static void the_server_decides_when_a_blob_is_sent(void **unused)
{
	enum { PUTS = 250, LEN = 100 * 1024, LARGE = 3 * 1024 * 1024 };
	static struct pair_call o[PUTS];
	struct pair p;
	struct pair_call other = {0};
	uint64_t wanted = 0, sunk;
	unsigned over;
	uint8_t mem[64];
	int i;

	(void)unused;
	memset(o, 0, sizeof o);
	pair_credit = RPC_CREDIT_NONE;
	pair_make(&p);
	pair_state.put_max = 0; /* nothing yet */
	pair_state.puts_most = 0;
	sunk = pair_state.sunk;
	over = pair_state.over;
	for (i = 0; i < PUTS; i++) {
		o[i].len = i == 3 ? LARGE : LEN;
		if (i % 5 != 0)
			wanted += o[i].len;
		pair_start(p.client.conn, &o[i], PEER_PUT, mem,
			put_params(mem, o[i].len, i % 5 == 0), true);
	}
	for (i = 0; i < PUTS; i += 5) {
		pair_wait_done(&o[i]);
		assert_true(o[i].ok && o[i].sent == 0);
		assert_non_null(memmem(o[i].reply, o[i].reply_len, "\x63had\xf5", 5));
	}
	pair_start(p.client.conn, &other, PEER_ECHO, mem, pair_echo_params(mem, sizeof mem, "x", 1),
		false);
	pair_wait_done(&other);
	assert_int_equal(pair_state.puts_most, PUTS - PUTS / 5);
	for (i = 0; i < PUTS; i++)
		assert_int_equal(o[i].sent, 0);
	pair_state.put_max = 3;
	memset(&other, 0, sizeof other);
	other.len = 1; /* a put starts the rest */
	pair_start(p.client.conn, &other, PEER_PUT, mem, put_params(mem, 1, false), true);
	for (i = 0; i < PUTS; i++) {
		pair_wait_done(&o[i]);
		assert_true(o[i].ok);
		assert_int_equal(o[i].sent, i % 5 == 0 ? 0 : o[i].len);
	}
	pair_wait_done(&other);
	assert_true(other.ok);
	assert_int_equal(pair_state.sunk - sunk, wanted + 1);
	pair_run_ms(50);
	assert_int_equal(pair_state.over, over + PUTS + 1);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	rpc_conn_shutdown(p.client.conn);
	pair_wait_closed(&p.client);
	assert_int_equal(p.client.why.code, ERR_NONE);
	pair_free(&p);
	pair_credit = 0;
}

/* A blob that is offered but not granted can be cancelled like any other. */
static void a_blob_without_credit_is_cancelled(void **unused)
{
	struct pair p;
	struct pair_call gone = {.len = 1000}, o = {0};
	unsigned over;
	uint8_t mem[64];

	(void)unused;
	pair_credit = RPC_CREDIT_NONE;
	pair_make(&p);
	pair_state.put_max = 0;
	over = pair_state.over;
	pair_start(p.client.conn, &gone, PEER_PUT, mem, put_params(mem, 1000, false), true);
	pair_run_ms(20);
	rpc_call_cancel(gone.call);
	pair_start(p.client.conn, &o, PEER_ECHO, mem, pair_echo_params(mem, sizeof mem, "x", 1),
		false);
	pair_wait_done(&o);
	assert_int_equal(pair_state.over, over + 1);
	assert_int_equal(pair_state.puts_waiting, 0);
	assert_int_equal(gone.sent + (uint64_t)gone.dones, 0);
	/* In the other direction credit is as usual. */
	memset(&gone, 0, sizeof gone);
	gone.len = 2 * RPC_WINDOW;
	pair_start(p.server.conn, &gone, PEER_SINK, NULL, 0, true);
	pair_wait_done(&gone);
	assert_true(gone.ok);
	pair_free(&p);
	pair_credit = 0;
}

static void reply_blobs_have_a_limit_and_a_window(void **unused)
{
	struct pair p;
	struct pair_call none = {.reply_max = 1}, fits = {.reply_max = 100000},
			 wide = {.reply_window = 8 * RPC_WINDOW, .lazy = true}, o = {0},
			 credit = {0};
	struct rpc_request r = {
		.method = PEER_SOURCE, .timeout_ms = 5000, .ops = &pair_call_ops, .arg = &o};
	struct err err = {0};
	uint8_t mem[64];
	int i;

	(void)unused;
	pair_credit = RPC_CREDIT_NONE;
	pair_make(&p);
	pair_start(p.client.conn, &none, PEER_SOURCE, mem,
		pair_number_params(mem, "len", 100000, 0), false);
	pair_start(p.client.conn, &fits, PEER_SOURCE, mem,
		pair_number_params(mem, "len", 100000, 0), false);
	pair_start(p.client.conn, &wide, PEER_SOURCE, mem,
		pair_number_params(mem, "len", 1ull << 40, 0), false);
	/* A reply's blob is accepted only if it was asked for. */
	r.params = mem;
	r.len = pair_number_params(mem, "len", 1, 0);
	assert_non_null(rpc_call_start(p.client.conn, &r, &err));
	pair_wait_done(&none);
	assert_int_equal(none.err.code, ERR_LIMIT);
	pair_wait_done(&fits);
	assert_true(fits.ok && fits.ended && !fits.bad);
	pair_wait_done(&o);
	assert_int_equal(o.err.code, ERR_LIMIT);
	assert_int_equal(o.replies + (int)o.got, 0);
	for (i = 0; i < 500 && wide.got < 8 * RPC_WINDOW; i++)
		pair_run_ms(20);
	pair_run_ms(50);
	assert_int_equal(wide.got, 8 * RPC_WINDOW);
	rpc_call_cancel(wide.call);
	/* A side that gives no credit by default gives it for blobs that it asks for. */
	pair_start(p.server.conn, &credit, PEER_SOURCE, mem,
		pair_number_params(mem, "len", 3 * RPC_WINDOW, 0), false);
	pair_wait_done(&credit);
	assert_true(credit.ok && credit.ended && credit.got == 3 * RPC_WINDOW);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	pair_free(&p);
	pair_credit = 0;
}

static void deadlines_end_calls(void **unused)
{
	struct pair p;
	struct pair_call theirs = {0}, mine = {0}, o = {0};
	struct rpc_request r = {
		.method = PEER_SLEEP, .timeout_ms = 100, .ops = &pair_call_ops, .arg = &mine};
	struct err err = {0};
	uint8_t mem[64];

	(void)unused;
	pair_make(&p);
	pair_start(p.client.conn, &theirs, PEER_HOLD, NULL, 0, false);
	r.params = mem;
	r.len = pair_number_params(mem, "ms", 300, 0);
	assert_non_null(rpc_call_start(p.client.conn, &r, &err));
	pair_wait_done(&mine);
	assert_int_equal(mine.err.code, ERR_TIMEOUT);
	pair_wait_done(&theirs);
	assert_int_equal(theirs.err.code, ERR_TIMEOUT);
	pair_start(p.client.conn, &o, PEER_ECHO, mem, pair_echo_params(mem, sizeof mem, "x", 1),
		false);
	pair_wait_done(&o);
	assert_true(o.ok);
	pair_run_ms(300);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	pair_free(&p);
}

static void work_in_the_pool(void **unused)
{
	struct pair p;
	struct pair_call o[4] = {0};
	uint8_t mem[64];
	size_t len = pair_number_params(mem, "ms", 50, 0);
	int i;

	(void)unused;
	pair_make(&p);
	for (i = 0; i < 4; i++)
		pair_start(p.client.conn, &o[i], PEER_WORK, mem, len, false);
	rpc_call_cancel(o[3].call);
	pair_wait_done(&o[0]);
	assert_true(o[0].ok);
	pair_free(&p); /* with work running */
	assert_int_equal(o[1].dones + o[2].dones, 2);
	assert_int_equal(o[3].dones, 0);
	pair_run_ms(200);
}

static void notes_arrive(void **unused)
{
	struct pair p;
	struct err err = {0};
	uint8_t mem[64];
	size_t len = pair_number_params(mem, "n", 7, 0);

	(void)unused;
	pair_make(&p);
	pair_state.notes = 0;
	assert_int_equal(rpc_notify(p.client.conn, PEER_NOTE, mem, len, &err), 0);
	assert_int_equal(rpc_notify(p.server.conn, PEER_NOTE, mem, len, &err), 0);
	/* Wrong ones are logged, and have no other effect. */
	assert_int_equal(rpc_notify(p.client.conn, PEER_ECHO, mem, len, &err), 0);
	assert_int_equal(rpc_notify(p.client.conn, PEER_NOTE, "\xff", 1, &err), 0);
	pair_run_ms(50);
	assert_int_equal(pair_state.notes, 14);
	assert_int_equal(p.client.closed + p.server.closed, 0);
	pair_free(&p);
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
		cmocka_unit_test(work_in_the_pool),
		cmocka_unit_test(notes_arrive),
	};

	return cmocka_run_group_tests(tests, pair_setup, pair_teardown);
}
