/* An mbedtls_gcm_context holds one pointer here, at its beginning. */
#include "rpc/gcm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include <mbedtls/cipher.h>
#include <mbedtls/gcm.h>
#include <mbedtls/version.h>

#include "lib/err.h"
#include "lib/gcm.h"
#include "lib/hash.h"

_Static_assert(sizeof(mbedtls_gcm_context) >= sizeof(struct gcm *), "no place for the pointer");

static atomic_uint keys_set; /* how often our function was given a key */

static struct gcm *gcm_of(const mbedtls_gcm_context *ctx)
{
	struct gcm *gcm;

	memcpy(&gcm, ctx, sizeof gcm);
	return gcm;
}

/* --- Replacements for mbedTLS's functions, visible to its library --- */

#pragma GCC visibility push(default)

void mbedtls_gcm_init(mbedtls_gcm_context *ctx)
{
	memset(ctx, 0, sizeof *ctx);
}

void mbedtls_gcm_free(mbedtls_gcm_context *ctx)
{
	if (ctx == NULL)
		return;
	gcm_free(gcm_of(ctx));
	memset(ctx, 0, sizeof *ctx);
}

int mbedtls_gcm_setkey(mbedtls_gcm_context *ctx, mbedtls_cipher_id_t cipher,
	const unsigned char *key, unsigned int keybits)
{
	struct gcm *gcm;

	if (cipher != MBEDTLS_CIPHER_ID_AES || (keybits != 128 && keybits != 256))
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	atomic_fetch_add(&keys_set, 1);
	gcm = gcm_new(key, keybits / 8, NULL);
	if (gcm == NULL)
		return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
	gcm_free(gcm_of(ctx));
	memcpy(ctx, &gcm, sizeof gcm);
	return 0;
}

int mbedtls_gcm_crypt_and_tag(mbedtls_gcm_context *ctx, int mode, size_t length,
	const unsigned char *iv, size_t iv_len, const unsigned char *add, size_t add_len,
	const unsigned char *input, unsigned char *output, size_t tag_len, unsigned char *tag)
{
	if (gcm_of(ctx) == NULL || mode != MBEDTLS_GCM_ENCRYPT || iv_len != GCM_NONCE_LEN ||
		tag_len != GCM_TAG_LEN)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	if (gcm_seal(gcm_of(ctx), iv, add, add_len, input, length, output, tag, NULL) != 0)
		return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
	return 0;
}

int mbedtls_gcm_auth_decrypt(mbedtls_gcm_context *ctx, size_t length, const unsigned char *iv,
	size_t iv_len, const unsigned char *add, size_t add_len, const unsigned char *tag,
	size_t tag_len, const unsigned char *input, unsigned char *output)
{
	int ret;

	if (gcm_of(ctx) == NULL || iv_len != GCM_NONCE_LEN || tag_len != GCM_TAG_LEN)
		return MBEDTLS_ERR_GCM_BAD_INPUT;
	ret = gcm_open(gcm_of(ctx), iv, add, add_len, input, length, output, tag, NULL);
	if (ret < 0)
		return MBEDTLS_ERR_CIPHER_ALLOC_FAILED;
	return ret == 0 ? 0 : MBEDTLS_ERR_GCM_AUTH_FAILED;
}

/* Messages in pieces. TLS 1.2 does not use these functions. They exist only so
 * that mbedTLS's own never run on a context of ours. */
