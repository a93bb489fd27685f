/* pack/part: the payload under construction, its marks, its limits. */
#include "test/unit/unit.h"

#include <stdlib.h>

#include "lib/cbor.h"
#include "pack/entry.h"
#include "pack/part.h"

static struct err err;

static struct pack_head file(const char *path)
{
	return (struct pack_head){.path = {(const uint8_t *)path, strlen(path)},
		.type = PACK_REGULAR,
		.has = PACK_HAS_MODE};
}

static const struct pack_mark *marks(const struct pack_part *part, size_t *count)
{
	*count = part->marks.len / sizeof(struct pack_mark);
	return (const struct pack_mark *)(const void *)part->marks.data;
}

static void data(struct pack_part *part, size_t len)
{
	uint8_t *to = pack_part_room(part, len + 100, &err);

	assert_non_null(to);
	memset(to, 'x', len);
	pack_part_took(part, len);
}

/* What was added can be read back: one entry. */
static void reads_back(void **state)
{
	struct pack_part *part = pack_part_new(4096, &err);
	struct pack_head head = file("a/b"), got_head;
	struct pack_tail tail = {.has_content = true, .size = 1000}, got_tail;
	const struct pack_mark *m;
	struct pack_item item;
	struct cbor_in in;
	size_t count;

	(void)state;
	assert_true(pack_part_empty(part));
	assert_int_equal(part->block.first, PACK_BLOCK_NONE);
	assert_int_equal(pack_part_head(part, &head, &err), 0);
	data(part, 0); /* adds nothing */
	data(part, 500);
	assert_int_equal(pack_part_hole(part, 500, &err), 0);
	assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	assert_int_equal(part->block.first, 0);
	cbor_in_init(&in, part->raw.data, part->raw.len);
	assert_int_equal(pack_head_get(&in, &got_head, &err), 0);
	assert_int_equal(pack_item_get(&in, &item, &err), 0);
	assert_true(item.kind == PACK_ITEM_DATA && item.data.len == 500);
	assert_int_equal(pack_item_get(&in, &item, &err), 0);
	assert_true(item.kind == PACK_ITEM_HOLE && item.hole == 500);
	assert_int_equal(pack_tail_get(&in, &got_tail, &err), 0);
	assert_ptr_equal(in.at, in.end);
	m = marks(part, &count);
	assert_int_equal(count, 2);
	assert_true(m[0].is_head && m[0].at == 0 && !m[1].is_head && m[1].size == 1000);
	assert_int_equal(m[0].len + m[1].len, part->meta.len);
	pack_part_reset(part);
	assert_true(pack_part_empty(part) && part->meta.len == 0 && part->marks.len == 0);
	assert_int_equal(part->block.first, PACK_BLOCK_NONE);
	pack_part_free(part);
	pack_part_free(NULL);
}

/* Content that continues from the previous part: the first entry is after it. */
static void first_entry(void **state)
{
	struct pack_part *part = pack_part_new(4096, &err);
	struct pack_head head = file("a");
	struct pack_tail tail = {0};
	size_t at;

	(void)state;
	data(part, 100);
	assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	at = part->raw.len;
	assert_int_equal(part->block.first, PACK_BLOCK_NONE);
	assert_int_equal(pack_part_head(part, &head, &err), 0);
	assert_int_equal(part->block.first, at);
	pack_part_undo(part, at);
	assert_int_equal(part->raw.len, at);
	assert_int_equal(part->block.first, PACK_BLOCK_NONE);
	assert_int_equal(part->marks.len, sizeof(struct pack_mark));
	pack_part_free(part);
}

/* The rule of room: as long as a part is not full, a HEAD and a TAIL fit, whatever it contains, and
 * the payload stays within a block. */
static void room(void **state)
{
	struct pack_part *part = pack_part_new(PACK_PART_TARGET_MAX, &err);
	uint8_t *value = malloc(PACK_HEAD_MAX);
	struct pack_head head = file("a");
	struct pack_tail tail = {.has_content = true};

	(void)state;
	memset(value, 0, PACK_HEAD_MAX);
	while (pack_part_left(part) > 6)
		data(part, pack_part_left(part) > 70000 ? 65536 : 1);
	assert_false(pack_part_full(part));
	/* The largest possible HEAD, made large by attributes. */
	head.xattrs = (struct pack_bytes){value, PACK_HEAD_MAX - 600};
	assert_int_equal(pack_part_head(part, &head, &err), 0);
	assert_true(pack_part_full(part));
	assert_int_equal(pack_part_left(part), 0);
	assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	assert_true(part->raw.len <= PACK_BLOCK_RAW_MAX);
	free(value);
	pack_part_free(part);
}

/* A part is full when as many entries begin in it as a block may have; content and TAIL of the last
 * one are still added. */
static void many_entries(void **state)
{
	struct pack_part *part = pack_part_new(PACK_PART_TARGET_MAX, &err);
	struct pack_head head = file("a");
	struct pack_tail tail = {.has_content = true};
	size_t i, at = 0;

	(void)state;
	for (i = 0; i < PACK_BLOCK_ENTRIES; i++) {
		assert_false(pack_part_full(part));
		at = part->raw.len;
		assert_int_equal(pack_part_head(part, &head, &err), 0);
		if (i + 1 < PACK_BLOCK_ENTRIES)
			assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	}
	assert_true(pack_part_full(part));
	assert_int_equal(pack_part_left(part), 0);
	pack_part_undo(part, at);
	assert_false(pack_part_full(part));
	assert_int_equal(pack_part_head(part, &head, &err), 0);
	assert_int_equal(pack_part_tail(part, &tail, &err), 0);
	assert_true(pack_part_full(part));
	pack_part_reset(part);
	assert_false(pack_part_full(part));
	pack_part_free(part);
}

static void a_head_too_large(void **state)
{
	struct pack_part *part = pack_part_new(4096, &err);
	uint8_t *value = calloc(1, PACK_HEAD_MAX + 1);
	struct pack_head head = file("a");

	(void)state;
	head.xattrs = (struct pack_bytes){value, PACK_HEAD_MAX + 1};
	assert_int_equal(pack_part_head(part, &head, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_true(pack_part_empty(part) && part->marks.len == 0 && part->meta.len == 0);
	free(value);
	pack_part_free(part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_back),
		cmocka_unit_test(first_entry),
		cmocka_unit_test(room),
		cmocka_unit_test(many_entries),
		cmocka_unit_test(a_head_too_large),
	};

	return RUN(tests);
}
