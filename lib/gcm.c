/*
 * Two libraries behind one struct. Of libipsec-mb's manager only functions are
 * used, which keep nothing: one for all.
 */
#include "lib/gcm.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gcrypt.h>
#ifdef FDUMP_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "lib/err.h"

struct gcm {
#ifdef FDUMP_IPSEC_MB
	struct gcm_key_data key; /* the type aligns it */
#endif
	bool wide; /* by libipsec-mb */
	size_t key_len;
	gcry_cipher_hd_t cipher; /* else; wiped when it is closed */
};

/* --- libipsec-mb --- */

#ifdef FDUMP_IPSEC_MB
#define NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)

static IMB_MGR *manager;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_manager(void)
{
	IMB_ARCH arch = IMB_ARCH_NONE;

	manager = alloc_mb_mgr(0);
	if (manager == NULL)
		return;
	if ((manager->features & NEEDED) == NEEDED)
		init_mb_mgr_auto(manager, &arch);
	if (arch < IMB_ARCH_SSE) {
		free_mb_mgr(manager);
		manager = NULL;
	}
}

static bool wide_there(void)
{
	pthread_once(&once, open_manager);
	return manager != NULL;
}

static void wide_key(struct gcm *g, const uint8_t *key)
{
	if (g->key_len == 16)
		IMB_AES128_GCM_PRE(manager, key, &g->key);
	else
		IMB_AES256_GCM_PRE(manager, key, &g->key);
}

static void wide_seal(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	struct gcm_context_data run;

	if (g->key_len == 16)
		IMB_AES128_GCM_ENC(
			manager, &g->key, &run, out, in, len, nonce, ad, ad_len, tag, GCM_TAG_LEN);
	else
		IMB_AES256_GCM_ENC(
			manager, &g->key, &run, out, in, len, nonce, ad, ad_len, tag, GCM_TAG_LEN);
	explicit_bzero(&run, sizeof run);
}

/* Returns the tag that it should have. */
static void wide_open(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	struct gcm_context_data run;

	if (g->key_len == 16)
		IMB_AES128_GCM_DEC(
			manager, &g->key, &run, out, in, len, nonce, ad, ad_len, tag, GCM_TAG_LEN);
	else
		IMB_AES256_GCM_DEC(
			manager, &g->key, &run, out, in, len, nonce, ad, ad_len, tag, GCM_TAG_LEN);
	explicit_bzero(&run, sizeof run);
}

#else

static bool wide_there(void)
{
	return false;
}

static void wide_key(struct gcm *g, const uint8_t *key)
{
	(void)g, (void)key;
	assert(false);
}

static void wide_seal(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	(void)g, (void)nonce, (void)ad, (void)ad_len, (void)in, (void)len, (void)out, (void)tag;
	assert(false);
}

static void wide_open(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	wide_seal(g, nonce, ad, ad_len, in, len, out, tag);
}
#endif

/* --- libgcrypt --- */

static int failed(struct err *err, gcry_error_t code)
{
	return err_set(err, gcry_err_code(code) == GPG_ERR_ENOMEM ? ERR_NOMEM : ERR_FAILED,
		"AES-GCM: %s", gcry_strerror(code));
}

static int narrow_key(struct gcm *g, const uint8_t *key, struct err *err)
{
	int cipher = g->key_len == 16 ? GCRY_CIPHER_AES128 : GCRY_CIPHER_AES256;
	gcry_error_t code = gcry_cipher_open(&g->cipher, cipher, GCRY_CIPHER_MODE_GCM, 0);

	if (code == 0)
		code = gcry_cipher_setkey(g->cipher, key, g->key_len);
	return code == 0 ? 0 : failed(err, code);
}

/* Nonce and associated data; the start of sealing and of opening. */
static gcry_error_t begin(gcry_cipher_hd_t cipher, const uint8_t *nonce, const void *ad, size_t len)
{
	gcry_error_t code = gcry_cipher_setiv(cipher, nonce, GCM_NONCE_LEN);

	if (code == 0 && len > 0)
		code = gcry_cipher_authenticate(cipher, ad, len);
	return code;
}

/* --- Both --- */

static struct gcm *make(const uint8_t *key, size_t key_len, bool wide, struct err *err)
{
	struct gcm *g = aligned_alloc(_Alignof(struct gcm), sizeof *g);

	assert(key_len == 16 || key_len == 32);
	if (g == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	memset(g, 0, sizeof *g);
	g->wide = wide;
	g->key_len = key_len;
	if (wide) {
		wide_key(g, key);
	} else if (narrow_key(g, key, err) != 0) {
		gcm_free(g);
		return NULL;
	}
	return g;
}

struct gcm *gcm_new(const uint8_t *key, size_t key_len, struct err *err)
{
	return make(key, key_len, wide_there(), err);
}

struct gcm *gcm_new_narrow(const uint8_t *key, size_t key_len, struct err *err)
{
	return make(key, key_len, false, err);
}

void gcm_free(struct gcm *g)
{
	if (g == NULL)
		return;
	gcry_cipher_close(g->cipher);
	explicit_bzero(g, sizeof *g);
	free(g);
}

int gcm_seal(struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len, const void *in,
	size_t len, void *out, uint8_t *tag, struct err *err)
{
	gcry_error_t code;

	if (g->wide) {
		wide_seal(g, nonce, ad, ad_len, in, len, out, tag);
		return 0;
	}
	code = begin(g->cipher, nonce, ad, ad_len);
	if (code == 0)
		code = gcry_cipher_encrypt(
			g->cipher, out, len, in == out ? NULL : in, in == out ? 0 : len);
	if (code == 0)
		code = gcry_cipher_gettag(g->cipher, tag, GCM_TAG_LEN);
	return code == 0 ? 0 : failed(err, code);
}

/* In constant time. */
static bool same_tag(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;
	size_t i;

	for (i = 0; i < GCM_TAG_LEN; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

int gcm_open(struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len, const void *in,
	size_t len, void *out, const uint8_t *tag, struct err *err)
{
	uint8_t right[GCM_TAG_LEN];
	gcry_error_t code;

	if (g->wide) {
		wide_open(g, nonce, ad, ad_len, in, len, out, right);
		code = same_tag(right, tag) ? 0 : gcry_error(GPG_ERR_CHECKSUM);
	} else {
		code = begin(g->cipher, nonce, ad, ad_len);
		if (code == 0)
			code = gcry_cipher_decrypt(
				g->cipher, out, len, in == out ? NULL : in, in == out ? 0 : len);
		if (code == 0)
			code = gcry_cipher_checktag(g->cipher, tag, GCM_TAG_LEN);
	}
	if (code == 0)
		return 0;
	if (len > 0)
		memset(out, 0, len);
	return gcry_err_code(code) == GPG_ERR_CHECKSUM ? 1 : failed(err, code);
}

const char *gcm_library(void)
{
	return wide_there() ? "libipsec-mb" : "libgcrypt";
}
