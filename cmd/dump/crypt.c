/* A record's content is compressed with zstd, then sealed by AES-256-GCM under a key of its own. */
#include "cmd/dump/crypt.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/gcm.h"
#include "lib/mem.h"
#include "lib/mutex.h"
#include "lib/seal.h"
#include "lib/zst.h"

#define WRAP_RECORD "fdump record wrap"
#define WRAP_DOMAIN "fdump domain wrap"
#define RECORD      "fdump record"

/* --- wraps --------------------------------------------------------------- */

/* The cipher for one recipient's wrap. Its key is used only once, so the nonce can be all zeros.
 * secret is either the ephemeral or the recipient's secret half; other is the public half of the
 * other pair. */
static const uint8_t wrap_nonce[SEAL_NONCE_LEN];

static struct gcm *wrap_seal(const uint8_t *secret, const uint8_t *other, const uint8_t *ephemeral,
	const uint8_t *public, const char *label, struct err *err)
{
	uint8_t key[SEAL_KEY_LEN];
	struct gcm *seal = NULL;

	if (seal_wrap_key(secret, other, ephemeral, public, label, key, err) == 0)
		seal = gcm_new(key, SEAL_KEY_LEN, err);
	seal_wipe(key, sizeof key);
	return seal;
}

/* Wraps 32 bytes for all recipients. */
static int wrap_all(const struct dump_domain *d, const uint8_t *secret, const uint8_t *ephemeral,
	const char *label, const uint8_t *plain, uint8_t *wraps, struct err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < d->to_count && ret == 0; i++, wraps += STORE_WRAP_LEN) {
		const uint8_t *to = d->to[i].public;
		struct gcm *seal = wrap_seal(secret, to, ephemeral, to, label, err);

		if (seal == NULL)
			return -1;
		memcpy(wraps, d->to[i].id, KEY_ID_LEN);
		ret = seal_seal(seal, wrap_nonce, d->fingerprint, STORE_DOMAIN_LEN, plain, 32,
			wraps + KEY_ID_LEN, err);
		gcm_free(seal);
	}
	return ret;
}

int dump_run_init(struct dump_run *run, const struct dump_domain *domain, struct err *err)
{
	uint8_t secret[KEY_LEN];
	int got;

	*run = (struct dump_run){.domain = domain};
	if (seal_random(run->secret, sizeof run->secret, err) != 0 ||
		seal_x25519_new(secret, run->ephemeral, err) != 0)
		return -1;
	got = wrap_all(domain, secret, run->ephemeral, WRAP_RECORD, run->secret, run->wraps, err);
	if (got == 0)
		got = wrap_all(domain, secret, run->ephemeral, WRAP_DOMAIN, domain->secret,
			run->domain_wraps, err);
	seal_wipe(secret, sizeof secret);
	return got;
}

void dump_run_wipe(struct dump_run *run)
{
	seal_wipe(run, sizeof *run);
}

/* The cipher for one record. */
static struct gcm *record_seal(const uint8_t secret[32], const uint8_t *id, struct err *err)
{
	uint8_t text[sizeof RECORD - 1 + STORE_ID_LEN], key[HASH_LEN];
	struct gcm *seal = NULL;

	memcpy(text, RECORD, sizeof RECORD - 1);
	memcpy(text + sizeof RECORD - 1, id, STORE_ID_LEN);
	if (hash_hmac(secret, 32, text, sizeof text, key, err) == 0)
		seal = gcm_new(key, SEAL_KEY_LEN, err);
	seal_wipe(key, sizeof key);
	return seal;
}

/* --- making -------------------------------------------------------------- */

int dump_crypt_make(const struct dump_run *run, struct zst *zst, bool open,
	const uint8_t id[STORE_ID_LEN], const void *content, size_t len, struct buf *out,
	struct err *err)
{
	bool sealed = !run->domain->open && !open;
	uint8_t nonce[STORE_NONCE_LEN], *to;
	struct store_record r = {
		.raw_len = (uint32_t)len,
		.id = id,
		.nonce = nonce,
		.ephemeral = run->ephemeral,
		.wraps = run->wraps,
		.wrap_count = sealed ? run->domain->to_count : 0,
	};
	struct gcm *seal;
	size_t head = sealed ? STORE_HEAD_SEALED + r.wrap_count * STORE_WRAP_LEN : STORE_HEAD_OPEN;
	int got = 1;

