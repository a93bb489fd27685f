/* Finds options with getopt_long, whose tables are made from the command's. */
#include "cmd/ui/options.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/store/store.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "lib/err.h"
#include "lib/match.h"
#include "lib/name.h"
#include "lib/size.h"

#define DAY       86400
#define LONG_ONLY 256 /* what getopt_long returns for the first row's long option */

static void tell_wait(void *ctx, const char *text)
{
	const bool *verbose = ctx;

	if (*verbose || isatty(STDERR_FILENO))
		ui_say(NULL, "%s", text);
}

static void tell_dial(void *ctx, const char *text)
{
	(void)ctx;
	ui_progress_hush();
	ui_say(NULL, "%s", text);
}

/* Reports an option for which getopt_long returned c, '?' or ':'. Returns the exit status. */
static int refuse_option(int c, char **argv)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		return ui_usage("%s needs a value", word);
	if (strcmp(word, "--json") == 0)
		ui_result_json(NULL); /* the command has no --json */
	if (optopt > 0 && optopt <= 255 && strncmp(word, "--", 2) != 0)
		return ui_usage(
			"unrecognized option '-%c' (an argument that begins with '-' goes after "
			"'--')",
			optopt);
	return ui_usage("unrecognized option '%s'", word);
}

/* Finds out how services among the stores are reached. Returns as ui_options_parse. */
static int find_net(struct ui_options *o)
{
	struct err err = {0};
	int ret;

	if (o->as_agent && o->identity == NULL)
		ret = ui_role_set(&o->role, o->config, o->state, "agent", &err);
	else
		ret = ui_role_find(&o->role, o->config, o->state, "agent", o->identity, &err);
	if (ret < 0)
		return ui_fail(&err);
	if (ret > 0 || access(o->role.cert, F_OK) != 0)
		return -1; /* without an identity no service can be reached */
	ui_net_set(&o->net, &o->role);
	ui_test_times(&o->access.patience_ms);
	o->access.net = &o->net.net;
	return -1;
}

/* Parses a decimal number. Returns 0, or -1 if the text is not one from min to max. */
static int parse_number(const char *text, long min, long max, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	return *text == 0 || *end != 0 || errno != 0 || *value < min || *value > max ? -1 : 0;
}

/* Converts a value and stores it in its variable, in the command's struct. Returns 0, or -1 with
 * err set: ERR_USAGE. */
static int convert(const struct ui_option *o, uint8_t *own, const char *text, struct err *err)
{
	void *to = own + o->at;
	int64_t seconds;
	int place;
	long n;

	switch (o->type) {
	case UI_FLAG:
		assert(o->size == sizeof(bool));
		*(bool *)to = true;
		return 0;
	case UI_NUMBER:
		assert(o->size == sizeof n || o->size == sizeof(int));
		if (parse_number(text, o->min, o->max, &n) != 0)
			return err_set(err, ERR_USAGE, "expected a number from %ld to %ld", o->min,
				o->max);
		if (o->size == sizeof n)
			*(long *)to = n;
		else
			*(int *)to = (int)n;
		return 0;
	case UI_TIME:
		assert(o->size == sizeof seconds);
		if (size_parse_time(text, &seconds) == 0 && seconds >= o->min &&
			(o->max == 0 || seconds <= o->max)) {
			*(int64_t *)to = seconds;
			return 0;
		}
		if (o->max == 0)
			return err_set(err, ERR_USAGE, "expected a time like 30s, 10m, 12h or 7d");
		return err_set(err, ERR_USAGE, "expected a time like 10m, 12h or 7d, at most %ldd",
			o->max / DAY);
	case UI_SIZE:
		assert(o->size == sizeof(uint64_t));
		return size_parse(text, to) == 0
			       ? 0
			       : err_set(err, ERR_USAGE, "expected a size like 500M or 10G");
	case UI_CHOICE:
		assert(o->size == sizeof place);
		if (!ui_command_list(o->choices, '|', text, &place))
			return err_set(err, ERR_USAGE, "expected one of %s", o->choices);
		*(int *)to = place;
		return 0;
	default:
		assert(o->size == sizeof text);
		*(const char **)to = text;
		return 0;
	}
}

