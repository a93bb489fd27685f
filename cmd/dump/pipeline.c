/*
 * The stages (lib/lane) of a backup:
 *
 *   plan   serial    walk on, in step with the last manifest; gather small files
 *                    into chunks, or read and cut the next chunk of a large one
 *   build  parallel  open, read and hash the small files; make manifest items
 *   join   serial    hash the large file's chunk
 *   name   parallel  compute the chunks' ids
 *   ask    gathered  ask the stores which chunks they lack
 *   press  parallel  compress and seal a chunk if a store lacks it
 *   emit   serial    store it; write the manifest; report
 *
 * A job has some chunks of small files, whole, or one chunk of a large file. Entries that are
 * carried over from the last manifest pass through a job unchanged.
 */
#include "cmd/dump/pipeline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/dump/order.h"
#include "cmd/dump/fanout.h"
#include "cmd/dump/cutter.h"
#include "cmd/dump/job.h"
#include "cmd/dump/previous.h"
#include "cmd/dump/manifest.h"
#include "cmd/dump/crypt.h"
#include "cmd/store/marks.h"
#include "cmd/store/store.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fsid.h"
#include "lib/hash.h"
#include "lib/lane.h"
#include "lib/le.h"
#include "lib/mem.h"
#include "lib/zst.h"
#include "pack/batch.h"

#define DIRS_MAX  256          /* directories that a job keeps open */
#define CARRY_MAX (512u << 10) /* bytes of carried-over entries in a job */
#define ASK_MAX   64           /* ids in one question to the stores */
#define DUE_MAX   (64u << 10)  /* bytes of the manifest in one question */

/* A job ends with the chunk that brings the content of its small files to this many bytes. */
#define JOB_CONTENT (512u << 10)

struct worker {
	struct pack_batch_reader *reader;
	struct zst *zst; /* NULL at level 0 */
};

/* Pieces of the manifest and of its list that wait to be stored. Several are gathered, then the
 * stores are asked about all of them at once, and those that a store lacks are sealed and put. */
struct pieces {
	struct {
		bool list;
		size_t at, len; /* in .content; a piece larger than DUE_MAX is alone there */
	} due[ASK_MAX];
	uint8_t ids[ASK_MAX][STORE_ID_LEN];
	size_t count;
	struct buf content, record;
	struct zst *zst;
};

struct backup {
	const struct dump_pipeline_options *o;
	struct store_time began;
	struct dump_run run;
	struct pieces pieces;
	struct dump_manifest *manifest;
	struct dump_previous_out *last_out;
	/* Used by plan. */
	struct dump_previous *last;
	struct dump_old
		old; /* the next entry, if has_old; at_old: it has the path of the pending item */
	bool has_old, at_old;
	dev_t dev; /* the device of `fs`, if fs_known */
	uint64_t fs;
	bool fs_known;
	struct pack_walk walk;
	struct dump_job_large large;
	size_t next_command;
	struct dump_pipeline_result *result; /* set by emit */
};

/* --- the last manifest --------------------------------------------------- */

/* "." comes before everything, "/" before all other bytes. */
int dump_path_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t i, n;

	a_len = a_len == 1 && a[0] == '.' ? 0 : a_len;
	b_len = b_len == 1 && b[0] == '.' ? 0 : b_len;
	n = a_len < b_len ? a_len : b_len;
	for (i = 0; i < n; i++)
		if (a[i] != b[i]) {
			int x = a[i] == '/' ? 0 : (unsigned char)a[i];
			int y = b[i] == '/' ? 0 : (unsigned char)b[i];

			return x - y;
		}
	return (a_len > b_len) - (a_len < b_len);
}

