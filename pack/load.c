/* Processes one block as far as possible without its neighbours. */
#include "pack/load.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/sums.h"
#include "pack/digest.h"
#include "pack/press.h"

struct pack_load *pack_load_new(struct err *err)
{
	struct pack_load *load = mem_new(sizeof *load, err);

	if (load == NULL)
		return NULL;
	buf_init(&load->stored, PACK_BLOCK_VOLUME_MAX);
	buf_init(&load->unpacked, PACK_LOAD_MAX);
	buf_init(&load->members, PACK_BLOCK_ENTRIES * sizeof(struct pack_member));
	buf_init(&load->sums, PACK_BLOCK_ENTRIES * HASH_LEN + 1);
	buf_init(&load->meta, 2 * PACK_BLOCK_RAW_MAX);
	buf_init(&load->texts, 4 * PACK_BLOCK_RAW_MAX);
	return load;
}

void pack_load_free(struct pack_load *load)
{
	if (load == NULL)
		return;
	buf_fini(&load->stored);
	buf_fini(&load->unpacked);
	buf_fini(&load->members);
	buf_fini(&load->sums);
	buf_fini(&load->meta);
	buf_fini(&load->texts);
	free(load);
}

uint8_t *pack_load_room(struct pack_load *load, const struct pack_block *block, struct err *err)
{
	struct pack_load fresh = {
		.block = *block,
		.want_hash = load->want_hash,
		.want_meta = load->want_meta,
		.stored = load->stored,
		.unpacked = load->unpacked,
		.members = load->members,
		.sums = load->sums,
		.meta = load->meta,
		.texts = load->texts,
		.broken_at = PACK_BLOCK_NONE,
	};

	*load = fresh;
	buf_clear(&load->stored);
	buf_clear(&load->unpacked);
	buf_clear(&load->members);
	buf_clear(&load->sums);
	buf_clear(&load->meta);
	buf_clear(&load->texts);
	/* Ask for at least one byte, so that the result is not NULL. */
	return buf_room(&load->stored, block->stored_len + (block->stored_len == 0), err);
}

struct pack_member *pack_load_members(struct pack_load *load, size_t *count)
{
	*count = load->members.len / sizeof(struct pack_member);
	return (struct pack_member *)(void *)load->members.data;
}

const char *pack_load_text(const struct pack_load *load, uint32_t at)
{
	return (const char *)load->texts.data + at;
}

/* Records a reason. */
static int keep(struct pack_load *load, const char *text, uint32_t *at, struct err *err)
{
	*at = (uint32_t)load->texts.len;
	return buf_add(&load->texts, text, strlen(text) + 1, err);
}

/* Records that the rest of the payload can't be read. Returns 1, or -1 with err set. */
static int broken(struct pack_load *load, const uint8_t *at, const char *why, struct err *err)
{
	load->broken_at = (uint32_t)(at - load->raw);
	return keep(load, why, &load->broken_why, err) != 0 ? -1 : 1;
}

/* Summary of the content up to a TAIL or the end. */
struct content {
	uint64_t size, holes;
	unsigned items;
	const uint8_t *piece; /* the whole content, if it is one DATA item */
};

int pack_load_item(
	const struct pack_load *load, struct cbor_in *in, struct pack_item *item, struct err *err)
{
	bool is_ref = in->at < in->end && *in->at >> 5 == 4; /* in CBOR, an array */

	if (load->lent.at == NULL || !is_ref)
		return pack_item_get(in, item, err);
	if (pack_manifest_item_get(in, item, err) != 0)
		return -1;
	if (memcmp(item->data.at, load->lent_id, PACK_REF_ID) != 0 ||
		(uint64_t)item->offset + item->len > load->lent.len)
		return err_set(
			err, ERR_FORMAT, "malformed content: a reference to what is not there");
	item->kind = PACK_ITEM_DATA;
	item->data = (struct pack_bytes){load->lent.at + item->offset, item->len};
	return 0;
}

/* Skips the content, and adds it to the digest if that is not NULL. Returns 0 before a TAIL, 1
 * at the end of the payload, -1 with `why` set if malformed. */
