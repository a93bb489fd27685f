/*
 * The sparse digest gathers a block that arrives in pieces; a whole one that lies in
 * the caller's memory is hashed from there.
 */
#include "pack/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/le.h"

#define BLOCK 4096

struct pack_digest {
	struct hash *hash;
	bool sparse;
	uint64_t at;    /* bytes of content so far */
	uint64_t holes; /* plain: of these, in holes */
	uint8_t block[BLOCK];
	/* The first at % BLOCK bytes of .block are content; sparse only. */
};

struct pack_digest *pack_digest_new(struct err *err)
{
	struct pack_digest *d = calloc(1, sizeof *d);

	if (d == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	d->hash = hash_new(err);
	if (d->hash != NULL)
		return d;
	free(d);
	return NULL;
}

void pack_digest_free(struct pack_digest *d)
{
	if (d == NULL)
		return;
	hash_free(d->hash);
	free(d);
}

void pack_digest_begin(struct pack_digest *d, bool sparse)
{
	uint8_t unused[HASH_LEN];

	if (d->at > 0)
		hash_end(d->hash, unused);
	d->sparse = sparse;
	d->at = d->holes = 0;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* A block that begins at d->at, or the file's last one, which may be shorter. */
static void add_block(struct pack_digest *d, uint64_t at, const uint8_t *bytes, size_t len)
{
	uint8_t offset[8];

	assert(at % BLOCK == 0 && len > 0 && len <= BLOCK);
	if (is_zero(bytes, len))
		return;
	le_put64(offset, at);
	hash_add(d->hash, offset, sizeof offset);
	hash_add(d->hash, bytes, len);
}

/* Adds to the block that has begun, bytes or (NULL) zeros. Returns how many. */
static size_t fill_block(struct pack_digest *d, const uint8_t *bytes, uint64_t len)
{
	size_t used = (size_t)(d->at % BLOCK), n = BLOCK - used;

	if (n > len)
		n = (size_t)len;
	if (bytes != NULL)
		memcpy(d->block + used, bytes, n);
	else
		memset(d->block + used, 0, n);
	d->at += n;
	if (used + n == BLOCK)
		add_block(d, d->at - BLOCK, d->block, BLOCK);
	return n;
}

static void add_sparse(struct pack_digest *d, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t n = BLOCK;

		if (d->at % BLOCK == 0 && len >= BLOCK) {
			add_block(d, d->at, bytes, BLOCK);
			d->at += BLOCK;
		} else {
			n = fill_block(d, bytes, len);
		}
		bytes += n;
		len -= n;
	}
}

void pack_digest_data(struct pack_digest *d, const void *bytes, size_t len)
{
	if (d->sparse) {
		add_sparse(d, bytes, len);
		return;
	}
	hash_add(d->hash, bytes, len);
	d->at += len;
}

void pack_digest_hole(struct pack_digest *d, uint64_t len)
{
	uint64_t rest;

	if (d->sparse) {
		if (d->at % BLOCK != 0)
			len -= fill_block(d, NULL, len);
		/* Whole blocks of zeros add nothing; what is left begins the next one. */
		rest = len % BLOCK;
		d->at += len - rest;
		if (rest > 0)
			fill_block(d, NULL, rest);
		return;
	}
	d->at += len;
	d->holes += len;
	if (d->holes <= PACK_HOLES_MAX)
		hash_add_zeros(d->hash, len);
}

void pack_digest_end(struct pack_digest *d, uint8_t sum[HASH_LEN])
{
	size_t left = (size_t)(d->at % BLOCK);
	uint8_t size[8];

	if (d->sparse) {
		if (left > 0)
			add_block(d, d->at - left, d->block, left);
		le_put64(size, d->at);
		hash_add(d->hash, size, sizeof size);
	}
	hash_end(d->hash, sum);
	d->sparse = false;
	d->at = d->holes = 0;
}
