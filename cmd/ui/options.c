/* Tables for getopt_long, put together from what a command has. */
#include "cmd/ui/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/store/store.h"
#include "cmd/ui/report.h"
#include "lib/err.h"
#include "lib/lane.h"
#include "lib/match.h"
#include "lib/name.h"

#define OWN_MAX 32

enum {
	OPT_EXCLUDE = 256,
	OPT_NULL,
	OPT_JSON,
	OPT_KEY,
	OPT_PASS,
	OPT_THREADS,
	OPT_NO_XATTRS,
	OPT_NUMERIC,
	OPT_NO_RECURSION,
	OPT_STATE,
	OPT_AGENT,
	OPT_COMMAND,
	OPT_LOCK_WAIT,
	OPT_CONFIG,
	OPT_IDENTITY,
	OPT_HELP
};

static const struct {
	char letter; /* of .shared; 0: always */
	struct option option;
} table[] = {
	{'f', {"file", required_argument, NULL, 'f'}},
	{'C', {"directory", required_argument, NULL, 'C'}},
	{'T', {"files-from", required_argument, NULL, 'T'}},
	{'X', {"exclude-from", required_argument, NULL, 'X'}},
	{'X', {"exclude", required_argument, NULL, OPT_EXCLUDE}},
	{'v', {"verbose", no_argument, NULL, 'v'}},
	{'j', {"json", no_argument, NULL, OPT_JSON}},
	{'0', {"null", no_argument, NULL, OPT_NULL}},
	{'t', {"threads", required_argument, NULL, OPT_THREADS}},
	{'k', {"key", required_argument, NULL, OPT_KEY}},
	{'p', {"passphrase-file", required_argument, NULL, OPT_PASS}},
	{'x', {"no-xattrs", no_argument, NULL, OPT_NO_XATTRS}},
	{'n', {"numeric-owner", no_argument, NULL, OPT_NUMERIC}},
	{'r', {"no-recursion", no_argument, NULL, OPT_NO_RECURSION}},
	{'s', {"store", required_argument, NULL, 's'}},
	{'s', {"config", required_argument, NULL, OPT_CONFIG}},
	{'s', {"identity", required_argument, NULL, OPT_IDENTITY}},
	{'i', {"config", required_argument, NULL, OPT_CONFIG}},
	{'i', {"identity", required_argument, NULL, OPT_IDENTITY}},
	{'I', {"config", required_argument, NULL, OPT_CONFIG}},
	{'S', {"state", required_argument, NULL, OPT_STATE}},
	{'a', {"agent", required_argument, NULL, OPT_AGENT}},
	{'c', {"command", required_argument, NULL, OPT_COMMAND}},
	{'w', {"lock-wait", required_argument, NULL, OPT_LOCK_WAIT}},
	{0, {"help", no_argument, NULL, OPT_HELP}},
};

#define TABLE (sizeof table / sizeof *table)

/* In one pack or dump two entries of one name would drive each other out. */
static int add_command(struct ui_options *o, char *text)
{
	size_t len = strcspn(text, "="), i, n, both;

	if (o->command_count == UI_COMMANDS_MAX)
		return ui_usage(o->command, "over %d commands", UI_COMMANDS_MAX);
	for (i = 0; i < o->command_count; i++) {
		n = strcspn(o->commands[i], "=");
		both = n < len ? n : len;
		if (strncmp(o->commands[i], text, both) != 0)
			continue;
		if (n == len)
			return ui_usage(o->command,
				"--command: there are two of the name %.*s: give each its own",
				(int)len, text);
		if ((n < len ? text : o->commands[i])[both] == '/')
			return ui_usage(o->command,
				"--command: %.*s can't be in %.*s, which is no directory",
				(int)(n < len ? len : n), n < len ? text : o->commands[i],
				(int)both, text);
	}
	o->commands[o->command_count++] = text;
	return -1;
}

static void tell_wait(void *ctx, const char *text)
{
	const bool *verbose = ctx;

	if (*verbose || isatty(STDERR_FILENO))
		ui_say(NULL, "%s", text);
}

static void tell_dial(void *ctx, const char *text)
{
	(void)ctx;
	ui_say(NULL, "%s", text);
}

