/* fdump backup: trees into stores. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cmd/agent/hook.h"
#include "cmd/agent/state.h"
#include "cmd/cmd.h"
#include "cmd/dump/fanout.h"
#include "cmd/dump/pipeline.h"
#include "cmd/store/marks.h"
#include "cmd/ui/avoid.h"
#include "cmd/ui/copies.h"
#include "cmd/ui/ending.h"
#include "cmd/ui/estimate.h"
#include "cmd/ui/json.h"
#include "cmd/ui/missed.h"
#include "cmd/ui/options.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/roots.h"
#include "cmd/ui/stores.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
#include "lib/hash.h"
#include "lib/key.h"
#include "lib/name.h"
#include "lib/seal.h"
#include "lib/zst.h"

static const char help[] =
	"usage: fdump backup -s STORE... (--to KEY.pub... | --unencrypted) [options]\n"
	"                    [PATH...]\n"
	"\n"
	"Keeps trees of files as a new dump in each STORE. What was not touched since\n"
	"the last dump is not read again; equal content is stored once.\n"
	"\n"
	"  -s, --store STORE       a store: a directory (with a slash), or a service's\n"
	"                          NAME[:PORT] (repeatable: one reading, a copy in each)\n"
	"      --config DIR        where stores' addresses are; default: /etc/fdump\n"
	"      --identity DIR      key and certificate to reach services with; default:\n"
	"                          the agent's, in the folder of --state\n"
	"      --copies N          enough when N stores have it; default: all\n"
	"      --to FILE.pub       seal it to this public key (repeatable)\n"
	"      --unencrypted       not sealed: whoever has the store can read it\n"
	"      --agent NAME        the agent's name in the store; default: the host's, in\n"
	"                          lower case, with '-' for '_'\n"
	"      --name NAME         of this backup; default: backup\n"
	"      --job SLOT:PLAN     the job's slot and plan, from the agent service\n"
	"  -C, --directory DIR     PATHs are in DIR\n"
	"  -T, --files-from FILE   read more PATHs from FILE\n"
	"      --null              they end in NUL, not newline\n"
	"  -v, --verbose           name each entry that is read on standard error\n"
	"      --no-recursion      directories without what is in them: with -T FILE exactly\n"
	"                          what is listed there\n"
	"      --one-file-system   stay on the file system of each PATH\n"
	"  -X, --exclude-from FILE leave out what matches the patterns in FILE\n"
	"      --exclude PATTERN   leave out what matches, as in .gitignore (repeatable)\n"
	"      --exclude-caches    of directories with a CACHEDIR.TAG keep only that\n"
	"      --no-xattrs         without extended attributes and ACLs\n"
	"      --numeric-owner     without names of users and groups\n"
	"      --command NAME=PROGRAM  the output of PROGRAM as member NAME (repeatable); what\n"
	"                          is there in the tree is left out, and listed\n"
	"      --reread            read everything, whether it was touched or not\n"
	"      --accept-fewer      that there is far less than in the last dump is right\n"
	"      --accept-hidden     that trusted.* attributes can't be seen is right\n"
	"      --lock TIME         can't be deleted for 30d, 12h, ...\n"
	"      --lock-wait TIME    wait so long while others write to a STORE; default: 30s\n"
	"      --level N           zstd level 0 (none) to 19, default 2\n"
	"      --json              problems and the result as JSON, one object a line\n"
	"      --progress          with --json: how far it is, every five seconds\n"
	"      --threads N         default: the number of processors\n"
	"      --before NAME       run this hook before; if it fails there is no backup\n"
	"      --after NAME        run this hook after, also if it failed\n"
	"      --hooks DIR         where hooks are; default: /etc/fdump/hooks\n"
	"      --nice N            let others go first, 0 to 19, as nice(1)\n"
	"      --ionice CLASS      the same for disks: idle, or 0 (first) to 7 (last)\n"
	"      --state DIR         the agent's own files are in DIR/agent; default:\n"
	"                          /var/lib/fdump for root, else ~/.local/state/fdump\n"
	"\n"
	"Exit status: 0 complete; 1 done, but some entries changed or could not be\n"
	"read, and are listed; 2 failed; 3 a key file is not as it must be; 4 fewer copies\n"
	"than asked for; 5 a store is damaged; 7 no space; 8 a store was busy.\n";

#define PROGRESS_MS 5000                        /* between two lines of --progress */
#define HEAL_ROUNDS 3                           /* in which lost chunks may turn up */
#define LOCK_MAX    ((int64_t)10 * 366 * 86400) /* seconds: what is mistyped can't be undone */

