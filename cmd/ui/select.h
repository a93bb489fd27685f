/*
 * Selects entries of a pack: those that the user names (PATH..., -T), without those that match a
 * pattern to exclude (--exclude, -X). A path selects the entry of this name and everything below
 * it. A path that is named twice counts once. Without any path, everything is selected.
 *
 *   zeroed -> ui_select_path, _name, _exclude ->
 *   ui_select_ready -> ui_select_test ... -> ui_select_unmet -> _fini
 *
 * After ui_select_ready any number of threads may test.
 */
#ifndef FDUMP_CMD_UI_SELECT_H
#define FDUMP_CMD_UI_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct store_dump;
struct match;

struct ui_selected {
	char *path;
	size_t len;
	size_t number; /* index in .met */
	bool twin;     /* the other reading of a path: only one of the two need match */
};

struct ui_select {
	struct ui_selected *paths; /* sorted after ui_select_ready */
	size_t count, cap;
	/* For each named path, by number: whether it matched something. Any thread may set it, only
	 * ever to true. */
	bool *met;
	size_t named, met_cap;
	struct match *exclude;
	bool any; /* an entry was selected; set as .met is */
};

/* Add a path or patterns; the first two are a ui_select_each, and select is a struct ui_select.
 * ui_select_path takes a path both literally and as a name that fdump has printed escaped
 * (lib/esc.h); ui_select_name only literally. Each returns 0, or -1 with err set; ERR_USAGE: an
 * empty path. */
int ui_select_path(void *select, const char *path, struct err *err);
int ui_select_name(void *select, const char *path, struct err *err);
/* Excludes what matches the pattern, or the patterns in the file; the other is NULL. */
int ui_select_exclude(
	struct ui_select *select, const char *pattern, const char *file, struct err *err);

/* Reads the next line that is not empty from a list of paths, opened from `file`, into *line (with
 * *cap as for getdelim; the caller frees it). Returns 0; 1 at the end; -1 with err set: ERR_USAGE,
 * the line has a NUL, which only lists for --null have. */
int ui_select_line(
	FILE *list, const char *file, bool nul, char **line, size_t *cap, struct err *err);
/* Calls `each` for all lines of a list ('-': standard input) until it returns -1. Returns 0, or -1
 * with err set. */
typedef int ui_select_each(void *ctx, const char *line, struct err *err);
int ui_select_lines(const char *file, bool nul, ui_select_each *each, void *ctx, struct err *err);

void ui_select_ready(struct ui_select *select);

/* Whether an entry of this path is selected. */
bool ui_select_test(struct ui_select *select, const uint8_t *path, size_t len, bool is_dir);

/* Whether any entry that was tested was selected, or everything is. */
bool ui_select_any(const struct ui_select *select);

/* Reports on standard error which paths matched nothing, or that the patterns exclude everything.
 * Returns the number of these. Patterns that matched nothing are reported too, but not counted.
 * dump: the dump to name in messages; NULL: a pack. */
size_t ui_select_unmet(const struct ui_select *select, const struct store_dump *dump);

/* Returns a note on patterns that name one path and matched nothing: "pattern matched nothing:
 * '/a/b', '/c' and 3 more". The caller frees it. NULL: there are none. */
char *ui_select_patterns_unmet(const struct ui_select *select);

void ui_select_fini(struct ui_select *select);

#endif
