/* fdump unpack: a pack into a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/ending.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/unpack.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "pack/extract.h"
#include "pack/load.h"
#include "pack/pick.h"
#include "pack/read.h"
#include "pack/seek.h"

static const char help[] =
	"usage: fdump unpack [-f FILE] [-C DIR] [options] [PATH...]\n"
	"\n"
	"Unpacks a pack into DIR (here), each file proved before it gets its name.\n"
	"With PATHs: only these and what is below them.\n"
	"\n"
	"  -f, --file FILE          read FILE ('-': standard input, the default)\n"
	"  -C, --directory DIR      unpack into DIR\n"
	"  -T, --files-from FILE    read more PATHs from FILE\n"
	"      --null               they end in NUL, not newline\n"
	"  -X, --exclude-from FILE  leave out what matches the patterns in FILE\n"
	"      --exclude PATTERN    leave out what matches (as in .gitignore)\n"
	"  -v, --verbose            name each entry on standard error\n"
	"      --strip-components N leave off N leading components\n"
	"      --numeric-owner      owners by number, not by name\n"
	"      --no-xattrs          without extended attributes and ACLs\n"
	"  -k, --keep-old-files     as --overwrite=never\n"
	"      --overwrite WHEN     always (default), if-changed, if-newer, never\n"
	"      --keep-directory-symlink  restore into directories that links in DIR lead\n"
	"                           to, if they are in DIR too\n"
	"      --untrusted          also as root: no owners, set-id bits, devices,\n"
	"                           privileged attributes\n"
	"      --skip-damaged       go on behind damage\n"
	"      --key FILE           a secret key, for a sealed pack (repeatable)\n"
	"      --passphrase-file FILE  the passphrase of the key or the pack\n"
	"      --json               problems and the result as JSON, one object a line\n"
	"      --threads N          default: the number of processors\n"
	"\n"
	"Exit status: 0 complete; 1 done, but some entries were not whole when packed,\n"
	"something of another type was kept, or not all of their metadata could be\n"
	"restored; 2 failed, or entries could\n"
	"not be restored; 3 a key file is not as it must be; 5 damage found; 6 wrong key,\n"
	"or not sealed; 7 no space.\n";

struct unpack {
	struct cmd_unpack *o;
	struct pack_extract *extract;
	size_t lost, absent, kept, notes, damaged;
	bool no_space;
};

enum { OPT_STRIP = UI_OPTIONS_OWN, OPT_OVERWRITE, OPT_UNTRUSTED, OPT_SKIP, OPT_KEEP_LINK };

static const struct option own[] = {
	{"strip-components", required_argument, NULL, OPT_STRIP},
	{"keep-old-files", no_argument, NULL, 'k'},
	{"overwrite", required_argument, NULL, OPT_OVERWRITE},
	{"untrusted", no_argument, NULL, OPT_UNTRUSTED},
	{"skip-damaged", no_argument, NULL, OPT_SKIP},
	{"keep-directory-symlink", no_argument, NULL, OPT_KEEP_LINK},
	{0},
};

int cmd_unpack_overwrite(const char *text, enum pack_overwrite *when)
{
	static const char *const names[] = {"always", "if-changed", "if-newer", "never"};
	size_t i;

	for (i = 0; i < 4; i++)
		if (strcmp(text, names[i]) == 0) {
			*when = (enum pack_overwrite)i;
			return 0;
		}
	return -1;
}

/* One of unpack's own options. */
static int take(void *ctx, int c)
{
	struct cmd_unpack *o = ctx;
	long n;

	switch (c) {
	case OPT_STRIP:
		if (ui_number(optarg, 0, 65535, &n) != 0)
			return ui_usage("unpack", "--strip-components wants a number");
		o->extract.strip = (unsigned)n;
		return -1;
	case 'k':
		o->extract.overwrite = PACK_OVERWRITE_NEVER;
		return -1;
	case OPT_OVERWRITE:
		if (cmd_unpack_overwrite(optarg, &o->extract.overwrite) != 0)
			return ui_usage("unpack",
				"--overwrite wants always, if-changed, if-newer or never");
		return -1;
	case OPT_UNTRUSTED:
		o->untrusted = true;
		return -1;
	case OPT_KEEP_LINK:
		o->extract.follow_links = true;
		return -1;
	default:
		o->read.skip_damaged = true;
		return -1;
	}
}

static bool selected(void *ctx, const uint8_t *path, size_t len)
{
	struct unpack *u = ctx;

	/* Whether it is a directory is not known here: a pattern that is only for
	 * directories excludes what is in one. */
	return ui_select_test(&u->o->o.select, path, len, false);
}

static void print_path(const char *prefix, struct pack_bytes path, const char *what)
{
	char text[ESC_MAX(4096)];

	esc_name(text, sizeof text, path.at, path.len);
	fprintf(stderr, "%s%s%s%s\n", prefix, text, *what ? ": " : "", what);
}

static void on_entry(void *ctx, struct pack_bytes path)
{
	(void)ctx;
	print_path("", path, "");
}