/* Handles an option that was given. Returns -1 to go on, else the exit status. */
static int take_option(struct ui_options *o, const struct ui_option *row)
{
	const bool path = row->type == UI_FILE || row->type == UI_DIR || row->type == UI_STORE;
	struct err err = {0};
	char name[64];
	int got;

	snprintf(name, sizeof name, "--%s", row->name);
	if (path && *optarg == 0)
		return ui_usage("%s '': empty path", name);
	if (row->type == UI_NAME && name_check(name, optarg, &err) != 0)
		return ui_usage("%s", err.message);
	got = row->take != NULL ? row->take(o, optarg, &err)
				: convert(row, (uint8_t *)o, optarg, &err);
	if (got == 0)
		return -1;
	err_prefix(&err, "%s", name);
	return err.code == ERR_USAGE ? ui_usage("%s", err.message) : ui_fail(&err);
}

/* Reads the options, and records in *seen which rows were given. Returns -1 to go on, else the exit
 * status. */
static int read_options(struct ui_options *o, const struct ui_command *command,
	const struct ui_option *rows, size_t count, int argc, char **argv, uint64_t *seen)
{
	struct option longs[UI_COMMAND_OPTIONS + 1] = {0};
	char shorts[2 * UI_COMMAND_OPTIONS + 2] = ":", *end = shorts + 1;
	size_t i;
	int c, status = -1;

	for (i = 0; i < count; i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].type != UI_FLAG ? required_argument : no_argument;
		longs[i].val = LONG_ONLY + (int)i;
		if (rows[i].letter != 0)
			*end++ = rows[i].letter;
		if (rows[i].letter != 0 && rows[i].type != UI_FLAG)
			*end++ = ':';
	}
	opterr = 0;
	optind = 1;
	while (status < 0 && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return refuse_option(c, argv);
		for (i = 0; c < LONG_ONLY ? rows[i].letter != c : i + LONG_ONLY != (size_t)c; i++)
			continue;
		if (i + 1 == count) {
			ui_pipe_ends(UI_OK);
			ui_command_help(command, stdout);
			return UI_OK;
		}
		if (*seen >> i & 1 && rows[i].type != UI_FLAG && !rows[i].many)
			return ui_usage("--%s can be given only once", rows[i].name);
		*seen |= (uint64_t)1 << i;
		status = take_option(o, &rows[i]);
	}
	return status;
}

/* Finds the verb, and checks that it has the options that were given. Returns -1 to go on, else the
 * exit status. */
static int find_verb(struct ui_options *o, const struct ui_option *rows, uint64_t seen, int argc,
	char **argv, const struct ui_verb *v)
{
	const char *word = optind < argc ? argv[optind] : "-";
	char names[256] = "";
	size_t i;

	for (; v->name != NULL && strcmp(v->name, word) != 0; v++)
		if (strcmp(v->name, "-") != 0)
			snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s",
				*names != 0 ? ", " : "", v->name);
	if (v->name == NULL)
		return ui_usage("%s%s%sexpected %s%s", optind < argc ? "'" : "",
			optind < argc ? word : "", optind < argc ? "': " : "",
			strchr(names, ',') != NULL ? "one of " : "", names);
	optind += optind < argc;
	o->verb = v;
	for (i = 0; seen >> i != 0; i++) {
		if (!(seen >> i & 1) || ui_command_has(&rows[i], v))
			continue;
		if (strcmp(rows[i].name, "json") == 0)
			ui_result_json(NULL);
		if (strcmp(v->name, "-") == 0)
			return ui_usage("--%s: can't be used without a verb", rows[i].name);
		return ui_usage("--%s: can't be used with '%s'", rows[i].name, v->name);
	}
	return -1;
}

