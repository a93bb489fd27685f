/*
 * fdump diff: compares a pack or a dump with the live tree, or two dumps. Both sides are read in
 * the same order (pack/FORMAT.md, section 4.3), so this is a merge: an entry that only one side has
 * is noticed at once, and memory does not grow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/dump/pipeline.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "lib/match.h"
#include "pack/digest.h"
#include "pack/feed.h"
#include "pack/follow.h"
#include "pack/load.h"
#include "pack/part.h"
#include "pack/read.h"
#include "pack/scan.h"

struct diff {
	struct ui_options o;
	struct ui_dump from;  /* if .source is not NULL: instead of a pack */
	struct ui_dump other; /* if .source is not NULL: instead of the live tree */
	int base;
	struct pack_follow follow;
	struct pack_scan *scan;
	struct pack_feed *feed;
	struct pack_part *part;
	struct pack_digest *digest;
	char *root; /* the root of the walk; NULL: none yet */
	bool root_given;
	bool met; /* item is the next of the live tree, not yet handled */
	struct pack_scan_item item;
	struct buf commands; /* members that were commands, which are outside the order */
	struct buf told;     /* a directory that only the tree has; its content is not reported */
	uint64_t different;
	bool failed;
	bool live; /* compare with the tree that the dump was made of */
	char live_base[4096];
};

/* "mode, content"; cut off if there is no room. */
struct words {
	char text[160];
};

static void add_word(struct words *w, bool differs, const char *word)
{
	size_t len = strlen(w->text);

	if (differs)
		snprintf(w->text + len, sizeof w->text - len, "%s%s", len > 0 ? ", " : "", word);
}

static bool same_bytes(struct pack_bytes a, struct pack_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Compares two HEADs, except for names and types. */
static void add_heads(
	struct words *w, const struct pack_head *a, const struct pack_head *b, bool xattrs)
{
	unsigned both = a->has & b->has;

	add_word(w, both & PACK_HAS_MODE && a->mode != b->mode, "mode");
	add_word(w,
		(both & PACK_HAS_UID && a->uid != b->uid) ||
			(both & PACK_HAS_GID && a->gid != b->gid),
		"owner");
	add_word(w,
		both & PACK_HAS_MTIME &&
			(a->mtime.sec != b->mtime.sec || a->mtime.nsec != b->mtime.nsec),
		"mtime");
	add_word(w, !same_bytes(a->target, b->target), "target");
	add_word(w,
		both & PACK_HAS_RDEV &&
			(a->rdev_major != b->rdev_major || a->rdev_minor != b->rdev_minor),
		"device");
	add_word(w, xattrs && !same_bytes(a->xattrs, b->xattrs), "xattrs");
	add_word(w, xattrs && a->flags != b->flags, "flags");
}

/* Reports one difference: "changed NAME: mode, content", "missing NAME", "extra NAME". */
static int tell(
	struct diff *d, const char *kind, struct pack_bytes path, const char *what, struct err *err)
{
	char text[ESC_MAX(4096)], id[32];

	d->different++;
	snprintf(id, sizeof id, "diff.%s", kind);
	esc_name(text, sizeof text, path.at, path.len);
	return ui_result("difference", id,
		(struct ui_field[]){
			UI_BYTES("path", path.at, path.len), UI_STRING("what", what), {0}},
		err, "%s %s%s%s\n", kind, text, what != NULL ? ": " : "", what != NULL ? what : "");
}

/* --- the live side ------------------------------------------------------ */

static int next_root(void *ctx, const char **path, struct err *err)
{
	struct diff *d = ctx;

	(void)err;
	if (d->root == NULL || d->root_given)
		return 1;
	*path = d->root;
	d->root_given = true;
	return 0;
}

static bool excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	struct diff *d = ctx;

	return match_test(d->o.select.exclude, path, len, is_dir) == MATCH_EXCLUDED;
}

