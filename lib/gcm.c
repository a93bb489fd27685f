/* One manager for all: of it only functions are used, which keep nothing. */
#include "lib/gcm.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#ifdef FDUMP_IPSEC_MB
#include <intel-ipsec-mb.h>

#define NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_SSE4_2)
#define TAG    16

struct gcm {
	struct gcm_key_data key; /* the type aligns it */
};

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

bool gcm_there(void)
{
	pthread_once(&once, open_manager);
	return manager != NULL;
}

struct gcm *gcm_new(const uint8_t *key, struct err *err)
{
	struct gcm *g = aligned_alloc(_Alignof(struct gcm), sizeof *g);

	if (g == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	IMB_AES256_GCM_PRE(manager, key, &g->key);
	return g;
}

void gcm_free(struct gcm *g)
{
	if (g != NULL)
		explicit_bzero(g, sizeof *g);
	free(g);
}

void gcm_seal(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	struct gcm_context_data run;

	IMB_AES256_GCM_ENC(manager, &g->key, &run, out, in, len, nonce, ad, ad_len, tag, TAG);
	explicit_bzero(&run, sizeof run);
}

void gcm_open(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	struct gcm_context_data run;

	IMB_AES256_GCM_DEC(manager, &g->key, &run, out, in, len, nonce, ad, ad_len, tag, TAG);
	explicit_bzero(&run, sizeof run);
}

#else

bool gcm_there(void)
{
	return false;
}

struct gcm *gcm_new(const uint8_t *key, struct err *err)
{
	(void)key;
	err_set(err, ERR_FAILED, "AES-256-GCM by libipsec-mb: not in this build");
	return NULL;
}

void gcm_free(struct gcm *g)
{
	(void)g;
}

void gcm_seal(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	(void)g, (void)nonce, (void)ad, (void)ad_len, (void)in, (void)len, (void)out, (void)tag;
	assert(false);
}

void gcm_open(const struct gcm *g, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag)
{
	gcm_seal(g, nonce, ad, ad_len, in, len, out, tag);
}
#endif
