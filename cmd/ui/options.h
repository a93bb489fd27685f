/*
 * Reads the options of a command by its table (ui/command.h): finds them, checks and converts their
 * values, says what is wrong. Here are also the options that several commands share, and their
 * values. A command names those that it has by letters:
 *
 *   f -f, --file FILE           C -C, --directory DIR       T -T, --files-from FILE
 *   X -X, --exclude-from FILE,  0 --null                    r --no-recursion
 *     --exclude PATTERN         x --no-xattrs               n --numeric-owner
 *   s -s, --store STORE         a --agent NAME              c --command NAME=PROGRAM
 *   k --key FILE                p --passphrase-file FILE    t --threads N
 *   v -v, --verbose             j --json                    w --lock-wait TIME
 *   S --state DIR               (-h, --help: always)
 *   A, I --config DIR: with stores' addresses, with other configuration
 *   i, o --identity DIR: to reach stores with, an operator's
 *
 *   zeroed, defaults set -> ui_options_parse -> use -> ui_options_fini
 */
#ifndef FDUMP_CMD_UI_OPTIONS_H
#define FDUMP_CMD_UI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h> /* optind */

#include "cmd/store/store.h"
#include "cmd/ui/command.h"
#include "cmd/ui/role.h"
#include "cmd/ui/select.h"
#include "cmd/ui/unseal.h"

#define UI_COMMANDS_MAX 64 /* --command */

struct ui_options {
	const char *command;        /* its name */
	const struct ui_verb *verb; /* NULL: the command has none */
	char **args;                /* those that follow the options and the verb, ended by NULL */
	int arg_count;
	/* What was given; borrowed from argv. */
	const char *file, *directory, *files_from, *state, *agent;
	const char *stores[STORES_MAX];
	struct store_access access; /* how they are accessed: --lock-wait, --identity */
	const char *config, *identity;
	bool as_agent; /* set by the command: without --identity it dials as the agent */
	struct ui_role role;
	struct ui_net net;
	size_t store_count;
	bool store_is_directory;             /* set by a command whose store is an argument */
	char *commands[UI_COMMANDS_MAX + 1]; /* no two of one NAME; ended by NULL */
	size_t command_count;
	bool verbose, json, null, no_xattrs, numeric_owner, no_recursion;
	unsigned threads; /* if not given: the number of processors */
	struct ui_select select;
	struct ui_unseal unseal;
};

/* Reads the options of a command into its struct, finds the verb, counts the arguments. Returns -1
 * to go on, else the exit status: something was wrong, and is told, or the help was asked for. */
int ui_options_parse(const struct ui_command *command, int argc, char **argv);

/* The arguments that are left, and the lines of -T, are paths of entries: into .select, which is
 * ready then. Returns as ui_options_parse. */
int ui_options_paths(struct ui_options *options);

/* For a walk: whether the patterns leave a path out. They do not follow the walk where there is
 * --no-recursion: then what is in a directory that is left out is left out by this. */
bool ui_options_excluded(
	const struct ui_options *options, const char *path, size_t len, bool is_dir);

/* Frees what was selected, wipes the keys. */
void ui_options_fini(struct ui_options *options);

#endif
