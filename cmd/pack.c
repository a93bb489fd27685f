/* fdump pack: trees into a pack. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/estimate.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/output.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/roots.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/key.h"
#include "lib/pass.h"
#include "lib/seal.h"
#include "lib/zst.h"
#include "pack/create.h"
#include "pack/keyblock.h"
#include "pack/writer.h"

static const char help[] =
	"usage: fdump pack [-f FILE] [-C DIR] [options] PATH...\n"
	"\n"
	"Packs trees of files, each with its SHA-256, into FILE or standard output.\n"
	"\n"
	"  -f, --file FILE         write to FILE ('-': standard output)\n"
	"  -C, --directory DIR     PATHs are in DIR\n"
	"  -T, --files-from FILE   read more PATHs from FILE ('-': standard input)\n"
	"      --null              they end in NUL, not newline\n"
	"  -v, --verbose           name each entry on standard error\n"
	"      --no-recursion      directories without what is in them: with -T FILE exactly\n"
	"                          what is listed there\n"
	"      --one-file-system   stay on the file system of each PATH\n"
	"  -X, --exclude-from FILE leave out what matches the patterns in FILE\n"
	"      --exclude PATTERN   leave out what matches, as in .gitignore (repeatable)\n"
	"      --exclude-caches    of directories with a CACHEDIR.TAG keep only that\n"
	"      --no-xattrs         without extended attributes and ACLs\n"
	"      --numeric-owner     without names of users and groups\n"
	"      --command NAME=PROGRAM  the output of PROGRAM as member NAME (repeatable); what\n"
	"                          is there in the tree is left out, and listed\n"
	"      --to FILE.pub       seal it to this public key (repeatable)\n"
	"      --passphrase-file FILE  seal it to the passphrase in FILE\n"
	"      --level N           zstd level 0 (none) to 19, default 1\n"
	"      --json              problems and the result as JSON, one object a line: on\n"
	"                          standard output, or standard error if the pack goes\n"
	"                          there\n"
	"      --threads N         default: the number of processors\n"
	"      --reproducible      equal trees give equal bytes\n"
	"\n"
	"Exit status: 0 complete; 1 done, but some entries changed or could not be\n"
	"read, and are listed; 2 failed; 3 a key file is not as it must be; 7 no space.\n";

struct options {
	struct ui_options o; /* .select: its patterns */
	bool reproducible;
	const char *to[PACK_KEYBLOCK_WRAPS];
	size_t to_count;
	uint8_t key_payload[PACK_KEYBLOCK_MAX], payload_key[SEAL_KEY_LEN];
	struct pack_create_options create;
	/* The paths: arguments, then lines of files_from. */
	char **paths, **all_paths; /* paths: those that are left */
	FILE *list;
	char *line;
	size_t line_cap;
	bool any_path, told_cut;
};

enum { OPT_ONE_FS = UI_OPTIONS_OWN, OPT_CACHES, OPT_LEVEL, OPT_REPRODUCIBLE, OPT_TO };

static const struct option own[] = {
	{"to", required_argument, NULL, OPT_TO},
	{"one-file-system", no_argument, NULL, OPT_ONE_FS},
	{"exclude-caches", no_argument, NULL, OPT_CACHES},
	{"level", required_argument, NULL, OPT_LEVEL},
	{"reproducible", no_argument, NULL, OPT_REPRODUCIBLE},
	{0},
};

/* One of pack's own options. */
static int take(void *ctx, int c)
{
	struct options *o = ctx;
	long n;

	switch (c) {
	case OPT_TO:
		if (o->to_count == PACK_KEYBLOCK_WRAPS)
			return ui_usage("pack", "over %d keys", PACK_KEYBLOCK_WRAPS);
		o->to[o->to_count++] = optarg;
		return -1;
	case OPT_ONE_FS:
		o->create.scan.one_file_system = true;
		return -1;
	case OPT_CACHES:
		o->create.scan.exclude_caches = true;
		return -1;
	case OPT_LEVEL:
		if (ui_number(optarg, 0, ZST_LEVEL_MAX, &n) != 0)
			return ui_usage("pack", "--level wants 0 to %d", ZST_LEVEL_MAX);
		o->create.level = (int)n;
		return -1;
	default:
		o->reproducible = true;
		return -1;
	}
}

/* Where JSON goes: not where the pack goes. */
static FILE *json_to(const struct options *o)
{
	return o->o.file != NULL && strcmp(o->o.file, "-") != 0 ? stdout : stderr;
}

