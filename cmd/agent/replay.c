/*
 * The lanes (lib/lane) of a dump that is read:
 *
 *   plan   serial    decode the manifest; gather entries into a job, mostly those
 *                    that lie in one chunk
 *   build  parallel  fetch chunks, put content where the references were
 *   number serial    order
 *   press  parallel  check
 *   emit   serial    out
 */
#include "cmd/agent/replay.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/agent/source.h"
#include "cmd/store/marks.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/lane.h"
#include "lib/seal.h"
#include "pack/entry.h"
#include "pack/part.h"
#include "pack/press.h"

#define TARGET    (896u << 10) /* of a part */
#define JOB_SOON  (512u << 10) /* a job with this much ends at the next chunk's beginning */
#define JOB_FULL  (1u << 20)
#define JOB_ITEMS (256u << 10) /* bytes of the manifest in a job */
#define DEPTH     8

struct job {
	struct buf items; /* of the manifest, in order: HEAD, REF, HOLE, TAIL */
	struct buf path;  /* of the entry that is open at the beginning */
	uint64_t content; /* bytes that REFs name */
	struct pack_part **parts;
	size_t part_count, parts_cap;
};

struct worker {
	struct agent_taker *taker;
	struct pack_press *press;
	struct buf chunk; /* the last one */
	uint8_t id[STORE_ID_LEN];
	bool has_chunk;
};

struct replay {
	const struct agent_replay_options *o;
	struct agent_replayed *result;
	struct pack_writer *writer;
	struct pack_press *press;
	pthread_mutex_t lock; /* over the callback `lost` */
	/* plan */
	struct agent_taker *taker;
	struct buf piece, path;
	struct cbor_in in;
	uint64_t piece_number;
	bool open, skipping;        /* an entry is running; it is not wanted */
	uint8_t last[STORE_ID_LEN]; /* the chunk that was named last */
};

/* --- jobs ---------------------------------------------------------------- */

static void job_free(struct job *job)
{
	size_t i;

	if (job == NULL)
		return;
	for (i = 0; i < job->parts_cap; i++)
		pack_part_free(job->parts[i]);
	free(job->parts);
	buf_fini(&job->items);
	buf_fini(&job->path);
	free(job);
}

static struct job *job_new(struct err *err)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&job->items, SIZE_MAX);
	buf_init(&job->path, PACK_PATH_MAX);
	return job;
}

/* One more part; those of the job before are used again. */
static struct pack_part *add_part(struct job *job, struct err *err)
{
	struct pack_part **grown;

