/*
 * A note is "length path length text NUL".
 *
 * A pending checksum is a place in a part, to be filled when the whole batch has been read and
 * its contents are hashed together. Parts may move in memory until then, so places are offsets.
 */
#include "pack/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/fs.h"
#include "lib/mem.h"
#include "lib/sums.h"
#include "pack/digest.h"
#include "pack/links.h"
#include "pack/part.h"

#define COMMAND_WORDS 64

extern char **environ;

/* A pending checksum. */
struct owed {
	struct pack_part *part;
	size_t content, len;      /* in .raw */
	size_t sum_raw, sum_meta; /* where the checksum goes */
};

struct pack_batch_reader {
	struct pack_feed *feed;
	struct pack_digest *digest;
	struct sums *sums;
	struct buf owed;
};

/* --- the batch ------------------------------------------------------------ */

struct pack_plan *pack_batch_plans(const struct pack_batch *batch, size_t *count)
{
	*count = batch->plans.len / sizeof(struct pack_plan);
	return (struct pack_plan *)(void *)batch->plans.data;
}

const char *pack_batch_at(const struct pack_batch *batch, size_t offset)
{
	return (const char *)batch->text.data + offset;
}

/* Appends a part. */
static struct pack_part *add_part(struct pack_batch *batch, struct err *err)
{
	struct pack_part **parts =
		mem_grow(batch->parts, batch->part_count, &batch->parts_cap, sizeof *parts, err);

	if (parts == NULL)
		return NULL;
	batch->parts = parts;
	parts[batch->part_count] = pack_part_new(batch->target, err);
	return parts[batch->part_count] != NULL ? parts[batch->part_count++] : NULL;
}

int pack_batch_init(struct pack_batch *batch, size_t target, struct err *err)
{
	*batch = (struct pack_batch){.target = target};
	buf_init(&batch->plans, SIZE_MAX);
	buf_init(&batch->text, SIZE_MAX);
	buf_init(&batch->notes, SIZE_MAX);
	buf_init(&batch->large_path, PACK_PATH_MAX);
	return add_part(batch, err) != NULL ? 0 : -1;
}

/* Releases the directories and files that the entries hold. */
static void let_go(struct pack_batch *batch)
{
	size_t i, count;
	struct pack_plan *plans = pack_batch_plans(batch, &count);

	for (i = 0; i < count; i++) {
		fs_close(plans[i].fd);
		pack_dir_unref(plans[i].dir);
		pack_dir_unref(plans[i].self);
		plans[i].dir = plans[i].self = NULL;
		plans[i].fd = -1;
	}
}

void pack_batch_fini(struct pack_batch *batch)
{
	size_t i;

	let_go(batch);
	for (i = 0; i < batch->part_count; i++)
		pack_part_free(batch->parts[i]);
	free(batch->parts);
	buf_fini(&batch->plans);
	buf_fini(&batch->text);
	buf_fini(&batch->notes);
	buf_fini(&batch->large_path);
}

void pack_batch_reset(struct pack_batch *batch)
{
	while (batch->part_count > 1)
		pack_part_free(batch->parts[--batch->part_count]);
	pack_part_reset(batch->parts[0]);
	buf_clear(&batch->plans);
	buf_clear(&batch->text);
	buf_clear(&batch->notes);
	batch->dirs = 0;
	batch->read = 0;
	batch->large = batch->large_begins = batch->large_ends = false;
	batch->large_sparse = false;
}

size_t pack_batch_text(struct pack_batch *batch, const void *text, size_t len, struct err *err)
{
	size_t at = batch->text.len;

	return buf_add(&batch->text, text, len, err) == 0 && buf_add(&batch->text, "", 1, err) == 0
		       ? at
		       : SIZE_MAX;
}

int pack_batch_note(
	struct pack_batch *batch, const char *path, size_t len, const char *what, struct err *err)
{
	size_t before = batch->notes.len;

	if (buf_add(&batch->notes, &len, sizeof len, err) == 0 &&
		buf_add(&batch->notes, path, len, err) == 0 &&
		buf_add(&batch->notes, what, strlen(what) + 1, err) == 0)
		return 0;
	batch->notes.len = before; /* half a note can't be read */
	return -1;
}

uint64_t pack_batch_report(const struct pack_batch *batch,
	void (*problem)(void *ctx, const char *path, size_t len, const char *what), void *ctx)
{
	uint64_t count = 0;
	size_t at, len;

	for (at = 0; at < batch->notes.len; count++) {
		const char *path, *what;

		memcpy(&len, batch->notes.data + at, sizeof len);
		path = (const char *)batch->notes.data + at + sizeof len;
		what = path + len;
		problem(ctx, path, len, what);
		at += sizeof len + len + strlen(what) + 1;
	}
	return count;
}

