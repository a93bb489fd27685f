/* fdump backup: backs up trees of files to stores. */
#include <errno.h>
#include <stdarg.h>
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
#include "cmd/ui/result.h"
#include "cmd/ui/missed.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/roots.h"
#include "cmd/ui/show.h"
#include "cmd/ui/stores.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/fs.h"
#include "lib/key.h"
#include "lib/name.h"
#include "lib/seal.h"
#include "lib/uptime.h"
#include "lib/zst.h"

#define PROGRESS_MS 5000 /* between two lines of --progress */
#define LOST_SHARE  20   /* of the patience, for a store whose connection is lost: 30 s */
#define HEAL_ROUNDS 3    /* runs that read only the files with lost chunks again */
#define LOCK_MAX    ((int64_t)10 * 366 * 86400) /* seconds; a mistyped lock can't be undone */

struct options {
	struct ui_options o; /* .select: its patterns */
	long copies;
	bool open;
	struct dump_pipeline_options backup;
	struct ui_roots roots;
	struct ui_stores stores;
	const char *hooks, *before, *after;
	char base[4096];
	uint8_t plan[STORE_PLAN_LEN]; /* from --job, as is .backup.slot */
	bool accept_fewer, accept_hidden;
	bool progress;           /* --progress */
	uint64_t bytes, entries; /* done so far */
	int64_t told_ms;         /* when that was last printed */
	int nice, ionice;        /* -1: not given; ionice: 0 is idle, N + 1 is CLASS N */
	struct ui_avoid avoid;
	struct ui_copies report;
	json_t *hook_failures, *warnings; /* for the result */
};

/* Threads that are started later inherit the value. Returns -1 to go on, else the exit status. */
static int set_nice(int nice)
{
	if (nice < 0 || setpriority(PRIO_PROCESS, 0, nice) == 0)
		return -1;
	return ui_usage("--nice: %s", strerror(errno));
}

/* Sets the I/O priority, with the classes of ionice(1). Returns -1 to go on, else the exit
 * status. */
static int set_ionice(int choice)
{
	enum { IOPRIO_PROCESS = 1, BEST_EFFORT = 2, IDLE = 3, CLASS_SHIFT = 13 };
	int priority =
		choice == 0 ? IDLE << CLASS_SHIFT : BEST_EFFORT << CLASS_SHIFT | (choice - 1);

	if (choice < 0 || syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, priority) == 0)
		return -1;
	return ui_usage("--ionice: %s", strerror(errno));
}

static int check(struct options *o)
{
	struct err err = {0};

	if (o->o.store_count == 0)
		return ui_usage("no STORE given (-s STORE; 'fdump store init DIR' makes one)");
	if (o->o.store_count > 1) /* the others go on; it catches up at the end */
		o->o.access.lost_ms = o->o.access.patience_ms / LOST_SHARE;
	if (ui_stores_new(&o->stores, o->o.stores, o->o.store_count, false, &o->o.access, &err) !=
		0)
		return ui_usage("%s", err.message);
	if ((size_t)o->copies > o->o.store_count)
		return ui_usage("--copies %ld needs as many stores", o->copies);
	if (o->o.to_count == 0 && !o->open)
		return ui_usage(
			"choose encryption: --to KEY.pub ('fdump key new KEY' makes the pair), or "
			"--unencrypted");
	if (o->o.to_count > STORE_WRAPS_MAX)
		return ui_usage("--to: over %d keys", STORE_WRAPS_MAX);
	if (o->progress && !o->o.json)
		return ui_usage("--progress goes with --json");
	if (o->o.to_count > 0 && o->open)
		return ui_usage("--to and --unencrypted exclude each other");
	return -1;
}

