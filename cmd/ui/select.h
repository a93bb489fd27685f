/*
 * Which entries of a pack are meant: the paths a user names (PATH..., -T), less
 * the patterns he excludes (--exclude, -X). A path means the entry of this
 * name and all below it; one that is named twice counts once; no path at all means everything.
 *
 *   zeroed -> ui_select_path, _paths_from, _pattern, _patterns_from ->
 *   ui_select_ready -> ui_select_test ... -> ui_select_unmet -> _fini
 *
 * After _ready any number of threads may test.
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
	size_t number; /* in .met */
	bool twin;     /* the other reading of a path: one of both is to be met */
};

struct ui_select {
	struct ui_selected *paths; /* sorted after _ready */
	size_t count, cap;
	/* By number, of each path that was named: something matched. Written by any thread, only
	 * ever to true. */
	bool *met;
	size_t named, met_cap;
	struct match *exclude;
	bool any; /* an entry was meant; as met */
};

/* select: a struct ui_select. A path is meant as it is, and as the name that fdump prints so
 * (lib/esc.h); _name: as it is only. Each returns 0, or -1 with err set; ERR_USAGE: an empty path.
 */
int ui_select_path(void *select, const char *path, struct err *err);
int ui_select_name(void *select, const char *path, struct err *err);
int ui_select_pattern(struct ui_select *select, const char *pattern, struct err *err);
int ui_select_patterns_from(struct ui_select *select, const char *file, bool nul, struct err *err);

/* The next line of a list of paths that was opened from `file`, empty ones left out, into *line
 * (*cap: as getdelim). Returns 0; 1: at the end; -1 with err set: ERR_USAGE, a NUL in it, which
 * only a list for --null has. */
int ui_select_line(
	FILE *list, const char *file, bool nul, char **line, size_t *cap, struct err *err);
/* Calls `each` for all lines of a list, '-': of standard input, until it returns -1. Returns 0, or
 * -1 with err set. */
typedef int ui_select_each(void *ctx, const char *line, struct err *err);
int ui_select_lines(const char *file, bool nul, ui_select_each *each, void *ctx, struct err *err);

void ui_select_ready(struct ui_select *select);

/* Whether an entry of this path is meant. */
bool ui_select_test(struct ui_select *select, const uint8_t *path, size_t len, bool is_dir);

/* Whether an entry of all that were tested was meant, or all are. */
bool ui_select_any(const struct ui_select *select);

/* Says on standard error which paths matched nothing, or that the patterns exclude all; returns how
 * many that is. Patterns that matched nothing are told too, and not counted. dump: what they are
 * not in; NULL: a pack. */
size_t ui_select_unmet(
	const struct ui_select *select, const char *command, const struct store_dump *dump);

/* The same as a note, of patterns that name one path and matched nothing: "pattern matched
 * nothing: '/a/b', '/c' and 3 more"; the caller frees it. NULL: there are none. */
char *ui_select_patterns_unmet(const struct ui_select *select);

void ui_select_fini(struct ui_select *select);

#endif
