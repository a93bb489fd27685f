/*
 * Two libraries behind one struct. The calls used of libipsec-mb's manager keep
 * no state, so all contexts share one manager.
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
	struct gcm_key_data key; /* the type sets its alignment */
#endif
	bool wide; /* uses libipsec-mb */
	size_t key_len;
	gcry_cipher_hd_t cipher; /* otherwise; closing it wipes it */
};

/* --- libipsec-mb --- */

#ifdef FDUMP_IPSEC_MB
#define NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)

static IMB_MGR *manager; /* NULL: not supported by this processor */
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

static void wide_key(struct gcm *g, const uint8_t *key)
{
	if (g->key_len == 16)
		IMB_AES128_GCM_PRE(manager, key, &g->key);
	else
		IMB_AES256_GCM_PRE(manager, key, &g->key);
}

/* Seals or opens. Either way, tag receives the computed tag. */
static void wide_crypt(const struct gcm *g, bool seals, const uint8_t *nonce, const void *ad,
	size_t ad_len, const void *in, size_t len, void *out, uint8_t *tag)
{
	aes_gcm_enc_dec_t by_128 = seals ? manager->gcm128_enc : manager->gcm128_dec;
	aes_gcm_enc_dec_t by_256 = seals ? manager->gcm256_enc : manager->gcm256_dec;
	struct gcm_context_data run;

	(g->key_len == 16 ? by_128 : by_256)(
		&g->key, &run, out, in, len, nonce, ad, ad_len, tag, GCM_TAG_LEN);
	explicit_bzero(&run, sizeof run);
}

/* Compares in constant time. */
static bool same_tag(const uint8_t *a, const uint8_t *b)
{
	uint8_t differ = 0;
	size_t i;

	for (i = 0; i < GCM_TAG_LEN; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}
#endif

static bool has_wide(void)
{
#ifdef FDUMP_IPSEC_MB
	pthread_once(&once, open_manager);
	return manager != NULL;
#else
	return false;
#endif
}

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

/* Sets nonce and associated data: the start of both sealing and opening. */
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
#ifdef FDUMP_IPSEC_MB
	if (wide) {
		wide_key(g, key);
		return g;
	}
#endif
	if (narrow_key(g, key, err) == 0)
		return g;
	gcm_free(g);
	return NULL;
}

struct gcm *gcm_new(const uint8_t *key, size_t key_len, struct err *err)
{
	return make(key, key_len, has_wide(), err);
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

#ifdef FDUMP_IPSEC_MB
	if (g->wide) {
		wide_crypt(g, true, nonce, ad, ad_len, in, len, out, tag);
		return 0;
	}
#endif
	code = begin(g->cipher, nonce, ad, ad_len);
	if (code == 0)
		code = gcry_cipher_encrypt(
			g->cipher, out, len, in == out ? NULL : in, in == out ? 0 : len);
	if (code == 0)
		code = gcry_cipher_gettag(g->cipher, tag, GCM_TAG_LEN);
	return code == 0 ? 0 : failed(err, code);
}

int gcm_open(struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len, const void *in,
	size_t len, void *out, const uint8_t *tag, struct err *err)
{
	gcry_error_t code;

#ifdef FDUMP_IPSEC_MB
	uint8_t right[GCM_TAG_LEN];

	if (g->wide) {
		wide_crypt(g, false, nonce, ad, ad_len, in, len, out, right);
		if (same_tag(right, tag))
			return 0;
		if (len > 0)
			memset(out, 0, len);
		return 1;
	}
#endif
	code = begin(g->cipher, nonce, ad, ad_len);
	if (code == 0)
		code = gcry_cipher_decrypt(
			g->cipher, out, len, in == out ? NULL : in, in == out ? 0 : len);
	if (code == 0)
		code = gcry_cipher_checktag(g->cipher, tag, GCM_TAG_LEN);
	if (code == 0)
		return 0;
	if (len > 0)
		memset(out, 0, len);
	return gcry_err_code(code) == GPG_ERR_CHECKSUM ? 1 : failed(err, code);
}

const char *gcm_library(void)
{
	return has_wide() ? "libipsec-mb" : "libgcrypt";
}
