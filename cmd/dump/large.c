#include "cmd/dump/large.h"

#include <assert.h>

#include "cmd/dump/cutter.h"
#include "cmd/dump/job.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "pack/digest.h"
#include "pack/feed.h"
#include "pack/part.h"

#define STEP (256u << 10) /* it is read by */

int dump_large_init(struct dump_large *l, const uint64_t gear[256], struct err *err)
{
	*l = (struct dump_large){.gear = gear};
	pack_large_init(&l->file);
	buf_init(&l->ahead, SIZE_MAX);
	buf_init(&l->ahead_runs, SIZE_MAX);
	l->digest = pack_digest_new(err);
	l->part = l->digest != NULL ? pack_part_new(STEP, err) : NULL;
	return l->part != NULL ? 0 : -1;
}

void dump_large_fini(struct dump_large *l)
{
	pack_large_fini(&l->file);
	pack_digest_free(l->digest);
	pack_part_free(l->part);
	buf_fini(&l->ahead);
	buf_fini(&l->ahead_runs);
}

/* --- reading and cutting --------------------------------------------------- */

static int add_run(struct buf *runs, bool hole, uint64_t len, struct err *err)
{
	struct dump_piece r = {hole, len};

	return len > 0 ? buf_add(runs, &r, sizeof r, err) : 0;
}

/* Takes what was read out of the part. */
static int take_part(struct dump_large *l, struct err *err)
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

/* Moves the first `len` bytes of content, and the runs that they are of, to the
 * job; with `all`, holes behind them too. */
static int move_content(
	struct dump_large *l, struct dump_job *job, size_t len, bool all, struct err *err)
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

/* Reads on up to the next cut, or the end. */
int dump_large_next(struct dump_large *l, struct dump_job *job, struct err *err)
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

/* It has begun: its HEAD goes into the job, and its first chunk. */
static int first_chunk(struct dump_large *l, struct dump_job *job, struct err *err)
{
	struct pack_part *part = job->batch.parts[0];

	buf_clear(&l->ahead);
	buf_clear(&l->ahead_runs);
	if (buf_add(&job->out, part->raw.data, part->raw.len, err) != 0)
		return -1;
	pack_part_reset(part);
	return dump_large_next(l, job, err);
}

int dump_large_begin(struct dump_large *l, struct dump_job *job, struct pack_batch_reader *reader,
	const struct pack_scan_item *item, uint64_t fs, struct err *err)
{
	int got = pack_large_begin(&l->file, &job->batch, reader, item, err);

	if (got != 0)
		return got < 0 ? -1 : 0;
	l->fs = fs;
	return first_chunk(l, job, err);
}

int dump_large_command(
	struct dump_large *l, struct dump_job *job, const char *text, struct err *err)
{
	l->fs = 0;
	if (pack_large_command(&l->file, &job->batch, text, err) != 0)
		return -1;
	return first_chunk(l, job, err);
}

/* --- joining ---------------------------------------------------------------- */

int dump_large_join(struct dump_large *l, struct dump_job *job, struct err *err)
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
		if (dump_job_chunk(job, &c, err) != 0)
			return -1;
		c->at = 0;
		c->len = job->content.len;
		job->batch.read += c->len;
	}
	for (i = 0; i < job->runs.len / sizeof *r; i++) {
		if (!r[i].hole) {
			assert(r[i].len <= job->content.len - at);
			pack_digest_data(l->digest, job->content.data + at, (size_t)r[i].len);
			if (dump_job_ref(job, 0, at, (size_t)r[i].len, err) != 0)
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
