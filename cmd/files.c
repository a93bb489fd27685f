/* fdump files, fdump find: what is in one dump, in all dumps. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/json.h"
#include "cmd/ui/line.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"
#include "lib/tz.h"

static const char help_files[] =
	"usage: fdump files -s STORE... [options] DUMP [PATH|PATTERN]\n"
	"\n"
	"Lists the files in a dump, as `fdump list` does of a pack. With a PATH: only\n"
	"this and what is below it. PATTERN: a shell pattern for the whole path, or,\n"
	"without '/', for the name. DUMP: see fdump restore.\n"
	"\n"
	"  -s, --store STORE       a store: a directory (with a slash), or a service's\n"
	"                          NAME[:PORT] (repeatable)\n"
	"      --config DIR        where stores' addresses are; default: /etc/fdump\n"
	"      --identity DIR      key and certificate to reach services with; default:\n"
	"                          ~/.config/fdump, else this machine's agent's\n"
	"      --agent NAME        whose 'latest' is meant; default: this host\n"
	"  -v, --verbose           mode, owner, size, time, status\n"
	"      --sums              SHA-256 of each file, as sha256sum prints it\n"
	"      --numeric-owner     owners by number\n"
	"      --json              one object a line\n"
	"      --key FILE          a secret key, for a sealed dump (repeatable)\n"
	"      --passphrase-file FILE  the passphrase of the key\n"
	"\n"
	"Exit status: 0 done; 1 nothing matches; 2 failed; 3 a key file is not as it must\n"
	"be; 5 damage found; 6 wrong key; 7 no space; 8 a store was busy.\n";

static const char help_find[] =
	"usage: fdump find -s STORE... [options] PATTERN\n"
	"\n"
	"Looks for files in all dumps that the keys open, the oldest first. PATTERN: a\n"
	"shell pattern for the whole path, or, without '/', for the name.\n"
	"\n"
	"  -s, --store STORE       a store: a directory (with a slash), or a service's\n"
	"                          NAME[:PORT] (repeatable)\n"
	"      --config DIR        where stores' addresses are; default: /etc/fdump\n"
	"      --identity DIR      key and certificate to reach services with; default:\n"
	"                          ~/.config/fdump, else this machine's agent's\n"
	"  -v, --verbose           mode, owner, size, time, status\n"
	"      --numeric-owner     owners by number\n"
	"      --json              one object a line\n"
	"      --key FILE          a secret key, for sealed dumps (repeatable)\n"
	"      --passphrase-file FILE  the passphrase of the key\n"
	"\n"
	"Exit status: 0 found; 1 nothing matches; 2 failed, or a STORE could not be read;\n"
	"3 a key file is not as it must be; 5 damage found; 6 wrong key; 7 no space; 8 a\n"
	"store was busy.\n";

#define FLUSH (64u << 10)

struct files {
	struct ui_options o;
	bool sums;
	const char *pattern;
	char *printed;      /* the name that is printed so; NULL: none is */
	bool whole;         /* it is for whole paths */
	const char *prefix; /* of each line that is not JSON, find's */
	struct ui_line line;
	uint64_t found;
	uint64_t unopened, unreadable; /* dumps */
	struct ui_dump dump;
	struct buf ids; /* find: the dumps */
};

enum { OPT_SUMS = UI_OPTIONS_OWN };

static const struct option own[] = {{"sums", no_argument, NULL, OPT_SUMS}, {0}};

static int take(void *ctx, int c)
{
	struct files *f = ctx;

	(void)c;
	f->sums = true;
	return -1;
}

static int flush(struct files *f, struct err *err)
{
	struct buf *out = &f->line.out;

	if (out->len > 0 && fwrite(out->data, 1, out->len, stdout) != out->len)
		return err_errno(err, errno, "standard output");
	buf_clear(out);
	return 0;
}