/* Counts how many arguments are required, and how many are allowed. */
static void count_words(const char *words, int *least, int *most)
{
	size_t len;

	for (*least = *most = 0; *words != 0; words += len + (words[len] != 0)) {
		len = strcspn(words, " ");
		if (strncmp(words, "--", 2) == 0) { /* a required option, and its value */
			len += 1 + strcspn(words + len + 1, " ");
			continue;
		}
		*least += *words != '[';
		*most = *most == INT_MAX || memmem(words, len, "...", 3) != NULL ? INT_MAX
										 : *most + 1;
	}
}

/* Returns -1 to go on, else the exit status. */
static int check_arguments(const struct ui_options *o, const struct ui_command *command)
{
	const char *words = o->verb != NULL ? o->verb->arguments : command->arguments;
	const bool paths = ui_command_argument(words) != UI_TEXT;
	const char *verb = o->verb != NULL && strcmp(o->verb->name, "-") != 0 ? o->verb->name : "";
	int least, most, i;

	count_words(words, &least, &most);
	if (o->arg_count < least || o->arg_count > most)
		return ui_usage("%s%sexpected %s%s%s%s", verb, *verb != 0 ? ": " : "",
			*words != 0 ? words : "no arguments", command->hint != NULL ? " (" : "",
			command->hint != NULL ? command->hint : "",
			command->hint != NULL ? ")" : "");
	for (i = 0; i < o->arg_count && paths; i++)
		if (*o->args[i] == 0)
			return ui_usage("'': empty path");
	return -1;
}

/* Returns the number of processors that this process may use, 1 to 64. */
static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

int ui_options_parse(const struct ui_command *command, int argc, char **argv)
{
	struct ui_option rows[UI_COMMAND_OPTIONS];
	size_t count = ui_command_rows(command, rows);
	struct ui_options *o = command->own;
	uint64_t seen = 0;
	int status;

	o->command = command->name;
	o->threads = processors();
	o->access = (struct store_access){.wait_sec = STORE_LOCK_SEC,
		.patience_ms = STORE_PATIENCE_MS,
		.waits = tell_wait,
		.dials = tell_dial,
		.ctx = &o->verbose};
	status = read_options(o, command, rows, count, argc, argv, &seen);
	if (status < 0 && command->verbs != NULL)
		status = find_verb(o, rows, seen, argc, argv, command->verbs);
	o->args = argv + optind;
	o->arg_count = argc - optind;
	if (status < 0)
		status = check_arguments(o, command);
	return status >= 0 || o->store_count == 0 ? status : find_net(o);
}

int ui_options_paths(struct ui_options *o)
{
	struct err err = {0};

	for (; *o->args != NULL; o->args++)
		if (ui_select_path(&o->select, *o->args, &err) != 0)
			return ui_fail(&err);
	if (o->files_from != NULL &&
		ui_select_lines(o->files_from, o->null, o->null ? ui_select_name : ui_select_path,
			&o->select, &err) != 0)
		return ui_fail(&err);
	ui_select_ready(&o->select);
	return -1;
}

int ui_options_base(const struct ui_options *o, int *base, struct err *err)
{
	*base = AT_FDCWD;
	if (o->directory == NULL)
		return 0;
	*base = open(o->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *base >= 0 ? 0 : err_errno(err, errno, "%s", o->directory);
}

bool ui_options_excluded(const struct ui_options *o, const char *path, size_t len, bool is_dir)
{
	return (o->no_recursion ? match_test_deep : match_test)(
		       o->select.exclude, path, len, is_dir) == MATCH_EXCLUDED;
}

void ui_options_fini(struct ui_options *o)
{
	ui_select_fini(&o->select);
	ui_unseal_fini(&o->unseal);
}