static void live_problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	struct diff *d = ctx;
	char text[ESC_MAX(4096)];
	struct err err;

	if (errnum == 0 || errnum == ENOENT)
		return; /* it will be reported as missing */
	esc_name(text, sizeof text, path, len);
	err_errno(&err, errnum, "%s: %s", text, what);
	ui_fail(&err);
	d->failed = true;
}

static bool below(const uint8_t *dir, size_t dir_len, const uint8_t *path, size_t len)
{
	return (dir_len == 1 && dir[0] == '.') ||
	       (len > dir_len && memcmp(path, dir, dir_len) == 0 && path[dir_len] == '/');
}

/* Reads the next item of the live tree into d->item, unless one is there. d->met: whether there is
 * one. */
static int look(struct diff *d, struct err *err)
{
	int got = 0;

	if (!d->met && d->scan != NULL) {
		got = pack_scan_next(d->scan, &d->item, err);
		d->met = got == 0;
	}
	return got < 0 ? -1 : 0;
}

/* Whether a member of this path was the output of a command. */
static bool was_command(const struct diff *d, const char *path, size_t len)
{
	const char *at = (const char *)d->commands.data, *end = at + d->commands.len;

	for (; at < end; at += strlen(at) + 1)
		if (strlen(at) == len && memcmp(at, path, len) == 0)
			return true;
	return false;
}

/* Reports that d->item has no entry in the pack. */
static int tell_extra(struct diff *d, struct err *err)
{
	const struct pack_bytes path = {(const uint8_t *)d->item.path, d->item.path_len};

	d->met = false;
	if (d->told.len > 0 && below(d->told.data, d->told.len, path.at, path.len))
		return 0;
	buf_clear(&d->told);
	if (!ui_select_test(&d->o.select, path.at, path.len, d->item.self != NULL) ||
		was_command(d, d->item.path, path.len))
		return 0;
	if (d->item.self != NULL && buf_add(&d->told, path.at, path.len, err) != 0)
		return -1;
	return tell(d, "extra", path, NULL, err);
}

/* --- one entry ---------------------------------------------------------- */

/* Reads the live file as fdump pack would, and compares it. */
static int compare(struct diff *d, const struct pack_head *head, const struct pack_tail *tail,
	struct words *w, struct err *err)
{
	struct pack_scan_item item = d->item;
	struct pack_stream stream;
	struct pack_head live;
	struct cbor_in in;
	uint8_t sum[HASH_LEN];
	int got;

	item.error = 0; /* compare what can be read of a directory */
	pack_part_reset(d->part);
	got = pack_feed_begin(d->feed, d->part, &item, (struct pack_bytes){0}, &stream, err);
	if (got != 0)
		return got < 0 ? -1 : (add_word(w, true, "unreadable"), 0);
	cbor_in_init(&in, d->part->raw.data, d->part->raw.len);
	if (pack_head_get(&in, &live, err) != 0) {
		pack_feed_drop(&stream);
		return -1;
	}
	if (head->type == PACK_HARDLINK)
		goto out; /* its metadata is that of the entry it is linked to */
	if (live.type != head->type && !(head->type == PACK_COMMAND && live.type == PACK_REGULAR)) {
		add_word(w, true, "type");
		goto out;
	}
	add_heads(w, head, &live, !d->o.no_xattrs);
	if (!tail->has_content)
		goto out;
	if ((uint64_t)d->item.st.st_size != tail->size) {
		add_word(w, true, "size");
		goto out;
	}
	/* Use the entry's kind of digest, whatever holes the live file has. */
	stream.tail.sparse = tail->sparse;
	pack_digest_begin(d->digest, tail->sparse);
	do {
		/* The head is not needed any more; only the content is compared. */
		pack_part_reset(d->part);
		got = pack_feed_fill(d->part, &stream, d->digest, err);
	} while (got == 1);
	pack_digest_end(d->digest, sum);
	add_word(w, stream.tail.status == PACK_READ_ERROR, "unreadable");
	add_word(w, got == 0 && memcmp(sum, tail->sum, sizeof sum) != 0, "content");
out:
	pack_feed_drop(&stream);
	return got < 0 ? -1 : 0;
}