	if (job->part_count < job->parts_cap) {
		pack_part_reset(job->parts[job->part_count]);
		return job->parts[job->part_count++];
	}
	grown = realloc(job->parts, (job->parts_cap + 1) * sizeof *grown);
	if (grown == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	job->parts = grown;
	grown[job->parts_cap] = pack_part_new(TARGET, err);
	if (grown[job->parts_cap] == NULL)
		return NULL;
	job->part_count = ++job->parts_cap;
	return grown[job->part_count - 1];
}

/* --- plan ---------------------------------------------------------------- */

static int next_piece(struct replay *r, struct err *err)
{
	int got = agent_taker_piece(r->taker, r->piece_number, &r->piece, err);

	if (got == 0) {
		r->piece_number++;
		cbor_in_init(&r->in, r->piece.data, r->piece.len);
	}
	return got;
}

/* Whether the entry's content was met before. One that goes over the end of a
 * piece is taken for new. Returns 0, 1 or -1. */
static int met_before(struct replay *r, struct err *err)
{
	struct cbor_in in = r->in;
	struct pack_item item;

	if (r->o->seen == NULL)
		return 0;
	do {
		if (pack_manifest_item_get(&in, &item, NULL) != 0 || item.kind == PACK_ITEM_NONE)
			return 0;
	} while (item.kind != PACK_ITEM_TAIL);
	if (cbor_skip(&in, DEPTH) != CBOR_OK)
		return 0;
	return store_marks_add(r->o->seen, hash_xxh3(r->in.at, (size_t)(in.at - r->in.at)), err);
}

/* A HEAD: is the entry wanted? */
static int plan_head(struct replay *r, struct job *job, struct err *err)
{
	const uint8_t *start = r->in.at;
	struct pack_head head = {0};
	int met;

	if (pack_head_get(&r->in, &head, err) != 0)
		return err_prefix(err, "manifest");
	if ((met = met_before(r, err)) < 0)
		return -1;
	r->open = true;
	r->skipping = met > 0;
	if (!r->skipping)
		r->skipping = r->o->selected != NULL &&
			      !r->o->selected(r->o->ctx, head.path.at, head.path.len,
				      head.type == PACK_DIRECTORY);
	if (r->skipping)
		return 0;
	buf_clear(&r->path);
	if (buf_add(&r->path, head.path.at, head.path.len, err) != 0)
		return -1;
	return buf_add(&job->items, start, (size_t)(r->in.at - start), err);
}

/* An item of the open entry. Returns 0; 1: it belongs into the next job. */
static int plan_item(struct replay *r, struct job *job, struct err *err)
{
	const uint8_t *start = r->in.at;
	struct pack_item item;

	if (pack_manifest_item_get(&r->in, &item, err) != 0)
		return err_prefix(err, "manifest");
	if (item.kind == PACK_ITEM_REF && !r->skipping) {
		bool other = memcmp(r->last, item.data.at, STORE_ID_LEN) != 0;

		if (job->content + item.len > JOB_FULL ? job->content > 0
						       : other && job->content >= JOB_SOON) {
			r->in.at = start;
			return 1;
		}
		memcpy(r->last, item.data.at, STORE_ID_LEN);
		job->content += item.len;
	}
	if (item.kind == PACK_ITEM_TAIL) {
		if (cbor_skip(&r->in, DEPTH) != CBOR_OK)
			return err_set(err, ERR_DAMAGE, "manifest: malformed");
		r->open = false;
	}
	if (r->skipping)
		return 0;
	return buf_add(&job->items, start, (size_t)(r->in.at - start), err);
}

static int plan(void *ctx, void *worker, void *job_, struct err *err)
{
	struct replay *r = ctx;
	struct job *job = job_;
	int got = 0;

	(void)worker;
	buf_clear(&job->items);
	buf_clear(&job->path);
	job->content = 0;
	job->part_count = 0;
	if (r->open && buf_add(&job->path, r->path.data, r->path.len, err) != 0)
		return -1;
	while (got == 0 && job->items.len < JOB_ITEMS) {
		if (r->in.at == r->in.end) {
			got = next_piece(r, err);
			if (got == 1 && r->open)
				return err_set(err, ERR_DAMAGE, "manifest: the last entry is cut");
			continue;
		}
		got = r->open ? plan_item(r, job, err) : plan_head(r, job, err);
	}
	return got < 0 ? -1 : got > 0 && job->items.len == 0;
}

/* --- build --------------------------------------------------------------- */

static int need_chunk(struct worker *w, const uint8_t *id, struct err *err)
{
	if (w->has_chunk && memcmp(w->id, id, sizeof w->id) == 0)
		return 0;
	w->has_chunk = false;
	if (agent_taker_chunk(w->taker, id, &w->chunk, err) != 0)
		return -1;
	memcpy(w->id, id, sizeof w->id);
	w->has_chunk = true;
	return 0;
}

/* Bytes as DATA, over as many parts as it takes. */
static int put_data(
	struct job *job, struct pack_part **part, const uint8_t *bytes, size_t len, struct err *err)
{
	while (len > 0) {
		size_t n = pack_part_left(*part);
		uint8_t *to;

		if (n == 0) {
			if ((*part = add_part(job, err)) == NULL)
				return -1;
			continue;
		}
		n = n < len ? n : len;
		if ((to = pack_part_room(*part, n, err)) == NULL)
			return -1;
		memcpy(to, bytes, n);
		pack_part_took(*part, n);
		bytes += n;
		len -= n;
	}
	return 0;
}

static void tell_lost(struct replay *r, const struct buf *path, const char *what)
{
	pthread_mutex_lock(&r->lock);
	r->result->lost++;
	r->o->lost(r->o->ctx, path->data, path->len, what);
	pthread_mutex_unlock(&r->lock);
}

/* A chunk that can't be had leaves a gap: the TAIL's size and checksum tell. */
static int put_ref(struct replay *r, struct job *job, struct worker *w, struct pack_part **part,
	const struct pack_item *item, bool *gap, struct err *err)
{
	struct err why = {0};

	if (need_chunk(w, item->data.at, &why) == 0 &&
		(uint64_t)item->offset + item->len <= w->chunk.len)
		return put_data(job, part, w->chunk.data + item->offset, item->len, err);
	if (why.code == ERR_NOMEM || why.code == ERR_DENIED) {
		*err = why;
		return -1;
	}
	if (!*gap)
		tell_lost(r, &job->path,
			why.code != ERR_NONE ? why.message
					     : "a chunk is shorter than it should be");
	*gap = true;
	return 0;
}

static int put_map(
	struct job *job, struct pack_part **part, struct cbor_in *in, bool *open, struct err *err)
{
	struct pack_head head = {0};
	struct pack_tail tail = {0};

