/* Encodes and decodes the payload of KEY blocks, and wraps and unwraps pack keys. */
#include "pack/keyblock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/gcm.h"
#include "lib/hash.h"
#include "lib/pass.h"

#define ALGORITHM 1

static const char payload_label[] = "fdump pack payload";
static const char commitment_label[] = "fdump pack commitment";
static const char x25519_label[] = "fdump wrap x25519";

static const uint8_t zero_nonce[SEAL_NONCE_LEN]; /* safe, because each wrapping key is used once */

/* --- keys from keys ------------------------------------------------------ */

/* HKDF; info is the label followed by the tail. */
static int derive(const uint8_t ikm[SEAL_KEY_LEN], const char *label, const uint8_t *tail,
	size_t tail_len, uint8_t out[SEAL_KEY_LEN], struct err *err)
{
	uint8_t info[SEAL_INFO_MAX];
	size_t len = strlen(label);

	memcpy(info, label, len);
	if (tail_len > 0)
		memcpy(info + len, tail, tail_len);
	return seal_hkdf(ikm, SEAL_KEY_LEN, NULL, 0, info, len + tail_len, out, SEAL_KEY_LEN, err);
}

static int derive_payload_key(const uint8_t pack_key[SEAL_KEY_LEN], const uint8_t *payload,
	size_t len, uint8_t key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t digest[HASH_LEN];

	hash_sha256(payload, len, digest);
	return derive(pack_key, payload_label, digest, sizeof digest, key, err);
}

/* --- making ---------------------------------------------------------------- */

/* Appends the wrap's last item: the pack key, sealed with the wrapping key. */
static int put_sealed(struct cbor_out *out, const uint8_t key[SEAL_KEY_LEN],
	const uint8_t pack_key[SEAL_KEY_LEN], const uint8_t commitment[SEAL_KEY_LEN],
	struct err *err)
{
	struct gcm *seal = gcm_new(key, SEAL_KEY_LEN, err);
	uint8_t sealed[PACK_KEYBLOCK_WRAP];
	int ret;

	if (seal == NULL)
		return -1;
	ret = seal_seal(
		seal, zero_nonce, commitment, SEAL_KEY_LEN, pack_key, SEAL_KEY_LEN, sealed, err);
	gcm_free(seal);
	if (ret == 0)
		cbor_put_bytes(out, sealed, sizeof sealed);
	return ret;
}

static int put_key_wrap(struct cbor_out *out, const struct key_public *to,
	const uint8_t pack_key[SEAL_KEY_LEN], const uint8_t commitment[SEAL_KEY_LEN],
	struct err *err)
{
	uint8_t secret[KEY_LEN], ephemeral[KEY_LEN], key[SEAL_KEY_LEN];
	int ret = -1;

	if (seal_x25519_new(secret, ephemeral, err) != 0 ||
		seal_wrap_key(secret, to->public, ephemeral, to->public, x25519_label, key, err) !=
			0)
		goto out;
	cbor_put_array(out, 4);
	cbor_put_uint(out, PACK_WRAP_KEY);
	cbor_put_bytes(out, to->id, KEY_ID_LEN);
	cbor_put_bytes(out, ephemeral, KEY_LEN);
	ret = put_sealed(out, key, pack_key, commitment, err);
out:
	seal_wipe(secret, sizeof secret);
	seal_wipe(key, sizeof key);
	return ret;
}

static int put_pass_wrap(struct cbor_out *out, const struct pass *pass,
	const uint8_t pack_key[SEAL_KEY_LEN], const uint8_t commitment[SEAL_KEY_LEN],
	struct err *err)
{
	const struct seal_argon2 *cost = &seal_argon2_default;
	uint8_t salt[PACK_KEYBLOCK_SALT], key[SEAL_KEY_LEN];
	int ret = -1;

	if (seal_random(salt, sizeof salt, err) != 0 ||
		seal_argon2id(pass->bytes, pass->len, salt, sizeof salt, cost, key, err) != 0)
		goto out;
	cbor_put_array(out, 6);
	cbor_put_uint(out, PACK_WRAP_PASS);
	cbor_put_bytes(out, salt, sizeof salt);
	cbor_put_uint(out, cost->passes);
	cbor_put_uint(out, cost->memory);
	cbor_put_uint(out, cost->lanes);
	ret = put_sealed(out, key, pack_key, commitment, err);
out:
	seal_wipe(key, sizeof key);
	return ret;
}

