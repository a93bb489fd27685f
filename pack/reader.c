/*
 * State kept between blocks: where the pack began, the open entry, the records that the next
 * index must contain, and the digest of the headers.
 *
 * After damage, the pack's totals can't match. Then only what is still known is reported: which
 * entries are lost, by comparing with the next index, if there is one.
 */
#include "pack/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/cbormap.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "pack/digest.h"
#include "pack/index.h"
#include "pack/keyblock.h"
#include "pack/load.h"
#include "pack/writer.h"

#define LOST_MAX 1024 /* lost entries remembered until the next index */

static const struct pack_bytes nobody = {0};

struct pack_reader {
	bool prove, must_seal, bare;
	pack_reader_problem *problem;
	void *ctx;
	struct pack_read total;

	/* The current pack. */
	bool in_pack, ended, damaged;
	uint64_t start; /* offset of the pack in the input */
	uint64_t next_seq, entries, content, statuses, last_index, blocks;
	struct hash *digest;
	bool sealed;
	bool keyed;     /* there was a KEY or a sealed block */
	struct buf key; /* the first KEY's payload */

	/* The open entry, which began in an earlier block. */
	bool open;
	struct buf path;
	struct buf record;     /* its HEAD, then its TAIL, as an index has them */
	struct pack_head head; /* borrows only the path */
	enum pack_verdict verdict;
	uint64_t size, holes, open_at; /* open_at: offset of its block in the input */
	uint32_t open_head;            /* offset of its HEAD in that block */

	/* Since the last index: the records that the next one must contain. */
	struct buf seen;
	uint64_t seen_count;
	struct buf lost; /* hashes of the paths reported as lost */
	bool gap;        /* there was damage */
	bool blind;      /* a record has something unknown, so the index can't be compared */
};

static void begin_pack(struct pack_reader *r, uint64_t at)
{
	uint8_t unused[HASH_LEN];

	hash_end(r->digest, unused);
	buf_clear(&r->seen);
	buf_clear(&r->lost);
	buf_clear(&r->key);
	r->in_pack = true;
	r->ended = r->damaged = r->gap = r->blind = r->open = r->keyed = false;
	r->sealed = r->must_seal;
	r->start = at;
	r->next_seq = r->entries = r->content = r->statuses = r->last_index = r->blocks = 0;
	r->seen_count = 0;
	r->total.packs++;
}

struct pack_reader *pack_reader_new(bool bare, bool prove, bool sealed,
	pack_reader_problem *problem, void *ctx, struct err *err)
{
	struct pack_reader *r = mem_new(sizeof *r, err);

	if (r == NULL)
		return NULL;
	r->prove = prove;
	r->must_seal = sealed;
	r->problem = problem;
	r->ctx = ctx;
	buf_init(&r->path, PACK_PATH_MAX + 1);
	buf_init(&r->key, PACK_KEYBLOCK_MAX);
	buf_init(&r->record, PACK_INDEX_HEAD_MAX + 4096);
	buf_init(&r->seen, 4 * PACK_BLOCK_RAW_MAX);
	buf_init(&r->lost, LOST_MAX * sizeof(uint64_t));
	r->digest = hash_new(err);
	if (r->digest == NULL) {
		pack_reader_free(r);
		return NULL;
	}
	r->bare = bare;
	if (bare)
		begin_pack(r, 0);
	return r;
}

void pack_reader_free(struct pack_reader *r)
{
	if (r == NULL)
		return;
	hash_free(r->digest);
	buf_fini(&r->path);
	buf_fini(&r->key);
	buf_fini(&r->record);
	buf_fini(&r->seen);
	buf_fini(&r->lost);
	free(r);
}

void pack_reader_result(const struct pack_reader *r, struct pack_read *result)
{
	*result = r->total;
}

static void report(struct pack_reader *r, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	r->total.problems++;
	r->problem(r->ctx, kind, offset, path, what);
}

/* Reports a lost entry, so that the next index need not name it again. */
static void report_lost(
	struct pack_reader *r, uint64_t offset, struct pack_bytes path, const char *what)
{
	uint64_t sum;

	report(r, PACK_PROBLEM_ENTRY, offset, path, what);
	if (path.at == NULL || r->lost.len == LOST_MAX * sizeof sum)
		return;
	sum = hash_xxh3(path.at, path.len);
	buf_add(&r->lost, &sum, sizeof sum, NULL); /* without memory it is named twice */
}

