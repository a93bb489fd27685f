/* fdump dumps: lists the dumps in stores. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/result.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/err.h"
#include "lib/esc.h"

struct dumps {
	struct ui_options o;
	struct ui_dump d;
	const char *pattern; /* NULL: none */
	uint64_t found, unreadable;
};

static bool matches(const struct dumps *d, const struct store_dump *dump)
{
	char text[2 * STORE_NAME_MAX + 2];
	int name;

	snprintf(text, sizeof text, "%.*s/%n%.*s", (int)dump->agent_len, (const char *)dump->agent,
		&name, (int)dump->name_len, (const char *)dump->name);
	return d->pattern == NULL ||
	       fnmatch(d->pattern, strchr(d->pattern, '/') != NULL ? text : text + name, 0) == 0;
}

/* Formats which stores have a dump: the n-th column has the store's number (a letter from the tenth
 * on), '?' if the store can't be read, or '-'. Empty for a single store. */
static const char *show_stores(const struct dumps *d, uint32_t stores, char *text)
{
	size_t i;

	for (i = 0; i < d->o.store_count; i++)
		text[i] = stores >> i & 1        ? "123456789abcdefg"[i]
			  : d->d.behind >> i & 1 ? '?'
						 : '-';
	strcpy(text + i, "  ");
	return d->o.store_count > 1 ? text : "";
}

static int print_json(const struct dumps *d, const struct store_entry *e,
	const struct dump_listed *listed, struct err *err)
{
	const struct store_dump *dump = &e->dump;
	const bool several = d->o.store_count > 1, planned = dump->plan != NULL,
		   wrong = listed->clock != DUMP_CLOCK_RIGHT;
	json_t *stores = several ? json_array() : NULL;
	size_t i;

	for (i = 0; i < d->o.store_count; i++)
		if (listed->stores >> i & 1)
			json_array_append_new(stores, json_string(d->o.stores[i]));
	return ui_result("dump", "dumps.dump",
		(struct ui_field[]){UI_HEX("dump", dump->id, STORE_DUMP_ID),
			UI_BYTES("agent", dump->agent, dump->agent_len),
			UI_BYTES("name", dump->name, dump->name_len),
			UI_INT("began", dump->began.sec), UI_INT("committed", e->committed),
			UI_INT("ended", dump->ended.sec), UI_INT("entries", dump->entries),
			UI_INT("content", dump->content), UI_INT("not_ok", dump->statuses),
			UI_INT_IF(dump->fewer_than > 0, "fewer_than", dump->fewer_than),
			UI_STRING("clock", wrong ? dump_clock_text(listed->clock) : NULL),
			UI_INT_IF(planned, "slot", dump->slot),
			UI_HEX("plan", dump->plan, STORE_PLAN_LEN), UI_INT("chunks", dump->chunks),
			UI_BOOL("sealed", dump->sealed), UI_INT("locked_until", e->lock),
			UI_BYTES("base", dump->base, dump->base_len),
			UI_JSON_IF(several, "stores", stores), {0}},
		err, NULL);
}

static int print_dump(
	void *ctx, const struct store_entry *e, const struct dump_listed *listed, struct err *err)
{
	struct dumps *d = ctx;
	char id[2 * STORE_DUMP_ID + 1], when[UI_SHOW_TIME_MAX], agent[ESC_MAX(STORE_NAME_MAX)],
		name[ESC_MAX(STORE_NAME_MAX)], where[STORES_MAX + 3];
	struct err why;

	esc_hex(id, e->dump.id, STORE_DUMP_ID);
	if (e->damaged) {
		d->unreadable++;
		err_set(&why, ERR_DAMAGE, "%.12s: its record can't be read", id);
		ui_fail(&why);
		return 0;
	}
	if (!matches(d, &e->dump))
		return 0;
	d->found++;
	if (d->o.json)
		return print_json(d, e, listed, err);
	ui_show_time(when, e->committed);
	esc_name(agent, sizeof agent, e->dump.agent, e->dump.agent_len);
	esc_name(name, sizeof name, e->dump.name, e->dump.name_len);
	printf("%.12s  %s  %14llu  %10llu  %s%s/%s%s%s%s%s\n", id, when,
		(unsigned long long)e->dump.content, (unsigned long long)e->dump.entries,
		show_stores(d, listed->stores, where), agent, name,
		e->dump.statuses > 0 ? " !" : "", e->dump.fewer_than > 0 ? " <" : "",
		listed->clock != DUMP_CLOCK_RIGHT ? " ~" : "", e->lock > time(NULL) ? " +" : "");
	return 0;
}

static struct dumps dumps;

static int run(void *own, struct err *err)
{
	struct dumps *d = own;
	int status = -1;

	d->pattern = d->o.args[0];
	ui_pipe_ends(UI_OK);
	if (ui_dump_open(&d->d, &d->o, NULL, err) == 0 &&
		dump_source_dumps(d->d.source, print_dump, d, err) == 0)
		status = d->unreadable > 0 ? UI_DAMAGE : ui_dump_all(&d->d, err);
	if (status == UI_OK && d->pattern != NULL && d->found == 0) {
		ui_say("dumps", "nothing matches '%s'", d->pattern);
		status = UI_SOME;
	}
	ui_dump_close(&d->d);
	return status;
}

static const struct ui_option options[] = {{.shared = "sAiSj"}, {0}};

const struct ui_command cmd_dumps = {
	.name = "dumps",
	.summary = "list the dumps in stores",
	.usage = "-s STORE... [options] [PATTERN]",
	.about = "Lists the dumps in stores, the oldest first: id, time of the commit (by which "
		 "NAME@TIME and fdump forget choose), size of the content, number of entries, "
		 "AGENT/NAME. A '!' marks one with entries that were incomplete when they were "
		 "read, a '<' one with far fewer entries than the one before, a '~' one whose "
		 "time can't be right, a '+' one that is locked. With several STOREs the column "
		 "before the name says which of them have it, by their places: 1-3 is the first "
		 "and the third; a '?' is one that can't be read. No key is needed. PATTERN: a "
		 "shell pattern for "
		 "AGENT/NAME, or, without '/', for NAME.",
	.options = options,
	.arguments = "[PATTERN]",
	.hint = "a store is given as -s STORE",
	.exits = "0 done; 1 nothing matches; 2 failed, or a STORE could not be read; 5 there are "
		 "dumps whose "
		 "records can't be read; 7 no space; 8 a store was busy.",
	.own = &dumps,
	.run = run,
};
