/*
 * Formats entries and dumps for messages and listings.
 */
#ifndef FDUMP_CMD_UI_SHOW_H
#define FDUMP_CMD_UI_SHOW_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"
#include "lib/esc.h"
#include "pack/entry.h"

/* Formats an entry's status with its details: "ok", "changed (size, mtime)", "read-error at 4096:
 * Input/output error", "command-failed (exit status 1)". */
#define UI_SHOW_STATUS_MAX 128
void ui_show_status(char text[UI_SHOW_STATUS_MAX], const struct pack_tail *tail);

/* Returns a path or other name, escaped as in lib/esc.h, which the caller frees; NULL: out of
 * memory. */
char *ui_show_name(struct pack_bytes name);

/* Prints a path, escaped, as a line on standard error. ctx is not used. */
void ui_show_entry(void *ctx, const char *path, size_t len);

/* Formats a time as local time, "2026-11-24 06:00:01"; "?" if it has none. */
#define UI_SHOW_TIME_MAX 32
void ui_show_time(char text[UI_SHOW_TIME_MAX], int64_t sec);

/* Formats a dump: "b7be4344ca95 (web/backup, 2026-11-24 06:00:01)", with the time of the commit;
 * only the digits if its record is NULL. */
#define UI_SHOW_DUMP_MAX (2 * ESC_MAX(STORE_NAME_MAX) + 64)
void ui_show_dump(char text[UI_SHOW_DUMP_MAX], const struct store_entry *entry);
/* The same for a dump that was chosen, with the time when it began. */
void ui_show_chosen(char text[UI_SHOW_DUMP_MAX], const struct store_dump *dump);

#endif