/* The file system of the pending item. Most items are on the same one as the item before. */
static uint64_t fs_of(struct backup *b)
{
	const struct pack_scan_item *item = &b->walk.item;
	int fd = item->fd >= 0 ? item->fd : item->self != NULL ? item->self->fd : item->dir->fd;
	struct stat st;
	bool same;

	if (b->fs_known && b->dev == item->st.st_dev)
		return b->fs;
	same = fstat(fd, &st) == 0 && st.st_dev == item->st.st_dev;
	b->fs = fsid_of(same ? fd : -1, item->st.st_dev);
	b->dev = item->st.st_dev;
	b->fs_known = same;
	return b->fs;
}

/* Advances the last manifest to the pending item. Returns whether it has the item, and the item is
 * unchanged. Sets .at_old if it has the item at all. */
static bool find_old(struct backup *b, uint64_t fs)
{
	const struct dump_old *old = &b->old;
	int order;

	b->at_old = false;
	for (;;) {
		if (!b->has_old)
			return false;
		order = dump_path_order((const char *)old->head.path.at, old->head.path.len,
			b->walk.item.path, b->walk.item.path_len);
		if (old->head.type != PACK_COMMAND && order > 0)
			return false;
		if (old->head.type != PACK_COMMAND && order == 0)
			break; /* commands are not in the order */
		b->has_old = dump_previous_next(b->last, &b->old);
	}
	b->at_old = true;
	if (b->o->reread || old->lost || b->walk.item.error != 0 ||
		!dump_stat_same(&old->stat, &b->walk.item.st, fs) ||
		b->walk.linked != (old->head.type == PACK_HARDLINK))
		return false;
	return !b->walk.linked ||
	       (old->head.link.len == b->walk.link.len &&
		       memcmp(old->head.link.at, b->walk.link.data, b->walk.link.len) == 0);
}

/* --- plan ---------------------------------------------------------------- */

/* Plans the pending item: to be carried over, or to be read. */
static int plan_item(
	struct backup *b, struct dump_job *job, uint64_t fs, bool carry, struct err *err)
{
	struct dump_plan p = {.carried = carry, .stat = {.fs = fs}};

	if (carry)
		p.stat = b->old.stat;
	if (carry || (b->at_old && !b->old.lost && b->old.head.type == PACK_REGULAR)) {
		p.old_len = b->old.len;
		p.old = pack_batch_text(&job->batch, b->old.bytes, b->old.len, err);
		if (p.old == SIZE_MAX)
			return -1;
	}
	if (buf_add(&job->plans, &p, sizeof p, err) != 0)
		return -1;
	return pack_batch_add(&job->batch, &b->walk, !carry, err);
}

/* Ends the current chunk with the item that was planned last. Returns whether the job is full. */
static bool cut_chunk(struct dump_job *job)
{
	size_t count = job->plans.len / sizeof(struct dump_plan);

	assert(count > 0);
	dump_job_plans(job)[count - 1].cut = true;
	job->bundle = 0;
	return job->planned >= JOB_CONTENT;
}

/* Plans a small file, to be read. Returns 0, 1 (the job is full) or -1. */
static int plan_small(
	struct backup *b, struct dump_job *job, uint64_t fs, uint64_t size, struct err *err)
{
	const char *name = b->walk.item.name;

	if (job->bundle > 0 && job->bundle + size > dump_cut_files.max && cut_chunk(job))
		return 1; /* the file begins the next one */
	if (plan_item(b, job, fs, false, err) != 0)
		return -1;
	job->bundle += size;
	job->planned += size;
	return size > 0 &&
	       dump_cut_behind(&dump_cut_files, b->o->domain->gear, name, strlen(name), size,
		       job->bundle) &&
	       cut_chunk(job);
}

