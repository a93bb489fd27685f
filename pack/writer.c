/*
 * Numbering and output are separate steps. A block's number must be known before it is sealed.
 * Its offset in the file, which the index needs, is known only after it is compressed. So
 * numbering decides where an INDEX goes, by the size of the parts' records, and reserves its
 * number. Output then builds it.
 */
#include "pack/writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "pack/part.h"
#include "pack/press.h"

/* An entry's place in an index: [offset of the block, offset of the HEAD]. */
#define PLACE_MAX (1 + CBOR_HEAD_MAX + 5)
/* The first item of an index. */
#define PREFIX_MAX (1 + 3 * CBOR_HEAD_MAX)
/* An index may exceed its due size by the records of one part. */
#define INDEX_RAW_MAX PACK_BLOCK_RAW_MAX

struct pack_writer {
	struct pack_writer_options o;
	pack_writer_sink *sink;
	void *ctx;
	struct pack_press *press;
	struct hash *digest; /* of the headers */

	/* Numbering. */
	uint64_t next_seq;
	size_t due_bytes, due_entries; /* records for the next INDEX */

	/* Emission. */
	uint64_t at;         /* bytes written */
	uint64_t emitted;    /* blocks written */
	struct buf index;    /* records of the next INDEX */
	uint64_t listed;     /* entries in it */
	uint64_t last_index; /* offset of the last INDEX */
	struct buf open;     /* place and HEAD of the entry that continues */
	struct buf packed;
	struct pack_totals totals;
};

struct pack_writer *pack_writer_new(const struct pack_writer_options *options,
	struct pack_press *press, pack_writer_sink *sink, void *ctx, struct err *err)
{
	struct pack_writer *w = mem_new(sizeof *w, err);

	if (w == NULL)
		return NULL;
	w->o = *options;
	w->sink = sink;
	w->ctx = ctx;
	w->press = press;
	buf_init(&w->index, 2 * INDEX_RAW_MAX);
	buf_init(&w->open, PACK_INDEX_HEAD_MAX + 4096);
	buf_init(&w->packed, PACK_BLOCK_STORED_MAX);
	w->digest = hash_new(err);
	if (w->digest != NULL)
		return w;
	pack_writer_free(w);
	return NULL;
}

void pack_writer_free(struct pack_writer *w)
{
	if (w == NULL)
		return;
	hash_free(w->digest);
	buf_fini(&w->index);
	buf_fini(&w->open);
	buf_fini(&w->packed);
	free(w);
}

/* Outputs a finished block. */
static int send(struct pack_writer *w, const struct pack_block *block, const uint8_t *stored,
	struct err *err)
{
	uint8_t header[PACK_BLOCK_HEADER];

	pack_block_put(block, header);
	if (block->kind != PACK_END)
		hash_add(w->digest, header, sizeof header);
	if (w->sink(w->ctx, header, sizeof header, stored, block->stored_len, err) != 0)
		return -1;
	w->at += sizeof header + block->stored_len;
	w->emitted++;
	return 0;
}

/* Makes and outputs one of the writer's own blocks. */
static int send_own(struct pack_writer *w, enum pack_block_kind kind, uint64_t seq, const void *raw,
	size_t len, struct err *err)
{
	struct pack_block block = {
		.kind = (uint8_t)kind,
		.codec = kind == PACK_INDEX ? PACK_ZSTD : PACK_RAW,
		.sealed = kind != PACK_START && kind != PACK_KEY && w->o.key_payload != NULL,
		.first = PACK_BLOCK_NONE,
		.seq = seq,
		.raw_len = (uint32_t)len,
	};
	const uint8_t *stored;

	memcpy(block.id, w->o.id, sizeof block.id);
	if (buf_room(&w->packed, len + PACK_BLOCK_TAG, err) == NULL ||
		pack_press_close(w->press, &block, raw, w->packed.data, &stored, err) != 0)
		return -1;
	return send(w, &block, stored, err);
}

static int send_key(struct pack_writer *w, uint64_t seq, struct err *err)
{
	return send_own(w, PACK_KEY, seq, w->o.key_payload, w->o.key_payload_len, err);
}

int pack_writer_start(struct pack_writer *w, struct err *err)
{
	uint8_t mem[512];
	struct cbor_out out;

	cbor_out_init(&out, mem, sizeof mem);
	cbor_put_map(&out, 4u + w->o.has_time);
	cbor_put_text(&out, "F");
	cbor_put_uint(&out, 1);
	cbor_put_text(&out, "K");
	cbor_put_text(&out, "pack");
	cbor_put_text(&out, "H");
	cbor_put_text(&out, "sha256");
	cbor_put_text(&out, "w");
	cbor_put_text(&out, w->o.program);
	if (w->o.has_time) {
		cbor_put_text(&out, "t");
		cbor_put_array(&out, 2);
		cbor_put_int(&out, w->o.time.sec);
		cbor_put_uint(&out, w->o.time.nsec);
	}
	assert(!cbor_out_full(&out));
	if (send_own(w, PACK_START, w->next_seq++, mem, cbor_out_len(&out), err) != 0)
		return -1;
	return w->o.key_payload != NULL ? send_key(w, w->next_seq++, err) : 0;
}

static const struct pack_mark *marks_of(const struct pack_part *part, size_t *count)
{
	*count = part->marks.len / sizeof(struct pack_mark);
	return (const struct pack_mark *)(const void *)part->marks.data;
}

