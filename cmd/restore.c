/* fdump restore: unpacks the entries of a dump. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/agent/state.h"
#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/line.h"
#include "cmd/ui/report.h"
#include "cmd/unpack.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
#include "pack/descent.h"
#include "pack/entry.h"

struct restore {
	struct cmd_unpack u;
	bool in_place, dry_run, any_origin;
	int target; /* the target, with --overwrite=if-changed */
	struct ui_line line;
};

static int print_entry(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err)
{
	struct restore *r = ctx;
	struct buf *out = &r->line.out;

	if (!ui_select_test(
		    &r->u.o.select, head->path.at, head->path.len, head->type == PACK_DIRECTORY))
		return 0;
	buf_clear(out);
	if (ui_line_add(&r->line, head, tail, err) != 0)
		return -1;
	return fwrite(out->data, 1, out->len, stdout) == out->len
		       ? 0
		       : err_errno(err, errno, "standard output");
}

static int dry_run(struct restore *r, struct ui_dump *d, struct err *err)
{
	int got;

	ui_pipe_ends(UI_OK);
	ui_line_init(&r->line, r->u.o.json ? UI_LINE_JSON : UI_LINE_NAME, false, NULL);
	got = ui_dump_walk(d, print_entry, r, err);
	ui_line_fini(&r->line);
	if (got != 0)
		return -1;
	return ui_select_unmet(&r->u.o.select, dump_source_dump(d->source)) > 0 ? UI_FAILED : UI_OK;
}

/* With --overwrite=if-changed, a file that exists with the entry's size and time is not fetched
 * again, so that a restore that was interrupted can be continued. Doubtful cases are decided when
 * the entry is unpacked. */
static bool is_there(void *ctx, const struct pack_head *head)
{
	const struct restore *r = ctx;
	size_t parent = pack_descent_parent(head->path);
	const char *path = (const char *)head->path.at;
	char name[PACK_NAME_MAX + 1];
	struct stat st;
	int dir = r->u.extract.follow_links
			  ? fs_open_within(r->target, path, parent, O_PATH | O_DIRECTORY)
			  : fs_open_beneath(r->target, path, parent, O_PATH | O_DIRECTORY, 0);
	bool there;

	pack_descent_name(head->path, name);
	there = dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		pack_overwrite_same(head, &st, dir);
	if (dir >= 0)
		close(dir);
	return there;
}

/* A store could forge a dump, in a domain of its own. So the domain is compared with those of dumps
 * that this host has made. Returns 0, or -1 with err set. */
static int check_origin(const struct restore *r, const struct store_dump *dump, struct err *err)
{
	char host[NAME_LEN_MAX + 1], text[ESC_MAX(STORE_NAME_MAX)];
	int known;

	if (!dump->sealed)
		return 0;
	known = agent_state_knows(r->u.o.state, dump->domain);
	if (known == 0)
		return 0;
	esc_name(text, sizeof text, dump->agent, dump->agent_len);
	if (agent_state_name(r->u.o.agent, host, err) != 0)
		return -1;
	if (known == 1 && strlen(host) == dump->agent_len &&
		memcmp(host, dump->agent, dump->agent_len) == 0 && !r->any_origin)
		return err_set(err, ERR_DENIED,
			"the dump claims to be of this host, %s, which has made no dump with this "
			"secret: it may be forged (--state DIR if this host's files are elsewhere; "
			"--any-origin if you are sure)",
			text);
	fprintf(stderr,
		"fdump restore: note: this machine can't check that %s made this dump (normal when "
		"restoring on another machine)\n",
		text);
	return 0;
}

