/* fdump forget: deletes dumps that no rule keeps, or that are named. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/agent/state.h"
#include "cmd/cmd.h"
#include "cmd/dump/order.h"
#include "cmd/dump/retention.h"
#include "cmd/store/store.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/result.h"
#include "cmd/ui/options.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/mem.h"

struct forget {
	struct ui_options o;
	bool dry_run, yes, ruled;
	const char *name; /* the rules are for this name and .o.agent only; NULL: all */
	struct buf named; /* ids of dumps, if there are no rules */
	struct dump_rules rules;
	struct buf dumps;                         /* struct item, in the order they were made */
	bool met;                                 /* there was a dump of .o.agent and .name */
	size_t failed;                            /* number of stores that failed */
	int status;                               /* exit status for the last of them */
	uint64_t gone, locked, unreadable, lasts; /* lasts: in .gone, the last of their names */
	const char *gone_dir; /* the first directory where dumps were deleted; NULL: none */
	bool gone_service;
};

struct item {
	struct dump_row d;
	bool judged, named, last; /* last: all others of its name, if any, are named too */
};

static bool is_named(const struct forget *f, const uint8_t *id)
{
	size_t i;

	for (i = 0; i < f->named.len; i += STORE_DUMP_ID)
		if (memcmp(f->named.data + i, id, STORE_DUMP_ID) == 0)
			return true;
	return false;
}

/* Rules ignore dumps that can't be read: whether to delete them is left to a person. */
static int add_dump(struct forget *f, const struct dump_row *d, struct err *err)
{
	struct item item = {.d = *d, .named = is_named(f, d->id)};

	if (d->damaged && !item.named) {
		f->unreadable += f->ruled;
		return 0;
	}
	if ((f->o.agent != NULL && strcmp(f->o.agent, d->at.agent) != 0) ||
		(f->name != NULL && strcmp(f->name, d->at.name) != 0))
		return 0;
	f->met = true;
	return buf_add(&f->dumps, &item, sizeof item, err);
}

/* Deletes a dump (not in a dry run) and counts it, unless it is locked. */
static int drop(struct forget *f, struct store *s, const struct item *item, struct err *err)
{
	if (item->d.lock > (int64_t)time(NULL)) {
		f->locked++;
		return 0;
	}
	if (!f->dry_run && store_delete(s, item->d.id, err) < 0)
		return -1;
	f->gone++;
	f->lasts += item->last;
	return 0;
}

/* Reports what happens to a dump, and why. */
static int tell(
	const struct item *item, const struct dump_candidate *c, const char *store, struct err *err)
{
	char when[UI_SHOW_TIME_MAX], until[6 + UI_SHOW_TIME_MAX] = "", id[13],
					       agent[ESC_MAX(STORE_NAME_MAX)],
					       name[ESC_MAX(STORE_NAME_MAX)];
	bool locked = !c->keep && item->d.lock > (int64_t)time(NULL), known = !item->d.damaged;
	const char *verdict = c->keep ? "keep" : locked ? "locked" : "forget";
	const struct ui_field fields[] = {UI_STRING("store", store),
		UI_HEX("dump", item->d.id, sizeof item->d.id),
		UI_STRING("agent", known ? item->d.at.agent : NULL),
		UI_STRING("name", known ? item->d.at.name : NULL),
		UI_INT_IF(known, "committed", item->d.at.time),
		UI_INT_IF(known, "locked_until", item->d.lock),
		UI_INT_IF(known, "not_ok", item->d.not_ok),
		UI_INT_IF(known && item->d.fewer_than > 0, "fewer_than", item->d.fewer_than),
		UI_STRING("verdict", verdict), UI_STRING("reason", c->keep ? c->reason : NULL),
		UI_BOOL_IF(item->last, "last", true), {0}};

	esc_hex(id, item->d.id, 6);
	if (!known)
		return ui_result("dump", "forget.dump", fields, err,
			"%-6s  %s  its record can't be read\n", verdict, id);
	ui_show_time(when, item->d.at.time);
	if (locked) {
		strcpy(until, "until ");
		ui_show_time(until + strlen(until), item->d.lock);
	}
	esc_name(agent, sizeof agent, item->d.at.agent, strlen(item->d.at.agent));
	esc_name(name, sizeof name, item->d.at.name, strlen(item->d.at.name));
	return ui_result("dump", "forget.dump", fields, err, "%-6s  %s  %s  %s/%s%s%s%s  %s\n",
		verdict, id, when, agent, name, item->d.not_ok > 0 ? " !" : "",
		item->d.fewer_than > 0 ? " <" : "",
		item->d.at.clock != DUMP_CLOCK_RIGHT ? " ~" : "",
		c->keep      ? c->reason
		: locked     ? until
		: item->last ? "the last of its name"
			     : "");
}

