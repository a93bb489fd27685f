/*
 * fdump cat: writes the content of one member. In a seekable file the INDEX blocks are searched
 * from the end, so that the last entry of the path is found first. The target of a hard link comes
 * before the link, so the search simply continues. A stream is read until the path is found.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "pack/load.h"
#include "pack/read.h"
#include "pack/seek.h"

#define LOST "%s: lost: part of it is damaged or missing"

struct cat {
	struct ui_options o;
	const char *dump; /* with -s; else NULL */
	struct ui_dump *from;
	int fd;
	struct buf want;  /* the path to find */
	struct buf other; /* that path read as an escaped name; empty: it is not one */
	char *shown;      /* the path asked for, escaped */
	bool found;       /* output of its content has begun */
	struct pack_tail tail;
	/* For reading in sequence. */
	bool open, linked;
	size_t problems;
};

static bool wanted(const struct cat *c, const struct pack_bytes path)
{
	return (path.len == c->want.len && memcmp(path.at, c->want.data, path.len) == 0) ||
	       (path.len == c->other.len && path.len > 0 &&
		       memcmp(path.at, c->other.data, path.len) == 0);
}

static int want(struct cat *c, const void *path, size_t len, struct err *err)
{
	buf_clear(&c->want);
	buf_clear(&c->other);
	return buf_add(&c->want, path, len, err);
}

static bool has_content(const struct cat *c, enum pack_type type, struct err *err)
{
	if (type == PACK_REGULAR || type == PACK_COMMAND)
		return true;
	err_set(err, ERR_USAGE, "%s: a %s has no content", c->shown, pack_type_name(type));
	return false;
}

/* --- output ------------------------------------------------------------- */

static int put_data(void *ctx, const uint8_t *bytes, size_t len, struct err *err)
{
	struct cat *c = ctx;

	c->found = true;
	if (fs_write_two(1, bytes, len, NULL, 0) != 0)
		return err_errno(err, errno, "standard output");
	return 0;
}

/* Leaves a hole in standard output if that is a regular file that ends here. Returns whether it
 * did. */
