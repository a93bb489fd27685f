/* lib/match: git's rules, with git itself as the judge if it is installed. */
#include "test/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/match.h"

static struct err err;

/* Matches a path (a directory if it ends in a slash) against the lines of a text. */
static enum match_result tested(const char *lines, const char *path, bool deep)
{
	struct match *match = match_new(&err);
	size_t len = strlen(path);
	bool is_dir = len > 1 && path[len - 1] == '/';
	enum match_result got;
	char *copy = malloc(len + 1); /* without a NUL, so that ASan sees reads beyond it */

	assert_non_null(match);
	assert_non_null(copy);
	assert_int_equal(match_add_lines(match, "test", lines, strlen(lines), false, &err), 0);
	len -= is_dir;
	copy = realloc(copy, len > 0 ? len : 1);
	memcpy(copy, path, len);
	got = deep ? match_test_deep(match, copy, len, is_dir)
		   : match_test(match, copy, len, is_dir);
	free(copy);
	match_free(match);
	return got;
}

static bool out(const char *lines, const char *path)
{
	return tested(lines, path, true) == MATCH_EXCLUDED;
}

/* The rules and the examples of gitignore(5). */
static void git_documentation(void **state)
{
	(void)state;
	/* Blank lines, comments, spaces at the end. */
	assert_false(out("\n\n#foo\n", "#foo"));
	assert_true(out("\\#foo", "#foo"));
	assert_true(out("foo  ", "foo"));
	assert_true(out("foo\\ ", "foo "));
	assert_false(out("foo\\ ", "foo"));
	assert_true(out("foo\r\nbar\r\n", "foo"));
	assert_true(out("\xef\xbb\xbf"
			"foo",
		"foo"));
	/* Negation; the last match decides; no way back into a directory. */
	assert_false(out("*.html\n!foo.html", "foo.html"));
	assert_true(out("!foo.html\n*.html", "foo.html"));
	assert_int_equal(tested("*.html\n!foo.html", "foo.html", true), MATCH_INCLUDED);
	assert_true(out("\\!important!.txt", "!important!.txt"));
	assert_true(out("dir/\n!dir/file", "dir/file"));
	assert_int_equal(tested("dir/\n!dir/file", "dir/file", false), MATCH_INCLUDED);
	/* A slash at the beginning or in the middle. */
	assert_true(out("doc/frotz/", "doc/frotz/"));
	assert_false(out("doc/frotz/", "a/doc/frotz/"));
	assert_true(out("frotz/", "frotz/"));
	assert_true(out("frotz/", "a/frotz/"));
	assert_false(out("frotz/", "frotz"));
	assert_true(out("/*.c", "cat-file.c"));
	assert_false(out("/*.c", "mozilla-sha1/sha1.c"));
	assert_true(out("hello.*", "hello.txt") && out("hello.*", "a/hello.java"));
	assert_true(out("foo/*", "foo/test.json") && out("foo/*", "foo/bar/"));
	assert_int_equal(tested("foo/*", "foo/bar/hello.c", false), MATCH_NONE);
	assert_true(out("/*\n!/foo\n/foo/*\n!/foo/bar", "x"));
	assert_false(out("/*\n!/foo\n/foo/*\n!/foo/bar", "foo/bar/x"));
	assert_true(out("/*\n!/foo\n/foo/*\n!/foo/bar", "foo/x"));
	/* Two asterisks. */
	assert_true(out("**/foo", "foo") && out("**/foo", "a/b/foo"));
	assert_true(out("**/foo/bar", "foo/bar") && out("**/foo/bar", "a/foo/bar"));
	assert_false(out("**/foo/bar", "foo/x/bar"));
	assert_true(out("abc/**", "abc/x") && out("abc/**", "abc/x/y"));
	assert_false(out("abc/**", "abc/") || out("abc/**", "x/abc/y"));
	assert_true(out("a/**/b", "a/b") && out("a/**/b", "a/x/b") && out("a/**/b", "a/x/y/b"));
	assert_false(out("a/**/b", "ab") || out("a/**/b", "a/bb"));
	assert_true(out("a**/b", "axx/b"));
	assert_false(out("a**/b", "a/x/b"));
}

