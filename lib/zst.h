/*
 * Compression with zstd (RFC 8878): one piece of memory, one frame.
 *
 * zst_new -> zst_pack / zst_unpack ... -> zst_free
 *
 * A context may be used by one thread at a time; make one for each thread.
 */
#ifndef FDUMP_LIB_ZST_H
#define FDUMP_LIB_ZST_H

#include <stddef.h>

struct err;
struct zst;

#define ZST_LEVEL_MAX 19

/* Makes a context for packing at a level from 1 to ZST_LEVEL_MAX, and for
 * unpacking. The internal state is allocated at first use. Returns NULL with
 * err set: out of memory. */
struct zst *zst_new(int level, struct err *err);
void zst_free(struct zst *zst);

/* Packs in_len bytes to out. Returns 0 and the length in *out_len; 1 if the
 * result is longer than cap bytes (it does not shrink enough: store it raw); -1
 * with err set: out of memory. */
int zst_pack(struct zst *zst, const void *in, size_t in_len, void *out, size_t cap, size_t *out_len,
	struct err *err);

/* Unpacks one frame, which must yield exactly raw_len bytes. Returns 0, or -1
 * with err set: ERR_DAMAGE (not such a frame), ERR_NOMEM. */
int zst_unpack(
	struct zst *zst, const void *in, size_t in_len, void *out, size_t raw_len, struct err *err);

#endif