static bool leave_hole(uint64_t len)
{
	off_t at = lseek(1, 0, SEEK_CUR);
	struct stat st;

	return at >= 0 && fstat(1, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= at &&
	       !(fcntl(1, F_GETFL) & O_APPEND) && ftruncate(1, at + (off_t)len) == 0 &&
	       lseek(1, (off_t)len, SEEK_CUR) >= 0;
}

static int put_hole(void *ctx, uint64_t len, struct err *err)
{
	static const uint8_t zeros[65536];
	struct cat *c = ctx;
	int got = 0;

	c->found = true;
	if (len >= sizeof zeros && leave_hole(len))
		return 0;
	for (; len > 0 && got == 0; len -= len < sizeof zeros ? len : sizeof zeros)
		got = put_data(ctx, zeros, len < sizeof zeros ? len : sizeof zeros, err);
	return got;
}

static int put_tail(
	void *ctx, const struct pack_tail *tail, enum pack_verdict verdict, struct err *err)
{
	struct cat *c = ctx;

	c->found = true;
	c->tail = *tail;
	if (verdict != PACK_GOOD)
		return err_set(err, ERR_DAMAGE, "size or checksum does not match the content");
	return 0;
}

/* --- by the index ------------------------------------------------------- */

/* Finds the last record of the wanted path among the first `limit` records of an INDEX. Returns 0
 * with its number and the record, 1 if there is none, -1 with err set (also if it is refused). */
static int find_in_index(struct cat *c, const struct pack_seek *seek, struct pack_seek_hand *hand,
	const struct pack_seek_place *place, uint64_t limit, uint64_t *number,
	struct pack_index_record *record, struct err *err)
{
	struct pack_index_record r;
	struct pack_index index;
	struct err refused;
	uint64_t i;
	int got = 0, ret = 1;

	if (pack_seek_index(seek, hand, place, &index, err) != 0)
		return -1;
	for (i = 0; i < limit; i++) {
		got = pack_index_next(&index, &r, err);
		if (got == 1 || got == -1)
			break;
		if (!wanted(c, r.head.path))
			continue;
		ret = got == 2 ? -1 : 0;
		if (got == 2)
			refused = *err;
		*number = i;
		*record = r;
	}
	if (got == -1 || ret >= 0)
		return got == -1 ? -1 : ret;
	*err = refused;
	return err_prefix(err, "%s", c->shown);
}

/* Searches from the end for the entry with the content, and follows hard links. Returns 0, 1 if
 * there is none, -1 with err set. */
static int find(struct cat *c, struct pack_seek *seek, struct pack_seek_hand *hand,
	struct pack_seek_place *place, struct pack_index_record *record, struct err *err)
{
	uint64_t limit, number = 0;
	bool linked = false;
	uint32_t pack = 0;
	int got;

	while ((got = pack_seek_back(seek, hand, place, err)) == 0) {
		if (linked && place->pack != pack)
			break;
		limit = UINT64_MAX;
		while ((got = find_in_index(c, seek, hand, place, limit, &number, record, err)) ==
			0) {
			if (record->head.type != PACK_HARDLINK)
				return 0;
			linked = true;
			pack = place->pack;
			limit = number;
			if (want(c, record->head.link.at, record->head.link.len, err) != 0)
				return -1;
		}
		if (got < 0)
			return -1;
	}
	if (linked && got >= 0)
		return err_set(err, ERR_DAMAGE, "%s: what this hard link names is not in the pack",
			c->shown);
	return got < 0 ? -1 : 1;
}

/* Returns 0, 1 if the path is not there, -1 with err set. *sequence: the index is bad, so reading
 * in sequence may succeed. */
static int cat_by_index(struct cat *c, bool *sequence, struct err *err)
{
	struct pack_seek_options options = {.fd = c->fd,
		.need_key = ui_unseal_wanted(&c->o.unseal),
		.open_key = ui_unseal_open,
		.key_ctx = &c->o.unseal};
	struct pack_seek_sink sink = {
		.data = put_data, .hole = put_hole, .tail = put_tail, .ctx = c};
	struct pack_seek_hand *hand = pack_seek_hand_new(err);
	struct pack_seek *seek = hand != NULL ? pack_seek_open(&options, err) : NULL;
	struct pack_seek_place place;
	struct pack_index_record record;
	int got = -1;

	if (seek != NULL)
		got = find(c, seek, hand, &place, &record, err);
	*sequence = got < 0 &&
		    (err->code == ERR_DAMAGE || err->code == ERR_FORMAT || err->code == ERR_LIMIT);
	if (got == 0 && !has_content(c, record.head.type, err)) {
		got = -1;
	} else if (got == 0) {
		got = pack_seek_member(seek, hand, place.pack, &record, &sink, err);
		if (got < 0)
			err_prefix(err, "%s", c->shown);
	}
	pack_seek_free(seek);
	pack_seek_hand_free(hand);
	return got;
}

/* --- in sequence -------------------------------------------------------- */

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct cat *c = ctx;

	(void)kind;
	ui_problem(&(struct ui_problem){.file = c->dump != NULL ? c->dump : c->o.file,
			   .has_offset = c->dump == NULL,
			   .offset = offset,
			   .path = path,
			   .what = what},
		NULL);
	c->problems++;
}

/* Writes the content between the offsets `from` and `end`. */
static int put_content(
	struct cat *c, const struct pack_load *load, uint32_t from, uint32_t end, struct err *err)
{
	struct pack_item item;
	struct cbor_in in;
	int got = 0;

	cbor_in_init(&in, load->raw + from, end - from);
	while (got == 0 && pack_load_item(load, &in, &item, err) == 0 && item.kind < PACK_ITEM_TAIL)
		got = item.kind == PACK_ITEM_DATA ? put_data(c, item.data.at, item.data.len, err)
						  : put_hole(c, item.hole, err);
	return got;
}

/* Handles the entry's TAIL. Returns 1, for done, or -1 with err set. */
static int end(
	struct cat *c, const struct pack_tail *tail, enum pack_verdict verdict, struct err *err)
{
	return put_tail(c, tail, verdict, err) != 0 ? err_prefix(err, "%s", c->shown) : 1;
}

/* Handles an entry of the wanted path. trail: its content continues in the next load. Returns 0 to
 * go on there; 1 if it is done, also with a hard link, whose target is then the wanted path; -1
 * with err set. */