/* Applies the rules to all dumps of one agent and name, those of the dump at `first`. */
static int judge(struct forget *f, struct store *s, const char *path, size_t first, struct err *err)
{
	struct item *items = (struct item *)(void *)f->dumps.data;
	size_t count = f->dumps.len / sizeof *items, i, n = 0;
	struct dump_candidate *c = mem_new(count * sizeof *c, err);
	size_t *at = mem_new(count * sizeof *at, err);
	int got = c != NULL && at != NULL ? 0 : -1;

	for (i = first; i < count && got == 0; i++)
		if (strcmp(items[i].d.at.agent, items[first].d.at.agent) == 0 &&
			strcmp(items[i].d.at.name, items[first].d.at.name) == 0) {
			items[i].judged = true;
			at[n] = i;
			c[n].incomplete = items[i].d.not_ok > 0 || items[i].d.fewer_than > 0;
			c[n].undated = items[i].d.at.clock != DUMP_CLOCK_RIGHT
					       ? dump_clock_text(items[i].d.at.clock)
					       : NULL;
			c[n++].time = items[i].d.at.when;
		}
	if (got == 0)
		got = dump_retention(&f->rules, c, n, err);
	for (i = 0; i < n && got == 0; i++) {
		if (!c[i].keep)
			got = drop(f, s, &items[at[i]], err);
		if (got == 0 && (f->dry_run || !c[i].keep))
			got = tell(&items[at[i]], &c[i], path, err);
	}
	free(c);
	free(at);
	return got;
}

/* Deletes the dumps that are named. */
static int drop_named(struct forget *f, struct store *s, const char *path, struct err *err)
{
	const struct dump_candidate c = {.keep = false};
	struct item *items = (struct item *)(void *)f->dumps.data;
	size_t count = f->dumps.len / sizeof *items, i, k;
	int got = 0;

	for (i = 0; i < count && got == 0; i++) {
		if (!items[i].named)
			continue;
		items[i].last = !items[i].d.damaged;
		for (k = 0; k < count && items[i].last; k++)
			items[i].last = items[k].named ||
					strcmp(items[i].d.at.agent, items[k].d.at.agent) != 0 ||
					strcmp(items[i].d.at.name, items[k].d.at.name) != 0;
		got = drop(f, s, &items[i], err);
		if (got == 0)
			got = tell(&items[i], &c, path, err);
	}
	return got;
}

static int by_order(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return dump_order_compare(&x->d.at, &y->d.at);
}

static int forget_in(struct forget *f, struct store *s, struct err *err)
{
	const char *name = store_name(s);
	const struct dump_row *row;
	struct buf rows, records;
	struct item *items;
	char shown[ESC_MAX(4096)];
	size_t i, count;
	int got;

	buf_clear(&f->dumps);
	esc_name(shown, sizeof shown, name, strlen(name));
	if (f->o.store_count > 1 && !f->o.json)
		printf("%s:\n", shown);
	buf_init(&rows, SIZE_MAX);
	buf_init(&records, SIZE_MAX);
	got = dump_order_read(s, &(struct store_filter){0}, &rows, &records, err);
	row = (const struct dump_row *)(const void *)rows.data;
	for (i = 0; i < rows.len / sizeof *row && got == 0; i++)
		got = add_dump(f, &row[i], err);
	buf_fini(&rows);
	buf_fini(&records);
	if (got != 0)
		return -1;
	items = (struct item *)(void *)f->dumps.data;
	count = f->dumps.len / sizeof *items;
	if (count > 0)
		qsort(items, count, sizeof *items, by_order);
	got = f->ruled ? 0 : drop_named(f, s, name, err);
	for (i = 0; f->ruled && i < count && got == 0; i++)
		if (!items[i].judged)
			got = judge(f, s, name, i, err);
	return got;
}

/* Handles one store after the other; each directory is open only while it is worked on. Services
 * are dialled at the same time, so that unreachable ones cost only one wait. */
static int forget_all(struct forget *f, struct err *err)
{
	const enum store_mode mode = f->dry_run ? STORE_READ : STORE_WRITE;
	struct ui_stores s = {.count = 0};
	size_t i;
	int got = ui_stores_new(&s, f->o.stores, f->o.store_count, false, &f->o.access, err);

	for (i = 0; i < s.count && got == 0; i++)
		if (store_directory(s.stores[i]) == NULL)
			store_open_start(s.stores[i], mode, NULL);
	for (i = 0; i < s.count && got == 0; i++) {
		const uint64_t before = f->gone;
		struct err why = {0};

		if (store_open(s.stores[i], mode, &why) != 0 ||
			forget_in(f, s.stores[i], &why) != 0) {
			f->failed++;
			f->status = err_exit_status(why.code);
			ui_problem(
				&(struct ui_problem){
					.id = "forget.store", .store = f->o.stores[i], .why = &why},
				NULL);
		}
		if (f->gone > before && store_directory(s.stores[i]) == NULL)
			f->gone_service = true;
		else if (f->gone > before && f->gone_dir == NULL)
			f->gone_dir = f->o.stores[i];
		store_close(s.stores[i]);
	}
	ui_stores_free(&s);
	return got;
}

