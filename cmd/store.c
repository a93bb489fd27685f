/*
 * fdump store: makes a store, maintains it, or serves it (store_service.c). A scrub runs once, or
 * on a schedule.
 */
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
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "cmd/ui/result.h"
#include "cmd/ui/stores.h"
#include "cron/cron.h"
#include "lib/err.h"
#include "lib/name.h"
#include "lib/size.h"
#include "lib/tz.h"

struct options {
	struct ui_options o;
	const char *dir;
	uint64_t reserve;
	struct engine_wait wait; /* as .o.access */
	bool dry_run;
	long threshold;
	/* scrub */
	uint64_t rate;        /* bytes a second; 0: no limit */
	int64_t for_sec;      /* after so many seconds no new volume is begun; 0: reads all */
	const char *schedule; /* NULL: once, now */
	const char *zone;     /* of the schedule; NULL: the machine's */
};

/* A store_problem: reports as text or JSON. */
static void on_problem(void *ctx, const struct store_entry *dump, const char *what)
{
	(void)ctx;
	ui_problem(&(struct ui_problem){.id = "store.problem", .dump = dump, .what = what}, NULL);
}

static int init(void *own, struct err *err)
{
	const struct options *o = own;

	if (engine_make(o->dir, o->reserve, err) != 0)
		return -1;
	return ui_result("result", "store.init",
		(struct ui_field[]){UI_INT("reserve", o->reserve), {0}}, err, NULL);
}

/* Prints a line about an agent, or appends an object to the JSON array ctx. */
static int print_use(void *ctx, const struct engine_use *use, struct err *err)
{
	const bool limited = use->quota != ENGINE_QUOTA_NONE;

	(void)err;
	if (ctx != NULL) {
		ui_result_append(
			ctx, (struct ui_field[]){UI_STRING("agent", use->agent),
				     UI_INT("dumps", use->dumps), UI_INT("bytes", use->used),
				     UI_INT_IF(limited, "quota", use->quota), {0}});
		return 0;
	}
	printf("agent %s: dumps %" PRIu64 " bytes %" PRIu64, use->agent, use->dumps, use->used);
	if (limited)
		printf(" quota %" PRIu64, use->quota);
	putchar('\n');
	return 0;
}

static int print_stat(
	const struct options *o, struct engine *s, const struct engine_stat *t, struct err *err)
{
	json_t *agents = o->o.json ? json_array() : NULL;
	const struct ui_field fields[] = {UI_INT("volumes", t->volumes), UI_INT("bytes", t->bytes),
		UI_INT("chunks", t->chunks), UI_INT("content", t->raw), UI_INT("dumps", t->dumps),
		UI_INT("deleted", t->deleted), UI_INT("damaged", t->damaged),
		UI_JSON("agents", agents), {0}};
	size_t i;

	for (i = 0; !o->o.json && fields[i].type == UI_FIELD_INT; i++)
		printf("%-8s %" PRId64 "\n", fields[i].name, fields[i].number);
	if (engine_uses(s, print_use, agents, err) != 0) {
		json_decref(agents);
		return -1;
	}
	return ui_result("result", "store.stat", fields, err, NULL);
}

static int stat_store(void *own, struct err *err)
{
	const struct options *o = own;
	struct engine *s = engine_open(o->dir, ENGINE_READ, &o->wait, err);
	struct engine_stat t;
	int got = s == NULL ? -1 : engine_stat(s, &t, err);

	ui_pipe_ends(UI_OK);
	if (got == 0)
		got = print_stat(o, s, &t, err);
	engine_close(s);
	return got;
}

static int set_quota(void *own, struct err *err)
{
	const struct options *o = own;
	const char *agent = o->o.args[1], *quota = o->o.args[2];
	uint64_t bytes = ENGINE_QUOTA_NONE;
	struct engine *s;
	int got;

	if (name_check("agent", agent, err) != 0)
		return -1;
	if (strcmp(quota, "none") != 0 && size_parse(quota, &bytes) != 0)
		return err_set(
			err, ERR_USAGE, "%s: not a quota: expected a size as 10G, or none", quota);
	s = engine_open(o->dir, ENGINE_WRITE, &o->wait, err);
	got = s != NULL ? engine_quota_set(s, agent, bytes, err) : -1;
	engine_close(s);
	if (got != 0)
		return -1;
	return ui_result("result", "store.quota",
		(struct ui_field[]){UI_INT_IF(bytes != ENGINE_QUOTA_NONE, "quota", bytes), {0}},
		err, NULL);
}