static int plan(void *ctx, void *worker, void *job_, struct err *err)
{
	struct backup *b = ctx;
	struct dump_job *job = job_;
	uint64_t size, fs;
	int got;

	dump_job_reset(job);
	if (b->large.file.running)
		return dump_job_large_next(&b->large, job, err);
	if (b->o->commands != NULL && b->o->commands[b->next_command] != NULL)
		return dump_job_large_command(
			&b->large, job, b->o->commands[b->next_command++], err);
	for (;;) {
		got = pack_walk_next(&b->walk, &job->batch, err);
		if (got < 0)
			return -1;
		if (got > 0)
			return job->plans.len == 0 && job->batch.notes.len == 0;
		fs = fs_of(b);
		if (find_old(b, fs)) {
			if (plan_item(b, job, fs, true, err) != 0)
				return -1;
		} else {
			size = S_ISREG(b->walk.item.st.st_mode) && !b->walk.linked
				       ? (uint64_t)b->walk.item.st.st_size
				       : 0;
			if (size >= DUMP_CUT_LARGE && job->plans.len > 0)
				return 0;
			if (size >= DUMP_CUT_LARGE) {
				b->walk.pending = false;
				return dump_job_large_begin(&b->large, job,
					((struct worker *)worker)->reader, &b->walk.item, fs, err);
			}
			got = plan_small(b, job, fs, size, err);
			if (got != 0)
				return got < 0 ? -1 : 0;
		}
		if (job->plans.len >= DUMP_JOB_ITEMS * sizeof(struct dump_plan) ||
			job->batch.dirs >= DIRS_MAX ||
			job->batch.text.len >= CARRY_MAX + job->planned)
			return 0;
	}
}

/* --- build --------------------------------------------------------------- */

static int build(void *ctx, void *worker, void *job_, struct err *err)
{
	struct backup *b = ctx;
	struct worker *w = worker;
	struct dump_job *job = job_;
	struct dump_plan *own = dump_job_plans(job);
	const struct pack_plan *plans;
	size_t i, count;

	if (job->batch.large)
		return 0;
	if (pack_batch_read(&job->batch, w->reader, err) != 0)
		return -1;
	plans = pack_batch_plans(&job->batch, &count);
	for (i = 0; i < count; i++)
		if (!own[i].carried)
			dump_stat_set(&own[i].stat, &plans[i].st, own[i].stat.fs, plans[i].sound,
				b->began);
	return dump_job_convert(job, b->last, err);
}

/* --- join, name, ask, press ----------------------------------------------- */

static int join(void *ctx, void *worker, void *job_, struct err *err)
{
	struct backup *b = ctx;
	struct dump_job *job = job_;

	(void)worker;
	return job->batch.large ? dump_job_large_join(&b->large, job, err) : 0;
}

static int name(void *ctx, void *worker, void *job_, struct err *err)
{
	struct backup *b = ctx;
	struct dump_job *job = job_;
	size_t i;

	(void)worker;
	for (i = 0; i < job->chunk_count; i++) {
		struct dump_chunk *c = &job->chunks[i];

		if (dump_domain_id(b->o->domain, job->content.data + c->at, c->len, c->id, err) !=
			0)
			return -1;
	}
	return 0;
}

/* Asks about some chunks, in one question. */
static int ask_some(struct backup *b, struct dump_chunk **chunks, size_t count, struct err *err)
{
	uint8_t ids[ASK_MAX * STORE_ID_LEN];
	uint32_t lacks[ASK_MAX];
	size_t i;

	assert(count > 0 && count <= ASK_MAX);
	for (i = 0; i < count; i++)
		memcpy(ids + i * STORE_ID_LEN, chunks[i]->id, STORE_ID_LEN);
	if (dump_fanout_have(b->o->copies, ids, count, lacks, err) != 0)
		return -1;
	for (i = 0; i < count; i++)
		chunks[i]->lacks = lacks[i];
	return 0;
}

static int ask(void *ctx, void *worker, void *const *jobs, size_t count, struct err *err)
{
	struct dump_chunk *chunks[ASK_MAX];
	size_t i, k, n = 0;

	(void)worker;
	for (i = 0; i < count; i++) {
		struct dump_job *job = jobs[i];

		for (k = 0; k < job->chunk_count; k++) {
			chunks[n++] = &job->chunks[k];
			if (n == ASK_MAX) {
				if (ask_some(ctx, chunks, n, err) != 0)
					return -1;
				n = 0;
			}
		}
	}
	return n > 0 ? ask_some(ctx, chunks, n, err) : 0;
}

