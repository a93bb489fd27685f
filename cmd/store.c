/* fdump store: what is done to a store as a whole. */
#include <errno.h>
#include <getopt.h>
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

static const char help[] =
	"usage: fdump store [--config DIR] [--state DIR]\n"
	"       fdump store init DIR [--reserve SIZE] [--json]\n"
	"       fdump store stat DIR [--json]\n"
	"       fdump store gc DIR [--dry-run] [--threshold PERCENT] [--lock-wait TIME]\n"
	"                         [--json]\n"
	"       fdump store scrub DIR [--rate SIZE] [--for TIME] [--lock-wait TIME] [--json]\n"
	"                         [--schedule SCHEDULE [--tz ZONE]]\n"
	"       fdump store rebuild DIR [--lock-wait TIME] [--json]\n"
	"       fdump store replicate --from STORE DIR [--identity DIR] [--lock-wait TIME]\n"
	"                         [--json]\n"
	"       fdump store quota DIR AGENT SIZE|none [--lock-wait TIME] [--json]\n"
	"       fdump store trust-clock DIR [--lock-wait TIME] [--json]\n"
	"\n"
	"  without a verb          the store service, in the foreground, as systemd runs it\n"
	"      --config DIR        where store.conf and stores' addresses are; default:\n"
	"                          /etc/fdump\n"
	"      --state DIR         the service's own files; default: /var/lib/fdump\n"
	"  init                    makes a store in DIR, which is new or empty\n"
	"      --reserve SIZE      keep so much of the file system free; default: 64M\n"
	"  stat                    what is in it, in numbers; what each agent uses\n"
	"  gc                      gives back the space of what no dump needs, as far as there\n"
	"                          is room to rewrite volumes\n"
	"      --threshold PERCENT rewrites volumes of which so much is garbage; default: 30;\n"
	"                          1 takes longest and gives most back\n"
	"  -n, --dry-run           only says how much\n"
	"  scrub                   reads all, finds damage, marks it: the next backup, or\n"
	"                          replicate, mends it; all else goes on meanwhile\n"
	"      --rate SIZE         at most so many bytes a second\n"
	"      --for TIME          begins no volume after 30m, 2h, ...: the next run goes on\n"
	"                          with those that were not read for longest\n"
	"      --schedule SCHEDULE stays, and scrubs whenever '0 3 * * sun' or @daily is due\n"
	"      --tz ZONE           of the schedule, like Europe/Paris (the machine's)\n"
	"  rebuild                 makes the index anew, from the volumes; says what is lost\n"
	"  replicate               copies all dumps that it lacks, or can't read, and all\n"
	"                          chunks that are missing or damaged; status 5 if a dump\n"
	"                          of it is not whole after that\n"
	"      --from STORE        from there: a directory (with a slash), or a service's\n"
	"                          NAME[:PORT]\n"
	"      --identity DIR      key and certificate to reach it with; default:\n"
	"                          ~/.config/fdump, else this machine's agent's\n"
	"  quota                   lets an agent use so much of it, at most\n"
	"  trust-clock             says that the machine's clock is right: after it was set by\n"
	"                          more than a day, or back, nothing is deleted until then\n"
	"\n"
	"      --lock-wait TIME    of all that writes: wait so long for others; default: 30s\n"
	"      --json              one JSON object a line: problems, if any, and the result\n"
	"\n"
	"Exit status: 0 done; 2 failed; 5 damage found; 7 no space; 8 busy.\n";

struct options {
	const char *dir, *from, *config, *state, *identity;
	char **words; /* behind DIR */
	struct cmd_scrub scrub;
	uint64_t reserve;
	struct store_access access;
	struct engine_wait wait; /* the same */
	bool json, dry_run;
	long threshold;
};

enum {
	OPT_RESERVE = 256,
	OPT_JSON,
	OPT_RATE,
	OPT_FOR,
	OPT_SCHEDULE,
	OPT_TZ,
	OPT_FROM,
	OPT_THRESHOLD,
	OPT_LOCK_WAIT,
	OPT_CONFIG,
	OPT_STATE,
	OPT_IDENTITY,
	OPT_HELP
};

