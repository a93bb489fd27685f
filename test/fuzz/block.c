/* Block headers and the framing. An accepted header is written the same again; the framing finds
 * the same blocks whether it sees the whole stream at once or a window of it, always advances, and
 * reports damage without gaps. Input: a byte (bit 0: recompute the checks; the others: the window's
 * size), the stream. */
#include "test/fuzz/fuzz.h"

#include "lib/err.h"
#include "pack/frame.h"

#define FOUND_MAX 4096

/* Where blocks were found. */
struct found {
	size_t count, end;
	enum pack_frame_got last;
	struct {
		size_t at, n;
		enum pack_frame_got got;
	} blocks[FOUND_MAX];
};

static void header(const uint8_t *data)
{
	struct pack_block block;
	struct err err = {0};
	uint8_t again[PACK_BLOCK_HEADER];
	int got = pack_block_get(&block, data, &err);

	MUST(got >= -1 && got <= 1 && (got < 0) == (err.code != ERR_NONE));
	if (got != 0)
		return;
	pack_block_put(&block, again);
	MUST(memcmp(again, data, sizeof again) == 0);
	MUST(block.raw_len > 0 && block.raw_len <= PACK_BLOCK_VOLUME_MAX);
	if (block.kind < PACK_VOLUME_KINDS)
		MUST(block.raw_len <= PACK_BLOCK_RAW_MAX &&
			block.stored_len <= PACK_BLOCK_STORED_MAX);
	else
		MUST(block.stored_len == block.raw_len);
	MUST(pack_block_name(block.kind) != NULL);
}

/* Frames the whole stream through a window of at least `window` bytes. */
static void frames(const uint8_t *data, size_t len, size_t window, struct found *found)
{
	struct pack_frame frame;
	struct pack_block block;
	struct err err = {0};
	enum pack_frame_got got;
	size_t at = 0, n, have = window;

	frame = (struct pack_frame){0};
	found->count = 0;
	for (;;) {
		if (have > len - at)
			have = len - at;
		n = 0;
		got = pack_frame_step(&frame, data + at, have, have == len - at, &block, &n, &err);
		if (got == PACK_FRAME_MORE) {
			MUST(n > have && have < len - at);
			have = n;
			continue;
		}
		if (got != PACK_FRAME_BLOCK && got != PACK_FRAME_MISPLACED &&
			got != PACK_FRAME_SKIP)
			break;
		MUST(n > 0);
		if (got != PACK_FRAME_SKIP) {
			MUST(found->count < FOUND_MAX && n == PACK_BLOCK_HEADER + block.stored_len);
			found->blocks[found->count].at = at;
			found->blocks[found->count].n = n;
			found->blocks[found->count++].got = got;
			if (n > len - at)
				break; /* cut within the block */
		} else {
			MUST(n <= have);
		}
		at += n;
		have = window;
	}
	MUST((got == PACK_FRAME_REFUSED) == (err.code != ERR_NONE));
	found->end = at;
	found->last = got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct found whole, part;
	uint8_t *stream;
	size_t i;

	if (len < 1 || len > 65536)
		return 0;
	stream = fuzz_copy(data + 1, len - 1);
	if (data[0] & 1)
		fuzz_fix_checks(stream, len - 1);
	if (len - 1 >= PACK_BLOCK_HEADER)
		header(stream);
	frames(stream, len - 1, len, &whole);
	frames(stream, len - 1, data[0] >> 1, &part);
	MUST(whole.count == part.count && whole.end == part.end && whole.last == part.last);
	for (i = 0; i < whole.count; i++)
		MUST(whole.blocks[i].at == part.blocks[i].at &&
			whole.blocks[i].n == part.blocks[i].n &&
			whole.blocks[i].got == part.blocks[i].got);
	free(stream);
	return 0;
}
