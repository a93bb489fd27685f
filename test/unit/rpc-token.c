/* rpc/token: to text and back, what is derived from it, a manager's answer to it; addresses. */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "rpc/token.h"

static struct rpc_token make(void)
{
	struct rpc_token t = {.manager = "m1",
		.addresses = {"backup.example.org", "192.0.2.1:7000", "[2001:db8::1]:7000"},
		.address_count = 3,
		.role = RPC_STORE,
		.name = "s1"};

	memset(t.secret, 0xfb, sizeof t.secret); /* base64 of it has '+' and '/' */
	memset(t.fingerprint, 0xff, sizeof t.fingerprint);
	memset(t.recipients, 3, sizeof t.recipients);
	return t;
}

static void there_and_back(void **state)
{
	struct rpc_token t = make(), again;
	char text[RPC_TOKEN_MAX], more[RPC_TOKEN_MAX + 8];
	struct err err = {0};

	(void)state;
	assert_int_equal(rpc_token_text(text, &t, &err), 0);
	assert_memory_equal(text, "fdump-token:2:", 14);
	assert_int_equal(strspn(text + 14, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					   "0123456789-_"),
		strlen(text) - 14);
	assert_int_equal(rpc_token_parse(&again, text, strlen(text), &err), 0);
	assert_memory_equal(&again, &t, sizeof t);
	snprintf(more, sizeof more, " \n%s\r\n \n", text);
	assert_int_equal(rpc_token_parse(&again, more, strlen(more), &err), 0);
	assert_memory_equal(&again, &t, sizeof t);
}

/* Made by Python from rpc/PROTOCOL.md. */
static void as_the_protocol_has_it(void **state)
{
	static const char golden[] =
		"fdump-token:2:"
		"p2dtYW5hZ2VyYm0xaWFkZHJlc3Nlc4NyYmFja3VwLmV4YW1wbGUub3JnbjE5Mi4wLjIuMTo3MDAwclsy"
		"MDAxOmRiODo6MV06NzAwMGRyb2xlZXN0b3JlZG5hbWViczFmc2VjcmV0WCD7-_v7-_v7-_v7-_v7-_v7"
		"-_v7-_v7-_v7-_v7-_v7-2JjYVgg__________________________________________9qcmVjaXBp"
		"ZW50c1ggAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMABSN2";
	struct rpc_token t = make(), again;
	uint8_t got[RPC_DIGEST_LEN];
	char text[RPC_TOKEN_MAX], hex[2 * RPC_DIGEST_LEN + 1];
	struct err err = {0};

	(void)state;
	assert_int_equal(rpc_token_text(text, &t, &err), 0);
	assert_string_equal(text, golden);
	assert_int_equal(rpc_token_parse(&again, golden, strlen(golden), &err), 0);
	assert_memory_equal(&again, &t, sizeof t);
	assert_int_equal(rpc_token_proof(got, &t, "csr", 3, &err), 0);
	esc_hex(hex, got, sizeof got);
	assert_string_equal(
		hex, "7f8288f5f0b70d18e8600a320750a304f50d86cc03d19061a0e25ea4f3cc8d26");
	assert_int_equal(rpc_token_ticket(got, &t, &err), 0);
	esc_hex(hex, got, sizeof got);
	assert_string_equal(
		hex, "d99f0701571e40746577fa8f5936b68ac30dd23bc2979c420192a4abe437cb70");
	rpc_ticket_hash(got, got);
	esc_hex(hex, got, sizeof got);
	assert_string_equal(
		hex, "d555f0a4d54c9d1a4af4a3f3e1f6a0b7b27ba8858d0366594f2172565635fd43");
}

