/*
 * Takes back what a command has made that fails half-way, so that a second try finds what the first
 * one found.
 *
 *   zeroed -> ui_undo_note for each path, before it is made -> ui_undo_run, if the command fails
 *
 * One thread's own.
 */
#ifndef FDUMP_CMD_UI_UNDO_H
#define FDUMP_CMD_UI_UNDO_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define UI_UNDO_MAX 16

struct ui_undo {
	struct ui_undo_path {
		char text[PATH_MAX];
		size_t top;   /* as much of it was there: folders below that are made, too */
		bool emptied; /* an empty folder that was there */
	} paths[UI_UNDO_MAX];
	size_t count;
};

/* Notes a file or a folder that is going to be made. What is there already is never removed; an
 * empty folder is emptied again. At most UI_UNDO_MAX paths; none longer than PATH_MAX - 1. */
void ui_undo_note(struct ui_undo *undo, const char *path);

/* Removes what was noted and is there now, and the folders above it that were made and are empty,
 * the last one first. What can't be removed stays. */
void ui_undo_run(struct ui_undo *undo);

#endif
