/*
 * fdump list: lists what is in packs. A seekable file is listed by its INDEX blocks, on several
 * threads:
 *
 *   fetch  serial    take the place of the next INDEX
 *   print  parallel  read, open and decode it, format lines
 *   write  serial    check that it follows the last one; write the lines
 *
 * A stream, or a file whose end is damaged, is read in sequence.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/line.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "lib/lane.h"
#include "lib/mem.h"
#include "pack/follow.h"
#include "pack/read.h"
#include "pack/seek.h"

#define FLUSH      (64u << 10) /* bytes of lines that are written at once */
#define PLACES_MAX (8u << 20)  /* bytes of the list of INDEX blocks */

struct list {
	struct ui_options o;
	bool sums;
	enum ui_line_format format;

	struct tz *tz;
	int fd;
	size_t problems;
	/* For listing by the index. */
	struct pack_seek *seek;
	struct buf places;     /* struct pack_seek_place, the last INDEX first */
	size_t left;           /* number of these that are still to be fetched */
	uint64_t due, entries; /* of this pack: number of the next entry; total, from its END */
	uint32_t pack;
	struct err bad; /* the index can't be used from here on */
	/* The last entry that was listed by the index. */
	bool listed;
	uint64_t last_block, last_at;
	/* For reading in sequence. */
	struct pack_follow follow;
	struct ui_line line;
};

static int write_lines(struct ui_line *line, struct err *err)
{
	int got = fs_write_two(1, line->out.data, line->out.len, NULL, 0);

	buf_clear(&line->out);
	return got != 0 ? err_errno(err, errno, "standard output") : 0;
}

/* --- by the index ------------------------------------------------------- */

struct job {
	struct pack_seek_place place;
	struct ui_line line;
	uint64_t number, count;
	uint64_t last_block, last_at; /* of its last entry */
	size_t refused;
	struct err bad; /* the INDEX can't be used */
};

static int fetch(void *ctx, void *worker, void *job_, struct err *err)
{
	struct list *l = ctx;
	struct job *job = job_;
	const struct pack_seek_place *places = (void *)l->places.data;

	(void)worker;
	(void)err;
	if (l->left == 0)
		return 1;
	job->place = places[--l->left];
	return 0;
}

/* Reports a problem with an entry. offset: in the pack; -1: not known. */
static void tell(
	const struct list *l, int64_t offset, const struct pack_bytes path, const char *what)
{
	ui_problem(&(struct ui_problem){.file = l->o.file,
			   .has_offset = offset >= 0,
			   .offset = (uint64_t)offset,
			   .path = path,
			   .what = what},
		NULL);
}

static int print(void *ctx, void *worker, void *job_, struct err *err)
{
	struct list *l = ctx;
	struct job *job = job_;
	uint64_t start = pack_seek_start(l->seek, job->place.pack);
	struct pack_index_record r;
	struct pack_index index;
	int got;

	job->bad = (struct err){0};
	job->refused = 0;
	job->last_block = job->last_at = 0;
	if (pack_seek_index(l->seek, worker, &job->place, &index, &job->bad) != 0)
		return 0;
	job->number = index.number;
	job->count = index.count;
	while ((got = pack_index_next(&index, &r, &job->bad)) == 0 || got == 2) {
		job->last_block = start + r.block;
		job->last_at = r.at;
		if (got == 2) {
			tell(l, -1, r.head.path, job->bad.message);
			job->refused++;
			job->bad = (struct err){0};
		} else if (ui_select_test(&l->o.select, r.head.path.at, r.head.path.len,
				   r.head.type == PACK_DIRECTORY) &&
			   ui_line_add(&job->line, &r.head, &r.tail, err) != 0) {
			return -1;
		}
	}
	return 0;
}

/* Whether this INDEX directly follows the last one. */
static bool follows(struct list *l, const struct job *job)
{
	if (job->place.pack != l->pack) {
		if (l->due != l->entries)
			return false;
		l->due = 0;
		l->pack = job->place.pack;
		l->entries = job->place.entries;
	}
	if (job->number != l->due)
		return false;
	l->due += job->count;
	return l->due <= l->entries;
}

