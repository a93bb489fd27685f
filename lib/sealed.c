/* Secrets protected by a passphrase: Argon2id, then AES-256-GCM. */
#include "lib/sealed.h"

#include <assert.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/gcm.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/pass.h"
#include "lib/seal.h"

#define SALT_LEN 16
#define BODY_MAX (SEALED_EXTRA + SEALED_SECRET_MAX + SEALED_CHECK)
#define TEXT_MAX (SEALED_AD_MAX + BASE64_LEN(BODY_MAX) + 3)

static const uint8_t nonce[SEAL_NONCE_LEN];

/* Derives the sealing context from the passphrase, with salt and costs at head,
 * and appends these to the associated data in bound. Returns NULL with err set. */
static struct gcm *prepare(const struct pass *pass, const void *ad, size_t ad_len,
	const uint8_t *head, uint8_t bound[SEALED_AD_MAX + SEALED_HEAD], struct err *err)
{
	struct seal_argon2 cost = {le_get32(head + SALT_LEN), le_get32(head + SALT_LEN + 4),
		le_get32(head + SALT_LEN + 8)};
	uint8_t key[SEAL_KEY_LEN];
	struct gcm *seal = NULL;

	assert(ad_len <= SEALED_AD_MAX);
	memcpy(bound, ad, ad_len);
	memcpy(bound + ad_len, head, SEALED_HEAD);
	if (seal_argon2id(pass->bytes, pass->len, head, SALT_LEN, &cost, key, err) == 0)
		seal = gcm_new(key, SEAL_KEY_LEN, err);
	seal_wipe(key, sizeof key);
	return seal;
}

int sealed_put(const struct pass *pass, const void *ad, size_t ad_len, const void *secret,
	size_t len, uint8_t *out, struct err *err)
{
	uint8_t bound[SEALED_AD_MAX + SEALED_HEAD];
	struct gcm *seal;
	int ret = -1;

	if (seal_random(out, SALT_LEN, err) != 0)
		return -1;
	le_put32(out + SALT_LEN, seal_argon2_default.passes);
	le_put32(out + SALT_LEN + 4, seal_argon2_default.memory);
	le_put32(out + SALT_LEN + 8, seal_argon2_default.lanes);
	seal = prepare(pass, ad, ad_len, out, bound, err);
	if (seal != NULL)
		ret = seal_seal(seal, nonce, bound, ad_len + SEALED_HEAD, secret, len,
			out + SEALED_HEAD, err);
	gcm_free(seal);
	return ret;
}

int sealed_get(const struct pass *pass, const void *ad, size_t ad_len, const uint8_t *sealed,
	size_t len, void *out, struct err *err)
{
	uint8_t bound[SEALED_AD_MAX + SEALED_HEAD];
	struct gcm *seal;
	int ret;

	if (len < SEALED_EXTRA)
		return err_set(err, ERR_FORMAT, "a sealed secret is cut off");
	seal = prepare(pass, ad, ad_len, sealed, bound, err);
	if (seal == NULL)
		return -1;
	ret = seal_open(seal, nonce, bound, ad_len + SEALED_HEAD, sealed + SEALED_HEAD,
		len - SEALED_HEAD, out, err);
	gcm_free(seal);
	return ret == 1 ? err_set(err, ERR_DENIED, "wrong passphrase") : ret;
}

/* --- As a file --- */

void sealed_check(const char *header, const void *body, size_t len, uint8_t check[SEALED_CHECK])
{
	uint8_t all[SEALED_AD_MAX + BODY_MAX], digest[HASH_LEN];
	size_t header_len = strlen(header);

	assert(header_len <= SEALED_AD_MAX && len <= BODY_MAX);
	memcpy(all, header, header_len);
	memcpy(all + header_len, body, len);
	hash_sha256(all, header_len + len, digest);
	memcpy(check, digest, SEALED_CHECK);
	seal_wipe(all, sizeof all);
}

int sealed_save(const char *path, const char *header, const struct pass *pass, const void *secret,
	size_t len, struct err *err)
{
	uint8_t body[BODY_MAX];
	char text[TEXT_MAX];
	size_t header_len = strlen(header), at = header_len + 1;

	assert(len <= SEALED_SECRET_MAX && header_len <= SEALED_AD_MAX);
	if (sealed_put(pass, header, header_len, secret, len, body, err) != 0)
		return err_prefix(err, "%s", path);
	len += SEALED_EXTRA;
	sealed_check(header, body, len, body + len);
	memcpy(text, header, header_len);
	text[header_len] = '\n';
	base64_encode(body, len + SEALED_CHECK, text + at);
	at += BASE64_LEN(len + SEALED_CHECK);
	text[at++] = '\n';
	return file_write_new(path, text, at, 0600, err);
}

/* Decodes the body between the header and the last newline, and verifies its
 * check. Returns its length without the check; 0: it is damaged. */
static size_t get_body(const char *text, size_t len, const char *header, uint8_t body[BODY_MAX])
{
	size_t at = strlen(header) + 1, got;
	uint8_t check[SEALED_CHECK];

	if (len <= at || text[len - 1] != '\n' ||
		base64_decode(text + at, len - 1 - at, body, BODY_MAX, &got) != 0 ||
		got < SEALED_EXTRA + SEALED_CHECK)
		return 0;
	got -= SEALED_CHECK;
	sealed_check(header, body, got, check);
	return memcmp(check, body + got, SEALED_CHECK) == 0 ? got : 0;
}

int sealed_load(const char *path, const char *header, sealed_ask *ask, const char *ctx, void *out,
	size_t *len, struct err *err)
{
	struct pass pass = {0};
	uint8_t body[BODY_MAX];
	char text[TEXT_MAX];
	struct stat st;
	size_t text_len, header_len = strlen(header), got;
	int ret;

	if (file_read(path, text, sizeof text, &text_len, &st, err) != 0)
		return err != NULL && err->code == ERR_LIMIT ? 1 : -1;
	if (text_len <= header_len || memcmp(text, header, header_len) != 0 ||
		text[header_len] != '\n')
		return 1;
	if (file_check_secret(path, &st, 077, err) != 0)
		return -1;
	got = get_body(text, text_len, header, body);
	if (got == 0 || got - SEALED_EXTRA > SEALED_SECRET_MAX)
		return err_set(err, ERR_CONFIG, "%s: damaged: its checksum does not match", path);
	if (ask == NULL)
		return err_set(err, ERR_USAGE, "%s: protected by a passphrase", path);
	if (ask(ctx, path, &pass, err) != 0)
		return -1;
	ret = sealed_get(&pass, header, header_len, body, got, out, err);
	pass_wipe(&pass);
	*len = got - SEALED_EXTRA;
	return ret == 0 ? 0 : err_prefix(err, "%s", path);
}