/* Whether this path was reported as lost. */
static bool was_lost(const struct pack_reader *r, struct pack_bytes path)
{
	uint64_t sum = path.at != NULL ? hash_xxh3(path.at, path.len) : 0;
	size_t i;

	for (i = 0; path.at != NULL && i < r->lost.len; i += sizeof sum)
		if (memcmp(r->lost.data + i, &sum, sizeof sum) == 0)
			return true;
	return false;
}

/* There is damage here or, if load is NULL, the input ends. The open entry can't be whole. */
static void damage(struct pack_reader *r, struct pack_load *load)
{
	r->damaged = r->gap = true;
	if (!r->open)
		return;
	r->open = false;
	if (load != NULL)
		load->lost_open = true;
	if (r->verdict == PACK_GOOD)
		report_lost(r, r->open_at, r->head.path,
			load != NULL ? "lost: part of it is in a block that is damaged or missing"
				     : "lost: the pack is cut within it");
}

void pack_reader_garbage(struct pack_reader *r, uint64_t offset, uint64_t len)
{
	char what[96];

	snprintf(what, sizeof what, "%llu bytes that are not a block: damaged, or not of a pack",
		(unsigned long long)len);
	report(r, PACK_PROBLEM_BLOCK, offset, nobody, what);
	r->damaged = r->gap = true;
}

void pack_reader_trailing(struct pack_reader *r, uint64_t offset)
{
	report(r, PACK_PROBLEM_END, offset, nobody, "bytes after the end that are not a pack");
}

/* --- START -------------------------------------------------------------- */

enum { START_FORMAT, START_KIND, START_CHECKSUM, START_FIELDS };
static const struct cbormap_field start_fields[] = {
	[START_FORMAT] = {.key = "F", .type = CBORMAP_VERSION, .need = true, .min = 1, .max = 1},
	[START_KIND] = {.key = "K", .type = CBORMAP_TEXT, .need = true, .max = 64},
	[START_CHECKSUM] = {.key = "H", .type = CBORMAP_TEXT, .need = true, .max = 64},
	[START_FIELDS] = {0},
};

/* Checks what START requires. Returns 0, or -1 with err set if the pack is refused. */
static int check_start(const struct pack_load *load, struct err *err)
{
	struct cbormap_value v[START_FIELDS];

	if (cbormap_get(v, start_fields, load->raw, load->block.raw_len, err) != 0)
		return err_prefix(err, "START");
	if (!cbormap_is_text(&v[START_KIND], "pack"))
		return err_set(err, ERR_UNSUPPORTED, "not a pack but another kind of container");
	if (!cbormap_is_text(&v[START_CHECKSUM], "sha256"))
		return err_set(err, ERR_UNSUPPORTED,
			"the pack's checksums are of an unknown kind (expected sha256)");
	return 0;
}

/* --- entries ------------------------------------------------------------ */

/* Counts a complete entry, and keeps its record. */
static int complete(struct pack_reader *r, uint64_t block, uint32_t at, const uint8_t *meta,
	size_t meta_len, const struct pack_tail *tail, struct err *err)
{
	uint8_t place[32];
	struct cbor_out out;

	r->entries++;
	r->content += tail->size;
	r->statuses += tail->status != PACK_OK;
	r->total.entries++;
	r->total.content += tail->size;
	r->total.statuses += tail->status != PACK_OK;
	if (!r->prove || r->bare)
		return 0;
	r->seen_count++;
	r->blind = r->blind || tail->passed_by;
	/* So much without an index means there is none. Keep no more than the limit. */
	if (r->seen.len + meta_len + sizeof place > r->seen.max)
		return 0;
	cbor_out_init(&out, place, sizeof place);
	cbor_put_array(&out, 2);
	cbor_put_uint(&out, block - r->start);
	cbor_put_uint(&out, at);
	if (buf_add(&r->seen, place, cbor_out_len(&out), err) != 0)
		return -1;
	return buf_add(&r->seen, meta, meta_len, err);
}

/* Counts the content of the open entry in this load, up to the first byte too many. */
static void add_content(
	struct pack_reader *r, const struct pack_load *load, uint32_t from, uint32_t end)
{
	struct pack_item item;
	struct cbor_in in;