int pack_keyblock_make(const struct pack_recipients *to, uint8_t payload[PACK_KEYBLOCK_MAX],
	size_t *len, uint8_t payload_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t pack_key[SEAL_KEY_LEN], commitment[SEAL_KEY_LEN];
	struct cbor_out out;
	size_t i;
	int ret = -1;

	if (to->key_count + to->pass_count == 0)
		return err_set(err, ERR_USAGE, "sealing: there is no key to seal to");
	if (to->key_count > PACK_KEYBLOCK_WRAPS ||
		to->pass_count > PACK_KEYBLOCK_WRAPS - to->key_count ||
		to->pass_count > PACK_KEYBLOCK_PASSES)
		return err_set(err, ERR_LIMIT, "sealing: to more than %d keys and passphrases",
			PACK_KEYBLOCK_WRAPS);
	cbor_out_init(&out, payload, PACK_KEYBLOCK_MAX);
	if (seal_random(pack_key, sizeof pack_key, err) != 0 ||
		derive(pack_key, commitment_label, NULL, 0, commitment, err) != 0)
		goto out;
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "A");
	cbor_put_uint(&out, ALGORITHM);
	cbor_put_text(&out, "C");
	cbor_put_bytes(&out, commitment, sizeof commitment);
	cbor_put_text(&out, "W");
	cbor_put_array(&out, to->key_count + to->pass_count);
	for (i = 0; i < to->key_count; i++)
		if (put_key_wrap(&out, &to->keys[i], pack_key, commitment, err) != 0)
			goto out;
	for (i = 0; i < to->pass_count; i++)
		if (put_pass_wrap(&out, &to->passes[i], pack_key, commitment, err) != 0)
			goto out;
	if (cbor_out_full(&out)) {
		err_set(err, ERR_LIMIT, "sealing: the key block is over %d bytes",
			PACK_KEYBLOCK_MAX);
		goto out;
	}
	*len = cbor_out_len(&out);
	ret = derive_payload_key(pack_key, payload, *len, payload_key, err);
out:
	seal_wipe(pack_key, sizeof pack_key);
	return ret;
}

/* --- decoding -------------------------------------------------------------- */

static const struct cbormap_field wrap_item = {.type = CBORMAP_ANY};

enum { BLOCK_ALGORITHM, BLOCK_COMMITMENT, BLOCK_WRAPS, BLOCK_FIELDS };
static const struct cbormap_field block_fields[] = {
	[BLOCK_ALGORITHM] = {.key = "A",
		.type = CBORMAP_VERSION,
		.need = true,
		.min = ALGORITHM,
		.max = ALGORITHM},
	[BLOCK_COMMITMENT] = {.key = "C", CBORMAP_FIXED(SEAL_KEY_LEN), .need = true},
	[BLOCK_WRAPS] = {.key = "W",
		CBORMAP_LIST_OF(wrap_item, PACK_KEYBLOCK_WRAPS),
		.need = true,
		.min = 1},
	[BLOCK_FIELDS] = {0},
};

/* A wrap is an array that begins with its kind. */
enum { KEY_KIND, KEY_ID, KEY_EPHEMERAL, KEY_SEALED, KEY_ITEMS };
static const struct cbormap_field key_items[] = {
	[KEY_KIND] = {.key = "kind", .type = CBORMAP_UINT},
	[KEY_ID] = {.key = "key id", CBORMAP_FIXED(KEY_ID_LEN)},
	[KEY_EPHEMERAL] = {.key = "ephemeral key", CBORMAP_FIXED(KEY_LEN)},
	[KEY_SEALED] = {.key = "sealed key", CBORMAP_FIXED(PACK_KEYBLOCK_WRAP)},
	[KEY_ITEMS] = {0},
};
enum { PASS_KIND, PASS_SALT, PASS_PASSES, PASS_MEMORY, PASS_LANES, PASS_SEALED, PASS_ITEMS };
static const struct cbormap_field pass_items[] = {
	[PASS_KIND] = {.key = "kind", .type = CBORMAP_UINT},
	[PASS_SALT] = {.key = "salt", CBORMAP_FIXED(PACK_KEYBLOCK_SALT)},
	[PASS_PASSES] = {.key = "passes", .type = CBORMAP_UINT},
	[PASS_MEMORY] = {.key = "memory", .type = CBORMAP_UINT},
	[PASS_LANES] = {.key = "lanes", .type = CBORMAP_UINT},
	[PASS_SEALED] = {.key = "sealed key", CBORMAP_FIXED(PACK_KEYBLOCK_WRAP)},
	[PASS_ITEMS] = {0},
};

