/* pack/frame: which blocks of a stream are accepted, and what is reported about the rest. */
#include "test/unit/unit.h"

#include "pack/frame.h"

#define PAYLOAD 10
#define WHOLE   (PACK_BLOCK_HEADER + PAYLOAD)

static struct err err;
static uint8_t stream[4096];
static size_t len;
static struct pack_frame frame;
static struct pack_block block;
static size_t n;
static enum pack_frame_got behind;

static void add(uint8_t kind, uint64_t seq, uint8_t id)
{
	struct pack_block b = {.kind = kind,
		.first = PACK_BLOCK_NONE,
		.seq = seq,
		.raw_len = PAYLOAD,
		.stored_len = PAYLOAD};

	b.id[0] = id;
	pack_block_put(&b, stream + len);
	memset(stream + len + PACK_BLOCK_HEADER, 'x', PAYLOAD);
	len += WHOLE;
}

static void begin(void)
{
	len = 0;
	err = (struct err){0};
	frame = (struct pack_frame){0};
}

static enum pack_frame_got step(size_t at)
{
	return pack_frame_step(&frame, stream + at, len - at, true, &block, &n, &err);
}

static void one_after_the_other(void **state)
{
	size_t i;

	(void)state;
	begin();
	add(PACK_START, 0, 1);
	add(PACK_ENTRY, 1, 1);
	add(PACK_ENTRY, 5, 1); /* a gap is the reader's concern */
	add(PACK_END, 6, 1);
	for (i = 0; i < 4; i++) {
		assert_int_equal(step(i * WHOLE), PACK_FRAME_BLOCK);
		assert_int_equal(n, WHOLE);
	}
	assert_int_equal(step(len), PACK_FRAME_END);
}

static void asks_for_more(void **state)
{
	(void)state;
	begin();
	add(PACK_START, 0, 1);
	assert_int_equal(
		pack_frame_step(&frame, stream, 0, false, &block, &n, &err), PACK_FRAME_MORE);
	assert_int_equal(n, PACK_BLOCK_HEADER);
	assert_int_equal(
		pack_frame_step(&frame, stream, PACK_BLOCK_HEADER - 1, false, &block, &n, &err),
		PACK_FRAME_MORE);
	assert_int_equal(n, PACK_BLOCK_HEADER);
	assert_int_equal(
		pack_frame_step(&frame, stream, PACK_BLOCK_HEADER, false, &block, &n, &err),
		PACK_FRAME_BLOCK);
}

static void what_does_not_belong(void **state)
{
	(void)state;
	begin();
	add(PACK_START, 0, 1);
	add(PACK_ENTRY, 1, 2); /* of another container */
	add(PACK_ENTRY, 1, 1);
	add(PACK_ENTRY, 1, 1); /* again */
	add(PACK_START, 0, 3); /* no START before the END */
	assert_int_equal(step(0), PACK_FRAME_BLOCK);
	assert_int_equal(step(WHOLE), PACK_FRAME_MISPLACED);
	assert_int_equal(step(2 * WHOLE), PACK_FRAME_BLOCK);
	assert_int_equal(step(3 * WHOLE), PACK_FRAME_MISPLACED);
	assert_int_equal(step(4 * WHOLE), PACK_FRAME_MISPLACED);
}

static void behind_the_end(void **state)
{
	(void)state;
	begin();
	add(PACK_START, 0, 1);
	add(PACK_END, 1, 1);
	add(PACK_START, 0, 1);
	add(PACK_END, 1, 1);
	add(PACK_ENTRY, 2, 1);
	assert_int_equal(step(0), PACK_FRAME_BLOCK);
	assert_int_equal(step(WHOLE), PACK_FRAME_BLOCK);
	assert_int_equal(step(2 * WHOLE), PACK_FRAME_BLOCK);
	assert_int_equal(step(3 * WHOLE), PACK_FRAME_BLOCK);
	assert_int_equal(step(4 * WHOLE), PACK_FRAME_TRAILING);
	len -= 5; /* also if it is too short to be a header */
	assert_int_equal(step(len - 5), PACK_FRAME_TRAILING);
}

/* Skips damage, and accepts the block after it. Returns how many bytes were skipped. */
static size_t pass_by(size_t at)
{
	size_t skipped = 0;

	while ((behind = step(at + skipped)) == PACK_FRAME_SKIP) {
		assert_true(n > 0);
		skipped += n;
	}
	return skipped;
}

static void goes_on_behind_damage(void **state)
{
	(void)state;
	begin();
	add(PACK_START, 0, 1);
	add(PACK_ENTRY, 1, 1);
	stream[WHOLE + 20] ^= 1;
	add(PACK_ENTRY, 0, 1); /* an earlier number: not accepted here */
	add(PACK_ENTRY, 7, 9); /* another container: nor this */
	memcpy(stream + len,
		"\xf7"
		"DMP\xf7",
		5);
	len += 5;
	add(PACK_ENTRY, 2, 1);
	assert_int_equal(step(0), PACK_FRAME_BLOCK);
	assert_int_equal(pass_by(WHOLE), 3 * WHOLE + 5);
	assert_int_equal(behind, PACK_FRAME_BLOCK);
	assert_int_equal(block.seq, 2);
	assert_int_equal(step(len), PACK_FRAME_END);
}

static void no_block_at_all(void **state)
{
	(void)state;
	begin();
	memset(stream, PACK_BLOCK_MAGIC0, 500);
	len = 500;
	assert_int_equal(pass_by(0), 500);
	assert_int_equal(behind, PACK_FRAME_END);
}

static void later_version(void **state)
{
	(void)state;
	begin();
	add(PACK_START, 0, 1);
	struct pack_block b = {
		.kind = PACK_ENTRY, .must = 4, .seq = 1, .raw_len = 1, .stored_len = 1};

	(void)state;
	begin();
	add(PACK_START, 0, 1);
	b.id[0] = 1;
	pack_block_put(&b, stream + len);
	len += WHOLE;
	assert_int_equal(step(0), PACK_FRAME_BLOCK);
	assert_int_equal(step(WHOLE), PACK_FRAME_REFUSED);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(asks_for_more),
		cmocka_unit_test(what_does_not_belong),
		cmocka_unit_test(behind_the_end),
		cmocka_unit_test(goes_on_behind_damage),
		cmocka_unit_test(no_block_at_all),
		cmocka_unit_test(later_version),
	};

	return RUN(tests);
}