int pack_batch_add(struct pack_batch *batch, struct pack_walk *walk, bool read, struct err *err)
{
	const struct pack_scan_item *item = &walk->item;
	size_t count;
	const struct pack_plan *plans = pack_batch_plans(batch, &count);
	bool other_dir = count == 0 || plans[count - 1].dir != item->dir;
	struct pack_plan p = {
		.dir = read ? item->dir : NULL,
		.self = read ? item->self : NULL,
		.path_len = item->path_len,
		.has_link = read && walk->linked,
		.link_len = walk->link.len,
		.fd = item->fd,
		.error = item->error,
		.st = item->st,
	};

	p.path = pack_batch_text(batch, item->path, item->path_len, err);
	if (read)
		p.name = pack_batch_text(batch, item->name, strlen(item->name), err);
	if (p.has_link)
		p.link = pack_batch_text(batch, walk->link.data, walk->link.len, err);
	if (p.path == SIZE_MAX || p.name == SIZE_MAX || p.link == SIZE_MAX ||
		buf_add(&batch->plans, &p, sizeof p, err) != 0)
		return -1;
	if (read) {
		batch->dirs += other_dir + (item->self != NULL);
		pack_dir_ref(item->dir);
		if (item->self != NULL)
			pack_dir_ref(item->self);
	}
	walk->pending = false;
	return 0;
}

/* --- the walk ---------------------------------------------------------------- */

/* Out of memory here costs only the note: the walk goes on, and the problem is counted. */
static void problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	struct pack_walk *w = ctx;
	char text[256], reason[128];

	if (errnum != 0)
		snprintf(text, sizeof text, "%s: %s", what,
			strerror_r(errnum, reason, sizeof reason));
	else
		snprintf(text, sizeof text, "%s", what);
	w->missing++;
	if (pack_batch_note(w->batch, path, len, text, NULL) != 0)
		w->untold++;
}

int pack_walk_init(struct pack_walk *walk, const struct pack_scan_options *options, struct err *err)
{
	struct pack_scan_options o = *options;

	*walk = (struct pack_walk){0};
	buf_init(&walk->link, PACK_PATH_MAX);
	o.problem = problem;
	o.problem_ctx = walk;
	walk->scan = pack_scan_new(&o, err);
	walk->links = walk->scan != NULL ? pack_links_new(0, err) : NULL;
	return walk->links != NULL ? 0 : -1;
}

/* Closes the pending item's file, if it is open. */
static void drop_file(struct pack_walk *walk)
{
	fs_close(walk->item.fd);
	walk->item.fd = -1;
}

void pack_walk_fini(struct pack_walk *walk)
{
	if (walk->pending)
		drop_file(walk);
	pack_scan_free(walk->scan);
	pack_links_free(walk->links);
	buf_fini(&walk->link);
}

int pack_walk_next(struct pack_walk *walk, struct pack_batch *batch, struct err *err)
{
	const struct pack_scan_item *item = &walk->item;
	int got;

	if (walk->pending)
		return 0;
	walk->batch = batch;
	got = pack_scan_next(walk->scan, &walk->item, err);
	if (got != 0)
		return got;
	walk->pending = true;
	walk->linked = false;
	if (S_ISDIR(item->st.st_mode) || item->st.st_nlink < 2)
		return 0;
	got = pack_links_meet(walk->links, item->st.st_dev, item->st.st_ino, item->st.st_nlink,
		item->path, item->path_len, &walk->link, err);
	walk->linked = got == 1;
	if (walk->linked)
		drop_file(walk);
	return got < 0 ? -1 : 0;
}

/* --- reading -------------------------------------------------------------- */

struct pack_batch_reader *pack_batch_reader_new(bool xattrs, bool owner_names, struct err *err)
{
	struct pack_batch_reader *r = mem_new(sizeof *r, err);

	if (r == NULL)
		return NULL;
	buf_init(&r->owed, SIZE_MAX);
	r->feed = pack_feed_new(xattrs, owner_names, err);
	r->digest = r->feed != NULL ? pack_digest_new(err) : NULL;
	r->sums = r->digest != NULL ? sums_new(err) : NULL;
	if (r->sums != NULL)
		return r;
	pack_batch_reader_free(r);
	return NULL;
}

void pack_batch_reader_free(struct pack_batch_reader *r)
{
	if (r == NULL)
		return;
	pack_feed_free(r->feed);
	pack_digest_free(r->digest);
	sums_free(r->sums);
	buf_fini(&r->owed);
	free(r);
}

