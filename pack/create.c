/*
 * The lanes (lib/lane) of a pack in the making:
 *
 *   plan   serial    walk on; gather small files into a job, or read the next
 *                    piece of a large one
 *   build  parallel  open, read and hash the small files
 *   join   serial    hash the large file's piece, number the blocks
 *   press  parallel  compress, seal, check
 *   emit   serial    write, report
 *
 * A small file is opened, read, hashed and pressed by one thread, mostly in
 * its cache. A large one is read, hashed and written by different threads at
 * the same time. A job holds a chain of parts; it is one part unless files
 * turned out larger than planned.
 */
#include "pack/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/lane.h"
#include "lib/sums.h"
#include "pack/command.h"
#include "pack/feed.h"
#include "pack/links.h"
#include "pack/part.h"
#include "pack/press.h"

#define SMALL_MAX (512u << 10) /* content of a file that is read in `build` */
#define TARGET    (768u << 10) /* of a part: much to hash side by side, few steps, near a cache */
#define ITEM_COST 256          /* bytes that an entry takes beside its content, about */
#define ITEMS_MAX 1024         /* in a job */
#define DIRS_MAX  64           /* directories that a job keeps open */
/* Descriptors that are not for jobs: the scan's, inputs, outputs. */
#define FILES_KEPT (PACK_SCAN_OPEN + 64)

/* An entry that is planned. Offsets are into the job's text. */
struct plan {
	struct pack_dir *dir, *self;
	size_t name, path, path_len, link, link_len;
	bool has_link;
	int fd; /* a regular file, opened; else -1 */
	int error;
	struct stat st;
};

struct job {
	struct pack_part **parts;
	size_t part_count, parts_cap;
	struct buf plans, text;
	size_t planned; /* bytes */
	size_t dirs;
	struct buf notes; /* "length path length text" for problems; see note() */
	/* A piece of the stream. */
	bool stream, stream_ends;
	struct pack_stream end; /* its outcome */
	struct buf stream_path;
};

/* A checksum that is made when all of a job's files are read. */
struct owed {
	struct pack_part *part;
	size_t content, len;      /* in .raw */
	size_t sum_raw, sum_meta; /* where it goes */
};

struct worker {
	struct pack_feed *feed;
	struct hash *hash;
	struct sums *sums;
	struct owed owed[ITEMS_MAX];
	size_t owed_count;
	struct pack_press *press;
};

struct create {
	const struct pack_create_options *o;
	struct pack_scan *scan;
	struct pack_links *links;
	struct pack_writer *writer;
	struct pack_press *own_press; /* the writer's */
	/* plan */
	size_t files;              /* that a job may keep open */
	struct pack_stream stream; /* the large file that is being read */
	bool streaming;
	struct buf stream_path;
	pid_t command;
	size_t next_command;
	struct job *planning;       /* for problems that the scan reports */
	struct pack_scan_item item; /* met, but not planned yet */
	bool pending;
	struct buf link;
	bool linked;     /* the pending item is one of `link` */
	uint64_t untold; /* problems without a note */
	/* join */
	struct hash *hash;
	/* emit */
	uint64_t problems;
};

/* --- jobs --------------------------------------------------------------- */

static void job_free(struct job *job)
{
	struct plan *plans;
	size_t i;

	if (job == NULL)
		return;
	plans = (struct plan *)(void *)job->plans.data;
	for (i = 0; i < job->plans.len / sizeof *plans; i++) {
		if (plans[i].fd >= 0)
			close(plans[i].fd);
		pack_dir_unref(plans[i].dir);
		pack_dir_unref(plans[i].self);
	}
	for (i = 0; i < job->part_count; i++)
		pack_part_free(job->parts[i]);
	free(job->parts);
	buf_fini(&job->plans);
	buf_fini(&job->text);
	buf_fini(&job->notes);
	buf_fini(&job->stream_path);
	free(job);
}

