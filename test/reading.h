/*
 * Reads a stream of packs from memory, on one thread, with the framing, loads
 * and reader that `fdump verify` uses: for flip.c and the fuzzers.
 *
 *   reading_init -> reading_stream ... -> reading_fini
 */
#ifndef FDUMP_TEST_READING_H
#define FDUMP_TEST_READING_H

#include <assert.h>
#include <string.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "lib/sums.h"
#include "pack/chain.h"
#include "pack/digest.h"
#include "pack/frame.h"
#include "pack/load.h"
#include "pack/press.h"
#include "pack/reader.h"

struct reading {
	struct pack_load *load; /* .want_hash, .want_meta are the caller's */
	struct pack_press *press;
	struct pack_digest *digest;
	struct sums *sums;
	struct pack_chains chains;  /* initially zero */
	struct pack_reader *reader; /* the caller's, for this stream */
	/* A load was accepted. Returns 0, or -1 with err set. */
	int (*apply)(void *ctx, struct pack_load *load, struct err *err);
	void *ctx;
};

/* Returns 0, or -1 with err set; _fini may be called then too. */
static inline int reading_init(struct reading *r, struct err *err)
{
	return hash_crypto_init(err) == 0 && (r->load = pack_load_new(err)) != NULL &&
			       (r->press = pack_press_new(0, err)) != NULL &&
			       (r->digest = pack_digest_new(err)) != NULL &&
			       (r->sums = sums_new(err)) != NULL
		       ? 0
		       : -1;
}

static inline void reading_fini(struct reading *r)
{
	pack_digest_free(r->digest);
	pack_digest_free(r->chains.open);
	sums_free(r->sums);
	pack_press_free(r->press);
	pack_load_free(r->load);
}

/* Reads the block at data + at. */
static inline int reading_block(struct reading *r, const uint8_t *data, size_t at,
	const struct pack_block *block, bool misplaced, struct err *err)
{
	uint8_t *to = pack_load_room(r->load, block, err);
	struct pack_chain chain = {0};

	if (to == NULL)
		return -1;
	memcpy(to, data + at + PACK_BLOCK_HEADER, block->stored_len);
	r->load->at = at;
	r->load->misplaced = misplaced;
	if (pack_load_open(r->load, r->press, r->digest, r->sums, err) != 0)
		return -1;
	if (r->load->want_hash) {
		if (pack_chain_begin(&chain, r->load, err) != 0)
			return -1;
		pack_chain_link(&r->chains, &chain, r->load);
		pack_chain_add(&chain, r->load);
		pack_chain_done(&chain);
	}
	if (pack_reader_take(r->reader, r->load, err) != 0)
		return -1;
	return r->apply(r->ctx, r->load, err);
}

/* Returns 0 at the end of the stream, or -1 with err set: refused. */
static inline int reading_stream(
	struct reading *r, const uint8_t *data, size_t len, struct err *err)
{
	struct pack_frame frame;
	struct pack_block block;
	enum pack_frame_got got;
	size_t at = 0, n = 0;

	pack_digest_free(r->chains.open);
	r->chains = (struct pack_chains){0};
	frame = (struct pack_frame){0};
	for (;;) {
		got = pack_frame_step(&frame, data + at, len - at, true, &block, &n, err);
		if (got == PACK_FRAME_REFUSED)
			return -1;
		if (got == PACK_FRAME_TRAILING)
			pack_reader_trailing(r->reader, at);
		if (got == PACK_FRAME_TRAILING || got == PACK_FRAME_END)
			break;
		assert(got != PACK_FRAME_MORE && n > 0);
		if (got == PACK_FRAME_SKIP)
			pack_reader_garbage(r->reader, at, n);
		else if (n > len - at)
			break; /* cut within the block */
		else if (reading_block(r, data, at, &block, got == PACK_FRAME_MISPLACED, err) != 0)
			return -1;
		at += n;
	}
	pack_reader_finish(r->reader, at);
	return 0;
}

#endif