/* Reads the content, into as many parts as it needs, and writes the TAIL. */
static int read_rest(struct pack_batch *batch, struct pack_batch_reader *r, struct pack_part *part,
	struct pack_stream *s, struct err *err)
{
	struct owed owed = {.part = part, .content = part->raw.len + PACK_DATA_HEAD};
	/* Whether the content is certain to be a single DATA item in this part. */
	bool owes = s->fd >= 0 && !s->sparse && s->st.st_size > 0 &&
		    (uint64_t)s->st.st_size <= pack_part_left(part);
	uint8_t sum[HASH_LEN] = {0};
	int got;

	pack_digest_begin(r->digest, s->tail.sparse);
	while ((got = pack_feed_fill(part, s, owes ? NULL : r->digest, err)) == 1)
		if ((part = add_part(batch, err)) == NULL)
			break;
	if (got != 0) {
		pack_feed_drop(s);
		return -1;
	}
	batch->read += s->at;
	owes = owes && s->at > 0;
	if (s->tail.has_content && !owes)
		pack_digest_end(r->digest, sum);
	if (pack_feed_end(part, s, sum, err) != 0)
		return -1;
	owed.len = (size_t)s->at;
	owed.sum_raw = part->sum_raw;
	owed.sum_meta = part->sum_meta;
	return owes ? buf_add(&r->owed, &owed, sizeof owed, err) : 0;
}

static int read_entry(
	struct pack_batch *batch, struct pack_batch_reader *r, struct pack_plan *p, struct err *err)
{
	struct pack_scan_item item = {
		.dir = p->dir,
		.name = pack_batch_at(batch, p->name),
		.path = pack_batch_at(batch, p->path),
		.path_len = p->path_len,
		.st = p->st,
		.self = p->self,
		.fd = p->fd,
		.error = p->error,
	};
	struct pack_bytes link = {0};
	struct pack_part *part = batch->parts[batch->part_count - 1];
	size_t part_count, raw_len, owed_len = r->owed.len; /* where it began */
	struct pack_stream s;
	int got, tries;

	if (p->has_link)
		link = (struct pack_bytes){
			(const uint8_t *)pack_batch_at(batch, p->link), p->link_len};
	if (pack_part_full(part) && (part = add_part(batch, err)) == NULL)
		return -1;
	part_count = batch->part_count;
	raw_len = part->raw.len;
	p->fd = -1;
	for (tries = 1;; tries++) {
		got = pack_feed_begin(r->feed, part, &item, link, &s, err);
		if (got < 0 || (got == 0 && read_rest(batch, r, part, &s, err) != 0))
			return -1;
		/* A file that changed or shrank may be inconsistent. Reading it again may give
		 * one state. */
		if (got > 0 || tries == PACK_BATCH_TRIES ||
			(s.tail.status != PACK_CHANGED && s.tail.status != PACK_SHRUNK))
			break;
		while (batch->part_count > part_count)
			pack_part_free(batch->parts[--batch->part_count]);
		pack_part_undo(part, raw_len);
		r->owed.len = owed_len;
		item.fd = -1;
	}
	p->left_out = got > 0;
	p->sound = got == 0 && s.problem[0] == 0 && s.tail.status == PACK_OK;
	p->st = s.st;
	if (s.problem[0] == 0)
		return 0;
	return pack_batch_note(batch, item.path, item.path_len, s.problem, err);
}

int pack_batch_read(struct pack_batch *batch, struct pack_batch_reader *r, struct err *err)
{
	size_t i, count;
	struct pack_plan *plans = pack_batch_plans(batch, &count);
	const struct owed *o;
	int result = 0;

	buf_clear(&r->owed);
	for (i = 0; i < count && result == 0; i++)
		if (plans[i].dir != NULL)
			result = read_entry(batch, r, &plans[i], err);
	let_go(batch);
	o = (const struct owed *)(const void *)r->owed.data;
	count = r->owed.len / sizeof *o;
	for (i = 0; i < count && result == 0; i++)
		result = sums_add(r->sums, o[i].part->raw.data + o[i].content, o[i].len,
			o[i].part->raw.data + o[i].sum_raw, err);
	if (result != 0)
		return -1;
	sums_run(r->sums);
	for (i = 0; i < count; i++)
		memcpy(o[i].part->meta.data + o[i].sum_meta, o[i].part->raw.data + o[i].sum_raw,
			HASH_LEN);
	return 0;
}

/* --- large files ---------------------------------------------------------- */

void pack_large_init(struct pack_large *large)
{
	*large = (struct pack_large){0};
	buf_init(&large->path, PACK_PATH_MAX);
}

