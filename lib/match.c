/*
 * Path patterns. A pattern is split at its slashes into parts. A part matches
 * one component of a path or, if it is "**", any number of them. On both
 * levels, matching backtracks only to the last asterisk: the text before that
 * one has matched at the first possible place, and no later place could help
 * the rest. So it takes at most len(pattern) * len(path) steps.
 */
#include "lib/match.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/mem.h"

/* A part of a pattern, or a component of a path. */
struct span {
	const char *at, *end;
};

struct part {
	struct span text;
	bool literal; /* compared byte by byte */
	bool deep;    /* "**": any number of components */
};

struct pattern {
	char *text;    /* as the caller gave it */
	size_t len;    /* of text */
	bool one_path; /* it can match only one path */
	bool met;      /* it has matched; any thread may set it, none clears it */
	struct part *parts;
	size_t count;
	bool include;  /* it began with '!' */
	bool dir_only; /* it ended in '/' */
	bool any_level;
};

struct match {
	struct pattern *patterns;
	size_t count, cap;
	bool one_path; /* there is such a pattern */
};

/* --- one component ------------------------------------------------------- */

static const struct {
	const char *name;
	int (*is)(int c);
} classes[] = {
	{"alnum", isalnum},
	{"alpha", isalpha},
	{"blank", isblank},
	{"cntrl", iscntrl},
	{"digit", isdigit},
	{"graph", isgraph},
	{"lower", islower},
	{"print", isprint},
	{"punct", ispunct},
	{"space", isspace},
	{"upper", isupper},
	{"xdigit", isxdigit},
};

/* Reads a POSIX class at p ("[:name:]"). Returns where it ends, or NULL if
 * there is no class of that name. Sets *hit if c is in it. */
static const char *posix_class(const char *p, const char *end, unsigned char c, bool *hit)
{
	size_t i, n;

	for (i = 0; i < sizeof classes / sizeof *classes; i++) {
		n = strlen(classes[i].name);
		if ((size_t)(end - p) >= n + 4 && memcmp(p + 2, classes[i].name, n) == 0 &&
			p[n + 2] == ':' && p[n + 3] == ']') {
			if (c < 0x80 && classes[i].is(c))
				*hit = true;
			return p + n + 4;
		}
	}
	return NULL;
}

/* Reads a byte in brackets, possibly after a backslash. Returns where it ends,
 * or NULL if none is left. */
static const char *bracket_byte(const char *p, const char *end, unsigned char *c)
{
	if (p < end && *p == '\\')
		p++;
	if (p >= end)
		return NULL;
	*c = (unsigned char)*p;
	return p + 1;
}

/* Reads a bracket expression at p. Returns where it ends, or NULL if it is
 * malformed. Sets *hit to whether c is one of its bytes. */
static const char *bracket(const char *p, const char *end, unsigned char c, bool *hit)
{
	bool negated, first = true;
	unsigned char low, high;

	*hit = false;
	p++;
	negated = p < end && (*p == '!' || *p == '^');
	p += negated;
	for (; p != NULL && p < end && (first || *p != ']'); first = false) {
		if (*p == '[' && p + 1 < end && p[1] == ':') {
			p = posix_class(p, end, c, hit);
			continue;
		}
		p = bracket_byte(p, end, &low);
		high = low;
		if (p != NULL && end - p >= 2 && *p == '-' && p[1] != ']')
			p = bracket_byte(p + 1, end, &high);
		if (p != NULL && c >= low && c <= high)
			*hit = true;
	}
	if (p == NULL || p >= end)
		return NULL;
	*hit = *hit != negated;
	return p + 1;
}

/* Matches one byte against the pattern at p, which is not an asterisk. Returns
 * where the pattern continues, or NULL if it does not match. */
static const char *one(const char *p, const char *end, char c)
{
	bool hit;

	if (*p == '?')
		return p + 1;
	if (*p == '[') {
		p = bracket(p, end, (unsigned char)c, &hit);
		return hit ? p : NULL;
	}
	p += *p == '\\';
	return *p == c ? p + 1 : NULL;
}

static bool glob(struct span pattern, struct span name)
{
	const char *p = pattern.at, *s = name.at, *after_star = NULL, *star_at = NULL, *next;

	for (;;) {
		if (p < pattern.end && *p == '*') {
			while (p < pattern.end && *p == '*')
				p++;
			if (p == pattern.end)
				return true;
			after_star = p;
			star_at = s;
			continue;
		}
		if (p == pattern.end && s == name.end)
			return true;
		next = p < pattern.end && s < name.end ? one(p, pattern.end, *s) : NULL;
		if (next != NULL) {
			p = next;
			s++;
			continue;
		}
		/* The last asterisk matches one more byte. */
		if (after_star == NULL || star_at == name.end)
			return false;
		s = ++star_at;
		p = after_star;
	}
}

static bool part_matches(const struct part *part, struct span name)
{
	size_t len = (size_t)(name.end - name.at);

	if (part->literal)
		return (size_t)(part->text.end - part->text.at) == len &&
		       memcmp(part->text.at, name.at, len) == 0;
	return glob(part->text, name);
}

