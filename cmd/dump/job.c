/* Converts parts to chunks: HEADs and TAILs are copied; DATA becomes a chunk's content and a
 * REF. */
#include "cmd/dump/job.h"

#include <assert.h>
#include <stdlib.h>

#include "cmd/dump/cutter.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/mem.h"
#include "pack/digest.h"
#include "pack/feed.h"
#include "pack/part.h"

#define STEP (256u << 10) /* bytes of a large file that are read at once */

struct dump_plan *dump_job_plans(struct dump_job *job)
{
	return (struct dump_plan *)(void *)job->plans.data;
}

void dump_job_free(struct dump_job *job)
{
	if (job == NULL)
		return;
	pack_batch_fini(&job->batch);
	free(job->chunks);
	buf_fini(&job->plans);
	buf_fini(&job->content);
	buf_fini(&job->records);
	buf_fini(&job->out);
	buf_fini(&job->refs);
	buf_fini(&job->runs);
	buf_fini(&job->found);
	free(job);
}

struct dump_job *dump_job_new(struct err *err)
{
	struct dump_job *job = mem_new(sizeof *job, err);

	if (job == NULL)
		return NULL;
	buf_init(&job->plans, DUMP_JOB_ITEMS * sizeof(struct dump_plan));
	buf_init(&job->content, SIZE_MAX);
	buf_init(&job->records, SIZE_MAX);
	buf_init(&job->out, SIZE_MAX);
	buf_init(&job->refs, SIZE_MAX);
	buf_init(&job->runs, SIZE_MAX);
	buf_init(&job->found, SIZE_MAX);
	if (pack_batch_init(&job->batch, PACK_PART_TARGET_MAX, err) != 0) {
		dump_job_free(job);
		return NULL;
	}
	return job;
}

void dump_job_reset(struct dump_job *job)
{
	pack_batch_reset(&job->batch);
	buf_clear(&job->plans);
	buf_clear(&job->content);
	buf_clear(&job->records);
	buf_clear(&job->out);
	buf_clear(&job->refs);
	buf_clear(&job->runs);
	job->bundle = job->planned = job->chunk_count = 0;
	job->cut = false;
}

/* Sets *c to a chunk of the job that has room: the last one, or a new one. */
static int last_chunk(struct dump_job *job, struct dump_chunk **c, struct err *err)
{
	struct dump_chunk *grown;

	if (job->chunk_count > 0) {
		*c = &job->chunks[job->chunk_count - 1];
		if ((*c)->len < STORE_CONTENT_MAX && !job->cut)
			return 0;
	}
	grown = mem_grow(job->chunks, job->chunk_count, &job->chunks_cap, sizeof *grown, err);
	if (grown == NULL)
		return -1;
	job->chunks = grown;
	*c = &job->chunks[job->chunk_count++];
	(*c)->at = job->content.len;
	(*c)->len = 0;
	job->cut = false;
	return 0;
}

/* Adds a REF; its id is filled in later. */
static int add_ref(struct dump_job *job, size_t chunk, size_t offset, size_t len, struct err *err)
{
	static const uint8_t blank[STORE_ID_LEN];
	struct dump_ref ref = {.at = job->out.len + 3, .chunk = chunk};
	uint8_t *to = buf_room(&job->out, PACK_REF_MAX, err);
	struct cbor_out out;

	if (to == NULL)
		return -1;
	cbor_out_init(&out, to, PACK_REF_MAX);
	pack_ref_put(&out, blank, (uint32_t)offset, (uint32_t)len);
	buf_took(&job->out, cbor_out_len(&out));
	return buf_add(&job->refs, &ref, sizeof ref, err);
}

