/*
 * fdump cron: when a schedule is due, and what it means.
 *
 * The expression goes to cron/, the zone and the texts of times to lib/; this
 * file has the options and the printing. Times go to standard output, one a
 * line, so that a script can read them; everything else to standard error.
 */
#include "cmd/cmd.h"
#include "cmd/ui/report.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/ui/options.h"
#include "cron/cron.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/tz.h"

#define COUNT_MAX 1000000

struct options {
	const char *expr;
	const char *tz;   /* NULL: the machine's */
	const char *from; /* NULL: now */
	const char *seed; /* NULL: "" */
	unsigned long count;
	bool json;
};

static void help(void)
{
	fputs("usage: fdump cron next [-n COUNT] [--tz ZONE] [--from TIME] [--seed TEXT] EXPR\n"
	      "       fdump cron prev [-n COUNT] [--tz ZONE] [--from TIME] [--seed TEXT] EXPR\n"
	      "       fdump cron check EXPR\n"
	      "       fdump cron explain [--seed TEXT] EXPR\n\n"
	      "EXPR is a schedule as cron has it, in quotes: '30 2 * * mon-fri' or @daily.\n\n"
	      "  next     the times at which it is due, after TIME, the nearest first\n"
	      "  prev     the same, before TIME\n"
	      "  check    whether it is valid: exit status 0, else 2 with the reason\n"
	      "  explain  what it means, in English\n\n"
	      "  -n, --count COUNT  so many times (1)\n"
	      "      --tz ZONE      the time zone, like Europe/Paris (the machine's)\n"
	      "      --from TIME    like 2026-11-23T05:20 or 2026-11-23T05:20:00+01:00 (now)\n"
	      "      --seed TEXT    chooses the values of random ranges, '~' (empty)\n"
	      "      --json         one JSON object a line\n"
	      "  -h, --help         this text\n\n"
	      "Exit status: 0 done, 1 there is no such time, 2 failed or wrong usage, 7 no\n"
	      "space.\n",
		stdout);
}