/* Starts a new walk for an entry that is not below the last root. */
static int begin_walk(struct diff *d, struct pack_bytes path, struct err *err)
{
	const struct pack_scan_options so = {
		.base = d->base,
		.excluded = d->o.select.exclude != NULL ? excluded : NULL,
		.next_root = next_root,
		.problem = live_problem,
		.ctx = d,
		.problem_ctx = d,
	};

	while (look(d, err) == 0 && d->met)
		if (tell_extra(d, err) != 0)
			return -1;
	free(d->root);
	d->root = strndup((const char *)path.at, path.len);
	if (d->root == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	pack_scan_free(d->scan);
	d->met = false;
	d->root_given = false;
	d->scan = pack_scan_new(&so, err);
	return d->scan != NULL ? 0 : -1;
}

static int on_entry(void *ctx, const struct pack_followed *entry, struct err *err)
{
	const struct pack_head *head = entry->head;
	struct diff *d = ctx;
	struct pack_bytes p = head->path;
	struct words w = {{0}};
	int sign = -1;

	if (!ui_select_test(&d->o.select, p.at, p.len, head->type == PACK_DIRECTORY))
		return 0;
	if (head->type == PACK_COMMAND && (buf_add(&d->commands, p.at, p.len, err) != 0 ||
						  buf_add(&d->commands, "", 1, err) != 0))
		return -1;
	if ((d->root == NULL || !below((uint8_t *)d->root, strlen(d->root), p.at, p.len)) &&
		begin_walk(d, p, err) != 0)
		return -1;
	for (;;) {
		if (look(d, err) != 0)
			return -1;
		if (!d->met)
			break;
		sign = dump_path_order((const char *)p.at, p.len, d->item.path, d->item.path_len);
		if (sign <= 0)
			break;
		if (tell_extra(d, err) != 0)
			return -1;
	}
	if (!d->met || sign != 0)
		return tell(d, "missing", p, NULL, err);
	d->met = false;
	if (compare(d, head, entry->tail, &w, err) != 0)
		return -1;
	return w.text[0] != 0 ? tell(d, "changed", p, w.text, err) : 0;
}

/* --- the pack's side ---------------------------------------------------- */

static int apply(void *ctx, struct pack_load *load, struct err *err)
{
	struct diff *d = ctx;

	if (load->bad.code == ERR_DENIED && load->block.kind == PACK_ENTRY)
		return err_set(
			err, ERR_DENIED, "the pack is sealed: a secret key is needed (--key FILE)");
	return pack_follow_load(&d->follow, load, on_entry, d, err);
}

static void on_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct diff *d = ctx;

	(void)kind;
	ui_problem(&(struct ui_problem){.has_offset = d->from.source == NULL,
			   .offset = offset,
			   .path = path,
			   .what = what},
		NULL);
}

static int compare_tree(struct diff *d, struct err *err)
{
	struct pack_read_options ro = {
		.fd = -1,
		.threads = 1,
		.need_key = d->from.source == NULL && ui_unseal_wanted(&d->o.unseal),
		.open_key = ui_unseal_open,
		.key_ctx = &d->o.unseal,
		.apply = apply,
		.problem = on_problem,
		.ctx = d,
	};
	struct pack_read result;
	int got = -1;

	if (d->from.source != NULL ? ui_dump_feed(&d->from, &ro, err) != 0
				   : (ro.fd = ui_open_pack(d->o.file, err)) < 0)
		return d->from.source != NULL ? -1 : err_prefix(err, "%s", d->o.file);
	if (ui_options_base(&d->o, &d->base, err) != 0)
		goto out;
	d->feed = pack_feed_new(!d->o.no_xattrs, false, err);
	d->part = pack_part_new(65536, err);
	d->digest = pack_digest_new(err);
	got = d->feed != NULL && d->part != NULL && d->digest != NULL
		      ? pack_read_run(&ro, &result, err)
		      : -1;
	while (got == 0 && (got = look(d, err)) == 0 && d->met)
		got = tell_extra(d, err);
	if (got == 0)
		got = ui_dump_gaps(&d->from, err);
	if (got == 0 && result.problems > 0)
		got = err_set(err, ERR_DAMAGE, "the pack is damaged");
	if (d->base > 0)
		close(d->base);
out:
	if (ro.fd >= 0)
		close(ro.fd);
	return got;
}

