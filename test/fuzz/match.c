/*
 * Path patterns: any lines, then a NUL byte, then any path. Short ones are
 * matched a second time, by plain recursion.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/match.h"

#define MUST(what) ((what) ? (void)0 : abort())
/* Recursion takes exponential time: only short ones. */
#define SHORT 14

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The rules without brackets and escapes, read from the pattern as a whole; before is the byte
 * before p, '/' at the start of an anchored pattern. */
static bool slow(const char *p, const char *s, char before)
{
	if (*p == 0)
		return *s == 0;
	if (*p == '*') {
		bool starts = before == '/';
		const char *stars = p;

		while (*p == '*')
			p++;
		if (p - stars >= 2 && starts && *p == '/') {
			for (;; s++) { /* complete components, or none */
				if (slow(p + 1, s, '/'))
					return true;
				s = strchr(s, '/');
				if (s == NULL)
					return false;
			}
		}
		if (p - stars >= 2 && starts && *p == 0)
			return *s != 0;
		for (;; s++) {
			if (slow(p, s, '*'))
				return true;
			if (*s == 0 || *s == '/')
				return false;
		}
	}
	if (*s == 0 || (*p == '?' ? *s == '/' : *p != *s))
		return false;
	return slow(p + 1, s + 1, *p);
}

static void compare(const struct match *match, const char *pattern, const char *path)
{
	size_t len = strlen(pattern), path_len = strlen(path);
	const char *slash = strrchr(path, '/');
	bool anchored, want;

	/* Only well-formed paths, and patterns that slow() knows. */
	if (len == 0 || len > SHORT || path_len == 0 || path_len > SHORT || path[0] == '/' ||
		path[path_len - 1] == '/' || strstr(path, "//") != NULL || strcmp(path, ".") == 0 ||
		strpbrk(pattern, "[\\!#\n\r ") != NULL || pattern[len - 1] == '/' ||
		strstr(pattern, "//") != NULL || (uint8_t)pattern[0] == 0xef)
		return;
	anchored = strchr(pattern, '/') != NULL;
	if (anchored)
		want = slow(pattern + (pattern[0] == '/'), path, '/');
	else
		want = slow(pattern, slash != NULL ? slash + 1 : path, 'x');
	MUST(want == (match_test(match, path, path_len, false) == MATCH_EXCLUDED));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct match *match = match_new(NULL);
	char *text = malloc(len + 1);
	size_t lines;
	struct err err = {0};

	if (match == NULL || text == NULL)
		abort();
	memcpy(text, data, len);
	text[len] = 0;
	lines = strlen(text);
	if (match_add_lines(match, "x", text, lines, false, &err) == 0) {
		const char *path = lines < len ? text + lines + 1 : "a";
		size_t path_len = lines < len ? len - lines - 1 : 1;
		enum match_result got = match_test(match, path, path_len, true);

		if (got == MATCH_EXCLUDED)
			MUST(match_test_deep(match, path, path_len, true) == MATCH_EXCLUDED);
		if (strlen(path) == path_len)
			compare(match, text, path);
	} else {
		MUST(err.code == ERR_USAGE || err.code == ERR_LIMIT);
	}
	match_free(match);
	free(text);
	return 0;
}