static int write_job(void *ctx, void *worker, void *job_, struct err *err)
{
	struct list *l = ctx;
	struct job *job = job_;

	(void)worker;
	if (job->bad.code == ERR_NONE && !follows(l, job))
		err_set(&job->bad, ERR_DAMAGE, "the index is not complete");
	if (job->bad.code != ERR_NONE) {
		l->bad = *err = job->bad;
		return -1;
	}
	l->problems += job->refused;
	if (job->count > 0) {
		l->listed = true;
		l->last_block = job->last_block;
		l->last_at = job->last_at;
	}
	return write_lines(&job->line, err);
}

/* Collects the places of the INDEX blocks. Returns 0, or -1 with err set. */
static int find_places(struct list *l, struct err *err)
{
	struct pack_seek_options options = {
		.fd = l->fd,
		.need_key = ui_unseal_wanted(&l->o.unseal),
		.open_key = ui_unseal_open,
		.key_ctx = &l->o.unseal,
	};
	struct pack_seek_hand *hand = pack_seek_hand_new(err);
	struct pack_seek_place place;
	int got = -1;

	l->seek = hand != NULL ? pack_seek_open(&options, err) : NULL;
	if (l->seek != NULL)
		while ((got = pack_seek_back(l->seek, hand, &place, err)) == 0)
			if (buf_add(&l->places, &place, sizeof place, err) != 0) {
				got = -1;
				break;
			}
	pack_seek_hand_free(hand);
	l->left = l->places.len / sizeof place;
	l->pack = UINT32_MAX;
	return got < 0 ? -1 : 0;
}

static int list_by_index(struct list *l, struct err *err)
{
	static const struct lane_stage stages[] = {{.kind = LANE_SERIAL, .step = fetch},
		{.kind = LANE_PARALLEL, .step = print}, {.kind = LANE_SERIAL, .step = write_job}};
	void *workers[LANE_THREADS_MAX] = {0}, *all[2 * LANE_THREADS_MAX];
	size_t worker_count, job_count, i;
	struct job *jobs;
	int got = 0;

	if (find_places(l, err) != 0)
		return -1;
	worker_count = l->o.threads;
	if (worker_count > l->left)
		worker_count = l->left > 0 ? l->left : 1;
	job_count = worker_count * 2;
	jobs = mem_new(job_count * sizeof *jobs, err);
	if (jobs == NULL)
		return -1;
	for (i = 0; i < job_count; i++) {
		ui_line_init(&jobs[i].line, l->format, l->o.numeric_owner, l->tz);
		all[i] = &jobs[i];
	}
	for (i = 0; i < worker_count && got == 0; i++)
		got = (workers[i] = pack_seek_hand_new(err)) != NULL ? 0 : -1;
	if (got == 0)
		got = lane_run(stages, 3, all, job_count, workers, worker_count, l, err);
	if (got == 0 && l->due != l->entries)
		got = err_set(err, ERR_DAMAGE, "the index is not complete");
	for (i = 0; i < worker_count; i++)
		pack_seek_hand_free(workers[i]);
	for (i = 0; i < job_count; i++)
		ui_line_fini(&jobs[i].line);
	free(jobs);
	return got;
}

/* --- in sequence -------------------------------------------------------- */

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct list *l = ctx;

	(void)kind;
	tell(l, (int64_t)offset, path, what);
	l->problems++;
}

static int on_entry(void *ctx, const struct pack_followed *e, struct err *err)
{
	struct list *l = ctx;

	if (l->listed &&
		(e->block < l->last_block || (e->block == l->last_block && e->at <= l->last_at)))
		return 0;
	if (!ui_select_test(&l->o.select, e->head->path.at, e->head->path.len,
		    e->head->type == PACK_DIRECTORY))
		return 0;
	if (ui_line_add(&l->line, e->head, e->tail, err) != 0)
		return -1;
	return l->line.out.len >= FLUSH ? write_lines(&l->line, err) : 0;
}

static int on_load(void *ctx, struct pack_load *load, struct err *err)
{
	struct list *l = ctx;

	return pack_follow_load(&l->follow, load, on_entry, l, err);
}