/* A value over 32 bits exceeds every limit that is checked later. */
static uint32_t cost(const struct cbormap_value *value)
{
	return value->number > UINT32_MAX ? UINT32_MAX : (uint32_t)value->number;
}

static int get_wrap(struct pack_wrap *wrap, const struct cbormap_value *item, struct err *err)
{
	struct cbormap_value v[PASS_ITEMS]; /* the longer of the two */
	struct cbor_item array, kind;
	struct cbor_in in;

	cbor_in_init(&in, item->bytes, item->len);
	if (cbor_get(&in, &array) != CBOR_OK || array.type != CBOR_ARRAY || array.value == 0 ||
		cbor_get(&in, &kind) != CBOR_OK || kind.type != CBOR_UINT)
		return err_set(err, ERR_FORMAT, "expected an array that begins with a number");
	cbor_in_init(&in, item->bytes, item->len);
	if (kind.value == PACK_WRAP_KEY) {
		if (cbormap_take_tuple(v, key_items, &in, err) != 0)
			return -1;
		*wrap = (struct pack_wrap){.kind = PACK_WRAP_KEY,
			.id = v[KEY_ID].bytes,
			.ephemeral = v[KEY_EPHEMERAL].bytes,
			.sealed = v[KEY_SEALED].bytes};
	} else if (kind.value == PACK_WRAP_PASS) {
		if (cbormap_take_tuple(v, pass_items, &in, err) != 0)
			return -1;
		*wrap = (struct pack_wrap){.kind = PACK_WRAP_PASS,
			.salt = v[PASS_SALT].bytes,
			.cost = {.passes = cost(&v[PASS_PASSES]),
				.memory = cost(&v[PASS_MEMORY]),
				.lanes = cost(&v[PASS_LANES])},
			.sealed = v[PASS_SEALED].bytes};
	}
	return 0;
}

int pack_keyblock_parse(
	struct pack_keyblock *block, const void *payload, size_t len, struct err *err)
{
	struct cbormap_value v[BLOCK_FIELDS], item;
	struct pack_wrap *wrap;

	memset(block, 0, sizeof *block);
	block->payload = payload;
	block->len = len;
	if (len > PACK_KEYBLOCK_MAX)
		return err_set(err, ERR_LIMIT, "key block: over %d bytes", PACK_KEYBLOCK_MAX);
	if (cbormap_get(v, block_fields, payload, len, err) != 0)
		return err_prefix(err, "key block");
	block->commitment = v[BLOCK_COMMITMENT].bytes;
	while (cbormap_next(&v[BLOCK_WRAPS], &wrap_item, &item)) {
		wrap = &block->wraps[block->count++];
		if (get_wrap(wrap, &item, err) != 0)
			return err_prefix(err, "key block: wrap %zu", block->count);
		block->key_count += wrap->kind == PACK_WRAP_KEY;
		block->pass_count += wrap->kind == PACK_WRAP_PASS;
	}
	if (block->pass_count > PACK_KEYBLOCK_PASSES)
		return err_set(
			err, ERR_LIMIT, "key block with over %d passphrases", PACK_KEYBLOCK_PASSES);
	return 0;
}

/* --- opening --------------------------------------------------------------- */

/* Unwraps the pack key with a wrapping key. Returns 0; 1 if the wrap does not open or the
 * commitment does not match; -1 with err set. */
static int unwrap(const struct pack_keyblock *block, const struct pack_wrap *wrap,
	const uint8_t key[SEAL_KEY_LEN], uint8_t pack_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t commitment[SEAL_KEY_LEN];
	struct gcm *seal = gcm_new(key, SEAL_KEY_LEN, err);
	int ret;

	if (seal == NULL)
		return -1;
	ret = seal_open(seal, zero_nonce, block->commitment, SEAL_KEY_LEN, wrap->sealed,
		PACK_KEYBLOCK_WRAP, pack_key, err);
	gcm_free(seal);
	if (ret == 0)
		ret = derive(pack_key, commitment_label, NULL, 0, commitment, err);
	if (ret == 0 && !seal_equal(commitment, block->commitment, SEAL_KEY_LEN))
		ret = 1;
	return ret;
}