/* --- two dumps ------------------------------------------------------------ */

/* One of the two dumps, with its current entry. */
struct side {
	struct ui_dump_walk *walk;
	struct pack_head head;
	struct pack_tail tail;
	bool there;
};

/* Reads the next entry that is selected. */
static int step(struct diff *d, struct side *s, struct err *err)
{
	int got;

	do
		got = ui_dump_walk_next(s->walk, &s->head, &s->tail, err);
	while (got == 0 && !ui_select_test(&d->o.select, s->head.path.at, s->head.path.len,
				   s->head.type == PACK_DIRECTORY));
	s->there = got == 0;
	return got < 0 ? -1 : 0;
}

/* Compares positions in the order of a backup: first members that were commands, then the walk. */
static int side_order(const struct side *a, const struct side *b)
{
	bool a_command = a->head.type == PACK_COMMAND, b_command = b->head.type == PACK_COMMAND;

	if (!a->there || !b->there)
		return b->there - a->there;
	if (a_command != b_command)
		return b_command - a_command;
	return dump_path_order((const char *)a->head.path.at, a->head.path.len,
		(const char *)b->head.path.at, b->head.path.len);
}

static void compare_sides(struct words *w, const struct side *a, const struct side *b, bool xattrs)
{
	add_word(w, a->head.type != b->head.type, "type");
	if (a->head.type != b->head.type)
		return;
	add_heads(w, &a->head, &b->head, xattrs);
	add_word(w, !same_bytes(a->head.link, b->head.link), "link");
	if (!a->tail.has_content || !b->tail.has_content)
		return;
	if (a->tail.size != b->tail.size)
		add_word(w, true, "size");
	else if (a->tail.sparse != b->tail.sparse)
		/* One has more than 1 GiB of holes: whether the content differs is not known. */
		add_word(w, true, "holes");
	else
		add_word(w, !pack_tail_same_sum(&a->tail, &b->tail), "content");
}

/* Compares two dumps by their manifests, and reports what is different in the other one. No content
 * is read. */
static int compare_dumps(struct diff *d, struct err *err)
{
	struct side a = {.walk = ui_dump_walk_new(&d->from, err)};
	struct side b = {.walk = a.walk != NULL ? ui_dump_walk_new(&d->other, err) : NULL};
	int got = b.walk != NULL && step(d, &a, err) == 0 && step(d, &b, err) == 0 ? 0 : -1;

	while (got == 0 && (a.there || b.there)) {
		int sign = side_order(&a, &b);
		struct words w = {{0}};

		if (sign < 0)
			got = tell(d, "missing", a.head.path, NULL, err);
		else if (sign > 0)
			got = tell(d, "extra", b.head.path, NULL, err);
		else
			compare_sides(&w, &a, &b, !d->o.no_xattrs);
		if (w.text[0] != 0)
			got = tell(d, "changed", a.head.path, w.text, err);
		if (got == 0 && sign <= 0)
			got = step(d, &a, err);
		if (got == 0 && sign >= 0)
			got = step(d, &b, err);
	}
	if (got == 0 && (ui_dump_whole(&d->from, err) != 0 || ui_dump_whole(&d->other, err) != 0))
		got = -1;
	ui_dump_walk_free(a.walk);
	ui_dump_walk_free(b.walk);
	return got;
}

