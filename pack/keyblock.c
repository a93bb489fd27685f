/*
 * KEY payloads. Decoding has two passes: the first finds the values of the
 * map's keys, so that the algorithm is looked at before what depends on it.
 */
#include "pack/keyblock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "lib/pass.h"

#define ALGORITHM 1
/* Nesting of what is passed by because it is not known. */
#define SKIP_DEPTH 8

static const char payload_label[] = "fdump pack payload";
static const char commitment_label[] = "fdump pack commitment";
static const char x25519_label[] = "fdump wrap x25519";

static const uint8_t zero_nonce[SEAL_NONCE_LEN]; /* each wrapping key is used once */

static int malformed(struct err *err, const char *what)
{
	return err_set(err, ERR_FORMAT, "key block: malformed %s", what);
}

/* --- keys from keys ------------------------------------------------------ */

/* HKDF with a label, and what is bound behind it, as info. */
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

static int derive_commitment(
	const uint8_t pack_key[SEAL_KEY_LEN], uint8_t commitment[SEAL_KEY_LEN], struct err *err)
{
	return derive(pack_key, commitment_label, NULL, 0, commitment, err);
}

/* The wrapping key of an X25519 wrap, from either side. */
static int wrapping_key(const uint8_t secret[KEY_LEN], const uint8_t other[KEY_LEN],
	const uint8_t ephemeral[KEY_LEN], const uint8_t public[KEY_LEN], uint8_t key[SEAL_KEY_LEN],
	struct err *err)
{
	uint8_t shared[KEY_LEN], halves[2 * KEY_LEN];
	int ret = seal_x25519(secret, other, shared, err);

	if (ret == 0) {
		memcpy(halves, ephemeral, KEY_LEN);
		memcpy(halves + KEY_LEN, public, KEY_LEN);
		ret = derive(shared, x25519_label, halves, sizeof halves, key, err);
	}
	seal_wipe(shared, sizeof shared);
	return ret;
}

/* --- making ---------------------------------------------------------------- */

/* Puts the pack key, sealed under the wrapping key, as a wrap's last item. */
static int put_sealed(struct cbor_out *out, const uint8_t key[SEAL_KEY_LEN],
	const uint8_t pack_key[SEAL_KEY_LEN], const uint8_t commitment[SEAL_KEY_LEN],
	struct err *err)
{
	struct seal *seal = seal_new(key, err);
	uint8_t sealed[PACK_KEYBLOCK_WRAP];
	int ret;

	if (seal == NULL)
		return -1;
	ret = seal_seal(
		seal, zero_nonce, commitment, SEAL_KEY_LEN, pack_key, SEAL_KEY_LEN, sealed, err);
	seal_free(seal);
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
		wrapping_key(secret, to->public, ephemeral, to->public, key, err) != 0)
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

static int put_wraps(struct cbor_out *out, const struct pack_recipients *to,
	const uint8_t pack_key[SEAL_KEY_LEN], const uint8_t commitment[SEAL_KEY_LEN],
	struct err *err)
{
	size_t i;

	cbor_put_array(out, to->key_count + to->pass_count);
	for (i = 0; i < to->key_count; i++)
		if (put_key_wrap(out, &to->keys[i], pack_key, commitment, err) != 0)
			return -1;
	for (i = 0; i < to->pass_count; i++)
		if (put_pass_wrap(out, &to->passes[i], pack_key, commitment, err) != 0)
			return -1;
	return 0;
}

int pack_keyblock_make(const struct pack_recipients *to, uint8_t payload[PACK_KEYBLOCK_MAX],
	size_t *len, uint8_t payload_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t pack_key[SEAL_KEY_LEN], commitment[SEAL_KEY_LEN];
	struct cbor_out out;
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
		derive_commitment(pack_key, commitment, err) != 0)
		goto out;
	cbor_put_map(&out, 3);
	cbor_put_text(&out, "A");
	cbor_put_uint(&out, ALGORITHM);
	cbor_put_text(&out, "C");
	cbor_put_bytes(&out, commitment, sizeof commitment);
	cbor_put_text(&out, "W");
	if (put_wraps(&out, to, pack_key, commitment, err) != 0)
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

