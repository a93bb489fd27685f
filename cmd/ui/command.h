/*
 * What a command is, in tables: its verbs, its options, the words of its help. Everything that has
 * to know them reads these tables: the parser (ui/options.h), --help and the
 * completions of the shells (completion.c).
 *
 * A command declares one `const struct ui_command cmd_NAME`. Its options are rows; what several
 * commands have in common is a row too, which names shared options by their letters (ui/options.h).
 * The help lists the options in the order of the rows.
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

/* The type of an option: what is expected, and the type of the variable that takes it. */
enum ui_type {
	UI_FLAG,   /* bool; the option has no value */
	UI_TEXT,   /* const char * */
	UI_NAME,   /* const char *; a name (lib/name.h) */
	UI_FILE,   /* const char *; a path, not empty; likewise the next two */
	UI_DIR,    /* const char * */
	UI_STORE,  /* const char *; a directory or NAME[:PORT] */
	UI_NUMBER, /* long, int or unsigned; from .min to .max */
	UI_TIME,   /* int64_t, in seconds; from .min to .max (0: any) */
	UI_SIZE,   /* uint64_t, in bytes */
	UI_CHOICE, /* int or an enum: the place among .choices, from 0 */
};

struct ui_option {
	char letter; /* 0: none */
	const char *name;
	enum ui_type type;
	const char *help;
	size_t at, size;     /* UI_AT: of the variable, in the command's struct */
	const char *value;   /* what the help calls the value; NULL: the type's usual word */
	const char *choices; /* "always|never" */
	long min, max;
	bool many; /* can be given more than once; wants .take */
	/* Takes the value instead of a variable. Returns 0, or -1 with err set. */
	int (*take)(void *own, const char *value, struct err *err);
	/* The verbs that have it, each followed by a blank or the end; "-": the command without a
	 * verb. NULL: all. */
	const char *verbs;
	/* Instead of all of the above but .help and .verbs, which then replace those of each:
	 * letters of shared options. */
	const char *shared;
};

#define UI_AT(type, member)                                                                        \
	.at = offsetof(type, member), .size = sizeof(((const type *)NULL)->member)

struct ui_verb {
	const char *name;      /* "-": the command without a verb */
	const char *arguments; /* as those of the command */
	const char *help;      /* NULL: not listed */
	/* As that of the command; NULL: the command's own. */
	int (*run)(void *own, struct err *err);
};

struct ui_command {
	const char *name;
	const char *summary; /* its line in fdump --help */
	/* Its forms, one a line, without "fdump NAME"; a line that begins with a blank goes on with
	 * the one before. NULL: made from the verbs. */
	const char *usage;
	const char *about; /* paragraphs, with an empty line between them */
	/* Both ended by zeros; verbs may be NULL, then there are none. */
	const struct ui_verb *verbs;
	const struct ui_option *options;
	/* What follows the options: "DUMP [PATH...]". Words in brackets may be left out; an option
	 * with its value stands for one that is required. */
	const char *arguments;
	const char *hint; /* said when there are too few or too many; NULL: none */
	const char *exits;
	/* The command's own struct, which begins with a struct ui_options. */
	void *own;
	/* After the options were read; NULL: the verb's. Returns the exit status, or -1 with err
	 * set, which is then reported. */
	int (*run)(void *own, struct err *err);
};

/* The options that a command has, shared ones and, last, --help included. Returns how
 * many. */
#define UI_COMMAND_OPTIONS 48
size_t ui_command_rows(const struct ui_command *command, struct ui_option rows[UI_COMMAND_OPTIONS]);

/* Whether a verb has the option; NULL: the command has no verbs. */
bool ui_command_has(const struct ui_option *option, const struct ui_verb *verb);

/* What .arguments are: UI_DIR, UI_FILE or, if the shell knows neither, UI_TEXT. */
enum ui_type ui_command_argument(const char *arguments);

/* Whether a word is in a list, and at which place. */
bool ui_command_list(const char *list, char separator, const char *word, int *place);

/* Prints usage, what the command does, verbs, options and exit statuses, 80 columns wide. */
void ui_command_help(const struct ui_command *command, FILE *to);

#endif