static const struct option long_options[] = {
	{"reserve", required_argument, NULL, OPT_RESERVE},
	{"json", no_argument, NULL, OPT_JSON},
	{"dry-run", no_argument, NULL, 'n'},
	{"threshold", required_argument, NULL, OPT_THRESHOLD},
	{"rate", required_argument, NULL, OPT_RATE},
	{"for", required_argument, NULL, OPT_FOR},
	{"schedule", required_argument, NULL, OPT_SCHEDULE},
	{"tz", required_argument, NULL, OPT_TZ},
	{"lock-wait", required_argument, NULL, OPT_LOCK_WAIT},
	{"from", required_argument, NULL, OPT_FROM},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"state", required_argument, NULL, OPT_STATE},
	{"identity", required_argument, NULL, OPT_IDENTITY},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

/* The object, if that is wanted; all is on its way. */
static int print_result(const struct options *o, const char *id, const struct ui_json_row *rows,
	size_t count, struct err *err)
{
	json_t *object = o->json ? ui_json_new("result", id) : NULL;

	if (o->json && ui_json_print(object, ui_json_rows(object, rows, count), err) != 0)
		return -1;
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

static int init(const struct options *o, struct err *err)
{
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

	if (!o->json) {
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

static int stat_store(const struct options *o, struct err *err)
{
	struct engine *s = engine_open(o->dir, ENGINE_READ, &o->wait, err);
	struct engine_stat t;
	int got = s == NULL ? -1 : engine_stat(s, &t, err);

	ui_pipe_ends(UI_OK);
	if (got == 0)
		got = print_stat(o, s, &t, err);
	engine_close(s);
	return got;
}

static int set_quota(const struct options *o, struct err *err)
{
	uint64_t bytes = ENGINE_QUOTA_NONE;
	struct engine *s;
	int got;

	if (name_check("agent", o->words[0], err) != 0)
		return -1;
	if (strcmp(o->words[1], "none") != 0 && ui_size(o->words[1], &bytes) != 0)
		return err_set(
			err, ERR_USAGE, "%s: is no quota: a size as 10G, or none", o->words[1]);
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

	if (!o->json) {
		printf("%" PRIu64 " bytes %s, %" PRIu64 " volumes rewritten\n", r->bytes,
			o->dry_run ? "would be given back" : "given back", r->volumes);
		if (r->left > 0)
			printf("%" PRIu64 " bytes of garbage stay, in volumes of which less than "
			       "%ld %% is garbage%s\n",
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

static int gc(const struct options *o, struct err *err)
{
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

static int scrub(const struct options *o, struct err *err)
{
	return cmd_scrub(&o->scrub, err);
}

static int rebuild(const struct options *o, struct err *err)
{
	struct store_checked r;

	if (engine_rebuild(o->dir, &o->wait, cmd_ask_old, cmd_scrub_problem, (void *)&o->json, &r,
		    err) != 0)
		return -1;
	if (!o->json)
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
		"the index is made anew, but %" PRIu64 " blocks are damaged, %" PRIu64
		" volumes lost, %" PRIu64 " dumps not whole: fdump store replicate mends it "
		"from another store",
		r.damaged, r.lost, r.incomplete);
}

static int replicate(const struct options *o, struct err *err)
{
	struct ui_stores s = {.count = 0};
	struct store_access access = o->access;
	struct store_replicated r;
	struct ui_role role;
	struct ui_net net;
	int found, got = -1;

	if (o->from == NULL)
		return err_set(err, ERR_USAGE, "replicate wants --from STORE");
	found = ui_role_find(&role, o->config, o->state, o->identity, err);
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
			(void *)&o->json, &r, err);
	ui_stores_free(&s);
	if (got != 0)
		return -1;
	if (!o->json)
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
		"%" PRIu64 " dumps of %s are not whole, and %s can't mend them: fdump store "
		"replicate from another store, or fdump forget them",
		r.incomplete, o->dir, o->from);
}

static int trust_clock(const struct options *o, struct err *err)
{
	struct engine *s = engine_open(o->dir, ENGINE_WRITE, &o->wait, err);
	int got = s != NULL ? engine_trust_clock(s, err) : -1;

	engine_close(s);
	return got == 0 ? print_result(o, "store.trust-clock", NULL, 0, err) : -1;
}

static const struct {
	const char *name;
	int (*run)(const struct options *o, struct err *err);
	int words; /* behind DIR */
} verbs[] = {{"init", init, 0}, {"stat", stat_store, 0}, {"gc", gc, 0}, {"scrub", scrub, 0},
	{"rebuild", rebuild, 0}, {"replicate", replicate, 0}, {"quota", set_quota, 2},
	{"trust-clock", trust_clock, 0}};

int cmd_store(int argc, char **argv)
{
	struct options o = {.reserve = 64u << 20, .threshold = 30};
	static const bool quiet = false;
	struct err err = {0};
	uint64_t seen = 0;
	size_t i;
	int c;

	ui_options_lock_wait("store", NULL, &quiet, &o.access);
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":hn", long_options, NULL)) != -1) {
		if (ui_options_once("store", &seen, long_options, c) >= 0)
			return UI_FAILED;
		switch (c) {
		case OPT_RESERVE:
			if (ui_size(optarg, &o.reserve) != 0)
				return ui_usage("store", "--reserve wants a size as 10G");
			break;
		case OPT_RATE:
			if (ui_size(optarg, &o.scrub.rate) != 0)
				return ui_usage("store", "--rate wants a size as 50M");
			break;
		case OPT_FOR:
			if (ui_duration(optarg, &o.scrub.for_sec) != 0 || o.scrub.for_sec == 0)
				return ui_usage("store", "--for wants a time as 30m or 2h");
			break;
		case OPT_SCHEDULE:
			o.scrub.schedule = optarg;
			break;
		case OPT_TZ:
			o.scrub.zone = optarg;
			break;
		case OPT_THRESHOLD:
			if (ui_number(optarg, 1, 100, &o.threshold) != 0)
				return ui_usage("store", "--threshold wants 1 to 100");
			break;
		case OPT_LOCK_WAIT:
			if (ui_options_lock_wait("store", optarg, &quiet, &o.access) >= 0)
				return UI_FAILED;
			break;
		case OPT_CONFIG:
			o.config = optarg;
			break;
		case OPT_STATE:
			o.state = optarg;
			break;
		case OPT_IDENTITY:
			o.identity = optarg;
			break;
		case OPT_FROM:
			o.from = optarg;
			if (ui_options_path("store", o.from) >= 0)
				return UI_FAILED;
			break;
		case 'n':
			o.dry_run = true;
			break;
		case OPT_JSON:
			o.json = o.scrub.json = true;
			break;
		case 'h':
		case OPT_HELP:
			fputs(help, stdout);
			return UI_OK;
		default:
			return ui_options_wrong("store", c, argv);
		}
	}
	if (o.scrub.zone != NULL && o.scrub.schedule == NULL)
		return ui_usage("store", "--tz goes with --schedule");
	if (argc == optind)
		return cmd_store_service(o.config, o.state);
	if (argc - optind < 2)
		return ui_usage("store", "wants a verb and a DIR");
	o.dir = o.scrub.dir = argv[optind + 1];
	for (i = (size_t)optind; i < (size_t)argc; i++)
		if (ui_options_path("store", argv[i]) >= 0)
			return UI_FAILED;
	o.wait = o.scrub.wait =
		(struct engine_wait){o.access.wait_sec, o.access.waits, o.access.ctx};
	o.words = argv + optind + 2;
	for (i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(argv[optind], verbs[i].name) == 0 && argc - optind - 2 != verbs[i].words)
			return ui_usage("store", verbs[i].words > 0
							 ? "quota wants a DIR, an AGENT and a SIZE"
							 : "wants a verb and a DIR");
		else if (strcmp(argv[optind], verbs[i].name) == 0)
			return hash_crypto_init(&err) == 0 && verbs[i].run(&o, &err) == 0
				       ? UI_OK
				       : ui_fail("store", &err);
	return ui_usage("store", "%s: no such verb", argv[optind]);
}
