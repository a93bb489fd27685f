/*
 * The stages (lib/lane) in which a pack is read:
 *
 *   fetch  serial    find the next block and read its payload, or get the feed's plan
 *   open   parallel  check, open, decompress, decode, hash whole entries, prepare
 *   link   serial    find the entries that span blocks
 *   chain  keyed     hash those: each in order, several at once
 *   take   serial    check the order, decide the verdicts
 *   apply  serial    the caller's use
 */
#include "pack/read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/lane.h"
#include "lib/mem.h"
#include "lib/seal.h"
#include "lib/sums.h"
#include "pack/chain.h"
#include "pack/digest.h"
#include "pack/frame.h"
#include "pack/load.h"
#include "pack/press.h"

#define WINDOW (128u << 10)

struct job {
	struct pack_load *load;
	struct pack_chain chain;
	bool has_block, stop;
	uint64_t garbage_at, garbage; /* bytes before the block that are not a block */
	bool trailing;
	uint64_t key_number; /* number of the payload key; 0: none */
	uint8_t key[32];
};

struct worker {
	struct pack_digest *digest;
	struct sums *sums;
	struct pack_press *press;
	uint64_t key_number;
	unsigned number;
};

struct run {
	const struct pack_read_options *o;
	struct pack_reader *reader;
	/* fetch */
	struct pack_frame frame;
	uint8_t *window;
	size_t have;
	uint64_t at; /* offset of the window in the input */
	bool eof, over;
	uint64_t fed; /* loads planned by the feed */
	uint64_t key_number, keys;
	uint8_t key[32];
	/* link */
	struct pack_chains chains;
	/* take */
	uint64_t worst; /* problems that affect more than one entry */
	/* apply */
	bool stopped;
};

/* --- fetch -------------------------------------------------------------- */

/* Makes sure that the window has n bytes, or reaches the end of the input. */
static int fill(struct run *r, size_t n, struct err *err)
{
	while (r->have < n && !r->eof) {
		/* After damage read much at once, otherwise only what is needed. */
		size_t want = (r->frame.scanning ? WINDOW : n) - r->have, got;

		if (fs_read_full(r->o->fd, r->window + r->have, want, &got) < 0)
			return err_errno(err, errno, "read");
		r->have += got;
		r->eof = got < want;
	}
	return 0;
}

static void drop(struct run *r, size_t n)
{
	memmove(r->window, r->window + n, r->have - n);
	r->have -= n;
	r->at += n;
}

/* Reads the payload, and with the same calls the next header into the window. Returns 0, 1 if
 * the input ends within the payload, -1 with err set. */
static int read_payload(struct run *r, uint8_t *to, size_t len, struct err *err)
{
	size_t n = r->have < len ? r->have : len;

	memcpy(to, r->window, n);
	drop(r, n);
	to += n;
	len -= n;
	while (len > 0) {
		struct iovec v[2] = {{to, len}, {r->window, PACK_BLOCK_HEADER}};
		ssize_t got = readv(r->o->fd, v, 2);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "read");
		if (got == 0) {
			r->eof = true;
			return 1;
		}
		n = (size_t)got < len ? (size_t)got : len;
		to += n;
		len -= n;
		r->at += n;
		r->have = (size_t)got - n;
	}
	return 0;
}

static int fetch_block(struct run *r, struct job *job, const struct pack_block *block,
	bool misplaced, struct err *err)
{
	uint8_t *to = pack_load_room(job->load, block, err);
	int got;

	if (to == NULL)
		return -1;
	job->load->at = r->at;
	job->load->misplaced = misplaced;
	drop(r, PACK_BLOCK_HEADER);
	got = read_payload(r, to, block->stored_len, err);
	if (got < 0)
		return -1;
	if (got > 0) {
		r->over = true; /* the input ends within this block */
		return job->garbage == 0;
	}
	job->has_block = true;
	if (!misplaced && block->kind == PACK_START)
		r->key_number = 0;
	if (!misplaced && block->kind == PACK_KEY && r->key_number == 0 && r->o->open_key != NULL &&
		hash_xxh3(job->load->stored.data, block->stored_len) == block->check) {
		if (r->o->open_key(r->o->key_ctx, job->load->stored.data, block->stored_len, r->key,
			    err) != 0)
			return -1;
		r->key_number = ++r->keys;
	}
	job->key_number = r->key_number;
	memcpy(job->key, r->key, sizeof job->key);
	return 0;
}

