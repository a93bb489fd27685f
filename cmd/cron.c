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
	struct ui_options o;
	const char *expr;
	const char *tz;   /* NULL: the machine's */
	const char *from; /* NULL: now */
	const char *seed; /* NULL: "" */
	long count;
};

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
	if (opt->o.json)
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
	if (opt->o.json && print_json(json_pack("{s:s, s:s, s:s}", "type", "result", "id",
				   "cron.none", "what", what)) != UI_OK)
		return UI_FAILED;
	return UI_SOME;
}

static int runs(const struct options *opt, const struct cron *cron, bool prev)
{
	struct err err = {0};
	struct tz *tz = NULL;
	long i;
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

static int run_next(void *own, struct err *err)
{
	const struct options *opt = own;
	struct cron cron;
	int status = parse(opt, &cron);

	(void)err;
	return status == UI_OK ? runs(opt, &cron, false) : status;
}

static int run_prev(void *own, struct err *err)
{
	const struct options *opt = own;
	struct cron cron;
	int status = parse(opt, &cron);

	(void)err;
	return status == UI_OK ? runs(opt, &cron, true) : status;
}

/* ---- check, explain ---- */

static int run_check(void *own, struct err *err)
{
	const struct options *opt = own;
	struct cron_where where = {0};
	struct cron cron;
	int status = UI_OK;

	if (cron_parse(&cron, opt->expr, opt->seed, &where, err) == 0) {
		if (opt->o.json)
			return print_json(json_pack("{s:s, s:s, s:o, s:b, s:b}", "type", "result",
				"id", "cron.check", "expression", json_expr(opt->expr), "valid", 1,
				"never", (cron.flags & CRON_NEVER) != 0));
		if ((cron.flags & (CRON_NEVER | CRON_REBOOT)) == CRON_NEVER)
			fputs("fdump cron: valid, but it never runs: no such date exists\n",
				stderr);
		return UI_OK;
	}
	if (!opt->o.json)
		return fail_expr(opt->expr, &where, err);
	status = print_json(json_pack("{s:s, s:s, s:o, s:b, s:s, s:i, s:i, s:s}", "type", "result",
		"id", "cron.check", "expression", json_expr(opt->expr), "valid", 0, "field",
		cron_field_name(where.field), "field_number", (int)where.field, "column",
		(int)where.column, "what", err->message));
	return status == UI_OK ? UI_FAILED : status;
}

static int run_explain(void *own, struct err *err)
{
	const struct options *opt = own;
	char text[CRON_DESCRIBE_MAX], seed[ESC_MAX(255)];
	const char *clock;
	struct cron cron;
	int status = parse(opt, &cron);

	(void)err;
	if (status != UI_OK)
		return status;
	cron_describe(&cron, text);
	clock = cron_describe_clock(&cron);
	if (opt->o.json)
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

static int main_cron(int argc, char **argv)
{
	struct options opt = {.count = 1};
	struct err err = {0};
	int status;

	ui_pipe_ends(UI_OK);
	status = ui_options_parse(&opt.o, &cmd_cron, &opt, argc, argv);
	if (status >= 0)
		return finish(status);
	opt.expr = argv[optind];
	return finish(opt.o.verb->run(&opt, &err));
}

static const struct ui_verb verbs[] = {
	{"next", "EXPR", "the times at which it is due, after TIME, the nearest first", run_next},
	{"prev", "EXPR", "the same, before TIME", run_prev},
	{"check", "EXPR", "whether it is valid: exit status 0, else 2 with the reason", run_check},
	{"explain", "EXPR", "what it means, in English", run_explain},
	{0},
};

static const struct ui_option options[] = {
	{'n', "count", UI_NUMBER, "this many times; default: 1", UI_AT(struct options, count),
		.value = "COUNT", .min = 1, .max = COUNT_MAX, .verbs = "next prev"},
	{0, "tz", UI_TEXT, "the time zone, like Europe/Paris; default: the machine's",
		UI_AT(struct options, tz), .value = "ZONE", .verbs = "next prev"},
	{0, "from", UI_TEXT, "like 2026-11-23T05:20 or 2026-11-23T05:20:00+01:00; default: now",
		UI_AT(struct options, from), .value = "TIME", .verbs = "next prev"},
	{0, "seed", UI_TEXT, "chooses the values of random ranges, '~'; default: empty",
		UI_AT(struct options, seed)},
	{.shared = "j"},
	{0},
};

const struct ui_command cmd_cron = {
	.name = "cron",
	.summary = "say when a schedule is due, and what it means",
	.about = "EXPR is a schedule as cron has it, in quotes: '30 2 * * mon-fri' or @daily.",
	.verbs = verbs,
	.options = options,
	.hint = "one schedule: put its fields in quotes",
	.exits = "0 done; 1 there is no such time; 2 failed or wrong usage; 7 no space.",
	.run = main_cron,
};
