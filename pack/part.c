/* Builds a payload: items go into one buffer, and index records into another. */
#include "pack/part.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "pack/entry.h"

#define MARKS_MAX (PACK_BLOCK_RAW_MAX / 16 * sizeof(struct pack_mark))

struct pack_part *pack_part_new(size_t target, struct err *err)
{
	struct pack_part *part = mem_new(sizeof *part, err);

	assert(target >= 4096 && target <= PACK_PART_TARGET_MAX);
	if (part == NULL)
		return NULL;
	part->target = target;
	buf_init(&part->raw, PACK_BLOCK_RAW_MAX);
	buf_init(&part->meta, 2 * PACK_BLOCK_RAW_MAX);
	buf_init(&part->marks, MARKS_MAX);
	buf_init(&part->packed, PACK_BLOCK_STORED_MAX);
	pack_part_reset(part);
	return part;
}

void pack_part_free(struct pack_part *part)
{
	if (part == NULL)
		return;
	buf_fini(&part->raw);
	buf_fini(&part->meta);
	buf_fini(&part->marks);
	buf_fini(&part->packed);
	free(part);
}

void pack_part_reset(struct pack_part *part)
{
	buf_clear(&part->raw);
	buf_clear(&part->meta);
	buf_clear(&part->marks);
	part->content = part->heads = 0;
	part->stored = NULL;
	part->index_follows = false;
	part->block = (struct pack_block){.kind = PACK_ENTRY, .first = PACK_BLOCK_NONE};
}

bool pack_part_full(const struct pack_part *part)
{
	return part->raw.len >= part->target || part->heads >= PACK_BLOCK_ENTRIES;
}

bool pack_part_empty(const struct pack_part *part)
{
	return part->raw.len == 0;
}

size_t pack_part_left(const struct pack_part *part)
{
	return pack_part_full(part) ? 0 : part->target - part->raw.len;
}

/* Adds a mark for the encoding in .meta from `start` on. */
static int add_mark(struct pack_part *part, struct pack_mark mark, size_t start, struct err *err)
{
	mark.meta = (uint32_t)start;
	mark.len = (uint32_t)(part->meta.len - start);
	return buf_add(&part->marks, &mark, sizeof mark, err);
}

int pack_part_head(struct pack_part *part, const struct pack_head *head, struct err *err)
{
	struct pack_mark mark = {.is_head = true, .at = (uint32_t)part->raw.len};
	size_t raw = part->raw.len, meta = part->meta.len;

	assert(part->heads < PACK_BLOCK_ENTRIES);
	if (pack_head_room(head) > PACK_HEAD_MAX)
		return err_set(
			err, ERR_LIMIT, "names and attributes take over %u bytes", PACK_HEAD_MAX);
	if (pack_head_add(&part->raw, head, false, err) != 0 ||
		pack_head_add(&part->meta, head, true, err) != 0 ||
		add_mark(part, mark, meta, err) != 0) {
		part->raw.len = raw;
		part->meta.len = meta;
		return -1;
	}
	if (part->block.first == PACK_BLOCK_NONE)
		part->block.first = (uint32_t)raw;
	part->content = part->raw.len;
	part->heads++;
	return 0;
}

uint8_t *pack_part_room(struct pack_part *part, size_t len, struct err *err)
{
	uint8_t *to = buf_room(&part->raw, PACK_DATA_HEAD + len, err);

	part->data_at = part->raw.len;
	return to != NULL ? to + PACK_DATA_HEAD : NULL;
}

void pack_part_took(struct pack_part *part, size_t len)
{
	if (len == 0)
		return;
	assert(part->data_at == part->raw.len && len <= PACK_BLOCK_RAW_MAX);
	pack_data_head_put(part->raw.data + part->data_at, (uint32_t)len);
	buf_took(&part->raw, PACK_DATA_HEAD + len);
}

int pack_part_hole(struct pack_part *part, uint64_t len, struct err *err)
{
	struct cbor_out out;
	uint8_t *to = buf_room(&part->raw, PACK_HOLE_MAX, err);

	if (to == NULL)
		return -1;
	cbor_out_init(&out, to, PACK_HOLE_MAX);
	cbor_put_uint(&out, len);
	buf_took(&part->raw, cbor_out_len(&out));
	return 0;
}

int pack_part_tail(struct pack_part *part, const struct pack_tail *tail, struct err *err)
{
	struct pack_mark mark = {
		.status = tail->status != PACK_OK,
		.at = (uint32_t)part->raw.len,
		.size = tail->size,
	};
	uint8_t mem[PACK_TAIL_ROOM];
	struct cbor_out out;
	size_t meta = part->meta.len, sum;

	cbor_out_init(&out, mem, sizeof mem);
	sum = pack_tail_put(&out, tail);
	assert(!cbor_out_full(&out));
	part->sum_raw = part->raw.len + sum;
	part->sum_meta = meta + sum;
	if (buf_add(&part->raw, mem, cbor_out_len(&out), err) != 0 ||
		buf_add(&part->meta, mem, cbor_out_len(&out), err) != 0)
		return -1;
	return add_mark(part, mark, meta, err);
}

void pack_part_undo(struct pack_part *part, size_t len)
{
	struct pack_mark *marks = (struct pack_mark *)(void *)part->marks.data;
	size_t n = part->marks.len / sizeof *marks;

	for (; n > 0 && marks[n - 1].at >= len; n--) {
		part->meta.len = marks[n - 1].meta;
		part->heads -= marks[n - 1].is_head;
	}
	part->marks.len = n * sizeof *marks;
	part->raw.len = len;
	if (part->block.first != PACK_BLOCK_NONE && part->block.first >= len)
		part->block.first = PACK_BLOCK_NONE;
}
