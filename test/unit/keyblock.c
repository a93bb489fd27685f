/* pack/keyblock: only those who hold a key or passphrase can open a pack. */
#include "test/unit/unit.h"

#include "lib/cbor.h"
#include "lib/gcm.h"
#include "lib/hash.h"
#include "lib/pass.h"
#include "pack/keyblock.h"

static struct err err;
static struct pass right = {6, "secret"}, other = {5, "other"};
static uint8_t payload[PACK_KEYBLOCK_MAX], payload_key[SEAL_KEY_LEN];
static size_t payload_len;

/* Parses and opens a payload; returns 0 or the error's code. */
static int opened(const void *bytes, size_t len, const struct key_secret *key,
	const struct pass *pass, uint8_t out[SEAL_KEY_LEN])
{
	struct pack_secrets with = {key, key != NULL, pass};
	struct pack_keyblock block;

	err.code = ERR_NONE;
	if (pack_keyblock_parse(&block, bytes, len, &err) == 0 &&
		pack_keyblock_open(&block, &with, out, &err) == 0)
		return 0;
	assert_true(err.code != ERR_NONE);
	return (int)err.code;
}

static void each_recipient_opens(void **state)
{
	struct key_secret secrets[4], stranger;
	struct key_public to[3];
	struct pass passes[2] = {right, other}, wrong = {3, "bad"};
	struct pack_recipients all = {to, 3, passes, 2};
	uint8_t key[SEAL_KEY_LEN];
	char id[KEY_ID_TEXT];
	struct pack_keyblock block;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(key_make(i == 1, &secrets[i], &err), 0);
	for (i = 0; i < 3; i++)
		to[i] = secrets[i].half;
	stranger = secrets[3];
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), 0);
	assert_int_equal(pack_keyblock_parse(&block, payload, payload_len, &err), 0);
	assert_int_equal(block.count, 5);
	assert_int_equal(block.key_count, 3);
	assert_int_equal(block.pass_count, 2);
	for (i = 0; i < 3; i++) {
		assert_memory_equal(block.wraps[i].id, to[i].id, KEY_ID_LEN);
		assert_int_equal(opened(payload, payload_len, &secrets[i], NULL, key), 0);
		assert_memory_equal(key, payload_key, sizeof key);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(opened(payload, payload_len, NULL, &passes[i], key), 0);
		assert_memory_equal(key, payload_key, sizeof key);
	}
	assert_int_equal(opened(payload, payload_len, &stranger, &right, key), 0);
	assert_int_equal(opened(payload, payload_len, &secrets[0], &wrong, key), 0);
	assert_int_equal(opened(payload, payload_len, NULL, &wrong, key), ERR_DENIED);
	assert_string_equal(err.message, "wrong passphrase");
	assert_int_equal(opened(payload, payload_len, &stranger, NULL, key), ERR_DENIED);
	for (i = 0; i < 3; i++) {
		key_id_text(to[i].id, id);
		assert_non_null(strstr(err.message, id));
	}
	assert_int_equal(opened(payload, payload_len, NULL, NULL, key), ERR_DENIED);
	assert_non_null(strstr(err.message, "--key"));
}

static void limits(void **state)
{
	static struct key_public to[PACK_KEYBLOCK_WRAPS + 1];
	struct pack_recipients all = {to, 0, &right, 0};
	struct key_secret last;
	uint8_t key[SEAL_KEY_LEN];
	size_t i;

	(void)state;
	for (i = 0; i <= PACK_KEYBLOCK_WRAPS; i++) {
		struct key_secret one;

		assert_int_equal(key_make(false, &one, &err), 0);
		to[i] = one.half;
		if (i == PACK_KEYBLOCK_WRAPS - 1)
			last = one;
	}
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	all.key_count = PACK_KEYBLOCK_WRAPS + 1;
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	all.key_count--;
	all.pass_count = 1;
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	all.pass_count = 0;
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), 0);
	assert_int_equal(opened(payload, payload_len, &last, NULL, key), 0);
	assert_memory_equal(key, payload_key, sizeof key);
	/* A public key of small order. */
	memset(to[0].public, 0, KEY_LEN);
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), -1);
	assert_int_equal(err.code, ERR_FORMAT);
}

/* Made twice for the same key, the two have nothing in common. */
static void all_is_fresh(void **state)
{
	struct key_secret key;
	struct pack_recipients all = {&key.half, 1, NULL, 0};
	uint8_t again[PACK_KEYBLOCK_MAX], again_key[SEAL_KEY_LEN];
	struct pack_keyblock a, b;
	size_t len;

	(void)state;
	assert_int_equal(key_make(false, &key, &err), 0);
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), 0);
	assert_int_equal(pack_keyblock_make(&all, again, &len, again_key, &err), 0);
	assert_int_equal(pack_keyblock_parse(&a, payload, payload_len, &err), 0);
	assert_int_equal(pack_keyblock_parse(&b, again, len, &err), 0);
	assert_memory_not_equal(payload_key, again_key, SEAL_KEY_LEN);
	assert_memory_not_equal(a.commitment, b.commitment, SEAL_KEY_LEN);
	assert_memory_not_equal(a.wraps[0].ephemeral, b.wraps[0].ephemeral, KEY_LEN);
	assert_memory_not_equal(a.wraps[0].sealed, b.wraps[0].sealed, PACK_KEYBLOCK_WRAP);
}