/* Commands are sorted by name, as paths are. */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns -1 to go on, else the exit status. */
static int prepare(struct options *o)
{
	struct err err = {0};
	int status;

	if ((status = check(o)) >= 0 || (status = set_nice(o->nice)) >= 0 ||
		(status = set_ionice(o->ionice)) >= 0)
		return status;
	if (o->backup.lock > 0)
		o->backup.lock += (int64_t)time(NULL);
	for (; *o->o.args != NULL; o->o.args++)
		if (ui_roots_add(&o->roots, *o->o.args, &err) != 0)
			return ui_fail(&err);
	if (o->o.files_from != NULL &&
		ui_select_lines(o->o.files_from, o->o.null, ui_roots_add, &o->roots, &err) != 0)
		return ui_fail(&err);
	if (o->roots.count == 0 && o->o.command_count == 0)
		return ui_usage("no PATH given ('.' for all that is here)");
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

/* Finds the directory that names in the dump are relative to. */
static int find_base(struct options *o, struct err *err)
{
	const char *dir = o->o.directory != NULL ? o->o.directory : ".";
	char *real;

	if (ui_options_base(&o->o, &o->backup.scan.base, err) != 0)
		return -1;
	real = o->roots.count > 0 && o->roots.paths[0][0] == '/' ? strdup("/")
								 : realpath(dir, NULL);
	if (real == NULL)
		return err_errno(err, errno, "%s", dir);
	snprintf(o->base, sizeof o->base, "%s", real);
	free(real);
	o->backup.base = o->base;
	return 0;
}

static void warn(void *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints a warning and adds it to the result; only once, even if the backup runs a second time. */
static void warn(void *ctx, const char *fmt, ...)
{
	struct options *o = ctx;
	char what[8192];
	va_list args;
	size_t i;

	va_start(args, fmt);
	vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	for (i = 0; i < json_array_size(o->warnings); i++) {
		const json_t *said = json_object_get(json_array_get(o->warnings, i), "what");

		if (said != NULL && strcmp(json_string_value(said), what) == 0)
			return;
	}
	ui_progress_hush();
	ui_say("backup", "%s", what);
	ui_result_append(o->warnings, (struct ui_field[]){UI_STRING("what", what), {0}});
}

/* For the walk that estimates the total, which reports nothing. */
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

	if (avoided != NULL)
		warn(o, "%s: is %s: left out", avoided->folder, avoided->what);
	return left_out(ctx, path, len, is_dir);
}

static bool enters(void *ctx, const char *path, size_t len)
{
	const struct options *o = ctx;

	return ui_roots_within(&o->roots, path, len);
}

/* With --one-file-system: reports a mount point whose content is not in the dump. */
static void on_border(void *ctx, const char *path, size_t len)
{
	warn(ctx, "note: %.*s: another file system is mounted there: not gone into", (int)len,
		path);
}

/* Excludes the stores and the state folder from the backup. */
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
	struct ui_roots *roots = &((struct options *)ctx)->roots;

	(void)err;
	if (roots->next == roots->count)
		return 1;
	*path = roots->paths[roots->next++];
	return 0;
}

/* --- reports --------------------------------------------------------------- */

static void on_entry(void *ctx, const char *path, size_t len, bool carried)
{
	if (!carried)
		ui_show_entry(ctx, path, len);
}

static void on_problem(void *ctx, const char *path, size_t len, const char *what)
{
	const struct options *o = ctx;
	size_t i = 0;

	/* A problem with a path that the user gave weighs more than one below it. */
	while (i < o->roots.count &&
		(strlen(o->roots.paths[i]) != len || memcmp(o->roots.paths[i], path, len) != 0))
		i++;
	ui_problem(&(struct ui_problem){.id = "backup.problem",
			   .path = {(const uint8_t *)path, len},
			   .given = i < o->roots.count,
			   .what = what},
		NULL);
}

/* Prints progress for the agent service: at the start, every few seconds, and at the end. */
static void tell_progress(struct options *o, bool last)
{
	int64_t now_ms = uptime_ms();
	struct err err;

	if (!o->progress || !o->o.json || (!last && now_ms - o->told_ms < PROGRESS_MS))
		return;
	o->told_ms = now_ms;
	if (ui_result("progress", "backup.progress",
		    (struct ui_field[]){
			    UI_INT("bytes", o->bytes), UI_INT("entries", o->entries), {0}},
		    &err, NULL) == 0)
		fflush(stdout);
}

/* Called by one thread at a time. */
static void on_progress(void *ctx, uint64_t bytes, uint64_t entries)
{
	struct options *o = ctx;

	ui_progress_add(bytes, entries);
	o->bytes += bytes;
	o->entries += entries;
	tell_progress(o, false);
}