static int press(void *ctx, void *worker, void *job_, struct err *err)
{
	const struct backup *b = ctx;
	struct worker *w = worker;
	struct dump_job *job = job_;
	size_t i;

	for (i = 0; i < job->chunk_count; i++) {
		struct dump_chunk *c = &job->chunks[i];

		if (c->lacks == 0)
			continue;
		c->record_at = job->records.len;
		if (dump_crypt_make(&b->run, w->zst, false, c->id, job->content.data + c->at,
			    c->len, &job->records, err) != 0)
			return -1;
		c->record_len = job->records.len - c->record_at;
	}
	return 0;
}

/* --- emit: the manifest ------------------------------------------------------ */

static int put_pieces(struct backup *b, struct err *err)
{
	struct pieces *p = &b->pieces;
	uint32_t lacks[ASK_MAX];
	size_t i;

	if (p->count == 0)
		return 0;
	if (dump_fanout_have(b->o->copies, p->ids[0], p->count, lacks, err) != 0)
		return -1;
	for (i = 0; i < p->count; i++) {
		assert(p->due[i].at + p->due[i].len <= p->content.len);
		if (lacks[i] == 0)
			continue;
		buf_clear(&p->record);
		if (dump_crypt_make(&b->run, p->zst, p->due[i].list, p->ids[i],
			    p->content.data + p->due[i].at, p->due[i].len, &p->record, err) != 0 ||
			dump_fanout_put(
				b->o->copies, p->record.data, p->record.len, lacks[i], err) != 0)
			return -1;
	}
	p->count = 0;
	buf_clear(&p->content);
	return 0;
}

/* Queues a piece, and sets its id: a dump_manifest_sink. */
static int add_piece(void *ctx, bool list, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err)
{
	struct backup *b = ctx;
	struct pieces *p = &b->pieces;

	if (list)
		hash_sha256(content, len, id);
	else if (dump_domain_id(b->o->domain, content, len, id, err) != 0)
		return -1;
	if ((p->count == ASK_MAX || p->content.len + len > DUE_MAX) && put_pieces(b, err) != 0)
		return -1;
	assert(p->count < ASK_MAX);
	p->due[p->count].list = list;
	p->due[p->count].at = p->content.len;
	p->due[p->count].len = len;
	memcpy(p->ids[p->count++], id, STORE_ID_LEN);
	return buf_add(&p->content, content, len, err);
}

/* --- emit ------------------------------------------------------------------ */

static void report(struct backup *b, struct dump_job *job)
{
	const struct pack_batch *batch = &job->batch;
	const struct dump_plan *own = dump_job_plans(job);
	size_t i, count;
	const struct pack_plan *plans = pack_batch_plans(batch, &count);

	for (i = 0; i < count && b->o->entry != NULL; i++)
		if (!plans[i].left_out)
			b->o->entry(b->o->ctx, pack_batch_at(batch, plans[i].path),
				plans[i].path_len, own[i].carried);
	if (batch->large_ends && b->o->entry != NULL)
		b->o->entry(b->o->ctx, (const char *)batch->large_path.data, batch->large_path.len,
			false);
	b->result->problems += pack_batch_report(batch, b->o->problem, b->o->ctx);
}

/* Adds an entry to the dump's totals, by its TAIL, and keeps its checksum for the local copy, so
 * that the next run finds files that were moved. */
static int count_entry(
	struct backup *b, const uint8_t *items, size_t len, struct dump_stat *stat, struct err *err)
{
	struct pack_item item;
	struct pack_tail tail = {0};
	struct cbor_in in;