static void what_is_malformed_is_refused(void **state)
{
	static const char *const bad[] = {"", "fdump-token:2:", "fdump-token:2:AA", "x",
		"fdump-token:2:oA", "fdump-token::", "fdump-token:2"};
	struct rpc_token t = make(), again;
	char text[RPC_TOKEN_MAX], long_text[4 * RPC_TOKEN_MAX];
	struct err err = {0};
	size_t i, len;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(rpc_token_parse(&again, bad[i], strlen(bad[i]), &err), -1);
		assert_string_equal(
			err.message, "this token is mistyped or incomplete: copy all of it");
		assert_int_equal(err.code, ERR_FORMAT);
	}
	assert_int_equal(rpc_token_text(text, &t, &err), 0);
	len = strlen(text);
	for (i = 0; i < len; i++) /* cut */
		assert_int_equal(rpc_token_parse(&again, text, i, &err), -1);
	for (i = 0; i < len; i++) { /* a character that base64url does not have */
		char was = text[i];

		text[i] = i % 2 ? '+' : '=';
		assert_int_equal(rpc_token_parse(&again, text, len, &err), -1);
		assert_null(strstr(err.message, text + 20));
		text[i] = was;
	}
	for (i = 0; i < len; i++) { /* mistyped, or two letters in the wrong order */
		char was = text[i];

		text[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(rpc_token_parse(&again, text, len, &err), -1);
		text[i] = was;
		if (i + 1 == len || text[i + 1] == was)
			continue;
		text[i] = text[i + 1];
		text[i + 1] = was;
		assert_int_equal(rpc_token_parse(&again, text, len, &err), -1);
		text[i + 1] = text[i];
		text[i] = was;
	}
	assert_int_equal(rpc_token_parse(&again, text, len, &err), 0);
	memset(long_text, 'A', sizeof long_text);
	memcpy(long_text, "fdump-token:2:", 14);
	assert_int_equal(rpc_token_parse(&again, long_text, sizeof long_text, &err), -1);
	memcpy(text, "fdump-token:1:", 14);
	assert_int_equal(rpc_token_parse(&again, text, len, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
}

static void what_is_wrong_is_not_written(void **state)
{
	struct rpc_token t = make();
	char text[RPC_TOKEN_MAX];
	struct err err = {0};
	size_t i;

	(void)state;
	strcpy(t.name, "S1");
	assert_int_equal(rpc_token_text(text, &t, &err), -1);
	assert_non_null(strstr(err.message, NAME_RULE));
	t = make();
	t.role = RPC_NOBODY;
	assert_int_equal(rpc_token_text(text, &t, &err), -1);
	t = make();
	t.address_count = 0;
	assert_int_equal(rpc_token_text(text, &t, &err), -1);
	t = make();
	strcpy(t.addresses[1], "a b");
	assert_int_equal(rpc_token_text(text, &t, &err), -1);
	/* The longest names fit, with an address of the usual length. */
	t = make();
	memset(t.manager, 'm', NAME_LEN_MAX);
	memset(t.name, 'n', NAME_LEN_MAX);
	assert_int_equal(rpc_token_text(text, &t, &err), 0);
	/* Not all of the longest addresses fit. */
	for (i = 0; i < RPC_ADDRESSES_MAX; i++)
		memset(t.addresses[i], 'a', RPC_HOST_PORT_MAX);
	t.address_count = RPC_ADDRESSES_MAX;
	assert_int_equal(rpc_token_text(text, &t, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static void what_is_derived(void **state)
{
	struct rpc_token t = make(), other = make();
	uint8_t a[RPC_DIGEST_LEN], b[RPC_DIGEST_LEN], hash[RPC_DIGEST_LEN];
	struct err err = {0};

	(void)state;
	other.secret[31] ^= 1;
	assert_int_equal(rpc_token_ticket(a, &t, &err), 0);
	assert_int_equal(rpc_token_ticket(b, &other, &err), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_memory_not_equal(a, t.secret, sizeof a);
	rpc_ticket_hash(hash, a);
	assert_memory_not_equal(hash, a, sizeof a);
	assert_int_equal(rpc_token_proof(a, &t, "csr", 3, &err), 0);
	assert_int_equal(rpc_token_proof(b, &t, "csR", 3, &err), 0);
	assert_memory_not_equal(a, b, sizeof a);
	assert_int_equal(rpc_token_proof(b, &other, "csr", 3, &err), 0);
	assert_memory_not_equal(a, b, sizeof a);
}

static void good_once_and_for_a_time(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(rpc_token_check(true, 1000, 0, 999, &err), 0);
	assert_int_equal(rpc_token_check(true, 1000, 0, 1000, &err), -1);
	assert_string_equal(err.message, "token: expired; make a new one");
	assert_int_equal(rpc_token_check(true, 1000, 500, 999, &err), -1);
	assert_string_equal(err.message, "token: already used; make a new one");
	assert_int_equal(rpc_token_check(false, 0, 0, 0, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
}

static void recipients_in_any_order(void **state)
{
	struct cbormap_blob one[] = {{"b", 1}, {"a", 1}, {"ab", 2}};
	struct cbormap_blob two[] = {{"ab", 2}, {"b", 1}, {"a", 1}};
	struct cbormap_blob other[] = {{"aab", 3}, {"b", 1}};
	uint8_t a[RPC_DIGEST_LEN], b[RPC_DIGEST_LEN], right[HASH_LEN];
	struct err err = {0};

	(void)state;
	hash_sha256("\1\0\0\0a\2\0\0\0ab\1\0\0\0b", 16, right);
	assert_int_equal(rpc_recipients_digest(a, one, 3, &err), 0);
	assert_memory_equal(a, right, sizeof a);
	assert_int_equal(rpc_recipients_digest(b, two, 3, &err), 0);
	assert_memory_equal(a, b, sizeof a);
	assert_int_equal(rpc_recipients_digest(b, other, 2, &err), 0);
	assert_memory_not_equal(a, b, sizeof a);
	hash_sha256("", 0, right);
	assert_int_equal(rpc_recipients_digest(a, NULL, 0, &err), 0);
	assert_memory_equal(a, right, sizeof a);
}

static void addresses(void **state)
{
	static const char *const good[][3] = {{"h", "h", "7422"}, {"h:1", "h", "1"},
		{"a.example.org:65535", "a.example.org", "65535"},
		{"192.0.2.1", "192.0.2.1", "7422"}, {"[::1]", "::1", "7422"},
		{"[2001:db8::1]:7000", "2001:db8::1", "7000"}};
	static const char *const bad[] = {"", ":", "h:", "h:0", "h:65536", "h:99999", "h:1x",
		"h:-1", "a b", "::1", "[::1", "[]", "[::1]x", "[h]", "[::1]:", "h/x", "h:000001"};
	char host[RPC_HOST_PORT_MAX + 1], port[8];
	struct err err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(
			rpc_address_split(good[i][0], host, port, RPC_ENROLL_PORT, &err), 0);
		assert_string_equal(host, good[i][1]);
		assert_string_equal(port, good[i][2]);
	}
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (rpc_address_split(bad[i], host, port, RPC_ENROLL_PORT, &err) != -1)
			fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(as_the_protocol_has_it),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(what_is_wrong_is_not_written),
		cmocka_unit_test(what_is_derived),
		cmocka_unit_test(good_once_and_for_a_time),
		cmocka_unit_test(recipients_in_any_order),
		cmocka_unit_test(addresses),
	};
	struct err err = {0};

	return hash_crypto_init(&err) != 0 ? 2 : RUN(tests);
}