static int list_in_sequence(struct list *l, struct err *err)
{
	struct pack_read_options options = {
		.fd = l->fd,
		.threads = l->o.threads,
		.skip_damaged = true,
		.need_key = ui_unseal_wanted(&l->o.unseal),
		.open_key = ui_unseal_open,
		.key_ctx = &l->o.unseal,
		.apply = on_load,
		.problem = on_problem,
		.ctx = l,
	};
	struct pack_read result;
	int got;

	ui_line_init(&l->line, l->format, l->o.numeric_owner, l->tz);
	pack_follow_init(&l->follow);
	got = pack_read_run(&options, &result, err);
	if (got == 0 && result.unopened)
		got = err_set(err, ERR_DENIED, "the pack is sealed: a key is needed (--key FILE)");
	if (got == 0 && l->line.out.len > 0)
		got = write_lines(&l->line, err);
	pack_follow_fini(&l->follow);
	ui_line_fini(&l->line);
	return got;
}

/* --- the command ------------------------------------------------------------ */

static int list(struct list *l, struct err *err)
{
	l->fd = ui_open_pack(l->o.file, err);
	if (l->fd < 0)
		return -1;
	if (l->format == UI_LINE_VERBOSE && tz_local(&l->tz, err) != 0 &&
		tz_load("UTC", &l->tz, err) != 0)
		return -1;
	if (!pack_seek_can(l->fd))
		return list_in_sequence(l, err);
	if (list_by_index(l, err) == 0)
		return 0;
	/* Reading in sequence can only help if the index is bad. */
	if (err->code != ERR_DAMAGE && err->code != ERR_FORMAT && err->code != ERR_LIMIT)
		return -1;
	ui_say("list", "%s: %s: reading all of it", l->o.file, err->message);
	*err = (struct err){0};
	return list_in_sequence(l, err);
}

static struct list list_options = {.o = {.file = "-"}};

static int run(void *own, struct err *err)
{
	struct list *l = own;
	const char *word = l->o.args[0];
	int status;

	if (l->o.verbose + l->o.json + l->sums + l->o.null > 1)
		return ui_usage("-v, --json, --sums and --null exclude each other");
	l->format = l->o.verbose ? UI_LINE_VERBOSE
		    : l->o.json  ? UI_LINE_JSON
		    : l->sums    ? UI_LINE_SUM
		    : l->o.null  ? UI_LINE_NUL
				 : UI_LINE_NAME;
	status = ui_options_paths(&l->o);
	if (status >= 0)
		return status;
	buf_init(&l->places, PLACES_MAX);
	ui_pipe_ends(UI_OK);
	if (list(l, err) != 0) {
		err_prefix(err, "%s", l->o.file);
		status = ui_fail(err);
	} else {
		status = l->problems > 0 ? UI_DAMAGE : UI_OK;
		if (ui_select_unmet(&l->o.select, NULL) > 0 && status == UI_OK)
			status = UI_FAILED;
	}
	if (status >= UI_FAILED && strcmp(l->o.file, "-") == 0)
		ui_input_hint(word);
	if (l->fd > 0)
		close(l->fd);
	buf_fini(&l->places);
	pack_seek_free(l->seek);
	tz_free(l->tz);
	return status;
}

static const struct ui_option options[] = {
	{.shared = "f"},
	{.shared = "v", .help = "also print mode, owner, size and time, as tar -tv"},
	{.shared = "j"},
	{0, "sums", UI_FLAG, "print the SHA-256 of each file, as sha256sum -c reads it",
		UI_AT(struct list, sums)},
	{.shared = "0", .help = "print names as they are, each ended by NUL"},
	{.shared = "nkpt"},
	{0},
};

const struct ui_command cmd_list = {
	.name = "list",
	.summary = "list what is in a pack",
	.usage = "[-f FILE] [options] [PATH...]",
	.about = "Lists what is in a pack. With PATHs: only these and what is below them.",
	.options = options,
	.arguments = "[PATH...]",
	.exits = "0 done; 2 failed, or a PATH is not there; 3 a key file can't be used; 5 damage "
		 "found; 6 wrong key, or not encrypted; 7 no space.",
	.own = &list_options,
	.run = run,
};
