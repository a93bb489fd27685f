/*
 * A problem with one thing, while the command goes on with the others: reported once, in the same
 * form by every command. What ends a command is reported by ui_fail (cmd/ui/report.h).
 *
 * As a line on standard error:
 *
 *   fdump COMMAND: [note: ]FILE:LINE: STORE: AGENT: dump ID (NAME): offset N: PATH: WHAT
 *
 * With --json as an object instead: "type" problem or note, "id", and as they are given "file",
 * "line", "store", "agent", the members of ui_show_dump_json, "offset", "path", "given", "status",
 * "healed", "what". The line is printed too if the object can't be, and of an error, for it stays
 * the command's last (ui_fail_end).
 */
#ifndef FDUMP_CMD_UI_PROBLEM_H
#define FDUMP_CMD_UI_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pack/entry.h"

struct err;
struct store_entry;

/* Zeroed: what is not given. Borrowed for the call. */
struct ui_problem {
	const char *command; /* NULL: of no command */
	const char *id;      /* "backup.problem" */
	FILE *json;          /* where objects go; NULL: a line is wanted */
	bool note;           /* it does not change the exit status */
	bool output;         /* of a command that lists problems: its line is on standard output,
				without the command's name */
	const char *file;
	unsigned line;
	const char *store, *agent;
	const struct store_entry *dump;
	const uint8_t *dump_id; /* if no more is known of it */
	bool has_offset;
	uint64_t offset;
	struct pack_bytes path;
	bool given;            /* the path is one that was asked for, not one below it */
	const char *status;    /* of an entry */
	size_t healed;         /* chunks */
	const char *what;      /* a text; or */
	const struct err *why; /* an error */
};

/* Returns 0, or -1 with err set: the object could not be written; the line was. */
int ui_problem(const struct ui_problem *problem, struct err *err);

#endif