/* Gets the feed's plan for the next load, and stores it in place of a stored payload. */
static int fetch_plan(struct run *r, struct job *job, struct err *err)
{
	struct pack_block block = {.kind = PACK_ENTRY, .seq = r->fed++};

	job->has_block = true;
	r->o->feed->take_back(r->o->feed->ctx, job->load);
	if (pack_load_room(job->load, &block, err) == NULL)
		return -1;
	return r->o->feed->plan(r->o->feed->ctx, &job->load->stored, err);
}

static int fetch(void *ctx, void *worker, void *job_, struct err *err)
{
	struct run *r = ctx;
	struct job *job = job_;
	struct pack_block block;
	size_t n = 0;

	(void)worker;
	job->has_block = job->trailing = job->stop = false;
	job->garbage = 0;
	if (r->o->feed != NULL)
		return fetch_plan(r, job, err);
	if (r->over)
		return 1;
	for (;;) {
		switch (pack_frame_step(&r->frame, r->window, r->have, r->eof, &block, &n, err)) {
		case PACK_FRAME_BLOCK:
			return fetch_block(r, job, &block, false, err);
		case PACK_FRAME_MISPLACED:
			return fetch_block(r, job, &block, true, err);
		case PACK_FRAME_MORE:
			if (fill(r, n, err) != 0)
				return -1;
			break;
		case PACK_FRAME_SKIP:
			if (job->garbage == 0)
				job->garbage_at = r->at;
			job->garbage += n;
			drop(r, n);
			break;
		case PACK_FRAME_END:
			r->over = true;
			return job->garbage == 0;
		case PACK_FRAME_TRAILING:
			r->over = job->trailing = true;
			job->garbage_at = r->at;
			return 0;
		case PACK_FRAME_REFUSED:
			return err_prefix(err, "block at %llu", (unsigned long long)r->at);
		}
	}
}

/* --- open to apply -------------------------------------------------- */

static int open_load(void *ctx, void *worker, void *job_, struct err *err)
{
	struct run *r = ctx;
	struct worker *w = worker;
	struct job *job = job_;
	const struct pack_read_feed *feed = r->o->feed;
	int got;

	if (!job->has_block)
		return 0;
	if (job->key_number != w->key_number) {
		w->key_number = job->key_number;
		if (pack_press_key(w->press, job->key_number != 0 ? job->key : NULL, err) != 0)
			return -1;
	}
	if (feed == NULL)
		got = pack_load_open(job->load, w->press, w->digest, w->sums, err);
	else
		got = feed->build(feed->ctx, w->number, &job->load->stored, job->load, err) != 0
			      ? -1
			      : pack_load_decode(job->load, w->digest, w->sums, err);
	if (got != 0)
		return -1;
	if (r->o->prove && pack_chain_begin(&job->chain, job->load, err) != 0)
		return -1;
	return r->o->prepare != NULL ? r->o->prepare(r->o->ctx, job->load, err) : 0;
}

/* Passes the problem on, and counts it if it affects more than one entry. */
static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct run *r = ctx;
	const struct pack_read_feed *feed = r->o->feed;
	struct err why;

	if (kind != PACK_PROBLEM_ENTRY)
		r->worst++;
	else if (feed != NULL && feed->gap != NULL && feed->gap(feed->ctx, path, &why))
		what = why.message;
	r->o->problem(r->o->ctx, kind, offset, path, what);
}

static int link_load(void *ctx, void *worker, void *job_, struct err *err)
{
	struct run *r = ctx;
	struct job *job = job_;

	(void)worker;
	(void)err;
	if (job->has_block && r->o->prove)
		pack_chain_link(&r->chains, &job->chain, job->load);
	return 0;
}

static const void *chain_of(const void *job)
{
	return ((const struct job *)job)->chain.lead;
}

static int chain(void *ctx, void *worker, void *job_, struct err *err)
{
	struct job *job = job_;

	(void)ctx;
	(void)worker;
	(void)err;
	pack_chain_add(&job->chain, job->load);
	return 0;
}

static int take(void *ctx, void *worker, void *job_, struct err *err)
{
	struct run *r = ctx;
	struct job *job = job_;

	(void)worker;
	if (r->worst > 0 && !r->o->skip_damaged) { /* an earlier job stops the run, in apply */
		pack_chain_done(&job->chain);
		job->has_block = false;
		return 0;
	}
	if (job->garbage > 0)
		pack_reader_garbage(r->reader, job->garbage_at, job->garbage);
	if (job->trailing)
		pack_reader_trailing(r->reader, job->garbage_at);
	pack_chain_done(&job->chain);
	if (job->has_block && pack_reader_take(r->reader, job->load, err) != 0)
		return -1;
	job->stop = r->worst > 0 && !r->o->skip_damaged;
	return 0;
}

