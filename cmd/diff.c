/*
 * fdump diff: a pack against the live tree. Both are walked in the same order
 * (pack/FORMAT.md, section 4.3), so it is a merge: what only one side has
 * shows at once, and memory does not grow.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/difference.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
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
	struct ui_options *o;
	struct ui_dump from;  /* .source not NULL: instead of a pack */
	struct ui_dump other; /* .source not NULL: instead of the live tree */
	int base;
	struct pack_follow follow;
	struct pack_scan *scan;
	struct pack_feed *feed;
	struct pack_part *part;
	struct pack_digest *digest;
	char *root; /* the path that is walked; NULL: none */
	bool root_given;
	bool met; /* item is the next of the live tree, not dealt with */
	struct pack_scan_item item;
	struct buf commands; /* members that were commands stand outside the order */
	struct buf told;     /* a directory that only the tree has: said once */
	uint64_t different;
	bool failed;
	bool live; /* compare with where the dump was made */
	char live_base[4096];
};

static int tell(struct diff *d, const char *kind, const void *path, size_t len, const char *what,
	struct err *err)
{
	d->different++;
	return cmd_difference_tell(d->o->json, kind, path, len, what, err);
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

	return match_test(d->o->select.exclude, path, len, is_dir) == MATCH_EXCLUDED;
}

static void live_problem(void *ctx, const char *path, size_t len, const char *what, int errnum)
{
	struct diff *d = ctx;
	char text[ESC_MAX(4096)];
	struct err err;

	if (errnum == 0 || errnum == ENOENT)
		return; /* it is missing: that shows by itself */
	esc_name(text, sizeof text, path, len);
	err_errno(&err, errnum, "%s: %s", text, what);
	ui_fail("diff", &err);
	d->failed = true;
}

static int new_scan(struct diff *d, struct err *err)
{
	struct pack_scan_options so = {
		.base = d->base,
		.excluded = d->o->select.exclude != NULL ? excluded : NULL,
		.next_root = next_root,
		.problem = live_problem,
		.ctx = d,
		.problem_ctx = d,
	};

	pack_scan_free(d->scan);
	d->met = false;
	d->root_given = false;
	d->scan = pack_scan_new(&so, err);
	return d->scan != NULL ? 0 : -1;
}

/* Order of the walk: bytewise, '/' before all other bytes. */
static int order(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t i;

	if (a_len == 1 && a[0] == '.')
		a_len = 0;
	if (b_len == 1 && b[0] == '.')
		b_len = 0;
	for (i = 0; i < a_len && i < b_len; i++)
		if (a[i] != b[i])
			return (a[i] == '/' ? 0 : a[i] + 1) - (b[i] == '/' ? 0 : b[i] + 1);
	return (a_len > b_len) - (a_len < b_len);
}

static bool below(const uint8_t *dir, size_t dir_len, const uint8_t *path, size_t len)
{
	return (dir_len == 1 && dir[0] == '.') ||
	       (len > dir_len && memcmp(path, dir, dir_len) == 0 && path[dir_len] == '/');
}

/* Has the next of the live tree in d->item, if there is one. */
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

/* What is met has no entry in the pack. */
static int tell_extra(struct diff *d, struct err *err)
{
	const uint8_t *path = (const uint8_t *)d->item.path;
	size_t len = d->item.path_len;

	d->met = false;
	if (d->told.len > 0 && below(d->told.data, d->told.len, path, len))
		return 0;
	buf_clear(&d->told);
	if (!ui_select_test(&d->o->select, path, len, d->item.self != NULL) ||
		was_command(d, d->item.path, len))
		return 0;
	if (d->item.self != NULL && buf_add(&d->told, path, len, err) != 0)
		return -1;
	return tell(d, "extra", path, len, NULL, err);
}

/* --- one entry ---------------------------------------------------------- */

/* Reads the live object as pack would, and compares. */
static int compare(struct diff *d, const struct pack_head *head, const struct pack_tail *tail,
	struct cmd_words *w, struct err *err)
{
	struct pack_scan_item item = d->item;
	struct pack_stream stream;
	struct pack_head live;
	struct cbor_in in;
	uint8_t sum[HASH_LEN];
	int got;