static void single_characters(void **state)
{
	(void)state;
	assert_true(out("a?c", "abc") && out("a?c", "x/a*c"));
	assert_false(out("a?c", "ac") || out("x/a?c", "x/a/c") || out("a?c", "abbc"));
	assert_true(out("[a-c]", "b") && out("[!a-c]", "d") && out("[^a-c]", "d"));
	assert_false(out("[a-c]", "d") || out("[!a-c]", "b"));
	assert_true(out("[]]", "]") && out("[]-a]", "^") && out("[a-]", "-") && out("[!]a-]", "b"));
	assert_true(out("[\\]]", "]") && out("[\\a-c]", "b") && out("[a\\]b]x", "]x"));
	assert_true(
		out("[[:digit:]x]", "7") && out("[[:digit:]x]", "x") && out("[![:upper:]]", "a"));
	assert_false(out("[[:digit:]x]", "a") || out("[[:alpha:]]", "\xe4"));
	assert_true(out("/a[b/c]d", "abd") && !out("/a[b/c]d", "a/d"));
	assert_true(out("\\*", "*") && !out("\\*", "a") && out("a\\bc", "abc"));
	assert_true(out("a\\/b", "a/b") && !out("a\\/b", "x/a/b"));
	/* Bytes, not characters. */
	assert_true(out("\xc3?", "\xc3\xa4") && !out("?", "\xc3\xa4"));
	assert_true(out("[\x80-\xff][\xa4]", "\xc3\xa4") && out("\xff*", "\xff\xfe"));
	assert_true(out("*", ".hidden") && out("**", "x") && out("***", "x"));
	assert_true(out("*a*b*", "xxaxxbxx") && !out("*a*b*", "xxbxxaxx"));
}

/* As people type paths. */
static void from_here(void **state)
{
	(void)state;
	assert_true(out("./foo", "foo") && out("./foo", "foo/x") && out("././a/b", "a/b"));
	assert_false(out("./foo", "x/foo") || out("./a/b", "x/a/b"));
	assert_true(out("./foo/", "foo/") && out("./*", "x"));
	assert_false(out("./foo/", "foo") || out("*\n!./foo", "foo"));
	assert_true(out(".x/y", ".x/y") && out("../x", "../x"));
}

static void odd_paths(void **state)
{
	(void)state;
	assert_int_equal(tested("*\n**/**", ".", true), MATCH_NONE);
	assert_int_equal(tested("*\n**/**", "", true), MATCH_NONE);
	assert_int_equal(match_test(NULL, "a", 1, false), MATCH_NONE);
	assert_int_equal(match_test_deep(NULL, "a", 1, false), MATCH_NONE);
	assert_true(out("a//b", "a/b") == false);
	assert_true(out("/**", "a") && out("/**/a", "a") && out("**/**/a", "x/a"));
	assert_true(out("**/", "a/") && !out("**/", "a"));
}

static void refused(const char *pattern, size_t len, enum err_code code)
{
	struct match *match = match_new(&err);

	err.code = ERR_NONE;
	assert_int_equal(match_add(match, pattern, len, &err), -1);
	assert_int_equal(err.code, code);
	match_free(match);
}

static void says_what_can_never_match(void **state)
{
	static const char *const never[] = {"", "/", "!", "!/", "[", "a[", "a[]", "a[b/c", "a[!]",
		"[[:none:]]", "a\\", "a\\/", "[a\\", "a/[b"};
	static char large[MATCH_PATTERN_MAX + 1];
	static const char lines[] = "good\n# comment\nb[ad\n";
	struct match *match = match_new(&err);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof never / sizeof *never; i++)
		refused(never[i], strlen(never[i]), ERR_USAGE);
	memset(large, 'a', sizeof large);
	refused(large, sizeof large, ERR_LIMIT);
	assert_int_equal(match_add(match, large, sizeof large - 1, &err), 0);
	assert_int_equal(match_add_lines(match, "file", lines, strlen(lines), false, &err), -1);
	assert_string_equal(err.message, "file:3: pattern 'b[ad' can never match: '[' without its "
					 "']', or an unknown class in it");
	match_free(match);
}