static int take(struct cat *c, const struct pack_load *load, const struct pack_member *m,
	bool trail, struct err *err)
{
	if (m->verdict == PACK_REFUSED)
		return err_set(err, ERR_DAMAGE, "%s: %s", c->shown, pack_load_text(load, m->why));
	if (m->head.type == PACK_HARDLINK) {
		c->linked = true;
		return want(c, m->head.link.at, m->head.link.len, err) != 0 ? -1 : 1;
	}
	if (!has_content(c, m->head.type, err) ||
		put_content(c, load, m->content, m->content_end, err) != 0)
		return -1;
	c->found = true;
	c->open = trail;
	return trail ? 0 : end(c, &m->tail, m->verdict, err);
}

static int on_load(void *ctx, struct pack_load *load, struct err *err)
{
	struct pack_member *m;
	struct cat *c = ctx;
	size_t count, i;

	if (c->open && load->lost_open)
		return err_set(err, ERR_DAMAGE, LOST, c->shown);
	if (c->open && load->lead_live) {
		if (put_content(c, load, 0, load->lead_end, err) != 0)
			return -1;
		if (load->lead_ends)
			return end(c, &load->lead_tail, load->lead_verdict, err);
	}
	if (c->open || !load->usable)
		return 0;
	m = pack_load_members(load, &count);
	for (i = 0; i < count; i++)
		if (m[i].head.path.at != NULL && wanted(c, m[i].head.path))
			return take(c, load, &m[i], false, err);
	if (load->has_trail && load->trail.head.path.at != NULL && wanted(c, load->trail.head.path))
		return take(c, load, &load->trail, true, err);
	return 0;
}

/* Returns 0, 1 if the path is not there, -1 with err set. */
static int cat_in_sequence(struct cat *c, struct err *err)
{
	struct pack_read_options options = {
		.fd = c->fd,
		.threads = c->o.threads,
		.prove = true,
		.skip_damaged = true,
		.need_key = c->dump == NULL && ui_unseal_wanted(&c->o.unseal),
		.open_key = c->dump == NULL ? ui_unseal_open : NULL,
		.key_ctx = &c->o.unseal,
		.apply = on_load,
		.problem = on_problem,
		.ctx = c,
	};
	struct pack_read result;
	int got = c->from != NULL ? ui_dump_feed(c->from, &options, err) : 0;

	if (got == 0)
		got = pack_read_run(&options, &result, err);
	if (got == 1)
		return 0;
	if (got == 0 && result.unopened)
		return err_set(err, ERR_DENIED, "the pack is sealed: a key is needed (--key FILE)");
	if (got == 0 && c->open)
		return err_set(err, ERR_DAMAGE, LOST, c->shown);
	return got == 0 ? 1 : -1;
}

/* Reads a stream, or a file whose end is damaged. again: it can be read a second time, for the
 * target of a hard link. Returns as cat_in_sequence. */
static int cat_sequence(struct cat *c, bool again, struct err *err)
{
	int got = cat_in_sequence(c, err);

	if (got != 0 || !c->linked)
		return got;
	if (!again)
		return err_set(err, ERR_USAGE,
			"%s: a hard link, and its content came earlier in the stream: give the "
			"pack as a file (-f)",
			c->shown);
	c->linked = false;
	if (lseek(c->fd, 0, SEEK_SET) != 0)
		return err_errno(err, errno, "seek");
	got = cat_in_sequence(c, err);
	if (got > 0 || (got == 0 && c->linked))
		return err_set(err, ERR_DAMAGE, "%s: what this hard link names is not in the pack",
			c->shown);
	return got;
}

/* --- the command ------------------------------------------------------------ */

/* If the wanted path is a hard link in the dump, makes its target the wanted path. Returns 1 then,
 * and so ends the walk. */
static int find_target(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err)
{
	struct cat *c = ctx;

	(void)tail;
	if (head->type != PACK_HARDLINK || !wanted(c, head->path))
		return 0;
	return want(c, (const char *)head->link.at, head->link.len, err) == 0 ? 1 : -1;
}

/* Writes the file from a dump in a store; nothing else of the dump is read. Returns as
 * cat_in_sequence. */
