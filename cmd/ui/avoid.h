/*
 * Folders that a walk must not go into, where they lie below what is walked: the stores of a backup
 * change with it, and in an unencrypted one the agent's secret could be read.
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
	const char *folder, *what; /* its path, and what it is; borrowed */
	char *name;                /* in the walk; "." for all of it */
};

struct ui_avoid {
	struct ui_avoided folders[UI_AVOID_MAX];
	size_t count;
};

/* Adds a folder, if it is there and lies below base, or base in it. base: absolute, what names in
 * the walk begin at. Returns 0, or -1 with err set. */
int ui_avoid_add(struct ui_avoid *avoid, const char *base, const char *folder, const char *what,
	struct err *err);

/* The folder that a path of the walk is, or is in; NULL: none. */
const struct ui_avoided *ui_avoid_find(const struct ui_avoid *avoid, const char *path, size_t len);

void ui_avoid_fini(struct ui_avoid *avoid);

#endif
