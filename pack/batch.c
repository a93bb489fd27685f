/*
 * A note is "length path length text NUL". A checksum that is owed is a place in a part
 * whose content is hashed when all of the batch is read; parts may move until then, so
 * places are offsets.
 */
#include "pack/batch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/mem.h"
#include "lib/sums.h"
#include "pack/command.h"
#include "pack/digest.h"
#include "pack/part.h"
#include "pack/scan.h"
#include "pack/walk.h"

/* A checksum that is owed. */
struct owed {
	struct pack_part *part;
	size_t content, len;      /* in .raw */
	size_t sum_raw, sum_meta; /* where it goes */
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

/* One more part at the end. */
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

/* Gives back directories and files that its entries hold. */
static void let_go(struct pack_batch *batch)
{
	size_t i, count;
	struct pack_plan *plans = pack_batch_plans(batch, &count);

	for (i = 0; i < count; i++) {
		if (plans[i].fd >= 0)
			close(plans[i].fd);
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

/* Content, over as many parts as it takes, and TAIL. */
static int read_rest(struct pack_batch *batch, struct pack_batch_reader *r, struct pack_part *part,
	struct pack_stream *s, struct err *err)
{
	struct owed owed = {.part = part, .content = part->raw.len + PACK_DATA_HEAD};
	/* Whether the content will surely be one DATA in this part. */
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
	size_t part_count, raw_len, owed_len = r->owed.len; /* where it begins */
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
		/* What was read may be of two states, and would be whole if it were read again. */
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

int pack_large_command(
	struct pack_large *large, struct pack_batch *batch, const char *text, struct err *err)
{
	if (pack_command_begin(
		    text, batch->parts[0], &large->stream, &large->command, &large->path, err) != 0)
		return -1;
	large->running = true;
	batch->large_begins = true;
	return 0;
}

int pack_large_end(struct pack_large *large, struct pack_batch *batch, struct err *err)
{
	large->running = false;
	pack_command_end(&large->command, &large->stream);
	batch->large_ends = true;
	batch->end = large->stream;
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
	pack_command_stop(&large->command);
	buf_fini(&large->path);
}
