/* The options that commands share, and what the tables say. */
#include "cmd/ui/command.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cmd/ui/options.h"
#include "lib/err.h"
#include "lib/lane.h"

static int take_command(void *ctx, const char *text, struct err *err)
{
	struct ui_options *o = ctx;
	size_t len = strcspn(text, "="), i, n, both;

	if (o->command_count == UI_COMMANDS_MAX)
		return err_set(err, ERR_USAGE, "over %d commands", UI_COMMANDS_MAX);
	/* In one pack or dump two entries of one name would drive each other out. */
	for (i = 0; i < o->command_count; i++) {
		n = strcspn(o->commands[i], "=");
		both = n < len ? n : len;
		if (strncmp(o->commands[i], text, both) != 0)
			continue;
		if (n == len)
			return err_set(
				err, ERR_USAGE, "the name %.*s is given twice", (int)len, text);
		if ((n < len ? text : o->commands[i])[both] == '/')
			return err_set(err, ERR_USAGE,
				"%.*s can't be in %.*s, which is not a directory",
				(int)(n < len ? len : n), n < len ? text : o->commands[i],
				(int)both, text);
	}
	o->commands[o->command_count++] = (char *)(uintptr_t)text;
	return 0;
}

static int take_store(void *ctx, const char *text, struct err *err)
{
	struct ui_options *o = ctx;

	if (o->store_count == STORES_MAX)
		return err_set(err, ERR_USAGE, "over %d stores", STORES_MAX);
	o->stores[o->store_count++] = text;
	return 0;
}

static int take_key(void *ctx, const char *text, struct err *err)
{
	return ui_unseal_add(&((struct ui_options *)ctx)->unseal, text, err);
}

static int take_pattern(void *ctx, const char *text, struct err *err)
{
	return ui_select_pattern(&((struct ui_options *)ctx)->select, text, err);
}

static int take_patterns(void *ctx, const char *text, struct err *err)
{
	return ui_select_patterns_from(&((struct ui_options *)ctx)->select, text, false, err);
}

/* One spelling, one meaning, one message, wherever they are. */
static const struct ui_option shared[] = {
	{'f', "file", UI_FILE, "read FILE ('-': standard input, the default)",
		UI_AT(struct ui_options, file), .shared = "f"},
	{'C', "directory", UI_DIR, "PATHs are in DIR", UI_AT(struct ui_options, directory),
		.shared = "C"},
	{'T', "files-from", UI_FILE, "read more PATHs from FILE ('-': standard input)",
		UI_AT(struct ui_options, files_from), .shared = "T"},
	{0, "null", UI_FLAG, "PATHs in FILE end in NUL, not newline",
		UI_AT(struct ui_options, null), .shared = "0"},
	{'X', "exclude-from", UI_FILE, "leave out what matches the patterns in FILE", .many = true,
		.take = take_patterns, .shared = "X"},
	{0, "exclude", UI_TEXT, "leave out what matches, as in .gitignore", .value = "PATTERN",
		.many = true, .take = take_pattern, .shared = "X"},
	{0, "no-recursion", UI_FLAG,
		"do not go into directories; with -T FILE: take exactly what is listed there",
		UI_AT(struct ui_options, no_recursion), .shared = "r"},
	{0, "no-xattrs", UI_FLAG, "leave out extended attributes and ACLs",
		UI_AT(struct ui_options, no_xattrs), .shared = "x"},
	{0, "numeric-owner", UI_FLAG, "owners and groups by number, not by name",
		UI_AT(struct ui_options, numeric_owner), .shared = "n"},
	{0, "command", UI_TEXT,
		"store the output of PROGRAM as member NAME; what is there in the tree is left "
		"out, and listed",
		.value = "NAME=PROGRAM", .many = true, .take = take_command, .shared = "c"},
	{'s', "store", UI_STORE, "a store: a directory (with a slash), or a service's NAME[:PORT]",
		.many = true, .take = take_store, .shared = "s"},
	{0, "config", UI_DIR, "where stores' addresses are; default: /etc/fdump",
		UI_AT(struct ui_options, config), .shared = "A"},
	{0, "config", UI_DIR, "where configuration is; default: /etc/fdump",
		UI_AT(struct ui_options, config), .shared = "I"},
	{0, "identity", UI_DIR,
		"key and certificate to reach services with; default: ~/.config/fdump, else this "
		"machine's agent's",
		UI_AT(struct ui_options, identity), .shared = "i"},
	{0, "identity", UI_DIR, "the operator's key and certificate; default: ~/.config/fdump",
		UI_AT(struct ui_options, identity), .shared = "o"},
	{0, "state", UI_DIR, "the services' own files; default: /var/lib/fdump",
		UI_AT(struct ui_options, state), .shared = "S"},
	{0, "agent", UI_NAME, "whose 'latest' is meant; default: this host",
		UI_AT(struct ui_options, agent), .shared = "a"},
	{0, "lock-wait", UI_TIME,
		"wait this long while another process writes to a store; default: 30s",
		UI_AT(struct ui_options, access.wait_sec), .shared = "w"},
	{0, "key", UI_FILE, "decrypt with this secret key", .many = true, .take = take_key,
		.shared = "k"},
	{0, "passphrase-file", UI_FILE, "read the passphrase from the first line of FILE",
		UI_AT(struct ui_options, unseal.passphrase_file), .shared = "p"},
	{'v', "verbose", UI_FLAG, "print the name of each entry on standard error",
		UI_AT(struct ui_options, verbose), .shared = "v"},
	{0, "json", UI_FLAG, "print JSON, one object a line", UI_AT(struct ui_options, json),
		.shared = "j"},
	{0, "threads", UI_NUMBER, "use N threads; default: one for each processor",
		UI_AT(struct ui_options, threads), .min = 1, .max = LANE_THREADS_MAX,
		.shared = "t"},
	{'h', "help", UI_FLAG, .help = "print this text", .shared = "h"},
};

