/* Parts to chunks: HEADs and TAILs are copied, DATA becomes a chunk's content and a REF. */
#include "cmd/dump/job.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "pack/part.h"

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "out of memory");
}

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
	struct dump_job *job = calloc(1, sizeof *job);

	if (job == NULL) {
		no_memory(err);
		return NULL;
	}
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

/* A chunk of the job that can take bytes, with what it has in *c. */
int dump_job_chunk(struct dump_job *job, struct dump_chunk **c, struct err *err)
{
	if (job->chunk_count > 0) {
		*c = &job->chunks[job->chunk_count - 1];
		if ((*c)->len < STORE_CONTENT_MAX && !job->cut)
			return 0;
	}
	if (job->chunk_count == job->chunks_cap) {
		size_t cap = job->chunks_cap + 2;
		struct dump_chunk *grown = realloc(job->chunks, cap * sizeof *grown);

		if (grown == NULL)
			return no_memory(err);
		job->chunks = grown;
		job->chunks_cap = cap;
	}
	*c = &job->chunks[job->chunk_count++];
	(*c)->at = job->content.len;
	(*c)->len = 0;
	job->cut = false;
	return 0;
}

/* A REF, whose id is put in later. */
int dump_job_ref(struct dump_job *job, size_t chunk, size_t offset, size_t len, struct err *err)
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

		if (dump_job_chunk(job, &c, err) != 0)
			return -1;
		n = STORE_CONTENT_MAX - c->len < len ? STORE_CONTENT_MAX - c->len : len;
		if (dump_job_ref(job, job->chunk_count - 1, c->len, n, err) != 0 ||
			buf_add(&job->content, bytes, n, err) != 0)
			return -1;
		c->len += n;
		bytes += n;
		len -= n;
	}
	return 0;
}

/* Goes through the entries of a job's parts, one after the other. */
struct walk {
	struct dump_job *job;
	size_t part;
	struct cbor_in in;
};

/* A whole map is copied to .out. */
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

/* Goes on to an entry's TAIL, and reads it. Returns false if it has holes, or can't be read. */
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

/* Puts references in place of content that the last manifest has; then the walk stands before the
 * TAIL. Returns 1, 0 if it has not, -1 with err set. */
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

/* The next entry's items, with its content moved into chunks. */
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
