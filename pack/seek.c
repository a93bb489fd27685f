/*
 * Reads END, then the chain of INDEX blocks backwards. If an INDEX is neither compressed nor
 * sealed, only its pointer to the previous one is read first.
 *
 * In a sealed pack END is sealed too, and with it the pack's beginning. But the KEY block ends
 * right before END, and its own header gives its length, so it can be found by search.
 */
#include "pack/seek.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "pack/digest.h"
#include "pack/keyblock.h"
#include "pack/press.h"
#include "pack/writer.h"

#define END_BLOCK  (PACK_BLOCK_HEADER + PACK_END_LEN)
#define INDEX_HEAD 32 /* enough for the first item of an INDEX: 1 + 3 * 9 */

struct pack {
	uint64_t start, end; /* offsets of the headers of START and END */
	uint64_t entries;
	uint8_t id[PACK_BLOCK_ID];
	bool sealed;
	uint8_t key[32];
};

struct pack_seek {
	struct pack_seek_options o;
	struct buf packs;  /* struct pack; the last in the file first */
	uint64_t next;     /* offset in the input of the next INDEX to read; 0: none in this pack */
	uint64_t next_seq; /* its sequence number must be below this */
};

/* A block that was read. */
struct got {
	struct pack_block block;
	struct buf stored, unpacked;
	const uint8_t *raw;
};

struct pack_seek_hand {
	struct pack_press *press;
	struct pack_digest *digest;
	uint64_t key_of; /* 1 + number of the pack whose key the press has; 0: none */
	struct got index, data;
	uint64_t index_at; /* offset of the INDEX in .index; 0: none */
};

static struct pack *pack_of(const struct pack_seek *s, uint32_t n)
{
	return (struct pack *)(void *)s->packs.data + n;
}

static uint32_t pack_count(const struct pack_seek *s)
{
	return (uint32_t)(s->packs.len / sizeof(struct pack));
}

static int damage(struct err *err, const char *what, uint64_t at)
{
	return err_set(err, ERR_DAMAGE, "%s at %llu", what, (unsigned long long)at);
}

/* --- one block ---------------------------------------------------------- */

/* Reads a header. The block must end at or before `limit`. */
static int read_header(const struct pack_seek *s, uint64_t at, uint64_t limit,
	struct pack_block *block, struct err *err)
{
	uint8_t header[PACK_BLOCK_HEADER];
	int got;

	if (limit < PACK_BLOCK_HEADER || at > limit - PACK_BLOCK_HEADER)
		return damage(err, "no block", at);
	if (fs_read_at(s->o.fd, header, sizeof header, at, err) != 0)
		return err_prefix(err, "read");
	got = pack_block_get(block, header, err);
	if (got > 0)
		return damage(err, "no block", at);
	if (got < 0)
		return err_prefix(err, "block at %llu", (unsigned long long)at);
	if (block->stored_len > limit - at - PACK_BLOCK_HEADER)
		return damage(err, "block extends past the end", at);
	return 0;
}

/* Reads and opens the payload of the block in `got`. */
static int read_payload(const struct pack_seek *s, struct pack_seek_hand *hand, struct got *got,
	uint32_t pack, uint64_t at, struct err *err)
{
	const struct pack *p = pack_of(s, pack);
	uint8_t *to;

	buf_clear(&got->stored);
	buf_clear(&got->unpacked);
	to = buf_room(&got->stored, got->block.stored_len + 1, err);
	if (to == NULL || buf_room(&got->unpacked, got->block.raw_len + 1, err) == NULL)
		return -1;
	if (fs_read_at(s->o.fd, to, got->block.stored_len, at + PACK_BLOCK_HEADER, err) != 0)
		return err_prefix(err, "read");
	if (p->sealed && !got->block.sealed)
		return damage(err, "block that is not sealed, in a sealed pack,", at);
	if (p->sealed && hand->key_of != (uint64_t)pack + 1) {
		if (pack_press_key(hand->press, p->key, err) != 0)
			return -1;
		hand->key_of = (uint64_t)pack + 1;
	}
	if (!p->sealed && got->block.sealed)
		return damage(err, "sealed block, in a pack that is not,", at);
	if (pack_press_open(hand->press, &got->block, to, got->unpacked.data, &got->raw, err) != 0)
		return err_prefix(err, "block at %llu", (unsigned long long)at);
	return 0;
}

