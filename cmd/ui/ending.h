/*
 * Lets a command finish its work when SIGINT, SIGTERM or SIGHUP ends it.
 *
 *   ui_ending_start -> the work -> ui_ending_stop
 *
 * If such a signal arrives between the two, `last` is called, on a thread of its own while the work
 * goes on, with a status of 128 plus the signal's number. When it returns the process exits with
 * that status. After ui_ending_stop these signals are ignored. Can be used once in a process.
 */
#ifndef FDUMP_CMD_UI_ENDING_H
#define FDUMP_CMD_UI_ENDING_H

struct err;

/* Returns 0, or -1 with err set. */
int ui_ending_start(void (*last)(void *ctx, int status), void *ctx, struct err *err);
void ui_ending_stop(void);

#endif
