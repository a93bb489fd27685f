/*
 * Compression by zstd (RFC 8878): one piece of memory, one frame.
 *
 * A context serves one thread at a time; make one a thread.
 * zst_new -> zst_pack / zst_unpack ... -> zst_free
 */
#ifndef FDUMP_LIB_ZST_H
#define FDUMP_LIB_ZST_H

#include <stddef.h>

struct err;
struct zst;

#define ZST_LEVEL_MAX 19

/* For packing at a level of 1 to ZST_LEVEL_MAX, and for unpacking. Its inner
 * state is made at first use. NULL with err set: out of memory. */
struct zst *zst_new(int level, struct err *err);
void zst_free(struct zst *zst);

/* Packs in_len bytes to out, if the result is at most cap bytes. Returns 0 and
 * the length in *out_len; 1 if it does not fit (then it does not shrink: keep
 * it raw); -1 with err set: out of memory. */
int zst_pack(struct zst *zst, const void *in, size_t in_len, void *out, size_t cap, size_t *out_len,
	struct err *err);

/* Unpacks one frame that must yield exactly raw_len bytes. Returns 0, or -1
 * with err set: ERR_DAMAGE (no such frame), ERR_NOMEM. */
int zst_unpack(
	struct zst *zst, const void *in, size_t in_len, void *out, size_t raw_len, struct err *err);

#endif