	cbor_in_init(&in, items, len);
	if (cbor_skip(&in, DUMP_JOB_DEPTH) != CBOR_OK)
		return err_set(err, ERR_FAILED, "an entry can't be read back");
	do {
		if (pack_manifest_item_get(&in, &item, err) != 0)
			return -1;
	} while (item.kind == PACK_ITEM_REF || item.kind == PACK_ITEM_HOLE);
	if (pack_tail_get(&in, &tail, err) < 0)
		return -1;
	b->result->entries++;
	b->result->content += tail.has_content ? tail.size : 0;
	b->result->statuses += tail.status != PACK_OK;
	if (tail.has_content && !tail.sparse && tail.size > 0 && tail.size < DUMP_CUT_LARGE)
		stat->sum = le_get64(tail.sum);
	return 0;
}

static int emit_plans(struct backup *b, struct dump_job *job, struct err *err)
{
	struct dump_plan *own = dump_job_plans(job);
	size_t i, count, from = 0;
	const struct pack_plan *plans = pack_batch_plans(&job->batch, &count);

	for (i = 0; i < count; from = own[i++].out_end) {
		const uint8_t *items = job->out.data + from;
		size_t len = own[i].out_end - from;

		if (len == 0)
			continue;
		b->result->carried += own[i].carried;
		if (count_entry(b, items, len, &own[i].stat, err) != 0 ||
			dump_manifest_add(b->manifest, items, len, err) != 0 ||
			dump_manifest_entry(b->manifest, pack_batch_at(&job->batch, plans[i].path),
				plans[i].path_len, &own[i].stat, err) != 0)
			return -1;
	}
	return 0;
}

static int emit_large(struct backup *b, struct dump_job *job, struct err *err)
{
	const struct pack_batch *batch = &job->batch;
	const struct pack_tail *tail = &batch->end.tail;
	struct dump_stat stat;

	if (dump_manifest_add(b->manifest, job->out.data, job->out.len, err) != 0)
		return -1;
	if (!batch->large_ends)
		return 0;
	b->result->entries++;
	b->result->content += tail->size;
	b->result->statuses += tail->status != PACK_OK;
	dump_stat_set(&stat, &batch->end.st, job->fs,
		tail->status == PACK_OK && batch->end.problem[0] == 0, b->began);
	return dump_manifest_entry(b->manifest, (const char *)batch->large_path.data,
		batch->large_path.len, &stat, err);
}

static int emit(void *ctx, void *worker, void *job_, struct err *err)
{
	struct backup *b = ctx;
	struct dump_job *job = job_;
	const struct dump_ref *ref = (const struct dump_ref *)(const void *)job->refs.data;
	uint64_t content = b->result->content, entries = b->result->entries;
	size_t i;

	(void)worker;
	for (i = 0; i < job->chunk_count; i++) {
		const struct dump_chunk *c = &job->chunks[i];

		if (c->lacks != 0 && dump_fanout_put(b->o->copies, job->records.data + c->record_at,
					     c->record_len, c->lacks, err) != 0)
			return -1;
	}
	for (i = 0; i < job->refs.len / sizeof *ref; i++)
		memcpy(job->out.data + ref[i].at, job->chunks[ref[i].chunk].id, STORE_ID_LEN);
	b->result->read += job->batch.read;
	if (job->batch.large ? emit_large(b, job, err) : emit_plans(b, job, err))
		return -1;
	report(b, job);
	/* A large file's content is added to the totals only at its end. */
	content = job->batch.large ? job->batch.read : b->result->content - content;
	if (b->o->progress != NULL)
		b->o->progress(b->o->ctx, content + job->out.len, b->result->entries - entries);
	return 0;
}

/* --- the backup ---------------------------------------------------------- */

/* *zst is NULL at level 0. */
static int make_zst(const struct backup *b, struct zst **zst, struct err *err)
{
	*zst = b->o->level > 0 ? zst_new(b->o->level, err) : NULL;
	return *zst == NULL && b->o->level > 0 ? -1 : 0;
}

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pack_batch_reader_free(w->reader);
	zst_free(w->zst);
	free(w);
}