static int tell(const struct options *o, const struct dump_pipeline_result *r, struct err *err)
{
	char id[2 * STORE_DUMP_ID + 1];

	if (o->o.json)
		return ui_result("result", "backup.result",
			(struct ui_field[]){UI_HEX("dump", r->dump, sizeof r->dump),
				UI_INT("entries", r->entries), UI_INT("content", r->content),
				UI_INT("unchanged", r->carried), UI_INT("read", r->read),
				UI_INT("stored", r->stored), UI_INT("not_ok", r->statuses),
				UI_INT("problems", r->problems),
				UI_INT_IF(r->fewer_than > 0, "fewer_than", r->fewer_than),
				UI_INT("copies", r->acknowledged),
				UI_HEX("record", ui_copies_record(&o->report), HASH_LEN),
				UI_JSON("receipts", ui_copies_receipts_json(&o->report)),
				UI_JSON("behind", ui_copies_behind_json(&o->report)),
				UI_JSON("hooks", json_incref(o->hook_failures)),
				UI_JSON("warnings", json_incref(o->warnings)), {0}},
			err, NULL);
	esc_hex(id, r->dump, sizeof r->dump);
	printf("dump %s: %llu entries, %llu bytes; %llu entries as before, %llu bytes read, "
	       "%llu bytes stored, %zu of %zu copies\n",
		id, (unsigned long long)r->entries, (unsigned long long)r->content,
		(unsigned long long)r->carried, (unsigned long long)r->read,
		(unsigned long long)r->stored, r->acknowledged, o->o.store_count);
	return fflush(stdout) == 0 ? 0 : err_errno(err, errno, "standard output");
}

/* --- the backup ------------------------------------------------------------ */

static int load_domain(
	struct options *o, const char *state, struct dump_domain *domain, struct err *err)
{
	uint8_t secret[DUMP_SECRET_LEN];
	struct key_public keys[STORE_WRAPS_MAX];
	size_t i;
	int got = agent_state_secret(state, secret, err);

	for (i = 0; i < o->o.to_count && got == 0; i++)
		got = key_public_load(o->o.to[i], &keys[i], err);
	if (got == 0)
		got = dump_domain_init(domain, secret, keys, o->o.to_count, err);
	seal_wipe(keys, sizeof keys);
	seal_wipe(secret, sizeof secret);
	return got;
}

/* Calls dump_pipeline_run, and shows progress. Returns as that does. */
static int run_once(struct options *o, struct dump_pipeline_result *result, struct err *err)
{
	struct pack_scan_options ahead = o->backup.scan;
	int got;

	ahead.excluded = ahead.excluded != NULL ? left_out : NULL;
	o->bytes = o->entries = 0;
	ui_progress_start(0, o->o.verbose);
	if (o->roots.count > 0)
		ui_progress_estimate(&ahead, o->roots.paths, !o->o.verbose);
	got = dump_pipeline_run(&o->backup, result, err);
	tell_progress(o, true);
	ui_progress_stop();
	return got;
}

/* Runs the backup, and again if the stores lack chunks of files that were carried over. A new run
 * first reads only the files that need the missing chunks again, and in the end everything. */
static int run(struct options *o, struct dump_pipeline_result *result, struct err *err)
{
	struct store_marks lost = {0};
	int rounds, got;

	o->backup.lost = &lost;
	got = run_once(o, result, err);
	for (rounds = 0; got == 1 && !o->backup.store_all; rounds++) {
		o->backup.store_all = result->lost == 0 || rounds == HEAL_ROUNDS;
		if (o->backup.store_all)
			warn(o, "the stores have lost chunks: everything is read again");
		else
			warn(o,
				"the stores have lost %zu chunk%s: the files that need %s are read "
				"again",
				result->lost, result->lost > 1 ? "s" : "",
				result->lost > 1 ? "them" : "it");
		o->roots.next = 0;
		got = run_once(o, result, err);
	}
	store_marks_fini(&lost);
	o->backup.lost = NULL;
	return got == 1 ? err_set(err, ERR_FAILED, "chunks are missing that were just stored")
			: got;
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
		.o = &o->o,
		.planned = o->backup.plan != NULL,
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
	/* The agent's own files are not part of the dump, so a failure to write them is only a
	 * warning. */
	if (!domain.open && agent_state_know(state, domain.fingerprint, &why) != 0)
		warn(o, "warning: %s: fdump restore needs --any-origin for this dump", why.message);
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
		warn(o, "warning: %s: the next backup reads everything", result->unkept.message);
	if (got == 0)
		result->problems += ui_missed_after(&missed, result->entries, result->fewer_than);
	if (got == 0)
		result->acknowledged += dump_fanout_catch_up(
			o->backup.copies, result->dump, ui_copies_catch_up, &result->stored);
	if (o->backup.copies != NULL)
		ui_copies_receipts(&o->report, o->backup.copies, o->stores.stores);
	ui_copies_tell(&o->report);
out:
	/* Free the stores first: they may still use what the run began with. */
	ui_stores_free(&o->stores);
	dump_fanout_free(o->backup.copies);
	dump_domain_wipe(&domain);
	free(state);
	free(last);
	return got;
}

