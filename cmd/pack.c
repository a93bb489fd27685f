/* fdump pack: packs trees of files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/output.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/roots.h"
#include "cmd/ui/show.h"
#include "lib/err.h"
#include "lib/key.h"
#include "lib/pass.h"
#include "lib/seal.h"
#include "lib/zst.h"
#include "pack/create.h"
#include "pack/keyblock.h"
#include "pack/writer.h"

struct options {
	struct ui_options o; /* .select: its patterns */
	bool reproducible;
	uint8_t key_payload[PACK_KEYBLOCK_MAX], payload_key[SEAL_KEY_LEN];
	struct pack_create_options create;
	/* The paths: arguments, then lines of files_from. */
	char **paths; /* arguments that are left */
	FILE *list;
	char *line;
	size_t line_cap;
	bool any_path, told_cut;
};

/* Reports a note, which does not change the exit status. */
static void note(const char *what)
{
	ui_problem(&(struct ui_problem){.id = "pack.note", .note = true, .what = what}, NULL);
}

/* Reports that a leading "/" or ".." is not stored (once), and that a PATH is a link that is not
 * followed. */
static void tell_path(struct options *o, const char *path)
{
	char text[ERR_MESSAGE_MAX], *name = o->told_cut ? NULL : malloc(strlen(path) + 2);

	if (name != NULL)
		pack_scan_name(path, name, &o->told_cut);
	if (name != NULL && o->told_cut)
		fprintf(stderr, "fdump pack: names are stored without leading '/' and '..'\n");
	free(name);
	if (o->o.no_recursion || !ui_roots_link(o->create.scan.base, path))
		return;
	snprintf(text, sizeof text,
		"%s is a symbolic link: only the link is packed (%s/ follows it)", path, path);
	note(text);
}

static int next_root(void *ctx, const char **path, struct err *err)
{
	struct options *o = ctx;
	int got;

	if (*o->paths != NULL) {
		*path = *o->paths++;
	} else if (o->list == NULL) {
		return 1;
	} else {
		got = ui_select_line(
			o->list, o->o.files_from, o->o.null, &o->line, &o->line_cap, err);
		if (got == 1 && !o->any_path && o->o.command_count == 0)
			return err_set(err, ERR_USAGE, "%s: has no PATH in it", o->o.files_from);
		if (got != 0)
			return got;
		*path = o->line;
	}
	o->any_path = true;
	tell_path(o, *path);
	return 0;
}

static void on_progress(void *ctx, uint64_t bytes, uint64_t entries)
{
	(void)ctx;
	ui_progress_add(bytes, entries);
}

static void on_problem(void *ctx, const char *path, size_t len, const char *what)
{
	(void)ctx;
	ui_problem(
		&(struct ui_problem){
			.id = "pack.problem", .path = {(const uint8_t *)path, len}, .what = what},
		NULL);
}

/* With --one-file-system: reports a mount point whose content is not in the pack, unless it is
 * itself a PATH. */
static void on_border(void *ctx, const char *path, size_t len)
{
	struct options *o = ctx;
	char text[ERR_MESSAGE_MAX], *name;
	char *const *at;
	bool listed = false, cut;

	for (at = o->o.args; *at != NULL && !listed; at++) {
		name = malloc(strlen(*at) + 2);
		listed = name != NULL && pack_scan_name(*at, name, &cut) == len &&
			 memcmp(name, path, len) == 0;
		free(name);
	}
	if (listed)
		return;
	snprintf(text, sizeof text, "%.*s: another file system is mounted there: not gone into",
		(int)len, path);
	note(text);
}

static bool excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	struct options *o = ctx;

	return ui_options_excluded(&o->o, path, len, is_dir);
}

/* Makes the KEY block of a sealed pack. */
static int seal(struct options *o, struct err *err)
{
	struct key_public *keys = calloc(o->o.to_count + 1, sizeof *keys);
	struct pack_recipients to = {.keys = keys, .key_count = o->o.to_count};
	struct pass pass;
	size_t i;
	int got = 0;

	if (keys == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < o->o.to_count && got == 0; i++)
		got = key_public_load(o->o.to[i], &keys[i], err);
	if (got == 0 && o->o.unseal.passphrase_file != NULL) {
		got = pass_ask(o->o.unseal.passphrase_file, "the pack", &pass, err);
		to.passes = &pass;
		to.pass_count = 1;
	}
	if (got == 0)
		got = pack_keyblock_make(&to, o->key_payload, &o->create.writer.key_payload_len,
			o->payload_key, err);
	if (to.pass_count > 0)
		pass_wipe(&pass);
	for (i = 0; i < o->o.to_count; i++)
		key_public_wipe(&keys[i]);
	free(keys);
	o->create.writer.key_payload = o->key_payload;
	o->create.payload_key = o->payload_key;
	return got;
}

/* Checks that no PATH is the pack that will be replaced: it would be lost. */
static int check_output(const struct options *o, const struct ui_output *out, struct err *err)
{
	char *const *at;
	struct stat st;

	for (at = o->paths; *at != NULL; at++)
		if (fstatat(o->create.scan.base, *at, &st, 0) == 0 &&
			st.st_dev == out->old.st_dev && st.st_ino == out->old.st_ino)
			return err_set(err, ERR_USAGE, "%s: is the output too", *at);
	return 0;
}

