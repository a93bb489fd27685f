/* fdump restore: the entries of a dump, unpacked. */
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
#include "lib/hash.h"
#include "pack/descent.h"
#include "pack/entry.h"

static const char help[] =
	"usage: fdump restore -s STORE... DUMP (-C DIR | --in-place) [options] [PATH...]\n"
	"\n"
	"Brings files of a dump back, each proved before it gets its name. With PATHs:\n"
	"only these and what is below them. DUMP is an id, or its first digits; latest;\n"
	"or [AGENT/]NAME@latest, [AGENT/]NAME@2026-11-24T06:00.\n"
	"\n"
	"  -s, --store STORE        a store: a directory (with a slash), or a service's\n"
	"                           NAME[:PORT] (repeatable: what one lacks is taken from\n"
	"                           another)\n"
	"      --config DIR         where stores' addresses are; default: /etc/fdump\n"
	"      --identity DIR       key and certificate to reach services with; default:\n"
	"                           ~/.config/fdump, else this machine's agent's\n"
	"      --agent NAME         whose 'latest' is meant; default: this host\n"
	"  -C, --directory DIR      restore into DIR\n"
	"      --in-place           restore to where it was\n"
	"  -T, --files-from FILE    read more PATHs from FILE\n"
	"      --null               they end in NUL, not newline\n"
	"  -X, --exclude-from FILE  leave out what matches the patterns in FILE\n"
	"      --exclude PATTERN    leave out what matches (as in .gitignore)\n"
	"  -v, --verbose            name each entry on standard error\n"
	"  -n, --dry-run            only print what would be restored\n"
	"      --numeric-owner      owners by number, not by name\n"
	"      --no-xattrs          without extended attributes and ACLs\n"
	"      --overwrite WHEN     always (default), if-changed (a restore that was cut off\n"
	"                           goes on), if-newer, never\n"
	"      --keep-directory-symlink  restore into directories that links in DIR lead\n"
	"                           to, if they are in DIR too\n"
	"      --untrusted          also as root: no owners, set-id bits, devices,\n"
	"                           privileged attributes\n"
	"      --any-origin         also what says it is of this host, and was not made here\n"
	"      --state DIR          the agent's own files, which know what was made here\n"
	"      --key FILE           a secret key, for a sealed dump (repeatable)\n"
	"      --passphrase-file FILE  the passphrase of the key\n"
	"      --json               problems and the result as JSON, one object a line\n"
	"      --threads N          default: the number of processors\n"
	"\n"
	"Exit status: 0 complete; 1 done, but some entries were not whole when backed\n"
	"up, something of another type was kept, or not all of their metadata could be\n"
	"restored; 2 failed, or entries could\n"
	"not be restored; 3 a key file is not as it must be; 5 damage found; 6 wrong key;\n"
	"7 no space; 8 a store was busy.\n";

struct restore {
	struct cmd_unpack u;
	bool in_place, dry_run, any_origin;
	int target; /* with --overwrite=if-changed: where to */
	struct ui_line line;
};

enum { OPT_OVERWRITE = UI_OPTIONS_OWN, OPT_UNTRUSTED, OPT_IN_PLACE, OPT_ANY, OPT_KEEP_LINK };

static const struct option own[] = {
	{"overwrite", required_argument, NULL, OPT_OVERWRITE},
	{"untrusted", no_argument, NULL, OPT_UNTRUSTED},
	{"any-origin", no_argument, NULL, OPT_ANY},
	{"keep-directory-symlink", no_argument, NULL, OPT_KEEP_LINK},
	{"in-place", no_argument, NULL, OPT_IN_PLACE},
	{"dry-run", no_argument, NULL, 'n'},
	{0},
};