/* Handles all stores, and prints the result. Returns the exit status, or -1 with err set. */
static int forget(struct forget *f, struct err *err)
{
	bool tells;

	f->gone = f->locked = f->unreadable = f->lasts = 0;
	f->failed = 0;
	if (forget_all(f, err) != 0)
		return -1;
	if (!f->met && f->failed == 0 && (f->o.agent != NULL || f->name != NULL))
		return err_set(err, ERR_NOTFOUND, "%s/%s: no such dump (fdump dumps lists them)",
			f->o.agent != NULL ? f->o.agent : "*", f->name != NULL ? f->name : "*");
	if (ui_result("result", "forget.result",
		    (struct ui_field[]){UI_BOOL("dry_run", f->dry_run),
			    UI_INT("forgotten", f->gone), UI_INT("locked", f->locked),
			    UI_INT("unreadable", f->unreadable), {0}},
		    err, NULL) != 0)
		return -1;
	/* Deleted dumps still take up space. */
	tells = f->gone > 0 && !f->dry_run && !f->o.json;
	if (tells && f->gone_dir != NULL)
		printf("To free the space: fdump store gc %s\n", f->gone_dir);
	if (tells && f->gone_service)
		printf("%she space comes back when the service collects garbage (gc in its "
		       "store.conf; usually at night).\n",
			f->gone_dir != NULL ? "Of services t" : "T");
	if (fflush(stdout) != 0 || ferror(stdout))
		return err_errno(err, errno, "standard output");
	if (f->failed > 0)
		return f->o.store_count > 1 ? UI_FAILED : f->status;
	if (f->unreadable == 0)
		return f->locked > 0 ? UI_SOME : UI_OK;
	return err_set(err, ERR_DAMAGE,
		"%llu dump%s can't be read and stay%s (on the store's machine: fdump verify says "
		"more)",
		(unsigned long long)f->unreadable, f->unreadable > 1 ? "s" : "",
		f->unreadable > 1 ? "" : "s");
}

