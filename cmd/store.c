/* fdump store: what is done to a store as a whole. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/scrub.h"
#include "cmd/store/care.h"
#include "cmd/store/store.h"
#include "cmd/ui/json.h"
#include "cmd/ui/options.h"
#include "cmd/ui/report.h"
#include "cmd/ui/stores.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/name.h"
#include "lib/size.h"

struct options {
	struct ui_options o;
	const char *dir, *from;
	char **words; /* after DIR */
	struct cmd_scrub scrub;
	uint64_t reserve;
	struct engine_wait wait; /* as .o.access */
	bool dry_run;
	long threshold;
};

/* The object, if that is wanted; all is on its way. */
static int print_result(const struct options *o, const char *id, const struct ui_json_row *rows,
	size_t count, struct err *err)
{
	if (o->o.json && ui_json_result(stdout, id, rows, count, err) != 0)
		return -1;
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

static int init(void *own, struct err *err)
{
	const struct options *o = own;
	const struct ui_json_row row = {"reserve", o->reserve};

	return engine_make(o->dir, o->reserve, err) == 0
		       ? print_result(o, "store.init", &row, 1, err)
		       : -1;
}

/* An agent's line, or what it is in JSON: ctx is the array. */
static int print_use(void *ctx, const struct engine_use *use, struct err *err)
{
	const struct ui_json_row rows[] = {
		{"dumps", use->dumps}, {"bytes", use->used}, {"quota", use->quota}};
	size_t count = use->quota != ENGINE_QUOTA_NONE ? 3 : 2, i;
	json_t *agent;

	if (ctx == NULL) {
		printf("agent %s:", use->agent);
		for (i = 0; i < count; i++)
			printf(" %s %" PRIu64, rows[i].name, rows[i].value);
		printf("\n");
		return 0;
	}
	agent = json_object();
	if (agent == NULL || json_array_append_new(ctx, agent) != 0 ||
		ui_json_name(agent, "agent", use->agent, strlen(use->agent)) != 0 ||
		ui_json_rows(agent, rows, count) != 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

static int print_stat(
	const struct options *o, struct engine *s, const struct engine_stat *t, struct err *err)
{
	const struct ui_json_row rows[] = {{"volumes", t->volumes}, {"bytes", t->bytes},
		{"chunks", t->chunks}, {"content", t->raw}, {"dumps", t->dumps},
		{"deleted", t->deleted}, {"damaged", t->damaged}};
	size_t count = sizeof rows / sizeof *rows, i;
	json_t *object, *agents;
	int failed;

	if (!o->o.json) {
		for (i = 0; i < count; i++)
			printf("%-8s %" PRIu64 "\n", rows[i].name, rows[i].value);
		if (engine_uses(s, print_use, NULL, err) != 0)
			return -1;
		return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
	}
	agents = json_array();
	if (agents == NULL)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (engine_uses(s, print_use, agents, err) != 0) {
		json_decref(agents);
		return -1;
	}
	object = ui_json_new("result", "store.stat");
	failed = ui_json_rows(object, rows, count);
	failed |= ui_json_add(object, "agents", agents);
	return ui_json_print(object, failed, err);
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
	uint64_t bytes = ENGINE_QUOTA_NONE;
	struct engine *s;
	int got;

	if (name_check("agent", o->words[0], err) != 0)
		return -1;
	if (strcmp(o->words[1], "none") != 0 && size_parse(o->words[1], &bytes) != 0)
		return err_set(err, ERR_USAGE, "%s: not a quota: expected a size as 10G, or none",
			o->words[1]);
	s = engine_open(o->dir, ENGINE_WRITE, &o->wait, err);
	got = s != NULL ? engine_quota_set(s, o->words[0], bytes, err) : -1;
	engine_close(s);
	if (got != 0)
		return -1;
	return print_result(o, "store.quota", &(struct ui_json_row){"quota", bytes},
		bytes != ENGINE_QUOTA_NONE, err);
}

static int print_gc(const struct options *o, const struct engine_gc_result *r, struct err *err)
{
	const struct ui_json_row rows[] = {{"bytes", r->bytes}, {"volumes", r->volumes},
		{"chunks", r->chunks}, {"left", r->left}, {"damaged", r->damaged},
		{"unfit", r->unfit}, {"wanted", r->wanted}};
	json_t *object;
	int failed;

	if (!o->o.json) {
		printf("%" PRIu64 " bytes %s, %" PRIu64 " volumes rewritten\n", r->bytes,
			o->dry_run ? "would be given back" : "given back", r->volumes);
		if (r->left > 0)
			printf("%" PRIu64 " bytes of garbage stay, in volumes with less than "
			       "%ld %% garbage%s\n",
				r->left, o->threshold,
				o->threshold > 1 ? " (--threshold 1 rewrites these too)" : "");
		if (r->unfit > 0 && r->volumes > 0)
			printf("%" PRIu64
			       " volumes with garbage stay: rewriting the smallest needs %" PRIu64
			       " bytes, and there are %" PRIu64 "\n",
				r->unfit, r->wanted, r->free);
		return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
	}
	object = ui_json_new("result", "store.gc");
	failed = ui_json_rows(object, rows, sizeof rows / sizeof *rows);
	failed |= ui_json_add(object, "dry_run", json_boolean(o->dry_run));
	return ui_json_print(object, failed, err);
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
	if (got != 0 || print_gc(o, &r, err) != 0)
		return -1;
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

static int scrub(void *own, struct err *err)
{
	const struct options *o = own;
	return cmd_scrub(&o->scrub, err);
}

static int rebuild(void *own, struct err *err)
{
	const struct options *o = own;
	struct store_checked r;

	if (engine_rebuild(o->dir, &o->wait, cmd_ask_old, cmd_scrub_problem, (void *)&o->o.json, &r,
		    err) != 0)
		return -1;
	if (!o->o.json)
		printf("%" PRIu64 " blocks, %" PRIu64 " bytes, %" PRIu64 " dumps\n", r.blocks,
			r.bytes, r.dumps);
	if (print_result(o, "store.rebuild",
		    (struct ui_json_row[]){{"blocks", r.blocks}, {"bytes", r.bytes},
			    {"dumps", r.dumps}, {"damaged", r.damaged}, {"lost", r.lost},
			    {"incomplete", r.incomplete}},
		    6, err) != 0)
		return -1;
	if (r.damaged + r.lost + r.incomplete == 0)
		return 0;
	return err_set(err, ERR_DAMAGE,
		"the index is rebuilt, but %" PRIu64 " blocks are damaged, %" PRIu64
		" volumes lost, %" PRIu64
		" dumps not whole: fdump store replicate repairs them from another store",
		r.damaged, r.lost, r.incomplete);
}

static int replicate(void *own, struct err *err)
{
	const struct options *o = own;
	struct ui_stores s = {.count = 0};
	struct store_access access = o->o.access;
	struct store_replicated r;
	struct ui_role role;
	struct ui_net net;
	int found, got = -1;

	if (o->from == NULL)
		return err_set(err, ERR_USAGE, "replicate needs --from STORE");
	found = ui_role_find(&role, o->o.config, o->o.state, o->o.identity, err);
	if (found < 0)
		return -1;
	if (found == 0) {
		ui_net_set(&net, &role);
		access.net = &net.net;
	}
	if (ui_stores_add(&s, o->from, false, &access, err) == 0 &&
		ui_stores_add(&s, o->dir, true, &access, err) == 0 &&
		store_open(s.stores[0], STORE_READ, err) == 0 &&
		store_open(s.stores[1], STORE_WRITE, err) == 0)
		got = store_replicate(s.stores[0], s.stores[1], NULL, NULL, cmd_scrub_problem,
			(void *)&o->o.json, &r, err);
	ui_stores_free(&s);
	if (got != 0)
		return -1;
	if (!o->o.json)
		printf("%" PRIu64 " dumps, %" PRIu64 " chunks, %" PRIu64 " bytes copied\n", r.dumps,
			r.chunks, r.bytes);
	if (print_result(o, "store.replicate",
		    (struct ui_json_row[]){{"dumps", r.dumps}, {"chunks", r.chunks},
			    {"bytes", r.bytes}, {"failed", r.failed}, {"incomplete", r.incomplete}},
		    5, err) != 0)
		return -1;
	if (r.failed > 0)
		return err_set(
			err, ERR_DAMAGE, "%" PRIu64 " dumps could not be copied whole", r.failed);
	if (r.incomplete == 0)
		return 0;
	return err_set(err, ERR_DAMAGE,
		"%" PRIu64 " dumps of %s are not whole, and %s can't repair them: fdump store "
		"replicate from another store, or fdump forget them",
		r.incomplete, o->dir, o->from);
}

static int trust_clock(void *own, struct err *err)
{
	const struct options *o = own;
	struct engine *s = engine_open(o->dir, ENGINE_WRITE, &o->wait, err);
	int got = s != NULL ? engine_trust_clock(s, err) : -1;

	engine_close(s);
	return got == 0 ? print_result(o, "store.trust-clock", NULL, 0, err) : -1;
}

static int serve(void *own, struct err *err)
{
	const struct options *o = own;

	(void)err;
	return cmd_store_service(o->o.config, o->o.state);
}

static int main_store(int argc, char **argv)
{
	struct options o = {.reserve = 64u << 20, .threshold = 30};
	struct err err = {0};
	int status = ui_options_parse(&o.o, &cmd_store, &o, argc, argv);

	if (status >= 0)
		return status;
	if (o.scrub.zone != NULL && o.scrub.schedule == NULL)
		return ui_usage("store", "--tz goes with --schedule");
	o.dir = o.scrub.dir = argv[optind];
	o.words = argv + optind + 1;
	o.scrub.json = o.o.json;
	o.wait = o.scrub.wait =
		(struct engine_wait){o.o.access.wait_sec, o.o.access.waits, o.o.access.ctx};
	status = o.o.verb->run == serve || hash_crypto_init(&err) == 0 ? o.o.verb->run(&o, &err)
								       : -1;
	return status < 0 ? ui_fail("store", &err) : status;
}

#define WRITES "gc scrub rebuild replicate quota trust-clock"

static const struct ui_verb verbs[] = {
	{"-", "", "the store service, in the foreground, as systemd runs it", serve},
	{"init", "DIR", "make a store in DIR, which is new or empty", init},
	{"stat", "DIR", "show what is in it, in numbers; what each agent uses", stat_store},
	{"gc", "DIR",
		"give back the space of what no dump needs, as far as there is room to rewrite "
		"volumes",
		gc},
	{"scrub", "DIR",
		"read everything, find damage, mark it: the next backup, or replicate, repairs "
		"it; everything else goes on in the meantime",
		scrub},
	{"rebuild", "DIR", "make a new index from the volumes; say what is lost", rebuild},
	{"replicate", "--from STORE DIR",
		"copy all dumps that it lacks, or can't read, and all chunks that are missing or "
		"damaged; status 5 if a dump of it is not whole after that",
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
	{'n', "dry-run", UI_FLAG, "only say how much it would be", UI_AT(struct options, dry_run),
		.verbs = "gc"},
	{0, "rate", UI_SIZE, "at most this many bytes a second", UI_AT(struct options, scrub.rate),
		.verbs = "scrub"},
	{0, "for", UI_TIME,
		"begin no volume after 30m, 2h, ...: the next run goes on with those that were "
		"not read for longest",
		UI_AT(struct options, scrub.for_sec), .min = 1, .verbs = "scrub"},
	{0, "schedule", UI_TEXT, "stay, and scrub whenever '0 3 * * sun' or @daily is due",
		UI_AT(struct options, scrub.schedule), .value = "SCHEDULE", .verbs = "scrub"},
	{0, "tz", UI_TEXT, "time zone of the schedule, like Europe/Paris; default: the machine's",
		UI_AT(struct options, scrub.zone), .value = "ZONE", .verbs = "scrub"},
	{0, "from", UI_STORE,
		"copy from this store: a directory (with a slash), or a service's NAME[:PORT]",
		UI_AT(struct options, from), .verbs = "replicate"},
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
	.run = main_store,
};