struct options {
	struct ui_options o; /* .select: its patterns */
	long copies;
	const char *to[STORE_WRAPS_MAX];
	size_t to_count;
	bool open;
	struct dump_pipeline_options backup;
	struct ui_roots roots;
	struct ui_stores stores;
	const char *hooks, *before, *after;
	char base[4096];
	uint8_t plan[STORE_PLAN_LEN]; /* --job: goes with .backup.slot */
	bool accept_fewer, accept_hidden;
	bool progress;           /* --progress: */
	uint64_t bytes, entries; /* done, */
	int64_t told_ms;         /* when that was told; 0: not yet */
	struct ui_avoid avoid;
	struct ui_copies report;
	json_t *hook_failures, *warnings; /* for the result */
};

enum {
	OPT_COPIES = UI_OPTIONS_OWN,
	OPT_TO,
	OPT_UNENCRYPTED,
	OPT_NAME,
	OPT_ONE_FS,
	OPT_CACHES,
	OPT_REREAD,
	OPT_LOCK,
	OPT_LEVEL,
	OPT_BEFORE,
	OPT_AFTER,
	OPT_HOOKS,
	OPT_NICE,
	OPT_IONICE,
	OPT_ACCEPT_FEWER,
	OPT_ACCEPT_HIDDEN,
	OPT_JOB,
	OPT_PROGRESS
};

static const struct option own[] = {
	{"copies", required_argument, NULL, OPT_COPIES},
	{"to", required_argument, NULL, OPT_TO},
	{"unencrypted", no_argument, NULL, OPT_UNENCRYPTED},
	{"name", required_argument, NULL, OPT_NAME},
	{"one-file-system", no_argument, NULL, OPT_ONE_FS},
	{"exclude-caches", no_argument, NULL, OPT_CACHES},
	{"reread", no_argument, NULL, OPT_REREAD},
	{"lock", required_argument, NULL, OPT_LOCK},
	{"level", required_argument, NULL, OPT_LEVEL},
	{"before", required_argument, NULL, OPT_BEFORE},
	{"after", required_argument, NULL, OPT_AFTER},
	{"hooks", required_argument, NULL, OPT_HOOKS},
	{"nice", required_argument, NULL, OPT_NICE},
	{"ionice", required_argument, NULL, OPT_IONICE},
	{"accept-fewer", no_argument, NULL, OPT_ACCEPT_FEWER},
	{"accept-hidden", no_argument, NULL, OPT_ACCEPT_HIDDEN},
	{"job", required_argument, NULL, OPT_JOB},
	{"progress", no_argument, NULL, OPT_PROGRESS},
	{0},
};

/* Threads that are made later have the same. */
static int set_nice(const char *text)
{
	long n;

	if (ui_number(text, 0, 19, &n) != 0)
		return ui_usage("backup", "--nice wants 0 to 19");
	if (setpriority(PRIO_PROCESS, 0, (int)n) != 0)
		return ui_usage("backup", "--nice: %s", strerror(errno));
	return -1;
}