/* --- whole paths ----------------------------------------------------------- */

/* The end of the component that begins at offset `at`. */
static size_t component_end(const char *path, size_t at, size_t len)
{
	const char *slash = memchr(path + at, '/', len - at);

	return slash != NULL ? (size_t)(slash - path) : len;
}

static bool path_matches(const struct pattern *pattern, const char *path, size_t len)
{
	size_t at = 0, stop, i = 0, deep_at = 0, after_deep = 0;

	/* at: where a component begins; beyond len if none is left. */
	for (;;) {
		if (i < pattern->count && pattern->parts[i].deep) {
			after_deep = ++i;
			deep_at = at;
			continue;
		}
		/* Too few components are left; "**" can only use up more. */
		if (at > len)
			return i == pattern->count;
		stop = component_end(path, at, len);
		if (i < pattern->count &&
			part_matches(&pattern->parts[i], (struct span){path + at, path + stop})) {
			i++;
			at = stop + 1;
			continue;
		}
		/* The last "**" matches one more component. */
		if (after_deep == 0)
			return false;
		at = deep_at = component_end(path, deep_at, len) + 1;
		i = after_deep;
	}
}

static bool matches(
	const struct pattern *p, const char *path, size_t len, struct span name, bool is_dir)
{
	if (p->dir_only && !is_dir)
		return false;
	return p->any_level ? part_matches(p->parts, name) : path_matches(p, path, len);
}

/* note: mark the patterns for one path that this path matches. */
static enum match_result decide(
	const struct match *match, const char *path, size_t len, bool is_dir, bool note)
{
	enum match_result result = MATCH_NONE;
	const char *end = path + len, *slash;
	struct span name;
	size_t i;

	if (match == NULL || match->count == 0 || len == 0 || (len == 1 && *path == '.'))
		return MATCH_NONE;
	note = note && match->one_path;
	slash = memrchr(path, '/', len);
	name = (struct span){slash != NULL ? slash + 1 : path, end};
	for (i = match->count; i-- > 0 && (result == MATCH_NONE || note);) {
		struct pattern *p = &match->patterns[i];
		bool news = note && p->one_path && !__atomic_load_n(&p->met, __ATOMIC_RELAXED);

		if ((result != MATCH_NONE && !news) || !matches(p, path, len, name, is_dir))
			continue;
		if (news)
			__atomic_store_n(&p->met, true, __ATOMIC_RELAXED);
		if (result == MATCH_NONE)
			result = p->include ? MATCH_INCLUDED : MATCH_EXCLUDED;
	}
	return result;
}

enum match_result match_test(const struct match *match, const char *path, size_t len, bool is_dir)
{
	return decide(match, path, len, is_dir, true);
}

/* True if the pattern can never match because a directory above its path is
 * excluded. */
static bool is_hidden(const struct match *match, const struct pattern *p)
{
	const char *start = p->parts[0].text.at;
	size_t i;

	for (i = 0; i + 1 < p->count; i++)
		if (decide(match, start, (size_t)(p->parts[i].text.end - start), true, false) ==
			MATCH_EXCLUDED)
			return true;
	return false;
}

void match_unmet(const struct match *match, match_each_unmet *each, void *ctx)
{
	size_t i;

	for (i = 0; match != NULL && i < match->count; i++) {
		const struct pattern *p = &match->patterns[i];

		if (p->one_path && !p->met && !is_hidden(match, p))
			each(ctx, p->text, p->len);
	}
}

enum match_result match_test_deep(
	const struct match *match, const char *path, size_t len, bool is_dir)
{
	size_t at;

	if (match == NULL || match->count == 0)
		return MATCH_NONE;
	for (at = 1; at < len; at++)
		if (path[at] == '/' && match_test(match, path, at, true) == MATCH_EXCLUDED)
			return MATCH_EXCLUDED;
	return match_test(match, path, len, is_dir);
}

/* --- patterns -------------------------------------------------------------- */

struct match *match_new(struct err *err)
{
	return mem_new(sizeof(struct match), err);
}

static void pattern_fini(struct pattern *p)
{
	free(p->text);
	free(p->parts);
}

void match_free(struct match *match)
{
	size_t i;

	if (match == NULL)
		return;
	for (i = 0; i < match->count; i++)
		pattern_fini(&match->patterns[i]);
	free(match->patterns);
	free(match);
}

/* Finds the end of the part that begins at p, and sets *literal. Returns NULL
 * with *why set if the part is malformed. A slash in brackets does not end a
 * part; one after a backslash does. */
static char *part_end(char *p, char *end, bool *literal, const char **why)
{
	const char *close;
	bool hit;

	*literal = true;
	while (p < end && *p != '/' && !(*p == '\\' && p + 1 < end && p[1] == '/')) {
		*literal = *literal && strchr("*?[\\", *p) == NULL;
		if (*p == '[') {
			close = bracket(p, end, 0, &hit);
			if (close == NULL) {
				*why = "'[' without its ']', or an unknown class in it";
				return NULL;
			}
			p += close - p;
		} else if (*p == '\\') {
			p += 2;
		} else {
			p++;
		}
	}
	if (p > end) {
		*why = "it ends in a backslash";
		return NULL;
	}
	return p;
}

