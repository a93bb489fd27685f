/* A store is open once in a process: one that is mended is closed first. */
#include "cmd/ui/heal.h"

#include <stdio.h>
#include <string.h>

#include "cmd/store/parcel.h"
#include "cmd/ui/result.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/err.h"

#define PUT_MS 60000

static size_t count_of(const struct dump_source *source, size_t store)
{
	size_t count, i, n = 0;
	const struct dump_healed *h = dump_source_healed(source, &count);

	for (i = 0; i < count; i++)
		n += h[i].store == store;
	return n;
}

/* A note on a store, as a line, and with --json as an object. healed: 0: there is no such number.
 */
static void tell(
	const struct ui_options *o, size_t store, const char *kind, size_t healed, const char *what)
{
	char id[32];

	snprintf(id, sizeof id, "%s.%s", o->command, kind);
	ui_problem(&(struct ui_problem){.command = o->command,
			   .id = id,
			   .json = o->json ? stdout : NULL,
			   .note = true,
			   .store = o->stores[store],
			   .healed = healed,
			   .what = what},
		NULL);
}

void ui_heal_tell(const struct ui_options *o, const struct dump_source *source)
{
	uint32_t lost = dump_source_lost(source);
	char text[ERR_MESSAGE_MAX];
	size_t i, n;

	for (i = 0; i < o->store_count; i++) {
		n = count_of(source, i);
		snprintf(text, sizeof text,
			"%zu chunk%s damaged or missing, and read from another store", n,
			n > 1 ? "s were" : " was");
		if (n > 0)
			tell(o, i, "healed", n, text);
		if ((lost >> i & 1) != 0)
			tell(o, i, "lost", 0,
				"could not be reached any more: the rest was read from the others");
	}
}

/* Puts one chunk out of a store that has it. */
static int put(struct store *to, struct store *from, const uint8_t *domain, const uint8_t *id,
	struct err *err)
{
	struct store_parcel *parcel;
	struct buf record;
	int ret;

	if (!store_is_open(from))
		return err_set(err, ERR_FAILED, "%s: is closed", store_name(from));
	buf_init(&record, STORE_DOMAIN_LEN + STORE_RECORD_MAX);
	ret = store_get(from, domain, id, &record, err);
	parcel = ret == 0 ? store_parcel_new(record.data, record.len, err) : NULL;
	ret = parcel == NULL ? -1 : store_put(to, parcel, PUT_MS, err);
	store_parcel_unref(parcel);
	buf_fini(&record);
	return ret == STORE_TAKEN ? 0 : ret < 0 ? -1 : err_set(err, ERR_BUSY, "it accepts nothing");
}

/* All that a store lacks. *marked: chunks that it had damaged. */
static int mend(struct store *to, const struct ui_stores *stores, const struct dump_source *source,
	size_t store, size_t *marked, struct err *err)
{
	const struct store_dump *dump = dump_source_dump(source);
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	const struct store_run run = {.agent = agent, .name = name, .domain = dump->domain};
	size_t count, i, one;
	const struct dump_healed *h = dump_source_healed(source, &count);
	uint64_t stored;
	bool has_base;

	snprintf(agent, sizeof agent, "%.*s", (int)dump->agent_len, dump->agent);
	snprintf(name, sizeof name, "%.*s", (int)dump->name_len, dump->name);
	if (store_open(to, STORE_WRITE, err) != 0 || store_begin(to, &run, &has_base, err) != 0)
		return -1;
	for (i = 0; i < count; i++) {
		if (h[i].store != store)
			continue;
		if (store_doubt(to, dump->domain, h[i].id, 1, &one, err) != 0)
			return -1;
		*marked += one;
	}
	for (i = 0; i < count; i++)
		if (h[i].store == store &&
			put(to, stores->stores[h[i].from], dump->domain, h[i].id, err) != 0)
			return -1;
	return store_settle(to, &stored, err);
}

void ui_heal_mend(
	const struct ui_options *o, struct ui_stores *stores, const struct dump_source *source)
{
	struct store_access access = o->access;
	size_t i, n, marked;

	access.wait_sec = 0;
	access.patience_ms = STORE_PATIENCE_MS;
	for (i = 0; i < stores->count; i++) {
		struct err why = {0};
		struct store *to;
		int ret;

		if ((n = count_of(source, i)) == 0)
			continue;
		if (store_directory(stores->stores[i]) == NULL) {
			ui_say(o->command,
				"note: %s: has marked the damage: the next backup stores those "
				"chunks again",
				o->stores[i]);
			continue;
		}
		marked = 0;
		store_close(stores->stores[i]);
		to = store_new(o->stores[i], &access, &why);
		ret = to != NULL ? mend(to, stores, source, i, &marked, &why) : -1;
		if (to != NULL)
			store_close(to);
		store_free(to);
		if (ret == 0)
			ui_say(o->command, "note: %s: repaired: %zu chunk%s", o->stores[i], n,
				n > 1 ? "s" : "");
		else
			ui_say(o->command,
				"note: %s can't be repaired now: %s (fdump store scrub, then "
				"replicate)",
				o->stores[i], why.message);
		store_open(stores->stores[i], STORE_READ, &why);
	}
}