/* Lists what would be deleted, and asks. Returns as forget. */
static int forget_asked(struct forget *f, struct err *err)
{
	char answer[8];
	int status;

	f->dry_run = true;
	status = forget(f, err);
	f->dry_run = false;
	if (f->gone == 0 || (status != UI_OK && status != UI_SOME && f->failed == 0))
		return status;
	fprintf(stderr, "Delete %s%s? [y/N] ",
		f->gone > 1 ? "the dumps marked forget" : "the dump marked forget",
		f->lasts > 0 ? ", and with that the last of its name" : "");
	if (fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
		return forget(f, err);
	fprintf(stderr, "Nothing is deleted.\n");
	return f->failed > 0 ? status : UI_OK;
}

/* Finds the ids of the dumps that are named. */
static int name_dumps(struct forget *f, struct err *err)
{
	struct ui_dump d = {.source = NULL};
	char agent[NAME_LEN_MAX + 1], **dump;
	uint8_t id[STORE_DUMP_ID];
	size_t i;
	int got = ui_dump_open(&d, &f->o, NULL, err);
	bool by_name = false;

	for (dump = f->o.args; *dump != NULL; dump++)
		by_name |= strcmp(*dump, "latest") == 0 || strchr(*dump, '@') != NULL;
	for (i = 0; i < d.stores.count && got == 0 && by_name; i++)
		if (!store_is_open(d.stores.stores[i])) { /* it may have a newer one */
			*err = d.stores.why[i];
			got = -1;
		}
	if (got == 0)
		got = agent_state_name(f->o.agent, agent, err);
	for (dump = f->o.args; *dump != NULL && got == 0; dump++)
		if (dump_source_find(d.source, *dump, agent, id, err) < 0 ||
			buf_add(&f->named, id, sizeof id, err) != 0)
			got = -1;
	ui_dump_close(&d);
	return got;
}

static struct forget forget_options = {.rules = {.within_sec = -1}};

static int run(void *own, struct err *err)
{
	struct forget *f = own;
	int status = -1;
	size_t i;

	buf_init(&f->dumps, SIZE_MAX);
	buf_init(&f->named, SIZE_MAX);
	f->ruled = f->rules.within_sec >= 0;
	for (i = 0; i < sizeof f->rules.keep / sizeof *f->rules.keep; i++)
		f->ruled |= f->rules.keep[i] > 0;
	if (f->rules.within_sec < 0)
		f->rules.within_sec = 0;
	if (f->dry_run)
		ui_pipe_ends(UI_OK);
	if (f->o.store_count == 0 || f->ruled == (f->o.arg_count > 0))
		return ui_usage("needs -s STORE, and either --keep-... rules or DUMPs, not both");
	if (!f->ruled && f->name != NULL)
		return ui_usage("--name goes with --keep-... rules");
	if (!f->dry_run && !f->yes && (!isatty(0) || f->o.json))
		return ui_usage(
			f->o.json ? "--json does not ask: --dry-run shows what would be deleted, "
				    "--yes does it"
				  : "without a terminal to ask: --dry-run shows what would be "
				    "deleted, --yes does it");
	if (f->ruled || name_dumps(f, err) == 0)
		status = f->dry_run || f->yes ? forget(f, err) : forget_asked(f, err);
	buf_fini(&f->dumps);
	buf_fini(&f->named);
	return status;
}

#define KEEP_MAX 1000000

static const struct ui_option options[] = {
	{.shared = "sAiS"},
	{'n', "dry-run", UI_FLAG, "only print what would be kept, and why",
		UI_AT(struct forget, dry_run)},
	{0, "yes", UI_FLAG, "do not ask", UI_AT(struct forget, yes)},
	{.shared = "j",
		.help = "print JSON, one object a line: the dumps, the result; does not ask, so "
			"it needs -n or --yes"},
	{.shared = "w"},
	{0, "keep-last", UI_NUMBER, "keep the newest N",
		UI_AT(struct forget, rules.keep[DUMP_LAST]), .min = 1, .max = KEEP_MAX},
	{0, "keep-hourly", UI_NUMBER, "keep the newest of each of the last N hours that have one",
		UI_AT(struct forget, rules.keep[DUMP_HOURLY]), .min = 1, .max = KEEP_MAX},
	{0, "keep-daily", UI_NUMBER, "... of days", UI_AT(struct forget, rules.keep[DUMP_DAILY]),
		.min = 1, .max = KEEP_MAX},
	{0, "keep-weekly", UI_NUMBER, "... of weeks", UI_AT(struct forget, rules.keep[DUMP_WEEKLY]),
		.min = 1, .max = KEEP_MAX},
	{0, "keep-monthly", UI_NUMBER, "... of months",
		UI_AT(struct forget, rules.keep[DUMP_MONTHLY]), .min = 1, .max = KEEP_MAX},
	{0, "keep-yearly", UI_NUMBER, "... of years", UI_AT(struct forget, rules.keep[DUMP_YEARLY]),
		.min = 1, .max = KEEP_MAX},
	{0, "keep-within", UI_TIME, "keep all up to 30d, 12h, ... before the newest",
		UI_AT(struct forget, rules.within_sec)},
	{.shared = "a",
		.help = "apply the rules to the dumps of this agent only; with DUMPs: the agent "
			"whose 'latest' is meant; default: this host"},
	{0, "name", UI_NAME, "apply the rules to the dumps of this name only",
		UI_AT(struct forget, name)},
	{0},
};

const struct ui_command cmd_forget = {
	.name = "forget",
	.summary = "delete the dumps that no rule keeps",
	.usage = "-s STORE... [-n] --keep-daily N ... [options]\n"
		 "-s STORE... [-n] DUMP...",
	.about = "Deletes the dumps that no rule keeps. Each agent and name is counted separately, "
		 "by the time of the commit. The newest dump of each is always kept, and so is the "
		 "newest complete one: a dump with a '!' (entries changed or could not be read) or "
		 "a '<' (far fewer entries than the one before) never takes the place of a "
		 "complete one. A dump with a '~', whose time can't be right, counts for no rule "
		 "and is kept.\n"
		 "\n"
		 "Or deletes each DUMP, also the last of its name: an id or the beginning of one, "
		 "[AGENT/]NAME@latest or @TIME.\n"
		 "\n"
		 "On a terminal it lists them and asks before it deletes. fdump store gc then "
		 "frees the space; a store's service does that by itself.",
	.options = options,
	.arguments = "[DUMP...]",
	.exits = "0 done; 1 done, but some are locked; 2 failed, or some of several stores could "
		 "not be used; 5 done, but there are dumps whose records can't be read: they are "
		 "kept; 7 no space; 8 a store was busy.",
	.own = &forget_options,
	.run = run,
};
