/*
 * The stages (lib/lane) in which a pack is created:
 *
 *   plan   serial    walk; collect small files in a job, or read the next
 *                    piece of a large one
 *   build  parallel  open, read and hash the small files
 *   join   serial    hash the large file's piece, number the blocks
 *   press  parallel  compress, seal, compute checks
 *   emit   serial    write, report
 *
 * A small file is opened, read, hashed and compressed by one thread, so it mostly stays in that
 * core's cache. A large one is read, hashed and written by different threads at the same time.
 * A job holds a list of parts: one, unless files turn out larger than planned.
 */
#include "pack/create.h"

#include <stdlib.h>

#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/lane.h"
#include "lib/mem.h"
#include "pack/batch.h"
#include "pack/digest.h"
#include "pack/part.h"
#include "pack/press.h"

#define SMALL_MAX (512u << 10) /* larger files are read in `plan`, by pieces */
#define TARGET    (768u << 10) /* of a part: much to hash together, few steps, near a cache */
#define ITEM_COST 256          /* estimate of the bytes that an entry takes besides its content */
#define ITEMS_MAX 1024         /* entries in a job */
#define DIRS_MAX  64           /* directories that a job keeps open */
/* Descriptors that are not for jobs: those of the scan, inputs and outputs. */
#define FILES_KEPT (PACK_SCAN_OPEN + 64)

struct worker {
	struct pack_batch_reader *reader;
	struct pack_press *press;
};

struct create {
	const struct pack_create_options *o;
	struct pack_writer *writer;
	/* plan */
	struct pack_walk walk;
	struct pack_large large; /* the large file in progress */
	size_t files;            /* open files allowed per job */
	size_t next_command;
	/* join */
	struct pack_digest *digest;
	/* emit */
	uint64_t problems;
};

static void batch_free(struct pack_batch *batch)
{
	if (batch != NULL)
		pack_batch_fini(batch);
	free(batch);
}

static struct pack_batch *batch_new(struct err *err)
{
	struct pack_batch *batch = mem_new(sizeof *batch, err);

	if (batch == NULL || pack_batch_init(batch, TARGET, err) == 0)
		return batch;
	batch_free(batch);
	return NULL;
}

/* --- plan --------------------------------------------------------------- */

static bool is_small(const struct pack_walk *walk)
{
	return walk->linked || !S_ISREG(walk->item.st.st_mode) ||
	       walk->item.st.st_size <= (off_t)SMALL_MAX;
}

/* Estimates the bytes that the pending item, a small one, will take in a part. */
static size_t cost(const struct pack_walk *walk)
{
	const struct pack_scan_item *item = &walk->item;
	bool has_content = S_ISREG(item->st.st_mode) && !walk->linked;

	return ITEM_COST + 2 * item->path_len + (has_content ? (size_t)item->st.st_size : 0);
}

/* Fills the job's part from the large file, and stores the outcome if the file ends here. */
static int read_large(struct create *c, struct pack_batch *batch, struct err *err)
{
	int got = pack_feed_fill(batch->parts[0], &c->large.stream, NULL, err);

	batch->large = true;
	if (got != 0)
		return got < 0 ? -1 : 0;
	return pack_large_end(&c->large, batch, err);
}

static int plan(void *ctx, void *worker, void *job, struct err *err)
{
	struct create *c = ctx;
	struct pack_batch *batch = job;
	size_t count, planned = 0; /* bytes */
	bool full;
	int got;

	pack_batch_reset(batch);
	pack_scan_open(c->walk.scan, c->files);
	if (c->large.running)
		return read_large(c, batch, err);
	if (c->o->commands != NULL && c->o->commands[c->next_command] != NULL)
		return pack_large_command(
			       &c->large, batch, c->o->commands[c->next_command++], err) == 0
			       ? read_large(c, batch, err)
			       : -1;
	for (;;) {
		got = pack_walk_next(&c->walk, batch, err);
		if (got < 0)
			return -1;
		if (got > 0)
			return batch->plans.len == 0 && batch->notes.len == 0;
		pack_batch_plans(batch, &count);
		full = planned + cost(&c->walk) > TARGET || count >= ITEMS_MAX ||
		       batch->dirs >= DIRS_MAX;
		if (count > 0 && (full || !is_small(&c->walk)))
			return 0; /* the item is for the next job */
		if (!is_small(&c->walk)) {
			c->walk.pending = false;
			got = pack_large_begin(&c->large, batch, ((struct worker *)worker)->reader,
				&c->walk.item, err);
			if (got != 0)
				return got < 0 ? -1 : 0;
			return read_large(c, batch, err);
		}
		planned += cost(&c->walk);
		if (pack_batch_add(batch, &c->walk, true, err) != 0)
			return -1;
	}
}

/* --- build, join, press, emit ------------------------------------------- */

static int build(void *ctx, void *worker, void *job, struct err *err)
{
	struct worker *w = worker;
	struct pack_batch *batch = job;

	(void)ctx;
	return pack_batch_read(batch, w->reader, err);
}

/* Hashes a piece of the large file; writes its TAIL if it ends here. */
static int join_large(struct create *c, struct pack_batch *batch, struct err *err)
{
	const struct pack_part *part = batch->parts[0];
	uint8_t sum[HASH_LEN];
	struct pack_item item;
	struct cbor_in in;

	if (batch->large_begins)
		pack_digest_begin(c->digest, batch->large_sparse);
	cbor_in_init(&in, part->raw.data + part->content, part->raw.len - part->content);
	for (;;) {
		if (pack_item_get(&in, &item, err) != 0)
			return -1;
		if (item.kind >= PACK_ITEM_TAIL)
			break;
		pack_digest_item(c->digest, &item);
	}
	if (!batch->large_ends)
		return 0;
	pack_digest_end(c->digest, sum);
	return pack_large_tail(batch, sum, err);
}

