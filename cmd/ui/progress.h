/*
 * Shows the progress of a long command: amount, rate, time left.
 *
 *   ui_progress_start -> ui_progress_add ... -> ui_progress_stop
 *
 * One at a time in a process, because there is one terminal. If standard error is a terminal, a
 * line there is kept up to date after the first second. SIGUSR1 prints a line to standard error in
 * any case, also while everything else is blocked, because a thread of its own does the printing.
 * If that thread can't be started there is no progress, which is not an error.
 */
#ifndef FDUMP_CMD_UI_PROGRESS_H
#define FDUMP_CMD_UI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct pack_scan_options;

/* total: bytes in all; 0: not known, and no time left is shown. quiet: print only for SIGUSR1,
 * because the terminal is used for something else. Call it before
 * starting threads that call ui_progress_add. */
void ui_progress_start(uint64_t total, bool quiet);

/* Estimates the total by walking ahead: at once if `shown` and standard error is a terminal, else
 * when SIGUSR1 arrives for the first time. Call it after start. scan: the walk; its .excluded is
 * called by another thread, with its .ctx. Its .next_root and .problem are not used: the roots are
 * `paths`, ended by NULL. All is borrowed until stop. */
void ui_progress_estimate(const struct pack_scan_options *scan, char *const *paths, bool shown);

/* Adds to the bytes and entries that are done. Any thread may call it. */
void ui_progress_add(uint64_t bytes, uint64_t entries);

/* Sets all of them, for work that is reported by others; they may also decrease. */
void ui_progress_set(uint64_t bytes, uint64_t entries, uint64_t total);

/* Clears the line; call it before printing something else to the terminal. Any thread may call it,
 * also if nothing was started. */
void ui_progress_hush(void);

/* Clears the line, and ends the thread. Does nothing if nothing was started. */
void ui_progress_stop(void);

/* Returns the number of bytes that remain to be read from a regular file; 0 for anything else. */
uint64_t ui_progress_size(int fd);

#endif