/* As ionice(1) has them: what is read comes after what others read. */
static int set_ionice(const char *text)
{
	enum { IOPRIO_PROCESS = 1, BEST_EFFORT = 2, IDLE = 3, CLASS_SHIFT = 13 };
	int priority;

	if (strcmp(text, "idle") == 0)
		priority = IDLE << CLASS_SHIFT;
	else if (strlen(text) == 1 && text[0] >= '0' && text[0] <= '7')
		priority = BEST_EFFORT << CLASS_SHIFT | (text[0] - '0');
	else
		return ui_usage("backup", "--ionice wants idle, or 0 (first) to 7 (last)");
	if (syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, priority) != 0)
		return ui_usage("backup", "--ionice: %s", strerror(errno));
	return -1;
}

/* SLOT:PLAN, seconds since 1970 (0: by order) and the first digits of the plan's digest. */
static int set_job(struct options *o, const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18 || text[digits] != ':' ||
		!esc_unhex(o->plan, sizeof o->plan, text + digits + 1))
		return ui_usage("backup", "--job: expected SLOT:PLAN, seconds and %zu digits",
			2 * sizeof o->plan);
	o->backup.slot = atoll(text);
	o->backup.plan = o->plan;
	return -1;
}

/* One of backup's own options that have a value. */
static int take_value(struct options *o, int c)
{
	struct err err = {0};
	int64_t seconds;
	long n;

	switch (c) {
	case OPT_COPIES:
		if (ui_number(optarg, 1, STORES_MAX, &o->copies) != 0)
			return ui_usage("backup", "--copies wants 1 to %d", STORES_MAX);
		return -1;
	case OPT_TO:
		if (o->to_count == STORE_WRAPS_MAX)
			return ui_usage("backup", "over %d keys", STORE_WRAPS_MAX);
		o->to[o->to_count++] = optarg;
		return -1;
	case OPT_NAME:
		if (name_check("--name", optarg, &err) != 0)
			return ui_usage("backup", "%s", err.message);
		o->backup.name = optarg;
		return -1;
	case OPT_LOCK:
		if (ui_duration(optarg, &seconds) != 0 || seconds > LOCK_MAX)
			return ui_usage(
				"backup", "--lock wants a time as 30d, 12h, 4w; 10 years at most");
		o->backup.lock = (int64_t)time(NULL) + seconds;
		return -1;
	case OPT_JOB:
		return set_job(o, optarg);
	case OPT_BEFORE:
		o->before = optarg;
		return -1;
	case OPT_AFTER:
		o->after = optarg;
		return -1;
	case OPT_HOOKS:
		o->hooks = optarg;
		return -1;
	case OPT_NICE:
		return set_nice(optarg);
	case OPT_IONICE:
		return set_ionice(optarg);
	default:
		if (ui_number(optarg, 0, ZST_LEVEL_MAX, &n) != 0)
			return ui_usage("backup", "--level wants 0 to %d", ZST_LEVEL_MAX);
		o->backup.level = (int)n;
		return -1;
	}
}

static int take(void *ctx, int c)
{
	struct options *o = ctx;

	switch (c) {
	case OPT_UNENCRYPTED:
		o->open = true;
		return -1;
	case OPT_ONE_FS:
		o->backup.scan.one_file_system = true;
		return -1;
	case OPT_CACHES:
		o->backup.scan.exclude_caches = true;
		return -1;
	case OPT_REREAD:
		o->backup.reread = true;
		return -1;
	case OPT_ACCEPT_FEWER:
		o->accept_fewer = true;
		return -1;
	case OPT_PROGRESS:
		o->progress = true;
		return -1;
	case OPT_ACCEPT_HIDDEN:
		o->accept_hidden = true;
		return -1;
	default:
		return take_value(o, c);
	}
}

