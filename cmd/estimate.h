/*
 * How much there is to read, found out while it is being read: a thread walks
 * the same trees ahead, only looking, and tells cmd/progress.h when it is done. For
 * someone who watches a terminal, or has asked by SIGUSR1; else it does nothing.
 *
 *   cmd_estimate_start -> cmd_estimate_stop
 *
 * One at a time in a process.
 */
#ifndef FDUMP_CMD_ESTIMATE_H
#define FDUMP_CMD_ESTIMATE_H

#include <stdbool.h>

struct pack_scan_options;

/* After cmd_progress_start. scan: what is walked, its .excluded called by another
 * thread, with its .ctx; .next_root and .problem are not used: paths, ended by
 * NULL, stand for the first. All is borrowed until stop. shown: progress is shown, if there is
 * a terminal. */
void cmd_estimate_start(const struct pack_scan_options *scan, char *const *paths, bool shown);

/* After cmd_progress_stop: ends it, ready or not. Also if nothing was started. */
void cmd_estimate_stop(void);

#endif
