/*
 * How far a long command is, for whoever waits: amount, rate, time left.
 *
 *   ui_progress_start -> ui_progress_add ... -> ui_progress_stop
 *
 * One at a time in a process, as there is one terminal. If standard error is
 * a terminal a line there is kept up to date from the second second on; if not,
 * nothing. SIGUSR1 prints a line to standard error in any case, also while
 * everything else waits: a thread of its own does the printing. Where that
 * can't be had there is no progress, which is no error.
 */
#ifndef FDUMP_CMD_UI_PROGRESS_H
#define FDUMP_CMD_UI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct pack_scan_options;

/* total: bytes that there will be; 0: not known, then there is no time left.
 * quiet: only by SIGUSR1 (the terminal is used for something else). command is
 * borrowed until stop. Before threads are made that call ui_progress_add or _total. */
void ui_progress_start(const char *command, uint64_t total, bool quiet);

/* The total, where it becomes known later. By any thread. */
void ui_progress_total(uint64_t total);

/* After start: finds out the total by walking ahead, at once if it is shown on a terminal, else
 * when SIGUSR1 asks for the first time. scan: what is walked, its .excluded called by another
 * thread, with its .ctx; .next_root and .problem are not used: paths, ended by NULL, stand for the
 * first. All is borrowed until stop. */
void ui_progress_estimate(const struct pack_scan_options *scan, char *const *paths, bool shown);

/* So many more bytes and entries are done. By any thread. */
void ui_progress_add(uint64_t bytes, uint64_t entries);

/* So many are done in all, by what others say: also fewer than before. */
void ui_progress_set(uint64_t bytes, uint64_t entries);

/* Before something else is printed to the terminal: takes the line away. By any
 * thread; also if nothing was started. */
void ui_progress_hush(void);

/* Takes the line away, and ends. Also if nothing was started. */
void ui_progress_stop(void);

/* Size of what is left to be read from a regular file; 0 for anything else. */
uint64_t ui_progress_size(int fd);

#endif