static int check(struct options *o)
{
	struct err err = {0};

	if (o->o.store_count == 0)
		return ui_usage(
			"backup", "no STORE given (-s STORE; fdump store init DIR makes one)");
	if (ui_stores_new(&o->stores, o->o.stores, o->o.store_count, &o->o.access, &err) != 0)
		return ui_usage("backup", "%s", err.message);
	if ((size_t)o->copies > o->o.store_count)
		return ui_usage("backup", "--copies %ld wants as many stores", o->copies);
	if (o->to_count == 0 && !o->open)
		return ui_usage("backup",
			"choose encryption: --to KEY.pub ('fdump key new KEY' makes the pair), or "
			"--unencrypted");
	if (o->progress && !o->o.json)
		return ui_usage("backup", "--progress goes with --json");
	if (o->to_count > 0 && o->open)
		return ui_usage("backup", "--to and --unencrypted exclude each other");
	return -1;
}

/* Commands go by name, as paths do. */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int parse(struct options *o, int argc, char **argv)
{
	struct err err = {0};
	int status = ui_options_parse(&o->o, argc, argv);

	if (status >= 0 || (status = check(o)) >= 0)
		return status;
	for (; optind < argc; optind++)
		if (ui_roots_add(&o->roots, argv[optind], &err) != 0)
			return ui_fail("backup", &err);
	if (o->o.files_from != NULL &&
		ui_roots_read(&o->roots, o->o.files_from, o->o.null, &err) != 0)
		return ui_fail("backup", &err);
	if (o->roots.count == 0 && o->o.command_count == 0)
		return ui_usage("backup", "no PATH given ('.' for all that is here)");
	o->backup.paths = o->roots.encoded.data;
	o->backup.paths_len = o->roots.encoded.len;
	o->backup.path_count = o->roots.encoded_count;
	ui_roots_order(&o->roots, !o->o.no_recursion);
	qsort(o->o.commands, o->o.command_count, sizeof *o->o.commands, by_text);
	o->backup.commands = o->backup.scan.taken = o->o.commands;
	o->backup.threads = o->o.threads;
	o->backup.scan.no_recursion = o->o.no_recursion;
	o->backup.xattrs = !o->o.no_xattrs;
	o->backup.owner_names = !o->o.numeric_owner;
	return -1;
}

/* The directory that names in the dump begin at. */
static int find_base(struct options *o, struct err *err)
{
	const char *dir = o->o.directory != NULL ? o->o.directory : ".";
	char *real;

	o->backup.scan.base = AT_FDCWD;
	if (o->o.directory != NULL) {
		o->backup.scan.base = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (o->backup.scan.base < 0)
			return err_errno(err, errno, "%s", dir);
	}
	real = o->roots.count > 0 && o->roots.paths[0][0] == '/' ? strdup("/")
								 : realpath(dir, NULL);
	if (real == NULL)
		return err_errno(err, errno, "%s", dir);
	snprintf(o->base, sizeof o->base, "%s", real);
	free(real);
	o->backup.base = o->base;
	return 0;
}

/* What a second run would say again is said once. */
static void warn(void *ctx, const char *what)
{
	struct options *o = ctx;
	size_t i;

	for (i = 0; i < json_array_size(o->warnings); i++) {
		const json_t *said = json_object_get(json_array_get(o->warnings, i), "what");

		if (said != NULL && strcmp(json_string_value(said), what) == 0)
			return;
	}
	ui_progress_hush();
	ui_say("backup", "%s", what);
	ui_json_note(o->warnings, NULL, NULL, what);
}

/* For the walk ahead, which says nothing. */
static bool left_out(void *ctx, const char *path, size_t len, bool is_dir)
{
	const struct options *o = ctx;

	return ui_avoid_find(&o->avoid, path, len) != NULL ||
	       ui_options_excluded(&o->o, path, len, is_dir);
}

static bool excluded(void *ctx, const char *path, size_t len, bool is_dir)
{
	struct options *o = ctx;
	const struct ui_avoided *avoided = ui_avoid_find(&o->avoid, path, len);
	char text[ERR_MESSAGE_MAX];

	if (avoided != NULL) {
		snprintf(text, sizeof text, "%s: is %s: left out", avoided->folder, avoided->what);
		warn(o, text);
		return true;
	}
	return left_out(ctx, path, len, is_dir);
}