static struct worker *worker_new(struct backup *b, struct err *err)
{
	struct worker *w = mem_new(sizeof *w, err);

	if (w == NULL)
		return NULL;
	w->reader = pack_batch_reader_new(b->o->xattrs, b->o->owner_names, err);
	if (w->reader != NULL && make_zst(b, &w->zst, err) == 0)
		return w;
	worker_free(w);
	return NULL;
}

static struct store_time now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (struct store_time){t.tv_sec, (uint32_t)t.tv_nsec};
}

/* Begins the run in the stores. The local copy is used if a store still has its dump. */
static int open_last(struct backup *b, struct err *err)
{
	const uint8_t *base = NULL;
	bool has;

	if (!b->o->store_all)
		b->last = dump_previous_open(
			b->o->last, b->o->domain->fingerprint, b->o->lost, &base);
	if (dump_fanout_begin(b->o->copies, base, &has, err) != 0)
		return -1;
	if (has) {
		b->has_old = dump_previous_next(b->last, &b->old);
		return 0;
	}
	dump_previous_close(b->last);
	b->last = NULL;
	return 0;
}

static int backup_init(struct backup *b, struct err *err)
{
	b->began = now();
	if (dump_job_large_init(&b->large, b->o->domain->gear, err) != 0 ||
		dump_run_init(&b->run, b->o->domain, err) != 0 || open_last(b, err) != 0)
		return -1;
	b->last_out = dump_previous_make(b->o->last, b->o->domain->fingerprint, err);
	if (b->last_out == NULL || pack_walk_init(&b->walk, &b->o->scan, err) != 0 ||
		make_zst(b, &b->pieces.zst, err) != 0)
		return -1;
	buf_init(&b->pieces.content, SIZE_MAX);
	buf_init(&b->pieces.record, STORE_RECORD_MAX);
	b->manifest = dump_manifest_new(b->o->domain->gear, b->last_out, add_piece, b, err);
	return b->manifest != NULL ? 0 : -1;
}

static void backup_fini(struct backup *b)
{
	dump_job_large_fini(&b->large);
	pack_walk_fini(&b->walk);
	zst_free(b->pieces.zst);
	buf_fini(&b->pieces.content);
	buf_fini(&b->pieces.record);
	dump_manifest_free(b->manifest);
	dump_previous_drop(b->last_out);
	dump_previous_close(b->last);
	dump_run_wipe(&b->run);
}

/* Makes the dump's record, with its HMAC. */
static int make_record(struct backup *b, struct buf *out, struct err *err)
{
	struct dump_pipeline_result *r = b->result;
	struct store_dump d = {
		.id = r->dump,
		.agent = b->o->agent,
		.agent_len = strlen(b->o->agent),
		.name = b->o->name,
		.name_len = strlen(b->o->name),
		.domain = b->o->domain->fingerprint,
		.sealed = !b->o->domain->open,
		.ephemeral = b->run.ephemeral,
		.wraps = b->run.domain_wraps,
		.wrap_count = b->o->domain->to_count,
		.began = b->began,
		.base = (const uint8_t *)b->o->base,
		.base_len = strlen(b->o->base),
		.paths = b->o->paths,
		.paths_len = b->o->paths_len,
		.path_count = b->o->path_count,
		.lock = b->o->lock,
		.slot = b->o->slot,
		.plan = b->o->plan,
	};

	if (dump_manifest_finish(b->manifest, &d, err) != 0 || put_pieces(b, err) != 0 ||
		seal_random(r->dump, sizeof r->dump, err) != 0)
		return -1;
	d.ended = now();
	d.entries = r->entries;
	d.content = r->content;
	d.statuses = r->statuses;
	if (dump_before_fewer(r->entries, b->o->full, b->o->path_count))
		d.fewer_than = r->fewer_than = b->o->full;
	if (store_dump_put(&d, out, err) != 0)
		return -1;
	if (b->o->domain->open)
		return 0;
	return dump_domain_mac(
		b->o->domain, out->data + STORE_MAC_LEN, out->len - STORE_MAC_LEN, out->data, err);
}

