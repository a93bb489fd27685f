/*
 * The syntax of configuration files: sections with keys and values, which are strings. The caller
 * gives them their meaning.
 *
 *   manager_syntax_read -> use the sections -> manager_syntax_free
 *
 *     # a comment
 *     job "web" { paths = {"/srv/www", "/etc"}  copies = 2 }
 *
 *   file    = { kind [title] "{" { key ("=" | "+=") value } "}" }
 *   value   = text | "{" [text { "," text } [","]] "}"
 *   text    = word | "..." | '...'        kind and key are words, a title is a text
 *
 * A word ends at whitespace, a quote, or one of {}(),=. Comments are # and // to the end of the
 * line, and slash-star to star-slash. In double quotes, escapes such as \n, \t and \xHH have the
 * same meaning as in C, and a backslash before any other sign stands for that sign. In single
 * quotes there are only \' and \\. A backslash at the end of a line joins the lines.
 */
#ifndef FDUMP_CMD_MANAGER_SYNTAX_H
#define FDUMP_CMD_MANAGER_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

struct err;

#define MANAGER_SYNTAX_MAX (1u << 20) /* bytes of a file */

/* What a file may contain. The tables end with a NULL name. */
struct manager_syntax_key {
	const char *name;
	bool list; /* {a, b} and += are allowed, and a single value */
	/* For the caller: the type of its values, and the struct member that they go to. */
	const void *type;
	size_t at, size;
};
struct manager_syntax_rule {
	const char *kind; /* of the section: "job" */
	bool titled;      /* job "NAME" { }, any number of times; otherwise kind { }, once */
	const struct manager_syntax_key *keys;
	const struct manager_syntax_key *shared; /* keys shared with other sections; NULL: none */
};

struct manager_key {
	const struct manager_syntax_key *rule;
	const char *name; /* the rule's */
	unsigned line;
	const char **values;
	size_t count; /* 1 unless it is a list */
};

struct manager_section {
	size_t rule;              /* its index in the table of rules */
	const char *title;        /* NULL if it has none */
	const char *file;         /* as given to manager_syntax_read */
	unsigned line;            /* of its opening brace */
	struct manager_key *keys; /* the keys that the file has */
	size_t count;
	bool broken; /* its structure is wrong: more keys may follow that were not read */
};

struct manager_syntax {
	char *text;                       /* all titles and values, and the file's name */
	struct manager_section *sections; /* in the order of the file */
	size_t count;
	bool cut; /* the rest of the file was not read: a quote or comment is not closed */
};

/* Called for each problem. line 0: the problem is not in a certain line. */
typedef void manager_problem(void *ctx, const char *file, unsigned line, const char *what);

/* Parses a text. file: its name, for messages. Returns 0; 1 if the text is invalid: `problem` was
 * called, and *syntax has what could be read; -1 with err set: ERR_NOMEM. After 0 and 1
 * *syntax must be freed. */
int manager_syntax_read(struct manager_syntax *syntax, const char *file, const char *text,
	size_t len, const struct manager_syntax_rule *rules, manager_problem *problem, void *ctx,
	struct err *err);
void manager_syntax_free(struct manager_syntax *syntax);

#endif
