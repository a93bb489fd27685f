/*
 * The commands that main.c dispatches to, and what they share.
 *
 * A command is one file with one `const struct ui_command` (cmd/ui/command.h). Its function returns
 * the exit status (cmd/ui/report.h), or -1 with err set; it never calls exit(). main.c reads the
 * options before; afterwards it frees them, reports the error, and checks that standard output was
 * written. To add a command: write the file, declare its object here, and add it to the list in
 * commands.c and the file to CMakeLists.txt.
 */
#ifndef FDUMP_CMD_CMD_H
#define FDUMP_CMD_CMD_H

#include "cmd/manager/syntax.h"
#include "cmd/ui/command.h"

struct err;
struct ui_options;

extern const struct ui_command cmd_agent, cmd_backup, cmd_cat, cmd_cron, cmd_diff, cmd_dumps,
	cmd_export, cmd_files, cmd_find, cmd_forget, cmd_hosts, cmd_join, cmd_key, cmd_list,
	cmd_manager, cmd_pack, cmd_restore, cmd_revoke, cmd_run, cmd_runs, cmd_setup, cmd_status,
	cmd_store, cmd_token, cmd_unpack, cmd_verify;
/* Not in the list of commands: it prints completions for shells. */
extern const struct ui_command cmd_completion;
/* All other commands, ended by NULL, in the order of fdump --help. */
extern const struct ui_command *const cmd_all[];
/* Returns NULL if there is no such command. */
const struct ui_command *cmd_named(const char *name);

/* Run the services in the foreground; the options are --config and --state. Return the exit status,
 * or -1 with err set. */
int cmd_manager_service(const struct ui_options *o, struct err *err);
int cmd_store_service(const struct ui_options *o, struct err *err);
/* Checks a manager's local.conf, which need not exist. problem: called for each
 * mistake in it. Returns 0, or -1 with err set: ERR_CONFIG. */
int cmd_manager_local(const char *path, manager_problem *problem, void *ctx, struct err *err);
/* Makes a store in a directory, or checks that there is one. path: a buffer of PATH_MAX bytes for
 * its real path. Returns 0; 1 if the store existed before; -1 with err set, also if the directory
 * holds other files. */
int cmd_setup_store(const char *dir, char *path, struct err *err);
/* Installs handlers that report a crash of LMDB over a damaged index as damage, exit status 5. */
void cmd_guard(void);
/* An engine_ask_old (cmd/store/care.h) that reads the old index in a child process. The process
 * must have one thread. */
struct buf;
void cmd_ask_old(void *ctx, const char *path, struct buf *old);

#endif