static int apply(void *ctx, void *worker, void *job_, struct err *err)
{
	struct run *r = ctx;
	struct job *job = job_;
	int got;

	(void)worker;
	if (job->has_block && r->o->apply != NULL) {
		got = r->o->apply(r->o->ctx, job->load, err);
		if (got != 0) {
			r->stopped = got > 0;
			return -1;
		}
	}
	return job->stop ? err_set(err, ERR_DAMAGE, "stopped at damage") : 0;
}

/* --- the whole ---------------------------------------------------------- */

static void job_free(struct job *job)
{
	if (job == NULL)
		return;
	pack_load_free(job->load);
	pack_chain_done(&job->chain);
	seal_wipe(job->key, sizeof job->key);
	free(job);
}

static struct job *job_new(const struct pack_read_options *o, struct err *err)
{
	struct job *job = mem_new(sizeof *job, err);

	if (job == NULL)
		return NULL;
	job->load = pack_load_new(err);
	if (job->load == NULL) {
		free(job);
		return NULL;
	}
	job->load->want_hash = o->prove;
	job->load->want_meta = o->prove && o->feed == NULL;
	return job;
}

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pack_digest_free(w->digest);
	sums_free(w->sums);
	pack_press_free(w->press);
	free(w);
}

static struct worker *worker_new(size_t number, struct err *err)
{
	struct worker *w = mem_new(sizeof *w, err);

	if (w == NULL)
		return NULL;
	w->number = (unsigned)number;
	w->digest = pack_digest_new(err);
	w->sums = w->digest != NULL ? sums_new(err) : NULL;
	w->press = w->sums != NULL ? pack_press_new(0, err) : NULL;
	if (w->press == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

int pack_read_run(
	const struct pack_read_options *options, struct pack_read *result, struct err *err)
{
	static const struct lane_stage stages[] = {
		{.kind = LANE_SERIAL, .step = fetch},
		{.kind = LANE_PARALLEL, .step = open_load},
		{.kind = LANE_SERIAL, .step = link_load},
		{.kind = LANE_KEYED, .step = chain, .key = chain_of},
		{.kind = LANE_SERIAL, .step = take},
		{.kind = LANE_SERIAL, .step = apply},
	};
	struct run r = {.o = options};
	size_t worker_count = options->threads, job_count = worker_count * 3 + 4, i;
	struct job **jobs = mem_new(job_count * sizeof *jobs, err);
	struct worker **workers = mem_new(worker_count * sizeof *workers, err);
	int got = -1;

	memset(result, 0, sizeof *result);
	r.window = mem_new(WINDOW, err);
	r.reader = pack_reader_new(
		options->feed != NULL, options->prove, options->need_key, on_problem, &r, err);
	if (jobs == NULL || workers == NULL || r.window == NULL || r.reader == NULL)
		goto out;
	for (i = 0; i < job_count; i++)
		if ((jobs[i] = job_new(options, err)) == NULL)
			goto out;
	for (i = 0; i < worker_count; i++)
		if ((workers[i] = worker_new(i, err)) == NULL)
			goto out;
	got = lane_run(stages, sizeof stages / sizeof *stages, (void **)jobs, job_count,
		(void **)workers, worker_count, &r, err);
	if (got == 0)
		pack_reader_finish(r.reader, r.at);
	else if (r.stopped)
		got = 1;
	pack_reader_result(r.reader, result);
	if (got == 0 && r.worst > 0 && !options->skip_damaged)
		got = err_set(err, ERR_DAMAGE, "damaged");
out:
	for (i = 0; jobs != NULL && i < job_count; i++) {
		if (jobs[i] != NULL && options->discard != NULL)
			options->discard(options->ctx, jobs[i]->load);
		if (jobs[i] != NULL && options->feed != NULL)
			options->feed->take_back(options->feed->ctx, jobs[i]->load);
		job_free(jobs[i]);
	}
	for (i = 0; workers != NULL && i < worker_count; i++)
		worker_free(workers[i]);
	free(jobs);
	free(workers);
	free(r.window);
	pack_reader_free(r.reader);
	pack_digest_free(r.chains.open);
	seal_wipe(r.key, sizeof r.key);
	return got;
}
