/* fdump unpack: unpacks a pack into a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/ui/ending.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "cmd/unpack.h"
#include "lib/err.h"
#include "lib/fs.h"
#include "pack/extract.h"
#include "pack/load.h"
#include "pack/pick.h"
#include "pack/read.h"
#include "pack/seek.h"

struct unpack {
	struct cmd_unpack *o;
	struct pack_extract *extract;
	size_t lost, absent, kept, notes, damaged;
	bool no_space;
};

static bool selected(void *ctx, const uint8_t *path, size_t len)
{
	struct unpack *u = ctx;

	/* It is not known here whether the path is a directory, so a pattern for directories only
	 * excludes just what is in one. */
	return ui_select_test(&u->o->o.select, path, len, false);
}

static void on_entry(void *ctx, struct pack_bytes path)
{
	ui_show_entry(ctx, (const char *)path.at, path.len);
}

/* Reports a problem as text or JSON. offset: in the pack; -1: not known. */
static void tell(const char *id, int64_t offset, struct pack_bytes path, const char *what)
{
	ui_problem(&(struct ui_problem){.id = id,
			   .has_offset = offset >= 0,
			   .offset = (uint64_t)offset,
			   .path = path,
			   .what = what},
		NULL);
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
	tell(kind == PACK_OUTCOME_NOTE      ? "unpack.metadata"
		: kind == PACK_OUTCOME_KEPT ? "unpack.kept"
					    : "unpack.entry",
		-1, path, what);
}