void pack_writer_number(struct pack_writer *w, struct pack_part *part)
{
	size_t count, i;
	const struct pack_mark *m = marks_of(part, &count);

	part->block.seq = w->next_seq++;
	part->block.sealed = w->o.key_payload != NULL;
	memcpy(part->block.id, w->o.id, sizeof w->o.id);
	for (i = 0; i < count; i++)
		w->due_entries += !m[i].is_head;
	w->due_bytes += part->meta.len + count / 2 * PLACE_MAX;
	part->index_follows = w->due_entries > 0 && (w->due_bytes >= PACK_INDEX_BYTES ||
							    w->due_entries >= PACK_INDEX_ENTRIES);
	if (part->index_follows) {
		w->next_seq += w->o.key_payload != NULL ? 2 : 1;
		w->due_bytes = w->due_entries = 0;
	}
}

int pack_writer_press(struct pack_press *press, struct pack_part *part, struct err *err)
{
	part->block.raw_len = (uint32_t)part->raw.len;
	part->block.codec = PACK_ZSTD;
	if (buf_room(&part->packed, part->raw.len + PACK_BLOCK_TAG, err) == NULL)
		return -1;
	return pack_press_close(
		press, &part->block, part->raw.data, part->packed.data, &part->stored, err);
}

/* Outputs the INDEX, after a KEY block if the pack is sealed. */
static int send_index(struct pack_writer *w, uint64_t seq, struct err *err)
{
	uint8_t prefix[PREFIX_MAX];
	struct cbor_out out;
	size_t len = w->index.len;
	uint64_t at;

	if (w->o.key_payload != NULL && send_key(w, seq++, err) != 0)
		return -1;
	at = w->at;
	cbor_out_init(&out, prefix, sizeof prefix);
	cbor_put_array(&out, 3);
	cbor_put_uint(&out, w->last_index);
	cbor_put_uint(&out, w->totals.entries - w->listed);
	cbor_put_uint(&out, w->listed);
	/* Put the prefix before the records. */
	if (buf_room(&w->index, cbor_out_len(&out), err) == NULL)
		return -1;
	memmove(w->index.data + cbor_out_len(&out), w->index.data, len);
	memcpy(w->index.data, prefix, cbor_out_len(&out));
	len += cbor_out_len(&out);
	if (send_own(w, PACK_INDEX, seq, w->index.data, len, err) != 0)
		return -1;
	w->last_index = at;
	w->listed = 0;
	buf_clear(&w->index);
	return 0;
}

int pack_writer_emit(struct pack_writer *w, struct pack_part *part, struct err *err)
{
	uint64_t at = w->at;
	size_t count, i;
	const struct pack_mark *m = marks_of(part, &count);

	if (send(w, &part->block, part->stored, err) != 0)
		return -1;
	for (i = 0; i < count; i++) { /* list the part's entries */
		const uint8_t *meta = part->meta.data + m[i].meta;

		if (m[i].is_head) {
			uint8_t mem[PLACE_MAX];
			struct cbor_out out;

			cbor_out_init(&out, mem, sizeof mem);
			cbor_put_array(&out, 2);
			cbor_put_uint(&out, at);
			cbor_put_uint(&out, m[i].at);
			buf_clear(&w->open);
			if (buf_add(&w->open, mem, cbor_out_len(&out), err) != 0 ||
				buf_add(&w->open, meta, m[i].len, err) != 0)
				return -1;
			continue;
		}
		if (buf_add(&w->index, w->open.data, w->open.len, err) != 0 ||
			buf_add(&w->index, meta, m[i].len, err) != 0)
			return -1;
		w->listed++;
		w->totals.entries++;
		w->totals.content += m[i].size;
		w->totals.statuses += m[i].status;
	}
	return part->index_follows ? send_index(w, part->block.seq + 1, err) : 0;
}

int pack_writer_end(struct pack_writer *w, struct err *err)
{
	struct pack_end end = {0};
	uint8_t payload[PACK_END_LEN];

	if (w->listed > 0 && send_index(w, w->emitted, err) != 0)
		return -1;
	if (w->o.key_payload != NULL && send_key(w, w->emitted, err) != 0)
		return -1;
	end.length = w->at;
	end.blocks = w->emitted;
	end.entries = w->totals.entries;
	end.content = w->totals.content;
	end.last_index = w->last_index;
	end.statuses = w->totals.statuses;
	hash_end(w->digest, end.digest);
	pack_end_put(&end, payload);
	return send_own(w, PACK_END, w->emitted, payload, sizeof payload, err);
}

void pack_writer_totals(const struct pack_writer *w, struct pack_totals *totals)
{
	*totals = w->totals;
	totals->bytes = w->at;
	totals->blocks = w->emitted;
}

void pack_end_put(const struct pack_end *end, uint8_t out[PACK_END_LEN])
{
	le_put64(out, end->length);
	le_put64(out + 8, end->blocks);
	le_put64(out + 16, end->entries);
	le_put64(out + 24, end->content);
	le_put64(out + 32, end->last_index);
	le_put64(out + 40, end->statuses);
	memcpy(out + 48, end->digest, HASH_LEN);
}

void pack_end_get(struct pack_end *end, const uint8_t in[PACK_END_LEN])
{
	end->length = le_get64(in);
	end->blocks = le_get64(in + 8);
	end->entries = le_get64(in + 16);
	end->content = le_get64(in + 24);
	end->last_index = le_get64(in + 32);
	end->statuses = le_get64(in + 40);
	memcpy(end->digest, in + 48, HASH_LEN);
}
