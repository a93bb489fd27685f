/*
 * How a command reports to a person or a script: exit statuses, messages on standard error, the
 * last JSON object of a failure; and numbers that options share.
 */
#ifndef FDUMP_CMD_UI_REPORT_H
#define FDUMP_CMD_UI_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;

/* Exit statuses, the same for every command. `diff` has 1 for "different". */
enum ui_exit {
	UI_OK = 0,
	UI_SOME = 1,    /* done, but some entries changed or could not be read */
	UI_FAILED = 2,  /* failed, or called wrongly */
	UI_CONFIG = 3,  /* configuration */
	UI_COPIES = 4,  /* fewer copies than asked for */
	UI_DAMAGE = 5,  /* damage found */
	UI_REFUSED = 6, /* identity refused */
	UI_NOSPACE = 7,
	UI_BUSY = 8,
};

/* Prints a line to standard error; what would end or hide it in a name is escaped. command: "fdump
 * COMMAND: " is put before it; NULL: "fdump: ". */
void ui_say(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints "fdump COMMAND: message" to standard error and returns the exit
 * status that the error's code stands for. */
int ui_fail(const char *command, const struct err *err);

/* Makes this the last error (see ui_fail_end), and prints nothing. */
void ui_fail_note(const struct err *err);

/* Prints "fdump COMMAND: text" and where the help is, to standard error;
 * returns UI_FAILED. */
int ui_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* For a command that lists: when who reads its output has enough (head(1)) it ends with this status
 * and without a word. Not for one that changes anything, or holds more than locks. */
void ui_pipe_ends(int status);

/* With --json what was told last by the two above is also the last object of a command whose
 * exit status says that it failed: "type" error, "id" error.CODE (err_name), "what", "exit".
 * main.c sees to that: _wants_json, _json, the command, _end. A command whose objects do not
 * go to standard output calls _json too, and one that has no --json with NULL. */
bool ui_fail_wants_json(int argc, char **argv);
void ui_fail_json(FILE *to);
void ui_fail_end(int status);

/* A decimal number from min to max. Returns 0, or -1 if it is none. */
int ui_number(const char *text, long min, long max, long *value);

/* Opens FILE, or standard input for NULL or "-", to read a pack from; not a
 * terminal. Returns the descriptor, or -1 with err set. */
int ui_open_input(const char *file, struct err *err);

/* The same for a pack that may be read by its index: 0 is standard input, for "-". The message does
 * not name the file. */
int ui_open_pack(const char *file, struct err *err);

/* After reading standard input has failed: says so if the command's first argument, or NULL, is a
 * pack. */
void ui_input_hint(const char *command, const char *word);

/* Processors that this process may use, 1 to 64. */
unsigned ui_processors(void);

#endif
