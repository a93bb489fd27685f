/* Goes from header to header by length, and searches only where a header is missing. */
#include "pack/frame.h"

#include <string.h>

#include "lib/err.h"

static bool same_container(const struct pack_frame *f, const struct pack_block *block)
{
	return f->known && memcmp(f->id, block->id, PACK_BLOCK_ID) == 0;
}

/* There is a good header where one is expected. */
static enum pack_frame_got take(struct pack_frame *f, const struct pack_block *block, size_t *n)
{
	*n = PACK_BLOCK_HEADER + block->stored_len;
	if (f->ended) {
		if (block->kind != PACK_START)
			return PACK_FRAME_TRAILING;
		*f = (struct pack_frame){0};
	}
	if (f->known && (!same_container(f, block) || block->seq < f->next_seq))
		return PACK_FRAME_MISPLACED;
	memcpy(f->id, block->id, PACK_BLOCK_ID);
	f->known = true;
	f->scanning = false;
	f->next_seq = block->seq + 1;
	f->ended = block->kind == PACK_END;
	return PACK_FRAME_BLOCK;
}

/* Searches the window for a header that can be trusted. */
static enum pack_frame_got scan(struct pack_frame *f, const uint8_t *window, size_t len, bool eof,
	struct pack_block *block, size_t *n)
{
	const uint8_t *at = window, *end = window + len;

	while (at < end && (at = memchr(at, PACK_BLOCK_MAGIC0, (size_t)(end - at))) != NULL) {
		if (end - at < PACK_BLOCK_HEADER)
			break;
		if (pack_block_get(block, at, NULL) == 0 &&
			(!f->known || (same_container(f, block) && block->seq >= f->next_seq))) {
			if (at == window)
				return take(f, block, n);
			break;
		}
		at++;
	}
	if (at == NULL || at >= end || (eof && end - at < PACK_BLOCK_HEADER))
		*n = len;
	else
		*n = (size_t)(at - window);
	if (*n > 0)
		return PACK_FRAME_SKIP;
	*n = PACK_BLOCK_HEADER;
	return PACK_FRAME_MORE;
}

enum pack_frame_got pack_frame_step(struct pack_frame *f, const uint8_t *window, size_t len,
	bool eof, struct pack_block *block, size_t *n, struct err *err)
{
	struct err inner = {0};
	int got;

	if (len == 0 && eof)
		return PACK_FRAME_END;
	if (len < PACK_BLOCK_HEADER && !eof) {
		*n = PACK_BLOCK_HEADER;
		return PACK_FRAME_MORE;
	}
	if (f->scanning)
		return scan(f, window, len, eof, block, n);
	got = len < PACK_BLOCK_HEADER ? 1 : pack_block_get(block, window, &inner);
	if (got == 0)
		return take(f, block, n);
	if (f->ended)
		return PACK_FRAME_TRAILING;
	if (got < 0 && inner.code == ERR_UNSUPPORTED) {
		if (err != NULL)
			*err = inner;
		return PACK_FRAME_REFUSED;
	}
	f->scanning = true;
	*n = 1;
	return PACK_FRAME_SKIP;
}