/* --- the end of a pack -------------------------------------------------- */

/* Finds the KEY block that ends where END begins, and gets the payload key from it. */
static int find_key(struct pack_seek *s, struct pack *p, uint64_t seq, struct err *err)
{
	size_t len = PACK_BLOCK_HEADER + PACK_KEYBLOCK_MAX, i;
	uint8_t *mem;
	int got = -1;

	if (s->o.open_key == NULL)
		return err_set(err, ERR_DENIED, "the pack is sealed: a key is needed (--key FILE)");
	if (len > p->end)
		len = (size_t)p->end;
	mem = malloc(len + 1);
	if (mem == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (fs_read_at(s->o.fd, mem, len, p->end - len, err) != 0) {
		err_prefix(err, "read");
		goto out;
	}
	for (i = 0; i + PACK_BLOCK_HEADER <= len; i++) {
		struct pack_block b;
		const uint8_t *payload = mem + i + PACK_BLOCK_HEADER;

		if (mem[i] != PACK_BLOCK_MAGIC0 || pack_block_get(&b, mem + i, NULL) != 0 ||
			b.kind != PACK_KEY || b.seq + 1 != seq ||
			memcmp(b.id, p->id, sizeof p->id) != 0 ||
			b.stored_len != len - i - PACK_BLOCK_HEADER ||
			hash_xxh3(payload, b.stored_len) != b.check)
			continue;
		got = s->o.open_key(s->o.key_ctx, payload, b.stored_len, p->key, err);
		goto out;
	}
	err_set(err, ERR_DAMAGE, "no KEY block before the end");
out:
	free(mem);
	return got;
}

/* Reads the header of END, which ends at offset `end`. A sealed END is longer. */
static int read_end_header(struct pack_seek *s, struct pack *p, uint64_t end,
	struct pack_block *block, struct err *err)
{
	unsigned tag;

	for (tag = 0; tag <= PACK_BLOCK_TAG; tag += PACK_BLOCK_TAG) {
		struct err ignored;

		if (end < END_BLOCK + tag)
			break;
		p->end = end - END_BLOCK - tag;
		if (read_header(s, p->end, end, block, &ignored) != 0) {
			if (ignored.code == ERR_DAMAGE)
				continue;
			*err = ignored;
			return -1;
		}
		if (block->kind == PACK_END && block->raw_len == PACK_END_LEN &&
			block->sealed == (tag > 0))
			return 0;
	}
	return err_set(err, ERR_DAMAGE, "no END at %llu", (unsigned long long)end);
}

/* Adds the pack that ends at this offset. */
static int add_pack(struct pack_seek *s, struct pack_seek_hand *hand, uint64_t at, struct err *err)
{
	struct pack fresh = {0}, *p = &fresh;
	struct pack_block *b = &hand->index.block, start;
	uint32_t n = pack_count(s);
	struct pack_end end;
	int got;

	if (read_end_header(s, p, at, b, err) != 0)
		return -1;
	memcpy(p->id, b->id, sizeof p->id);
	p->sealed = b->sealed;
	if (s->o.need_key && !p->sealed)
		return err_set(err, ERR_DENIED, PACK_NOT_SEALED);
	if (p->sealed && find_key(s, p, b->seq, err) != 0)
		return -1;
	got = buf_add(&s->packs, p, sizeof *p, err);
	seal_wipe(p->key, sizeof p->key);
	if (got != 0)
		return -1;
	hand->index_at = 0;
	p = pack_of(s, n);
	if (read_payload(s, hand, &hand->index, n, p->end, err) != 0)
		return -1;
	/* Compare what END says with where it is. */
	pack_end_get(&end, hand->index.raw);
	if (end.length > p->end || end.blocks != b->seq || end.last_index >= end.length)
		return damage(err, "END does not match its position", p->end);
	p->start = p->end - end.length;
	p->entries = end.entries;
	if (read_header(s, p->start, p->end, &start, err) != 0)
		return -1;
	if (start.kind != PACK_START || memcmp(start.id, p->id, sizeof p->id) != 0)
		return damage(err, "no START", p->start);
	if (end.last_index == 0 && end.entries != 0)
		return damage(err, "END without an index", p->end);
	s->next = end.last_index != 0 ? p->start + end.last_index : 0;
	s->next_seq = b->seq;
	return 0;
}

bool pack_seek_can(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) &&
	       lseek(fd, 0, SEEK_CUR) == 0;
}