static void nul_separated(void **state)
{
	static const char text[] = "#a\0b \0c\nd\0e";
	struct match *match = match_new(&err);

	(void)state;
	assert_int_equal(match_add_lines(match, "x", text, sizeof text - 1, true, &err), 0);
	assert_int_equal(match_test(match, "#a", 2, false), MATCH_EXCLUDED);
	assert_int_equal(match_test(match, "b ", 2, false), MATCH_EXCLUDED);
	assert_int_equal(match_test(match, "b", 1, false), MATCH_NONE);
	assert_int_equal(match_test(match, "c\nd", 3, false), MATCH_EXCLUDED);
	assert_int_equal(match_test(match, "e", 1, false), MATCH_EXCLUDED);
	match_free(match);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Patterns that take careless matchers exponential time. */
static void no_blow_up(void **state)
{
	static char pattern[MATCH_PATTERN_MAX], path[65535];
	struct match *match = match_new(&err);
	double start = seconds();
	size_t i;

	(void)state;
	/* "**" and "*a" again and again, against a/a/a.../b */
	for (i = 0; i + 5 <= sizeof pattern; i += 5)
		memcpy(pattern + i, "**/a/", 5);
	pattern[i - 1] = 'c';
	assert_int_equal(match_add(match, pattern, i, &err), 0);
	for (i = 0; i < sizeof pattern; i += 2)
		memcpy(pattern + i, "*a", 2);
	assert_int_equal(match_add(match, pattern, sizeof pattern, &err), 0);
	pattern[0] = '/';
	assert_int_equal(match_add(match, pattern, sizeof pattern, &err), 0);
	for (i = 0; i < sizeof path; i++)
		path[i] = i % 2 ? '/' : 'a';
	assert_int_equal(match_test(match, path, sizeof path, false), MATCH_NONE);
	memset(path, 'a', sizeof path);
	for (i = 255; i < sizeof path; i += 256)
		path[i] = '/';
	path[sizeof path - 1] = 'b';
	assert_int_equal(match_test(match, path, sizeof path, false), MATCH_NONE);
	match_free(match);
	assert_true(seconds() - start < 20);
}

/* --- against git ----------------------------------------------------------- */

static const char *const names[] = {"a", "b", "ab", "a.o", "b.c"};
#define NAMES (sizeof names / sizeof *names)

/* All paths of a small tree: three levels; "d" added makes a directory. */
static char paths[400][32];
static size_t path_count;

static void make_level(const char *prefix, int depth)
{
	char path[32];
	size_t i;

	for (i = 0; i < NAMES; i++) {
		int fd;

		snprintf(path, sizeof path, "%s%s", prefix, names[i]);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		close(fd);
		snprintf(paths[path_count++], sizeof *paths, "%s", path);
	}
	for (i = 0; i < 4 && depth > 1; i++) {
		static const char *const dirs[] = {"d", "ad", "d.o", "e"};

		snprintf(path, sizeof path, "%s%s", prefix, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		strcat(path, "/");
		snprintf(paths[path_count++], sizeof *paths, "%s", path);
		make_level(path, depth - 1);
	}
}

static void random_pattern(char *to)
{
	static const char *const tokens[] = {"a", "b", "d", "e", "ad", "d.o", "*", "*", "?", "**",
		"/", "/", "/**/", "**/", "/**", "[ab]", "[!a]", "\\a", ".o", "*.o", "[a-d]"};
	int n = 1 + rand() % 4;

	*to = 0;
	if (rand() % 4 == 0)
		strcat(to, "!");
	while (n-- > 0)
		strcat(to, tokens[(size_t)rand() % (sizeof tokens / sizeof *tokens)]);
}

/* Two asterisks after anything but a slash: git's manual says that they count as one, but git,
 * which first cuts off a pattern's literal beginning, takes "a**" + "/b" for "a" + "**" + "/b".
 * FDump follows the manual. */
static bool git_differs(const char *pattern)
{
	const char *at = strstr(pattern, "**");

	for (; at != NULL; at = strstr(at + 1, "**"))
		if (at > pattern && strchr("/*!", at[-1]) == NULL)
			return true;
	return false;
}

/* The paths that git excludes: a flag for each. */
static void ask_git(bool *excluded)
{
	static const char command[] = "git -c core.excludesFile=/dev/null check-ignore --no-index "
				      "--stdin <.paths 2>/dev/null";
	FILE *git = popen(command, "r");
	char line[64];
	size_t i;

	assert_non_null(git);
	memset(excluded, 0, path_count * sizeof *excluded);
	while (fgets(line, sizeof line, git) != NULL) {
		line[strcspn(line, "\n")] = 0;
		for (i = 0; i < path_count; i++)
			if (strncmp(paths[i], line, strlen(line)) == 0 &&
				strcspn(paths[i] + strlen(line), "/") == 0 &&
				paths[i][strlen(line) + (paths[i][strlen(line)] == '/')] == 0)
				excluded[i] = true;
	}
	assert_int_not_equal(WEXITSTATUS(pclose(git)), 128);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void as_git(void **state)
{
	char folder[] = "/tmp/fdump-match.XXXXXX", command[64], text[512], one[64];
	const char *wanted = getenv("FDUMP_MATCH_ROUNDS");
	int rounds = wanted != NULL ? atoi(wanted) : 150, round, n, excluded_count = 0;
	static bool excluded[400];
	FILE *list;
	size_t i;

	(void)state;
	if (system("git --version >/dev/null 2>&1") != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(system("git init -q ."), 0);
	make_level("", 3);
	list = fopen(".paths", "w");
	for (i = 0; i < path_count; i++) {
		size_t len = strlen(paths[i]);

		len -= paths[i][len - 1] == '/';
		fprintf(list, "%.*s\n", (int)len, paths[i]);
	}
	fclose(list);
	srand(1);
	for (round = 0; round < rounds; round++) {
		text[0] = 0;
		for (n = 1 + rand() % 4; n > 0; n--) {
			struct match *match = match_new(&err);

			random_pattern(one);
			/* Git matches nothing with patterns that FDump refuses. */
			if (!git_differs(one) && match_add(match, one, strlen(one), &err) == 0)
				strcat(strcat(text, one), "\n");
			match_free(match);
		}
		write_file(".gitignore", text);
		ask_git(excluded);
		for (i = 0; i < path_count; i++) {
			excluded_count += excluded[i];
			if (out(text, paths[i]) != excluded[i])
				fail_msg("round %d: '%s' is %sexcluded by git, by\n%s", round,
					paths[i], excluded[i] ? "" : "not ", text);
		}
	}
	print_message("%d sets of patterns, %zu paths, %d times excluded, as git\n", rounds,
		path_count, excluded_count);
	assert_true(excluded_count > rounds);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(system(command), 0);
}

static void add_unmet(void *ctx, const char *text, size_t len)
{
	char *all = ctx;

	snprintf(all + strlen(all), 100 - strlen(all), "%.*s ", (int)len, text);
}

/* Patterns for one path that matched nothing; one also counts as matched if another pattern decided
 * about its path. */
static void tells_unmet(void **state)
{
	static const char lines[] = "/a/b\n*.tmp\n/c/*\n/d\n/d/in\ne/f\n!/g\n/h/\nfoo\n./x\n/y\n";
	struct match *match = match_new(&err);
	char all[100] = "";

	(void)state;
	assert_int_equal(match_add_lines(match, "test", lines, strlen(lines), false, &err), 0);
	assert_int_equal(match_test(match, "y", 1, false), MATCH_EXCLUDED);
	assert_int_equal(match_test(match, "h", 1, false), MATCH_NONE);
	match_unmet(match, add_unmet, all);
	assert_string_equal(all, "/a/b /d e/f /h/ ./x "); /* /d/in can't be reached */
	assert_int_equal(match_test(match, "a/b", 3, false), MATCH_EXCLUDED);
	assert_int_equal(match_test(match, "h", 1, true), MATCH_EXCLUDED);
	all[0] = 0;
	match_unmet(match, add_unmet, all);
	assert_string_equal(all, "/d e/f ./x ");
	match_free(match);
	match = match_new(&err);
	assert_int_equal(match_add_lines(match, "test", "/a\n/*", 5, false, &err), 0);
	assert_int_equal(match_test(match, "a", 1, false), MATCH_EXCLUDED);
	all[0] = 0;
	match_unmet(match, add_unmet, all);
	assert_string_equal(all, "");
	match_free(match);
	match_unmet(NULL, add_unmet, all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(git_documentation),
		cmocka_unit_test(single_characters),
		cmocka_unit_test(from_here),
		cmocka_unit_test(odd_paths),
		cmocka_unit_test(says_what_can_never_match),
		cmocka_unit_test(nul_separated),
		cmocka_unit_test(no_blow_up),
		cmocka_unit_test(as_git),
		cmocka_unit_test(tells_unmet),
	};
	return RUN(tests);
}