	item.error = 0; /* what can be read of a directory is compared */
	pack_part_reset(d->part);
	got = pack_feed_begin(d->feed, d->part, &item, (struct pack_bytes){0}, &stream, err);
	if (got != 0)
		return got < 0 ? -1 : (cmd_words_add(w, true, "unreadable"), 0);
	cbor_in_init(&in, d->part->raw.data, d->part->raw.len);
	if (pack_head_get(&in, &live, err) != 0) {
		pack_feed_drop(&stream);
		return -1;
	}
	if (head->type == PACK_HARDLINK)
		goto out; /* its metadata are those of the entry it is linked to */
	if (live.type != head->type && !(head->type == PACK_COMMAND && live.type == PACK_REGULAR)) {
		cmd_words_add(w, true, "type");
		goto out;
	}
	cmd_words_heads(w, head, &live, !d->o->no_xattrs);
	if (!tail->has_content)
		goto out;
	if ((uint64_t)d->item.st.st_size != tail->size) {
		cmd_words_add(w, true, "size");
		goto out;
	}
	/* The entry's kind of digest, whatever holes the live file has. */
	stream.tail.sparse = tail->sparse;
	pack_digest_begin(d->digest, tail->sparse);
	do {
		/* The head is not needed any more; only the content is looked at. */
		pack_part_reset(d->part);
		got = pack_feed_fill(d->part, &stream, d->digest, err);
	} while (got == 1);
	pack_digest_end(d->digest, sum);
	cmd_words_add(w, stream.tail.status == PACK_READ_ERROR, "unreadable");
	cmd_words_add(w, got == 0 && memcmp(sum, tail->sum, sizeof sum) != 0, "content");
out:
	pack_feed_drop(&stream);
	return got < 0 ? -1 : 0;
}

static int on_entry(void *ctx, const struct pack_followed *entry, struct err *err)
{
	const struct pack_head *head = entry->head;
	const struct pack_tail *tail = entry->tail;
	struct diff *d = ctx;
	struct pack_bytes p = head->path;
	struct cmd_words w = {{0}};
	int sign = -1;

	if (!ui_select_test(&d->o->select, p.at, p.len, head->type == PACK_DIRECTORY))
		return 0;
	if (head->type == PACK_COMMAND && (buf_add(&d->commands, p.at, p.len, err) != 0 ||
						  buf_add(&d->commands, "", 1, err) != 0))
		return -1;
	/* An entry that is not below the last path begins a walk of its own. */
	if (d->root == NULL || !below((uint8_t *)d->root, strlen(d->root), p.at, p.len)) {
		while (look(d, err) == 0 && d->met)
			if (tell_extra(d, err) != 0)
				return -1;
		free(d->root);
		d->root = strndup((const char *)p.at, p.len);
		if (d->root == NULL)
			return err_set(err, ERR_NOMEM, "out of memory");
		if (new_scan(d, err) != 0)
			return -1;
	}
	for (;;) {
		if (look(d, err) != 0)
			return -1;
		if (!d->met)
			break;
		sign = -order((const uint8_t *)d->item.path, d->item.path_len, p.at, p.len);
		if (sign <= 0)
			break;
		if (tell_extra(d, err) != 0)
			return -1;
	}
	if (!d->met || sign != 0)
		return tell(d, "missing", p.at, p.len, NULL, err);
	d->met = false;
	if (compare(d, head, tail, &w, err) != 0)
		return -1;
	return w.text[0] != 0 ? tell(d, "changed", p.at, p.len, w.text, err) : 0;
}

/* --- the pack's side ---------------------------------------------------- */

static int open_key(void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err)
{
	struct diff *d = ctx;

	return ui_unseal_open(&d->o->unseal, payload, len, key, err);
}

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
	char text[ESC_MAX(1024)] = "", at[32] = "";
	struct diff *d = ctx;

	(void)kind;
	if (path.at != NULL)
		esc_name(text, sizeof text, path.at, path.len);
	if (d->from.source == NULL)
		snprintf(at, sizeof at, "offset %llu: ", (unsigned long long)offset);
	fprintf(stderr, "fdump diff: %s%s%s%s\n", text, text[0] ? ": " : "", at, what);
}

