/*
 * The syntax of configuration files: sections with keys and values, as text.
 * What they mean is config.h's concern.
 *
 *   manager_syntax_read -> look at the sections -> manager_syntax_free
 *
 *     # a comment
 *     job "web" { paths = {"/srv/www", "/etc"}  copies = 2 }
 *
 * libconfuse does the parsing, and is known to syntax.c only. Four of its
 * habits are not FDump's: it counts the lines of comments twice, takes the
 * end of the file for a missing brace, replaces a section or a key that is
 * given twice, and puts the environment into values. syntax.c sees to these.
 *
 * libconfuse's scanner has global state: one thread at a time.
 */
#ifndef FDUMP_CMD_MANAGER_SYNTAX_H
#define FDUMP_CMD_MANAGER_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

struct err;

#define MANAGER_SYNTAX_MAX (1u << 20) /* bytes of a file */

/* What a file may contain. Tables end with a NULL name. */
struct manager_syntax_key {
	const char *name;
	bool list; /* {a, b}, also += and a single value */
};
struct manager_syntax_rule {
	const char *kind; /* of the section: "job" */
	bool titled;      /* job "NAME" { } any number of times; else kind { } once */
	const struct manager_syntax_key *keys;
};

struct manager_key {
	const char *name; /* the rule's */
	unsigned line;
	char **values;
	size_t count; /* 1 unless it is a list */
};

struct manager_section {
	size_t rule;              /* which one of the table */
	char *title;              /* NULL if it has none */
	const char *file;         /* the name that the text was given */
	unsigned line;            /* of its opening brace */
	struct manager_key *keys; /* those that were given */
	size_t count;
};

struct manager_syntax {
	char *file;
	struct manager_section *sections; /* in the order of the file */
	size_t count;
};

/* Is called for each problem. line 0: of the file as a whole. */
typedef void manager_problem(void *ctx, const char *file, unsigned line, const char *what);

/* Reads a text. file: its name, for messages. Returns 0 with *syntax to be
 * freed; 1 if the text is wrong: `problem` was called, and *syntax has what came
 * before; -1 with err set: ERR_NOMEM. */
int manager_syntax_read(struct manager_syntax *syntax, const char *file, const char *text,
	size_t len, const struct manager_syntax_rule *rules, manager_problem *problem, void *ctx,
	struct err *err);
void manager_syntax_free(struct manager_syntax *syntax);

#endif