static int prepare(struct options *o, struct ui_output *out, struct err *err)
{
	struct timespec now;

	if ((o->o.to_count > 0 || o->o.unseal.passphrase_file != NULL) && seal(o, err) != 0)
		return -1;
	if (ui_output_open(out, o->o.file, err) != 0)
		return -1;
	if (o->o.files_from != NULL) {
		o->list = strcmp(o->o.files_from, "-") == 0 ? stdin : fopen(o->o.files_from, "re");
		if (o->list == NULL)
			return err_errno(err, errno, "%s", o->o.files_from);
	}
	if (ui_options_base(&o->o, &o->create.scan.base, err) != 0)
		return -1;
	if (out->replaces && check_output(o, out, err) != 0)
		return -1;
	o->create.scan.skip_known = S_ISREG(out->st.st_mode);
	o->create.scan.skip_dev = out->st.st_dev;
	o->create.scan.skip_ino = out->st.st_ino;
	o->create.writer.program = "fdump " FDUMP_VERSION;
	if (o->reproducible) {
		memcpy(o->create.writer.id, PACK_REPRODUCIBLE_ID, PACK_BLOCK_ID);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		o->create.writer.has_time = true;
		o->create.writer.time = (struct pack_time){now.tv_sec, (uint32_t)now.tv_nsec};
		if (seal_random(o->create.writer.id, PACK_BLOCK_ID, err) != 0)
			return -1;
	}
	return 0;
}

static struct options pack_options = {.create = {.level = 1}};

static int run(void *own, struct err *err)
{
	struct options *o = own;
	struct ui_output out = {.fd = -1, .dir = -1};
	struct pack_created c;
	char *patterns;
	int got;

	if (o->reproducible && (o->o.to_count > 0 || o->o.unseal.passphrase_file != NULL))
		return ui_usage("a sealed pack can't be reproducible");
	o->paths = o->o.args;
	if (*o->paths == NULL && o->o.files_from == NULL && o->o.command_count == 0)
		return ui_usage("no PATH given ('.' for all that is here)");
	if (o->o.json && (o->o.file == NULL || strcmp(o->o.file, "-") == 0))
		ui_result_json(stderr); /* the pack goes to standard output */
	o->create.threads = o->o.threads;
	o->create.xattrs = !o->o.no_xattrs;
	o->create.owner_names = !o->o.numeric_owner;
	o->create.commands = o->create.scan.taken = o->o.commands;
	o->create.scan.no_recursion = o->o.no_recursion;
	o->create.scan.next_root = next_root;
	o->create.scan.excluded = o->o.select.exclude != NULL ? excluded : NULL;
	o->create.scan.border = on_border;
	o->create.scan.ctx = o;
	o->create.sink = ui_output_write;
	o->create.sink_ctx = &out;
	o->create.entry = o->o.verbose ? ui_show_entry : NULL;
	o->create.problem = on_problem;
	o->create.progress = on_progress;
	o->create.ctx = o;
	got = prepare(o, &out, err);
	if (got == 0) {
		ui_progress_start(0, o->o.verbose);
		if (o->o.files_from == NULL)
			ui_progress_estimate(&o->create.scan, o->paths, !o->o.verbose);
		got = pack_create(&o->create, &c, err);
		if (got == 0)
			got = ui_output_commit(&out, err);
		ui_progress_stop();
	}
	if (got == 0 && (patterns = ui_select_patterns_unmet(&o->o.select)) != NULL) {
		note(patterns);
		free(patterns);
	}
	if (got == 0)
		got = ui_result("result", "pack.result",
			(struct ui_field[]){UI_INT("entries", c.totals.entries),
				UI_INT("content", c.totals.content),
				UI_INT("bytes", c.totals.bytes),
				UI_INT("not_ok", c.totals.statuses), UI_INT("problems", c.problems),
				{0}},
			err, NULL);
	ui_output_drop(&out);
	seal_wipe(o->payload_key, sizeof o->payload_key);
	if (o->list != NULL && o->list != stdin)
		fclose(o->list);
	if (o->create.scan.base > 0)
		close(o->create.scan.base);
	free(o->line);
	if (got != 0)
		return -1;
	return c.problems > 0 ? UI_SOME : UI_OK;
}

static const struct ui_option options[] = {
	{.shared = "f", .help = "write to FILE ('-': standard output, the default)"},
	{.shared = "CT0vr"},
	{0, "one-file-system", UI_FLAG, "stay on the file system of each PATH",
		UI_AT(struct options, create.scan.one_file_system)},
	{.shared = "X"},
	{0, "exclude-caches", UI_FLAG,
		"leave out directories with a CACHEDIR.TAG, but not that file",
		UI_AT(struct options, create.scan.exclude_caches)},
	{.shared = "x"},
	{.shared = "n", .help = "leave out the names of users and groups"},
	{.shared = "ce"},
	{.shared = "p", .help = "encrypt with the passphrase on the first line of FILE"},
	{0, "level", UI_NUMBER, "zstd level from 0 (none) to 19; default: 1",
		UI_AT(struct options, create.level), .max = ZST_LEVEL_MAX},
	{.shared = "j",
		.help = "print problems and the result as JSON, one object a line: to standard "
			"output, or to standard error if the pack goes there"},
	{.shared = "t"},
	{0, "reproducible", UI_FLAG, "make equal packs from equal trees",
		UI_AT(struct options, reproducible)},
	{0},
};

const struct ui_command cmd_pack = {
	.name = "pack",
	.summary = "pack trees of files into one file or stream",
	.usage = "[-f FILE] [-C DIR] [options] PATH...",
	.about = "Packs trees of files, each with its SHA-256, into FILE or standard output.",
	.options = options,
	.arguments = "[PATH...]",
	.exits = "0 complete; 1 done, but some entries changed or could not be read, and are "
		 "listed; 2 failed; 3 a key file can't be used; 7 no space.",
	.own = &pack_options,
	.run = run,
};
