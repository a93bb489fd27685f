/*
 * The sparse digest collects a block that arrives in pieces. A whole block in the caller's
 * memory is hashed from there.
 */
#include "pack/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "pack/entry.h"

#define BLOCK 4096

struct pack_digest {
	struct hash *hash;
	bool sparse;
	uint64_t at;    /* bytes of content so far */
	uint64_t holes; /* plain digest: how many of them in holes */
	uint8_t block[BLOCK];
	/* Sparse digest: the first at % BLOCK bytes of .block are content. */
};

struct pack_digest *pack_digest_new(struct err *err)
{
	struct pack_digest *d = mem_new(sizeof *d, err);

	if (d == NULL)
		return NULL;
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

/* Adds a block that begins at `at`. Only the file's last block may be shorter than BLOCK. */
static void add_block(struct pack_digest *d, uint64_t at, const uint8_t *bytes, size_t len)
{
	uint8_t offset[8];

	assert(at % BLOCK == 0 && len > 0 && len <= BLOCK);
	if (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0) /* all zero */
		return;
	le_put64(offset, at);
	hash_add(d->hash, offset, sizeof offset);
	hash_add(d->hash, bytes, len);
}

/* Adds bytes (or zeros, if NULL) to the block in progress. Returns how many were added. */
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

void pack_digest_data(struct pack_digest *d, const void *content, size_t len)
{
	const uint8_t *bytes = content;
	size_t n;

	if (!d->sparse) {
		hash_add(d->hash, bytes, len);
		d->at += len;
		return;
	}
	for (; len > 0; bytes += n, len -= n) {
		if (d->at % BLOCK == 0 && len >= BLOCK) {
			n = BLOCK;
			add_block(d, d->at, bytes, n);
			d->at += n;
		} else {
			n = fill_block(d, bytes, len);
		}
	}
}

void pack_digest_hole(struct pack_digest *d, uint64_t len)
{
	if (!d->sparse) {
		d->at += len;
		d->holes += len;
		if (d->holes <= PACK_HOLES_MAX)
			hash_add_zeros(d->hash, len);
		return;
	}
	if (d->at % BLOCK != 0)
		len -= fill_block(d, NULL, len);
	/* Whole blocks of zeros add nothing. The rest begins the next block. */
	d->at += len - len % BLOCK;
	if (len % BLOCK > 0)
		fill_block(d, NULL, len % BLOCK);
}

void pack_digest_item(struct pack_digest *d, const struct pack_item *item)
{
	if (item->kind == PACK_ITEM_DATA)
		pack_digest_data(d, item->data.at, item->data.len);
	else
		pack_digest_hole(d, item->hole);
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
