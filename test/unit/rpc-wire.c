/* rpc/wire, rpc/param: what is put is got; everything else is refused. */
#include "test/unit/unit.h"

#include "lib/cbor.h"
#include "rpc/param.h"
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
	/* A key of a later version is passed by, unless it must be understood. */
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
	/* All codes come back as themselves. */
	for (int c = ERR_FAILED; c < ERR_CODES; c++) {
		err_set(&err, (enum err_code)c, "m");
		len = rpc_status_put(bytes, &err);
		assert_int_equal(rpc_status_get(&got, bytes, len, &got), 0);
		assert_int_equal(got.code, c);
	}
}

/* --- Parameters --- */

static const struct rpc_field id_field = {.type = RPC_BYTES, .min = 2, .max = 4};
static const struct rpc_field inner[] = {
	{.key = "n", .type = RPC_INT, .need = true},
	{0},
};
static const struct rpc_field map_field = {.type = RPC_MAP, .sub = inner};
static const struct rpc_field fields[] = {
	{.key = "u", .type = RPC_UINT, .need = true, .min = 1, .max = 10},
	{.key = "t", .type = RPC_TEXT, .max = 5},
	{.key = "name", .type = RPC_NAME},
	{.key = "ids", .type = RPC_LIST, .max = 3, .of = &id_field},
	{.key = "maps", .type = RPC_LIST, .max = 2, .of = &map_field},
	{.key = "b", .type = RPC_BOOL},
	{0},
};

static enum err_code params(const char *hex, struct rpc_value *v)
{
	static uint8_t bytes[256];
	size_t len = strlen(hex) / 2, i;
	struct err err = {0};

	for (i = 0; i < len; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return rpc_params_get(v, fields, bytes, len, &err) == 0 ? ERR_NONE : err.code;
}

static void parameters_are_held_to_their_table(void **state)
{
	struct rpc_value v[6], item, sub[1];
	struct err err = {0};

	(void)state;
	assert_int_equal(params("a1617505", v), ERR_NONE);
	assert_true(v[0].has && v[0].number == 5 && !v[1].has);
	assert_int_equal(params("", v), ERR_FORMAT); /* u is missing */
	assert_int_equal(params("a0", v), ERR_FORMAT);
	assert_int_equal(params("a161750b", v), ERR_LIMIT);        /* 11 */
	assert_int_equal(params("a1617500", v), ERR_LIMIT);        /* 0 */
	assert_int_equal(params("a1617520", v), ERR_FORMAT);       /* -1 */
	assert_int_equal(params("a2617505617505", v), ERR_FORMAT); /* twice */
	assert_int_equal(params("a161750500", v), ERR_FORMAT);     /* behind its end */
	assert_int_equal(params("a261750561", v), ERR_FORMAT);     /* cut */
	assert_int_equal(params("bbffffffffffffffff617505", v), ERR_FORMAT);
	assert_int_equal(params("a26175056178f6", v), ERR_NONE);        /* unknown: passed by */
	assert_int_equal(params("a26175056158f6", v), ERR_UNSUPPORTED); /* must be understood */
	assert_int_equal(params("a2617505617466616263646566", v), ERR_LIMIT);  /* 6 bytes */
	assert_int_equal(params("a26175056174626100", v), ERR_FORMAT);         /* NUL */
	assert_int_equal(params("a2617505617462c0ae", v), ERR_FORMAT);         /* overlong */
	assert_int_equal(params("a2617505646e616d65632e2e2f", v), ERR_FORMAT); /* ../ */
	assert_int_equal(params("a2617505646e616d6563776562", v), ERR_NONE);
	assert_int_equal(params("a2617505636964738242010243010203", v), ERR_NONE);
	assert_int_equal(v[3].number, 2);
	assert_true(rpc_list_next(&v[3], &id_field, &item) && item.len == 2);
	assert_true(rpc_list_next(&v[3], &id_field, &item) && item.len == 3);
	assert_false(rpc_list_next(&v[3], &id_field, &item));
	assert_int_equal(params("a26175056369647384420102420102420102420102", v), ERR_LIMIT);
	assert_int_equal(params("a261750563696473814101", v), ERR_LIMIT);
	assert_int_equal(params("a26175056369647381450102030405", v), ERR_LIMIT);
	assert_int_equal(params("a2617505636964739bffffffffffffffff", v), ERR_LIMIT);
	assert_int_equal(params("a2617505646d61707382a1616e20a1616e07", v), ERR_NONE);
	assert_true(rpc_list_next(&v[4], &map_field, &item));
	assert_int_equal(rpc_params_get(sub, inner, item.bytes, item.len, &err), 0);
	assert_int_equal(sub[0].integer, -1);
	assert_int_equal(params("a2617505646d61707381a0", v), ERR_FORMAT);
	assert_int_equal(params("a26175056162f5", v), ERR_NONE);
	assert_int_equal(params("a2617505616201", v), ERR_FORMAT);
	assert_int_equal(params("a1617afb0000000000000000", v), ERR_FORMAT);       /* float */
	assert_int_equal(params("a1617a818181818181818181818180", v), ERR_FORMAT); /* deep */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_round_trip),
		cmocka_unit_test(headers_are_strict),
		cmocka_unit_test(versions_are_agreed_on),
		cmocka_unit_test(errors_are_bounded),
		cmocka_unit_test(parameters_are_held_to_their_table),
	};
	return RUN(tests);
}
