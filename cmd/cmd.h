/*
 * What the commands share: the table that main.c dispatches by, and how a
 * command reports.
 *
 * A command is one file (or a folder, for a role) with one function that
 * takes its own argc and argv (argv[0] is the command's name) and returns the
 * exit status; it never calls exit(). To add one: write the file, declare its
 * function here, add a line to the table in main.c and to CMakeLists.txt.
 */
#ifndef FDUMP_CMD_CMD_H
#define FDUMP_CMD_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;

/* The commands. */
int cmd_diff(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_cron(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_dumps(int argc, char **argv);
int cmd_files(int argc, char **argv);
int cmd_find(int argc, char **argv);
int cmd_forget(int argc, char **argv);
int cmd_manager(int argc, char **argv);

/* Exit statuses, the same for every command. `diff` has 1 for "different". */
enum cmd_exit {
	CMD_OK = 0,
	CMD_SOME = 1,    /* done, but some entries changed or could not be read */
	CMD_FAILED = 2,  /* failed, or called wrongly */
	CMD_CONFIG = 3,  /* configuration */
	CMD_COPIES = 4,  /* fewer copies than asked for */
	CMD_DAMAGE = 5,  /* damage found */
	CMD_REFUSED = 6, /* identity refused */
	CMD_NOSPACE = 7,
	CMD_BUSY = 8,
};

/* Prints a line to standard error; what would end or hide it in a name is escaped. command: "fdump
 * COMMAND: " is put before it; NULL: "fdump: ". */
void cmd_say(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints "fdump COMMAND: message" to standard error and returns the exit
 * status that the error's code stands for. */
int cmd_fail(const char *command, const struct err *err);

/* Prints "fdump COMMAND: text" and where the help is, to standard error;
 * returns CMD_FAILED. */
int cmd_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* With --json what was told last by the two above is also the last object of a command whose
 * exit status says that it failed: "type" error, "id" error.CODE (err_name), "what", "exit".
 * main.c sees to that: _wants_json, _json, the command, _end. A command whose objects do not
 * go to standard output calls _json too, and one that has no --json with NULL. */
bool cmd_fail_wants_json(int argc, char **argv);
void cmd_fail_json(FILE *to);
void cmd_fail_end(int status);

/* A decimal number from min to max. Returns 0, or -1 if it is none. */
int cmd_number(const char *text, long min, long max, long *value);

/* A time as 30d: a number and s, m, h, d, w or y. Returns 0, or -1. */
int cmd_duration(const char *text, int64_t *seconds);

/* A size as 10G: a number of bytes, or one and K, M, G, T (1024s). Returns 0, or -1. */
int cmd_size(const char *text, uint64_t *bytes);

/* Opens FILE, or standard input for NULL or "-", to read a pack from; not a
 * terminal. Returns the descriptor, or -1 with err set. */
int cmd_open_input(const char *file, struct err *err);

/* Processors that this process may use, 1 to 64. */
unsigned cmd_processors(void);

/* The commands. */
int cmd_pack(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_cat(int argc, char **argv);

#endif