static int join(void *ctx, void *worker, void *job, struct err *err)
{
	struct create *c = ctx;
	struct pack_batch *batch = job;
	size_t i;

	(void)worker;
	if (batch->large && join_large(c, batch, err) != 0)
		return -1;
	for (i = 0; i < batch->part_count; i++)
		if (!pack_part_empty(batch->parts[i]))
			pack_writer_number(c->writer, batch->parts[i]);
	return 0;
}

static int press(void *ctx, void *worker, void *job, struct err *err)
{
	struct worker *w = worker;
	struct pack_batch *batch = job;
	size_t i;

	(void)ctx;
	for (i = 0; i < batch->part_count; i++)
		if (!pack_part_empty(batch->parts[i]) &&
			pack_writer_press(w->press, batch->parts[i], err) != 0)
			return -1;
	return 0;
}

static int emit(void *ctx, void *worker, void *job, struct err *err)
{
	struct create *c = ctx;
	const struct pack_create_options *o = c->o;
	struct pack_batch *batch = job;
	size_t i, count;
	const struct pack_plan *plans = pack_batch_plans(batch, &count);

	(void)worker;
	for (i = 0; i < batch->part_count; i++) {
		struct pack_part *part = batch->parts[i];

		if (!pack_part_empty(part) && pack_writer_emit(c->writer, part, err) != 0)
			return -1;
		if (o->progress != NULL)
			o->progress(o->ctx, part->raw.len, part->heads);
	}
	for (i = 0; i < count && o->entry != NULL; i++)
		if (!plans[i].left_out)
			o->entry(o->ctx, pack_batch_at(batch, plans[i].path), plans[i].path_len);
	if (batch->large_ends && o->entry != NULL)
		o->entry(o->ctx, (const char *)batch->large_path.data, batch->large_path.len);
	c->problems += pack_batch_report(batch, o->problem, o->ctx);
	return 0;
}

/* --- the whole ---------------------------------------------------------- */

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pack_batch_reader_free(w->reader);
	pack_press_free(w->press);
	free(w);
}

static struct pack_press *make_press(const struct pack_create_options *o, struct err *err)
{
	struct pack_press *press = pack_press_new(o->level, err);

	if (press != NULL && o->payload_key != NULL &&
		pack_press_key(press, o->payload_key, err) != 0) {
		pack_press_free(press);
		return NULL;
	}
	return press;
}

static struct worker *worker_new(const struct pack_create_options *o, struct err *err)
{
	struct worker *w = mem_new(sizeof *w, err);

	if (w == NULL)
		return NULL;
	w->reader = pack_batch_reader_new(o->xattrs, o->owner_names, err);
	w->press = w->reader != NULL ? make_press(o, err) : NULL;
	if (w->press != NULL)
		return w;
	worker_free(w);
	return NULL;
}

/* The number of files that a job may keep open. */
static size_t files_of_a_job(size_t jobs)
{
	size_t limit = fs_raise_file_limit(), kept = FILES_KEPT + jobs * DIRS_MAX;

	return limit > kept ? (limit - kept) / jobs : 0;
}

int pack_create(
	const struct pack_create_options *options, struct pack_created *created, struct err *err)
{
	static const struct lane_stage stages[] = {
		{.kind = LANE_SERIAL, .step = plan},
		{.kind = LANE_PARALLEL, .step = build},
		{.kind = LANE_SERIAL, .step = join},
		{.kind = LANE_PARALLEL, .step = press},
		{.kind = LANE_SERIAL, .step = emit},
	};
	struct create c = {.o = options};
	struct pack_press *own_press = NULL; /* the writer's */
	size_t worker_count = options->threads, job_count = worker_count * 2 + 2, i;
	struct pack_batch **jobs = mem_new(job_count * sizeof *jobs, err);
	struct worker **workers = mem_new(worker_count * sizeof *workers, err);
	int ret = -1;

	c.files = files_of_a_job(job_count);
	pack_large_init(&c.large);
	if (jobs == NULL || workers == NULL || pack_walk_init(&c.walk, &options->scan, err) != 0 ||
		(c.digest = pack_digest_new(err)) == NULL ||
		(own_press = make_press(options, err)) == NULL ||
		(c.writer = pack_writer_new(&options->writer, own_press, options->sink,
			 options->sink_ctx, err)) == NULL)
		goto out;
	for (i = 0; i < job_count; i++)
		if ((jobs[i] = batch_new(err)) == NULL)
			goto out;
	for (i = 0; i < worker_count; i++)
		if ((workers[i] = worker_new(options, err)) == NULL)
			goto out;
	if (pack_writer_start(c.writer, err) != 0 ||
		lane_run(stages, sizeof stages / sizeof *stages, (void **)jobs, job_count,
			(void **)workers, worker_count, &c, err) != 0)
		goto out;
	created->problems = c.problems + c.walk.untold;
	pack_writer_totals(c.writer, &created->totals);
	if (created->totals.entries == 0 && created->problems > 0) {
		err_set(err, ERR_NOTFOUND, "none of the given paths can be read");
		goto out;
	}
	ret = pack_writer_end(c.writer, err);
	pack_writer_totals(c.writer, &created->totals);
out:
	for (i = 0; jobs != NULL && i < job_count; i++)
		batch_free(jobs[i]);
	for (i = 0; workers != NULL && i < worker_count; i++)
		worker_free(workers[i]);
	free(jobs);
	free(workers);
	pack_large_fini(&c.large);
	pack_walk_fini(&c.walk);
	pack_digest_free(c.digest);
	pack_writer_free(c.writer);
	pack_press_free(own_press);
	return ret;
}