struct pack_seek *pack_seek_open(const struct pack_seek_options *options, struct err *err)
{
	struct pack_seek *s = mem_new(sizeof *s, err);
	struct pack_seek_hand *hand;
	off_t size;
	int got = -1;

	if (s == NULL)
		return NULL;
	s->o = *options;
	buf_init(&s->packs, PACK_SEEK_PACKS * sizeof(struct pack));
	hand = pack_seek_hand_new(err);
	size = lseek(s->o.fd, 0, SEEK_END);
	if (hand == NULL) {
		/* err is set */
	} else if (size >= 0 && lseek(s->o.fd, 0, SEEK_SET) != 0) {
		err_errno(err, errno, "seek");
	} else if (size <= 0) {
		err_set(err, ERR_DAMAGE, "the file is empty");
	} else {
		got = add_pack(s, hand, (uint64_t)size, err);
	}
	pack_seek_hand_free(hand);
	if (got != 0) {
		pack_seek_free(s);
		return NULL;
	}
	return s;
}

void pack_seek_free(struct pack_seek *s)
{
	if (s == NULL)
		return;
	if (s->packs.data != NULL)
		seal_wipe(s->packs.data, s->packs.len);
	buf_fini(&s->packs);
	free(s);
}

/* --- hands -------------------------------------------------------------- */

struct pack_seek_hand *pack_seek_hand_new(struct err *err)
{
	struct pack_seek_hand *hand = mem_new(sizeof *hand, err);

	if (hand == NULL)
		return NULL;
	buf_init(&hand->index.stored, PACK_BLOCK_STORED_MAX + 1);
	buf_init(&hand->index.unpacked, PACK_BLOCK_RAW_MAX + 1);
	hand->data = hand->index;
	hand->press = pack_press_new(0, err);
	hand->digest = hand->press != NULL ? pack_digest_new(err) : NULL;
	if (hand->digest != NULL)
		return hand;
	pack_seek_hand_free(hand);
	return NULL;
}

void pack_seek_hand_free(struct pack_seek_hand *hand)
{
	if (hand == NULL)
		return;
	buf_fini(&hand->index.stored);
	buf_fini(&hand->index.unpacked);
	buf_fini(&hand->data.stored);
	buf_fini(&hand->data.unpacked);
	pack_press_free(hand->press);
	pack_digest_free(hand->digest);
	free(hand);
}

/* --- indexes ------------------------------------------------------------ */

uint64_t pack_seek_start(const struct pack_seek *s, uint32_t pack)
{
	return pack_of(s, pack)->start;
}

/* Reads the header of an INDEX of this pack. */
static int read_index_header(const struct pack_seek *s, const struct pack *p, uint64_t at,
	struct pack_block *block, struct err *err)
{
	if (read_header(s, at, p->end, block, err) != 0)
		return -1;
	if (block->kind != PACK_INDEX || memcmp(block->id, p->id, sizeof p->id) != 0)
		return damage(err, "no INDEX", at);
	return 0;
}

