/*
 * The paths that a backup walks: arguments and lines of a file, sorted as the
 * walk is, those within others left out.
 *
 *   zeroed -> ui_roots_add ... -> ui_roots_order -> ui_roots_next ...
 *   -> ui_roots_fini
 */
#ifndef FDUMP_CMD_UI_ROOTS_H
#define FDUMP_CMD_UI_ROOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/buf.h"

struct err;
struct store_dump;

struct ui_roots {
	char **paths; /* owned; ended by NULL after _order, if there are any */
	size_t count, room, next;
	/* What was asked for, as a dump's record has it: STORE_PATHS_MAX, STORE_PATHS_LEN at most.
	 */
	struct buf encoded;
	size_t encoded_count;
	/* After _order: those that are walked with others, owned. */
	char **within;
	size_t within_count;
};

/* roots: a struct ui_roots. A ui_select_each. Returns 0, or -1 with err set: ERR_USAGE (an empty
 * one, "..", absolute beside relative ones), ERR_NOMEM. */
int ui_roots_add(void *roots, const char *path, struct err *err);
/* nested: what is in a path is walked with it; else only what is there twice is left out. */
void ui_roots_order(struct ui_roots *roots, bool nested);

/* Whether a name in the dump is that of a path which is walked with another one: what lies on a
 * file system of its own there was asked for. */
bool ui_roots_within(const struct ui_roots *roots, const char *name, size_t len);

/* Whether a path is a symbolic link to a directory that is not followed. base: as in struct
 * pack_scan_options. */
bool ui_roots_link(int base, const char *path);

/* Adds and orders what a dump's record has. As ui_roots_add. */
int ui_roots_of(
	struct ui_roots *roots, const struct store_dump *dump, bool nested, struct err *err);

/* Whether they name the same, both ordered. */
bool ui_roots_same(const struct ui_roots *a, const struct ui_roots *b);

/* Prints for people "/home, /etc and 3 more". base: absolute, what relative ones begin at. */
void ui_roots_print(FILE *to, const struct ui_roots *roots, const char *base);

/* A pack_scan_options.next_root; ctx: the roots. Set .next to 0 to begin again. */
int ui_roots_next(void *ctx, const char **path, struct err *err);

void ui_roots_fini(struct ui_roots *roots);

#endif