static int take(void *ctx, int c)
{
	struct restore *r = ctx;

	switch (c) {
	case OPT_OVERWRITE:
		if (cmd_unpack_overwrite(optarg, &r->u.extract.overwrite) != 0)
			return ui_usage("restore",
				"--overwrite wants always, if-changed, if-newer or never");
		return -1;
	case OPT_UNTRUSTED:
		r->u.untrusted = true;
		return -1;
	case OPT_KEEP_LINK:
		r->u.extract.follow_links = true;
		return -1;
	case OPT_ANY:
		r->any_origin = true;
		return -1;
	case 'n':
		r->dry_run = true;
		return -1;
	default:
		r->in_place = true;
		return -1;
	}
}

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

	ui_line_init(&r->line, r->u.o.json ? UI_LINE_JSON : UI_LINE_NAME, false, NULL);
	got = ui_dump_walk(d, print_entry, r, err);
	ui_line_fini(&r->line);
	if (got != 0)
		return ui_fail("restore", err);
	return ui_select_unmet(&r->u.o.select, "restore", "dump") > 0 ? UI_FAILED : UI_OK;
}

/* With --overwrite=if-changed what is there and has the entry's size and time is not fetched
 * again: so a restore that was cut off goes on. What is not sure here is sorted out later. */
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

/* A store could make up a dump, in a domain of its own: what this host knows of its own dumps'
 * domains is compared. Returns 0, or -1 with err set. */
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
			"the dump says it is of this host, %s, which has made none with such a "
			"secret: it may be forged (--state DIR, where it made them; --any-origin, "
			"if you are sure)",
			text);
	fprintf(stderr,
		"fdump restore: no fingerprint of %s is known here: that the dump is of %s is the "
		"store's word\n",
		text, text);
	return 0;
}

static int restore(struct restore *r, struct ui_dump *d, struct err *err)
{
	int status;

	if (r->u.extract.overwrite == PACK_OVERWRITE_CHANGED) {
		r->target = open(r->u.o.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		d->there = is_there;
		d->there_ctx = r;
	}

	d->ways = true;
	if (ui_dump_adopt(d, err) != 0 || ui_dump_feed(d, &r->u.read, err) != 0)
		return ui_fail("restore", err);
	r->u.total = d->content;
	status = cmd_unpack_run(&r->u, -1);
	if (d->there != NULL && r->target >= 0)
		close(r->target);
	if (ui_dump_gaps(d, err) == 0)
		return status;
	ui_fail("restore", err);
	return status != UI_NOSPACE ? UI_DAMAGE : status;
}

int cmd_restore(int argc, char **argv)
{
	struct restore r = {.u.o = {.command = "restore",
				    .help = help,
				    .shared = "asSCT0Xvjtkpxn",
				    .own = own,
				    .take = take}};
	struct ui_dump d = {.source = NULL};
	struct err err = {0};
	char base[4096];
	const char *dump;
	int status;

	r.u.o.ctx = &r;
	status = ui_options_parse(&r.u.o, argc, argv);
	if (status >= 0)
		goto out;
	if (optind == argc) {
		status = ui_usage("restore", "no DUMP given (fdump dumps lists them)");
		goto out;
	}
	dump = argv[optind++];
	if ((status = ui_options_paths(&r.u.o, argc, argv)) >= 0)
		goto out;
	if (r.in_place && r.u.o.directory != NULL) {
		status = ui_usage("restore", "-C and --in-place exclude each other");
		goto out;
	}
	if (!r.dry_run && !r.in_place && r.u.o.directory == NULL) {
		status = ui_usage("restore", "where to? -C DIR, or --in-place");
		goto out;
	}
	if (hash_crypto_init(&err) != 0 || ui_dump_open(&d, &r.u.o, dump, &err) != 0) {
		status = ui_fail("restore", &err);
	} else if (r.dry_run) {
		status = dry_run(&r, &d, &err);
	} else if (check_origin(&r, dump_source_dump(d.source), &err) != 0) {
		status = ui_fail("restore", &err);
	} else {
		const struct store_dump *s = dump_source_dump(d.source);

		if (r.in_place) {
			r.u.extract.in_place = true;
			snprintf(
				base, sizeof base, "%.*s", (int)s->base_len, (const char *)s->base);
			r.u.o.directory = base;
		}
		status = restore(&r, &d, &err);
	}
	ui_dump_close(&d);
out:
	ui_options_fini(&r.u.o);
	return status;
}
