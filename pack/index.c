/* Reads the records of an index one by one. */
#include "pack/index.h"

#include "lib/err.h"

static int get_uints(struct cbor_in *in, uint64_t *values, size_t count)
{
	struct cbor_item item;
	size_t i;

	if (cbor_get(in, &item) != CBOR_OK || item.type != CBOR_ARRAY || item.value != count)
		return -1;
	for (i = 0; i < count; i++) {
		if (cbor_get(in, &item) != CBOR_OK || item.type != CBOR_UINT)
			return -1;
		values[i] = item.value;
	}
	return 0;
}

int pack_index_open(struct pack_index *index, const uint8_t *raw, size_t len, struct err *err)
{
	uint64_t v[3];

	cbor_in_init(&index->in, raw, len);
	if (get_uints(&index->in, v, 3) != 0)
		return err_set(err, ERR_FORMAT, "malformed index");
	index->prev = v[0];
	index->number = v[1];
	index->count = index->left = v[2];
	return 0;
}

int pack_index_next(struct pack_index *index, struct pack_index_record *record, struct err *err)
{
	uint64_t v[2];
	int head, tail;

	if (index->left == 0)
		return index->in.at == index->in.end
			       ? 1
			       : err_set(err, ERR_FORMAT, "malformed index: too long");
	if (get_uints(&index->in, v, 2) != 0)
		return err_set(err, ERR_FORMAT, "malformed index");
	index->left--;
	record->block = v[0];
	record->at = v[1];
	head = pack_head_get(&index->in, &record->head, err);
	if (head < 0)
		return -1;
	tail = pack_tail_get(&index->in, &record->tail, head > 0 ? NULL : err);
	if (tail < 0)
		return err_set(err, ERR_FORMAT, "malformed index");
	return head > 0 || tail > 0 ? 2 : 0;
}
