/* SHA-256 and HMAC by libgcrypt (fast on one core), XXH3 by libxxhash. */
#include "lib/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gcrypt.h>
#include <xxhash.h>

#include "lib/err.h"

/* A struct hash is libgcrypt's handle itself, so nothing else has to be
 * allocated. */
static gcry_md_hd_t handle(struct hash *hash)
{
	return (gcry_md_hd_t)(void *)hash;
}

/*
 * libgcrypt ends the program, or worse, if its arithmetic runs out of memory.
 * So a small allocation that fails is tried again: the first time after a
 * reserve has been freed, later in the hope that another thread has freed
 * something. If it still fails, or is large, it fails as usual.
 */
#define SMALL   65536
#define RESERVE (256u << 10)
#define RETRIES 1000
static _Atomic(void *) reserve;
static atomic_uint retried;

/* Whether to try once more to allocate len bytes. */
static bool again(size_t len)
{
	void *mem;

	if (len > SMALL)
		return false;
	mem = atomic_exchange(&reserve, NULL);
	free(mem);
	return mem != NULL || atomic_fetch_add(&retried, 1) < RETRIES;
}

static void *give(size_t len)
{
	void *mem;

	while ((mem = malloc(len)) == NULL && again(len))
		;
	return mem;
}

static void *give_more(void *mem, size_t len)
{
	void *more;

	while ((more = realloc(mem, len)) == NULL && again(len))
		;
	return more;
}

/* Called when libgcrypt runs out of memory during initialisation, where it
 * would abort. */
static void give_up(void *ctx, int code, const char *text)
{
	(void)ctx;
	fprintf(stderr, "fdump: libgcrypt: %s\n",
		text != NULL ? text : gcry_strerror((gcry_error_t)code));
	_exit(2);
}

int hash_crypto_init(struct err *err)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return 0;
	gcry_set_fatalerror_handler(give_up, NULL);
	atomic_store(&reserve, malloc(RESERVE));
	if (atomic_load(&reserve) == NULL) /* libgcrypt would end the process */
		return err_set(err, ERR_NOMEM, "out of memory");
	gcry_set_allocation_handler(give, give, NULL, give_more, free);
	if (gcry_check_version("1.10.0") == NULL)
		return err_set(err, ERR_UNSUPPORTED, "libgcrypt is %s, 1.10 or later is needed",
			gcry_check_version(NULL));
	/* Owners wipe their secrets; locked memory is not needed. */
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	return 0;
}

struct hash *hash_new(struct err *err)
{
	gcry_md_hd_t md;

	if (gcry_md_open(&md, GCRY_MD_SHA256, 0) != 0) {
		err_set(err, ERR_NOMEM, "SHA-256: out of memory");
		return NULL;
	}
	return (struct hash *)(void *)md;
}

void hash_free(struct hash *hash)
{
	if (hash != NULL)
		gcry_md_close(handle(hash));
}

void hash_add(struct hash *hash, const void *bytes, size_t len)
{
	gcry_md_write(handle(hash), bytes, len);
}

void hash_add_zeros(struct hash *hash, uint64_t len)
{
	static const uint8_t zeros[65536];

	while (len > 0) {
		size_t n = len < sizeof zeros ? (size_t)len : sizeof zeros;

		hash_add(hash, zeros, n);
		len -= n;
	}
}

void hash_end(struct hash *hash, uint8_t digest[HASH_LEN])
{
	memcpy(digest, gcry_md_read(handle(hash), GCRY_MD_SHA256), HASH_LEN);
	gcry_md_reset(handle(hash));
}

void hash_sha256(const void *bytes, size_t len, uint8_t digest[HASH_LEN])
{
	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, bytes, len);
}

int hash_hmac(const void *key, size_t key_len, const void *bytes, size_t len, uint8_t mac[HASH_LEN],
	struct err *err)
{
	gcry_buffer_t parts[2] = {
		{.data = (void *)key, .len = key_len},
		{.data = (void *)bytes, .len = len},
	};

	if (gcry_md_hash_buffers(GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC, mac, parts, 2) != 0)
		return err_set(err, ERR_NOMEM, "HMAC-SHA-256: out of memory");
	return 0;
}

uint64_t hash_xxh3(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}