/* One more part at the end of the chain. */
static struct pack_part *add_part(struct job *job, struct err *err)
{
	if (job->part_count == job->parts_cap) {
		size_t cap = job->parts_cap ? job->parts_cap * 2 : 4;
		struct pack_part **parts = realloc(job->parts, cap * sizeof *parts);

		if (parts == NULL) {
			err_set(err, ERR_NOMEM, "out of memory");
			return NULL;
		}
		job->parts = parts;
		job->parts_cap = cap;
	}
	job->parts[job->part_count] = pack_part_new(TARGET, err);
	return job->parts[job->part_count] != NULL ? job->parts[job->part_count++] : NULL;
}

static struct job *job_new(struct err *err)
{
	struct job *job = calloc(1, sizeof *job);

	if (job == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	buf_init(&job->plans, ITEMS_MAX * sizeof(struct plan));
	buf_init(&job->text, SIZE_MAX);
	buf_init(&job->notes, SIZE_MAX);
	buf_init(&job->stream_path, PACK_PATH_MAX);
	if (add_part(job, err) == NULL) {
		job_free(job);
		return NULL;
	}
	return job;
}

static void job_reset(struct job *job)
{
	while (job->part_count > 1)
		pack_part_free(job->parts[--job->part_count]);
	pack_part_reset(job->parts[0]);
	buf_clear(&job->plans);
	buf_clear(&job->text);
	buf_clear(&job->notes);
	job->planned = job->dirs = 0;
	job->stream = job->stream_ends = false;
}

/* Adds a problem to a job, to be reported when it is emitted. */
static int note(struct job *job, const char *path, size_t len, const char *what, struct err *err)
{
	size_t before = job->notes.len;

	if (buf_add(&job->notes, &len, sizeof len, err) == 0 &&
		buf_add(&job->notes, path, len, err) == 0 &&
		buf_add(&job->notes, what, strlen(what) + 1, err) == 0)
		return 0;
	job->notes.len = before; /* half a note can't be read */
	return -1;
}

/* The scan's problems. Out of memory here costs the report, not the pack, and
 * not the count. */
static void scan_problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	struct create *c = ctx;
	char text[256], reason[128];

	if (errnum != 0)
		snprintf(text, sizeof text, "%s: %s", what,
			strerror_r(errnum, reason, sizeof reason));
	else
		snprintf(text, sizeof text, "%s", what);
	if (note(c->planning, path, len, text, NULL) != 0)
		c->untold++;
}

/* The scanner knows its caller only by one context. */
static int scan_next_root(void *ctx, const char **path, struct err *err)
{
	struct create *c = ctx;

	return c->o->scan.next_root(c->o->scan.ctx, path, err);
}

static bool scan_excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	struct create *c = ctx;

	return c->o->scan.excluded(c->o->scan.ctx, path, len, is_dir);
}

/* --- plan --------------------------------------------------------------- */

static size_t add_text(struct job *job, const char *text, size_t len, struct err *err)
{
	size_t at = job->text.len;

	return buf_add(&job->text, text, len, err) == 0 && buf_add(&job->text, "", 1, err) == 0
		       ? at
		       : SIZE_MAX;
}

static bool is_small(const struct pack_scan_item *item)
{
	return !S_ISREG(item->st.st_mode) || item->st.st_size <= (off_t)SMALL_MAX;
}

/* What the pending item, a small one, will take in a part, about. */
static size_t cost(const struct create *c)
{
	const struct pack_scan_item *item = &c->item;
	bool has_content = S_ISREG(item->st.st_mode) && !c->linked;

	return ITEM_COST + 2 * item->path_len + (has_content ? (size_t)item->st.st_size : 0);
}