/* A problem, in words or as JSON. kind: "entry", "metadata", "damage". offset:
 * in the pack; -1: not known. */
static void tell(struct unpack *u, const char *kind, int64_t offset, struct pack_bytes path,
	const char *what)
{
	char text[ERR_MESSAGE_MAX + 64], id[32];
	struct err err;
	json_t *object;
	int failed;

	ui_progress_hush();
	if (!u->o->o.json) {
		snprintf(text, sizeof text, "%s", what);
		if (offset >= 0)
			snprintf(text, sizeof text, "offset %lld: %s", (long long)offset, what);
		if (path.at != NULL) {
			char prefix[64];

			snprintf(prefix, sizeof prefix, "fdump %s: ", u->o->o.command);
			print_path(prefix, path, text);
		} else
			fprintf(stderr, "fdump %s: %s\n", u->o->o.command, text);
		return;
	}
	snprintf(id, sizeof id, "unpack.%s", kind);
	object = ui_json_new("problem", id);
	failed = ui_json_name(object, "path", path.at, path.len);
	if (offset >= 0)
		failed |= ui_json_add(object, "offset", json_integer(offset));
	failed |= ui_json_add(object, "what", json_string(what));
	if (ui_json_print(object, failed, &err) != 0)
		fprintf(stderr, "fdump unpack: %s\n", err.message);
}

static void on_extract_problem(void *ctx, struct pack_bytes path, enum pack_outcome_kind kind,
	int errnum, const char *what)
{
	struct unpack *u = ctx;

	u->no_space = u->no_space || errnum == ENOSPC || errnum == EDQUOT;
	if (kind == PACK_OUTCOME_NOTE)
		u->notes++;
	else if (kind == PACK_OUTCOME_ABSENT)
		u->absent++;
	else if (kind == PACK_OUTCOME_KEPT)
		u->kept++;
	else
		u->lost++;
	tell(u,
		kind == PACK_OUTCOME_NOTE   ? "metadata"
		: kind == PACK_OUTCOME_KEPT ? "kept"
					    : "entry",
		-1, path, what);
}

static void on_read_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct unpack *u = ctx;

	(void)kind;
	u->damaged++;
	tell(u, "damage", u->o->read.feed == NULL ? (int64_t)offset : -1, path, what);
}

static int prepare(void *ctx, struct pack_load *load, struct err *err)
{
	struct unpack *u = ctx;

	(void)err;
	pack_extract_prepare(u->extract, load);
	return 0;
}

static void discard(void *ctx, struct pack_load *load)
{
	struct unpack *u = ctx;

	pack_extract_drop(u->extract, load);
}

static int apply(void *ctx, struct pack_load *load, struct err *err)
{
	struct unpack *u = ctx;

	size_t count;

	pack_load_members(load, &count);
	ui_progress_add(u->o->read.feed != NULL ? load->block.raw_len + load->named
						: PACK_BLOCK_HEADER + load->block.stored_len,
		count + load->lead_ends);
	if (load->bad.code == ERR_DENIED && load->block.kind == PACK_ENTRY)
		return err_set(
			err, ERR_DENIED, "the pack is sealed: a secret key is needed (--key FILE)");
	return pack_extract_load(u->extract, load, err);
}

static int open_key(void *ctx, const uint8_t *payload, size_t len, uint8_t key[32], struct err *err)
{
	struct unpack *u = ctx;

	return ui_unseal_open(&u->o->o.unseal, payload, len, key, err);
}

static void on_pick_problem(void *ctx, const uint8_t *path, size_t len, const char *what)
{
	struct unpack *u = ctx;

	u->damaged++;
	tell(u, "damage", -1, (struct pack_bytes){path, len}, what);
}

/* Only the entries that are named, by the index. As pack_pick_run. */
static int pick(struct unpack *u, struct err *err)
{
	struct pack_seek_options seek = {
		.fd = u->o->read.fd,
		.need_key = u->o->read.need_key,
		.open_key = open_key,
		.ctx = u,
	};
	struct pack_pick_options options = {
		.seek = &seek,
		.extract = u->extract,
		.selected = selected,
		.problem = on_pick_problem,
		.ctx = u,
	};
	int got = pack_pick_run(&options, err);

	if (got == 1)
		fprintf(stderr, "fdump unpack: no use of the index: %s; reading it all\n",
			err->message);
	return got;
}

/* What can be done with a damaged pack, which was told of. got: what the reading returned, and what
 * this does. */
static int advise(
	const struct cmd_unpack *o, const struct pack_read *result, int got, struct err *err)
{
	if (got < 0 && err->code != ERR_DAMAGE)
		return got;
	if (o->read.skip_damaged)
		return got == 0 && result->packs == 0 ? err_set(err, ERR_DAMAGE, "this is no pack")
						      : got;
	if (got < 0)
		err_set(err, ERR_DAMAGE,
			result->packs > 0 ? "stopped at damage (--skip-damaged goes on behind it)"
					  : "this is no pack, or its beginning is damaged "
					    "(--skip-damaged looks for what is behind it)");
	return got;
}