static bool enters(void *ctx, const char *path, size_t len)
{
	const struct options *o = ctx;

	return ui_roots_within(&o->roots, path, len);
}

/* --one-file-system: what is mounted there is not in the dump. */
static void on_border(void *ctx, const char *path, size_t len)
{
	char text[ERR_MESSAGE_MAX];

	snprintf(text, sizeof text,
		"note: %.*s: another file system is mounted there: not gone into", (int)len, path);
	warn(ctx, text);
}

/* The stores, and the state folder. */
static int avoid_own(struct options *o, const char *state, struct err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < o->stores.count && ret == 0; i++) {
		const char *folder = store_directory(o->stores.stores[i]);

		if (folder != NULL)
			ret = ui_avoid_add(
				&o->avoid, o->base, folder, "a store of this backup", err);
	}
	if (ret == 0)
		ret = ui_avoid_add(&o->avoid, o->base, state,
			"the state folder of this backup (--state)", err);
	if (o->avoid.count > 0)
		o->backup.scan.excluded = excluded;
	return ret;
}

static int next_root(void *ctx, const char **path, struct err *err)
{
	struct options *o = ctx;

	return ui_roots_next(&o->roots, path, err);
}

/* --- what is said ---------------------------------------------------------- */

static void on_entry(void *ctx, const char *path, size_t len, bool carried)
{
	char text[ESC_MAX(4096)];

	(void)ctx;
	if (carried)
		return;
	esc_name(text, sizeof text, path, len);
	fprintf(stderr, "%s\n", text);
}

static void on_problem(void *ctx, const char *path, size_t len, const char *what)
{
	struct options *o = ctx;
	char text[ESC_MAX(4096)];
	struct err err;
	json_t *object;
	int failed;

	ui_progress_hush();
	if (o->o.json) {
		object = ui_json_new("problem", "backup.problem");
		failed = ui_json_name(object, "path", path, len);
		failed |= ui_json_add(object, "what", json_string(what));
		if (ui_json_print(object, failed, &err) == 0)
			return;
	}
	esc_name(text, sizeof text, path, len);
	fprintf(stderr, "fdump backup: %s: %s\n", text, what);
}

/* For the agent service. */
static void tell_progress(struct options *o)
{
	struct timespec now;
	int64_t now_ms;
	struct err err;
	json_t *object;
	int failed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (o->told_ms != 0 && now_ms - o->told_ms < PROGRESS_MS)
		return;
	o->told_ms = now_ms;
	object = ui_json_new("progress", "backup.progress");
	failed = ui_json_add(object, "bytes", json_integer((json_int_t)o->bytes));
	failed |= ui_json_add(object, "entries", json_integer((json_int_t)o->entries));
	if (ui_json_print(object, failed, &err) == 0)
		fflush(stdout);
}

/* One at a time. */
static void on_progress(void *ctx, uint64_t bytes, uint64_t entries)
{
	struct options *o = ctx;

	ui_progress_add(bytes, entries);
	o->bytes += bytes;
	o->entries += entries;
	if (o->progress && o->o.json)
		tell_progress(o);
}

