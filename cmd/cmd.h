/*
 * The commands that main.c dispatches to.
 *
 * A command is one file with one function that takes its own argc and argv (argv[0] is the
 * command's name) and returns the exit status (cmd/ui/report.h); it never calls exit(). To add
 * one: write the file, declare its function here, add a line to the table in main.c and to
 * CMakeLists.txt.
 */
#ifndef FDUMP_CMD_CMD_H
#define FDUMP_CMD_CMD_H

struct err;

int cmd_agent(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_cron(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_dumps(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_files(int argc, char **argv);
int cmd_find(int argc, char **argv);
int cmd_forget(int argc, char **argv);
int cmd_hosts(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_manager(int argc, char **argv);
/* The manager service, in the foreground. config, state: as given, or NULL. */
int cmd_manager_service(const char *config, const char *state);
int cmd_pack(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_setup(int argc, char **argv);
/* Makes a store in a directory, or finds that there is one; path: its real name, of PATH_MAX bytes.
 * Returns 0; 1: it was there before; -1 with err set: also if it is another directory with files. */
int cmd_setup_store(const char *dir, char *path, struct err *err);
int cmd_status(int argc, char **argv);
int cmd_store(int argc, char **argv);
/* The store service, in the foreground. config, state: as given, or NULL. */
int cmd_store_service(const char *config, const char *state);
/* Crashes of LMDB's over a damaged index are told as damage, status 5. */
void cmd_guard(void);
/* As engine_ask_old: asks in a child. The process has one thread. */
struct buf;
void cmd_ask_old(void *ctx, const char *path, struct buf *old);
int cmd_token(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_verify(int argc, char **argv);

#endif