/* What is to be read. Returns 0, or -1 with err set. */
static int open_input(struct diff *d, struct pack_read_options *ro, struct err *err)
{
	if (d->from.source != NULL)
		return ui_dump_feed(&d->from, ro, err);
	ro->fd = ui_open_input(d->o->file, err);
	return ro->fd >= 0 ? 0 : -1;
}

static int run(struct diff *d, struct err *err)
{
	struct pack_read_options ro = {
		.fd = -1,
		.threads = 1,
		.need_key = d->from.source == NULL && ui_unseal_wanted(&d->o->unseal),
		.open_key = open_key,
		.apply = apply,
		.problem = on_problem,
		.ctx = d,
	};
	struct pack_read result;
	int got = -1;

	if (open_input(d, &ro, err) != 0)
		return -1;
	d->base = open(d->o->directory != NULL ? d->o->directory : ".",
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->base < 0) {
		err_errno(err, errno, "%s", d->o->directory);
		goto out;
	}
	d->feed = pack_feed_new(!d->o->no_xattrs, false, err);
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
	close(d->base);
out:
	if (ro.fd >= 0)
		close(ro.fd);
	return got;
}

/* The first argument is a dump. Returns -1 to go on, else the exit status. */
static int open_dump(struct diff *d, int argc, char **argv)
{
	struct err err = {0};
	const struct store_dump *dump;

	if (d->o->store_count == 0 || optind == argc)
		return ui_usage("diff", "a dump is named by -s STORE DUMP");
	if (d->live && d->o->directory != NULL)
		return ui_usage("diff", "-C and --live exclude each other");
	if (!d->live && d->o->directory == NULL && optind + 1 == argc)
		return ui_usage("diff", "with what? Another DUMP, -C DIR, or --live");
	if (hash_crypto_init(&err) != 0 || ui_dump_open(&d->from, d->o, argv[optind++], &err) != 0)
		return ui_fail("diff", &err);
	dump = dump_source_dump(d->from.source);
	if (d->live) {
		snprintf(d->live_base, sizeof d->live_base, "%.*s", (int)dump->base_len,
			(const char *)dump->base);
		d->o->directory = d->live_base;
	} else if (d->o->directory == NULL &&
		   ui_dump_another(&d->other, &d->from, argv[optind++], &err) != 0) {
		return ui_fail("diff", &err);
	}
	return -1;
}

static int main_diff(int argc, char **argv)
{
	struct ui_options o = {.file = NULL};
	struct diff d = {.o = &o};
	struct err err = {0};
	int status;

	status = ui_options_parse(&o, &cmd_diff, &d, argc, argv);
	if (status < 0 && (o.store_count > 0 || d.live))
		status = open_dump(&d, argc, argv);
	if (status < 0 && (status = ui_options_paths(&o, argc, argv)) < 0) {
		pack_follow_init(&d.follow);
		buf_init(&d.told, PACK_PATH_MAX);
		buf_init(&d.commands, 1 << 20);
		ui_pipe_ends(1); /* what was printed differs */
		if (hash_crypto_init(&err) != 0 ||
			(d.other.source != NULL ? cmd_difference_dumps(
							  &o, &d.from, &d.other, &d.different, &err)
						: run(&d, &err)) != 0) {
			status = ui_fail("diff", &err);
		} else if (ui_select_unmet(&o.select, "diff",
				   d.from.source != NULL ? dump_source_dump(d.from.source) : NULL) >
				   0 ||
			   d.failed) {
			status = UI_FAILED;
		} else {
			status = d.different > 0 ? 1 : 0;
		}
		pack_scan_free(d.scan);
		pack_feed_free(d.feed);
		pack_part_free(d.part);
		pack_digest_free(d.digest);
		pack_follow_fini(&d.follow);
		buf_fini(&d.told);
		buf_fini(&d.commands);
		free(d.root);
	}
	ui_dump_close(&d.other);
	ui_dump_close(&d.from);
	ui_options_fini(&o);
	return status;
}

static const struct ui_option options[] = {
	{.shared = "f"},
	{.shared = "C", .help = "the tree to compare with"},
	{0, "live", UI_FLAG, "compare with the tree that the dump is of", UI_AT(struct diff, live)},
	{.shared = "sAiaX"},
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
		 "can't be used; 5 damage found; 6 wrong key, or not sealed; 7 no space; 8 a "
		 "store was busy.",
	.run = main_diff,
};