static int tell(const struct options *o, const struct dump_pipeline_result *r, struct err *err)
{
	char id[2 * STORE_DUMP_ID + 1];
	json_t *object;
	int failed;

	esc_hex(id, r->dump, sizeof r->dump);
	if (!o->o.json) {
		printf("dump %s: %llu entries, %llu bytes; %llu entries as before, %llu bytes "
		       "read, "
		       "%llu bytes stored, %zu of %zu copies\n",
			id, (unsigned long long)r->entries, (unsigned long long)r->content,
			(unsigned long long)r->carried, (unsigned long long)r->read,
			(unsigned long long)r->stored, r->acknowledged, o->o.store_count);
		return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
	}
	object = ui_json_new("result", "backup.result");
	failed = ui_json_add(object, "dump", json_string(id));
	failed |= ui_json_add(object, "entries", json_integer((json_int_t)r->entries));
	failed |= ui_json_add(object, "content", json_integer((json_int_t)r->content));
	failed |= ui_json_add(object, "unchanged", json_integer((json_int_t)r->carried));
	failed |= ui_json_add(object, "read", json_integer((json_int_t)r->read));
	failed |= ui_json_add(object, "stored", json_integer((json_int_t)r->stored));
	failed |= ui_json_add(object, "not_ok", json_integer((json_int_t)r->statuses));
	failed |= ui_json_add(object, "problems", json_integer((json_int_t)r->problems));
	if (r->fewer_than > 0)
		failed |=
			ui_json_add(object, "fewer_than", json_integer((json_int_t)r->fewer_than));
	failed |= ui_json_add(object, "copies", json_integer((json_int_t)r->acknowledged));
	failed |= ui_copies_json(&o->report, object);
	failed |= ui_json_add(object, "hooks", json_incref(o->hook_failures));
	failed |= ui_json_add(object, "warnings", json_incref(o->warnings));
	return ui_json_print(object, failed, err);
}

/* --- the whole ------------------------------------------------------------- */

static int load_domain(
	struct options *o, const char *state, struct dump_domain *domain, struct err *err)
{
	uint8_t secret[DUMP_SECRET_LEN];
	struct key_public keys[STORE_WRAPS_MAX];
	size_t i;
	int got = agent_state_secret(state, secret, err);

	for (i = 0; i < o->to_count && got == 0; i++)
		got = key_public_load(o->to[i], &keys[i], err);
	if (got == 0)
		got = dump_domain_init(domain, secret, keys, o->to_count, err);
	seal_wipe(keys, sizeof keys);
	seal_wipe(secret, sizeof secret);
	return got;
}

/* As dump_pipeline_run, with progress. */
static int run_once(struct options *o, struct dump_pipeline_result *result, struct err *err)
{
	struct pack_scan_options ahead = o->backup.scan;
	int got;

	ahead.excluded = ahead.excluded != NULL ? left_out : NULL;
	o->bytes = o->entries = 0;
	ui_progress_start("backup", 0, o->o.verbose);
	if (o->roots.count > 0)
		ui_estimate_start(&ahead, o->roots.paths, !o->o.verbose);
	got = dump_pipeline_run(&o->backup, result, err);
	ui_progress_stop();
	ui_estimate_stop();
	return got;
}

/* Runs it; again if what was carried over is not there any more: first only what names the chunks
 * that are missing is read, at last everything. */
static int run(struct options *o, struct dump_pipeline_result *result, struct err *err)
{
	struct store_marks lost = {0};
	char text[128];
	int rounds, got;

	o->backup.lost = &lost;
	got = run_once(o, result, err);
	for (rounds = 0; got == 1 && !o->backup.store_all; rounds++) {
		o->backup.store_all = result->lost == 0 || rounds == HEAL_ROUNDS;
		snprintf(text, sizeof text,
			"the stores have lost %zu chunk%s: the files that need %s are read again",
			result->lost, result->lost > 1 ? "s" : "",
			result->lost > 1 ? "them" : "it");
		warn(o, o->backup.store_all
				? "the stores have lost chunks: everything is read again"
				: text);
		o->roots.next = 0;
		got = run_once(o, result, err);
	}
	store_marks_fini(&lost);
	o->backup.lost = NULL;
	return got == 1 ? err_set(err, ERR_FAILED, "chunks are missing that were just stored")
			: got;
}

/* What the agent keeps of its own is not the dump. */
static void warn_state(struct options *o, const struct err *why, const char *what)
{
	char text[ERR_MESSAGE_MAX + 64];

	snprintf(text, sizeof text, "warning: %s: %s", why->message, what);
	warn(o, text);
}