static int pass_content(const struct pack_load *load, struct cbor_in *in,
	struct pack_digest *digest, struct content *c, struct err *why)
{
	*c = (struct content){0};
	for (;;) {
		struct pack_item item;
		uint64_t n;

		if (pack_load_item(load, in, &item, why) != 0)
			return -1;
		if (item.kind == PACK_ITEM_TAIL)
			return 0;
		if (item.kind == PACK_ITEM_NONE)
			return 1;
		n = item.kind == PACK_ITEM_DATA ? item.data.len : item.hole;
		if (n > PACK_CONTENT_MAX - c->size)
			return err_set(why, ERR_LIMIT, "content over the limit of 16 TiB");
		c->size += n;
		c->holes += item.kind == PACK_ITEM_HOLE ? n : 0;
		c->piece = c->items++ == 0 && item.kind == PACK_ITEM_DATA ? item.data.at : NULL;
		if (digest != NULL)
			pack_digest_item(digest, &item);
	}
}

/* Records that an entry can't be used, and why. */
static int fault(struct pack_load *load, struct pack_member *m, enum pack_verdict verdict,
	const char *why, struct err *err)
{
	m->verdict = verdict;
	return keep(load, why, &m->why, err);
}

/* Makes the entry's index record, without the offsets. */
static int add_meta(struct pack_load *load, struct pack_member *m, struct err *err)
{
	struct cbor_out out;
	uint8_t *to;

	m->meta = (uint32_t)load->meta.len;
	if (pack_head_add(&load->meta, &m->head, true, err) != 0 ||
		(to = buf_room(&load->meta, PACK_TAIL_ROOM, err)) == NULL)
		return -1;
	cbor_out_init(&out, to, PACK_TAIL_ROOM);
	pack_tail_put(&out, &m->tail);
	buf_took(&load->meta, cbor_out_len(&out));
	m->meta_len = (uint32_t)load->meta.len - m->meta;
	return 0;
}

/* Compares the content's checksum with the TAIL. */
static int judge_sum(
	struct pack_load *load, struct pack_member *m, const uint8_t *sum, struct err *err)
{
	if (memcmp(sum, m->tail.sum, HASH_LEN) == 0)
		return 0;
	return fault(load, m, PACK_WRONG, PACK_SUM_WRONG, err);
}

enum pack_verdict pack_load_judge(const struct pack_head *head, const struct pack_tail *tail,
	uint64_t size, uint64_t holes, struct err *why)
{
	if (pack_tail_fits(head, tail, why) != 0)
		return PACK_REFUSED;
	if (!tail->has_content && size > 0) {
		err_set(why, ERR_FORMAT, "content in an entry that can't have any");
		return PACK_REFUSED;
	}
	if (tail->has_content && (size != tail->size || size > PACK_CONTENT_MAX))
		err_set(why, ERR_FORMAT, "size does not match the content");
	else if (tail->has_content && !tail->sparse && holes > PACK_HOLES_MAX)
		err_set(why, ERR_FORMAT, PACK_HOLES_WRONG);
	else
		return PACK_GOOD;
	return PACK_WRONG;
}

/* Verifies a member's content: now, or if it is in one piece, later together with others. */
static int prove(struct pack_load *load, struct pack_member *m, const struct content *c,
	struct pack_digest *digest, struct err *err)
{
	struct content again;
	struct cbor_in in;
	uint8_t sum[HASH_LEN];

	if (!load->want_hash || m->verdict != PACK_GOOD || !m->tail.has_content)
		return 0;
	if (c->piece != NULL && !m->tail.sparse) {
		m->piece = c->piece;
		return 0;
	}
	cbor_in_init(&in, load->raw + m->content, load->block.raw_len - m->content);
	pack_digest_begin(digest, m->tail.sparse);
	pass_content(load, &in, digest, &again, NULL);
	pack_digest_end(digest, sum);
	return judge_sum(load, m, sum, err);
}

/* Verifies the contents that were left for later. */
static int prove_pieces(struct pack_load *load, struct sums *sums, struct err *err)
{
	struct pack_member *m;
	size_t count, i;
	uint8_t *digests;

	m = pack_load_members(load, &count);
	digests = buf_room(&load->sums, count * HASH_LEN + 1, err);
	if (digests == NULL)
		return -1;
	for (i = 0; i < count; i++)
		if (m[i].piece != NULL && sums_add(sums, m[i].piece, (size_t)m[i].tail.size,
						  digests + i * HASH_LEN, err) != 0)
			return -1;
	sums_run(sums);
	for (i = 0; i < count; i++)
		if (m[i].piece != NULL && judge_sum(load, &m[i], digests + i * HASH_LEN, err) != 0)
			return -1;
	return 0;
}

