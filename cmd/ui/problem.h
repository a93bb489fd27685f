/*
 * Reports a problem with one thing while the command goes on with the others: once, in the same
 * form in every command. An error that ends a command is reported by ui_fail (cmd/ui/report.h).
 *
 * As a line on standard error:
 *
 *   fdump COMMAND: [note: ]FILE:LINE: STORE: AGENT: dump ID (NAME): offset N: PATH: WHAT
 *
 * With --json as an object instead: "type" (problem or note), "id", and those of these members that
 * are known: "file", "line", "store", "agent", "dump", "name", "began", "committed", "offset",
 * "path", "given", "status", "healed", "what". The line is printed too if the object can't be
 * written, and if .why is set: that error may be the command's last (ui_fail_end).
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

/* Members that are not known are zero. Borrowed for the call. */
struct ui_problem {
	const char *id; /* "backup.problem"; NULL: always a line */
	bool note;      /* does not change the exit status */
	bool output; /* for a command that lists problems: the line goes to standard output, without
			the command's name */
	const char *file;
	unsigned line;
	const char *store, *agent;
	const struct store_entry *dump;
	const uint8_t *dump_id; /* if nothing else is known of the dump */
	bool has_offset;
	uint64_t offset;
	struct pack_bytes path;
	bool given;         /* the path was given by the user, and is not just below one that was */
	const char *status; /* the entry's */
	size_t healed;      /* number of chunks */
	const char *what;   /* the problem as text, or ... */
	const struct err *why; /* ... as an error */
};

/* Returns 0, or -1 with err set if the object could not be written; the line was then printed. */
int ui_problem(const struct ui_problem *problem, struct err *err);

#endif