static int backup(struct options *o, struct dump_pipeline_result *result, struct err *err)
{
	struct dump_fanout_options copies = {
		.stores = o->stores.stores,
		.count = o->stores.count,
		.name = o->backup.name,
		.wanted = o->copies > 0 ? (size_t)o->copies : o->o.store_count,
		.behind = ui_copies_behind,
		.ctx = &o->report,
	};
	struct ui_missed missed = {
		.name = o->backup.name,
		.roots = &o->roots,
		.stores = o->o.stores,
		.listed = o->o.files_from != NULL,
		.no_recursion = o->o.no_recursion,
		.warn = warn,
		.ctx = o,
	};
	struct dump_domain domain = {0};
	struct err why = {0};
	char *state = agent_state_dir(o->o.state, err), *last = NULL, agent[NAME_LEN_MAX + 1];
	int got = -1;

	if (state == NULL || load_domain(o, state, &domain, err) != 0 ||
		agent_state_name(o->o.agent, agent, err) != 0 || find_base(o, err) != 0 ||
		avoid_own(o, state, err) != 0)
		goto out;
	o->backup.agent = copies.agent = agent;
	o->backup.domain = &domain;
	o->backup.last = last = agent_state_last(state, o->backup.name, domain.fingerprint, err);
	if (last == NULL)
		goto out;
	if (!domain.open && agent_state_know(state, domain.fingerprint, &why) != 0)
		warn_state(o, &why, "fdump restore needs --any-origin for this dump");
	copies.domain = &domain;
	if (ui_stores_open(
		    &o->stores, STORE_WRITE, copies.wanted, ui_copies_behind, &o->report, err) != 0)
		goto out;
	o->backup.copies = dump_fanout_new(&copies, err);
	if (o->backup.copies != NULL) {
		o->report.running = true;
		missed.base = o->base;
		dump_fanout_before(o->backup.copies, ui_missed_compare, &missed);
		ui_missed_links(&missed, o->backup.scan.base);
		o->backup.full = o->accept_fewer ? 0 : missed.full;
		got = run(o, result, err);
	}
	if (got == 0 && result->unkept_last)
		warn_state(o, &result->unkept, "the next backup reads everything");
	if (got == 0)
		result->problems +=
			ui_missed_after(&missed, &o->o.select, result->entries, result->fewer_than);
	if (got == 0)
		result->acknowledged += dump_fanout_catch_up(
			o->backup.copies, result->dump, ui_copies_catch_up, &result->stored);
	if (o->backup.copies != NULL)
		ui_copies_receipts(&o->report, o->backup.copies, o->stores.stores);
	ui_copies_tell(&o->report);
out:
	/* The stores first: they may use what the run was begun with. */
	ui_stores_free(&o->stores);
	dump_fanout_free(o->backup.copies);
	dump_domain_wipe(&domain);
	free(state);
	free(last);
	return got;
}

/* Runs a hook, if there is one to run. Returns 0, or -1 with err set. */
static int hook(struct options *o, const char *name, int status,
	const struct dump_pipeline_result *r, struct err *err)
{
	char result[32], dump[32 + 2 * STORE_DUMP_ID] = "FDUMP_DUMP=", job[32 + NAME_LEN_MAX];
	char *environment[] = {job, status >= 0 ? result : NULL, dump, NULL};

	if (name == NULL)
		return 0;
	snprintf(job, sizeof job, "FDUMP_NAME=%s", o->backup.name);
	snprintf(result, sizeof result, "FDUMP_STATUS=%d", status);
	if (r != NULL && r->acknowledged > 0)
		esc_hex(dump + strlen(dump), r->dump, sizeof r->dump);
	return agent_hook_run(o->hooks, name, environment, o->backup.plan != NULL, err) == 0 ? 0
											     : -1;
}