/* Decodes one entry: a member or the trail. Returns 0, 1 if it is malformed, -1 with err set. */
static int decode_entry(
	struct pack_load *load, struct cbor_in *in, struct pack_digest *digest, struct err *err)
{
	struct pack_member m = {.at = (uint32_t)(in->at - load->raw)};
	const uint8_t *start = in->at;
	struct err why = {0};
	struct content content;
	enum pack_verdict verdict;
	int got;

	got = pack_head_get(in, &m.head, &why);
	if (got < 0)
		return broken(load, start, why.message, err);
	if (got > 0 && fault(load, &m, PACK_REFUSED, why.message, err) != 0)
		return -1;
	m.content = (uint32_t)(in->at - load->raw);
	got = pass_content(load, in, NULL, &content, &why);
	m.content_end = (uint32_t)(in->at - load->raw);
	if (got < 0)
		return broken(load, start, why.message, err);
	if (got > 0) {
		load->has_trail = true;
		load->trail = m;
		return 0;
	}
	got = pack_tail_get(in, &m.tail, &why);
	if (got < 0)
		return broken(load, start, why.message, err);
	verdict = PACK_REFUSED;
	if (got == 0)
		verdict = pack_load_judge(&m.head, &m.tail, content.size, content.holes, &why);
	if (m.verdict == PACK_GOOD && verdict != PACK_GOOD &&
		fault(load, &m, verdict, why.message, err) != 0)
		return -1;
	if (prove(load, &m, &content, digest, err) != 0)
		return -1;
	if (load->want_meta && m.verdict != PACK_REFUSED && add_meta(load, &m, err) != 0)
		return -1;
	return buf_add(&load->members, &m, sizeof m, err);
}

/* Decodes the lead: the content, and perhaps the TAIL, of an entry that began earlier. It is
 * hashed by pack/chain.h, which knows the beginning. */
static int decode_lead(struct pack_load *load, struct cbor_in *in, struct err *err)
{
	const uint8_t *start = in->at;
	struct err why = {0};
	struct content content;
	int got = pass_content(load, in, NULL, &content, &why);

	load->lead_end = (uint32_t)(in->at - load->raw);
	if (got < 0)
		return broken(load, start, why.message, err);
	if (got > 0)
		return 0;
	load->lead_ends = true;
	got = pack_tail_get(in, &load->lead_tail, &why);
	if (got < 0)
		return broken(load, start, why.message, err);
	load->lead_refused = got;
	return got > 0 ? keep(load, why.message, &load->lead_why, err) : 0;
}

static int decode(
	struct pack_load *load, struct pack_digest *digest, struct sums *sums, struct err *err)
{
	const size_t most = PACK_BLOCK_ENTRIES * sizeof(struct pack_member);
	uint32_t first = load->block.first, len = load->block.raw_len;
	struct cbor_in in;
	int got = 0;

	cbor_in_init(&in, load->raw, len);
	if (first != 0)
		got = decode_lead(load, &in, err);
	/* The entries must begin where the header says. */
	if (got == 0 && (first == PACK_BLOCK_NONE ? in.at != in.end : in.at != load->raw + first))
		got = broken(load, in.at, "an entry begins where none should", err);
	if (got != 0 || first == PACK_BLOCK_NONE)
		return got < 0 ? -1 : 0;
	while (got == 0 && in.at < in.end && !load->has_trail)
		got = load->members.len < most
			      ? decode_entry(load, &in, digest, err)
			      : broken(load, in.at, "more than 4096 entries begin in the block",
					err);
	if (got < 0)
		return -1;
	return load->want_hash ? prove_pieces(load, sums, err) : 0;
}

int pack_load_open(struct pack_load *load, struct pack_press *press, struct pack_digest *digest,
	struct sums *sums, struct err *err)
{
	const struct pack_block *b = &load->block;

	if (load->misplaced || load->bad.code != ERR_NONE)
		return 0;
	if (b->codec == PACK_ZSTD && buf_room(&load->unpacked, b->raw_len, err) == NULL)
		return -1;
	if (pack_press_open(press, b, load->stored.data, load->unpacked.data, &load->raw,
		    &load->bad) != 0) {
		if (load->bad.code != ERR_NOMEM)
			return 0;
		*err = load->bad;
		return -1;
	}
	if (b->kind != PACK_ENTRY)
		return 0;
	return decode(load, digest, sums, err);
}

int pack_load_decode(
	struct pack_load *load, struct pack_digest *digest, struct sums *sums, struct err *err)
{
	load->raw = load->unpacked.data;
	load->block.raw_len = (uint32_t)load->unpacked.len;
	return decode(load, digest, sums, err);
}
