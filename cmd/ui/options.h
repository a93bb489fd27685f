/*
 * Reads the options of a command by its table (ui/command.h): finds them, checks and converts their
 * values, and reports what is wrong. It also has the options that several commands share, and their
 * values. A command names the ones it has by letters:
 *
 *   f -f, --file FILE           C -C, --directory DIR       T -T, --files-from FILE
 *   X -X, --exclude-from FILE,  0 --null                    r --no-recursion
 *     --exclude PATTERN         x --no-xattrs               n --numeric-owner
 *   s -s, --store STORE         a --agent NAME              c --command NAME=PROGRAM
 *   k --key FILE                p --passphrase-file FILE    t --threads N
 *   v -v, --verbose             j --json                    w --lock-wait TIME
 *   S --state DIR               (-h, --help: always)
 *   e --to FILE.pub
 *   A --config DIR, with stores' addresses      I --config DIR, with other configuration
 *   i --identity DIR, to reach stores with      o --identity DIR, an operator's
 *
 *   zeroed, defaults set -> ui_options_parse -> use -> ui_options_fini
 */
#ifndef FDUMP_CMD_UI_OPTIONS_H
#define FDUMP_CMD_UI_OPTIONS_H

#include <stdbool.h>
#include <unistd.h> /* optind */

#include "cmd/store/store.h"
#include "cmd/ui/command.h"
#include "cmd/ui/role.h"
#include "cmd/ui/select.h"
#include "cmd/ui/unseal.h"
#include "pack/keyblock.h"

#define UI_COMMANDS_MAX 64 /* --command */

struct ui_options {
	const char *command;        /* its name; all strings here are borrowed */
	const struct ui_verb *verb; /* NULL: the command has no verbs */
	char **args;                /* the arguments after options and verb, ended by NULL */
	int arg_count;
	const char *file, *directory, *files_from, *state, *agent;
	const char *stores[STORES_MAX];
	struct store_access access; /* how stores are accessed: --lock-wait, --identity */
	const char *config, *identity;
	bool as_agent; /* set by the command: without --identity, dial as the agent */
	struct ui_role role;
	struct ui_net net;
	size_t store_count;
	bool store_is_directory;             /* set by a command whose store is an argument */
	char *commands[UI_COMMANDS_MAX + 1]; /* no two with the same NAME; ended by NULL */
	size_t command_count;
	const char *to[PACK_KEYBLOCK_WRAPS]; /* --to */
	size_t to_count;
	bool verbose, json, null, no_xattrs, numeric_owner, no_recursion;
	unsigned threads; /* default: the number of processors */
	struct ui_select select;
	struct ui_unseal unseal;
};

/* Reads the options of a command into its struct, finds the verb, and counts the arguments. Returns
 * -1 to go on, else the exit status: an error was reported, or the help printed. */
int ui_options_parse(const struct ui_command *command, int argc, char **argv);

/* Adds the remaining arguments and the lines of -T to .select, as paths of entries; .select is then
 * ready. Returns as ui_options_parse. */
int ui_options_paths(struct ui_options *options);

/* Opens the directory of -C. *base: its descriptor, or AT_FDCWD without -C. Returns 0, or -1 with
 * err set. */
int ui_options_base(const struct ui_options *options, int *base, struct err *err);

/* For a walk: whether the patterns exclude a path. With --no-recursion the walk does not descend
 * from folder to folder, so a path is then also excluded if a folder above it is. */
bool ui_options_excluded(
	const struct ui_options *options, const char *path, size_t len, bool is_dir);

/* Frees the selection and wipes the keys. */
void ui_options_fini(struct ui_options *options);

#endif
