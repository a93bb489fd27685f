/* Derives a domain's secret, and its subkeys. */
#include "cmd/dump/domain.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/le.h"
#include "lib/seal.h"

#define LABEL "fdump domain"

static int by_public(const void *a, const void *b)
{
	const struct key_public *x = a, *y = b;

	return memcmp(x->public, y->public, KEY_LEN);
}

static int sort_keys(struct dump_domain *d, const struct key_public *to, size_t n, struct err *err)
{
	size_t i;

	if (n > STORE_WRAPS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d keys to seal to", STORE_WRAPS_MAX);
	if (n > 0)
		memcpy(d->to, to, n * sizeof *to);
	d->to_count = n;
	qsort(d->to, n, sizeof *d->to, by_public);
	for (i = 1; i < n; i++)
		if (by_public(&d->to[i - 1], &d->to[i]) == 0)
			return err_set(err, ERR_USAGE, "the same key is given twice");
	return 0;
}

/* The HMAC's key: the shared secrets of the keys that have one, else the agent's secret. */
static size_t base_secret(
	const struct dump_domain *d, const uint8_t *agent, uint8_t base[STORE_WRAPS_MAX * KEY_LEN])
{
	size_t i, len = 0;

	for (i = 0; i < d->to_count; i++)
		if (d->to[i].has_shared) {
			memcpy(base + len, d->to[i].shared, KEY_LEN);
			len += KEY_LEN;
		}
	if (len > 0)
		return len;
	memcpy(base, agent, DUMP_SECRET_LEN);
	return DUMP_SECRET_LEN;
}

static int subkey(
	const uint8_t secret[HASH_LEN], const char *info, void *out, size_t len, struct err *err)
{
	return seal_hkdf(secret, HASH_LEN, "", 0, info, strlen(info), out, len, err);
}

static int derive(struct dump_domain *d, struct err *err)
{
	static const uint8_t zeros[HASH_LEN];
	uint8_t gear[sizeof d->gear];
	size_t i;

	if (subkey(d->secret, "fdump chunk id", d->id_key, HASH_LEN, err) != 0 ||
		subkey(d->secret, "fdump dump", d->dump_key, HASH_LEN, err) != 0 ||
		subkey(d->secret, "fdump access", d->access, sizeof d->access, err) != 0 ||
		seal_sign_public(d->access, d->public, err) != 0 ||
		subkey(d->open ? zeros : d->secret, "fdump gear", gear, sizeof gear, err) != 0)
		return -1;
	for (i = 0; i < 256; i++)
		d->gear[i] = le_get64(gear + 8 * i);
	seal_wipe(gear, sizeof gear);
	store_proof_fingerprint(d->public, d->fingerprint);
	return 0;
}

int dump_domain_init(struct dump_domain *d, const uint8_t agent[DUMP_SECRET_LEN],
	const struct key_public *to, size_t to_count, struct err *err)
{
	uint8_t base[STORE_WRAPS_MAX * KEY_LEN];
	uint8_t text[sizeof LABEL - 1 + STORE_WRAPS_MAX * KEY_LEN];
	size_t i, len = sizeof LABEL - 1;
	int got;

	*d = (struct dump_domain){.open = to_count == 0};
	if (sort_keys(d, to, to_count, err) != 0)
		return -1;
	memcpy(text, LABEL, len);
	for (i = 0; i < d->to_count; i++, len += KEY_LEN)
		memcpy(text + len, d->to[i].public, KEY_LEN);
	got = hash_hmac(base, base_secret(d, agent, base), text, len, d->secret, err);
	seal_wipe(base, sizeof base);
	if (got == 0)
		got = derive(d, err);
	if (got != 0)
		dump_domain_wipe(d);
	return got;
}

int dump_domain_of_secret(struct dump_domain *d, const uint8_t secret[HASH_LEN], struct err *err)
{
	*d = (struct dump_domain){0};
	memcpy(d->secret, secret, HASH_LEN);
	return derive(d, err);
}

void dump_domain_wipe(struct dump_domain *d)
{
	seal_wipe(d, sizeof *d);
}

int dump_domain_id(const struct dump_domain *d, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err)
{
	if (!d->open)
		return hash_hmac(d->id_key, sizeof d->id_key, content, len, id, err);
	hash_sha256(content, len, id);
	return 0;
}

int dump_domain_prove(const struct dump_domain *d, const struct store_proof *proof,
	uint8_t signature[SEAL_SIG_LEN], struct err *err)
{
	uint8_t message[STORE_PROOF_LEN];

	store_proof_message(proof, message);
	return seal_sign(d->access, message, sizeof message, signature, err);
}

int dump_domain_mac(const struct dump_domain *d, const void *map, size_t len,
	uint8_t mac[STORE_MAC_LEN], struct err *err)
{
	return hash_hmac(d->dump_key, sizeof d->dump_key, map, len, mac, err);
}