/* Plans the pending item. */
static int plan_item(struct create *c, struct job *job, struct err *err)
{
	const struct pack_scan_item *item = &c->item;
	struct plan p = {
		.path_len = item->path_len,
		.fd = item->fd,
		.error = item->error,
		.st = item->st,
		.has_link = c->linked,
		.link_len = c->link.len,
	};
	const struct plan *last = (const struct plan *)(void *)(job->plans.data + job->plans.len);

	p.name = add_text(job, item->name, strlen(item->name), err);
	p.path = p.name == SIZE_MAX ? SIZE_MAX : add_text(job, item->path, item->path_len, err);
	if (p.path == SIZE_MAX)
		return -1;
	if (c->linked &&
		(p.link = add_text(job, (const char *)c->link.data, c->link.len, err)) == SIZE_MAX)
		return -1;
	job->dirs += item->self != NULL;
	if (job->plans.len == 0 || last[-1].dir != item->dir)
		job->dirs++;
	p.dir = pack_dir_ref(item->dir);
	p.self = item->self != NULL ? pack_dir_ref(item->self) : NULL;
	if (buf_add(&job->plans, &p, sizeof p, err) != 0) {
		pack_dir_unref(p.dir);
		pack_dir_unref(p.self);
		return -1;
	}
	job->planned += cost(c);
	c->pending = false;
	return 0;
}

/* Closes the pending item, if it is opened. */
static void drop_file(struct create *c)
{
	if (c->item.fd >= 0)
		close(c->item.fd);
	c->item.fd = -1;
}

/* Whether a regular file with several names was met before. */
static int find_link(struct create *c, struct err *err)
{
	const struct pack_scan_item *item = &c->item;
	int got = 0;

	if (!S_ISDIR(item->st.st_mode) && item->st.st_nlink > 1)
		got = pack_links_meet(c->links, item->st.st_dev, item->st.st_ino, item->st.st_nlink,
			item->path, item->path_len, &c->link, err);
	c->linked = got == 1;
	if (c->linked)
		drop_file(c);
	return got < 0 ? -1 : 0;
}

static int copy_path(struct buf *to, const void *path, size_t len, struct err *err)
{
	buf_clear(to);
	return buf_add(to, path, len, err);
}

/* Fills the job's part from the stream; books it if it has ended. */
static int read_stream(struct create *c, struct job *job, struct err *err)
{
	int got = pack_feed_fill(job->parts[0], &c->stream, NULL, err);

	if (got < 0)
		return -1;
	job->stream = true;
	if (got == 1)
		return 0;
	c->streaming = false;
	pack_command_end(&c->command, &c->stream);
	job->stream_ends = true;
	job->end = c->stream;
	return copy_path(&job->stream_path, c->stream_path.data, c->stream_path.len, err);
}

/* Opens the pending large file and reads its first piece. */
static int begin_stream(struct create *c, struct job *job, struct worker *w, struct err *err)
{
	struct pack_feed_item item = {
		.dir = c->item.dir,
		.name = c->item.name,
		.path = c->item.path,
		.path_len = c->item.path_len,
		.st = &c->item.st,
		.fd = c->item.fd,
	};
	int got;

	c->pending = false;
	got = pack_feed_begin(w->feed, job->parts[0], &item, &c->stream, err);
	if (got < 0)
		return -1;
	if (got > 0)
		return note(job, item.path, item.path_len, c->stream.problem, err);
	c->streaming = true;
	if (copy_path(&c->stream_path, item.path, item.path_len, err) != 0)
		return -1;
	return read_stream(c, job, err);
}

/* Runs the next command and reads its first output. */
static int begin_command(struct create *c, struct job *job, struct err *err)
{
	if (pack_command_begin(c->o->commands[c->next_command++], job->parts[0], &c->stream,
		    &c->command, &c->stream_path, err) != 0)
		return -1;
	c->streaming = true;
	return read_stream(c, job, err);
}

/* Whether the pending item is for the next job. */
static bool job_full(const struct create *c, const struct job *job)
{
	if (job->plans.len == 0)
		return false;
	return (!c->linked && !is_small(&c->item)) || job->planned + cost(c) > TARGET ||
	       job->plans.len >= ITEMS_MAX * sizeof(struct plan) || job->dirs >= DIRS_MAX;
}