static int matches(struct files *f, struct pack_bytes path, bool *yes, struct err *err)
{
	struct ui_select *s = &f->o.select;
	char *text, *name;

	*yes = f->pattern == NULL || (s->count > 0 && ui_select_test(s, path.at, path.len, false));
	if (*yes)
		return 0;
	text = strndup((const char *)path.at, path.len);
	if (text == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	name = strrchr(text, '/');
	name = name != NULL && !f->whole ? name + 1 : text;
	*yes = fnmatch(f->pattern, name, 0) == 0 ||
	       (f->printed != NULL && strcmp(f->printed, name) == 0);
	free(text);
	return 0;
}

/* The pattern may be a name as fdump prints it. */
static void take_printed(struct files *f)
{
	f->printed = f->pattern != NULL ? malloc(strlen(f->pattern) + 1) : NULL;
	if (f->printed != NULL && !esc_back(f->printed, f->pattern)) {
		free(f->printed);
		f->printed = NULL;
	}
}

/* Names in a dump do not begin with '/' or './', nor end with '/', as people type them. pattern:
 * of argv, is changed. */
static void take_pattern(struct files *f, char *pattern)
{
	size_t len;

	f->pattern = pattern;
	f->whole = pattern != NULL && strchr(pattern, '/') != NULL;
	if (!f->whole) {
		take_printed(f);
		return;
	}
	while (*pattern == '/' || strncmp(pattern, "./", 2) == 0)
		pattern += *pattern == '/' ? 1 : 2;
	for (len = strlen(pattern); len > 0 && pattern[len - 1] == '/'; len--)
		pattern[len - 1] = 0;
	f->pattern = len > 0 ? pattern : ".";
	take_printed(f);
}

static int add_entry(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err)
{
	struct files *f = ctx;
	bool yes;

	if (matches(f, head->path, &yes, err) != 0)
		return -1;
	if (!yes)
		return 0;
	f->found++;
	if (f->prefix != NULL && buf_addf(&f->line.out, err, "%s  ", f->prefix) != 0)
		return -1;
	if (ui_line_add(&f->line, head, tail, err) != 0)
		return -1;
	return f->line.out.len > FLUSH ? flush(f, err) : 0;
}

static enum ui_line_format format(const struct files *f)
{
	return f->o.json      ? UI_LINE_JSON
	       : f->sums      ? UI_LINE_SUM
	       : f->o.verbose ? UI_LINE_VERBOSE
			      : UI_LINE_NAME;
}

static int list(struct files *f, const char *dump, struct err *err)
{
	if (ui_dump_open(&f->dump, &f->o, dump, err) != 0)
		return -1;
	return ui_dump_walk(&f->dump, add_entry, f, err);
}

static int note_dump(
	void *ctx, const struct store_entry *e, const struct dump_listed *listed, struct err *err)
{
	struct files *f = ctx;

	(void)listed;
	return buf_add(&f->ids, e->dump.id, STORE_DUMP_ID, err);
}

/* A dump that is passed by. */
static int tell_dump(struct files *f, const uint8_t *id, const struct err *why, struct err *err)
{
	return flush(f, err) != 0 ? -1
				  : ui_problem(&(struct ui_problem){.command = "find",
						       .id = "find.dump",
						       .json = f->o.json ? stdout : NULL,
						       .dump_id = id,
						       .why = why},
					    err);
}

/* One dump of all. One that the keys do not open is passed by, and said to be. */
static int find_in(struct files *f, const uint8_t *id, struct err *err)
{
	char text[2 * STORE_DUMP_ID + 1], prefix[13];
	struct err why = {0};

	esc_hex(text, id, STORE_DUMP_ID);
	snprintf(prefix, sizeof prefix, "%.12s", text);
	f->prefix = f->o.json ? NULL : prefix;
	f->line.dump = id;
	if (dump_source_choose(f->dump.source, text, "", &why) == 0 &&
		dump_source_unlock(f->dump.source, &why) == 0)
		return ui_dump_walk(&f->dump, add_entry, f, err);
	if (why.code == ERR_DENIED)
		f->unopened++;
	else if (why.code == ERR_DAMAGE)
		f->unreadable++;
	else {
		*err = why;
		return -1;
	}
	return tell_dump(f, id, &why, err);
}

static int find(struct files *f, const char *dump, struct err *err)
{
	size_t i;

	(void)dump;
	if (ui_dump_open(&f->dump, &f->o, NULL, err) != 0 ||
		dump_source_dumps(f->dump.source, note_dump, f, err) != 0)
		return -1;
	for (i = 0; i < f->ids.len; i += STORE_DUMP_ID)
		if (find_in(f, f->ids.data + i, err) != 0)
			return -1;
	return 0;
}

static int run(
	struct files *f, int (*how)(struct files *, const char *, struct err *), const char *dump)
{
	struct err err = {0};
	struct tz *tz = NULL;
	int status;

	ui_pipe_ends(UI_OK);
	buf_init(&f->ids, SIZE_MAX);
	if (hash_crypto_init(&err) != 0 ||
		(tz_local(&tz, &err) != 0 && tz_load("UTC", &tz, &err) != 0))
		return ui_fail(f->o.command, &err);
	ui_line_init(&f->line, format(f), f->o.numeric_owner, tz);
	if (how(f, dump, &err) != 0 || flush(f, &err) != 0)
		status = ui_fail(f->o.command, &err);
	else if (fflush(stdout) != 0)
		status = ui_fail(f->o.command, (err_errno(&err, errno, "standard output"), &err));
	else
		status = f->unreadable > 0                                 ? UI_DAMAGE
			 : how == find && ui_dump_all(&f->dump, &err) != 0 ? ui_fail("find", &err)
			 : f->found == 0 && f->unopened > 0                ? UI_REFUSED
			 : f->found > 0                                    ? UI_OK
									   : UI_SOME;
	ui_dump_close(&f->dump);
	ui_line_fini(&f->line);
	buf_fini(&f->ids);
	free(f->printed);
	tz_free(tz);
	return status;
}

int cmd_files(int argc, char **argv)
{
	struct files f = {.o = {.command = "files",
				  .help = help_files,
				  .shared = "asSvnjkp",
				  .own = own,
				  .take = take}};
	const char *dump;
	int status;

	f.o.ctx = &f;
	status = ui_options_parse(&f.o, argc, argv);
	if (status < 0 && (argc - optind < 1 || argc - optind > 2))
		status = ui_usage(
			"files", "wants a DUMP (fdump dumps lists them), maybe a PATH or PATTERN");
	if (status < 0) {
		dump = argv[optind++];
		take_pattern(&f, argv[optind]);
		status = ui_options_paths(&f.o, argc, argv);
	}
	if (status < 0)
		status = run(&f, list, dump);
	ui_options_fini(&f.o);
	return status;
}

int cmd_find(int argc, char **argv)
{
	struct files f = {.o = {.command = "find", .help = help_find, .shared = "sSvnjkp"}};
	int status = ui_options_parse(&f.o, argc, argv);

	if (status < 0 && argc - optind != 1)
		status = ui_usage("find", "wants a PATTERN");
	if (status < 0 && *argv[optind] == 0)
		status = ui_usage("find", "'': empty PATTERN");
	if (status < 0) {
		take_pattern(&f, argv[optind]);
		status = run(&f, find, NULL);
	}
	ui_options_fini(&f.o);
	return status;
}