/* Reads the options. Returns -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int status = ui_options_parse(&o->o, argc, argv);
	char **at;

	if (status >= 0)
		return status;
	if (o->reproducible && (o->to_count > 0 || o->o.unseal.passphrase_file != NULL))
		return ui_usage("pack", "a sealed pack can't be reproducible");
	o->paths = o->all_paths = argv + optind;
	for (at = o->paths; *at != NULL; at++)
		if (**at == 0)
			return ui_usage("pack", "'': empty path");
	if (*o->paths == NULL && o->o.files_from == NULL && o->o.command_count == 0)
		return ui_usage("pack", "no PATH given ('.' for all that is here)");
	if (o->o.json)
		ui_fail_json(json_to(o));
	o->create.threads = o->o.threads;
	o->create.scan.no_recursion = o->o.no_recursion;
	o->create.xattrs = !o->o.no_xattrs;
	o->create.owner_names = !o->o.numeric_owner;
	return -1;
}

/* What does not change the status. */
static void note(const struct options *o, const char *what)
{
	ui_problem(&(struct ui_problem){.command = "pack",
			   .id = "pack.note",
			   .json = o->o.json ? json_to(o) : NULL,
			   .note = true,
			   .what = what},
		NULL);
}

/* Says once that a leading "/" or ".." is not stored. */
static void tell_cut(struct options *o, const char *path)
{
	char *out;
	bool cut;

	if (o->told_cut || (out = malloc(strlen(path) + 2)) == NULL)
		return;
	pack_scan_name(path, out, &cut);
	if (cut) {
		fprintf(stderr, "fdump pack: names are stored without leading '/' and '..'\n");
		o->told_cut = true;
	}
	free(out);
}

/* Says what a PATH does not mean. */
static void tell_path(struct options *o, const char *path)
{
	char text[ERR_MESSAGE_MAX];

	tell_cut(o, path);
	if (o->o.no_recursion || !ui_roots_link(o->create.scan.base, path))
		return;
	snprintf(text, sizeof text,
		"%s is a symbolic link: only the link is packed (%s/ follows it)", path, path);
	note(o, text);
}

static int next_root(void *ctx, const char **path, struct err *err)
{
	struct options *o = ctx;
	int got;

	if (*o->paths != NULL) {
		*path = *o->paths++;
		o->any_path = true;
		tell_path(o, *path);
		return 0;
	}
	if (o->list == NULL)
		return 1;
	got = ui_select_line(o->list, o->o.files_from, o->o.null, &o->line, &o->line_cap, err);
	if (got == 1 && !o->any_path && o->o.command_count == 0)
		return err_set(err, ERR_USAGE, "%s: has no PATH in it", o->o.files_from);
	if (got != 0)
		return got;
	*path = o->line;
	o->any_path = true;
	tell_path(o, *path);
	return 0;
}

static void print_name(
	FILE *to, const char *prefix, const char *path, size_t len, const char *suffix)
{
	char text[ESC_MAX(4096)];

	esc_name(text, sizeof text, path, len);
	fprintf(to, "%s%s%s\n", prefix, text, suffix);
}

static void on_progress(void *ctx, uint64_t bytes, uint64_t entries)
{
	(void)ctx;
	ui_progress_add(bytes, entries);
}

static void on_entry(void *ctx, const char *path, size_t len)
{
	(void)ctx;
	print_name(stderr, "", path, len, "");
}

static void on_problem(void *ctx, const char *path, size_t len, const char *what)
{
	struct options *o = ctx;

	ui_problem(&(struct ui_problem){.command = "pack",
			   .id = "pack.problem",
			   .json = o->o.json ? json_to(o) : NULL,
			   .path = {(const uint8_t *)path, len},
			   .what = what},
		NULL);
}

static int json_result(const struct options *o, const struct pack_created *c, struct err *err)
{
	json_t *object = ui_json_new("result", "pack.result");
	int failed = ui_json_add(object, "entries", json_integer((json_int_t)c->totals.entries));

	failed |= ui_json_add(object, "content", json_integer((json_int_t)c->totals.content));
	failed |= ui_json_add(object, "bytes", json_integer((json_int_t)c->totals.bytes));
	failed |= ui_json_add(object, "not_ok", json_integer((json_int_t)c->totals.statuses));
	failed |= ui_json_add(object, "problems", json_integer((json_int_t)c->problems));
	return ui_json_print_to(json_to(o), object, failed, err);
}

static int write_out(void *ctx, const void *head, size_t head_len, const void *body,
	size_t body_len, struct err *err)
{
	struct ui_output *out = ctx;

	if (fs_write_two(out->fd, head, head_len, body, body_len) != 0)
		return err_errno(err, errno, "write %s", out->name != NULL ? out->name : "output");
	return 0;
}

