// Path patterns as in .gitignore files, to say which paths to leave out.
//
// match_new -> match_add, match_add_lines, match_load ... -> match_test ...
// -> match_free. Once all patterns are added, any number of threads may test.
//
// The rules are git's (gitignore(5)). "Root" is the folder that paths are
// relative to. The last pattern that matches a path decides.
//
//   foo        a name without a slash: matches at every level
//   /foo a/b   a slash at the beginning or within: relative to the root
//   foo/       a slash at the end: matches only directories
//   !foo       includes again what an earlier pattern excluded; but nothing in
//              an excluded directory, because that is not entered
//   *          any number of bytes except '/'
//   ?          one byte except '/'
//   [a-z0]     one of these bytes, never '/'; [!a-z] or [^a-z] any other byte;
//              ']' as the first and '-' at either end are literal;
//              [[:digit:]] and the other eleven POSIX classes, ASCII only
//   **/foo     in every directory, the root included
//   foo/**     everything in foo, at every depth, but not foo itself
//   a/**/b     a/b, a/x/b, a/x/y/b
//   \          the next byte is literal: \*  \!  \#  \\  "\ "
//   ./foo      the same as /foo, as people type paths; in git it never matches
//
// Two asterisks anywhere else count as one. A leading '.' is an ordinary byte.
// Names are bytes: '?' and [] match one byte of a UTF-8 character.
//
// In a file each line is a pattern. Blank lines and lines that begin with '#'
// are ignored. Trailing spaces are dropped unless a backslash escapes them; so
// is a carriage return. Unlike in git, a pattern that can never match ("["
// without "]", a backslash at the end, an empty one) is an error.
//
// A test takes at most the length of the path times the length of all
// patterns; no recursion, no allocation.
#ifndef FDUMP_LIB_MATCH_H
#define FDUMP_LIB_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct match;

#define MATCH_PATTERN_MAX 4096      /* bytes in a pattern */
#define MATCH_PATTERNS    100000    /* patterns in a set */
#define MATCH_FILE_MAX    (4 << 20) /* bytes in a file of patterns */

enum match_result {
	MATCH_NONE = 0, /* no pattern matches */
	MATCH_EXCLUDED, /* leave it out; if it is a directory, do not enter it */
	MATCH_INCLUDED, /* a pattern with '!' decided */
};

/* Makes an empty set. Returns NULL with err set if out of memory. */
struct match *match_new(struct err *err);
void match_free(struct match *match);

/* Adds one pattern of len bytes, which are copied; '#' and trailing spaces have
 * no special meaning here. Returns 0, or -1 with err set: ERR_USAGE if it can
 * never match, ERR_LIMIT, ERR_NOMEM. */
int match_add(struct match *match, const char *pattern, size_t len, struct err *err);

/* Adds the patterns of a text: lines with comments, as in a file; or, if nul is
 * set, strings that each end in a NUL byte and are read as by match_add. name:
 * of the text, for messages. Returns 0, or -1 with err set and name and line
 * number (or the number of the string) in the message. */
int match_add_lines(struct match *match, const char *name, const char *text, size_t len, bool nul,
	struct err *err);

/* The same from a file. Also fails with ERR_NOTFOUND, or another error of
 * reading the file. */
int match_load(struct match *match, const char *path, bool nul, struct err *err);

/* Tests a path of len bytes, relative to the root, without '/' at either end;
 * no NUL is needed. The root itself, "." or "", never matches. Does not test
 * the directories above the path, because a walk does not enter excluded ones
 * anyway. match may be NULL: an empty set. */
enum match_result match_test(const struct match *match, const char *path, size_t len, bool is_dir);

/* Calls `each` for every pattern that names a single path (a slash before its
 * end, no wildcards, no '!') but has matched none of the tested paths: it may
 * be mistyped. Omits a pattern in a directory that another pattern excludes.
 * text: the pattern as given. Call it when all tests are done. */
typedef void match_each_unmet(void *ctx, const char *text, size_t len);
void match_unmet(const struct match *match, match_each_unmet *each, void *ctx);

/* The same where there is no walk: also excludes everything in an excluded
 * directory. */
enum match_result match_test_deep(
	const struct match *match, const char *path, size_t len, bool is_dir);

#endif