#if MBEDTLS_VERSION_NUMBER >= 0x03000000

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len)
{
	(void)ctx, (void)mode, (void)iv, (void)iv_len;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_update_ad(mbedtls_gcm_context *ctx, const unsigned char *add, size_t add_len)
{
	(void)ctx, (void)add, (void)add_len;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_update(mbedtls_gcm_context *ctx, const unsigned char *input, size_t input_length,
	unsigned char *output, size_t output_size, size_t *output_length)
{
	(void)ctx, (void)input, (void)input_length, (void)output, (void)output_size;
	*output_length = 0;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *output, size_t output_size,
	size_t *output_length, unsigned char *tag, size_t tag_len)
{
	(void)ctx, (void)output, (void)output_size, (void)tag, (void)tag_len;
	*output_length = 0;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

#else

int mbedtls_gcm_starts(mbedtls_gcm_context *ctx, int mode, const unsigned char *iv, size_t iv_len,
	const unsigned char *add, size_t add_len)
{
	(void)ctx, (void)mode, (void)iv, (void)iv_len, (void)add, (void)add_len;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_update(
	mbedtls_gcm_context *ctx, size_t length, const unsigned char *input, unsigned char *output)
{
	(void)ctx, (void)length, (void)input, (void)output;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

int mbedtls_gcm_finish(mbedtls_gcm_context *ctx, unsigned char *tag, size_t tag_len)
{
	(void)ctx, (void)tag, (void)tag_len;
	return MBEDTLS_ERR_GCM_BAD_INPUT;
}

#endif
#pragma GCC visibility pop

/* --- The test --- */

/* Test cases 4 and 16 of "The Galois/Counter Mode of Operation" (McGrew and
 * Viega), also used in NIST's validation. The longer key begins with the
 * shorter one. */
static const uint8_t key[32] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
	0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a,
	0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
static const uint8_t nonce[12] = {
	0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
static const uint8_t ad[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed, 0xfa,
	0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
static const uint8_t plain[60] = {0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09,
	0xc5, 0xaf, 0xf5, 0x26, 0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c,
	0x30, 0x3d, 0x8a, 0x31, 0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f,
	0xcf, 0x0e, 0x24, 0x49, 0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57,
	0xba, 0x63, 0x7b, 0x39};
static const struct vector {
	mbedtls_cipher_type_t type;
	int bits;
	uint8_t sealed[sizeof plain], tag[16];
} vectors[] = {
	{MBEDTLS_CIPHER_AES_128_GCM, 128,
		{0x42, 0x83, 0x1e, 0xc2, 0x21, 0x77, 0x74, 0x24, 0x4b, 0x72, 0x21, 0xb7, 0x84, 0xd0,
			0xd4, 0x9c, 0xe3, 0xaa, 0x21, 0x2f, 0x2c, 0x02, 0xa4, 0xe0, 0x35, 0xc1,
			0x7e, 0x23, 0x29, 0xac, 0xa1, 0x2e, 0x21, 0xd5, 0x14, 0xb2, 0x54, 0x66,
			0x93, 0x1c, 0x7d, 0x8f, 0x6a, 0x5a, 0xac, 0x84, 0xaa, 0x05, 0x1b, 0xa3,
			0x0b, 0x39, 0x6a, 0x0a, 0xac, 0x97, 0x3d, 0x58, 0xe0, 0x91},
		{0x5b, 0xc9, 0x4f, 0xbc, 0x32, 0x21, 0xa5, 0xdb, 0x94, 0xfa, 0xe9, 0x5a, 0xe7, 0x12,
			0x1a, 0x47}},
	{MBEDTLS_CIPHER_AES_256_GCM, 256,
		{0x52, 0x2d, 0xc1, 0xf0, 0x99, 0x56, 0x7d, 0x07, 0xf4, 0x7f, 0x37, 0xa3, 0x2a, 0x84,
			0x42, 0x7d, 0x64, 0x3a, 0x8c, 0xdc, 0xbf, 0xe5, 0xc0, 0xc9, 0x75, 0x98,
			0xa2, 0xbd, 0x25, 0x55, 0xd1, 0xaa, 0x8c, 0xb0, 0x8e, 0x48, 0x59, 0x0d,
			0xbb, 0x3d, 0xa7, 0xb0, 0x8b, 0x10, 0x56, 0x82, 0x88, 0x38, 0xc5, 0xf6,
			0x1e, 0x63, 0x93, 0xba, 0x7a, 0x0a, 0xbc, 0xc9, 0xf6, 0x62},
		{0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68, 0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d,
			0x55, 0x1b}},
};

static int seal_and_open(const struct vector *v)
{
	uint8_t sealed[sizeof plain + 16], opened[sizeof plain + 16];
	mbedtls_cipher_context_t cipher;
	size_t len = 0;
	int ret = -1;

	mbedtls_cipher_init(&cipher);
	if (mbedtls_cipher_setup(&cipher, mbedtls_cipher_info_from_type(v->type)) != 0 ||
		mbedtls_cipher_setkey(&cipher, key, v->bits, MBEDTLS_ENCRYPT) != 0 ||
		mbedtls_cipher_auth_encrypt_ext(&cipher, nonce, sizeof nonce, ad, sizeof ad, plain,
			sizeof plain, sealed, sizeof sealed, &len, 16) != 0)
		goto out;
	if (len != sizeof sealed || memcmp(sealed, v->sealed, sizeof v->sealed) != 0 ||
		memcmp(sealed + sizeof v->sealed, v->tag, sizeof v->tag) != 0)
		goto out;
	if (mbedtls_cipher_setkey(&cipher, key, v->bits, MBEDTLS_DECRYPT) != 0 ||
		mbedtls_cipher_auth_decrypt_ext(&cipher, nonce, sizeof nonce, ad, sizeof ad, sealed,
			sizeof sealed, opened, sizeof opened, &len, 16) != 0 ||
		len != sizeof plain || memcmp(opened, plain, sizeof plain) != 0)
		goto out;
	/* A changed byte must be noticed. */
	sealed[0] ^= 1;
	if (mbedtls_cipher_auth_decrypt_ext(&cipher, nonce, sizeof nonce, ad, sizeof ad, sealed,
		    sizeof sealed, opened, sizeof opened, &len, 16) == 0)
		goto out;
	ret = 0;
out:
	mbedtls_cipher_free(&cipher);
	return ret;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool right, ours;

static void prove(void)
{
	right = seal_and_open(&vectors[0]) == 0 && seal_and_open(&vectors[1]) == 0;
	ours = atomic_load(&keys_set) >= 4;
}

int rpc_gcm_start(struct err *err)
{
	if (hash_crypto_init(err) != 0)
		return -1;
	pthread_once(&once, prove);
	return right ? 0 : err_set(err, ERR_FAILED, "AES-GCM gives a wrong result here: no TLS");
}

bool rpc_gcm_is_ours(void)
{
	return ours;
}
