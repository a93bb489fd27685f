/* fdump files lists the files in one dump; fdump find searches all dumps. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/line.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/tz.h"

#define FLUSH (64u << 10)

struct files {
	struct ui_options o;
	bool sums;
	const char *pattern;
	char *printed;      /* the pattern read as an escaped name; NULL: it is not one */
	bool whole;         /* the pattern is for whole paths */
	const char *prefix; /* find: printed before each line that is not JSON */
	struct ui_line line;
	uint64_t found;
	uint64_t unopened, unreadable; /* numbers of dumps */
	struct ui_dump dump;
	struct buf ids; /* find: ids of the dumps */
};

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

/* Sets the pattern. People may type a leading '/' or './', or a trailing '/', which names in a dump
 * don't have. pattern: an argument, which is changed; NULL: there is none. */
static void take_pattern(struct files *f, char *pattern)
{
	size_t len;

	if (pattern == NULL)
		return;
	f->whole = strchr(pattern, '/') != NULL;
	while (f->whole && (*pattern == '/' || strncmp(pattern, "./", 2) == 0))
		pattern += *pattern == '/' ? 1 : 2;
	for (len = strlen(pattern); len > 0 && pattern[len - 1] == '/'; len--)
		pattern[len - 1] = 0;
	f->pattern = f->whole && len == 0 ? "." : pattern;
	/* It may be a name as fdump prints it. */
	f->printed = malloc(strlen(f->pattern) + 1);
	if (f->printed != NULL && !esc_back(f->printed, f->pattern)) {
		free(f->printed);
		f->printed = NULL;
	}
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

static int note_dump(
	void *ctx, const struct store_entry *e, const struct dump_listed *listed, struct err *err)
{
	struct files *f = ctx;

	(void)listed;
	return buf_add(&f->ids, e->dump.id, STORE_DUMP_ID, err);
}

/* Searches one of all dumps. A dump that the keys don't open, or that is damaged, is reported and
 * skipped. */
static int find_in(struct files *f, const uint8_t *id, struct err *err)
{
	char text[2 * STORE_DUMP_ID + 1], prefix[13];
	struct err why = {0};

	esc_hex(text, id, STORE_DUMP_ID);
	snprintf(prefix, sizeof prefix, "%.12s", text);
	f->prefix = f->o.json ? NULL : prefix;
	f->line.dump = id;
	if (dump_source_choose(f->dump.source, text, "", &why) == 0 &&
		dump_source_unlock(f->dump.source, &why) == 0 &&
		ui_dump_walk(&f->dump, add_entry, f, &why) == 0)
		return 0;
	if (why.code != ERR_DENIED && why.code != ERR_DAMAGE) {
		*err = why;
		return -1;
	}
	f->unopened += why.code == ERR_DENIED;
	f->unreadable += why.code == ERR_DAMAGE;
	if (flush(f, err) != 0)
		return -1;
	return ui_problem(&(struct ui_problem){.id = "find.dump", .dump_id = id, .why = &why}, err);
}

/* Walks one dump, or all if dump is NULL. */
static int walk(struct files *f, const char *dump, struct err *err)
{
	size_t i;

	if (ui_dump_open(&f->dump, &f->o, dump, err) != 0)
		return -1;
	if (dump != NULL)
		return ui_dump_walk(&f->dump, add_entry, f, err);
	if (dump_source_dumps(f->dump.source, note_dump, f, err) != 0)
		return -1;
	for (i = 0; i < f->ids.len; i += STORE_DUMP_ID)
		if (find_in(f, f->ids.data + i, err) != 0)
			return -1;
	return 0;
}

static int print(struct files *f, const char *dump, struct err *err)
{
	struct tz *tz = NULL;
	int status = -1, got;

	ui_pipe_ends(UI_OK);
	buf_init(&f->ids, SIZE_MAX);
	if (tz_local(&tz, err) != 0 && tz_load("UTC", &tz, err) != 0)
		return -1;
	ui_line_init(&f->line,
		f->o.json      ? UI_LINE_JSON
		: f->sums      ? UI_LINE_SUM
		: f->o.verbose ? UI_LINE_VERBOSE
			       : UI_LINE_NAME,
		f->o.numeric_owner, tz);
	got = walk(f, dump, err);
	if (flush(f, got == 0 ? err : NULL) == 0 && got == 0)
		status = f->unreadable > 0                                 ? UI_DAMAGE
			 : dump == NULL && ui_dump_all(&f->dump, err) != 0 ? -1
			 : f->found == 0 && f->unopened > 0                ? UI_REFUSED
			 : f->found > 0                                    ? UI_OK
									   : UI_SOME;
	if (status == UI_SOME)
		ui_say(f->o.command, "nothing matches '%s'", f->pattern != NULL ? f->pattern : "*");
	ui_dump_close(&f->dump);
	ui_line_fini(&f->line);
	buf_fini(&f->ids);
	free(f->printed);
	tz_free(tz);
	return status;
}

static struct files files;

static int run_files(void *own, struct err *err)
{
	struct files *f = own;
	const char *dump = *f->o.args++;
	int status;

	take_pattern(f, *f->o.args);
	status = ui_options_paths(&f->o);
	return status >= 0 ? status : print(f, dump, err);
}

static int run_find(void *own, struct err *err)
{
	struct files *f = own;

	if (*f->o.args[0] == 0)
		return ui_usage("'': empty PATTERN");
	take_pattern(f, f->o.args[0]);
	return print(f, NULL, err);
}

#define STATE "the agent's own files; default: /var/lib/fdump"

static const struct ui_option files_options[] = {
	{.shared = "sAia"},
	{.shared = "S", .help = STATE},
	{.shared = "v", .help = "also print mode, owner, size, time and status"},
	{0, "sums", UI_FLAG, "print the SHA-256 of each file, as sha256sum does",
		UI_AT(struct files, sums)},
	{.shared = "njkp"},
	{0},
};

const struct ui_command cmd_files = {
	.name = "files",
	.summary = "list the files in a dump",
	.usage = "-s STORE... [options] DUMP [PATH|PATTERN]",
	.about = "Lists the files in a dump, as fdump list does of a pack. With a PATH: only "
		 "this and what is below it. PATTERN: a shell pattern for the whole path, or, "
		 "without '/', for the name. DUMP: see fdump restore.",
	.options = files_options,
	.arguments = "DUMP [PATH|PATTERN]",
	.hint = "'fdump dumps' lists the dumps",
	.exits = "0 done; 1 nothing matches; 2 failed; 3 a key file can't be used; 5 damage "
		 "found; 6 wrong key; 7 no space; 8 a store was busy.",
	.own = &files,
	.run = run_files,
};

static const struct ui_option find_options[] = {
	{.shared = "sAi"},
	{.shared = "S", .help = STATE},
	{.shared = "v", .help = "also print mode, owner, size, time and status"},
	{.shared = "njkp"},
	{0},
};

const struct ui_command cmd_find = {
	.name = "find",
	.summary = "look for files in all dumps",
	.usage = "-s STORE... [options] PATTERN",
	.about = "Looks for files in all dumps that the keys open, the oldest first. PATTERN: a "
		 "shell pattern for the whole path, or, without '/', for the name.",
	.options = find_options,
	.arguments = "PATTERN",
	.exits = "0 found; 1 nothing matches; 2 failed, or a STORE could not be read; 3 a key "
		 "file can't be used; 5 damage found; 6 wrong key; 7 no space; 8 a store was "
		 "busy.",
	.own = &files,
	.run = run_find,
};