/* Adds the shared options that a row stands for. Returns how many rows there are. */
static size_t add_shared(
	struct ui_option rows[UI_COMMAND_OPTIONS], size_t count, const struct ui_option *row)
{
	const char *letter;
	size_t i;

	for (letter = row->shared; *letter != 0; letter++)
		for (i = 0; i < sizeof shared / sizeof *shared; i++) {
			if (*shared[i].shared != *letter)
				continue;
			assert(count < UI_COMMAND_OPTIONS);
			rows[count] = shared[i];
			rows[count].verbs = row->verbs;
			if (row->help != NULL)
				rows[count].help = row->help;
			count++;
		}
	return count;
}

size_t ui_command_rows(const struct ui_command *command, struct ui_option rows[UI_COMMAND_OPTIONS])
{
	static const struct ui_option help = {.shared = "h"};
	const struct ui_option *row;
	size_t count = 0;

	for (row = command->options; row != NULL && (row->name != NULL || row->shared != NULL);
		row++)
		if (row->shared != NULL) {
			count = add_shared(rows, count, row);
		} else {
			assert(count < UI_COMMAND_OPTIONS);
			rows[count++] = *row;
		}
	return add_shared(rows, count, &help);
}

const char *ui_command_value(const struct ui_option *o)
{
	static const char *const words[] = {[UI_TEXT] = "TEXT",
		[UI_NAME] = "NAME",
		[UI_FILE] = "FILE",
		[UI_DIR] = "DIR",
		[UI_STORE] = "STORE",
		[UI_NUMBER] = "N",
		[UI_TIME] = "TIME",
		[UI_SIZE] = "SIZE",
		[UI_CHOICE] = "WHAT"};

	return o->value != NULL ? o->value : words[o->type];
}

bool ui_command_list(const char *list, char separator, const char *word, int *place)
{
	const char stop[] = {separator, 0};
	size_t len;

	for (*place = 0; *list != 0; ++*place, list += len + (list[len] != 0)) {
		len = strcspn(list, stop);
		if (len == strlen(word) && strncmp(list, word, len) == 0)
			return true;
	}
	return false;
}

bool ui_command_has(const struct ui_option *o, const struct ui_verb *verb)
{
	int place;

	return o->verbs == NULL ||
	       (verb != NULL && ui_command_list(o->verbs, ' ', verb->name, &place));
}

enum ui_type ui_command_argument(const char *words)
{
	return strstr(words, "DIR") != NULL                                     ? UI_DIR
	       : strstr(words, "FILE") != NULL || strstr(words, "PATH") != NULL ? UI_FILE
										: UI_TEXT;
}
