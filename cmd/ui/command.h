/*
 * The tables that describe a command: its verbs, its options, the text of its help. The parser
 * (ui/options.h), --help and the shell completions (completion.c) all read these tables.
 *
 * A command declares one `const struct ui_command cmd_NAME`. Each option is a row. A row can also
 * name, by their letters, options that several commands share (ui/options.h). The help lists the
 * options in the order of the rows.
 *
 *   static const struct ui_option options[] = {
 *           {.shared = "sj"},
 *           {0, "copies", UI_NUMBER, "enough when N stores have it; default: all",
 *                   UI_AT(struct options, copies), .min = 1, .max = STORES_MAX},
 *           {0},
 *   };
 */
#ifndef FDUMP_CMD_UI_COMMAND_H
#define FDUMP_CMD_UI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct err;

/* The type of an option: the value that is expected, and the type of the variable that receives
 * it. */
enum ui_type {
	UI_FLAG,   /* bool; the option has no value */
	UI_TEXT,   /* const char * */
	UI_NAME,   /* const char *; a name (lib/name.h) */
	UI_FILE,   /* const char *; a path, not empty, as are the next two */
	UI_DIR,    /* const char * */
	UI_STORE,  /* const char *; a directory or NAME[:PORT] */
	UI_NUMBER, /* long, int or unsigned; from .min to .max */
	UI_TIME,   /* int64_t, in seconds; from .min to .max (0: any) */
	UI_SIZE,   /* uint64_t, in bytes */
	UI_CHOICE, /* int or an enum: the index in .choices, from 0 */
};

struct ui_option {
	char letter; /* 0: none */
	const char *name;
	enum ui_type type;
	const char *help;
	size_t at, size;     /* set by UI_AT: the variable, in the command's struct */
	const char *value;   /* the help's word for the value; NULL: the usual word of the type */
	const char *choices; /* "always|never" */
	long min, max;
	bool many; /* may be given more than once; requires .take */
	/* Called with the value, instead of setting a variable. Returns 0, or -1 with err set. */
	int (*take)(void *own, const char *value, struct err *err);
	/* The verbs that have the option, separated by blanks; "-" is the command without a verb.
	 * NULL: all verbs. */
	const char *verbs;
	/* The letters of shared options. The row then stands for them: its .verbs, and its .help if
	 * it is set, replace theirs, and its other members are not used. */
	const char *shared;
};

#define UI_AT(type, member)                                                                        \
	.at = offsetof(type, member), .size = sizeof(((const type *)NULL)->member)

struct ui_verb {
	const char *name;      /* "-": the command without a verb */
	const char *arguments; /* as .arguments of the command */
	const char *help;      /* NULL: not listed */
	/* As .run of the command. NULL: the command's own is called. */
	int (*run)(void *own, struct err *err);
};

struct ui_command {
	const char *name;
	const char *summary; /* its line in fdump --help */
	/* The forms of the command, one a line, without "fdump NAME". A line that starts with a
	 * blank continues the line above. NULL: made from the verbs. */
	const char *usage;
	const char *about; /* paragraphs, separated by empty lines */
	/* Both end with a zeroed row. verbs is NULL if the command has none. */
	const struct ui_verb *verbs;
	const struct ui_option *options;
	/* The arguments that follow the options: "DUMP [PATH...]". Words in brackets are optional;
	 * an option with its value marks one that is required. */
	const char *arguments;
	const char *hint; /* added to the message about too few or too many arguments; NULL: none */
	const char *exits;
	/* The command's own struct, whose first member is a struct ui_options. */
	void *own;
	/* Called when the options have been read; NULL: the verb's .run is called. Returns the exit
	 * status, or -1 with err set, which is then reported. */
	int (*run)(void *own, struct err *err);
};

/* Fills rows with all options of a command, shared ones included; the last is --help. Returns their
 * number. */
#define UI_COMMAND_OPTIONS 48
size_t ui_command_rows(const struct ui_command *command, struct ui_option rows[UI_COMMAND_OPTIONS]);

/* Whether a verb has the option. verb: NULL if the command has no verbs. */
bool ui_command_has(const struct ui_option *option, const struct ui_verb *verb);

/* Returns the type of the arguments, for completion: UI_DIR, UI_FILE, or UI_TEXT if the shell can't
 * complete them. */
enum ui_type ui_command_argument(const char *arguments);

/* Whether a word is in a list. *place: its index, from 0. */
bool ui_command_list(const char *list, char separator, const char *word, int *place);

/* Prints usage, description, verbs, options and exit statuses, 80 columns wide. */
void ui_command_help(const struct ui_command *command, FILE *to);

#endif
