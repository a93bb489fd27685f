/* fdump dumps: what there is in stores. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/cmd.h"
#include "cmd/ui/dump.h"
#include "cmd/ui/json.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/hash.h"

struct dumps {
	struct ui_options o;
	struct ui_dump d;
	uint64_t unreadable;
};

/* Which stores have it: the n-th column has its number, or nothing. */
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

static int add_stores(const struct dumps *d, uint32_t stores, json_t *object)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < d->o.store_count; i++)
		if (stores >> i & 1)
			json_array_append_new(list, json_string(d->o.stores[i]));
	return ui_json_add(object, "stores", list);
}

static int print_json(const struct dumps *d, const struct store_entry *e,
	const struct dump_listed *listed, struct err *err)
{
	json_t *object = ui_json_new("dump", "dumps.dump");
	int failed = ui_show_dump_json(object, e);

	failed |= ui_json_add(object, "ended", json_integer(e->dump.ended.sec));
	failed |= ui_json_add(object, "entries", json_integer((json_int_t)e->dump.entries));
	failed |= ui_json_add(object, "content", json_integer((json_int_t)e->dump.content));
	failed |= ui_json_add(object, "not_ok", json_integer((json_int_t)e->dump.statuses));
	if (e->dump.fewer_than > 0)
		failed |= ui_json_add(
			object, "fewer_than", json_integer((json_int_t)e->dump.fewer_than));
	if (listed->clock != DUMP_CLOCK_RIGHT)
		failed |= ui_json_add(object, "clock", json_string(dump_clock_text(listed->clock)));
	if (e->dump.plan != NULL) {
		failed |= ui_json_add(object, "slot", json_integer(e->dump.slot));
		failed |= ui_json_hex(object, "plan", e->dump.plan, STORE_PLAN_LEN);
	}
	failed |= ui_json_add(object, "chunks", json_integer((json_int_t)e->dump.chunks));
	failed |= ui_json_add(object, "sealed", json_boolean(e->dump.sealed));
	failed |= ui_json_add(object, "locked_until", json_integer(e->lock));
	failed |= ui_json_name(object, "base", e->dump.base, e->dump.base_len);
	if (d->o.store_count > 1)
		failed |= add_stores(d, listed->stores, object);
	return ui_json_print(object, failed, err);
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
		ui_fail("dumps", &why);
		return 0;
	}
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

static int main_dumps(int argc, char **argv)
{
	struct dumps dumps = {.unreadable = 0};
	struct err err = {0};
	int status = ui_options_parse(&dumps.o, &cmd_dumps, &dumps, argc, argv);

	if (status >= 0)
		goto out;
	ui_pipe_ends(UI_OK);
	if (hash_crypto_init(&err) != 0 || ui_dump_open(&dumps.d, &dumps.o, NULL, &err) != 0 ||
		dump_source_dumps(dumps.d.source, print_dump, &dumps, &err) != 0)
		status = ui_fail("dumps", &err);
	else if (fflush(stdout) != 0)
		status = ui_fail("dumps", (err_errno(&err, errno, "standard output"), &err));
	else if (dumps.unreadable > 0)
		status = UI_DAMAGE;
	else
		status = ui_dump_all(&dumps.d, &err) == 0 ? UI_OK : ui_fail("dumps", &err);
	ui_dump_close(&dumps.d);
out:
	ui_options_fini(&dumps.o);
	return status;
}

static const struct ui_option options[] = {{.shared = "sAij"}, {0}};

const struct ui_command cmd_dumps = {
	.name = "dumps",
	.summary = "list the dumps in stores",
	.usage = "-s STORE... [--json]",
	.about = "Lists the dumps in stores, the oldest first: id, time of the commit (by which "
		 "NAME@TIME and fdump forget choose), size of the content, number of entries, "
		 "AGENT/NAME. A '!' marks one with entries that were not whole when they were "
		 "read, a '<' one with far fewer entries than the one before, a '~' one whose "
		 "time can't be right, a '+' one that is locked. With several STOREs the column "
		 "before the name says which of them have it, by their places: 1-3 is the first "
		 "and the third; a '?' is one that can't be read. No key is needed.",
	.options = options,
	.arguments = "",
	.hint = "a store is given as -s STORE",
	.exits = "0 done; 2 failed, or a STORE could not be read; 5 there are dumps whose "
		 "records can't be read; 7 no space; 8 a store was busy.",
	.run = main_dumps,
};