/* The bytes of an item that must have this length; NULL if it does not. */
static const uint8_t *get_bytes(struct cbor_in *in, size_t len)
{
	struct cbor_item item;

	if (cbor_get(in, &item) != CBOR_OK || item.type != CBOR_BYTES || item.len != len)
		return NULL;
	return item.bytes;
}

/* A number; what is over 32 bits is over every limit that follows. */
static bool get_number(struct cbor_in *in, uint32_t *value)
{
	struct cbor_item item;

	if (cbor_get(in, &item) != CBOR_OK || item.type != CBOR_UINT)
		return false;
	*value = item.value > UINT32_MAX ? UINT32_MAX : (uint32_t)item.value;
	return true;
}

static bool get_wrap(struct cbor_in *in, struct pack_wrap *wrap)
{
	struct cbor_item array;
	uint32_t kind;

	if (cbor_get(in, &array) != CBOR_OK || array.type != CBOR_ARRAY || array.value == 0 ||
		!get_number(in, &kind))
		return false;
	switch (kind) {
	case PACK_WRAP_KEY:
		wrap->kind = PACK_WRAP_KEY;
		return array.value == 4 && (wrap->id = get_bytes(in, KEY_ID_LEN)) != NULL &&
		       (wrap->ephemeral = get_bytes(in, KEY_LEN)) != NULL &&
		       (wrap->sealed = get_bytes(in, PACK_KEYBLOCK_WRAP)) != NULL;
	case PACK_WRAP_PASS:
		wrap->kind = PACK_WRAP_PASS;
		return array.value == 6 &&
		       (wrap->salt = get_bytes(in, PACK_KEYBLOCK_SALT)) != NULL &&
		       get_number(in, &wrap->cost.passes) && get_number(in, &wrap->cost.memory) &&
		       get_number(in, &wrap->cost.lanes) &&
		       (wrap->sealed = get_bytes(in, PACK_KEYBLOCK_WRAP)) != NULL;
	default:
		while (--array.value > 0)
			if (cbor_skip(in, SKIP_DEPTH) != CBOR_OK)
				return false;
		return true;
	}
}

static int get_wraps(struct pack_keyblock *block, struct cbor_in *in, struct err *err)
{
	struct cbor_item array;
	size_t i;

	if (cbor_get(in, &array) != CBOR_OK || array.type != CBOR_ARRAY || array.value == 0 ||
		array.value > PACK_KEYBLOCK_WRAPS)
		return malformed(err, "list of wraps");
	block->count = array.value;
	for (i = 0; i < block->count; i++) {
		if (!get_wrap(in, &block->wraps[i]))
			return malformed(err, "wrap");
		block->key_count += block->wraps[i].kind == PACK_WRAP_KEY;
		block->pass_count += block->wraps[i].kind == PACK_WRAP_PASS;
	}
	if (block->pass_count > PACK_KEYBLOCK_PASSES)
		return err_set(
			err, ERR_LIMIT, "key block with over %d passphrases", PACK_KEYBLOCK_PASSES);
	return 0;
}

enum { VALUE_A, VALUE_C, VALUE_W, VALUES };
static const char value_keys[VALUES][2] = {"A", "C", "W"};

/* Decides about a key that is none of ours. */
static int unknown_key(const struct cbor_item *key, struct err *err)
{
	char name[ESC_MAX(16)];

	if (key->len == 0 || key->bytes[0] < 'A' || key->bytes[0] > 'Z')
		return 0;
	esc_name(name, sizeof name, key->bytes, key->len);
	return err_set(err, ERR_UNSUPPORTED,
		"key block: has '%s', which this version does not know", name);
}

