/*
 * How much there is to read, found out while it is being read: a thread walks
 * the same trees ahead, only looking, and tells cmd/ui/progress.h when it is done. For
 * someone who watches a terminal, or has asked by SIGUSR1; else it does nothing.
 *
 *   ui_estimate_start -> ui_estimate_stop
 *
 * One at a time in a process.
 */
#ifndef FDUMP_CMD_UI_ESTIMATE_H
#define FDUMP_CMD_UI_ESTIMATE_H

#include <stdbool.h>

struct pack_scan_options;

/* After ui_progress_start. scan: what is walked, its .excluded called by another
 * thread, with its .ctx; .next_root and .problem are not used: paths, ended by
 * NULL, stand for the first. All is borrowed until stop. shown: progress is shown, if there is
 * a terminal. */
void ui_estimate_start(const struct pack_scan_options *scan, char *const *paths, bool shown);

/* After ui_progress_stop: ends it, ready or not. Also if nothing was started. */
void ui_estimate_stop(void);

#endif