/* A flipped bit never gives the payload key: the payload is refused, or the key is another one,
 * which opens no block. Nor does any part of the payload give it. */
static void finds_changes(void **state)
{
	struct key_secret keys[2];
	struct key_public to[2];
	struct pack_recipients all = {to, 2, NULL, 0};
	uint8_t key[SEAL_KEY_LEN];
	size_t bit, len;

	(void)state;
	assert_int_equal(key_make(false, &keys[0], &err), 0);
	assert_int_equal(key_make(false, &keys[1], &err), 0);
	to[0] = keys[0].half;
	to[1] = keys[1].half;
	assert_int_equal(pack_keyblock_make(&all, payload, &payload_len, payload_key, &err), 0);
	for (bit = 0; bit < 8 * payload_len; bit++) {
		payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (opened(payload, payload_len, &keys[0], NULL, key) == 0)
			assert_memory_not_equal(key, payload_key, sizeof key);
		payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (len = 0; len < payload_len; len++)
		assert_int_equal(opened(payload, len, &keys[0], NULL, key), ERR_FORMAT);
	payload[payload_len] = 0;
	assert_int_equal(opened(payload, payload_len + 1, &keys[0], NULL, key), ERR_FORMAT);
	assert_int_equal(opened(payload, payload_len, &keys[0], NULL, key), 0);
}

/* A payload with the given parts, and the bytes between them. */
static int variant(const char *extra_key, int extra_count, uint64_t algorithm, const uint8_t *c,
	size_t c_len, const struct pack_wrap *wrap, size_t wraps)
{
	struct cbor_out out;
	uint8_t key[SEAL_KEY_LEN];
	size_t i;

	cbor_out_init(&out, payload, sizeof payload);
	cbor_put_map(&out, (size_t)(3 + extra_count));
	cbor_put_text(&out, "W");
	cbor_put_array(&out, wraps);
	for (i = 0; i < wraps; i++) {
		cbor_put_array(&out, wrap->kind == PACK_WRAP_PASS ? 6 : 3);
		cbor_put_uint(&out, wrap->kind);
		if (wrap->kind == PACK_WRAP_PASS) {
			cbor_put_bytes(&out, wrap->salt, PACK_KEYBLOCK_SALT);
			cbor_put_uint(&out, wrap->cost.passes);
			cbor_put_uint(&out, wrap->cost.memory);
			cbor_put_uint(&out, wrap->cost.lanes);
			cbor_put_bytes(&out, wrap->sealed, PACK_KEYBLOCK_WRAP);
		} else {
			cbor_put_array(&out, 1);
			cbor_put_text(&out, "whatever");
			cbor_put_null(&out);
		}
	}
	for (i = 0; i < (size_t)extra_count; i++) {
		cbor_put_text(&out, extra_key);
		cbor_put_map(&out, 1);
		cbor_put_text(&out, "x");
		cbor_put_bool(&out, true);
	}
	cbor_put_text(&out, "C");
	cbor_put_bytes(&out, c, c_len);
	cbor_put_text(&out, "A");
	cbor_put_uint(&out, algorithm);
	assert_false(cbor_out_full(&out));
	return opened(payload, cbor_out_len(&out), NULL, &right, key);
}

static void knows_what_it_does_not_know(void **state)
{
	static const uint8_t bytes[64];
	struct pack_wrap pass = {.kind = PACK_WRAP_PASS,
				 .salt = bytes,
				 .cost = {1, 8, 1},
				 .sealed = bytes},
			 later = {.kind = 9}, dear = pass;

	(void)state;
	/* Well-formed, but does not open. */
	assert_int_equal(variant("x", 0, 1, bytes, 32, &pass, 1), ERR_DENIED);
	assert_string_equal(err.message, "wrong passphrase");
	assert_int_equal(variant("x", 1, 1, bytes, 32, &pass, 8), ERR_DENIED);
	assert_int_equal(variant("x", 1, 1, bytes, 32, &pass, 9), ERR_LIMIT);
	assert_int_equal(variant("", 1, 1, bytes, 32, &pass, 1), ERR_DENIED);
	assert_int_equal(variant("x", 1, 1, bytes, 32, &later, 2), ERR_DENIED);
	assert_non_null(strstr(err.message, "nobody known here"));
	/* An extension that must be understood. */
	assert_int_equal(variant("Zoo", 1, 1, bytes, 32, &pass, 1), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "'Zoo'"));
	assert_int_equal(variant("x", 1, 2, bytes, 32, &pass, 1), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.message, "'A': unsupported version 2"));
	assert_int_equal(variant("x", 1, 1ULL << 32 | 1, bytes, 32, &pass, 1), ERR_UNSUPPORTED);
	/* Malformed. */
	assert_int_equal(variant("x", 2, 1, bytes, 32, &pass, 1), ERR_FORMAT);
	assert_int_equal(variant("A", 1, 1, bytes, 32, &pass, 1), ERR_FORMAT);
	assert_int_equal(variant("x", 1, 1, bytes, 31, &pass, 1), ERR_FORMAT);
	assert_int_equal(variant("x", 1, 1, bytes, 33, &pass, 1), ERR_FORMAT);
	assert_int_equal(variant("x", 1, 1, bytes, 32, &pass, 0), ERR_LIMIT);
	assert_int_equal(variant("x", 1, 1, bytes, 32, &pass, 65), ERR_LIMIT);
	assert_int_equal(variant("x", 62, 1, bytes, 32, &pass, 1), ERR_LIMIT);
	/* A cost without bound. */
	dear.cost.passes = 17;
	assert_int_equal(variant("x", 1, 1, bytes, 32, &dear, 1), ERR_LIMIT);
	dear = pass;
	dear.cost.memory = 1048577;
	assert_int_equal(variant("x", 1, 1, bytes, 32, &dear, 1), ERR_LIMIT);
	dear = pass;
	dear.cost.lanes = 0;
	assert_int_equal(variant("x", 1, 1, bytes, 32, &dear, 1), ERR_LIMIT);
}