/* Finds where the values stand. Every key is held against those before. */
static int find_values(struct cbor_in *in, struct cbor_in values[VALUES], struct err *err)
{
	struct cbor_item map, keys[PACK_KEYBLOCK_KEYS], *key;
	size_t i, j, count;

	if (cbor_get(in, &map) != CBOR_OK || map.type != CBOR_MAP)
		return malformed(err, "map");
	if (map.value > PACK_KEYBLOCK_KEYS)
		return err_set(err, ERR_LIMIT, "key block: more than %d keys", PACK_KEYBLOCK_KEYS);
	count = map.value;
	for (i = 0; i < count; i++) {
		key = &keys[i];
		if (cbor_get(in, key) != CBOR_OK || key->type != CBOR_TEXT)
			return malformed(err, "map");
		for (j = 0; j < i; j++)
			if (keys[j].len == key->len &&
				(key->len == 0 || memcmp(keys[j].bytes, key->bytes, key->len) == 0))
				return malformed(err, "map: a key is there twice");
		for (j = 0; j < VALUES && !cbor_is_text(key, value_keys[j]); j++)
			;
		if (j < VALUES)
			values[j] = *in;
		else if (unknown_key(key, err) != 0)
			return -1;
		if (cbor_skip(in, SKIP_DEPTH) != CBOR_OK)
			return malformed(err, "map");
	}
	if (in->at != in->end)
		return malformed(err, "map: bytes behind it");
	for (j = 0; j < VALUES; j++)
		if (values[j].at == NULL)
			return malformed(err, "map: a required key is missing");
	return 0;
}

int pack_keyblock_parse(
	struct pack_keyblock *block, const void *payload, size_t len, struct err *err)
{
	struct cbor_in in, values[VALUES] = {{0}};
	uint32_t algorithm;

	memset(block, 0, sizeof *block);
	block->payload = payload;
	block->len = len;
	if (len > PACK_KEYBLOCK_MAX)
		return err_set(err, ERR_LIMIT, "key block: over %d bytes", PACK_KEYBLOCK_MAX);
	cbor_in_init(&in, payload, len);
	if (find_values(&in, values, err) != 0)
		return -1;
	if (!get_number(&values[VALUE_A], &algorithm))
		return malformed(err, "algorithm");
	if (algorithm != ALGORITHM)
		return err_set(err, ERR_UNSUPPORTED,
			"key block: algorithm %u, which this version does not know", algorithm);
	block->commitment = get_bytes(&values[VALUE_C], SEAL_KEY_LEN);
	if (block->commitment == NULL)
		return malformed(err, "commitment");
	return get_wraps(block, &values[VALUE_W], err);
}

/* --- opening --------------------------------------------------------------- */

/* Unwraps with a wrapping key. 0; 1 if it does not open, or not to what the
 * commitment says; -1. */
static int unwrap(const struct pack_keyblock *block, const struct pack_wrap *wrap,
	const uint8_t key[SEAL_KEY_LEN], uint8_t pack_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t commitment[SEAL_KEY_LEN];
	struct seal *seal = seal_new(key, err);
	int ret;

	if (seal == NULL)
		return -1;
	ret = seal_open(seal, zero_nonce, block->commitment, SEAL_KEY_LEN, wrap->sealed,
		PACK_KEYBLOCK_WRAP, pack_key, err);
	seal_free(seal);
	if (ret == 0)
		ret = derive_commitment(pack_key, commitment, err);
	if (ret == 0 && !seal_equal(commitment, block->commitment, SEAL_KEY_LEN))
		ret = 1;
	return ret;
}

static const struct key_secret *find_key(const struct pack_secrets *with, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < with->key_count; i++)
		if (memcmp(with->keys[i].half.id, id, KEY_ID_LEN) == 0)
			return &with->keys[i];
	return NULL;
}

/* Tries the wraps for our keys. 0; 1 if none of them is for us; -1 (also if
 * there was one, but it did not open). */
static int open_by_keys(const struct pack_keyblock *block, const struct pack_secrets *with,
	uint8_t pack_key[SEAL_KEY_LEN], struct err *err)
{
	uint8_t key[SEAL_KEY_LEN];
	int ret = 1;
	size_t i;

	for (i = 0; i < block->count && ret != 0; i++) {
		const struct pack_wrap *wrap = &block->wraps[i];
		const struct key_secret *mine =
			wrap->kind == PACK_WRAP_KEY ? find_key(with, wrap->id) : NULL;

		if (mine == NULL)
			continue;
		ret = wrapping_key(mine->secret, wrap->ephemeral, wrap->ephemeral,
			mine->half.public, key, err);
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

/* Tries the wraps for passphrases. 0; 1 if none opens; -1. */
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

/* Says to whom it is sealed, as far as a message holds. */
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