static int gc(void *own, struct err *err)
{
	const struct options *o = own;
	struct engine_gc_options how = {
		.dry_run = o->dry_run, .keep_percent = 100 - (unsigned)o->threshold};
	struct engine *s = engine_open(o->dir, ENGINE_WRITE, &o->wait, err);
	struct engine_gc_result r;
	int got = s != NULL ? engine_gc(s, &how, &r, err) : -1;

	engine_close(s);
	if (got != 0 ||
		ui_result("result", "store.gc",
			(struct ui_field[]){UI_INT("bytes", r.bytes), UI_INT("volumes", r.volumes),
				UI_INT("chunks", r.chunks), UI_INT("left", r.left),
				UI_INT("damaged", r.damaged), UI_INT("unfit", r.unfit),
				UI_INT("wanted", r.wanted), UI_BOOL("dry_run", o->dry_run), {0}},
			err, "%" PRIu64 " bytes %s, %" PRIu64 " volumes rewritten\n", r.bytes,
			o->dry_run ? "would be given back" : "given back", r.volumes) != 0)
		return -1;
	if (r.left > 0 && !o->o.json)
		printf("%" PRIu64
		       " bytes of garbage stay, in volumes with less than %ld %% garbage%s\n",
			r.left, o->threshold,
			o->threshold > 1 ? " (--threshold 1 rewrites these too)" : "");
	if (r.unfit > 0 && r.volumes > 0 && !o->o.json)
		printf("%" PRIu64
		       " volumes with garbage stay: rewriting the smallest needs %" PRIu64
		       " bytes, and there are %" PRIu64 "\n",
			r.unfit, r.wanted, r.free);
	if (r.damaged > 0)
		return err_set(err, ERR_DAMAGE,
			"%" PRIu64 " volumes have damage, and were left alone: fdump store scrub",
			r.damaged);
	if (r.unfit > 0 && r.volumes == 0)
		return err_set(err, ERR_NOSPACE,
			"%s: no space: rewriting the smallest of %" PRIu64
			" volumes with garbage needs %" PRIu64 " bytes, and there are %" PRIu64
			" (a quarter of the reserve stays)",
			o->dir, r.unfit, r.wanted, r.free);
	return 0;
}

/* --- scrub ---------------------------------------------------------------------- */

static atomic_bool stop;

static void on_signal(int sig)
{
	(void)sig;
	atomic_store(&stop, true);
}

/* Scrubs once, and prints the result. Returns 0, or -1 with err set, also if there is damage
 * (ERR_DAMAGE). */
static int scrub_once(const struct options *o, struct store_checked *r, struct err *err)
{
	const struct engine_scrub_options how = {
		.mark = true, .rate = o->rate, .for_sec = o->for_sec, .stop = &stop};
	struct engine *s = engine_open(o->dir, ENGINE_TEND, &o->wait, err);
	int got = s != NULL ? engine_scrub(s, &how, on_problem, NULL, r, err) : -1;
	char left[48] = "";
	bool ok;

	engine_close(s);
	if (got != 0)
		return -1;
	ok = r->damaged == 0 && r->missing == 0 && r->incomplete == 0;
	if (r->left > 0)
		snprintf(left, sizeof left, ", %" PRIu64 " volumes left", r->left);
	if (ui_result("result", "store.scrub",
		    (struct ui_field[]){UI_INT("blocks", r->blocks), UI_INT("bytes", r->bytes),
			    UI_INT("dumps", r->dumps), UI_INT("left", r->left),
			    UI_INT("damaged", r->damaged), UI_INT("missing", r->missing),
			    UI_INT("incomplete", r->incomplete), {0}},
		    err, "%" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " dumps%s: %s\n",
		    r->blocks, r->bytes, r->dumps, left, ok ? "ok" : "damaged") != 0)
		return -1;
	if (fflush(stdout) != 0)
		return err_errno(err, errno, "standard output");
	if (ok)
		return 0;
	return err_set(err, ERR_DAMAGE,
		"%" PRIu64 " damaged blocks, %" PRIu64 " chunks lost, %" PRIu64
		" incomplete dumps: fdump store replicate repairs them from another store",
		r->damaged, r->missing, r->incomplete);
}

static int scrub_when_due(
	const struct options *o, const struct cron *cron, const struct tz *tz, struct err *err)
{
	const struct timespec second = {1, 0};
	struct store_checked r;
	int64_t done = time(NULL), now;
	uint64_t damaged = 0;

	while (!atomic_load(&stop)) {
		struct err why = {0};

		/* The clock may be set, and the machine suspended, so it is checked often. */
		if (!cron_due(cron, tz, &done, time(NULL))) {
			if (!atomic_load(&stop))
				nanosleep(&second, NULL);
			continue;
		}
		if (scrub_once(o, &r, &why) != 0) {
			ui_fail(&why);
			damaged += why.code == ERR_DAMAGE;
		}
		now = time(NULL); /* times that passed in the meantime need no run of their own */
		if (now > done)
			done = now;
	}
	if (damaged == 0)
		return 0;
	return err_set(err, ERR_DAMAGE, "damage was found in %" PRIu64 " runs", damaged);
}