	assert(len > 0 && len <= STORE_CONTENT_MAX);
	to = buf_room(out, head + len + STORE_TAG_LEN, err);
	if (to == NULL || (sealed && seal_random(nonce, sizeof nonce, err) != 0))
		return -1;
	if (zst != NULL && len > 1)
		got = zst_pack(zst, content, len, to + head, len - 1, &len, err);
	if (got < 0)
		return -1;
	r.codec = got == 0;
	store_record_put(&r, to);
	if (!sealed) {
		if (!r.codec)
			memcpy(to + head, content, len);
		buf_took(out, head + len);
		return 0;
	}
	seal = record_seal(run->secret, id, err);
	if (seal == NULL)
		return -1;
	got = seal_seal(seal, nonce, to, head, r.codec ? to + head : content, len, to + head, err);
	gcm_free(seal);
	if (got == 0)
		buf_took(out, head + len + STORE_TAG_LEN);
	return got;
}

/* --- opening ------------------------------------------------------------- */

/* A run's secret that was opened. */
struct known {
	struct known *next;
	uint8_t ephemeral[KEY_LEN], domain[STORE_DOMAIN_LEN], secret[32];
};

struct dump_keys {
	struct key_secret *keys;
	size_t key_count;
	struct mutex lock;
	struct known *known; /* unsorted: a dump has chunks of few runs */
};

struct dump_keys *dump_keys_new(const struct key_secret *keys, size_t count, struct err *err)
{
	struct dump_keys *k = mem_new(sizeof *k, err);

	if (k == NULL || (k->keys = mem_new((count + 1) * sizeof *keys, err)) == NULL) {
		free(k);
		return NULL;
	}
	if (count > 0)
		memcpy(k->keys, keys, count * sizeof *keys);
	k->key_count = count;
	mutex_init(&k->lock);
	return k;
}

void dump_keys_free(struct dump_keys *k)
{
	struct known *run;

	if (k == NULL)
		return;
	seal_wipe(k->keys, k->key_count * sizeof *k->keys);
	while ((run = k->known) != NULL) {
		k->known = run->next;
		seal_wipe(run, sizeof *run);
		free(run);
	}
	free(k->keys);
	mutex_fini(&k->lock);
	free(k);
}

/* Opens the wrap that is for one of our keys. */
static int unwrap(const struct dump_keys *k, const uint8_t *ephemeral, const uint8_t *wraps,
	size_t count, const uint8_t *domain, const char *label, uint8_t *plain, struct err *err)
{
	char text[KEY_ID_TEXT];
	size_t i, j;

	for (i = 0; i < count; i++)
		for (j = 0; j < k->key_count; j++) {
			const struct key_secret *mine = &k->keys[j];
			const uint8_t *wrap = wraps + i * STORE_WRAP_LEN;
			struct gcm *seal;
			int got;

			if (memcmp(wrap, mine->half.id, KEY_ID_LEN) != 0)
				continue;
			seal = wrap_seal(
				mine->secret, ephemeral, ephemeral, mine->half.public, label, err);
			if (seal == NULL)
				return -1;
			got = seal_open(seal, wrap_nonce, domain, STORE_DOMAIN_LEN,
				wrap + KEY_ID_LEN, 32 + SEAL_TAG_LEN, plain, err);
			gcm_free(seal);
			return got > 0 ? err_set(err, ERR_DAMAGE,
						 "a wrapped secret is not authentic")
				       : got;
		}
	key_id_text(wraps, text);
	return err_set(err, ERR_DENIED, "sealed to key %s%s: %s", text,
		count > 1 ? " and others" : "",
		k->key_count > 0 ? "none of the given keys opens it"
				 : "give its secret half (--key FILE)");
}