static int plan(void *ctx, void *worker, void *job_, struct err *err)
{
	struct create *c = ctx;
	struct job *job = job_;
	int got;

	job_reset(job);
	c->planning = job;
	pack_scan_open(c->scan, c->files);
	if (c->streaming)
		return read_stream(c, job, err);
	if (c->o->commands != NULL && c->o->commands[c->next_command] != NULL)
		return begin_command(c, job, err);
	for (;;) {
		if (!c->pending) {
			got = pack_scan_next(c->scan, &c->item, err);
			if (got < 0)
				return -1;
			if (got > 0)
				return job->plans.len == 0 && job->notes.len == 0;
			c->pending = true;
			if (find_link(c, err) != 0)
				return -1;
		}
		if (job_full(c, job))
			return 0;
		if (!c->linked && !is_small(&c->item))
			return begin_stream(c, job, worker, err);
		if (plan_item(c, job, err) != 0)
			return -1;
	}
}

/* --- build, join, press, emit ------------------------------------------- */

/* Content of a small file, over as many parts as it takes. *part follows. */
static int build_content(struct job *job, struct worker *w, struct pack_part **part,
	struct pack_stream *s, struct err *err)
{
	int got;

	while ((got = pack_feed_fill(*part, s, w->hash, err)) == 1)
		if ((*part = add_part(job, err)) == NULL)
			return -1;
	return got;
}

/* Whether the content will be one DATA in this part, surely. */
static bool is_one_piece(const struct pack_part *part, const struct pack_stream *s)
{
	return s->fd >= 0 && !s->sparse && s->st.st_size > 0 &&
	       (uint64_t)s->st.st_size <= pack_part_left(part);
}

/* Content and TAIL. A file of one piece is read now, and hashed along with all
 * others of the job (lib/sums). */
static int build_rest(struct job *job, struct worker *w, struct pack_part *part,
	struct pack_stream *s, struct err *err)
{
	bool owed = is_one_piece(part, s);
	size_t content = part->raw.len + PACK_DATA_HEAD;
	uint8_t sum[HASH_LEN] = {0};

	if (owed ? pack_feed_fill(part, s, NULL, err) != 0
		 : build_content(job, w, &part, s, err) != 0) {
		pack_feed_drop(s);
		return -1;
	}
	owed = owed && s->at > 0;
	if (s->tail.has_content && !owed)
		hash_end(w->hash, sum);
	if (pack_feed_end(part, s, sum, err) != 0)
		return -1;
	if (owed)
		w->owed[w->owed_count++] =
			(struct owed){part, content, (size_t)s->at, part->sum_raw, part->sum_meta};
	return 0;
}

static int build_item(struct job *job, struct worker *w, struct plan *p, struct err *err)
{
	const char *text = (const char *)job->text.data;
	struct pack_feed_item item = {
		.dir = p->dir,
		.name = text + p->name,
		.path = text + p->path,
		.path_len = p->path_len,
		.st = &p->st,
		.self = p->self,
		.fd = p->fd,
		.error = p->error,
		.link = p->has_link ? text + p->link : NULL,
		.link_len = p->link_len,
	};
	struct pack_part *part = job->parts[job->part_count - 1];
	struct pack_stream s;
	int got;

	if (pack_part_full(part) && (part = add_part(job, err)) == NULL)
		return -1;
	p->fd = -1;
	got = pack_feed_begin(w->feed, part, &item, &s, err);
	if (got < 0)
		return -1;
	if (got == 0 && build_rest(job, w, part, &s, err) != 0)
		return -1;
	return s.problem[0] != 0 ? note(job, item.path, item.path_len, s.problem, err) : 0;
}

/* Makes the checksums that are owed. */
static int pay(struct worker *w, struct err *err)
{
	size_t i;

	for (i = 0; i < w->owed_count; i++) {
		const struct owed *o = &w->owed[i];

		if (sums_add(w->sums, o->part->raw.data + o->content, o->len,
			    o->part->raw.data + o->sum_raw, err) != 0)
			return -1;
	}
	sums_run(w->sums);
	for (i = 0; i < w->owed_count; i++) {
		const struct owed *o = &w->owed[i];

		memcpy(o->part->meta.data + o->sum_meta, o->part->raw.data + o->sum_raw, HASH_LEN);
	}
	return 0;
}