static int scrub(void *own, struct err *err)
{
	/* A second signal ends the process at once. */
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	const struct options *o = own;
	struct store_checked r;
	struct cron cron;
	struct tz *tz = NULL;
	int got;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* a scrub takes long: show findings at once */
	if (o->schedule != NULL && cron_parse(&cron, o->schedule, o->dir, NULL, err) != 0)
		return err_prefix(err, "--schedule");
	if (o->schedule != NULL && cron.flags & CRON_NEVER)
		return err_set(err, ERR_USAGE, "--schedule: %s is never due", o->schedule);
	if (o->schedule != NULL &&
		(o->zone != NULL ? tz_load(o->zone, &tz, err) : tz_local(&tz, err)) != 0)
		return -1;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (o->schedule != NULL)
		got = scrub_when_due(o, &cron, tz, err);
	else if ((got = scrub_once(o, &r, err)) == 0 && r.stopped)
		got = err_set(err, ERR_CANCELLED, "stopped");
	tz_free(tz);
	return got;
}

/* --- other verbs ---------------------------------------------------------------- */

static int rebuild(void *own, struct err *err)
{
	struct options *o = own;
	struct store_checked r;

	if (engine_rebuild(o->dir, &o->wait, cmd_ask_old, on_problem, NULL, &r, err) != 0 ||
		ui_result("result", "store.rebuild",
			(struct ui_field[]){UI_INT("blocks", r.blocks), UI_INT("bytes", r.bytes),
				UI_INT("dumps", r.dumps), UI_INT("damaged", r.damaged),
				UI_INT("lost", r.lost), UI_INT("incomplete", r.incomplete), {0}},
			err, "%" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " dumps\n", r.blocks,
			r.bytes, r.dumps) != 0)
		return -1;
	if (r.damaged + r.lost + r.incomplete == 0)
		return 0;
	return err_set(err, ERR_DAMAGE,
		"the index is rebuilt, but %" PRIu64 " blocks are damaged, %" PRIu64
		" volumes lost, %" PRIu64
		" incomplete dumps: fdump store replicate repairs them from another store",
		r.damaged, r.lost, r.incomplete);
}

static int replicate(void *own, struct err *err)
{
	struct options *o = own;
	struct ui_stores s = {.count = 0};
	struct store_replicated r;
	int got = -1;

	if (o->o.store_count == 0)
		return err_set(err, ERR_USAGE, "replicate needs --from STORE");
	if (ui_stores_add(&s, o->o.stores[0], false, &o->o.access, err) == 0 &&
		ui_stores_add(&s, o->dir, true, &o->o.access, err) == 0 &&
		store_open(s.stores[0], STORE_READ, err) == 0 &&
		store_open(s.stores[1], STORE_WRITE, err) == 0)
		got = store_replicate(
			s.stores[0], s.stores[1], NULL, NULL, on_problem, NULL, &r, err);
	ui_stores_free(&s);
	if (got != 0 ||
		ui_result("result", "store.replicate",
			(struct ui_field[]){UI_INT("dumps", r.dumps), UI_INT("chunks", r.chunks),
				UI_INT("bytes", r.bytes), UI_INT("failed", r.failed),
				UI_INT("incomplete", r.incomplete), {0}},
			err, "%" PRIu64 " dumps, %" PRIu64 " chunks, %" PRIu64 " bytes copied\n",
			r.dumps, r.chunks, r.bytes) != 0)
		return -1;
	if (r.failed > 0)
		return err_set(
			err, ERR_DAMAGE, "%" PRIu64 " dumps could not be copied whole", r.failed);
	if (r.incomplete == 0)
		return 0;
	return err_set(err, ERR_DAMAGE,
		"%" PRIu64 " dumps of %s are incomplete, and %s can't repair them: fdump store "
		"replicate from another store, or fdump forget them",
		r.incomplete, o->dir, o->o.stores[0]);
}

static int trust_clock(void *own, struct err *err)
{
	const struct options *o = own;
	struct engine *s = engine_open(o->dir, ENGINE_WRITE, &o->wait, err);
	int got = s != NULL ? engine_trust_clock(s, err) : -1;

	engine_close(s);
	if (got != 0)
		return -1;
	return ui_result("result", "store.trust-clock", (struct ui_field[]){{0}}, err, NULL);
}

