/*
 * How a command reports to a person or a script: exit statuses, messages on standard error, and the
 * last JSON object of a failure. Also a few helpers for arguments and input that commands share.
 */
#ifndef FDUMP_CMD_UI_REPORT_H
#define FDUMP_CMD_UI_REPORT_H

#include <stdbool.h>
#include <stdio.h>

struct err;

/* Exit statuses, the same for every command. In `diff`, 1 means "different". */
enum ui_exit {
	UI_OK = 0,
	UI_SOME = 1,    /* done, but some entries changed or could not be read */
	UI_FAILED = 2,  /* failed, or called wrongly */
	UI_CONFIG = 3,  /* the configuration is wrong */
	UI_COPIES = 4,  /* fewer copies than asked for */
	UI_DAMAGE = 5,  /* damage found */
	UI_REFUSED = 6, /* an identity or key was refused */
	UI_NOSPACE = 7,
	UI_BUSY = 8,
};

/* Prints a line "fdump COMMAND: ..." (command NULL: "fdump: ...") to standard error. Characters in
 * a name that would end or garble the line are escaped. */
void ui_say(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The command that runs, which messages name. Set by main.c. */
void ui_report_start(const char *command);
const char *ui_report_command(void);

/* Prints "fdump COMMAND: message" to standard error, and returns the exit status for the error's
 * code. */
int ui_fail(const struct err *err);

/* Makes this the last error (see ui_fail_end) without printing anything. */
void ui_fail_note(const struct err *err);

/* Prints "fdump COMMAND: text" and a pointer to the help to standard error; returns UI_FAILED. */
int ui_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* For a command that lists: when the reader of its output closes the pipe, as head(1) does, the
 * command ends silently with this status. Not for a command that changes anything, or holds
 * anything but locks. */
void ui_pipe_ends(int status);

/* With --json, if the exit status is UI_FAILED or above, the last error of ui_fail, ui_fail_note or
 * ui_usage is also the last object that the command prints: "type" error, "id" error.CODE
 * (err_name), "what", "exit". main.c calls ui_fail_wants_json, ui_result_json, the command, and
 * ui_fail_end. */
bool ui_fail_wants_json(int argc, char **argv);
void ui_fail_end(int status);

/* Opens a file to read a pack from; a terminal is refused. Returns the descriptor (0 for "-",
 * standard input itself), or -1 with err set; the message does not name the file. */
int ui_open_pack(const char *file, struct err *err);

/* Call it when reading standard input has failed: suggests -f if the command's first argument (or
 * NULL) is a pack. */
void ui_input_hint(const char *word);

#endif
