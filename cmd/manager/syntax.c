/*
 * A recursive-descent parser with one token of lookahead. Titles and values stay in one copy of the
 * text: each is moved one byte to the left, over its quote or the sign before it, which makes room
 * for the NUL. After an error in the structure parsing resumes at the next line that begins a
 * section, since everything up to there would look wrong; other errors are reported one by one. A
 * misspelt key or section is reported, and then read as the one that was probably meant, so that
 * nothing that follows from it is reported too.
 */
#include "cmd/manager/syntax.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#define BLANKS "\t\r\n "
#define SIGNS  "{}(),="

enum { END = 256, BROKEN, WORD, QUOTED, ADDS }; /* tokens; a sign is its own token */

struct parse {
	const struct manager_syntax_rule *rules;
	struct manager_syntax *syntax;
	const char *file;
	manager_problem *problem;
	void *ctx;
	bool wrong, no_memory;
	char *at;      /* the text after the next token */
	unsigned line; /* the line of .at */
	/* The next token; BROKEN: an error that was reported. */
	int token;
	const char *text; /* if it is WORD or QUOTED */
	unsigned token_line;
	const char *begun; /* a section that begins before the previous one was closed; else NULL */
};

static void problem(struct parse *p, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void problem(struct parse *p, unsigned line, const char *fmt, ...)
{
	char text[ERR_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	p->wrong = true;
	p->problem(p->ctx, p->file, line, text);
}

/* Makes room for one more element in an array of `count`. Returns false: out of memory. */
static bool grow(struct parse *p, void *array, size_t count, size_t size)
{
	void **pointer = array, *grown;

	if ((count & (count - 1)) != 0) /* there is room up to the next power of two */
		return true;
	grown = realloc(*pointer, (count == 0 ? 1 : 2 * count) * size);
	if (grown == NULL)
		p->no_memory = true;
	else
		*pointer = grown;
	return grown != NULL;
}

/* ---- tokens ---- */

static bool begins_comment(const char *at)
{
	return at[0] == '#' || (at[0] == '/' && (at[1] == '/' || at[1] == '*'));
}

/* Skips whitespace and comments. Returns false: a comment is not closed. */
static bool skip_blanks(struct parse *p)
{
	const char *end;

	for (;;) {
		if (*p->at != 0 && strchr(BLANKS, *p->at) != NULL) {
			p->line += *p->at++ == '\n';
		} else if (!begins_comment(p->at)) {
			return true;
		} else if (p->at[0] == '#' || p->at[1] == '/') {
			p->at += strcspn(p->at, "\n");
		} else {
			end = strstr(p->at + 2, "*/");
			if (end == NULL) {
				problem(p, p->line, "this comment is never closed");
				return false;
			}
			for (; p->at < end + 2; p->at++)
				p->line += *p->at == '\n';
		}
	}
}

static void refuse_variable(struct parse *p)
{
	problem(p, p->line,
		"'${': there are no variables; a value that contains it needs single quotes");
}

static void read_word(struct parse *p)
{
	char *start = p->at;

	while (strchr(BLANKS SIGNS "\"'", *p->at) == NULL && strncmp(p->at, "+=", 2) != 0 &&
		!begins_comment(p->at))
		p->at++;
	if (begins_comment(p->at))
		problem(p, p->line, "a value that contains '#', '//' or '/*' needs quotes");
	if (*p->at == '{' && p->at[-1] == '$')
		refuse_variable(p);
	memmove(start - 1, start, (size_t)(p->at - start));
	p->at[-1] = 0;
	p->text = start - 1;
	p->token = WORD;
}

/* Decodes the escape at a backslash, and advances to its last byte. Returns where the next byte
 * goes. */
static char *unescape(struct parse *p, char quote, char *to)
{
	static const char letters[] = "abefnrtv", stand_for[] = "\a\b\033\f\n\r\t\v";
	char c = p->at[1], hex[3] = "";
	const char *letter;

	if (c == 0)
		return to;
	p->at++;
	p->line += c == '\n';
	if (c == '\n')
		return to;
	if (quote == '\'' && c != quote && c != '\\') {
		*to++ = '\\';
	} else if (quote == '"' && (letter = strchr(letters, c)) != NULL) {
		c = stand_for[letter - letters];
	} else if (quote == '"' && isalnum((unsigned char)c)) {
		if (c == 'x' && isxdigit((unsigned char)p->at[1]))
			memcpy(hex, p->at + 1, isxdigit((unsigned char)p->at[2]) ? 2 : 1);
		p->at += strlen(hex);
		c = (char)strtoul(hex, NULL, 16);
		if (c == 0)
			problem(p, p->line,
				"an unknown escape in double quotes; a backslash itself is \\\\");
	}
	*to++ = c;
	return to;
}

static void read_quoted(struct parse *p)
{
	char quote = *p->at, *to = p->at;
	unsigned began = p->line;

	p->text = to;
	for (p->at++; *p->at != quote; p->at++) {
		if (*p->at == 0) {
			problem(p, began, "this quote is never closed");
			return;
		}
		if (quote == '"' && strncmp(p->at, "${", 2) == 0)
			refuse_variable(p);
		p->line += *p->at == '\n';
		if (*p->at == '\\')
			to = unescape(p, quote, to);
		else
			*to++ = *p->at;
	}
	p->at++;
	*to = 0;
	p->token = QUOTED;
}

static void next(struct parse *p)
{
	p->token = BROKEN;
	if (!skip_blanks(p))
		return;
	p->token_line = p->line;
	if (*p->at == 0) {
		p->token = END;
	} else if (*p->at == '"' || *p->at == '\'') {
		read_quoted(p);
	} else if (strncmp(p->at, "+=", 2) == 0) {
		p->token = ADDS;
		p->at += 2;
	} else if (strchr(SIGNS, *p->at) != NULL) {
		p->token = *p->at++;
	} else {
		read_word(p);
	}
}

static bool is_text(const struct parse *p)
{
	return p->token == WORD || p->token == QUOTED;
}

/* Both report an error and return -1. */
static int unexpected(struct parse *p, const char *expected)
{
	const char sign[2] = {p->token < END ? (char)p->token : 0};

	if (p->token != BROKEN)
		problem(p, p->token_line, "expected %s, found %s%s%s", expected,
			p->token == END ? "the end" : "'",
			is_text(p)         ? p->text
			: p->token == ADDS ? "+="
					   : sign,
			p->token == END ? "" : "'");
	return -1;
}

static int not_closed(struct parse *p, unsigned line, const char *what)
{
	if (p->token == END)
		problem(p, line, "the %s that begins here is never closed: '}' is missing", what);
	else if (p->token != BROKEN)
		problem(p, line,
			"the %s that begins here is not closed before line %u: '}' is missing",
			what, p->token_line);
	return -1;
}

/* ---- names of sections and keys ---- */

/* The edit distance of two words; if it is greater than `most`, any number greater than `most`. */
static size_t differences(const char *a, const char *b, size_t most)
{
	size_t len = strlen(a), other = strlen(b), i, k, row[32], before, corner;

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

/* Finds the rule with this name, with up to `most` letters wrong; NULL: none. */
static const struct manager_syntax_rule *find_rule(
	const struct parse *p, const char *name, size_t most)
{
	const struct manager_syntax_rule *rule;

	for (rule = p->rules; rule->kind != NULL; rule++)
		if (differences(name, rule->kind, most) <= most)
			return rule;
	return NULL;
}

static const struct manager_syntax_key *find_key(
	const struct manager_syntax_rule *rule, const char *name, size_t most)
{
	const struct manager_syntax_key *tables[] = {rule->shared, rule->keys}, *key;
	size_t i;

	for (i = 0; i < 2; i++)
		for (key = tables[i]; key != NULL && key->name != NULL; key++)
			if (differences(name, key->name, most) <= most)
				return key;
	return NULL;
}

/* Suggests what may have been meant: a similar key, which is returned, or the section that has this
 * key. */
static const struct manager_syntax_key *wrong_key(
	struct parse *p, const struct manager_syntax_rule *rule, const char *name)
{
	const struct manager_syntax_key *near = find_key(rule, name, strlen(name) < 5 ? 1 : 2);
	const struct manager_syntax_rule *other = p->rules;

	while (other->kind != NULL && find_key(other, name, 0) == NULL)
		other++;
	if (near != NULL)
		problem(p, p->token_line, "unknown key '%s' in '%s': did you mean '%s'?", name,
			rule->kind, near->name);
	else if (other->kind != NULL)
		problem(p, p->token_line, "unknown key '%s' in '%s': it belongs in '%s'", name,
			rule->kind, other->kind);
	else
		problem(p, p->token_line, "unknown key '%s' in '%s'", name, rule->kind);
	return near;
}

/* ---- sections ---- */

/* Adds the values after the '=' to the key. */
static int parse_values(struct parse *p, struct manager_key *key)
{
	unsigned began = p->token_line;
	bool list = p->token == '{';

	if (!list && !is_text(p))
		return unexpected(p, "a value");
	if (list && key->rule != NULL && !key->rule->list)
		problem(p, began, "%s: expected one value, found a list", key->name);
	do {
		if (list)
			next(p); /* skip the brace or comma */
		if (p->token == ',')
			return unexpected(p, "a value");
		if (!is_text(p))
			break;
		if (!grow(p, &key->values, key->count, sizeof *key->values))
			return -1;
		key->values[key->count++] = p->text;
		next(p);
	} while (list && p->token == ',');
	if (list && p->token != '}')
		return not_closed(p, began, "list");
	if (list)
		next(p);
	return 0;
}

/* rule: NULL if the section is unknown. what: the section, for messages. */
static int parse_key(struct parse *p, struct manager_section *section,
	const struct manager_syntax_rule *rule, const char *what)
{
	struct manager_key key = {.name = p->text, .line = p->token_line}, *first = NULL;
	bool misspelt;
	size_t i;
	int ret;

	if (p->token != WORD)
		return p->token == END ? not_closed(p, section->line, what)
				       : unexpected(p, "a key or '}'");
	next(p);
	if (p->token != '=' && p->token != ADDS) {
		if (p->token != '{' && find_rule(p, key.name, 0) == NULL)
			return unexpected(p, "'='");
		p->begun = key.name;
		return not_closed(p, section->line, what);
	}
	if (rule != NULL)
		key.rule = find_key(rule, key.name, 0);
	misspelt = rule != NULL && key.rule == NULL;
	if (misspelt)
		key.rule = wrong_key(p, rule, key.name);
	for (i = 0; i < section->count; i++)
		if (section->keys[i].rule == key.rule)
			first = &section->keys[i];
	if (misspelt && first != NULL) {
		first = NULL;
		key.rule = NULL;
	}
	if (key.rule != NULL && p->token == ADDS && !key.rule->list)
		problem(p, key.line, "%s: '+=' is allowed only for lists", key.name);
	else if (first != NULL && p->token != ADDS)
		problem(p, key.line, "'%s' is given twice, first in line %u", key.name,
			first->line);
	next(p);
	if (first != NULL)
		return parse_values(p, first);
	ret = parse_values(p, &key);
	/* A list where one value was expected may be empty: it was reported. */
	if (ret == 0 && key.rule != NULL && (key.rule->list || key.count > 0) &&
		grow(p, &section->keys, section->count, sizeof key))
		section->keys[section->count++] = key;
	else
		free(key.values);
	return p->no_memory ? -1 : ret;
}

static void free_section(struct manager_section *section)
{
	size_t i;

	for (i = 0; i < section->count; i++)
		free(section->keys[i].values);
	free(section->keys);
}

/* Adds the section, unless it is unknown or a duplicate. */
static int add_section(struct parse *p, struct manager_section *section,
	const struct manager_syntax_rule *rule, const char *what)
{
	bool add = rule != NULL && rule->titled == (section->title != NULL);
	const struct manager_section *other;
	size_t i;

	section->rule = add ? (size_t)(rule - p->rules) : 0;
	for (i = 0; i < p->syntax->count && add; i++) {
		other = &p->syntax->sections[i];
		if (other->rule != section->rule ||
			(rule->titled && strcmp(other->title, section->title) != 0))
			continue;
		problem(p, section->line, "%s is given twice, first in line %u", what, other->line);
		add = false;
	}
	if (add && grow(p, &p->syntax->sections, p->syntax->count, sizeof *section))
		p->syntax->sections[p->syntax->count++] = *section;
	else
		free_section(section);
	return p->no_memory || section->broken ? -1 : 0;
}

/* Returns 0, or -1: out of memory, or its structure is wrong. */
static int parse_section(struct parse *p)
{
	struct manager_section section = {.file = p->file};
	const struct manager_syntax_rule *rule, *meant;
	const char *kind = p->begun != NULL ? p->begun : p->text;
	char what[160];

	if (p->begun == NULL) {
		if (p->token == '}')
			problem(p, p->token_line, "this '}' closes nothing: there is one too many");
		if (p->token != WORD)
			return p->token == '}' ? -1 : unexpected(p, "a section");
		next(p);
	}
	p->begun = NULL;
	if (is_text(p)) {
		section.title = p->text;
		next(p);
	}
	section.line = p->token_line;
	if (p->token == '=' || p->token == ADDS) {
		problem(p, section.line, "the key '%s' is in no section", kind);
		return -1;
	}
	rule = find_rule(p, kind, 0);
	meant = rule != NULL ? rule : find_rule(p, kind, strlen(kind) < 5 ? 1 : 2);
	if (rule == NULL)
		problem(p, section.line, "unknown section '%s'%s%s%s", kind,
			meant != NULL ? ": did you mean '" : "", meant != NULL ? meant->kind : "",
			meant != NULL ? "'?" : "");
	else if (rule->titled != (section.title != NULL))
		problem(p, section.line, "section '%s' %s", kind,
			rule->titled ? "needs a name, in quotes" : "has no name");
	snprintf(what, sizeof what,
		section.title != NULL ? "section %.40s \"%.80s\"" : "section %.40s", kind,
		section.title);
	section.broken = p->token != '{';
	if (section.broken)
		unexpected(p, "'{'");
	else
		next(p);
	while (!section.broken && p->token != '}')
		section.broken = parse_key(p, &section, meant, what) != 0;
	if (!section.broken)
		next(p);
	return add_section(p, &section, meant, what);
}

/* After an error: goes on to the next section: a line that begins with the name of one, and no '='
 * follows. Returns false if there is none. */
static bool resume(struct parse *p)
{
	char word[16];
	size_t len;

	if (p->token == BROKEN)
		return false;
	if (p->begun != NULL || (p->token == WORD && find_rule(p, p->text, 0) != NULL))
		return true;
	while ((p->at = strchr(p->at, '\n')) != NULL) {
		p->line++;
		p->at++;
		p->at += strspn(p->at, " \t");
		len = strcspn(p->at, BLANKS SIGNS "\"'");
		if (len >= sizeof word)
			continue;
		memcpy(word, p->at, len);
		word[len] = 0;
		len += strspn(p->at + len, " \t");
		if (find_rule(p, word, 0) != NULL && strchr("=+", p->at[len]) == NULL) {
			next(p);
			return true;
		}
	}
	return false;
}

int manager_syntax_read(struct manager_syntax *syntax, const char *file, const char *text,
	size_t len, const struct manager_syntax_rule *rules, manager_problem *on_problem, void *ctx,
	struct err *err)
{
	size_t name_len = strlen(file);
	const char *zero;
	struct parse p = {
		.rules = rules, .syntax = syntax, .problem = on_problem, .ctx = ctx, .line = 1};

	/* For the name and its NUL, a byte that the first word can move to, the text and its
	 * NUL. */
	*syntax = (struct manager_syntax){.text = malloc(name_len + len + 3)};
	if (syntax->text == NULL)
		return err_set(err, ERR_NOMEM, "%s: out of memory", file);
	p.file = strcpy(syntax->text, file);
	p.at = syntax->text + name_len + 2;
	memcpy(p.at, text, len);
	p.at[len] = 0;
	zero = memchr(text, 0, len);
	if (zero != NULL) {
		for (; text < zero; text++)
			p.line += *text == '\n';
		problem(&p, p.line, "a zero byte: this is not a text file");
		return p.wrong;
	}
	next(&p);
	while (p.token != END)
		if (parse_section(&p) != 0 && (p.no_memory || !resume(&p)))
			break;
	syntax->cut = p.token == BROKEN;
	if (!p.no_memory)
		return p.wrong;
	manager_syntax_free(syntax);
	return err_set(err, ERR_NOMEM, "%s: out of memory", file);
}

void manager_syntax_free(struct manager_syntax *syntax)
{
	size_t i;

	for (i = 0; i < syntax->count; i++)
		free_section(&syntax->sections[i]);
	free(syntax->sections);
	free(syntax->text);
	*syntax = (struct manager_syntax){0};
}