static int serve(void *own, struct err *err)
{
	return cmd_store_service(own, err);
}

static struct options store_options = {.reserve = 64u << 20, .threshold = 30};

static int run(void *own, struct err *err)
{
	struct options *o = own;

	if (o->zone != NULL && o->schedule == NULL)
		return ui_usage("--tz goes with --schedule");
	o->dir = o->o.args[0];
	o->wait = (struct engine_wait){o->o.access.wait_sec, o->o.access.waits, o->o.access.ctx};
	return o->o.verb->run(o, err);
}

static int take_from(void *own, const char *text, struct err *err)
{
	struct options *o = own;

	(void)err;
	o->o.stores[0] = text;
	o->o.store_count = 1;
	return 0;
}

#define WRITES "gc scrub rebuild replicate quota trust-clock"

static const struct ui_verb verbs[] = {
	{"-", "", "the store service, in the foreground, as systemd runs it", serve},
	{"init", "DIR", "make a store in DIR, which is new or empty", init},
	{"stat", "DIR", "show what is in it, in numbers; what each agent uses", stat_store},
	{"gc", "DIR",
		"free the space of data that no dump needs, as far as there is room to rewrite "
		"volumes",
		gc},
	{"scrub", "DIR",
		"read everything, find damage, mark it: the next backup, or replicate, repairs "
		"it; everything else goes on in the meantime",
		scrub},
	{"rebuild", "DIR", "make a new index from the volumes; say what is lost", rebuild},
	{"replicate", "--from STORE DIR",
		"copy all dumps that it lacks, or can't read, and all chunks that are missing or "
		"damaged; status 5 if a dump of it is incomplete after that",
		replicate},
	{"quota", "DIR AGENT SIZE|none", "set how much of it an agent may use", set_quota},
	{"trust-clock", "DIR",
		"confirm that the machine's clock is right: after it was set by more than a day, "
		"or back, nothing is deleted until then",
		trust_clock},
	{0},
};

static const struct ui_option options[] = {
	{.shared = "I",
		.help = "where store.conf and stores' addresses are; default: /etc/fdump",
		.verbs = "- replicate"},
	{.shared = "S",
		.help = "the service's own files; default: /var/lib/fdump",
		.verbs = "- replicate"},
	{0, "reserve", UI_SIZE, "keep this much of the file system free; default: 64M",
		UI_AT(struct options, reserve), .verbs = "init"},
	{0, "threshold", UI_NUMBER,
		"rewrite volumes with at least this much garbage; default: 30; 1 takes longest and "
		"frees most",
		UI_AT(struct options, threshold), .value = "PERCENT", .min = 1, .max = 100,
		.verbs = "gc"},
	{'n', "dry-run", UI_FLAG, "only print how much would be freed",
		UI_AT(struct options, dry_run), .verbs = "gc"},
	{0, "rate", UI_SIZE, "at most this many bytes a second", UI_AT(struct options, rate),
		.verbs = "scrub"},
	{0, "for", UI_TIME,
		"begin no volume after 30m, 2h, ...: the next run goes on with those that were "
		"not read for longest",
		UI_AT(struct options, for_sec), .min = 1, .verbs = "scrub"},
	{0, "schedule", UI_TEXT, "stay, and scrub whenever '0 3 * * sun' or @daily is due",
		UI_AT(struct options, schedule), .value = "SCHEDULE", .verbs = "scrub"},
	{0, "tz", UI_TEXT, "time zone of the schedule, like Europe/Paris; default: the machine's",
		UI_AT(struct options, zone), .value = "ZONE", .verbs = "scrub"},
	{0, "from", UI_STORE,
		"copy from this store: a directory (with a slash), or a service's NAME[:PORT]",
		.take = take_from, .verbs = "replicate"},
	{.shared = "i",
		.verbs = "replicate",
		.help = "key and certificate to reach it with; default: ~/.config/fdump, else "
			"this machine's agent's"},
	{.shared = "w", .verbs = WRITES},
	{.shared = "j",
		.help = "print JSON, one object a line: problems, if any, and the result",
		.verbs = "init stat " WRITES},
	{0},
};

const struct ui_command cmd_store = {
	.name = "store",
	.summary = "make a store, maintain it, serve it",
	.about = "A store is a directory that keeps dumps. This makes one, maintains it, or "
		 "serves it to other machines.",
	.verbs = verbs,
	.options = options,
	.exits = "0 done; 2 failed; 5 damage found; 7 no space; 8 busy.",
	.own = &store_options,
	.run = run,
};
