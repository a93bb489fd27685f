/*
 * Starting a program of the administrator's, with some bytes on its standard input.
 */
#ifndef FDUMP_CMD_UI_HOOK_H
#define FDUMP_CMD_UI_HOOK_H

#include <stddef.h>

struct err;

#define UI_HOOK_INPUT_MAX 4096 /* bytes; so many never block */

/* Starts the program, without waiting for it: whoever calls this has SIGCHLD handled. Its output is
 * the caller's standard error. Returns 0, or -1 with err set: ERR_NOTFOUND. */
int ui_hook_start(const char *program, const void *input, size_t len, struct err *err);

#endif
