/* The options that commands share, and the help that is made from the tables. */
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
	/* Two entries of one name in a pack or dump would replace each other. */
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

/* Adds a text to a list. what: the word for several of them. */
static int add_text(const char **list, size_t *count, int max, const char *what, const char *text,
	struct err *err)
{
	if (*count == (size_t)max)
		return err_set(err, ERR_USAGE, "over %d %s", max, what);
	list[(*count)++] = text;
	return 0;
}

static int take_store(void *ctx, const char *text, struct err *err)
{
	struct ui_options *o = ctx;

	return add_text(o->stores, &o->store_count, STORES_MAX, "stores", text, err);
}

static int take_recipient(void *ctx, const char *text, struct err *err)
{
	struct ui_options *o = ctx;

	return add_text(o->to, &o->to_count, PACK_KEYBLOCK_WRAPS, "keys", text, err);
}

static int take_key(void *ctx, const char *text, struct err *err)
{
	struct ui_unseal *u = &((struct ui_options *)ctx)->unseal;

	return add_text(u->paths, &u->count, UI_UNSEAL_KEYS, "keys", text, err);
}

static int take_pattern(void *ctx, const char *text, struct err *err)
{
	return ui_select_exclude(&((struct ui_options *)ctx)->select, text, NULL, err);
}

static int take_patterns(void *ctx, const char *text, struct err *err)
{
	return ui_select_exclude(&((struct ui_options *)ctx)->select, NULL, text, err);
}

/* Defined once, so that spelling, meaning and message are the same in every command. */
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
	{0, "to", UI_FILE, "encrypt to this public key", .value = "FILE.pub", .many = true,
		.take = take_recipient, .shared = "e"},
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

/* Adds the shared options that a row names. Returns the new number of rows. */
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

/* --- help ----------------------------------------------------------------------- */

#define WIDTH    80
#define LEFT_MAX 26 /* a longer option gets a line of its own */
#define TEXT_MAX 1024

/* Prints text, wrapped, starting in column `at`; further lines start in column `indent`. */
static void wrap(FILE *to, const char *text, int indent, int at)
{
	int len;

	for (; *text != 0; text += len) {
		len = (int)strcspn(text, " \n");
		if (at > indent && at + 1 + len > WIDTH)
			at = fprintf(to, "\n%*s", indent, "") - 1;
		else if (at > indent && len > 0)
			at += fprintf(to, " ");
		at += fprintf(to, "%.*s", len, text);
		if (text[len] == '\n')
			at = fprintf(to, "\n%*s", indent, "") - 1;
		len += text[len] != 0;
	}
	fputc('\n', to);
}

/* Prints a verb or an option on the left, and its description on the right. */
static void print_item(FILE *to, const char *left, const char *help, int column)
{
	int len = fprintf(to, "  %s", left);

	if (len + 2 > column)
		len = fprintf(to, "\n") - 1;
	fprintf(to, "%*s", column - len, "");
	wrap(to, help, column, column);
}

/* "-s, --store STORE" */
static void name_option(char left[TEXT_MAX], const struct ui_option *o)
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
	const char *value = o->value != NULL ? o->value : words[o->type];
	char letter[] = "-x, ";

	letter[1] = o->letter;
	snprintf(left, TEXT_MAX, "%s--%s%s%s", o->letter != 0 ? letter : "    ", o->name,
		value != NULL ? " " : "", value != NULL ? value : "");
}

/* "-s, --store STORE   (next, prev) a store (repeatable)". verbs: whether to list the verbs that
 * have it. */
static void print_option(FILE *to, const struct ui_option *o, bool verbs, int column)
{
	const char *at = verbs && o->verbs != NULL ? o->verbs : "", *before = "(";
	char left[TEXT_MAX], text[TEXT_MAX];
	int len = 0, n;

	for (; *at != 0; at += n + (at[n] == ' '), before = ", ") {
		n = (int)strcspn(at, " ");
		len += n == 1 && *at == '-' ? sprintf(text + len, "%swithout a verb", before)
					    : sprintf(text + len, "%s%.*s", before, n, at);
	}
	snprintf(text + len, TEXT_MAX - (size_t)len, "%s%s%s", len > 0 ? ") " : "", o->help,
		o->many ? " (repeatable)" : "");
	name_option(left, o);
	print_item(to, left, text, column);
}

/* Returns the column in which descriptions start. */
static int find_column(const struct ui_command *command, const struct ui_option *rows, size_t count)
{
	const struct ui_verb *v;
	char left[TEXT_MAX];
	size_t i, max = 0, len;

	for (i = 0; i < count; i++) {
		name_option(left, &rows[i]);
		len = strlen(left);
		max = len > max && len <= LEFT_MAX ? len : max;
	}
	for (v = command->verbs; v != NULL && v->name != NULL; v++)
		max = v->help != NULL && strlen(v->name) > max ? strlen(v->name) : max;
	return (int)max + 4;
}

/* Returns the verb under which an option is listed because only that verb has it; NULL if there is
 * none. */
static const struct ui_verb *verb_of(
	const struct ui_command *command, const struct ui_option *option)
{
	const struct ui_verb *v;

	for (v = command->verbs; option->verbs != NULL && v->name != NULL; v++)
		if (v->help != NULL && strcmp(option->verbs, v->name) == 0)
			return v;
	return NULL;
}

static void print_usage(
	FILE *to, const struct ui_command *command, const struct ui_option *rows, size_t count)
{
	const struct ui_verb *v;
	const char *line, *head = "usage:";
	size_t i;
	int len;

	for (line = command->usage; line != NULL; line = line[len] != 0 ? line + len + 1 : NULL) {
		len = (int)strcspn(line, "\n");
		if (*line == ' ') /* continues the line above, aligned with its arguments */
			fprintf(to, "%*s%.*s\n", (int)strlen(command->name) + 13, "", len, line);
		else
			fprintf(to, "%s fdump %s%s%.*s\n", head, command->name, len > 0 ? " " : "",
				len, line);
		head = "      ";
	}
	for (v = command->verbs; command->usage == NULL && v->name != NULL; v++) {
		fprintf(to, "%s fdump %s", head, command->name);
		if (strcmp(v->name, "-") != 0)
			fprintf(to, " %s", v->name);
		if (*v->arguments != 0)
			fprintf(to, " %s", v->arguments);
		for (i = 0; i < count && !ui_command_has(&rows[i], v); i++)
			continue;
		fputs(i + 1 < count ? " [options]\n" : "\n", to); /* the last is --help */
		head = "      ";
	}
}

void ui_command_help(const struct ui_command *command, FILE *to)
{
	struct ui_option rows[UI_COMMAND_OPTIONS];
	size_t count = ui_command_rows(command, rows), i;
	const int column = find_column(command, rows, count);
	const struct ui_verb *v;

	print_usage(to, command, rows, count);
	fputc('\n', to);
	wrap(to, command->about, 0, 0);
	fputc('\n', to);
	for (v = command->verbs; v != NULL && v->name != NULL; v++) {
		if (v->help == NULL)
			continue;
		print_item(to, strcmp(v->name, "-") == 0 ? "(no verb)" : v->name, v->help, column);
		for (i = 0; i < count; i++)
			if (verb_of(command, &rows[i]) == v)
				print_option(to, &rows[i], false, column);
		if (v[1].name == NULL)
			fputc('\n', to);
	}
	for (i = 0; i < count; i++)
		if (verb_of(command, &rows[i]) == NULL)
			print_option(to, &rows[i], true, column);
	fputs("\nExit status:", to);
	wrap(to, command->exits, 0, 12);
}