/* A signal ends the process. */
static void ended(void *ctx, int status)
{
	struct unpack *u = ctx;

	(void)status;
	pack_extract_back(u->extract);
}

static int run(struct unpack *u, struct err *err)
{
	struct cmd_unpack *o = u->o;
	struct pack_read result;
	int got = -1;

	o->extract.target = open(
		o->o.directory != NULL ? o->o.directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->extract.target < 0) {
		err_errno(err, errno, "%s", o->o.directory != NULL ? o->o.directory : ".");
	} else if ((u->extract = pack_extract_new(&o->extract, err)) != NULL &&
		   ui_ending_start(ended, u, err) == 0) {
		got = 1;
		if (o->read.feed == NULL && o->o.select.count > 0 && pack_seek_can(o->read.fd))
			got = pick(u, err);
		if (got == 1) {
			ui_progress_start(o->o.command,
				o->read.feed != NULL ? o->total : ui_progress_size(o->read.fd),
				o->o.verbose);
			got = pack_read_run(&o->read, &result, err);
			if (o->read.feed == NULL)
				got = advise(o, &result, got, err);
		}
		pack_extract_finish(u->extract);
		ui_progress_stop();
		ui_ending_stop();
	}
	pack_extract_free(u->extract);
	if (o->extract.target >= 0)
		close(o->extract.target);
	return got;
}

static void json_result(const struct unpack *u, int status)
{
	json_t *object = ui_json_new("result", "unpack.result");
	struct err err;
	int failed =
		ui_json_add(object, "missing", json_integer((json_int_t)(u->lost + u->absent)));

	failed |= ui_json_add(object, "kept", json_integer((json_int_t)u->kept));
	failed |= ui_json_add(object, "notes", json_integer((json_int_t)u->notes));
	failed |= ui_json_add(object, "damaged", json_integer((json_int_t)u->damaged));
	failed |= ui_json_add(object, "exit", json_integer(status));
	if (ui_json_print(object, failed, &err) != 0)
		fprintf(stderr, "fdump unpack: %s\n", err.message);
}

/* A pack was read behind damage. Returns the exit status. */
static int told_damage(const struct unpack *u)
{
	struct err err;

	err_set(&err, ERR_DAMAGE,
		"damaged: %zu problem%s; what could be read is unpacked and proved", u->damaged,
		u->damaged == 1 ? "" : "s");
	return ui_fail(u->o->o.command, &err);
}

int cmd_unpack_run(struct cmd_unpack *o, int fd)
{
	struct unpack u = {.o = o};
	struct err err = {0};
	int status;

	o->read.fd = fd;
	o->read.threads = o->o.threads;
	o->extract.xattrs = !o->o.no_xattrs;
	o->extract.numeric_owner = o->o.numeric_owner;
	o->extract.privileged = geteuid() == 0 && !o->untrusted;
	o->extract.umask = umask(0);
	o->extract.files = fs_raise_file_limit();
	o->extract.selected =
		o->o.select.count > 0 || o->o.select.exclude != NULL ? selected : NULL;
	o->extract.entry = o->o.verbose ? on_entry : NULL;
	o->extract.problem = on_extract_problem;
	o->extract.made = o->read.feed != NULL ? "backed up" : "packed";
	o->extract.ctx = &u;
	o->read.prove = true;
	o->read.open_key = open_key;
	o->read.prepare = prepare;
	o->read.discard = discard;
	o->read.apply = apply;
	o->read.problem = on_read_problem;
	o->read.ctx = &u;
	if (run(&u, &err) != 0)
		status = ui_fail(o->o.command, &err);
	else if (u.damaged > 0)
		status = o->read.feed != NULL ? UI_DAMAGE : told_damage(&u);
	else if (u.no_space)
		status = UI_NOSPACE;
	else if (ui_select_unmet(
			 &o->o.select, o->o.command, o->read.feed != NULL ? "dump" : "pack") > 0 ||
		 u.lost > 0)
		status = UI_FAILED;
	else
		status = u.notes + u.absent + u.kept > 0 ? UI_SOME : UI_OK;
	if (o->o.json)
		json_result(&u, status);
	return status;
}

int cmd_unpack(int argc, char **argv)
{
	struct cmd_unpack o = {.o = {.command = "unpack",
				       .help = help,
				       .shared = "fCT0Xvjtkpxn",
				       .own = own,
				       .take = take}};
	struct err err = {0};
	int status, fd;

	o.o.ctx = &o;
	status = ui_options_parse(&o.o, argc, argv);
	if (status >= 0 || (status = ui_options_paths(&o.o, argc, argv)) >= 0)
		goto out;
	o.read.need_key = ui_unseal_wanted(&o.o.unseal);
	fd = hash_crypto_init(&err) == 0 ? ui_open_input(o.o.file, &err) : -1;
	if (fd < 0) {
		status = ui_fail("unpack", &err);
		goto out;
	}
	status = cmd_unpack_run(&o, fd);
	close(fd);
out:
	ui_options_fini(&o.o);
	return status;
}