int dump_keys_domain(struct dump_keys *k, const struct store_dump *dump, struct dump_domain *domain,
	struct err *err)
{
	uint8_t secret[HASH_LEN], mac[STORE_MAC_LEN];
	int got;

	if (unwrap(k, dump->ephemeral, dump->wraps, dump->wrap_count, dump->domain, WRAP_DOMAIN,
		    secret, err) != 0)
		return -1;
	got = dump_domain_of_secret(domain, secret, err);
	seal_wipe(secret, sizeof secret);
	if (got == 0 && memcmp(domain->fingerprint, dump->domain, STORE_DOMAIN_LEN) != 0)
		got = err_set(err, ERR_DAMAGE, "the dump's domain does not match its secret");
	if (got == 0)
		got = dump_domain_mac(domain, dump->signed_at, dump->signed_len, mac, err);
	if (got == 0 && !seal_equal(mac, dump->mac, sizeof mac))
		got = err_set(err, ERR_DAMAGE,
			"the dump's record is not authentic: it was not made by an agent that "
			"backs up to its key");
	if (got != 0)
		dump_domain_wipe(domain);
	return got;
}

/* Gets the secret of the record's run: known already, or opened now and remembered. */
static int run_secret(struct dump_keys *k, const struct store_record *r, const uint8_t *domain,
	uint8_t secret[32], struct err *err)
{
	struct known *run;
	int ret = 0;

	mutex_lock(&k->lock);
	for (run = k->known; run != NULL; run = run->next)
		if (memcmp(run->ephemeral, r->ephemeral, KEY_LEN) == 0 &&
			memcmp(run->domain, domain, STORE_DOMAIN_LEN) == 0)
			break;
	if (run == NULL) {
		run = mem_new(sizeof *run, err);
		ret = run != NULL ? unwrap(k, r->ephemeral, r->wraps, r->wrap_count, domain,
					    WRAP_RECORD, run->secret, err)
				  : -1;
		if (ret == 0) {
			memcpy(run->ephemeral, r->ephemeral, KEY_LEN);
			memcpy(run->domain, domain, STORE_DOMAIN_LEN);
			run->next = k->known;
			k->known = run;
		} else {
			free(run);
		}
	}
	if (ret == 0)
		memcpy(secret, run->secret, 32);
	mutex_unlock(&k->lock);
	return ret;
}

/* Decrypts the body in place; *len becomes the length of the plaintext. */
static int unseal(struct dump_keys *keys, const uint8_t *domain, const struct store_record *r,
	uint8_t *body, size_t *len, struct err *err)
{
	uint8_t secret[32];
	struct gcm *seal;
	int got;

	if (run_secret(keys, r, domain, secret, err) != 0)
		return -1;
	seal = record_seal(secret, r->id, err);
	seal_wipe(secret, sizeof secret);
	if (seal == NULL)
		return -1;
	got = seal_open(seal, r->nonce, r->head, r->head_len, body, *len, body, err);
	gcm_free(seal);
	*len -= STORE_TAG_LEN;
	return got > 0 ? err_set(err, ERR_DAMAGE, "a chunk is not authentic") : got;
}

int dump_crypt_open(struct dump_keys *keys, struct zst *zst, const uint8_t domain[STORE_DOMAIN_LEN],
	const uint8_t id[STORE_ID_LEN], uint8_t *bytes, size_t len, struct buf *out,
	struct err *err)
{
	struct store_record r;
	uint8_t *body, *to;

	if (store_record_get(&r, bytes, len, err) != 0)
		return -1;
	if (memcmp(r.id, id, STORE_ID_LEN) != 0)
		return err_set(err, ERR_DAMAGE, "a chunk is not the one that was asked for");
	body = bytes + r.head_len;
	len = r.body_len;
	if (r.wrap_count > 0 && unseal(keys, domain, &r, body, &len, err) != 0)
		return -1;
	buf_clear(out);
	to = buf_room(out, r.raw_len, err);
	if (to == NULL)
		return -1;
	if (r.codec == 0)
		memcpy(to, body, len);
	else if (zst_unpack(zst, body, len, to, r.raw_len, err) != 0)
		return -1;
	buf_took(out, r.raw_len);
	return 0;
}
