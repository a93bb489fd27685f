/*
 * fdump cron: prints when a schedule is due, and what it means.
 *
 * cron/ handles the expression, lib/ the time zone and the text of times; this file has the options
 * and the output. Times go to standard output, one a line, so that a script can read them;
 * everything else goes to standard error.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
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

/* Parses opt->expr. Returns 0, or the exit status after reporting the error; under an expression in
 * printable ASCII a caret shows where it is. */
static int parse(const struct options *opt, struct cron *cron)
{
	struct cron_where where = {0};
	struct err err = {0};
	const char *p;
	int status;

	if (cron_parse(cron, opt->expr, opt->seed, &where, &err) == 0)
		return 0;
	status = ui_fail(&err);
	for (p = opt->expr; (*p >= ' ' && *p <= '~') || *p == '\t'; p++)
		;
	if (*p != 0 || p - opt->expr > 100 || where.column == 0)
		return status;
	fputs("  ", stderr);
	for (p = opt->expr; *p != 0; p++)
		fputc(*p == '\t' ? ' ' : *p, stderr);
	fprintf(stderr, "\n  %*s\n", (int)where.column, "^");
	return status;
}

/* Sets *t to the time of --from. For prev, a fraction of a second is rounded up, so that the second
 * that has begun counts as before it. */
static int from_time(
	const struct options *opt, const struct tz *tz, bool prev, int64_t *t, struct err *err)
{
	struct civil_scan scan;

	if (opt->from == NULL) {
		*t = (int64_t)time(NULL);
		return 0;
	}
	if (civil_scan(opt->from, &scan, err) < 0)
		return err_prefix(err, "--from");
	*t = scan.has_offset ? scan.local - scan.offset : tz_instant(tz, scan.local);
	*t += prev && scan.fraction;
	return 0;
}

/* next, prev */
static int run_times(void *own, struct err *err)
{
	const struct options *opt = own;
	const bool prev = strcmp(opt->o.verb->name, "prev") == 0;
	const char *what;
	char text[CIVIL_TEXT_MAX];
	struct tz_span span;
	struct tz *tz = NULL;
	struct cron cron;
	int64_t t = 0;
	long i;
	int status = parse(opt, &cron);

	if (status != 0)
		return status;
	if ((opt->tz != NULL ? tz_load(opt->tz, &tz, err) : tz_local(&tz, err)) < 0)
		return -1;
	status = from_time(opt, tz, prev, &t, err);
	for (i = 0; i < opt->count && status == 0; i++) {
		if ((prev ? cron_prev(&cron, tz, t, &t) : cron_next(&cron, tz, t, &t)) != 0)
			break;
		tz_span(tz, t, &span);
		civil_print(text, t, span.offset);
		status = ui_result("run", prev ? "cron.prev" : "cron.next",
			(struct ui_field[]){UI_STRING("time", text), UI_INT("epoch", t), {0}}, err,
			"%s\n", text);
	}
	tz_free(tz);
	if (status != 0 || i > 0)
		return status;
	what = cron.flags & CRON_REBOOT  ? "@reboot is due when the agent starts, never at a time"
	       : cron.flags & CRON_NEVER ? "it never runs: no such date exists"
	       : prev                    ? "there is no run before that time"
					 : "there is no run after that time, up to the year 9999";
	ui_say("cron", "%s", what);
	status = ui_result("result", "cron.none", (struct ui_field[]){UI_STRING("what", what), {0}},
		err, NULL);
	return status == 0 ? UI_SOME : -1;
}

static int run_check(void *own, struct err *err)
{
	const struct options *opt = own;
	struct cron_where where = {0};
	struct cron cron = {0};
	bool valid;

	if (!opt->o.json) {
		int status = parse(opt, &cron);

		if (status == 0 && (cron.flags & (CRON_NEVER | CRON_REBOOT)) == CRON_NEVER)
			fputs("fdump cron: valid, but it never runs: no such date exists\n",
				stderr);
		return status;
	}
	valid = cron_parse(&cron, opt->expr, opt->seed, &where, err) == 0;
	if (ui_result("result", "cron.check",
		    (struct ui_field[]){UI_STRING("expression", opt->expr), UI_BOOL("valid", valid),
			    UI_BOOL_IF(valid, "never", (cron.flags & CRON_NEVER) != 0),
			    UI_STRING("field", valid ? NULL : cron_field_name(where.field)),
			    UI_INT_IF(!valid, "field_number", where.field),
			    UI_INT_IF(!valid, "column", where.column),
			    UI_STRING("what", valid ? NULL : err->message), {0}},
		    err, NULL) != 0)
		return -1;
	return valid ? UI_OK : UI_FAILED;
}

static int run_explain(void *own, struct err *err)
{
	const struct options *opt = own;
	char text[CRON_DESCRIBE_MAX], seed[ESC_MAX(255)];
	const char *clock;
	struct cron cron;
	int status = parse(opt, &cron);

	if (status != 0)
		return status;
	cron_describe(&cron, text);
	clock = cron_describe_clock(&cron);
	if (opt->o.json)
		return ui_result("result", "cron.explain",
			(struct ui_field[]){UI_STRING("expression", opt->expr),
				UI_STRING("description", text), UI_STRING("clock_changes", clock),
				UI_BOOL("wall_clock", (cron.flags & CRON_WALL) != 0),
				UI_BOOL("both_days", (cron.flags & CRON_BOTH) != 0),
				UI_BOOL("random", (cron.flags & CRON_RANDOM) != 0),
				UI_BOOL("reboot", (cron.flags & CRON_REBOOT) != 0),
				UI_BOOL("never", (cron.flags & CRON_NEVER) != 0),
				UI_JSON("minutes", json_set(cron.minutes)),
				UI_JSON("hours", json_set(cron.hours)),
				UI_JSON("days", json_set(cron.days)),
				UI_JSON("months", json_set(cron.months)),
				UI_JSON("weekdays", json_set(cron.weekdays)), {0}},
			err, NULL);
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

static struct options cron_options = {.count = 1};

static int run(void *own, struct err *err)
{
	struct options *opt = own;

	ui_pipe_ends(UI_OK);
	opt->expr = opt->o.args[0];
	return opt->o.verb->run(opt, err);
}

static const struct ui_verb verbs[] = {
	{"next", "EXPR", "the times at which it is due, after TIME, the nearest first", run_times},
	{"prev", "EXPR", "the same, before TIME", run_times},
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
	.own = &cron_options,
	.run = run,
};
