/*
 * The commands that main.c dispatches to, and what they share.
 *
 * A command is one file with one `const struct ui_command` (cmd/ui/command.h), whose function
 * returns the exit status (cmd/ui/report.h); it never calls exit(). main.c reads its options
 * before, and afterwards frees them and sees that standard output was written. To add one: write
 * the file, declare its object here, add it to the list in commands.c and the file to
 * CMakeLists.txt.
 */
#ifndef FDUMP_CMD_CMD_H
#define FDUMP_CMD_CMD_H

#include "cmd/ui/command.h"

struct err;

extern const struct ui_command cmd_agent, cmd_backup, cmd_cat, cmd_cron, cmd_diff, cmd_dumps,
	cmd_export, cmd_files, cmd_find, cmd_forget, cmd_hosts, cmd_join, cmd_key, cmd_list,
	cmd_manager, cmd_pack, cmd_restore, cmd_revoke, cmd_run, cmd_runs, cmd_setup, cmd_status,
	cmd_store, cmd_token, cmd_unpack, cmd_verify;
/* Not in the list of commands: it prints what shells need. */
extern const struct ui_command cmd_completion;
/* All others, ended by NULL, in the order of fdump --help. */
extern const struct ui_command *const cmd_all[];

/* The manager service, in the foreground. config, state: as given, or NULL. */
int cmd_manager_service(const char *config, const char *state);
/* Makes a store in a directory, or finds that there is one; path: its real name, of PATH_MAX bytes.
 * Returns 0; 1: it was there before; -1 with err set: also if it is another directory with files.
 */
int cmd_setup_store(const char *dir, char *path, struct err *err);
/* The store service, in the foreground. config, state: as given, or NULL. */
int cmd_store_service(const char *config, const char *state);
/* Crashes of LMDB's over a damaged index are told as damage, status 5. */
void cmd_guard(void);
/* As engine_ask_old: asks in a child. The process has one thread. */
struct buf;
void cmd_ask_old(void *ctx, const char *path, struct buf *old);

#endif
