/*
 * What is still to be done when a command is ended by SIGINT, SIGTERM or SIGHUP.
 *
 *   ui_ending_start -> the work -> ui_ending_stop
 *
 * Between them such a signal has `last` called, on a thread of its own while the work goes on,
 * with 128 and the signal's number; when it returns the process ends with that status.
 * After ui_ending_stop these signals are passed over. Once in a process.
 */
#ifndef FDUMP_CMD_UI_ENDING_H
#define FDUMP_CMD_UI_ENDING_H

struct err;

/* Returns 0, or -1 with err set. */
int ui_ending_start(void (*last)(void *ctx, int status), void *ctx, struct err *err);
void ui_ending_stop(void);

#endif