static int restore(struct restore *r, struct ui_dump *d, struct err *err)
{
	const struct store_dump *dump = dump_source_dump(d->source);
	char base[4096];
	int status, failed;

	if (check_origin(r, dump, err) != 0)
		return -1;
	if (r->in_place) {
		r->u.extract.in_place = true;
		snprintf(base, sizeof base, "%.*s", (int)dump->base_len, (const char *)dump->base);
		r->u.o.directory = base;
	}
	if (r->u.extract.overwrite == PACK_OVERWRITE_CHANGED) {
		r->target = open(r->u.o.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		d->there = is_there;
		d->there_ctx = r;
	}
	d->ways = true;
	if (ui_dump_adopt(d, err) != 0 || ui_dump_feed(d, &r->u.read, err) != 0)
		return -1;
	r->u.total = d->content;
	r->u.dump = dump;
	status = cmd_unpack_run(&r->u, -1);
	if (d->there != NULL && r->target >= 0)
		close(r->target);
	if (ui_dump_gaps(d, err) == 0)
		return status;
	failed = ui_fail(err);
	return status != UI_NOSPACE ? failed : status;
}

static struct restore restore_options;

static int run(void *own, struct err *err)
{
	struct restore *r = own;
	struct ui_dump d = {.source = NULL};
	const char *dump = *r->u.o.args++;
	int status = ui_options_paths(&r->u.o);

	if (status >= 0)
		return status;
	if (r->in_place && r->u.o.directory != NULL)
		return ui_usage("-C and --in-place exclude each other");
	if (!r->dry_run && !r->in_place && r->u.o.directory == NULL)
		return ui_usage("no target given (-C DIR, or --in-place)");
	if (ui_dump_open(&d, &r->u.o, dump, err) == 0)
		status = r->dry_run ? dry_run(r, &d, err) : restore(r, &d, err);
	ui_dump_close(&d);
	return status;
}

static const struct ui_option options[] = {
	{.shared = "sAi"},
	{.shared = "a"},
	{.shared = "C", .help = "restore into DIR"},
	{0, "in-place", UI_FLAG, "restore to where it was", UI_AT(struct restore, in_place)},
	{.shared = "T0Xv"},
	{'n', "dry-run", UI_FLAG, "only print what would be restored",
		UI_AT(struct restore, dry_run)},
	{.shared = "nx"},
	{0, "overwrite", UI_CHOICE,
		"replace files that are there: always (the default), if-changed (goes on with a "
		"restore that was cut off), if-newer, never",
		UI_AT(struct restore, u.extract.overwrite), .value = "WHEN",
		.choices = CMD_UNPACK_OVERWRITE},
	{0, "keep-directory-symlink", UI_FLAG,
		"restore into directories that links in DIR lead to, if they are in DIR too",
		UI_AT(struct restore, u.extract.follow_links)},
	{0, "untrusted", UI_FLAG,
		"also as root, leave out owners, set-id bits, devices and privileged attributes",
		UI_AT(struct restore, u.untrusted)},
	{0, "any-origin", UI_FLAG,
		"also restore a dump that says it is of this host, but was not made here",
		UI_AT(struct restore, any_origin)},
	{.shared = "S", .help = "the agent's own files, which know what was made here"},
	{.shared = "kp"},
	{.shared = "j", .help = "print problems and the result as JSON, one object a line"},
	{.shared = "t"},
	{0},
};

const struct ui_command cmd_restore = {
	.name = "restore",
	.summary = "restore files of a dump; each is checked first",
	.usage = "-s STORE... DUMP (-C DIR | --in-place) [options] [PATH...]",
	.about = "Restores files of a dump, each checked before it gets its name. With PATHs: "
		 "only these and what is below them. DUMP is an id, or its first digits; latest; "
		 "or [AGENT/]NAME@latest, [AGENT/]NAME@2026-11-24T06:00. Of several STOREs, what "
		 "one lacks is taken from another.",
	.options = options,
	.arguments = "DUMP [PATH...]",
	.hint = "'fdump dumps' lists the dumps",
	.exits = "0 complete; 1 done, but some entries were incomplete when backed up, something "
		 "of another type was kept, or not all of their metadata could be restored; 2 "
		 "failed, or entries could not be restored; 3 a key file can't be used; 5 damage "
		 "found; 6 wrong key; 7 no space; 8 a store was busy.",
	.own = &restore_options,
	.run = run,
};
