/*
 * The paths that a backup walks, from its arguments and a file: sorted in the order of the walk,
 * without those that lie in others.
 *
 *   zeroed -> ui_roots_add ... -> ui_roots_order -> .paths -> ui_roots_fini
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
	char **paths; /* owned; ended by NULL after ui_roots_order, if there are any */
	size_t count, room;
	size_t next; /* for the walk */
	/* The paths as given, encoded for the dump's record: at most STORE_PATHS_MAX paths and
	 * STORE_PATHS_LEN bytes. */
	struct buf encoded;
	size_t encoded_count;
	/* After ui_roots_order: the paths that lie in others and are walked with them; owned. */
	char **within;
	size_t within_count;
};

/* A ui_select_each: adds a path. roots: a struct ui_roots. Returns 0, or -1 with err set:
 * ERR_USAGE (the path is empty or contains "..", or some paths are absolute and others relative),
 * ERR_NOMEM. */
int ui_roots_add(void *roots, const char *path, struct err *err);
/* Sorts the paths and removes duplicates; with nested, also those that lie in other paths, because
 * the walk reaches them. */
void ui_roots_order(struct ui_roots *roots, bool nested);

/* Whether a name in the dump is that of a path that lies in another one. It was asked for, so the
 * walk enters it even if another file system is mounted there. */
bool ui_roots_within(const struct ui_roots *roots, const char *name, size_t len);

/* Whether a path is a symbolic link to a directory, and will not be followed. base: as in struct
 * pack_scan_options. */
bool ui_roots_link(int base, const char *path);

/* Adds the paths in a dump's record, and sorts them. Returns as ui_roots_add. */
int ui_roots_of(
	struct ui_roots *roots, const struct store_dump *dump, bool nested, struct err *err);

/* Whether both name the same paths; both must be sorted. */
bool ui_roots_same(const struct ui_roots *a, const struct ui_roots *b);

/* Prints the first UI_ROOTS_SHOWN of them for people: "/home, /etc and 3 more". base: the absolute
 * folder that relative paths start from. */
#define UI_ROOTS_SHOWN 3
void ui_roots_print(FILE *to, const struct ui_roots *roots, const char *base);

void ui_roots_fini(struct ui_roots *roots);

#endif
