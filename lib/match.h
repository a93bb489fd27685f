// Path patterns, as .gitignore files have them: which paths to leave out.
//
// match_new -> match_add, match_add_lines, match_load ... -> match_test again
// and again -> match_free. When all is added, any number of threads may test.
//
// The rules. They are git's (gitignore(5)); "root" is the folder that paths
// are relative to. The last pattern that matches a path decides about it.
//
//   foo        a name without a slash: matches at every level
//   /foo a/b   a slash at the beginning or within: only from the root on
//   foo/       a slash at the end: only a directory
//   !foo       takes back what a pattern before has excluded; but nothing in
//              an excluded directory, for that is not entered
//   *          any bytes but '/', also none
//   ?          one byte but '/'
//   [a-z0]     one of these bytes, never '/'; [!a-z] or [^a-z] one of the
//              others; ']' as the first and '-' at either end stand for
//              themselves; [[:digit:]] and the other eleven POSIX classes, of
//              ASCII only
//   **/foo     in every directory, the root included
//   foo/**     all that is in foo, at every depth, but not foo itself
//   a/**/b     a/b, a/x/b, a/x/y/b
//   \          the next byte stands for itself: \*  \!  \#  \\  "\ "
//   ./foo      as /foo, as people type paths; git has it match nothing
//
// Two asterisks in any other place are one. A leading '.' is a byte like any
// other. Names are bytes: '?' and [] take one byte of a UTF-8 character.
//
// In a file a pattern is a line; blank lines, and lines that begin with '#',
// are none; spaces at the end are dropped unless the last has a backslash
// before it, and so is a carriage return. Unlike with git, a pattern that can
// never match ("[" without "]", a backslash at the end, nothing) is an error.
//
// The time of a test is at worst the length of the path times that of all
// patterns; no recursion, no allocation.
#ifndef FDUMP_LIB_MATCH_H
#define FDUMP_LIB_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct match;

#define MATCH_PATTERN_MAX 4096      /* bytes of a pattern */
#define MATCH_PATTERNS    100000    /* patterns of a set */
#define MATCH_FILE_MAX    (4 << 20) /* bytes of a file of them */

enum match_result {
	MATCH_NONE = 0, /* no pattern matches */
	MATCH_EXCLUDED, /* leave it out; a directory: do not enter it */
	MATCH_INCLUDED, /* a pattern with '!' has the last word */
};

/* An empty set. NULL with err set (out of memory) on failure. */
struct match *match_new(struct err *err);
void match_free(struct match *match);

/* Adds one pattern, of len bytes, which are copied; '#' and spaces at the end
 * have no meaning here. Returns 0, or -1 with err set: ERR_USAGE if it can
 * never match, ERR_LIMIT. */
int match_add(struct match *match, const char *pattern, size_t len, struct err *err);

/* Adds the patterns of a text: lines, with comments, as in a file; or, if nul,
 * strings that each end in a NUL byte, as match_add takes them. name: of the
 * text, for messages. Returns 0, or -1 with err set; the message then has name
 * and line (or the count of the string). */
int match_add_lines(struct match *match, const char *name, const char *text, size_t len, bool nul,
	struct err *err);

/* The same from a file. Also ERR_NOTFOUND, and whatever reading meets. */
int match_load(struct match *match, const char *path, bool nul, struct err *err);

/* Tests a path of len bytes, relative to the root, without '/' at either end;
 * no NUL is needed. The root itself, "." or "", never matches. It is not asked
 * about the directories above: a walk does not enter excluded ones anyway.
 * match may be NULL: an empty set. */
enum match_result match_test(const struct match *match, const char *path, size_t len, bool is_dir);

/* Calls `each` for every pattern that names one path (a slash before its end, no wildcards, no '!')
 * and has matched none of those that were tested: maybe it is mistyped. One in a directory that
 * another pattern excludes is not meant. text: as it was given. When all tests are over. */
typedef void match_each_unmet(void *ctx, const char *text, size_t len);
void match_unmet(const struct match *match, match_each_unmet *each, void *ctx);

/* The same where there is no walk: excluded is also what is in an excluded
 * directory. */
enum match_result match_test_deep(
	const struct match *match, const char *path, size_t len, bool is_dir);

#endif
