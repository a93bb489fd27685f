/* fdump store scrub. */
#include "cmd/scrub.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/store/care.h"
#include "cmd/store/store.h"
#include "cmd/ui/json.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "cron/cron.h"
#include "cron/cron.h"
#include "lib/err.h"
#include "lib/tz.h"

static atomic_bool stop;

static void on_signal(int sig)
{
	(void)sig;
	atomic_store(&stop, true);
}

/* The second one ends it at once. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

void cmd_scrub_problem(void *ctx, const struct store_entry *dump, const char *what)
{
	const bool *json = ctx;

	ui_problem(&(struct ui_problem){.command = "store",
			   .id = "store.problem",
			   .json = *json ? stdout : NULL,
			   .dump = dump,
			   .what = what},
		NULL);
}

static bool is_ok(const struct store_checked *r)
{
	return r->damaged == 0 && r->missing == 0 && r->incomplete == 0;
}

static int print_result(const struct cmd_scrub *o, const struct store_checked *r, struct err *err)
{
	const struct ui_json_row rows[] = {{"blocks", r->blocks}, {"bytes", r->bytes},
		{"dumps", r->dumps}, {"left", r->left}, {"damaged", r->damaged},
		{"missing", r->missing}, {"incomplete", r->incomplete}};

	if (!o->json) {
		printf("%" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " dumps", r->blocks,
			r->bytes, r->dumps);
		if (r->left > 0)
			printf(", %" PRIu64 " volumes left", r->left);
		printf(": %s\n", is_ok(r) ? "ok" : "damaged");
		return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
	}
	return ui_json_result(stdout, "store.scrub", rows, sizeof rows / sizeof *rows, err);
}

static int run(const struct cmd_scrub *o, struct store_checked *r, struct err *err)
{
	const struct engine_scrub_options how = {
		.mark = true, .rate = o->rate, .for_sec = o->for_sec, .stop = &stop};
	struct engine *s = engine_open(o->dir, ENGINE_TEND, &o->wait, err);
	int got =
		s != NULL ? engine_scrub(s, &how, cmd_scrub_problem, (void *)&o->json, r, err) : -1;

	engine_close(s);
	if (got != 0 || print_result(o, r, err) != 0)
		return -1;
	if (is_ok(r))
		return 0;
	return err_set(err, ERR_DAMAGE,
		"%" PRIu64 " damaged blocks, %" PRIu64 " chunks lost, %" PRIu64
		" dumps not whole: fdump store replicate repairs them from another store",
		r->damaged, r->missing, r->incomplete);
}

static int once(const struct cmd_scrub *o, struct err *err)
{
	struct store_checked r;

	if (run(o, &r, err) != 0)
		return -1;
	return r.stopped ? err_set(err, ERR_CANCELLED, "stopped") : 0;
}

/* The clock may be set, and the machine suspended: so it is looked at often. */
static void wait_a_second(void)
{
	const struct timespec second = {1, 0};

	if (!atomic_load(&stop))
		nanosleep(&second, NULL);
}

static int watch(
	const struct cmd_scrub *o, const struct cron *cron, const struct tz *tz, struct err *err)
{
	struct store_checked r;
	struct err why;
	int64_t done = time(NULL), now;
	uint64_t damaged = 0;

	while (!atomic_load(&stop)) {
		if (!cron_due(cron, tz, &done, time(NULL))) {
			wait_a_second();
			continue;
		}
		why = (struct err){0};
		if (run(o, &r, &why) != 0) {
			ui_fail("store", &why);
			damaged += why.code == ERR_DAMAGE;
		}
		now = time(NULL); /* a time that passed meanwhile needs no run of its own */
		if (now > done)
			done = now;
	}
	if (damaged == 0)
		return 0;
	return err_set(err, ERR_DAMAGE, "damage was found in %" PRIu64 " runs", damaged);
}

int cmd_scrub(const struct cmd_scrub *o, struct err *err)
{
	struct cron cron;
	struct tz *tz;
	int got;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* it takes long: what is found is seen at once */
	if (o->schedule == NULL) {
		catch_signals();
		return once(o, err);
	}
	if (cron_parse(&cron, o->schedule, o->dir, NULL, err) != 0)
		return err_prefix(err, "--schedule");
	if (cron.flags & CRON_NEVER)
		return err_set(err, ERR_USAGE, "--schedule: %s is never due", o->schedule);
	if ((o->zone != NULL ? tz_load(o->zone, &tz, err) : tz_local(&tz, err)) != 0)
		return -1;
	catch_signals();
	got = watch(o, &cron, tz, err);
	tz_free(tz);
	return got;
}