static int add_content(struct dump_job *job, const uint8_t *bytes, size_t len, struct err *err)
{
	struct dump_chunk *c;

	while (len > 0) {
		size_t n;

		if (last_chunk(job, &c, err) != 0)
			return -1;
		n = STORE_CONTENT_MAX - c->len < len ? STORE_CONTENT_MAX - c->len : len;
		if (add_ref(job, job->chunk_count - 1, c->len, n, err) != 0 ||
			buf_add(&job->content, bytes, n, err) != 0)
			return -1;
		c->len += n;
		bytes += n;
		len -= n;
	}
	return 0;
}

/* A position in the entries of a job's parts. */
struct walk {
	struct dump_job *job;
	size_t part;
	struct cbor_in in;
};

/* Copies a whole map to .out. */
static int copy_map(struct walk *k, struct err *err)
{
	const uint8_t *start = k->in.at;

	if (cbor_skip(&k->in, DUMP_JOB_DEPTH) != CBOR_OK)
		return err_set(err, ERR_FAILED, "a part can't be read back");
	return buf_add(&k->job->out, start, (size_t)(k->in.at - start), err);
}

static int next_part(struct walk *k, struct err *err)
{
	struct pack_part *part;

	if (k->part == k->job->batch.part_count)
		return err_set(err, ERR_FAILED, "a part is missing");
	part = k->job->batch.parts[k->part++];
	cbor_in_init(&k->in, part->raw.data, part->raw.len);
	return 0;
}

/* Advances to the entry's TAIL, and reads it. Returns false if the entry has holes or can't be
 * read. */
static bool skip_content(struct walk *k, struct pack_tail *tail)
{
	struct pack_item item;
	struct cbor_in in;

	for (;;) {
		if (pack_item_get(&k->in, &item, NULL) != 0 || item.kind == PACK_ITEM_HOLE)
			return false;
		if (item.kind == PACK_ITEM_TAIL)
			break;
		if (item.kind == PACK_ITEM_NONE && next_part(k, NULL) != 0)
			return false;
	}
	in = k->in;
	return pack_tail_get(&in, tail, NULL) == 0;
}

/* If the last manifest has this content, adds its references and advances the walk to the TAIL.
 * Returns 1 if so, 0 if not, -1 with err set. */
static int keep_content(
	struct walk *k, struct dump_previous *last, const struct dump_plan *plan, struct err *err)
{
	struct walk behind = *k;
	struct pack_tail tail = {0};
	struct pack_bytes items;
	const uint8_t *old = (const uint8_t *)pack_batch_at(&k->job->batch, plan->old);

	if (!skip_content(&behind, &tail) || !tail.has_content || tail.sparse || tail.size == 0)
		return 0;
	if (!(plan->old_len > 0 &&
		    dump_old_content(old, plan->old_len, tail.sum, tail.size, &items)) &&
		!dump_previous_find(last, tail.sum, tail.size, &k->job->found, &items))
		return 0;
	*k = behind;
	return buf_add(&k->job->out, items.at, items.len, err) != 0 ? -1 : 1;
}

/* Converts the next entry; its content moves into chunks. */
static int convert_entry(
	struct walk *k, struct dump_previous *last, const struct dump_plan *plan, struct err *err)
{
	struct pack_item item;
	const uint8_t *start;

	if (k->in.at == k->in.end && next_part(k, err) != 0)
		return -1;
	if (copy_map(k, err) != 0 || (last != NULL && keep_content(k, last, plan, err) < 0))
		return -1;
	for (;;) {
		start = k->in.at;
		if (pack_item_get(&k->in, &item, err) != 0)
			return -1;
		switch (item.kind) {
		case PACK_ITEM_DATA:
			if (add_content(k->job, item.data.at, item.data.len, err) != 0)
				return -1;
			break;
		case PACK_ITEM_HOLE:
			if (buf_add(&k->job->out, start, (size_t)(k->in.at - start), err) != 0)
				return -1;
			break;
		case PACK_ITEM_TAIL:
			return copy_map(k, err);
		default:
			if (next_part(k, err) != 0)
				return -1;
		}
	}
}