	cbor_in_init(&in, load->raw + from, end - from);
	while (r->size <= PACK_CONTENT_MAX && pack_load_item(load, &in, &item, NULL) == 0 &&
		item.kind < PACK_ITEM_TAIL) {
		r->size += item.kind == PACK_ITEM_DATA ? item.data.len : item.hole;
		r->holes += item.kind == PACK_ITEM_HOLE ? item.hole : 0;
	}
}

/* The open entry's TAIL is in this load: decides its verdict. */
static int end_open(struct pack_reader *r, struct pack_load *load, struct err *err)
{
	const struct pack_tail *tail = &load->lead_tail;
	uint8_t mem[PACK_TAIL_ROOM];
	struct cbor_out out;
	struct err why = {0};
	const char *reason = why.message;

	r->open = false;
	load->lead_verdict = PACK_REFUSED;
	if (r->verdict == PACK_REFUSED)
		return 0;
	load->lead_verdict = pack_load_judge(&r->head, tail, r->size, r->holes, &why);
	if (load->lead_refused) {
		load->lead_verdict = PACK_REFUSED;
		reason = pack_load_text(load, load->lead_why);
	} else if (load->lead_verdict == PACK_GOOD && tail->has_content && r->prove &&
		   memcmp(load->lead_sum, tail->sum, HASH_LEN) != 0) {
		load->lead_verdict = PACK_WRONG;
		reason = PACK_SUM_WRONG;
	}
	if (load->lead_verdict != PACK_GOOD)
		report_lost(r, r->open_at, r->head.path, reason);
	if (load->lead_verdict == PACK_REFUSED) {
		r->gap = r->damaged = true;
		return 0;
	}
	cbor_out_init(&out, mem, sizeof mem);
	pack_tail_put(&out, tail);
	if (buf_add(&r->record, mem, cbor_out_len(&out), err) != 0)
		return -1;
	return complete(r, r->open_at, r->open_head, r->record.data, r->record.len, tail, err);
}

/* The last entry of a load continues in the next one. */
static int begin_open(struct pack_reader *r, struct pack_load *load, struct err *err)
{
	const struct pack_member *m = &load->trail;

	r->open = true;
	r->open_at = load->at;
	r->open_head = m->at;
	r->verdict = m->verdict;
	r->size = r->holes = 0;
	buf_clear(&r->path);
	buf_clear(&r->record);
	if (m->verdict == PACK_REFUSED) {
		report_lost(r, load->at, m->head.path, pack_load_text(load, m->why));
		r->gap = r->damaged = true;
		return 0;
	}
	if (buf_add(&r->path, m->head.path.at, m->head.path.len, err) != 0 ||
		pack_head_add(&r->record, &m->head, true, err) != 0)
		return -1;
	r->head = (struct pack_head){.path = {r->path.data, r->path.len},
		.type = m->head.type,
		.has = m->head.has & PACK_HAS_SPARSE};
	add_content(r, load, m->content, m->content_end);
	return 0;
}

static int take_entries(struct pack_reader *r, struct pack_load *load, struct err *err)
{
	struct pack_member *m;
	size_t count, i;
	bool has_lead = load->block.first != 0 && load->block.raw_len > 0;

	if (has_lead && r->open) {
		load->lead_live = true;
		add_content(r, load, 0, load->lead_end);
		if (load->lead_ends && end_open(r, load, err) != 0)
			return -1;
	} else if (has_lead && !r->gap) {
		report(r, PACK_PROBLEM_BLOCK, load->at, nobody, "content that belongs to no entry");
	} else if (!has_lead && r->open) {
		damage(r, load);
	}
	/* The open entry has not ended, but another one begins. */
	if (r->open && load->block.first != PACK_BLOCK_NONE)
		damage(r, load);
	load->usable = true;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++) {
		if (m[i].verdict != PACK_GOOD)
			report_lost(r, load->at, m[i].head.path, pack_load_text(load, m[i].why));
		if (m[i].verdict == PACK_REFUSED) {
			r->gap = r->damaged = true;
			continue;
		}
		if (complete(r, load->at, m[i].at,
			    m[i].meta_len > 0 ? load->meta.data + m[i].meta : NULL, m[i].meta_len,
			    &m[i].tail, err) != 0)
			return -1;
	}
	if (load->has_trail && begin_open(r, load, err) != 0)
		return -1;
	if (load->broken_at != PACK_BLOCK_NONE) {
		report(r, PACK_PROBLEM_BLOCK, load->at, nobody,
			pack_load_text(load, load->broken_why));
		damage(r, load);
	}
	return 0;
}