static void on_read_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what)
{
	struct unpack *u = ctx;

	(void)kind;
	u->damaged++;
	tell("unpack.damage", u->o->read.feed == NULL ? (int64_t)offset : -1, path, what);
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

static void on_pick_problem(void *ctx, const uint8_t *path, size_t len, const char *what)
{
	struct unpack *u = ctx;

	u->damaged++;
	tell("unpack.damage", -1, (struct pack_bytes){path, len}, what);
}

/* Extracts only the entries that are named, by the index. Returns as pack_pick_run. */
static int pick(struct unpack *u, struct err *err)
{
	struct pack_seek_options seek = {
		.fd = u->o->read.fd,
		.need_key = u->o->read.need_key,
		.open_key = ui_unseal_open,
		.key_ctx = &u->o->o.unseal,
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
		fprintf(stderr, "fdump unpack: can't use the index: %s; reading all of it\n",
			err->message);
	return got;
}

/* Sets err to what can be done with a damaged pack, whose damage was reported. got: what the
 * reading returned. Returns got, or -1 if there is no pack. */
static int advise(
	const struct cmd_unpack *o, const struct pack_read *result, int got, struct err *err)
{
	if (got < 0 && err->code != ERR_DAMAGE)
		return got;
	if (o->read.skip_damaged)
		return got == 0 && result->packs == 0 ? err_set(err, ERR_DAMAGE, "not a pack")
						      : got;
	if (got < 0)
		err_set(err, ERR_DAMAGE,
			result->packs > 0 ? "stopped at damage (--skip-damaged goes on after it)"
					  : "not a pack, or its beginning is damaged "
					    "(--skip-damaged looks for what comes after)");
	return got;
}

/* Called when a signal ends the process. */
static void ended(void *ctx, int status)
{
	struct unpack *u = ctx;

	(void)status;
	pack_extract_back(u->extract);
}

/* Opens -C DIR, which is made if only its last part is missing: with mode 0700, unless the pack has
 * another one. Returns its descriptor, or -1 with err set. */
static int open_target(const struct cmd_unpack *o, struct err *err)
{
	const char *dir = o->o.directory != NULL ? o->o.directory : ".";
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && mkdir(dir, 0700) == 0)
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : err_errno(err, errno, "%s", dir);
}

static int run(struct unpack *u, struct err *err)
{
	struct cmd_unpack *o = u->o;
	struct pack_read result;
	int got = -1;

	o->extract.target = open_target(o, err);
	if (o->extract.target >= 0 && (u->extract = pack_extract_new(&o->extract, err)) != NULL &&
		ui_ending_start(ended, u, err) == 0) {
		got = 1;
		if (o->read.feed == NULL && o->o.select.count > 0 && pack_seek_can(o->read.fd))
			got = pick(u, err);
		if (got == 1) {
			ui_progress_start(
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

int cmd_unpack_run(struct cmd_unpack *o, int fd)
{
	struct unpack u = {.o = o};
	const bool whole = o->read.feed == NULL;
	struct err err = {0};
	int status, got;

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
	o->extract.made = whole ? "packed" : "backed up";
	o->extract.ctx = &u;
	o->read.prove = true;
	o->read.open_key = ui_unseal_open;
	o->read.key_ctx = &o->o.unseal;
	o->read.prepare = prepare;
	o->read.discard = discard;
	o->read.apply = apply;
	o->read.problem = on_read_problem;
	o->read.ctx = &u;
	got = run(&u, &err);
	if (got == 0 && u.damaged > 0 && whole) /* reading went on after damage */
		got = err_set(&err, ERR_DAMAGE,
			"damaged: %zu problem%s; what could be read is unpacked and proved",
			u.damaged, u.damaged == 1 ? "" : "s");
	if (got != 0)
		status = ui_fail(&err);
	else if (u.damaged > 0)
		status = UI_DAMAGE;
	else if (u.no_space)
		status = UI_NOSPACE;
	else if (ui_select_unmet(&o->o.select, o->dump) > 0 || u.lost > 0)
		status = UI_FAILED;
	else
		status = u.notes + u.absent + u.kept > 0 ? UI_SOME : UI_OK;
	if (ui_result("result", "unpack.result",
		    (struct ui_field[]){UI_INT("missing", u.lost + u.absent),
			    UI_INT("kept", u.kept), UI_INT("notes", u.notes),
			    UI_INT("damaged", u.damaged), UI_INT("exit", status), {0}},
		    &err, NULL) != 0)
		ui_say("unpack", "%s", err.message);
	return status;
}

static struct cmd_unpack unpack_options = {.o = {.file = "-"}};

static int run_unpack(void *own, struct err *err)
{
	struct cmd_unpack *o = own;
	const char *word = o->o.args[0];
	int fd, status = ui_options_paths(&o->o);

	if (status >= 0)
		return status;
	if (o->keep)
		o->extract.overwrite = PACK_OVERWRITE_NEVER;
	o->read.need_key = ui_unseal_wanted(&o->o.unseal);
	fd = ui_open_pack(o->o.file, err);
	if (fd < 0)
		err_prefix(err, "%s", o->o.file);
	status = fd >= 0 ? cmd_unpack_run(o, fd) : ui_fail(err);
	if (fd > 0)
		close(fd);
	if (status >= UI_FAILED && strcmp(o->o.file, "-") == 0)
		ui_input_hint(word);
	return status;
}

static const struct ui_option options[] = {
	{.shared = "f"},
	{.shared = "C", .help = "unpack into DIR; default: here"},
	{.shared = "T0Xv"},
	{0, "strip-components", UI_NUMBER, "leave off N leading components of each path",
		UI_AT(struct cmd_unpack, extract.strip), .max = 65535},
	{.shared = "nx"},
	{'k', "keep-old-files", UI_FLAG, "as --overwrite never", UI_AT(struct cmd_unpack, keep)},
	{0, "overwrite", UI_CHOICE,
		"replace files that are there: always (the default), if-changed, if-newer, never",
		UI_AT(struct cmd_unpack, extract.overwrite), .value = "WHEN",
		.choices = CMD_UNPACK_OVERWRITE},
	{0, "keep-directory-symlink", UI_FLAG,
		"restore into directories that links in DIR lead to, if they are in DIR too",
		UI_AT(struct cmd_unpack, extract.follow_links)},
	{0, "untrusted", UI_FLAG,
		"also as root, leave out owners, set-id bits, devices and privileged attributes",
		UI_AT(struct cmd_unpack, untrusted)},
	{0, "skip-damaged", UI_FLAG, "skip damage, unpack what comes after it",
		UI_AT(struct cmd_unpack, read.skip_damaged)},
	{.shared = "kp"},
	{.shared = "j", .help = "print problems and the result as JSON, one object a line"},
	{.shared = "t"},
	{0},
};

const struct ui_command cmd_unpack = {
	.name = "unpack",
	.summary = "unpack a pack; each file is checked first",
	.usage = "[-f FILE] [-C DIR] [options] [PATH...]",
	.about = "Unpacks a pack into DIR (here), each file checked before it gets its name. "
		 "With PATHs: only these and what is below them.",
	.options = options,
	.arguments = "[PATH...]",
	.exits = "0 complete; 1 done, but some entries were incomplete when packed, something of "
		 "another type was kept, or not all of their metadata could be restored; 2 "
		 "failed, or entries could not be restored; 3 a key file can't be used; 5 damage "
		 "found; 6 wrong key, or not encrypted; 7 no space.",
	.own = &unpack_options,
	.run = run_unpack,
};