/* --- the command ------------------------------------------------------------ */

/* Opens the dump that the first argument names, and what it is compared with. Returns -1 to go on,
 * else the exit status. */
static int open_dumps(struct diff *d)
{
	struct err err = {0};
	const struct store_dump *dump;

	if (d->o.store_count == 0 || d->o.arg_count == 0)
		return ui_usage("a dump is named by -s STORE DUMP");
	if (d->live && d->o.directory != NULL)
		return ui_usage("-C and --live exclude each other");
	if (!d->live && d->o.directory == NULL && d->o.arg_count == 1)
		return ui_usage("with what? Another DUMP, -C DIR, or --live");
	if (ui_dump_open(&d->from, &d->o, *d->o.args++, &err) != 0)
		return ui_fail(&err);
	dump = dump_source_dump(d->from.source);
	if (d->live) {
		snprintf(d->live_base, sizeof d->live_base, "%.*s", (int)dump->base_len,
			(const char *)dump->base);
		d->o.directory = d->live_base;
	} else if (d->o.directory == NULL &&
		   ui_dump_another(&d->other, &d->from, *d->o.args++, &err) != 0) {
		return ui_fail(&err);
	}
	return -1;
}

static struct diff diff = {.o = {.file = "-"}};

static int run(void *own, struct err *err)
{
	struct diff *d = own;
	int status = -1;

	if (d->o.store_count > 0 || d->live)
		status = open_dumps(d);
	if (status < 0 && (status = ui_options_paths(&d->o)) < 0) {
		pack_follow_init(&d->follow);
		buf_init(&d->told, PACK_PATH_MAX);
		buf_init(&d->commands, 1 << 20);
		ui_pipe_ends(1); /* if anything was printed, they differ */
		if ((d->other.source != NULL ? compare_dumps(d, err) : compare_tree(d, err)) != 0)
			status = -1;
		else if (ui_select_unmet(&d->o.select,
				 d->from.source != NULL ? dump_source_dump(d->from.source) : NULL) >
				 0 ||
			 d->failed)
			status = UI_FAILED;
		else
			status = d->different > 0 ? 1 : 0;
		pack_scan_free(d->scan);
		pack_feed_free(d->feed);
		pack_part_free(d->part);
		pack_digest_free(d->digest);
		pack_follow_fini(&d->follow);
		buf_fini(&d->told);
		buf_fini(&d->commands);
		free(d->root);
	}
	ui_dump_close(&d->other);
	ui_dump_close(&d->from);
	return status;
}

static const struct ui_option options[] = {
	{.shared = "f"},
	{.shared = "C", .help = "the tree to compare with"},
	{0, "live", UI_FLAG, "compare with the tree that the dump is of", UI_AT(struct diff, live)},
	{.shared = "sAiSaX"},
	{.shared = "x", .help = "do not compare extended attributes and ACLs"},
	{.shared = "kpjt"},
	{0},
};

const struct ui_command cmd_diff = {
	.name = "diff",
	.summary = "compare a pack or a dump with a tree of files",
	.usage = "[-f FILE] [-C DIR] [options] [PATH...]\n"
		 "-s STORE... DUMP (-C DIR | --live) [options] [PATH...]\n"
		 "-s STORE... DUMP DUMP [options] [PATH...]",
	.about = "Compares a pack, or a dump in a store, with the live tree in DIR (here), "
		 "contents included; or two dumps, by what their manifests say: no content is "
		 "read.",
	.options = options,
	.arguments = "[PATH...]",
	.exits = "0 equal; 1 different; 2 failed, or something could not be read; 3 a key file "
		 "can't be used; 5 damage found; 6 wrong key, or not encrypted; 7 no space; 8 a "
		 "store was busy.",
	.own = &diff,
	.run = run,
};
