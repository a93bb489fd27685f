/*
 * The syntax of configuration files: sections with keys and values, as text. What they mean is the
 * caller's concern.
 *
 *   manager_syntax_read -> look at the sections -> manager_syntax_free
 *
 *     # a comment
 *     job "web" { paths = {"/srv/www", "/etc"}  copies = 2 }
 *
 *   file    = { kind [title] "{" { key ("=" | "+=") value } "}" }
 *   value   = text | "{" [text { "," text } [","]] "}"
 *   text    = word | "..." | '...'        kind and key are words, a title is a text
 *
 * A word ends at a blank, a quote, or one of {}(),=. Comments are # and // to the end of the line,
 * and slash-star to star-slash. In double quotes \n, \t and the like, and \xHH, are what they are
 * in
 * C, and a backslash before any other sign stands for that sign; in single quotes only \' and \\
 * are. A backslash at the end of a line joins the lines.
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
	/* For the caller: what its values can be, and the member of a struct that they go to. */
	const void *type;
	size_t at, size;
};
struct manager_syntax_rule {
	const char *kind; /* of the section: "job" */
	bool titled;      /* job "NAME" { } any number of times; else kind { } once */
	const struct manager_syntax_key *keys;
	const struct manager_syntax_key *shared; /* further ones, as other sections have; NULL */
};

struct manager_key {
	const struct manager_syntax_key *rule;
	const char *name; /* the rule's */
	unsigned line;
	const char **values;
	size_t count; /* 1 unless it is a list */
};

struct manager_section {
	size_t rule;              /* which one of the table */
	const char *title;        /* NULL if it has none */
	const char *file;         /* the name that the text was given */
	unsigned line;            /* of its opening brace */
	struct manager_key *keys; /* those that were given */
	size_t count;
};

struct manager_syntax {
	char *text;                       /* of all titles and values, and the file's name */
	struct manager_section *sections; /* in the order of the file */
	size_t count;
};

/* Is called for each problem. line 0: of the file as a whole. */
typedef void manager_problem(void *ctx, const char *file, unsigned line, const char *what);

/* Reads a text. file: its name, for messages. Returns 0 with *syntax to be freed; 1 if the text is
 * wrong: `problem` was called, and *syntax has the sections that are whole; -1 with err set:
 * ERR_NOMEM. */
int manager_syntax_read(struct manager_syntax *syntax, const char *file, const char *text,
	size_t len, const struct manager_syntax_rule *rules, manager_problem *problem, void *ctx,
	struct err *err);
void manager_syntax_free(struct manager_syntax *syntax);

#endif