int pack_seek_index(const struct pack_seek *s, struct pack_seek_hand *hand,
	const struct pack_seek_place *place, struct pack_index *index, struct err *err)
{
	if (hand->index_at != place->at) {
		hand->index_at = 0;
		if (read_index_header(
			    s, pack_of(s, place->pack), place->at, &hand->index.block, err) != 0 ||
			read_payload(s, hand, &hand->index, place->pack, place->at, err) != 0)
			return -1;
		hand->index_at = place->at;
	}
	if (pack_index_open(index, hand->index.raw, hand->index.block.raw_len, err) != 0)
		return err_prefix(err, "INDEX at %llu", (unsigned long long)place->at);
	return 0;
}

int pack_seek_back(struct pack_seek *s, struct pack_seek_hand *hand, struct pack_seek_place *place,
	struct err *err)
{
	uint32_t n = pack_count(s) - 1;
	struct pack *p = pack_of(s, n);
	struct pack_block *b = &hand->index.block;
	uint8_t head[INDEX_HEAD];
	struct pack_index index;
	size_t len;

	while (s->next == 0) {
		if (p->start == 0)
			return 1;
		if (add_pack(s, hand, p->start, err) != 0)
			return -1;
		p = pack_of(s, ++n);
	}
	*place = (struct pack_seek_place){.at = s->next, .pack = n, .entries = p->entries};
	hand->index_at = 0;
	if (read_index_header(s, p, place->at, b, err) != 0)
		return -1;
	/* Find the previous INDEX: from the first bytes if they are readable, else by opening
	 * the block. */
	if (b->sealed || b->codec != PACK_RAW || p->sealed) {
		if (pack_seek_index(s, hand, place, &index, err) != 0)
			return -1;
	} else {
		len = b->raw_len < sizeof head ? b->raw_len : sizeof head;
		if (fs_read_at(s->o.fd, head, len, place->at + PACK_BLOCK_HEADER, err) != 0)
			return err_prefix(err, "read");
		if (pack_index_open(&index, head, len, err) != 0)
			return err_prefix(err, "INDEX at %llu", (unsigned long long)place->at);
	}
	/* Offsets and sequence numbers must decrease. */
	if (index.prev >= place->at - p->start || b->seq >= s->next_seq ||
		(index.prev == 0) != (index.number == 0))
		return damage(err, "INDEX that points forward", place->at);
	s->next_seq = b->seq;
	s->next = index.prev != 0 ? p->start + index.prev : 0;
	return 0;
}

/* --- members ------------------------------------------------------------ */

struct member {
	const struct pack_seek *s;
	struct pack_seek_hand *hand;
	const struct pack_seek_sink *sink;
	const struct pack_index_record *record;
	uint32_t pack;
	uint64_t at, seq; /* of the next block */
	uint64_t size, holes;
	struct cbor_in in;
};

/* Opens the block at m->at. */
static int open_block(struct member *m, struct err *err)
{
	const struct pack *p = pack_of(m->s, m->pack);
	struct got *got = &m->hand->data;

	if (read_header(m->s, m->at, p->end, &got->block, err) != 0)
		return -1;
	if (memcmp(got->block.id, p->id, sizeof p->id) != 0)
		return damage(err, "block of another pack", m->at);
	if (got->block.kind == PACK_ENTRY &&
		read_payload(m->s, m->hand, got, m->pack, m->at, err) != 0)
		return -1;
	m->at += PACK_BLOCK_HEADER + got->block.stored_len;
	return 0;
}

/* Opens the next block with content of the entry. INDEX and KEY blocks may come before it. */
static int next_block(struct member *m, struct err *err)
{
	const struct pack_block *b = &m->hand->data.block;

	do {
		uint64_t at = m->at;

		m->seq = b->seq + 1;
		if (open_block(m, err) != 0)
			return -1;
		if (b->seq != m->seq ||
			(b->kind != PACK_ENTRY && b->kind != PACK_KEY && b->kind != PACK_INDEX) ||
			(b->kind == PACK_ENTRY && (b->first == 0 || b->raw_len == 0)))
			return damage(err, "the entry's end is missing", at);
	} while (b->kind != PACK_ENTRY);
	/* What follows the entry's end belongs to others. */
	cbor_in_init(
		&m->in, m->hand->data.raw, b->first == PACK_BLOCK_NONE ? b->raw_len : b->first);
	return 0;
}