/* Adds the ids of the missing chunks that a commit named. */
static int add_lost(struct backup *b, const struct buf *missing, struct err *err)
{
	size_t count = missing->len / STORE_ID_LEN, i;

	for (i = 0; i < count; i++) {
		const uint8_t *id = missing->data + i * STORE_ID_LEN;
		int got = store_marks_add(b->o->lost, hash_xxh3(id, STORE_ID_LEN), err);

		if (got < 0)
			return -1;
		b->result->lost += got == 0;
	}
	if (count >= STORE_MISSING_MAX) /* there may be more */
		b->result->lost = 0;
	return 0;
}

static int commit(struct backup *b, struct err *err)
{
	struct dump_previous_out *last = b->last_out;
	struct buf record = {.max = STORE_DUMP_MAX}, missing = {.max = SIZE_MAX};
	int got;

	b->result->statuses += b->walk.missing;
	if (b->result->entries == 0 && b->walk.missing > 0)
		return err_set(
			err, ERR_NOTFOUND, "none of the given paths can be read: no dump was made");
	got = make_record(b, &record, err);
	if (got == 0)
		got = dump_fanout_commit(b->o->copies, record.data, record.len,
			&b->result->acknowledged, &b->result->stored, &missing, err);
	if (got == 1 && add_lost(b, &missing, err) != 0)
		got = -1;
	buf_fini(&record);
	buf_fini(&missing);
	if (got != 0)
		return got;
	b->last_out = NULL;
	if (dump_previous_commit(last, b->result->dump, &b->result->unkept) != 0)
		b->result->unkept_last = true;
	return 0;
}

static int run_lanes(struct backup *b, struct dump_job **jobs, size_t job_count,
	struct worker **workers, size_t worker_count, struct err *err)
{
	static const struct lane_stage stages[] = {
		{.kind = LANE_SERIAL, .step = plan},
		{.kind = LANE_PARALLEL, .step = build},
		{.kind = LANE_SERIAL, .step = join},
		{.kind = LANE_PARALLEL, .step = name},
		{.kind = LANE_GATHERED, .gathered = ask},
		{.kind = LANE_PARALLEL, .step = press},
		{.kind = LANE_SERIAL, .step = emit},
	};
	size_t i;

	for (i = 0; i < job_count; i++)
		if ((jobs[i] = dump_job_new(err)) == NULL)
			return -1;
	for (i = 0; i < worker_count; i++)
		if ((workers[i] = worker_new(b, err)) == NULL)
			return -1;
	return lane_run(stages, sizeof stages / sizeof *stages, (void **)jobs, job_count,
		(void **)workers, worker_count, b, err);
}

int dump_pipeline_run(const struct dump_pipeline_options *options,
	struct dump_pipeline_result *result, struct err *err)
{
	struct backup b = {.o = options, .result = result};
	size_t worker_count = options->threads, job_count = worker_count * 2 + 2, i;
	struct dump_job **jobs = mem_new(job_count * sizeof *jobs, err);
	struct worker **workers = mem_new(worker_count * sizeof *workers, err);
	int got = -1;

	*result = (struct dump_pipeline_result){0};
	if (jobs != NULL && workers != NULL && backup_init(&b, err) == 0 &&
		run_lanes(&b, jobs, job_count, workers, worker_count, err) == 0)
		got = commit(&b, err);
	result->problems += b.walk.untold;
	for (i = 0; jobs != NULL && i < job_count; i++)
		dump_job_free(jobs[i]);
	for (i = 0; workers != NULL && i < worker_count; i++)
		worker_free(workers[i]);
	free(jobs);
	free(workers);
	backup_fini(&b);
	return got;
}
