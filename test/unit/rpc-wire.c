/* rpc/wire, lib/cbormap: encoded values decode to the same; everything else is refused. */
#include "test/unit/unit.h"

#include "lib/cbor.h"
#include "rpc/wire.h"

static void headers_round_trip(void **state)
{
	/* A golden frame head: bytes on the wire do not change. */
	static const uint8_t golden[RPC_HEADER_LEN] = {
		1, 2, 1, 0, 0x34, 0x12, 0, 0, 0xec, 0x3f, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
	struct rpc_header h = {.version = 1,
		.kind = RPC_REQUEST,
		.flags = RPC_MORE,
		.method = 0x1234,
		.len = RPC_PAYLOAD_MAX,
		.id = 0x0102030405060708};
	struct rpc_header got;
	uint8_t bytes[RPC_HEADER_LEN];
	struct err err = {0};

	(void)state;
	rpc_header_put(bytes, &h);
	assert_memory_equal(bytes, golden, sizeof golden);
	assert_int_equal(rpc_header_get(&got, bytes, 1, &err), 0);
	assert_true(got.kind == h.kind && got.flags == h.flags && got.method == h.method);
	assert_true(got.len == h.len && got.id == h.id);
}

static int get(unsigned kind, unsigned flags, unsigned method, uint32_t len, uint64_t id)
{
	struct rpc_header h = {1, (uint8_t)kind, (uint8_t)flags, (uint16_t)method, len, id}, got;
	uint8_t bytes[RPC_HEADER_LEN];
	struct err err = {0};

	rpc_header_put(bytes, &h);
	return rpc_header_get(&got, bytes, 1, &err);
}

static void headers_are_strict(void **state)
{
	static const uint32_t lens[] = {RPC_PAYLOAD_MAX + 1, 65536, INT32_MAX, UINT32_MAX};
	uint8_t bytes[RPC_HEADER_LEN] = {1, RPC_PING, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	struct rpc_header h;
	struct err err = {0};
	unsigned i, kind;

	(void)state;
	for (kind = 0; kind < 256; kind++)
		for (i = 0; i < sizeof lens / sizeof *lens; i++)
			assert_int_equal(get(kind, 0, kind == 2 || kind == 4, lens[i], 1), -1);
	assert_int_equal(get(RPC_REQUEST, 0, 1, 0, 0), -1); /* no id */
	assert_int_equal(get(RPC_REQUEST, 0, 0, 0, 1), -1); /* no method */
	assert_int_equal(get(RPC_REQUEST, RPC_LAST, 1, 0, 1), -1);
	assert_int_equal(get(RPC_REPLY, 0, 0, 0, 1), -1); /* not a response */
	assert_int_equal(get(RPC_REPLY, RPC_RESPONSE, 0, 0, 1), 0);
	assert_int_equal(get(RPC_REPLY, RPC_RESPONSE | RPC_ERROR | RPC_MORE, 0, 9, 1), -1);
	assert_int_equal(get(RPC_REPLY, RPC_RESPONSE | RPC_ERROR, 0, 641, 1), -1);
	assert_int_equal(get(RPC_BLOB, 0, 0, 0, 1), -1); /* empty, not the last */
	assert_int_equal(get(RPC_BLOB, RPC_LAST, 0, 0, 1), 0);
	assert_int_equal(get(RPC_BLOB, RPC_LAST | RPC_ERROR, 0, 5, 1), -1);
	assert_int_equal(get(RPC_WINDOW_MORE, 0, 0, 3, 1), -1);
	assert_int_equal(get(RPC_HELLO, 0, 0, 257, 0), -1);
	assert_int_equal(get(RPC_BYE, 0, 0, 1, 0), -1);
	assert_int_equal(get(RPC_NOTIFY, 0, 5, 0, 1), -1);
	assert_int_equal(get(RPC_PING, 0x80, 0, 0, 1), -1);
	assert_int_equal(rpc_header_get(&h, bytes, 1, &err), 0);
	assert_int_equal(rpc_header_get(&h, bytes, 2, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	for (i = 0; i < 3; i++) {
		static const int reserved[] = {3, 6, 7};

		bytes[reserved[i]] = 1;
		assert_int_equal(rpc_header_get(&h, bytes, 1, &err), -1);
		bytes[reserved[i]] = 0;
	}
}

static void versions_are_agreed_on(void **state)
{
	const struct rpc_hello ours = {2, 3, 0, 77}, back = {1, 2, 0, 0}, later = {3, 9, 0, 0},
			       far = {4, 9, 0, 0}, old = {1, 1, 0, 0};
	uint8_t bytes[RPC_HELLO_MAX];
	struct rpc_hello got;
	struct err err = {0};

	(void)state;
	assert_int_equal(rpc_hello_agree(&ours, &back), 2);
	assert_int_equal(rpc_hello_agree(&ours, &later), 3);
	assert_int_equal(rpc_hello_agree(&ours, &far), 0);
	assert_int_equal(rpc_hello_agree(&old, &ours), 0);
	assert_int_equal(rpc_hello_get(&got, bytes, rpc_hello_put(bytes, &ours), &err), 0);
	assert_true(got.version_min == 2 && got.version_max == 3 && got.credit == 77);
	assert_int_equal(rpc_hello_get(&got, (const uint8_t *)"\xa0", 1, &err), -1);
	/* A key of a later version is skipped, unless it must be understood. */
	assert_int_equal(
		rpc_hello_get(
			&got, (const uint8_t *)"\xa3\x63max\x01\x63min\x01\x63new\x80", 16, &err),
		0);
	assert_int_equal(got.credit, RPC_WINDOW);
	assert_int_equal(rpc_hello_get(&got,
				 (const uint8_t *)"\xa3\x63max\x01\x63min\x01\x66"
						  "credit\x1a\x00\x80\x00\x01",
				 23, &err),
		-1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(
		rpc_hello_get(
			&got, (const uint8_t *)"\xa3\x63max\x01\x63min\x01\x63New\x80", 16, &err),
		-1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
}

static void errors_are_bounded(void **state)
{
	struct err err = {0}, got = {0};
	uint8_t bytes[RPC_STATUS_MAX];
	char text[ERR_MESSAGE_MAX];
	size_t len;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text + RPC_TEXT_MAX - 1, "\xc3\xa4", 3); /* would be cut in two */
	text[sizeof text - 1] = 0;
	err_set(&err, ERR_NOSPACE, "%s", text);
	len = rpc_status_put(bytes, &err);
	assert_true(len <= RPC_STATUS_MAX);
	assert_int_equal(rpc_status_get(&got, bytes, len, &got), 0);
	assert_int_equal(got.code, ERR_NOSPACE);
	assert_int_equal(strlen(got.message), RPC_TEXT_MAX - 1);
	/* A code of a later version. */
	assert_int_equal(rpc_status_get(&got,
				 (const uint8_t *)"\xa2\x64"
						  "code\x63new\x67message\x61m",
				 20, &got),
		0);
	assert_int_equal(got.code, ERR_FAILED);
	assert_int_equal(rpc_status_get(&got, (const uint8_t *)"\xa0", 1, &got), -1);
	/* All codes decode to themselves. */
	for (int c = ERR_FAILED; c < ERR_CODES; c++) {
		err_set(&err, (enum err_code)c, "m");
		len = rpc_status_put(bytes, &err);
		assert_int_equal(rpc_status_get(&got, bytes, len, &got), 0);
		assert_int_equal(got.code, c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_round_trip),
		cmocka_unit_test(headers_are_strict),
		cmocka_unit_test(versions_are_agreed_on),
		cmocka_unit_test(errors_are_bounded),
	};
	return RUN(tests);
}