/* Tries the wraps for our keys. Returns 0; 1 if none is for us; -1 with err set, also if one is
 * for us but does not open. */
static int open_by_keys(const struct pack_keyblock *block, const struct pack_secrets *with,
	uint8_t pack_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t key[SEAL_KEY_LEN];
	int ret = 1;
	size_t i, n;

	for (i = 0; i < block->count && ret != 0; i++) {
		const struct pack_wrap *wrap = &block->wraps[i];
		const struct key_secret *mine = NULL;

		for (n = 0; wrap->kind == PACK_WRAP_KEY && mine == NULL && n < with->key_count; n++)
			if (memcmp(with->keys[n].half.id, wrap->id, KEY_ID_LEN) == 0)
				mine = &with->keys[n];
		if (mine == NULL)
			continue;
		ret = seal_wrap_key(mine->secret, wrap->ephemeral, wrap->ephemeral,
			mine->half.public, x25519_label, key, err);
		if (ret == 0)
			ret = unwrap(block, wrap, key, pack_key, err);
		if (ret == 1)
			ret = err_set(err, ERR_FORMAT,
				"damaged or forged: the wrap for the key given does not "
				"open");
	}
	seal_wipe(key, sizeof key);
	return ret == -1 ? err_prefix(err, "key block") : ret;
}

/* Tries the wraps for passphrases. Returns 0, 1 if none opens, or -1 with err set. */
static int open_by_pass(const struct pack_keyblock *block, const struct pass *pass,
	uint8_t pack_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t key[SEAL_KEY_LEN];
	int ret = 1;
	size_t i;

	for (i = 0; i < block->count && ret == 1; i++) {
		const struct pack_wrap *wrap = &block->wraps[i];

		if (wrap->kind != PACK_WRAP_PASS)
			continue;
		ret = seal_argon2id(pass->bytes, pass->len, wrap->salt, PACK_KEYBLOCK_SALT,
			&wrap->cost, key, err);
		if (ret == 0)
			ret = unwrap(block, wrap, key, pack_key, err);
	}
	seal_wipe(key, sizeof key);
	return ret == -1 ? err_prefix(err, "key block") : ret;
}

/* Sets an error that says to whom the pack is sealed, as far as there is room. */
static int denied(
	const struct pack_keyblock *block, const struct pack_secrets *with, struct err *err)
{
	char who[256] = "", id[KEY_ID_TEXT];
	size_t at = 0, named = 0, i;

	for (i = 0; i < block->count && named < 4; i++)
		if (block->wraps[i].kind == PACK_WRAP_KEY) {
			key_id_text(block->wraps[i].id, id);
			at += (size_t)snprintf(who + at, sizeof who - at, " key %s,", id);
			named++;
		}
	if (named < block->key_count)
		at += (size_t)snprintf(
			who + at, sizeof who - at, " %zu more keys,", block->key_count - named);
	if (block->pass_count > 0)
		at += (size_t)snprintf(
			who + at, sizeof who - at, " %zu passphrase(s),", block->pass_count);
	if (at > 0)
		who[at - 1] = 0;
	return err_set(err, ERR_DENIED, "sealed to%s; %s", at > 0 ? who : " nobody known here",
		with->key_count > 0 || with->pass != NULL
			? "nothing given here opens it"
			: "give a key by --key, or a passphrase by --passphrase-file");
}

int pack_keyblock_open(const struct pack_keyblock *block, const struct pack_secrets *with,
	uint8_t payload_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t pack_key[SEAL_KEY_LEN];
	bool by_pass = with->pass != NULL && block->pass_count > 0;
	int ret = open_by_keys(block, with, pack_key, err);

	if (ret != 0 && by_pass) {
		ret = open_by_pass(block, with->pass, pack_key, err);
		if (ret == 1)
			ret = err_set(err, ERR_DENIED, "wrong passphrase");
	}
	if (ret == 1)
		ret = denied(block, with, err);
	if (ret == 0)
		ret = derive_payload_key(pack_key, block->payload, block->len, payload_key, err);
	seal_wipe(pack_key, sizeof pack_key);
	return ret;
}