static int get_options(int argc, char **argv, const char *verb, bool timed, struct options *opt)
{
	static const struct option longs[] = {
		{"count", required_argument, NULL, 'n'},
		{"tz", required_argument, NULL, 't'},
		{"from", required_argument, NULL, 'f'},
		{"seed", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	uint64_t seen = 0;
	char *end;
	int c;

	*opt = (struct options){0};
	opterr = 0;
	optind = 0; /* as GNU has it: start afresh */
	while ((c = getopt_long(argc, argv, ":n:", longs, NULL)) != -1) {
		if (ui_options_once("cron", &seen, longs, c) >= 0)
			return UI_FAILED;
		switch (c) {
		case 'n':
			errno = 0;
			opt->count = strtoul(optarg, &end, 10);
			if (optarg[0] < '0' || optarg[0] > '9' || *end != 0 || errno != 0 ||
				opt->count < 1 || opt->count > COUNT_MAX)
				return ui_usage(
					"cron", "-n takes a number from 1 to %d", COUNT_MAX);
			break;
		case 't':
			opt->tz = optarg;
			break;
		case 'f':
			opt->from = optarg;
			break;
		case 's':
			opt->seed = optarg;
			break;
		case 'j':
			opt->json = true;
			break;
		case ':':
			return ui_usage("cron", "%s needs a value", argv[optind - 1]);
		default:
			return ui_usage("cron",
				"'%s' is no option here (a schedule that begins with '-' goes "
				"after --)",
				argv[optind - 1]);
		}
	}
	if (!timed && (opt->tz != NULL || opt->from != NULL || opt->count > 0))
		return ui_usage(
			"cron", "%s has no -n, --tz, --from: they go with next and prev", verb);
	if (optind == argc)
		return ui_usage("cron", "the schedule is missing");
	if (optind + 1 < argc)
		return ui_usage("cron", "one schedule, please; put its fields in quotes");
	opt->expr = argv[optind];
	if (opt->count == 0)
		opt->count = 1;
	return UI_OK;
}

/* ---- printing ---- */

/* Prints a line of JSON and drops the object; NULL is out of memory. */
static int print_json(json_t *object)
{
	char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	struct err err = {0};

	json_decref(object);
	if (text == NULL) {
		err_set(&err, ERR_NOMEM, "out of memory for JSON");
		return ui_fail("cron", &err);
	}
	puts(text); /* finish() asks whether that worked */
	free(text);
	return UI_OK;
}

/* The expression as JSON; where it is no UTF-8, in lib/esc's form. */
static json_t *json_expr(const char *expr)
{
	char shown[ESC_MAX(CRON_EXPR_MAX)];
	json_t *text = json_string(expr);

	if (text != NULL)
		return text;
	esc_name(shown, sizeof shown, expr, strnlen(expr, CRON_EXPR_MAX));
	return json_string(shown);
}

static json_t *json_set(uint64_t bits)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < 64; i++)
		if (bits >> i & 1 && json_array_append_new(list, json_integer(i)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* Prints what is wrong, and under a plain expression a caret where. */
static int fail_expr(const char *expr, const struct cron_where *where, const struct err *err)
{
	const char *p;
	int status = ui_fail("cron", err);

	for (p = expr; (*p >= ' ' && *p <= '~') || *p == '\t'; p++)
		;
	if (*p != 0 || p - expr > 100 || where->column == 0)
		return status;
	fputs("  ", stderr);
	for (p = expr; *p != 0; p++)
		fputc(*p == '\t' ? ' ' : *p, stderr);
	fprintf(stderr, "\n  %*s\n", (int)where->column, "^");
	return status;
}

/* Parses opt->expr; returns an exit status, having said what is wrong. */
static int parse(const struct options *opt, struct cron *cron)
{
	struct cron_where where = {0};
	struct err err = {0};

	if (cron_parse(cron, opt->expr, opt->seed, &where, &err) == 0)
		return UI_OK;
	return fail_expr(opt->expr, &where, &err);
}

static int finish(int status)
{
	struct err err = {0};

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	err_errno(&err, errno, "write to standard output");
	return ui_fail("cron", &err);
}

/* ---- next, prev ---- */

/* The time that --from means. For prev, a time within a second is rounded up,
 * so that the second that has begun counts as before it. */
static int from_time(const struct options *opt, const struct tz *tz, bool prev, int64_t *t)
{
	struct civil_scan scan;
	struct err err = {0};

	if (opt->from == NULL) {
		*t = (int64_t)time(NULL);
		return UI_OK;
	}
	if (civil_scan(opt->from, &scan, &err) < 0) {
		err_prefix(&err, "--from");
		return ui_fail("cron", &err);
	}
	*t = scan.has_offset ? scan.local - scan.offset : tz_instant(tz, scan.local);
	*t += prev && scan.fraction;
	return UI_OK;
}

static int print_run(const struct options *opt, const struct tz *tz, bool prev, int64_t t)
{
	char text[CIVIL_TEXT_MAX];
	struct tz_span span;

	tz_span(tz, t, &span);
	civil_print(text, t, span.offset);
	if (opt->json)
		return print_json(json_pack("{s:s, s:s, s:s, s:I}", "type", "run", "id",
			prev ? "cron.prev" : "cron.next", "time", text, "epoch", (json_int_t)t));
	puts(text);
	return UI_OK;
}

static int say_none(const struct options *opt, const struct cron *cron, bool prev)
{
	const char *what = cron->flags & CRON_REBOOT
				   ? "@reboot is due when the agent starts, never at a time"
			   : cron->flags & CRON_NEVER ? "it never runs: no such date exists"
			   : prev                     ? "there is no run before that time"
				  : "there is no run after that time, up to the year 9999";

	ui_say("cron", "%s", what);
	if (opt->json && print_json(json_pack("{s:s, s:s, s:s}", "type", "result", "id",
				 "cron.none", "what", what)) != UI_OK)
		return UI_FAILED;
	return UI_SOME;
}

static int runs(const struct options *opt, const struct cron *cron, bool prev)
{
	struct err err = {0};
	struct tz *tz = NULL;
	unsigned long i;
	int64_t t = 0;
	int status;

	if ((opt->tz != NULL ? tz_load(opt->tz, &tz, &err) : tz_local(&tz, &err)) < 0)
		return ui_fail("cron", &err);
	if ((status = from_time(opt, tz, prev, &t)) != UI_OK)
		goto out;
	for (i = 0; i < opt->count && status == UI_OK; i++) {
		if ((prev ? cron_prev(cron, tz, t, &t) : cron_next(cron, tz, t, &t)) != 0)
			break;
		status = print_run(opt, tz, prev, t);
	}
	if (i == 0)
		status = say_none(opt, cron, prev);
out:
	tz_free(tz);
	return status;
}

static int run_next(const struct options *opt)
{
	struct cron cron;
	int status = parse(opt, &cron);

	return status == UI_OK ? runs(opt, &cron, false) : status;
}

static int run_prev(const struct options *opt)
{
	struct cron cron;
	int status = parse(opt, &cron);

	return status == UI_OK ? runs(opt, &cron, true) : status;
}

/* ---- check, explain ---- */

static int run_check(const struct options *opt)
{
	struct cron_where where = {0};
	struct err err = {0};
	struct cron cron;
	int status = UI_OK;

	if (cron_parse(&cron, opt->expr, opt->seed, &where, &err) == 0) {
		if (opt->json)
			return print_json(json_pack("{s:s, s:s, s:o, s:b, s:b}", "type", "result",
				"id", "cron.check", "expression", json_expr(opt->expr), "valid", 1,
				"never", (cron.flags & CRON_NEVER) != 0));
		if ((cron.flags & (CRON_NEVER | CRON_REBOOT)) == CRON_NEVER)
			fputs("fdump cron: valid, but it never runs: no such date exists\n",
				stderr);
		return UI_OK;
	}
	if (!opt->json)
		return fail_expr(opt->expr, &where, &err);
	status = print_json(json_pack("{s:s, s:s, s:o, s:b, s:s, s:i, s:i, s:s}", "type", "result",
		"id", "cron.check", "expression", json_expr(opt->expr), "valid", 0, "field",
		cron_field_name(where.field), "field_number", (int)where.field, "column",
		(int)where.column, "what", err.message));
	return status == UI_OK ? UI_FAILED : status;
}

static int run_explain(const struct options *opt)
{
	char text[CRON_DESCRIBE_MAX], seed[ESC_MAX(255)];
	const char *clock;
	struct cron cron;
	int status = parse(opt, &cron);

	if (status != UI_OK)
		return status;
	cron_describe(&cron, text);
	clock = cron_describe_clock(&cron);
	if (opt->json)
		return print_json(json_pack("{s:s, s:s, s:o, s:s, s:s, s:b, s:b, s:b, s:b, s:b, "
					    "s:o, s:o, s:o, s:o, s:o}",
			"type", "result", "id", "cron.explain", "expression", json_expr(opt->expr),
			"description", text, "clock_changes", clock, "wall_clock",
			(cron.flags & CRON_WALL) != 0, "both_days", (cron.flags & CRON_BOTH) != 0,
			"random", (cron.flags & CRON_RANDOM) != 0, "reboot",
			(cron.flags & CRON_REBOOT) != 0, "never", (cron.flags & CRON_NEVER) != 0,
			"minutes", json_set(cron.minutes), "hours", json_set(cron.hours), "days",
			json_set(cron.days), "months", json_set(cron.months), "weekdays",
			json_set(cron.weekdays)));
	puts(text);
	if (clock[0] != 0)
		puts(clock);
	if (cron.flags & CRON_RANDOM) {
		esc_name(seed, sizeof seed, opt->seed != NULL ? opt->seed : "",
			opt->seed != NULL ? strnlen(opt->seed, 255) : 0);
		printf("The values of its random ranges ('~') are those of the seed '%s'.\n", seed);
	}
	return UI_OK;
}

int cmd_cron(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *opt);
		bool timed; /* has -n, --tz and --from */
	} verbs[] = {
		{"next", run_next, true},
		{"prev", run_prev, true},
		{"check", run_check, false},
		{"explain", run_explain, false},
	};
	struct options opt;
	size_t i;
	int j, status;

	ui_pipe_ends(UI_OK);
	for (j = 1; j < argc && strcmp(argv[j], "--") != 0; j++) {
		if (strcmp(argv[j], "--help") == 0 || strcmp(argv[j], "-h") == 0) {
			help();
			return finish(UI_OK);
		}
	}
	if (argc < 2)
		return ui_usage("cron", "next, prev, check or explain is missing");
	for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		status = get_options(argc - 1, argv + 1, argv[1], verbs[i].timed, &opt);
		return status == UI_OK ? finish(verbs[i].run(&opt)) : status;
	}
	return ui_usage("cron", "'%s' is none of next, prev, check, explain", argv[1]);
}
