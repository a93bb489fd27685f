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

static int main_files(int argc, char **argv)
{
	struct files f = {.sums = false};
	const char *dump;
	int status = ui_options_parse(&f.o, &cmd_files, &f, argc, argv);

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

static int main_find(int argc, char **argv)
{
	struct files f = {.sums = false};
	int status = ui_options_parse(&f.o, &cmd_find, &f, argc, argv);

	if (status < 0 && *argv[optind] == 0)
		status = ui_usage("find", "'': empty PATTERN");
	if (status < 0) {
		take_pattern(&f, argv[optind]);
		status = run(&f, find, NULL);
	}
	ui_options_fini(&f.o);
	return status;
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
	.run = main_files,
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
	.run = main_find,
};