static int build(void *ctx, void *worker, void *job_, struct err *err)
{
	struct worker *w = worker;
	struct job *job = job_;
	struct plan *plans = (struct plan *)(void *)job->plans.data;
	size_t i, count = job->plans.len / sizeof *plans;
	int result = 0;

	(void)ctx;
	w->owed_count = 0;
	for (i = 0; i < count && result == 0; i++)
		result = build_item(job, w, &plans[i], err);
	if (result == 0)
		result = pay(w, err);
	for (i = 0; i < count; i++) {
		pack_dir_unref(plans[i].dir);
		pack_dir_unref(plans[i].self);
		plans[i].dir = plans[i].self = NULL;
	}
	return result;
}

/* Hashes a piece of the stream; writes its TAIL if it ends here. */
static int join_stream(struct create *c, struct job *job, struct err *err)
{
	struct pack_part *part = job->parts[0];
	uint8_t sum[HASH_LEN];
	struct pack_item item;
	struct cbor_in in;

	cbor_in_init(&in, part->raw.data + part->content, part->raw.len - part->content);
	for (;;) {
		if (pack_item_get(&in, &item, err) != 0)
			return -1;
		if (item.kind == PACK_ITEM_DATA)
			hash_add(c->hash, item.data.at, item.data.len);
		else if (item.kind == PACK_ITEM_HOLE)
			hash_add_zeros(c->hash, item.hole);
		else
			break;
	}
	if (!job->stream_ends)
		return 0;
	hash_end(c->hash, sum);
	if (pack_feed_end(part, &job->end, sum, err) != 0)
		return -1;
	if (job->end.problem[0] == 0)
		return 0;
	return note(job, (const char *)job->stream_path.data, job->stream_path.len,
		job->end.problem, err);
}