int dump_job_convert(struct dump_job *job, struct dump_previous *last, struct err *err)
{
	struct walk k = {.job = job};
	size_t i, count;
	const struct pack_plan *plans = pack_batch_plans(&job->batch, &count);
	struct dump_plan *own = dump_job_plans(job);

	for (i = 0; i < count; i++) {
		if (own[i].carried) {
			if (buf_add(&job->out, pack_batch_at(&job->batch, own[i].old),
				    own[i].old_len, err) != 0)
				return -1;
		} else if (!plans[i].left_out && convert_entry(&k, last, &own[i], err) != 0) {
			return -1;
		}
		job->cut = job->cut || (own[i].cut && job->chunk_count > 0);
		own[i].out_end = job->out.len;
	}
	return 0;
}

/* --- large files ------------------------------------------------------------ */

int dump_job_large_init(struct dump_job_large *l, const uint64_t gear[256], struct err *err)
{
	*l = (struct dump_job_large){.gear = gear};
	pack_large_init(&l->file);
	buf_init(&l->ahead, SIZE_MAX);
	buf_init(&l->ahead_runs, SIZE_MAX);
	l->digest = pack_digest_new(err);
	l->part = l->digest != NULL ? pack_part_new(STEP, err) : NULL;
	return l->part != NULL ? 0 : -1;
}

void dump_job_large_fini(struct dump_job_large *l)
{
	pack_large_fini(&l->file);
	pack_digest_free(l->digest);
	pack_part_free(l->part);
	buf_fini(&l->ahead);
	buf_fini(&l->ahead_runs);
}

static int add_run(struct buf *runs, bool hole, uint64_t len, struct err *err)
{
	struct dump_piece r = {hole, len};

	return len > 0 ? buf_add(runs, &r, sizeof r, err) : 0;
}

/* Moves what was read out of the part. */
static int take_part(struct dump_job_large *l, struct err *err)
{
	struct pack_item item;
	struct cbor_in in;

	cbor_in_init(
		&in, l->part->raw.data + l->part->content, l->part->raw.len - l->part->content);
	for (;;) {
		if (pack_item_get(&in, &item, err) != 0)
			return -1;
		if (item.kind == PACK_ITEM_DATA) {
			if (buf_add(&l->ahead, item.data.at, item.data.len, err) != 0 ||
				add_run(&l->ahead_runs, false, item.data.len, err) != 0)
				return -1;
		} else if (item.kind == PACK_ITEM_HOLE) {
			if (add_run(&l->ahead_runs, true, item.hole, err) != 0)
				return -1;
		} else {
			return 0;
		}
	}
}

/* Moves the first `len` bytes of content to the job, with their runs; if `all`, also the holes
 * after them. */
static int move_content(
	struct dump_job_large *l, struct dump_job *job, size_t len, bool all, struct err *err)
{
	struct dump_piece *r = (struct dump_piece *)(void *)l->ahead_runs.data;
	size_t i = 0, count = l->ahead_runs.len / sizeof *r, left = len;

	assert(len <= l->ahead.len);
	for (; i < count && (left > 0 || all || r[i].hole); i++) {
		uint64_t n = r[i].len;

		if (!r[i].hole && n > left)
			n = left;
		if (add_run(&job->runs, r[i].hole, n, err) != 0)
			return -1;
		left -= r[i].hole ? 0 : (size_t)n;
		r[i].len -= n;
		if (r[i].len > 0)
			break;
	}
	assert(left == 0);
	buf_drop(&l->ahead_runs, i * sizeof *r);
	if (buf_add(&job->content, l->ahead.data, len, err) != 0)
		return -1;
	buf_drop(&l->ahead, len);
	return 0;
}

