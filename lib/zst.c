/* zstd, one frame at a time, with contexts that are reused. */
#include "lib/zst.h"

#include <stdlib.h>

#include <zstd.h>
#include <zstd_errors.h>

#include "lib/err.h"
#include "lib/mem.h"

struct zst {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	int level;
};

struct zst *zst_new(int level, struct err *err)
{
	struct zst *zst = mem_new(sizeof *zst, err);

	if (zst != NULL)
		zst->level = level;
	return zst;
}

void zst_free(struct zst *zst)
{
	if (zst == NULL)
		return;
	ZSTD_freeCCtx(zst->cctx);
	ZSTD_freeDCtx(zst->dctx);
	free(zst);
}

/* Frames here are small, so the time that level 1 saves with a tiny hash table
 * is lost again at the beginning of each frame. The table is twice as large
 * here. Measured on a tree of small files: 7 % smaller for 7 % more time. */
static int make_packer(struct zst *zst)
{
	zst->cctx = ZSTD_createCCtx();
	if (zst->cctx == NULL)
		return -1;
	ZSTD_CCtx_setParameter(zst->cctx, ZSTD_c_compressionLevel, zst->level);
	if (zst->level == 1)
		ZSTD_CCtx_setParameter(zst->cctx, ZSTD_c_hashLog, 15);
	return 0;
}

int zst_pack(struct zst *zst, const void *in, size_t in_len, void *out, size_t cap, size_t *out_len,
	struct err *err)
{
	size_t n;

	if (zst->cctx == NULL && make_packer(zst) != 0)
		return err_set(err, ERR_NOMEM, "zstd: out of memory");
	n = ZSTD_compress2(zst->cctx, out, cap, in, in_len);
	if (!ZSTD_isError(n)) {
		*out_len = n;
		return 0;
	}
	if (ZSTD_getErrorCode(n) == ZSTD_error_dstSize_tooSmall)
		return 1;
	return err_set(err, ERR_NOMEM, "zstd: %s", ZSTD_getErrorName(n));
}

int zst_unpack(
	struct zst *zst, const void *in, size_t in_len, void *out, size_t raw_len, struct err *err)
{
	size_t n;

	if (zst->dctx == NULL && (zst->dctx = ZSTD_createDCtx()) == NULL)
		return err_set(err, ERR_NOMEM, "zstd: out of memory");
	/* Exactly one frame, with nothing after it. */
	if (ZSTD_findFrameCompressedSize(in, in_len) != in_len)
		return err_set(err, ERR_DAMAGE, "compressed data: not one whole zstd frame");
	n = ZSTD_decompressDCtx(zst->dctx, out, raw_len, in, in_len);
	if (ZSTD_isError(n)) {
		if (ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation)
			return err_set(err, ERR_NOMEM, "zstd: out of memory");
		return err_set(err, ERR_DAMAGE, "compressed data: %s", ZSTD_getErrorName(n));
	}
	if (n != raw_len)
		return err_set(
			err, ERR_DAMAGE, "compressed data: %zu bytes instead of %zu", n, raw_len);
	return 0;
}