/* Runs the hook `name`, or nothing if it is NULL. status: the result of the backup; -1 before it.
 * Returns 0, or -1 with err set. */
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

/* Runs the hook after the backup. Its failure does not affect the dump. */
static int hook_after(struct options *o, int status, const struct dump_pipeline_result *r)
{
	struct err err;

	if (hook(o, o->after, status, r, &err) == 0)
		return 0;
	ui_say("backup", "%s", err.message);
	ui_result_append(o->hook_failures, (struct ui_field[]){UI_STRING("hook", o->after),
						   UI_STRING("what", err.message), {0}});
	return -1;
}

/* Called when a signal ends the run: the hook after the backup must run, because the one before it
 * has run. */
static void ended(void *ctx, int status)
{
	struct options *o = ctx;
	struct err err = {0};

	ui_progress_hush();
	hook_after(o, status, NULL);
	if (!o->o.json)
		return;
	err_set(&err, ERR_CANCELLED, "ended by a signal: %s", strsignal(status - 128));
	ui_fail(&err);
	ui_fail_end(status);
}

/* Runs the hooks and the backup. Returns the exit status. */
static int run_all(struct options *o)
{
	struct dump_pipeline_result result = {0};
	struct err err = {0};
	const bool catch = o->after != NULL || o->o.json;
	const bool hidden = !o->o.no_xattrs && !o->accept_hidden && fs_trusted_hidden();
	bool made = false;
	int status;

	if (catch && ui_ending_start(ended, o, &err) != 0)
		return ui_fail(&err);
	if (hook(o, o->before, -1, NULL, &err) != 0) {
		err.code = ERR_FAILED;
		err_prefix(&err, "no backup was made: the hook before it failed");
	} else {
		if (hidden)
			warn(o, "trusted.* attributes can't be seen and are left out: root needs "
				"CAP_SYS_ADMIN for them (--accept-hidden: that is right here)");
		made = backup(o, &result, &err) == 0;
	}
	if (!made) {
		status = ui_fail(&err);
	} else if (result.acknowledged < (o->copies > 0 ? (size_t)o->copies : o->o.store_count)) {
		status = UI_COPIES;
	} else {
		status = result.problems > 0 || hidden ? UI_SOME : UI_OK;
	}
	if (catch)
		ui_ending_stop();
	if (hook_after(o, status, &result) != 0 && status == UI_OK)
		status = UI_SOME;
	return made && tell(o, &result, &err) != 0 ? ui_fail(&err) : status;
}

static struct options backup_options = {.o = {.as_agent = true},
	.hooks = "/etc/fdump/hooks",
	.nice = -1,
	.ionice = -1,
	.backup = {.level = 2, .name = "backup"}};

static int run_backup(void *own, struct err *err)
{
	struct options *o = own;
	int status = prepare(o);

	(void)err;
	if (status >= 0)
		goto out;
	o->report.o = &o->o;
	o->backup.scan.next_root = next_root;
	o->backup.scan.excluded = o->o.select.exclude != NULL ? excluded : NULL;
	o->backup.scan.enters = enters;
	o->backup.scan.border = on_border;
	o->backup.scan.ctx = o;
	o->backup.entry = o->o.verbose ? on_entry : NULL;
	o->backup.problem = on_problem;
	o->backup.progress = on_progress;
	o->backup.ctx = o;
	o->hook_failures = json_array();
	o->warnings = json_array();
	status = run_all(o);
	json_decref(o->hook_failures);
	json_decref(o->warnings);
	if (o->backup.scan.base > 0)
		close(o->backup.scan.base);
out:
	ui_avoid_fini(&o->avoid);
	ui_stores_free(&o->stores);
	ui_roots_fini(&o->roots);
	return status;
}

/* Parses SLOT:PLAN: seconds since 1970 (0: run by an operator's order), and the first digits of the
 * plan's digest. */
static int take_job(void *own, const char *text, struct err *err)
{
	struct options *o = own;
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 18 || text[digits] != ':' ||
		!esc_unhex(o->plan, sizeof o->plan, text + digits + 1))
		return err_set(err, ERR_USAGE, "expected SLOT:PLAN, seconds and %zu digits",
			2 * sizeof o->plan);
	o->backup.slot = atoll(text);
	o->backup.plan = o->plan;
	return 0;
}

