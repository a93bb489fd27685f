/*
 * The options that commands on packs share: one spelling, one meaning, one
 * message, wherever they are. A command names those that it has by letters,
 * and adds its own.
 *
 *   zeroed, the first group set -> ui_options_parse -> use -> ui_options_fini
 *
 *   f -f, --file FILE            v -v, --verbose         k --key FILE
 *   C -C, --directory DIR        j --json                p --passphrase-file FILE
 *   T -T, --files-from FILE      0 --null                x --no-xattrs
 *   X -X, --exclude-from FILE,   t --threads N           n --numeric-owner
 *     and --exclude PATTERN      r --no-recursion
 *   s -s, --store STORE,         S --state DIR           c --command NAME=PROGRAM
 *     --config, --identity DIR   i --config, --identity   I --config DIR
 *   w --lock-wait TIME           a --agent NAME          (--help: always)
 */
#ifndef FDUMP_CMD_UI_OPTIONS_H
#define FDUMP_CMD_UI_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "cmd/store/store.h"
#include "cmd/ui/role.h"
#include "cmd/ui/select.h"
#include "cmd/ui/unseal.h"

/* .val of a command's own option that is only long; below 256: the letter of a
 * short one. */
#define UI_OPTIONS_OWN 512

#define UI_COMMANDS_MAX 64 /* --command */

struct ui_options {
	/* Set by the command. */
	const char *command, *help;
	const char *shared;            /* letters of the table above */
	const struct option *own;      /* ended by zeros; NULL: none */
	int repeats;                   /* .val of the one that can be given often; 0: none */
	int (*take)(void *ctx, int c); /* one of its own, with optarg: -1, or the exit status */
	void *ctx;
	/* What was given; borrowed from argv. */
	const char *file, *directory, *files_from, *state, *agent;
	bool has_file, has_directory; /* were given */
	const char *stores[STORES_MAX];
	struct store_access access; /* how they are accessed: --lock-wait, --identity */
	const char *config, *identity;
	bool as_agent; /* set by the command: without --identity it dials as the agent */
	struct ui_role role;
	struct ui_net net;
	size_t store_count;
	bool store_is_directory; /* set by a command whose store is an argument */
	char *commands[UI_COMMANDS_MAX + 1]; /* no two of one NAME; ended by NULL */
	size_t command_count;
	bool verbose, json, null, no_xattrs, numeric_owner, no_recursion;
	unsigned threads; /* if not given: the number of processors */
	struct ui_select select;
	struct ui_unseal unseal;
};

/* Reads the options; optind is then where the arguments begin. Returns -1 to go
 * on, else the exit status. */
int ui_options_parse(struct ui_options *options, int argc, char **argv);

/* The value of --lock-wait, NULL: the default; verbose: whether it is told also where there is no
 * terminal; kept. Returns -1 to go on, else the exit status. */
int ui_options_lock_wait(
	const char *command, const char *time, const bool *verbose, struct store_access *access);

/* A path that is an argument: if it is empty says so. Returns -1 to go on, else the exit status. */
int ui_options_path(const char *command, const char *path);

/* Whether an option that has a value is given for the second time, or has an empty path, for which
 * it then says that it can't be. seen: zero at first; table: at most 64. Returns -1 to go on, else
 * the exit status. */
int ui_options_once(const char *command, uint64_t *seen, const struct option *table, int c);

/* Says what is wrong with the option that getopt_long refused by c, '?' or ':'. Returns the exit
 * status. */
int ui_options_wrong(const char *command, int c, char **argv);

/* The arguments from optind on, and the lines of -T, are paths of entries: into
 * .select, which is ready then. Returns as ui_options_parse. */
int ui_options_paths(struct ui_options *options, int argc, char **argv);

/* For a walk: whether the patterns leave a path out. They do not follow the walk where there is
 * --no-recursion: then what is in a directory that is left out is left out by this. */
bool ui_options_excluded(
	const struct ui_options *options, const char *path, size_t len, bool is_dir);

/* Frees what was selected, wipes the keys. */
void ui_options_fini(struct ui_options *options);

#endif