int ui_options_lock_wait(
	const char *command, const char *time, const bool *verbose, struct store_access *access)
{
	int64_t sec = STORE_LOCK_SEC;

	if (time != NULL && ui_duration(time, &sec) != 0)
		return ui_usage(command, "--lock-wait wants a time as 30s, 10m or 2h");
	*access = (struct store_access){.wait_sec = sec,
		.patience_ms = STORE_PATIENCE_MS,
		.waits = tell_wait,
		.dials = tell_dial,
		.ctx = (void *)(uintptr_t)verbose};
	return -1;
}

/* One of the shared options. Returns -1 to go on, else the exit status. */
static int take(struct ui_options *o, int c)
{
	struct err err = {0};
	int got = 0;
	long n;

	switch (c) {
	case 'f':
		o->has_file = true;
		o->file = optarg;
		break;
	case 'C':
		o->has_directory = true;
		o->directory = optarg;
		break;
	case 'T':
		o->files_from = optarg;
		break;
	case 'X':
		got = ui_select_patterns_from(&o->select, optarg, false, &err);
		break;
	case OPT_EXCLUDE:
		got = ui_select_pattern(&o->select, optarg, &err);
		break;
	case 'v':
		o->verbose = true;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_NULL:
		o->null = true;
		break;
	case OPT_THREADS:
		if (ui_number(optarg, 1, LANE_THREADS_MAX, &n) != 0)
			return ui_usage(o->command, "--threads wants 1 to %d", LANE_THREADS_MAX);
		o->threads = (unsigned)n;
		break;
	case OPT_KEY:
		if (ui_unseal_add(&o->unseal, optarg) != 0)
			return ui_usage(o->command, "over %d keys", UI_UNSEAL_KEYS);
		break;
	case OPT_PASS:
		o->unseal.passphrase_file = optarg;
		break;
	case OPT_NO_XATTRS:
		o->no_xattrs = true;
		break;
	case OPT_NUMERIC:
		o->numeric_owner = true;
		break;
	case OPT_NO_RECURSION:
		o->no_recursion = true;
		break;
	case 's':
		if (o->store_count == STORES_MAX)
			return ui_usage(o->command, "over %d stores", STORES_MAX);
		o->stores[o->store_count++] = optarg;
		break;
	case OPT_CONFIG:
		o->config = optarg;
		break;
	case OPT_IDENTITY:
		o->identity = optarg;
		break;
	case OPT_STATE:
		o->state = optarg;
		break;
	case OPT_AGENT:
		if (name_check("--agent", optarg, &err) != 0)
			return ui_usage(o->command, "%s", err.message);
		o->agent = optarg;
		break;
	case OPT_COMMAND:
		return add_command(o, optarg);
	case OPT_LOCK_WAIT:
		return ui_options_lock_wait(o->command, optarg, &o->verbose, &o->access);
	case 'h':
	case OPT_HELP:
		ui_pipe_ends(UI_OK);
		fputs(o->help, stdout);
		return UI_OK;
	default:
		assert(false);
		return UI_FAILED;
	}
	return got != 0 ? ui_fail(o->command, &err) : -1;
}

/* Adds an option to both tables. */
static void add(struct option *longs, size_t *count, char *shorts, const struct option *option)
{
	longs[(*count)++] = *option;
	if (option->val > 255)
		return;
	shorts += strlen(shorts);
	*shorts++ = (char)option->val;
	if (option->has_arg == required_argument)
		*shorts++ = ':';
	*shorts = 0;
}

int ui_options_wrong(const char *command, int c, char **argv)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		return ui_usage(command, "%s wants a value", word);
	if (strcmp(word, "--json") == 0)
		ui_fail_json(NULL); /* a command that has none */
	if (optopt > 0 && optopt <= 255 && strncmp(word, "--", 2) != 0)
		return ui_usage(command, "unrecognized option '-%c'", optopt);
	return ui_usage(command, "unrecognized option '%s'", word);
}