static const struct ui_option options[] = {
	{.shared = "sA"},
	{.shared = "i",
		.help = "key and certificate to reach services with; default: the agent's, in "
			"the folder of --state"},
	{0, "copies", UI_NUMBER, "how many stores must have the dump; default: all",
		UI_AT(struct options, copies), .min = 1, .max = STORES_MAX},
	{.shared = "e"},
	{0, "unencrypted", UI_FLAG, "do not encrypt: anyone with access to the store can read it",
		UI_AT(struct options, open)},
	{.shared = "a",
		.help = "the agent's name in the store; default: the host's, in lower case, with "
			"'-' for '_'"},
	{0, "name", UI_NAME, "name of this backup; default: backup",
		UI_AT(struct options, backup.name)},
	{0, "job", UI_TEXT, "the job's slot and plan, from the agent service", .value = "SLOT:PLAN",
		.take = take_job},
	{.shared = "CT0"},
	{.shared = "v", .help = "print the name of each entry that is read on standard error"},
	{.shared = "r"},
	{0, "one-file-system", UI_FLAG, "stay on the file system of each PATH",
		UI_AT(struct options, backup.scan.one_file_system)},
	{.shared = "X"},
	{0, "exclude-caches", UI_FLAG,
		"leave out directories with a CACHEDIR.TAG, but not that file",
		UI_AT(struct options, backup.scan.exclude_caches)},
	{.shared = "x"},
	{.shared = "n", .help = "leave out the names of users and groups"},
	{.shared = "c"},
	{0, "reread", UI_FLAG, "read everything, also what looks unchanged",
		UI_AT(struct options, backup.reread)},
	{0, "accept-fewer", UI_FLAG, "accept that there is far less than in the last dump",
		UI_AT(struct options, accept_fewer)},
	{0, "accept-hidden", UI_FLAG, "accept that trusted.* attributes can't be seen",
		UI_AT(struct options, accept_hidden)},
	{0, "lock", UI_TIME, "lock the dump against deletion for this long, like 12h or 30d",
		UI_AT(struct options, backup.lock), .max = LOCK_MAX},
	{.shared = "w"},
	{0, "level", UI_NUMBER, "zstd level from 0 (none) to 19; default: 2",
		UI_AT(struct options, backup.level), .max = ZST_LEVEL_MAX},
	{.shared = "j", .help = "print problems and the result as JSON, one object a line"},
	{0, "progress", UI_FLAG, "with --json: how far it is, every five seconds",
		UI_AT(struct options, progress)},
	{.shared = "t"},
	{0, "before", UI_TEXT, "run this hook first; if it fails, no backup is made",
		UI_AT(struct options, before), .value = "NAME"},
	{0, "after", UI_TEXT, "run this hook at the end, also if the backup failed",
		UI_AT(struct options, after), .value = "NAME"},
	{0, "hooks", UI_DIR, "where hooks are; default: /etc/fdump/hooks",
		UI_AT(struct options, hooks)},
	{0, "nice", UI_NUMBER, "let other programs go first, 0 to 19, as nice(1)",
		UI_AT(struct options, nice), .max = 19},
	{0, "ionice", UI_CHOICE, "the same for disks: idle, or 0 (first) to 7 (last)",
		UI_AT(struct options, ionice), .value = "CLASS", .choices = "idle|0|1|2|3|4|5|6|7"},
	{.shared = "S",
		.help = "the agent's own files are in DIR/agent; default: /var/lib/fdump for "
			"root, else ~/.local/state/fdump"},
	{0},
};

const struct ui_command cmd_backup = {
	.name = "backup",
	.summary = "back up trees of files to stores, as a new dump",
	.usage = "-s STORE... (--to KEY.pub... | --unencrypted) [options]\n [PATH...]",
	.about = "Backs up trees of files, as a new dump in each STORE. What was not touched "
		 "since the last dump is not read again; equal content is stored once.",
	.options = options,
	.arguments = "[PATH...]",
	.exits = "0 complete; 1 done, but some entries changed or could not be read, and are "
		 "listed; 2 failed; 3 a key file can't be used; 4 fewer copies than asked for; 5 "
		 "a store is damaged; 7 no space; 8 a store was busy.",
	.own = &backup_options,
	.run = run_backup,
};