static int join(void *ctx, void *worker, void *job_, struct err *err)
{
	struct create *c = ctx;
	struct job *job = job_;
	size_t i;

	(void)worker;
	if (job->stream && join_stream(c, job, err) != 0)
		return -1;
	for (i = 0; i < job->part_count; i++)
		if (!pack_part_empty(job->parts[i]))
			pack_writer_number(c->writer, job->parts[i]);
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

static void report(struct create *c, const struct job *job)
{
	const struct plan *plans = (const struct plan *)(const void *)job->plans.data;
	size_t i, at, len;

	if (c->o->entry != NULL) {
		for (i = 0; i < job->plans.len / sizeof *plans; i++)
			c->o->entry(c->o->ctx, (const char *)job->text.data + plans[i].path,
				plans[i].path_len);
		if (job->stream_ends)
			c->o->entry(c->o->ctx, (const char *)job->stream_path.data,
				job->stream_path.len);
	}
	for (at = 0; at < job->notes.len;) {
		const char *path, *what;

		memcpy(&len, job->notes.data + at, sizeof len);
		path = (const char *)job->notes.data + at + sizeof len;
		what = path + len;
		c->o->problem(c->o->ctx, path, len, what);
		c->problems++;
		at += sizeof len + len + strlen(what) + 1;
	}
}

static int emit(void *ctx, void *worker, void *job_, struct err *err)
{
	struct create *c = ctx;
	struct job *job = job_;
	size_t i;

	(void)worker;
	for (i = 0; i < job->part_count; i++) {
		const struct pack_part *part = job->parts[i];

		if (!pack_part_empty(part) && pack_writer_emit(c->writer, job->parts[i], err) != 0)
			return -1;
		if (c->o->progress != NULL)
			c->o->progress(c->o->ctx, part->raw.len, part->heads);
	}
	report(c, job);
	return 0;
}

/* --- the whole ---------------------------------------------------------- */

static void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pack_feed_free(w->feed);
	hash_free(w->hash);
	sums_free(w->sums);
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
	struct worker *w = calloc(1, sizeof *w);

	if (w == NULL) {
		err_set(err, ERR_NOMEM, "out of memory");
		return NULL;
	}
	w->feed = pack_feed_new(o->xattrs, o->owner_names, err);
	w->hash = w->feed != NULL ? hash_new(err) : NULL;
	w->sums = w->hash != NULL ? sums_new(err) : NULL;
	w->press = w->sums != NULL ? make_press(o, err) : NULL;
	if (w->press == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

static int create_init(struct create *c, struct err *err)
{
	struct pack_scan_options scan = c->o->scan;

	buf_init(&c->stream_path, PACK_PATH_MAX);
	buf_init(&c->link, PACK_PATH_MAX);
	scan.problem = scan_problem;
	scan.next_root = scan_next_root;
	scan.excluded = scan.excluded != NULL ? scan_excluded : NULL;
	scan.ctx = c;
	c->scan = pack_scan_new(&scan, err);
	c->links = c->scan != NULL ? pack_links_new(0, err) : NULL;
	c->hash = c->links != NULL ? hash_new(err) : NULL;
	c->own_press = c->hash != NULL ? make_press(c->o, err) : NULL;
	if (c->own_press == NULL)
		return -1;
	c->writer = pack_writer_new(&c->o->writer, c->own_press, c->o->sink, c->o->sink_ctx, err);
	return c->writer != NULL ? 0 : -1;
}

static void create_fini(struct create *c)
{
	if (c->streaming)
		pack_feed_drop(&c->stream);
	if (c->pending)
		drop_file(c);
	pack_command_stop(&c->command);
	pack_scan_free(c->scan);
	pack_links_free(c->links);
	hash_free(c->hash);
	pack_writer_free(c->writer);
	pack_press_free(c->own_press);
	buf_fini(&c->stream_path);
	buf_fini(&c->link);
}

static int run_lanes(struct create *c, struct job **jobs, size_t job_count, struct worker **workers,
	size_t worker_count, struct err *err)
{
	static const struct lane_stage stages[] = {
		{LANE_SERIAL, plan, NULL},
		{LANE_PARALLEL, build, NULL},
		{LANE_SERIAL, join, NULL},
		{LANE_PARALLEL, press, NULL},
		{LANE_SERIAL, emit, NULL},
	};
	struct pack_totals totals;
	size_t i;

	for (i = 0; i < job_count; i++)
		if ((jobs[i] = job_new(err)) == NULL)
			return -1;
	for (i = 0; i < worker_count; i++)
		if ((workers[i] = worker_new(c->o, err)) == NULL)
			return -1;
	if (pack_writer_start(c->writer, err) != 0)
		return -1;
	if (lane_run(stages, sizeof stages / sizeof *stages, (void **)jobs, job_count,
		    (void **)workers, worker_count, c, err) != 0)
		return -1;
	pack_writer_totals(c->writer, &totals);
	if (totals.entries == 0 && c->problems + c->untold > 0)
		return err_set(err, ERR_NOTFOUND, "nothing of what was asked for can be read");
	return pack_writer_end(c->writer, err);
}

/* How many files a job may keep open. */
static size_t files_of_a_job(size_t jobs)
{
	size_t limit = fs_raise_file_limit(), kept = FILES_KEPT + jobs * DIRS_MAX;

	return limit > kept ? (limit - kept) / jobs : 0;
}

int pack_create(
	const struct pack_create_options *options, struct pack_created *created, struct err *err)
{
	struct create c = {.o = options};
	size_t worker_count = options->threads, job_count = worker_count * 2 + 2, i;
	struct job **jobs = calloc(job_count, sizeof *jobs);
	struct worker **workers = calloc(worker_count, sizeof *workers);
	int result = -1;

	c.files = files_of_a_job(job_count);
	if (jobs == NULL || workers == NULL)
		err_set(err, ERR_NOMEM, "out of memory");
	else if (create_init(&c, err) == 0)
		result = run_lanes(&c, jobs, job_count, workers, worker_count, err);
	if (result == 0) {
		pack_writer_totals(c.writer, &created->totals);
		created->problems = c.problems + c.untold;
	}
	for (i = 0; jobs != NULL && i < job_count; i++)
		job_free(jobs[i]);
	for (i = 0; workers != NULL && i < worker_count; i++)
		worker_free(workers[i]);
	free(jobs);
	free(workers);
	create_fini(&c);
	return result;
}
