/*
 * Folders that a backup must leave out where they overlap the tree that it walks: its own stores,
 * which change while it runs, and the agent's state folder, whose secret could be read in an
 * unencrypted store.
 *
 *   zeroed -> ui_avoid_add ... -> ui_avoid_find ... -> ui_avoid_fini
 */
#ifndef FDUMP_CMD_UI_AVOID_H
#define FDUMP_CMD_UI_AVOID_H

#include <stddef.h>

#include "cmd/store/store.h"

struct err;

#define UI_AVOID_MAX (STORES_MAX + 1)

struct ui_avoided {
	const char *folder, *what; /* its path, and a description for messages; borrowed */
	char *name;                /* its path in the walk; "." for all of the walk */
};

struct ui_avoid {
	struct ui_avoided folders[UI_AVOID_MAX];
	size_t count;
};

/* Adds a folder if it exists and lies below base, is base, or contains base; otherwise does
 * nothing. base: the absolute path that names in the walk are relative to. folder and what are
 * borrowed until ui_avoid_fini. At most UI_AVOID_MAX folders. Returns 0, or -1 with err set
 * (ERR_NOMEM). */
int ui_avoid_add(struct ui_avoid *avoid, const char *base, const char *folder, const char *what,
	struct err *err);

/* Returns the folder that a path of the walk is or lies in, borrowed; NULL if there is none. */
const struct ui_avoided *ui_avoid_find(const struct ui_avoid *avoid, const char *path, size_t len);

void ui_avoid_fini(struct ui_avoid *avoid);

#endif