	if (pack_part_full(*part) && (*part = add_part(job, err)) == NULL)
		return -1;
	if (*open) {
		*open = false;
		return pack_tail_get(in, &tail, err) == 0 ? pack_part_tail(*part, &tail, err) : -1;
	}
	*open = true;
	if (pack_head_get(in, &head, err) != 0 || pack_part_head(*part, &head, err) != 0)
		return -1;
	buf_clear(&job->path);
	return buf_add(&job->path, head.path.at, head.path.len, err);
}

static int build(void *ctx, void *worker, void *job_, struct err *err)
{
	struct replay *r = ctx;
	struct job *job = job_;
	struct pack_part *part = add_part(job, err);
	bool open = job->path.len > 0, gap = false;
	struct pack_item item;
	struct cbor_in in;
	int got = part != NULL ? 0 : -1;

	cbor_in_init(&in, job->items.data, job->items.len);
	while (got == 0 && in.at < in.end) {
		const uint8_t *start = in.at;

		if (pack_manifest_item_get(&in, &item, err) != 0)
			return -1;
		if (item.kind == PACK_ITEM_TAIL) {
			in.at = start;
			gap &= open;
			got = put_map(job, &part, &in, &open, err);
		} else if (item.kind == PACK_ITEM_REF) {
			got = put_ref(r, job, worker, &part, &item, &gap, err);
		} else {
			if (pack_part_full(part) && (part = add_part(job, err)) == NULL)
				return -1;
			got = pack_part_hole(part, item.hole, err);
		}
		if (!open)
			gap = false;
	}
	return got;
}

/* --- number, press, emit --------------------------------------------------- */

static int number(void *ctx, void *worker, void *job_, struct err *err)
{
	struct replay *r = ctx;
	struct job *job = job_;
	size_t i;

	(void)worker;
	(void)err;
	for (i = 0; i < job->part_count; i++)
		if (!pack_part_empty(job->parts[i]))
			pack_writer_number(r->writer, job->parts[i]);
	return 0;
}

static int press(void *ctx, void *worker, void *job_, struct err *err)
{
	struct worker *w = worker;
	struct job *job = job_;
	size_t i;

	(void)ctx;
	for (i = 0; i < job->part_count; i++)
		if (!pack_part_empty(job->parts[i]) &&
			pack_writer_press(w->press, job->parts[i], err) != 0)
			return -1;
	return 0;
}

static int emit(void *ctx, void *worker, void *job_, struct err *err)
{
	struct replay *r = ctx;
	struct job *job = job_;
	size_t i;

	(void)worker;
	for (i = 0; i < job->part_count; i++)
		if (!pack_part_empty(job->parts[i]) &&
			pack_writer_emit(r->writer, job->parts[i], err) != 0)
			return -1;
	return 0;
}

/* --- the whole ----------------------------------------------------------- */

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	agent_taker_free(w->taker);
	pack_press_free(w->press);
	buf_fini(&w->chunk);
	free(w);
}