/* The one at the end, which changes nothing about the dump. */
static int hook_after(struct options *o, int status, const struct dump_pipeline_result *r)
{
	struct err err;

	if (hook(o, o->after, status, r, &err) == 0)
		return 0;
	ui_say("backup", "%s", err.message);
	ui_json_note(o->hook_failures, "hook", o->after, err.message);
	return -1;
}

/* A run that is ended by a signal: what the hook before it began the one after it ends. */
static void ended(void *ctx, int status)
{
	struct options *o = ctx;
	struct err err = {0};

	ui_progress_hush();
	hook_after(o, status, NULL);
	if (!o->o.json)
		return;
	err_set(&err, ERR_CANCELLED, "ended by a signal: %s", strsignal(status - 128));
	ui_fail("backup", &err);
	ui_fail_end(status);
}

/* From the first hook to the last. Returns the exit status. */
static int run_all(struct options *o)
{
	struct dump_pipeline_result result = {0};
	struct err err = {0};
	const bool catch = o->after != NULL || o->o.json;
	const bool hidden = !o->o.no_xattrs && !o->accept_hidden && fs_trusted_hidden();
	bool made = false;
	int status;

	if (catch && ui_ending_start(ended, o, &err) != 0)
		return ui_fail("backup", &err);
	if (hook(o, o->before, -1, NULL, &err) != 0) {
		err.code = ERR_FAILED;
		err_prefix(&err, "there is no backup, for the hook before it failed");
	} else {
		if (hidden)
			warn(o, "trusted.* attributes can't be seen and are left out: root needs "
				"CAP_SYS_ADMIN for them (--accept-hidden: that is right here)");
		made = hash_crypto_init(&err) == 0 && backup(o, &result, &err) == 0;
	}
	if (!made) {
		status = ui_fail("backup", &err);
	} else if (result.acknowledged < (o->copies > 0 ? (size_t)o->copies : o->o.store_count)) {
		status = UI_COPIES;
	} else {
		status = result.problems > 0 || hidden ? UI_SOME : UI_OK;
	}
	if (catch)
		ui_ending_stop();
	if (hook_after(o, status, &result) != 0 && status == UI_OK)
		status = UI_SOME;
	return made && tell(o, &result, &err) != 0 ? ui_fail("backup", &err) : status;
}

int cmd_backup(int argc, char **argv)
{
	struct options o = {.o = {.command = "backup",
				    .as_agent = true,
				    .help = help,
				    .shared = "asSCT0Xvjtxnrcw",
				    .own = own,
				    .repeats = OPT_TO,
				    .take = take},
		.hooks = "/etc/fdump/hooks",
		.backup = {.level = 2, .name = "backup"}};
	int status;

	o.o.ctx = &o;
	status = parse(&o, argc, argv);
	if (status >= 0)
		goto out;
	o.report = (struct ui_copies){.command = "backup",
		.names = o.o.stores,
		.count = o.o.store_count,
		.net = &o.o.net,
		.verbose = o.o.verbose,
		.json = o.o.json};
	o.backup.scan.next_root = next_root;
	o.backup.scan.excluded = o.o.select.exclude != NULL ? excluded : NULL;
	o.backup.scan.enters = enters;
	o.backup.scan.border = on_border;
	o.backup.scan.ctx = &o;
	o.backup.entry = o.o.verbose ? on_entry : NULL;
	o.backup.problem = on_problem;
	o.backup.progress = on_progress;
	o.backup.ctx = &o;
	fs_raise_file_limit();
	o.hook_failures = json_array();
	o.warnings = json_array();
	status = run_all(&o);
	json_decref(o.hook_failures);
	json_decref(o.warnings);
	if (o.o.directory != NULL && o.backup.scan.base >= 0)
		close(o.backup.scan.base);
out:
	ui_avoid_fini(&o.avoid);
	ui_stores_free(&o.stores);
	ui_roots_fini(&o.roots);
	ui_options_fini(&o.o);
	return status;
}