/* Processes one item of content. */
static int take_item(struct member *m, const struct pack_item *item, struct err *err)
{
	const struct pack_seek_sink *sink = m->sink;
	uint64_t n = item->kind == PACK_ITEM_DATA ? item->data.len : item->hole;

	if (n > PACK_CONTENT_MAX - m->size)
		return err_set(err, ERR_LIMIT, "content over the limit of 16 TiB");
	m->size += n;
	if (item->kind == PACK_ITEM_DATA) {
		pack_digest_data(m->hand->digest, item->data.at, n);
		return sink->data != NULL ? sink->data(sink->ctx, item->data.at, n, err) : 0;
	}
	m->holes += n;
	if (!(m->record->head.has & PACK_HAS_SPARSE) && m->holes > PACK_HOLES_MAX)
		return err_set(err, ERR_DAMAGE, PACK_HOLES_WRONG);
	pack_digest_hole(m->hand->digest, n);
	return sink->hole != NULL ? sink->hole(sink->ctx, n, err) : 0;
}

static int take_tail(struct member *m, struct err *err)
{
	const struct pack_tail *want = &m->record->tail;
	enum pack_verdict verdict = PACK_GOOD;
	struct pack_tail tail;
	uint8_t sum[HASH_LEN];

	if (pack_tail_get(&m->in, &tail, err) != 0 ||
		pack_tail_fits(&m->record->head, &tail, err) != 0)
		return -1;
	if (tail.has_content != want->has_content || tail.size != want->size ||
		!pack_tail_same_sum(&tail, want))
		return err_set(err, ERR_DAMAGE, "the index does not match the entry");
	pack_digest_end(m->hand->digest, sum);
	if (tail.has_content && (m->size != tail.size || memcmp(sum, tail.sum, sizeof sum) != 0))
		verdict = PACK_WRONG;
	if (!tail.has_content && m->size > 0)
		verdict = PACK_WRONG;
	return m->sink->tail != NULL ? m->sink->tail(m->sink->ctx, &tail, verdict, err) : 0;
}

/* Reads HEAD, in the block that the record names. */
static int take_head(struct member *m, struct err *err)
{
	const struct pack_index_record *r = m->record;
	struct pack_head head;

	if (open_block(m, err) != 0)
		return -1;
	if (m->hand->data.block.kind != PACK_ENTRY || r->at >= m->hand->data.block.raw_len)
		return err_set(err, ERR_DAMAGE, "the index does not match the entry");
	cbor_in_init(&m->in, m->hand->data.raw, m->hand->data.block.raw_len);
	m->in.at += r->at;
	if (pack_head_get(&m->in, &head, err) != 0)
		return -1;
	if (head.type != r->head.type || !pack_path_same(head.path, r->head.path))
		return err_set(err, ERR_DAMAGE, "the index does not match the entry");
	return m->sink->head != NULL ? m->sink->head(m->sink->ctx, &head, err) : 0;
}

int pack_seek_member(const struct pack_seek *s, struct pack_seek_hand *hand, uint32_t pack,
	const struct pack_index_record *record, const struct pack_seek_sink *sink, struct err *err)
{
	struct member m = {.s = s, .hand = hand, .sink = sink, .record = record, .pack = pack};
	const struct pack *p = pack_of(s, pack);
	struct pack_item item;
	int got;

	if (record->block >= p->end - p->start)
		return err_set(err, ERR_DAMAGE, "the index does not match the entry");
	m.at = p->start + record->block;
	pack_digest_begin(hand->digest, record->head.has & PACK_HAS_SPARSE);
	got = take_head(&m, err);
	while (got == 0) {
		if (pack_item_get(&m.in, &item, err) != 0)
			return -1;
		if (item.kind == PACK_ITEM_TAIL)
			return take_tail(&m, err);
		got = item.kind == PACK_ITEM_NONE ? next_block(&m, err) : take_item(&m, &item, err);
	}
	return got;
}
