/*
 * Two passes over the text. The first blanks out comments, so that libconfuse
 * counts lines correctly, and finds what it would accept in silence, all keys and
 * sections that are unknown, and braces that are missing. The second is
 * libconfuse's, which passes by what is unknown; its validation callbacks, which
 * run in the order of the file, tell where each key and each section stands.
 */
#include "cmd/manager/syntax.h"

#include <assert.h>
#include <confuse.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define RULES_MAX 8
#define KEYS_MAX  32
#define SEEN_MAX  64 /* keys of a section that are compared with each other */

struct note {
	const void *what; /* a cfg_opt_t: a key; a cfg_t: a section */
	unsigned line;
};

struct parse {
	const struct manager_syntax_rule *rules;
	const char *file;
	manager_problem *problem;
	void *ctx;
	bool wrong, no_memory;
	bool open;        /* a quote, a comment or a brace has no end: no second pass */
	unsigned *braces; /* lines of the braces that open sections */
	size_t brace_count, sections;
	struct note *notes;
	size_t note_count;
};

/* libconfuse's callbacks have no argument of the caller's. */
static struct parse *parsing;

static void problem(struct parse *parse, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void problem(struct parse *parse, unsigned line, const char *fmt, ...)
{
	char text[ERR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	parse->wrong = true;
	parse->problem(parse->ctx, parse->file, line, text);
}

/* Makes room for one more of an array that has so many. Returns it, moved or
 * not; NULL, and frees it, if there is no memory. */
static void *grow(void *array, size_t count, size_t size)
{
	void *grown;

	if ((count & (count - 1)) != 0) /* it has room up to the next power of two */
		return array;
	grown = realloc(array, (count == 0 ? 1 : 2 * count) * size);
	if (grown == NULL)
		free(array);
	return grown;
}

/* ---- the first pass ---- */

struct scan {
	char *text;
	size_t len, at;
	unsigned line;
	unsigned depth;        /* 0; 1: in a section; 2: in a list */
	unsigned opened, list; /* lines of the braces that opened them */
	size_t head, brace;    /* of the section: where its kind begins, and its brace */
	const struct manager_syntax_rule *rule; /* NULL: unknown */
	struct {
		const char *name;
		size_t len;
		unsigned line;
	} seen[SEEN_MAX]; /* the section's keys so far */
	size_t seen_count;
};

/* Passes by a quoted string, from its first quote to its last. */
static void skip_quoted(struct parse *parse, struct scan *s)
{
	char quote = s->text[s->at++];
	unsigned began = s->line;

	for (; s->at < s->len && s->text[s->at] != quote; s->at++) {
		s->line += s->text[s->at] == '\n';
		if (quote == '"' && s->text[s->at] == '$' && s->at + 1 < s->len &&
			s->text[s->at + 1] == '{')
			problem(parse, s->line,
				"'${' would be replaced from the environment; put the value in "
				"single quotes");
		if (s->text[s->at] == '\\' && s->at + 1 < s->len)
			s->line += s->text[++s->at] == '\n';
	}
	if (s->at >= s->len) {
		problem(parse, began, "this quote is never closed");
		parse->open = true;
	}
}

/* Overwrites a comment with blanks; lines stay. */
static void blank_comment(struct parse *parse, struct scan *s, bool block)
{
	unsigned began = s->line;

	for (; s->at < s->len; s->at++) {
		if (s->text[s->at] == '\n') {
			if (!block) {
				s->line++;
				return;
			}
			s->line++;
			continue;
		}
		if (block && s->text[s->at] == '*' && s->at + 1 < s->len &&
			s->text[s->at + 1] == '/') {
			s->text[s->at++] = ' ';
			s->text[s->at] = ' ';
			return;
		}
		s->text[s->at] = ' ';
	}
	if (block) {
		problem(parse, began, "this comment is never closed");
		parse->open = true;
	}
}

static bool begins_comment(const struct scan *s, bool *block)
{
	char next = s->at + 1 < s->len ? s->text[s->at + 1] : 0;

	*block = s->text[s->at] == '/' && next == '*';
	return s->text[s->at] == '#' || *block || (s->text[s->at] == '/' && next == '/');
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The word that ends before `end`, or before blanks in front of it. Returns where it begins, and in
 * *end where it ends; there is none if both are the same. */
static size_t word_before(const char *text, size_t *end)
{
	size_t start;

	while (*end > 0 && is_space(text[*end - 1]))
		(*end)--;
	for (start = *end; start > 0 && strchr(" \t\r\n{}=,\"'", text[start - 1]) == NULL; start--)
		;
	return start;
}

/* How many letters differ, are missing or are too many; at most `most`, else more than that. */
static size_t differences(const char *a, size_t len, const char *b, size_t most)
{
	size_t other = strlen(b), i, k, row[32], before, corner;

	if (len >= 32 || other >= 32 || len > other + most || other > len + most)
		return most + 1;
	for (k = 0; k <= other; k++)
		row[k] = k;
	for (i = 1; i <= len; i++) {
		corner = row[0];
		row[0] = i;
		for (k = 1; k <= other; k++) {
			before = row[k];
			row[k] = corner + (a[i - 1] != b[k - 1]);
			if (before + 1 < row[k])
				row[k] = before + 1;
			if (row[k - 1] + 1 < row[k])
				row[k] = row[k - 1] + 1;
			corner = before;
		}
	}
	return row[other];
}

static const struct manager_syntax_rule *find_rule(
	const struct parse *parse, const char *name, size_t len)
{
	const struct manager_syntax_rule *rule;

	for (rule = parse->rules; rule->kind != NULL; rule++)
		if (strlen(rule->kind) == len && memcmp(rule->kind, name, len) == 0)
			return rule;
	return NULL;
}

static bool has_key(const struct manager_syntax_rule *rule, const char *name, size_t len)
{
	const struct manager_syntax_key *key;

	for (key = rule->keys; key->name != NULL; key++)
		if (strlen(key->name) == len && memcmp(key->name, name, len) == 0)
			return true;
	return false;
}

/* Says what may have been meant: a key that is written nearly so, or that other sections have. */
static void wrong_key(struct parse *parse, const struct scan *s, const char *name, size_t len)
{
	const struct manager_syntax_key *key = s->rule->keys;
	const struct manager_syntax_rule *rule = parse->rules;
	size_t most = len < 5 ? 1 : 2;

	while (key->name != NULL && differences(name, len, key->name, most) > most)
		key++;
	while (rule->kind != NULL && !has_key(rule, name, len))
		rule++;
	if (key->name != NULL)
		problem(parse, s->line, "unknown key '%.*s' in '%s': did you mean '%s'?", (int)len,
			name, s->rule->kind, key->name);
	else if (rule->kind != NULL)
		problem(parse, s->line, "unknown key '%.*s' in '%s': it belongs in '%s'", (int)len,
			name, s->rule->kind, rule->kind);
	else
		problem(parse, s->line, "unknown key '%.*s' in '%s'", (int)len, name,
			s->rule->kind);
}

static void wrong_section(struct parse *parse, const struct scan *s, const char *name, size_t len)
{
	const struct manager_syntax_rule *rule = parse->rules;

	while (rule->kind != NULL && differences(name, len, rule->kind, 2) > 2)
		rule++;
	problem(parse, s->line, "unknown section '%.*s'%s%s%s", (int)len, name,
		rule->kind != NULL ? ": did you mean '" : "", rule->kind != NULL ? rule->kind : "",
		rule->kind != NULL ? "'?" : "");
}

/* At the brace that opens a section: what is before it, "job 'web'". */
static void begin_section(struct parse *parse, struct scan *s)
{
	size_t end = s->at, start = word_before(s->text, &end);
	char quote;

	if (start == end && end > 0 && (s->text[end - 1] == '"' || s->text[end - 1] == '\'')) {
		quote = s->text[--end];
		while (end > 0 && s->text[end - 1] != quote)
			end--;
		end -= end > 0;
		start = word_before(s->text, &end);
	} else if (find_rule(parse, s->text + start, end - start) == NULL) {
		size_t title = start;

		start = word_before(s->text, &title);
		if (start == title) /* there is but one word */
			start = word_before(s->text, &end);
		else
			end = title;
	}
	s->depth = 1;
	s->opened = s->line;
	s->seen_count = 0;
	s->head = start;
	s->brace = s->at;
	s->rule = find_rule(parse, s->text + start, end - start);
	if (s->rule == NULL) {
		wrong_section(parse, s, s->text + start, end - start);
		return;
	}
	parse->braces = grow(parse->braces, parse->brace_count, sizeof *parse->braces);
	if (parse->braces == NULL)
		parse->no_memory = true;
	else
		parse->braces[parse->brace_count++] = s->line;
}

/* before: the line in which it should have ended; 0: the file has ended. */
static void wrong_open(struct parse *parse, const struct scan *s, unsigned before)
{
	size_t len = s->brace - s->head;
	char where[40] = "is never closed";

	while (len > 0 && is_space(s->text[s->head + len - 1]))
		len--;
	if (before > 0)
		snprintf(where, sizeof where, "is not closed before line %u", before);
	if (s->depth > 1)
		problem(parse, s->list, "the list that begins here %s: '}' is missing", where);
	else
		problem(parse, s->opened, "the section %.*s that begins here %s: '}' is missing",
			(int)(len < 80 ? len : 80), s->text + s->head, where);
	parse->open = true;
}

static void scan_brace(struct parse *parse, struct scan *s)
{
	size_t end = s->at;

	if (s->text[s->at] == '}') {
		if (s->depth == 0) {
			problem(parse, s->line, "this '}' closes nothing: there is one too many");
			parse->open = true;
		}
		s->depth -= s->depth > 0;
		return;
	}
	while (end > 0 && is_space(s->text[end - 1]))
		end--;
	if (s->depth == 1 && end > 0 && s->text[end - 1] == '=') {
		s->depth = 2;
		s->list = s->line;
		return;
	}
	if (s->depth > 0)
		wrong_open(parse, s, s->line);
	begin_section(parse, s);
}

/* At a '=': looks at the key before it. "+=" adds to a list, and may come again. */
static void scan_key(struct parse *parse, struct scan *s)
{
	size_t end = s->at, start, len, i;
	bool adds = end > 0 && s->text[end - 1] == '+';

	end -= adds;
	start = word_before(s->text, &end);
	len = end - start;
	if (len == 0)
		return;
	if (s->depth == 0) {
		problem(parse, s->line, "the key '%.*s' is in no section", (int)len,
			s->text + start);
		return;
	}
	if (s->depth > 1) {
		wrong_open(parse, s, s->line);
		s->depth = 1;
	}
	if (s->rule != NULL && !has_key(s->rule, s->text + start, len))
		wrong_key(parse, s, s->text + start, len);
	for (i = 0; i < s->seen_count && !adds; i++)
		if (s->seen[i].len == len && memcmp(s->seen[i].name, s->text + start, len) == 0)
			problem(parse, s->line, "'%.*s' is given twice, first in line %u", (int)len,
				s->text + start, s->seen[i].line);
	if (s->seen_count == SEEN_MAX || adds)
		return;
	s->seen[s->seen_count].name = s->text + start;
	s->seen[s->seen_count].len = len;
	s->seen[s->seen_count++].line = s->line;
}

static void first_pass(struct parse *parse, char *text, size_t len)
{
	struct scan s = {.text = text, .len = len, .line = 1};
	bool block;

	for (; s.at < len && !parse->no_memory; s.at++) {
		char c = text[s.at], before = s.at > 0 ? text[s.at - 1] : ' ';

		if (c == 0) {
			problem(parse, s.line, "a zero byte: this is not a text file");
			text[s.at] = ' ';
		} else if (c == '"' || c == '\'') {
			skip_quoted(parse, &s);
		} else if (begins_comment(&s, &block)) {
			if (strchr(" \t\r\n{}(),=\"'", before) == NULL)
				problem(parse, s.line,
					"a value that contains '#', '//' or '/*' needs quotes");
			blank_comment(parse, &s, block);
		} else if (c == '{' && before == '$') {
			problem(parse, s.line,
				"'${' would be replaced from the environment; put the value in "
				"single quotes");
		} else if (c == '{' || c == '}') {
			scan_brace(parse, &s);
		} else if (c == '=') {
			scan_key(parse, &s);
		}
		s.line += c == '\n';
	}
	if (s.depth > 0)
		wrong_open(parse, &s, 0);
}

/* ---- the second pass ---- */

static void on_error(cfg_t *cfg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Says what libconfuse says, in better words for what happens most. The end of the file is no place
 * of a mistake, since all braces are closed: second_pass tells of it. */
static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	unsigned line = cfg->line > 0 ? (unsigned)cfg->line : 0;
	char text[ERR_MESSAGE_MAX];

	if (strcmp(fmt, "premature end of file") == 0)
		return;
	if (strcmp(fmt, "missing title for section '%s'") == 0) {
		problem(parsing, line, "section '%s' needs a name, in quotes",
			va_arg(ap, const char *));
	} else {
		vsnprintf(text, sizeof text, fmt, ap);
		problem(parsing, line, "%s", text);
	}
}

static struct note *find_note(const struct parse *parse, const void *what)
{
	size_t i;

	for (i = parse->note_count; i > 0; i--)
		if (parse->notes[i - 1].what == what)
			return &parse->notes[i - 1];
	return NULL;
}

static int add_note(struct parse *parse, const void *what, unsigned line)
{
	parse->notes = grow(parse->notes, parse->note_count, sizeof *parse->notes);
	if (parse->notes == NULL) {
		parse->note_count = 0;
		parse->no_memory = true;
		return -1;
	}
	parse->notes[parse->note_count++] = (struct note){what, line};
	return 0;
}

/* A key was read; of a list each value of it, and its end. */
static int on_key(cfg_t *cfg, cfg_opt_t *opt)
{
	return find_note(parsing, opt) != NULL ? 0 : add_note(parsing, opt, (unsigned)cfg->line);
}

/* A section was read to its end. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	unsigned line = parsing->sections < parsing->brace_count
				? parsing->braces[parsing->sections]
				: (unsigned)cfg->line;

	parsing->sections++;
	if ((opt->flags & CFGF_MULTI) == 0 && find_note(parsing, opt) != NULL)
		problem(parsing, line, "section '%s' is given twice", opt->name);
	return add_note(parsing, opt, line) != 0 ? -1 : add_note(parsing, section, line);
}

/* Parses the text. Returns what cfg_init made, or NULL: no memory. */
static cfg_t *second_pass(struct parse *parse, char *text, size_t len)
{
	cfg_opt_t keys[RULES_MAX][KEYS_MAX + 1], sections[RULES_MAX + 1];
	char path[128];
	size_t i, k;
	cfg_t *cfg;
	FILE *in;

	for (i = 0; parse->rules[i].kind != NULL; i++) {
		const struct manager_syntax_rule *rule = &parse->rules[i];

		assert(i < RULES_MAX);
		for (k = 0; rule->keys[k].name != NULL; k++) {
			assert(k < KEYS_MAX);
			if (rule->keys[k].list)
				keys[i][k] = (cfg_opt_t)CFG_STR_LIST(
					rule->keys[k].name, NULL, CFGF_NODEFAULT);
			else
				keys[i][k] = (cfg_opt_t)CFG_STR(
					rule->keys[k].name, NULL, CFGF_NODEFAULT);
		}
		keys[i][k] = (cfg_opt_t)CFG_END();
		sections[i] = (cfg_opt_t)CFG_SEC(rule->kind, keys[i],
			rule->titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES
				     : CFGF_NODEFAULT);
	}
	sections[i] = (cfg_opt_t)CFG_END();
	cfg = cfg_init(sections, CFGF_IGNORE_UNKNOWN);
	if (cfg == NULL)
		return NULL;
	cfg_set_error_function(cfg, on_error);
	for (i = 0; parse->rules[i].kind != NULL; i++) {
		cfg_set_validate_func(cfg, parse->rules[i].kind, on_section);
		for (k = 0; parse->rules[i].keys[k].name != NULL; k++) {
			snprintf(path, sizeof path, "%s|%s", parse->rules[i].kind,
				parse->rules[i].keys[k].name);
			cfg_set_validate_func(cfg, path, on_key);
		}
	}
	in = len > 0 ? fmemopen(text, len, "r") : NULL;
	cfg->filename = strdup(parse->file);
	if (cfg->filename == NULL || (len > 0 && in == NULL)) {
		parse->no_memory = true;
	} else if (in != NULL) {
		parsing = parse;
		/* Some errors it keeps for itself; the last key that was read is near. */
		if (cfg_parse_fp(cfg, in) != CFG_SUCCESS && !parse->wrong)
			problem(parse,
				parse->note_count > 0 ? parse->notes[parse->note_count - 1].line
						      : 1,
				"syntax error in this line, or in the next ones");
		parsing = NULL;
	}
	if (in != NULL)
		fclose(in);
	return cfg;
}

/* ---- out of libconfuse's hands ---- */

static int copy_key(struct manager_key *key, cfg_opt_t *opt, unsigned line)
{
	unsigned i, n = cfg_opt_size(opt);

	key->line = line;
	key->values = calloc(n > 0 ? n : 1, sizeof *key->values);
	if (key->values == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		const char *value = cfg_opt_getnstr(opt, i);

		key->values[i] = strdup(value != NULL ? value : "");
		if (key->values[i] == NULL)
			return -1;
		key->count++;
	}
	return 0;
}

static int by_line(const void *a, const void *b)
{
	const struct manager_key *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

static int copy_section(struct manager_section *out, const struct parse *parse, size_t rule,
	cfg_t *section, unsigned line)
{
	const struct manager_syntax_key *keys = parse->rules[rule].keys;
	const struct note *note;
	size_t k;

	*out = (struct manager_section){.rule = rule, .file = parse->file, .line = line};
	out->keys = calloc(KEYS_MAX, sizeof *out->keys);
	out->title = parse->rules[rule].titled ? strdup(cfg_title(section)) : NULL;
	if (out->keys == NULL || (parse->rules[rule].titled && out->title == NULL))
		return -1;
	for (k = 0; keys[k].name != NULL; k++) {
		cfg_opt_t *opt = cfg_getopt(section, keys[k].name);

		note = find_note(parse, opt);
		/* An empty list is given without any value to be told of. */
		if (note == NULL && !(keys[k].list && (opt->flags & CFGF_MODIFIED) != 0))
			continue;
		out->keys[out->count].name = keys[k].name;
		if (copy_key(&out->keys[out->count++], opt, note != NULL ? note->line : line) != 0)
			return -1;
	}
	if (out->count > 0)
		qsort(out->keys, out->count, sizeof *out->keys, by_line);
	return 0;
}

/* The sections, in the order of the file: that of their notes. */
static int copy_all(struct manager_syntax *syntax, const struct parse *parse, cfg_t *cfg)
{
	size_t i, n, rule;

	for (i = 0; i < parse->note_count; i++) {
		for (rule = 0; parse->rules[rule].kind != NULL; rule++) {
			cfg_opt_t *opt = cfg_getopt(cfg, parse->rules[rule].kind);

			for (n = 0; n < cfg_opt_size(opt); n++) {
				cfg_t *section = cfg_opt_getnsec(opt, (unsigned)n);

				if (section != parse->notes[i].what)
					continue;
				syntax->sections = grow(
					syntax->sections, syntax->count, sizeof *syntax->sections);
				if (syntax->sections == NULL) {
					syntax->count = 0;
					return -1;
				}
				if (copy_section(&syntax->sections[syntax->count++], parse, rule,
					    section, parse->notes[i].line) != 0)
					return -1;
			}
		}
	}
	return 0;
}

int manager_syntax_read(struct manager_syntax *syntax, const char *file, const char *text,
	size_t len, const struct manager_syntax_rule *rules, manager_problem *on_problem, void *ctx,
	struct err *err)
{
	struct parse parse = {.rules = rules, .problem = on_problem, .ctx = ctx};
	char *copy = malloc(len + 1);
	cfg_t *cfg = NULL;
	int ret = -1;

	*syntax = (struct manager_syntax){.file = strdup(file)};
	parse.file = syntax->file;
	if (copy == NULL || syntax->file == NULL)
		goto out;
	memcpy(copy, text, len);
	first_pass(&parse, copy, len);
	if (!parse.no_memory && !parse.open) {
		cfg = second_pass(&parse, copy, len);
		if (cfg == NULL)
			goto out;
	}
	if (parse.no_memory || (cfg != NULL && copy_all(syntax, &parse, cfg) != 0))
		goto out;
	ret = parse.wrong;
out:
	if (cfg != NULL)
		cfg_free(cfg);
	free(copy);
	free(parse.braces);
	free(parse.notes);
	if (ret < 0) {
		manager_syntax_free(syntax);
		err_set(err, ERR_NOMEM, "%s: out of memory", file);
	}
	return ret;
}

void manager_syntax_free(struct manager_syntax *syntax)
{
	size_t i, k, v;

	for (i = 0; i < syntax->count; i++) {
		struct manager_section *section = &syntax->sections[i];

		for (k = 0; k < section->count; k++) {
			for (v = 0; v < section->keys[k].count; v++)
				free(section->keys[k].values[v]);
			free(section->keys[k].values);
		}
		free(section->keys);
		free(section->title);
	}
	free(syntax->sections);
	free(syntax->file);
	*syntax = (struct manager_syntax){0};
}