int pack_large_begin(struct pack_large *large, struct pack_batch *batch,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, struct err *err)
{
	int got = pack_feed_begin(
		reader->feed, batch->parts[0], item, (struct pack_bytes){0}, &large->stream, err);

	if (got < 0)
		return -1;
	if (got > 0)
		return pack_batch_note(
			       batch, item->path, item->path_len, large->stream.problem, err) == 0
			       ? 1
			       : -1;
	large->running = true;
	batch->large_begins = true;
	batch->large_sparse = large->stream.tail.sparse;
	buf_clear(&large->path);
	return buf_add(&large->path, item->path, item->path_len, err);
}

/* Starts a program whose standard output is a pipe. Returns the pipe's reading end, or -1 with
 * err set. */
static int spawn(char **words, pid_t *pid, struct err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t ignored; /* ignored by this process, but not to be by the program */
	int ends[2], got;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, errno, "pipe");
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	sigaddset(&ignored, SIGUSR1);
	sigaddset(&ignored, SIGXFSZ);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &ignored);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	got = posix_spawnp(pid, words[0], &actions, &attr, words, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (got == 0)
		return ends[0];
	close(ends[0]);
	return err_errno(err, got, "command %s", words[0]);
}

int pack_large_command(
	struct pack_large *large, struct pack_batch *batch, const char *text, struct err *err)
{
	char *copy = strdup(text), *at = copy, *name, *word;
	char *words[COMMAND_WORDS + 1] = {0};
	struct pack_head head = {
		.type = PACK_COMMAND,
		.has = PACK_HAS_MODE | PACK_HAS_UID | PACK_HAS_GID | PACK_HAS_MTIME,
		.mode = 0600,
		.uid = geteuid(),
		.gid = getegid(),
	};
	struct timespec now;
	size_t n = 0;
	int fd, ret = -1;

	if (copy == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	name = strsep(&at, "=");
	while (at != NULL && n < COMMAND_WORDS && (word = strsep(&at, " \t")) != NULL)
		if (*word != 0)
			words[n++] = word;
	if (n == 0 || pack_path_wrong((const uint8_t *)name, strlen(name)) != NULL ||
		strcmp(name, ".") == 0) {
		err_set(err, ERR_USAGE,
			"--command: expected NAME=PROGRAM, where NAME is a relative path");
		goto out;
	}
	buf_clear(&large->path);
	if (buf_add(&large->path, name, strlen(name), err) != 0 ||
		(fd = spawn(words, &large->command, err)) < 0)
		goto out;
	clock_gettime(CLOCK_REALTIME, &now);
	large->stream = (struct pack_stream){
		.fd = fd, .command = true, .tail = {.has_content = true, .has_exit = true}};
	large->running = batch->large_begins = true;
	head.path = (struct pack_bytes){large->path.data, large->path.len};
	head.mtime = (struct pack_time){now.tv_sec, (uint32_t)now.tv_nsec};
	ret = pack_part_head(batch->parts[0], &head, err);
out:
	free(copy);
	return ret;
}

/* Waits for the command, if there is one. Returns its exit status as a shell's $? has it. */
static uint32_t wait_for(struct pack_large *large)
{
	int status = 0;

	if (large->command == 0)
		return 0;
	while (waitpid(large->command, &status, 0) < 0 && errno == EINTR)
		;
	large->command = 0;
	return WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status)
				 : 128u + (uint32_t)WTERMSIG(status);
}

int pack_large_end(struct pack_large *large, struct pack_batch *batch, struct err *err)
{
	struct pack_stream *s = &large->stream;

	large->running = false;
	s->tail.exit = wait_for(large);
	if (s->tail.exit != 0) {
		s->tail.status = PACK_COMMAND_FAILED;
		pack_command_failed(s->tail.exit, s->problem, sizeof s->problem);
	}
	batch->large_ends = true;
	batch->end = *s;
	buf_clear(&batch->large_path);
	return buf_add(&batch->large_path, large->path.data, large->path.len, err);
}

int pack_large_tail(struct pack_batch *batch, const uint8_t *sum, struct err *err)
{
	if (pack_feed_end(batch->parts[0], &batch->end, sum, err) != 0)
		return -1;
	if (batch->end.problem[0] == 0)
		return 0;
	return pack_batch_note(batch, (const char *)batch->large_path.data, batch->large_path.len,
		batch->end.problem, err);
}

void pack_large_fini(struct pack_large *large)
{
	if (large->running)
		pack_feed_drop(&large->stream);
	if (large->command != 0)
		kill(large->command, SIGTERM);
	wait_for(large);
	buf_fini(&large->path);
}
