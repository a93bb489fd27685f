/*
 * AES-GCM (NIST SP 800-38D) with keys of 128 or 256 bits, nonces of 12 bytes
 * and tags of 16. Uses libipsec-mb if the build has it and the processor
 * supports it; else libgcrypt, at about half the speed. For lib/seal and the
 * TLS of rpc/.
 *
 *   gcm_new -> (gcm_seal | gcm_open)... -> gcm_free
 *
 * Use a struct gcm from one thread at a time. Call hash_crypto_init (lib/hash)
 * first. The rules for nonces in lib/seal.h apply here too.
 */
#ifndef FDUMP_LIB_GCM_H
#define FDUMP_LIB_GCM_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct gcm;

#define GCM_NONCE_LEN 12
#define GCM_TAG_LEN   16

/* Makes a context for this key of 16 or 32 bytes, which is copied. Returns NULL
 * with err set: out of memory. */
struct gcm *gcm_new(const uint8_t *key, size_t key_len, struct err *err);
/* The same, but always with libgcrypt. For tests. */
struct gcm *gcm_new_narrow(const uint8_t *key, size_t key_len, struct err *err);
/* Wipes and frees it. NULL does nothing. */
void gcm_free(struct gcm *gcm);

/* Encrypts len bytes to out, and writes the tag. out may be in; otherwise they
 * must not overlap. Returns 0, or -1 with err set: discard out then. */
int gcm_seal(struct gcm *gcm, const uint8_t *nonce, const void *ad, size_t ad_len, const void *in,
	size_t len, void *out, uint8_t *tag, struct err *err);
/* The reverse. Returns 0; 1 if ciphertext, nonce, associated data and tag do
 * not belong together: out is then zeroed and err not set; -1 with err set. */
int gcm_open(struct gcm *gcm, const uint8_t *nonce, const void *ad, size_t ad_len, const void *in,
	size_t len, void *out, const uint8_t *tag, struct err *err);

/* The library that gcm_new uses here: "libipsec-mb" or "libgcrypt".
 * Thread-safe. */
const char *gcm_library(void);

#endif