static int cat_dump(struct cat *c, struct err *err)
{
	struct ui_options only = c->o;
	struct ui_dump d = {.reads = true};
	char *path = NULL;
	int got = -1;

	only.select = (struct ui_select){0};
	if (ui_dump_open(&d, &only, c->dump, err) != 0 || ui_dump_walk(&d, find_target, c, err) < 0)
		goto out;
	path = strndup((const char *)c->want.data, c->want.len);
	if (path == NULL || ui_select_path(&only.select, path, err) != 0)
		goto out;
	ui_select_ready(&only.select);
	c->from = &d;
	got = cat_sequence(c, false, err);
	if ((got >= 0 || err->code == ERR_DAMAGE) && ui_dump_gaps(&d, err) != 0)
		got = -1;
out:
	free(path);
	ui_select_fini(&only.select);
	ui_dump_close(&d);
	return got;
}

/* Sets the wanted path to the one that was named, in both readings. */
static int want_named(struct cat *c, struct err *err)
{
	const struct ui_select *s = &c->o.select;
	size_t i;

	buf_clear(&c->want);
	buf_clear(&c->other);
	for (i = 0; i < s->count; i++)
		if (buf_add(s->paths[i].twin ? &c->other : &c->want, s->paths[i].path,
			    s->paths[i].len, err) != 0)
			return -1;
	return 0;
}

static int cat(struct cat *c, struct err *err)
{
	bool sequence = false;
	int got;

	if (want_named(c, err) != 0)
		return -1;
	c->shown = ui_show_name((struct pack_bytes){c->want.data, c->want.len});
	if (c->shown == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (c->dump != NULL)
		return cat_dump(c, err);
	c->fd = ui_open_pack(c->o.file, err);
	if (c->fd < 0)
		return -1;
	if (!pack_seek_can(c->fd))
		return cat_sequence(c, false, err);
	got = cat_by_index(c, &sequence, err);
	if (!sequence)
		return got;
	ui_say("cat", "%s: %s: reading all of it", c->o.file, err->message);
	*err = (struct err){0};
	if (want_named(c, err) != 0)
		return -1;
	return cat_sequence(c, true, err);
}

static struct cat cat_options = {.o = {.file = "-"}};

static int run(void *own, struct err *err)
{
	struct cat *c = own;
	const bool stored = c->o.store_count > 0;
	char text[UI_SHOW_STATUS_MAX];
	int status;

	if (stored && c->o.arg_count == 2)
		c->dump = *c->o.args++;
	else if (stored || c->o.arg_count != 1)
		return ui_usage("expected %s", stored ? "DUMP PATH" : "PATH");
	if ((status = ui_options_paths(&c->o)) >= 0)
		return status;
	buf_init(&c->want, PACK_PATH_MAX);
	buf_init(&c->other, PACK_PATH_MAX);
	signal(SIGPIPE, SIG_DFL); /* as cat(1); content that was not written was not checked */
	status = cat(c, err);
	if (status < 0) {
		if (c->dump == NULL)
			err_prefix(err, "%s", c->o.file);
	} else if (status > 0) {
		ui_say("cat", "%s: %s: not in the %s", stored ? c->dump : c->o.file, c->shown,
			stored ? "dump ('fdump files' lists its paths)" : "pack");
		status = c->problems > 0 ? UI_DAMAGE : UI_FAILED;
	} else if (c->tail.status != PACK_OK) {
		ui_show_status(text, &c->tail);
		fprintf(stderr, "fdump cat: %s: %s\n", c->shown, text);
		status = UI_SOME;
	}
	if (c->fd > 0)
		close(c->fd);
	buf_fini(&c->want);
	buf_fini(&c->other);
	free(c->shown);
	return status;
}

static const struct ui_option options[] = {
	{.shared = "fsAiSakpt"},
	{0},
};

const struct ui_command cmd_cat = {
	.name = "cat",
	.summary = "write the content of one file of a pack or a dump",
	.usage = "[-f FILE] [options] PATH\n"
		 "-s STORE... [options] DUMP PATH",
	.about = "Writes the content of one file, or of a command's output, to standard output: "
		 "of a pack, or of a dump in a store. A hard link stands for its file.",
	.options = options,
	.arguments = "[DUMP] PATH",
	.exits = "0 done; 1 done, but the file changed or could not be read to its end when it "
		 "was packed, or the command failed; 2 failed, or PATH is not there; 3 a key "
		 "file can't be used; 5 damage found: what was written is wrong or incomplete; 6 "
		 "wrong key, or not encrypted; 7 no space; 8 a store was busy.",
	.own = &cat_options,
	.run = run,
};
