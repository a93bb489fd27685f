/* KEY payloads, opened with a key and, if it is cheap, with a passphrase: arbitrary bytes are
 * refused in an orderly way, or are valid. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/pass.h"
#include "pack/keyblock.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The len bytes at p must be inside the payload. */
static bool inside(const struct pack_keyblock *block, const uint8_t *p, size_t len)
{
	return p >= block->payload && len <= block->len && p <= block->payload + (block->len - len);
}

/* Checks the parsed block. Returns whether trying a passphrase is cheap. */
static bool check(const struct pack_keyblock *block)
{
	size_t i, keys = 0, passes = 0;
	bool cheap = true;

	MUST(block->count >= 1 && block->count <= PACK_KEYBLOCK_WRAPS);
	MUST(inside(block, block->commitment, SEAL_KEY_LEN));
	for (i = 0; i < block->count; i++) {
		const struct pack_wrap *wrap = &block->wraps[i];

		keys += wrap->kind == PACK_WRAP_KEY;
		passes += wrap->kind == PACK_WRAP_PASS;
		if (wrap->kind != PACK_WRAP_OTHER)
			MUST(inside(block, wrap->sealed, PACK_KEYBLOCK_WRAP));
		if (wrap->kind == PACK_WRAP_KEY)
			MUST(inside(block, wrap->id, KEY_ID_LEN) &&
				inside(block, wrap->ephemeral, KEY_LEN));
		if (wrap->kind == PACK_WRAP_PASS)
			MUST(inside(block, wrap->salt, PACK_KEYBLOCK_SALT));
		if (wrap->kind == PACK_WRAP_PASS && seal_argon2_allowed(&wrap->cost))
			cheap = cheap && wrap->cost.passes <= 2 && wrap->cost.memory <= 256;
	}
	MUST(keys == block->key_count && passes == block->pass_count);
	return cheap && passes <= 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct key_secret key;
	static struct pass pass = {6, "secret"};
	struct pack_secrets with = {&key, 1, NULL};
	struct pack_keyblock block;
	uint8_t payload_key[SEAL_KEY_LEN];
	struct err err = {0};
	size_t i;

	if (key.secret[0] == 0) {
		MUST(hash_crypto_init(&err) == 0);
		for (i = 0; i < KEY_LEN; i++)
			key.secret[i] = (uint8_t)(64 + i); /* the golden payload's */
		MUST(seal_x25519_public(key.secret, key.half.public, &err) == 0);
		key_id(key.half.public, key.half.id);
	}
	if (pack_keyblock_parse(&block, data, len, &err) != 0) {
		MUST(err.code == ERR_FORMAT || err.code == ERR_UNSUPPORTED ||
			err.code == ERR_LIMIT);
		return 0;
	}
	if (check(&block))
		with.pass = &pass;
	if (pack_keyblock_open(&block, &with, payload_key, &err) != 0)
		MUST(err.code == ERR_FORMAT || err.code == ERR_DENIED || err.code == ERR_LIMIT);
	return 0;
}