static bool all_stars(const char *p, const char *end)
{
	if (end - p < 2)
		return false;
	while (p < end && *p == '*')
		p++;
	return p == end;
}

/* Splits the text into parts, for which there is room. */
static int cut(struct pattern *p, char *at, char *end, const char **why)
{
	static const char star[] = "*";
	bool deep, literal;

	for (;;) {
		char *stop = part_end(at, end, &literal, why);

		if (stop == NULL)
			return -1;
		deep = !p->any_level && all_stars(at, stop);
		p->parts[p->count++] = (struct part){{at, stop}, literal, deep};
		if (stop == end)
			break;
		at = stop + (*stop == '\\' ? 2 : 1);
	}
	/* A final "**" matches at least one component: the content of a folder, but not
	 * the folder. */
	if (deep)
		p->parts[p->count++] = (struct part){{star, star + 1}, false, false};
	return 0;
}

static int never(const char *pattern, size_t len, const char *why, struct err *err)
{
	char shown[200];

	esc_name(shown, sizeof shown, pattern, len);
	return err_set(err, ERR_USAGE, "pattern '%s' can never match: %s", shown, why);
}

/* Makes a pattern from its text. The caller must free p even on failure. */
static int compile(struct pattern *p, const char *pattern, size_t len, struct err *err)
{
	size_t slashes = 0, i;
	bool here = false; /* it began with "./" */
	const char *why;
	char *at, *end;

	p->text = malloc(len + 1);
	if (p->text == NULL)
		return err_set(err, ERR_NOMEM, "pattern: out of memory");
	memcpy(p->text, pattern, len);
	at = p->text;
	end = at + len;
	p->include = at < end && *at == '!';
	at += p->include;
	for (; end - at >= 2 && at[0] == '.' && at[1] == '/'; at += 2)
		here = true;
	p->dir_only = at < end && end[-1] == '/';
	end -= p->dir_only;
	for (i = 0; at + i < end; i++)
		slashes += at[i] == '/';
	p->any_level = slashes == 0 && !here;
	at += at < end && *at == '/';
	if (at == end)
		return never(pattern, len, "it is empty", err);
	p->parts = calloc(slashes + 2, sizeof *p->parts);
	if (p->parts == NULL)
		return err_set(err, ERR_NOMEM, "pattern: out of memory");
	if (cut(p, at, end, &why) != 0)
		return never(pattern, len, why, err);
	p->len = len;
	p->one_path = !p->any_level && !p->include;
	for (i = 0; i < p->count; i++)
		p->one_path = p->one_path && p->parts[i].literal && !p->parts[i].deep;
	return 0;
}

int match_add(struct match *match, const char *pattern, size_t len, struct err *err)
{
	struct pattern p = {0}, *grown;

	if (len > MATCH_PATTERN_MAX)
		return err_set(
			err, ERR_LIMIT, "a pattern is longer than %d bytes", MATCH_PATTERN_MAX);
	if (match->count == MATCH_PATTERNS)
		return err_set(err, ERR_LIMIT, "more than %d patterns", MATCH_PATTERNS);
	grown = mem_grow(match->patterns, match->count, &match->cap, sizeof *grown, err);
	if (grown == NULL)
		return -1;
	match->patterns = grown;
	if (compile(&p, pattern, len, err) != 0) {
		pattern_fini(&p);
		return -1;
	}
	match->one_path |= p.one_path;
	match->patterns[match->count++] = p;
	return 0;
}

/* The length of a line without the characters that are dropped at its end. */
static size_t trim(const char *line, size_t len)
{
	size_t at, kept = 0;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	for (at = 0; at < len; at++) {
		if (line[at] == '\\' && at + 1 < len)
			at++;
		else if (line[at] == ' ')
			continue;
		kept = at + 1;
	}
	return kept;
}

int match_add_lines(struct match *match, const char *name, const char *text, size_t len, bool nul,
	struct err *err)
{
	static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark: not part of the text */
	const char *at = text, *end = text + len, *stop;
	unsigned long number = 0;
	size_t n;

	if (!nul && len >= 3 && memcmp(text, mark, 3) == 0)
		at += 3;
	for (; at < end; at = stop + 1) {
		stop = memchr(at, nul ? 0 : '\n', (size_t)(end - at));
		if (stop == NULL)
			stop = end;
		number++;
		n = nul ? (size_t)(stop - at) : trim(at, (size_t)(stop - at));
		if (!nul && (n == 0 || *at == '#'))
			continue;
		if (match_add(match, at, n, err) != 0)
			return err_prefix(err, "%s:%lu", name, number);
	}
	return 0;
}

int match_load(struct match *match, const char *path, bool nul, struct err *err)
{
	char *text = malloc(MATCH_FILE_MAX);
	size_t len;
	int ret = -1;

	if (text == NULL)
		return err_set(err, ERR_NOMEM, "%s: out of memory", path);
	if (file_read(path, text, MATCH_FILE_MAX, &len, NULL, err) == 0)
		ret = match_add_lines(match, path, text, len, nul, err);
	free(text);
	return ret;
}