/* Reads up to the next cut, or the end. */
int dump_job_large_next(struct dump_job_large *l, struct dump_job *job, struct err *err)
{
	struct dump_cutter cutter;
	size_t cut = 0;
	bool ends = false;
	int got;

	assert(l->file.running);
	dump_cutter_start(&cutter, l->gear);
	for (;;) {
		size_t len = l->ahead.len < DUMP_CUT_MAX ? l->ahead.len : DUMP_CUT_MAX;

		if (len > 0)
			cut = dump_cutter_cut(&cutter, l->ahead.data, len, ends);
		if (cut > 0 || ends)
			break;
		pack_part_reset(l->part);
		got = pack_feed_fill(l->part, &l->file.stream, NULL, err);
		if (got < 0 || take_part(l, err) != 0)
			return -1;
		ends = got == 0;
	}
	job->batch.large = true;
	job->fs = l->fs;
	if (move_content(l, job, cut, l->file.stream.fd < 0 && l->ahead.len == cut, err) != 0)
		return -1;
	if (l->file.stream.fd >= 0 || l->ahead.len > 0)
		return 0;
	return pack_large_end(&l->file, &job->batch, err);
}

/* The file is open: its HEAD and its first chunk go into the job. */
static int first_chunk(struct dump_job_large *l, struct dump_job *job, struct err *err)
{
	struct pack_part *part = job->batch.parts[0];

	buf_clear(&l->ahead);
	buf_clear(&l->ahead_runs);
	if (buf_add(&job->out, part->raw.data, part->raw.len, err) != 0)
		return -1;
	pack_part_reset(part);
	return dump_job_large_next(l, job, err);
}

int dump_job_large_begin(struct dump_job_large *l, struct dump_job *job,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, uint64_t fs,
	struct err *err)
{
	int got = pack_large_begin(&l->file, &job->batch, reader, item, err);

	if (got != 0)
		return got < 0 ? -1 : 0;
	l->fs = fs;
	return first_chunk(l, job, err);
}

int dump_job_large_command(
	struct dump_job_large *l, struct dump_job *job, const char *text, struct err *err)
{
	l->fs = 0;
	if (pack_large_command(&l->file, &job->batch, text, err) != 0)
		return -1;
	return first_chunk(l, job, err);
}

int dump_job_large_join(struct dump_job_large *l, struct dump_job *job, struct err *err)
{
	const struct dump_piece *r = (const struct dump_piece *)(const void *)job->runs.data;
	size_t i, at = 0;
	uint8_t sum[HASH_LEN], *to;
	const struct pack_part *part;
	struct cbor_out out;
	struct dump_chunk *c;

	assert(job->batch.large);
	if (job->batch.large_begins)
		pack_digest_begin(l->digest, job->batch.large_sparse);
	if (job->content.len > 0) {
		if (last_chunk(job, &c, err) != 0)
			return -1;
		c->at = 0;
		c->len = job->content.len;
		job->batch.read += c->len;
	}
	for (i = 0; i < job->runs.len / sizeof *r; i++) {
		if (!r[i].hole) {
			assert(r[i].len <= job->content.len - at);
			pack_digest_data(l->digest, job->content.data + at, (size_t)r[i].len);
			if (add_ref(job, 0, at, (size_t)r[i].len, err) != 0)
				return -1;
			at += (size_t)r[i].len;
			continue;
		}
		pack_digest_hole(l->digest, r[i].len);
		if ((to = buf_room(&job->out, PACK_HOLE_MAX, err)) == NULL)
			return -1;
		cbor_out_init(&out, to, PACK_HOLE_MAX);
		cbor_put_uint(&out, r[i].len);
		buf_took(&job->out, cbor_out_len(&out));
	}
	assert(at == job->content.len);
	if (!job->batch.large_ends)
		return 0;
	pack_digest_end(l->digest, sum);
	if (pack_large_tail(&job->batch, sum, err) != 0)
		return -1;
	part = job->batch.parts[0];
	return buf_add(&job->out, part->raw.data, part->raw.len, err);
}