/* --one-file-system: what is mounted there is not in the pack, unless it is a PATH of its own. */
static void on_border(void *ctx, const char *path, size_t len)
{
	struct options *o = ctx;
	char text[ERR_MESSAGE_MAX], *name;
	char *const *at;
	bool listed = false, cut;

	for (at = o->all_paths; *at != NULL && !listed; at++) {
		name = malloc(strlen(*at) + 2);
		listed = name != NULL && pack_scan_name(*at, name, &cut) == len &&
			 memcmp(name, path, len) == 0;
		free(name);
	}
	if (listed)
		return;
	snprintf(text, sizeof text, "%.*s: another file system is mounted there: not gone into",
		(int)len, path);
	note(o, text);
}

static bool excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	struct options *o = ctx;

	return ui_options_excluded(&o->o, path, len, is_dir);
}

/* Makes the KEY block, if the pack is to be sealed. */
static int seal(struct options *o, struct err *err)
{
	struct key_public *keys = calloc(o->to_count + 1, sizeof *keys);
	struct pack_recipients to = {.keys = keys, .key_count = o->to_count};
	struct pass pass;
	size_t i;
	int got = 0;

	if (keys == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	for (i = 0; i < o->to_count && got == 0; i++)
		got = key_public_load(o->to[i], &keys[i], err);
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
	for (i = 0; i < o->to_count; i++)
		key_public_wipe(&keys[i]);
	free(keys);
	o->create.writer.key_payload = o->key_payload;
	o->create.payload_key = o->payload_key;
	return got;
}

/* A PATH that is the pack to be replaced would be lost. */
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

	if ((o->to_count > 0 || o->o.unseal.passphrase_file != NULL) && seal(o, err) != 0)
		return -1;
	if (ui_output_open(out, o->o.file, err) != 0)
		return -1;
	if (o->o.files_from != NULL) {
		o->list = strcmp(o->o.files_from, "-") == 0 ? stdin : fopen(o->o.files_from, "re");
		if (o->list == NULL)
			return err_errno(err, errno, "%s", o->o.files_from);
	}
	o->create.scan.base = AT_FDCWD;
	if (o->o.directory != NULL) {
		o->create.scan.base = open(o->o.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (o->create.scan.base < 0)
			return err_errno(err, errno, "%s", o->o.directory);
	}
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

/* Returns 0, or -1 with err set. */
static int run(
	struct options *o, struct ui_output *out, struct pack_created *created, struct err *err)
{
	char *patterns;
	int got;

	ui_progress_start("pack", 0, o->o.verbose);
	if (o->o.files_from == NULL)
		ui_estimate_start(&o->create.scan, o->paths, !o->o.verbose);
	got = pack_create(&o->create, created, err);
	if (got == 0)
		got = ui_output_commit(out, err);
	ui_progress_stop();
	ui_estimate_stop();
	if (got == 0 && (patterns = ui_select_patterns_unmet(&o->o.select)) != NULL) {
		note(o, patterns);
		free(patterns);
	}
	return got == 0 && o->o.json ? json_result(o, created, err) : got;
}

int cmd_pack(int argc, char **argv)
{
	struct options o = {.o = {.command = "pack",
				    .help = help,
				    .shared = "fCT0Xvjtpxnrc",
				    .own = own,
				    .repeats = OPT_TO,
				    .take = take},
		.create = {.level = 1}};
	struct ui_output out = {.fd = -1, .dir = -1};
	struct pack_created created;
	struct err err = {0};
	int status;

	o.o.ctx = &o;
	status = parse(&o, argc, argv);
	if (status >= 0)
		goto out;
	o.create.commands = o.create.scan.taken = o.o.commands;
	o.create.scan.next_root = next_root;
	o.create.scan.excluded = o.o.select.exclude != NULL ? excluded : NULL;
	o.create.scan.border = on_border;
	o.create.scan.ctx = &o;
	o.create.sink = write_out;
	o.create.sink_ctx = &out;
	o.create.entry = o.o.verbose ? on_entry : NULL;
	o.create.problem = on_problem;
	o.create.progress = on_progress;
	o.create.ctx = &o;
	if (hash_crypto_init(&err) == 0 && prepare(&o, &out, &err) == 0)
		status = run(&o, &out, &created, &err);
	if (status != 0)
		status = ui_fail("pack", &err);
	else
		status = created.problems > 0 ? UI_SOME : UI_OK;
	ui_output_drop(&out);
	seal_wipe(o.payload_key, sizeof o.payload_key);
	if (o.list != NULL && o.list != stdin)
		fclose(o.list);
	if (o.o.directory != NULL && o.create.scan.base >= 0)
		close(o.create.scan.base);
	free(o.line);
out:
	ui_options_fini(&o.o);
	return status;
}
