/*
 * AES-256-GCM by libipsec-mb, where the build and the processor have what it
 * takes: about twice as fast as libgcrypt, which does it elsewhere. For
 * lib/seal alone.
 *
 *   if (gcm_there()) gcm_new -> (gcm_seal | gcm_open)... -> gcm_free
 *
 * A key is not changed by use: threads may share it. Buffers as in lib/seal.
 */
#ifndef FDUMP_LIB_GCM_H
#define FDUMP_LIB_GCM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct gcm;

/* Whether there is any; without, nothing else here may be called. Thread-safe. */
bool gcm_there(void);

/* A key of 32 bytes, made ready. NULL with err set: out of memory. */
struct gcm *gcm_new(const uint8_t *key, struct err *err);
/* Wipes and frees it. */
void gcm_free(struct gcm *gcm);

/* Writes len bytes to out, and the tag of 16. nonce: 12 bytes. */
void gcm_seal(const struct gcm *gcm, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag);
/* The same back; the tag that it should have is the caller's to compare. */
void gcm_open(const struct gcm *gcm, const uint8_t *nonce, const void *ad, size_t ad_len,
	const void *in, size_t len, void *out, uint8_t *tag);

#endif