static struct worker *worker_new(struct replay *r, struct err *err)
{
	struct worker *w = calloc(1, sizeof *w);

	if (w == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&w->chunk, STORE_CONTENT_MAX);
	w->taker = agent_taker_new(r->o->source, err);
	w->press = w->taker != NULL ? pack_press_new(0, err) : NULL;
	if (w->press != NULL)
		return w;
	worker_free(w);
	return NULL;
}

static int replay_init(struct replay *r, struct err *err)
{
	const struct store_dump *dump = agent_source_dump(r->o->source);
	struct pack_writer_options o = {
		.has_time = true,
		.time = {dump->began.sec, dump->began.nsec},
		.program = "fdump " FDUMP_VERSION,
	};

	pthread_mutex_init(&r->lock, NULL);
	buf_init(&r->piece, STORE_CONTENT_MAX);
	buf_init(&r->path, PACK_PATH_MAX);
	if (seal_random(o.id, sizeof o.id, err) != 0)
		return -1;
	r->taker = agent_taker_new(r->o->source, err);
	r->press = r->taker != NULL ? pack_press_new(0, err) : NULL;
	if (r->press == NULL)
		return -1;
	r->writer = pack_writer_new(&o, r->press, r->o->sink, r->o->sink_ctx, err);
	return r->writer != NULL ? 0 : -1;
}

static void replay_fini(struct replay *r)
{
	pack_writer_free(r->writer);
	pack_press_free(r->press);
	agent_taker_free(r->taker);
	buf_fini(&r->piece);
	buf_fini(&r->path);
	pthread_mutex_destroy(&r->lock);
}

static int run_lanes(struct replay *r, struct job **jobs, size_t job_count, struct worker **workers,
	size_t worker_count, struct err *err)
{
	static const struct lane_stage stages[] = {
		{LANE_SERIAL, plan, NULL},
		{LANE_PARALLEL, build, NULL},
		{LANE_SERIAL, number, NULL},
		{LANE_PARALLEL, press, NULL},
		{LANE_SERIAL, emit, NULL},
	};
	size_t i;

	for (i = 0; i < job_count; i++)
		if ((jobs[i] = job_new(err)) == NULL)
			return -1;
	for (i = 0; i < worker_count; i++)
		if ((workers[i] = worker_new(r, err)) == NULL)
			return -1;
	if (pack_writer_start(r->writer, err) != 0 ||
		lane_run(stages, sizeof stages / sizeof *stages, (void **)jobs, job_count,
			(void **)workers, worker_count, r, err) != 0)
		return -1;
	return pack_writer_end(r->writer, err);
}

int agent_replay(
	const struct agent_replay_options *options, struct agent_replayed *result, struct err *err)
{
	struct replay r = {.o = options, .result = result};
	size_t worker_count = options->threads, job_count = worker_count * 2 + 2, i;
	struct job **jobs = calloc(job_count, sizeof *jobs);
	struct worker **workers = calloc(worker_count, sizeof *workers);
	int got = -1;

	*result = (struct agent_replayed){.lost = 0};
	if (jobs == NULL || workers == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	else if (replay_init(&r, err) == 0)
		got = run_lanes(&r, jobs, job_count, workers, worker_count, err);
	if (got == 0)
		pack_writer_totals(r.writer, &result->totals);
	for (i = 0; jobs != NULL && i < job_count; i++)
		job_free(jobs[i]);
	for (i = 0; workers != NULL && i < worker_count; i++)
		worker_free(workers[i]);
	free(jobs);
	free(workers);
	replay_fini(&r);
	return got;
}
