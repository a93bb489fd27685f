/*
 * Starts a program of the administrator's, with some bytes on its standard input.
 */
#ifndef FDUMP_CMD_UI_HOOK_H
#define FDUMP_CMD_UI_HOOK_H

#include <stddef.h>

struct err;

#define UI_HOOK_INPUT_MAX 4096 /* bytes; writing as many to an empty pipe never blocks */

/* Starts the program without waiting for it; the caller must handle SIGCHLD. Its output goes to the
 * caller's standard error. Returns 0, or -1 with err set: ERR_NOTFOUND if the program does not
 * exist or is not executable. */
int ui_hook_start(const char *program, const void *input, size_t len, struct err *err);

#endif