/* The value of an option, if it has one. Returns -1 to go on, else the exit status. */
static int check_value(const char *command, const struct option *option)
{
	static const char *const paths[] = {"file", "directory", "files-from", "exclude-from",
		"store", "state", "to", "key", "passphrase-file", "hooks", "config", "identity"};
	size_t i;

	if (option->has_arg != required_argument || *optarg != 0)
		return -1;
	for (i = 0; i < sizeof paths / sizeof *paths; i++)
		if (strcmp(option->name, paths[i]) == 0)
			return ui_usage(command, "--%s '': empty path", option->name);
	return -1; /* what else is empty the option refuses in its own words */
}

int ui_options_path(const char *command, const char *path)
{
	return *path != 0 ? -1 : ui_usage(command, "'': empty path");
}

int ui_options_once(const char *command, uint64_t *seen, const struct option *options, int c)
{
	size_t i = 0;

	while (options[i].name != NULL && options[i].val != c)
		i++;
	if (options[i].name == NULL || options[i].has_arg != required_argument)
		return -1;
	if (check_value(command, &options[i]) >= 0)
		return UI_FAILED;
	if (*seen >> i & 1)
		return ui_usage(command, "--%s can be given once%s", options[i].name,
			c == 'C' ? ": all PATHs are in it" : "");
	*seen |= (uint64_t)1 << i;
	return -1;
}

/* Whether it adds to what was given. */
static bool repeats(const struct ui_options *o, int c)
{
	return c == o->repeats || c == 's' || c == 'X' || c == OPT_EXCLUDE || c == OPT_KEY ||
	       c == OPT_COMMAND;
}

static int check_repeated(const struct ui_options *o, const struct option *options, int c)
{
	size_t i = 0;

	while (options[i].val != c)
		i++;
	return check_value(o->command, &options[i]);
}

/* How the services among the stores are reached. Returns as ui_options_parse. */
static int find_net(struct ui_options *o)
{
	struct err err = {0};
	int ret;

	if (o->as_agent && o->identity == NULL)
		ret = ui_role_set(&o->role, o->config, o->state, "agent", &err);
	else
		ret = ui_role_find(&o->role, o->config, o->state, o->identity, &err);
	if (ret < 0)
		return ui_fail(o->command, &err);
	if (ret > 0 || access(o->role.cert, F_OK) != 0)
		return -1; /* without an identity none is reached */
	ui_net_set(&o->net, &o->role);
	ui_test_times(&o->access.patience_ms);
	o->access.net = &o->net.net;
	return -1;
}

int ui_options_parse(struct ui_options *o, int argc, char **argv)
{
	struct option longs[TABLE + OWN_MAX + 1] = {0};
	char shorts[2 * (TABLE + OWN_MAX) + 3] = ":h";
	const struct option *own;
	uint64_t seen = 0;
	size_t i, count = 0;
	int c, status = -1;

	for (i = 0; i < TABLE; i++)
		if (table[i].letter == 0 || strchr(o->shared, table[i].letter) != NULL)
			add(longs, &count, shorts, &table[i].option);
	for (own = o->own; own != NULL && own->name != NULL; own++)
		add(longs, &count, shorts, own);
	o->threads = ui_processors();
	if (strchr(o->shared, 'w') != NULL || strchr(o->shared, 's') != NULL)
		ui_options_lock_wait(o->command, NULL, &o->verbose, &o->access);
	opterr = 0;
	optind = 1;
	while (status < 0 && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return ui_options_wrong(o->command, c, argv);
		status = repeats(o, c) ? check_repeated(o, longs, c)
				       : ui_options_once(o->command, &seen, longs, c);
		if (status >= 0)
			break;
		for (own = o->own; own != NULL && own->name != NULL && own->val != c; own++)
			continue;
		status = own != NULL && own->name != NULL ? o->take(o->ctx, c) : take(o, c);
	}
	return status >= 0 || o->store_count == 0 ? status : find_net(o);
}

int ui_options_paths(struct ui_options *o, int argc, char **argv)
{
	struct err err = {0};

	for (; optind < argc; optind++)
		if (ui_select_path(&o->select, argv[optind], &err) != 0)
			return ui_fail(o->command, &err);
	if (o->files_from != NULL &&
		ui_select_paths_from(&o->select, o->files_from, o->null, &err) != 0)
		return ui_fail(o->command, &err);
	ui_select_ready(&o->select);
	return -1;
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