/* The wrap opens, but the commitment is to another pack key: the sealer meant to give two readers
 * two different contents. */
static void holds_the_commitment(void **state)
{
	static const uint8_t nonce[SEAL_NONCE_LEN];
	uint8_t wrapping[SEAL_KEY_LEN], pack_key[SEAL_KEY_LEN] = {1}, lie[SEAL_KEY_LEN] = {2};
	uint8_t salt[PACK_KEYBLOCK_SALT] = {3}, sealed[PACK_KEYBLOCK_WRAP], truth[SEAL_KEY_LEN];
	struct pack_wrap wrap = {
		.kind = PACK_WRAP_PASS, .salt = salt, .cost = {1, 8, 1}, .sealed = sealed};
	struct gcm *seal;

	(void)state;
	assert_int_equal(seal_argon2id(right.bytes, right.len, salt, sizeof salt, &wrap.cost,
				 wrapping, &err),
		0);
	seal = gcm_new(wrapping, SEAL_KEY_LEN, &err);
	assert_non_null(seal);
	assert_int_equal(seal_seal(seal, nonce, lie, 32, pack_key, 32, sealed, &err), 0);
	assert_int_equal(variant("x", 0, 1, lie, 32, &wrap, 1), ERR_DENIED);
	assert_int_equal(
		seal_hkdf(pack_key, 32, NULL, 0, "fdump pack commitment", 21, truth, 32, &err), 0);
	assert_int_equal(seal_seal(seal, nonce, truth, 32, pack_key, 32, sealed, &err), 0);
	assert_int_equal(variant("x", 0, 1, truth, 32, &wrap, 1), 0);
	gcm_free(seal);
}

static size_t unhex(const char *text, uint8_t *out)
{
	size_t n;
	unsigned byte;

	for (n = 0; sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		out[n] = (uint8_t)byte;
	return n;
}

/* Version 1 stays readable, and is as the document describes it. */
static void golden(void **state)
{
	static const char *const golden[] = {
#include "test/data/keyblock-v1.inc"
	};
	struct key_secret key = {0};
	uint8_t want[SEAL_KEY_LEN], got[SEAL_KEY_LEN];
	size_t i, len;

	(void)state;
	for (i = 0; i < KEY_LEN; i++)
		key.secret[i] = (uint8_t)(64 + i);
	assert_int_equal(seal_x25519_public(key.secret, key.half.public, &err), 0);
	key_id(key.half.public, key.half.id);
	len = unhex(golden[0], payload);
	assert_int_equal(unhex(golden[1], want), sizeof want);
	assert_int_equal(opened(payload, len, &key, NULL, got), 0);
	assert_memory_equal(got, want, sizeof want);
	memset(got, 0, sizeof got);
	assert_int_equal(opened(payload, len, NULL, &right, got), 0);
	assert_memory_equal(got, want, sizeof want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_recipient_opens),
		cmocka_unit_test(limits),
		cmocka_unit_test(all_is_fresh),
		cmocka_unit_test(finds_changes),
		cmocka_unit_test(knows_what_it_does_not_know),
		cmocka_unit_test(holds_the_commitment),
		cmocka_unit_test(golden),
	};

	return hash_crypto_init(&err) != 0 ? 1 : RUN(tests);
}