/* --- INDEX -------------------------------------------------------------- */

/* Reports entries that the index lists but that were not read. Both are in the same order.
 * Offsets can't be compared, because bytes may have been inserted or removed. */
static void find_lost(struct pack_reader *r, struct pack_index *index)
{
	struct pack_index seen = {.left = r->seen_count};
	struct pack_index_record want, have = {0};
	int got, met;

	cbor_in_init(&seen.in, r->seen.data, r->seen.len);
	met = pack_index_next(&seen, &have, NULL);
	while ((got = pack_index_next(index, &want, NULL)) == 0 || got == 2) {
		if (met == 0 && want.head.path.at != NULL &&
			pack_path_same(want.head.path, have.head.path))
			met = pack_index_next(&seen, &have, NULL);
		else if (!was_lost(r, want.head.path))
			report(r, PACK_PROBLEM_ENTRY, r->start + want.block, want.head.path,
				"lost: it is in a block that is damaged or missing");
	}
}

static void take_index(struct pack_reader *r, struct pack_load *load)
{
	struct pack_index index;
	struct err why = {0};
	const uint8_t *records;
	bool agrees;

	if (pack_index_open(&index, load->raw, load->block.raw_len, &why) != 0) {
		report(r, PACK_PROBLEM_END, load->at, nobody, why.message);
		r->last_index = load->at - r->start;
		goto out;
	}
	records = index.in.at;
	agrees = index.count == r->seen_count &&
		 (r->blind || ((size_t)(index.in.end - records) == r->seen.len &&
				      memcmp(records, r->seen.data, r->seen.len) == 0));
	if (r->gap && !agrees)
		find_lost(r, &index);
	else if (!agrees || index.number != r->entries - r->seen_count ||
		 index.prev != r->last_index)
		if (!r->damaged)
			report(r, PACK_PROBLEM_END, load->at, nobody,
				"index does not match the entries");
	r->last_index = load->at - r->start;
out:
	buf_clear(&r->seen);
	buf_clear(&r->lost);
	r->seen_count = 0;
	r->gap = r->blind = false;
}

/* --- END ---------------------------------------------------------------- */

static void take_end(struct pack_reader *r, struct pack_load *load)
{
	struct pack_end end;
	uint8_t digest[HASH_LEN];
	const char *what = NULL;

	r->ended = true;
	hash_end(r->digest, digest);
	if (load->bad.code != ERR_NONE)
		return;
	if (r->open)
		damage(r, load);
	if (load->block.raw_len != PACK_END_LEN) {
		report(r, PACK_PROBLEM_END, load->at, nobody, "END of a wrong length");
		return;
	}
	pack_end_get(&end, load->raw);
	if (r->damaged) {
		char text[160];

		if (end.entries == r->entries)
			return;
		snprintf(text, sizeof text, "%llu of the pack's %llu entries were found",
			(unsigned long long)r->entries, (unsigned long long)end.entries);
		report(r, PACK_PROBLEM_END, load->at, nobody, text);
		return;
	}
	if (end.length != load->at - r->start || end.blocks != load->block.seq)
		what = "END does not match: length or number of blocks";
	else if (memcmp(end.digest, digest, sizeof digest) != 0)
		what = "END does not match: digest of the block headers";
	else if (r->prove && (end.entries != r->entries || end.content != r->content ||
				     end.statuses != r->statuses))
		what = "END does not match: number of entries or size of contents";
	else if (r->prove && (end.last_index != r->last_index || r->seen_count > 0))
		what = "END does not match: index";
	if (what != NULL)
		report(r, PACK_PROBLEM_END, load->at, nobody, what);
}

/* --- blocks ------------------------------------------------------------- */

/* Checks the sequence number, before the block's content is used. */
static void check_sequence(struct pack_reader *r, struct pack_load *load)
{
	uint64_t seq = load->block.seq;
	char what[96];

	if (!r->in_pack)
		begin_pack(r, load->at); /* START is missing */
	if (seq == r->next_seq)
		return;
	if (seq - r->next_seq == 1)
		snprintf(what, sizeof what, "block %llu is missing",
			(unsigned long long)r->next_seq);
	else
		snprintf(what, sizeof what, "blocks %llu to %llu are missing",
			(unsigned long long)r->next_seq, (unsigned long long)seq - 1);
	report(r, PACK_PROBLEM_BLOCK, load->at, nobody, what);
	damage(r, load);
}

/* Reports a block whose payload can't be used. */
static void unusable(struct pack_reader *r, struct pack_load *load)
{
	char what[ERR_MESSAGE_MAX + 64];

	if (load->bad.code == ERR_DENIED) {
		r->total.unopened = true;
		return;
	}
	snprintf(what, sizeof what, "%s block %llu: %s%s", pack_block_name(load->block.kind),
		(unsigned long long)load->block.seq, load->bad.message,
		load->block.kind == PACK_ENTRY ? " (what is in it is lost)"
					       : " (it holds no file data)");
	report(r, PACK_PROBLEM_BLOCK, load->at, nobody, what);
	r->damaged = true;
	if (load->block.kind == PACK_ENTRY)
		damage(r, load);
}

int pack_reader_take(struct pack_reader *r, struct pack_load *load, struct err *err)
{
	uint8_t header[PACK_BLOCK_HEADER];
	const struct pack_block *b = &load->block;
	char what[128];

	if (load->misplaced) {
		snprintf(what, sizeof what, "%s block %llu does not belong here",
			pack_block_name(b->kind), (unsigned long long)b->seq);
		report(r, PACK_PROBLEM_BLOCK, load->at, nobody, what);
		r->damaged = true;
		return 0;
	}
	if (b->kind == PACK_START)
		begin_pack(r, load->at);
	check_sequence(r, load);
	r->next_seq = b->seq + 1;
	r->total.blocks++;
	if (b->sealed)
		r->sealed = r->total.sealed = true;
	if (b->kind == PACK_KEY)
		r->sealed = true;
	r->keyed = r->keyed || b->sealed || b->kind == PACK_KEY;
	if (b->kind != PACK_END && !r->bare) {
		pack_block_put(b, header);
		hash_add(r->digest, header, sizeof header);
	}
	if (load->bad.code == ERR_NONE && r->sealed && !b->sealed && b->kind >= PACK_ENTRY) {
		if (!r->keyed)
			return err_set(err, ERR_DENIED, PACK_NOT_SEALED);
		err_set(&load->bad, ERR_DAMAGE, "not sealed, in a sealed pack");
	}
	if (load->bad.code != ERR_NONE)
		unusable(r, load);
	if (b->kind == PACK_END) {
		take_end(r, load);
		return 0;
	}
	if (load->bad.code != ERR_NONE)
		return 0;
	switch (b->kind) {
	case PACK_START:
		return check_start(load, err);
	case PACK_ENTRY:
		return take_entries(r, load, err);
	case PACK_INDEX:
		if (r->prove)
			take_index(r, load);
		return 0;
	case PACK_KEY:
		if (r->key.len == 0)
			return b->raw_len <= r->key.max
				       ? buf_add(&r->key, load->raw, b->raw_len, err)
				       : 0;
		/* All KEY blocks of a pack must be the same. */
		if (b->raw_len == r->key.len && memcmp(load->raw, r->key.data, b->raw_len) == 0)
			return 0;
		report(r, PACK_PROBLEM_BLOCK, load->at, nobody,
			"KEY block differs from the pack's first one");
		r->damaged = true;
		return 0;
	default:
		return err_set(err, ERR_UNSUPPORTED, "unknown kind of block %u at %llu", b->kind,
			(unsigned long long)load->at);
	}
}

void pack_reader_finish(struct pack_reader *r, uint64_t offset)
{
	if (!r->in_pack) {
		report(r, PACK_PROBLEM_END, offset, nobody,
			offset > 0 ? "not a pack: there is no block in it"
				   : "not a pack: it is empty");
		return;
	}
	if (r->ended)
		return;
	damage(r, NULL);
	if (r->bare)
		return;
	report(r, PACK_PROBLEM_END, offset, nobody,
		"cut: the pack has no end; it was not written, or not copied, to the last");
}
