/* Opens dumps for commands, and repairs stores that lack chunks. */
#include "cmd/ui/dump.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/agent/state.h"
#include "cmd/store/parcel.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/report.h"
#include "lib/buf.h"
#include "lib/cbor.h"
#include "lib/esc.h"
#include "lib/mem.h"
#include "pack/entry.h"

/* Longest time without progress from a store if there are others to read from. */
#define OTHERS_MS         60000
#define OTHERS_CONNECT_MS 10000 /* until the first connection */
#define PUT_MS            60000 /* longest wait until a store accepts a chunk */

struct ui_dump_walk {
	struct ui_dump *dump;
	struct dump_taker *taker;
	struct buf piece, head;
	uint64_t number;
	struct cbor_in in;
	uint64_t entry_piece; /* with entry_at: the position of the last entry's HEAD */
	size_t entry_at;
};

/* --- repairs ----------------------------------------------------------------- */

static size_t count_of(const struct dump_source *source, size_t store)
{
	size_t count, i, n = 0;
	const struct dump_healed *h = dump_source_healed(source, &count);

	for (i = 0; i < count; i++)
		n += h[i].store == store;
	return n;
}

/* Reports a note on a store, as a line or, with --json, as an object. healed: a number of chunks,
 * left out if it is 0. */
static void tell(
	const struct ui_options *o, size_t store, const char *kind, size_t healed, const char *what)
{
	char id[32];

	snprintf(id, sizeof id, "%s.%s", o->command, kind);
	ui_problem(&(struct ui_problem){.id = id,
			   .note = true,
			   .store = o->stores[store],
			   .healed = healed,
			   .what = what},
		NULL);
}

/* Whether not one of the stores can be reached any more. */
static bool none_left(const struct ui_dump *d)
{
	uint32_t gone = dump_source_lost(d->source) | d->behind;

	return dump_source_lost(d->source) != 0 &&
	       gone == (uint32_t)(((uint64_t)1 << d->o->store_count) - 1);
}

/* Reports chunks that were read from another store, and stores that could not be reached any more:
 * for each store a line or, with --json, an object ("note", id "COMMAND.healed" or
 * "COMMAND.lost"). */
static void tell_healed(const struct ui_dump *d)
{
	const struct ui_options *o = d->o;
	const struct dump_source *source = d->source;
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
				none_left(d) ? "could not be reached any more"
					     : "could not be reached any more: the rest was read "
					       "from the others");
	}
}

/* Copies one chunk from a store that has it. */
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

/* Copies to a store all chunks that it lacked. Adds to *marked the number of chunks that it marked
 * as damaged. */
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

/* Repairs each store that lacked chunks, and reports the outcome. A directory is opened for
 * writing, without waiting for its lock, and gets the chunks from other stores. A service has
 * marked the damage itself. Afterwards each of these directories is open for reading, or not at
 * all. */
static void mend_all(
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

/* --- opening ----------------------------------------------------------------- */

static void on_behind(void *ctx, size_t i, const char *why)
{
	struct ui_dump *d = ctx;
	char id[32];

	d->behind |= (uint32_t)1 << i;
	snprintf(id, sizeof id, "%s.store", d->o->command);
	ui_problem(&(struct ui_problem){.id = id, .store = d->o->stores[i], .what = why}, NULL);
}

int ui_dump_all(const struct ui_dump *d, struct err *err)
{
	return d->behind == 0 ? 0
			      : err_set(err, ERR_FAILED,
					"not all stores could be read: what only they have is not "
					"listed");
}

/* Reports a newer dump that was skipped because its date is in the future, and a chosen dump that
 * has far fewer entries than the one before it. */
static void tell_choice(const struct ui_dump *d, const char *dump)
{
	const uint8_t *passed = dump_source_passed(d->source);
	const struct store_dump *chosen = dump_source_dump(d->source);
	char id[2 * STORE_DUMP_ID + 1];

	if (passed != NULL) {
		esc_hex(id, passed, STORE_DUMP_ID);
		ui_say(d->o->command,
			"note: dump %.12s is dated in the future, so it does not count as %s (give "
			"its id to use it)",
			id, dump);
	}
	if (chosen->fewer_than == 0)
		return;
	esc_hex(id, chosen->id, STORE_DUMP_ID);
	ui_say(d->o->command,
		"note: dump %.12s has %llu entries, the one before had %llu: fdump dumps lists "
		"others",
		id, (unsigned long long)chosen->entries, (unsigned long long)chosen->fewer_than);
}

static int choose(struct ui_dump *d, const char *dump, struct err *err)
{
	char agent[NAME_LEN_MAX + 1];

	if (agent_state_name(d->o->agent, agent, err) != 0 ||
		dump_source_choose(d->source, dump, agent, err) != 0)
		return -1;
	tell_choice(d, dump);
	return dump_source_unlock(d->source, err);
}

/* No store that is open has the dump: waits for those that are still being opened, and chooses
 * again. */
static int choose_late(struct ui_dump *d, const char *dump, struct err *err)
{
	size_t i;

	if (ui_stores_late(&d->stores) == 0)
		return -1;
	for (i = 0; i < d->stores.count; i++)
		if (store_is_open(d->stores.stores[i]))
			d->behind &= ~((uint32_t)1 << i);
	dump_source_free(d->source);
	d->source = dump_source_new(d->stores.stores, d->stores.count, d->keys, err);
	return d->source != NULL ? choose(d, dump, err) : -1;
}

int ui_dump_open(struct ui_dump *d, struct ui_options *o, const char *dump, struct err *err)
{
	struct store_access access = o->access;

	d->o = o;
	if (o->store_count == 0)
		return err_set(err, ERR_USAGE, "no STORE given (-s STORE)");
	d->keys = ui_unseal_load(&o->unseal, err) == 0
			  ? dump_keys_new(o->unseal.keys, o->unseal.count, err)
			  : NULL;
	if (d->keys == NULL)
		return -1;
	if (o->store_count > 1 && access.patience_ms > OTHERS_MS)
		access.patience_ms = OTHERS_MS;
	if (o->store_count > 1 && o->net.net.connect_ms > OTHERS_CONNECT_MS)
		o->net.net.connect_ms = OTHERS_CONNECT_MS;
	if (ui_stores_new(&d->stores, o->stores, o->store_count, o->store_is_directory, &access,
		    err) != 0 ||
		ui_stores_open(&d->stores, STORE_READ, 1, on_behind, d, err) != 0)
		return -1;
	d->source = dump_source_new(d->stores.stores, d->stores.count, d->keys, err);
	if (d->source == NULL)
		return -1;
	if (dump == NULL || choose(d, dump, err) == 0)
		return 0;
	return err->code == ERR_NOTFOUND ? choose_late(d, dump, err) : -1;
}

int ui_dump_another(
	struct ui_dump *d, const struct ui_dump *first, const char *dump, struct err *err)
{
	d->o = first->o;
	d->source = dump_source_new(first->stores.stores, first->stores.count, first->keys, err);
	return d->source != NULL ? choose(d, dump, err) : -1;
}

void ui_dump_close(struct ui_dump *d)
{
	dump_replay_free(d->replay);
	if (d->adopts)
		pack_heirs_fini(&d->heirs);
	if (d->source != NULL && d->o != NULL) {
		if (!d->told_healed)
			tell_healed(d);
		mend_all(d->o, &d->stores, d->source);
	}
	dump_source_free(d->source);
	ui_stores_free(&d->stores);
	dump_keys_free(d->keys);
}

static bool selected(void *ctx, const uint8_t *path, size_t len, bool is_dir)
{
	struct ui_dump *d = ctx;

	return ui_select_test(&d->o->select, path, len, is_dir);
}

static bool there(void *ctx, const struct pack_head *head)
{
	struct ui_dump *d = ctx;

	return d->there(d->there_ctx, head);
}

static bool selects(const struct ui_dump *d)
{
	return d->o->select.count > 0 || d->o->select.exclude != NULL;
}

int ui_dump_feed(struct ui_dump *d, struct pack_read_options *reading, struct err *err)
{
	struct dump_replay_options options = {
		.source = d->source,
		.threads = d->o->threads,
		.proved = d->proved,
		.ways = d->ways,
		.ctx = d,
	};

	if (d->there != NULL)
		options.there = there;
	if (d->adopts)
		options.heirs = &d->heirs;
	if (selects(d))
		options.selected = selected;
	dump_replay_free(d->replay);
	d->replay = dump_replay_new(&options, err);
	if (d->replay == NULL)
		return -1;
	reading->feed = dump_replay_feed(d->replay);
	reading->threads = options.threads;
	return 0;
}

int ui_dump_gaps(struct ui_dump *d, struct err *err)
{
	if (d->source != NULL)
		tell_healed(d);
	d->told_healed = true;
	if (d->replay == NULL || !dump_replay_gaps(d->replay))
		return 0;
	if (none_left(d))
		return err_set(err, ERR_TIMEOUT,
			"chunks could not be read, for no store can be reached any more: they are "
			"not known to be lost; run the command again when one can");
	return err_set(err, ERR_DAMAGE, "chunks are lost: " DUMP_SOURCE_ADVICE);
}

static int note_selected(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err)
{
	struct ui_dump *d = ctx;

	if (!ui_select_test(
		    &d->o->select, head->path.at, head->path.len, head->type == PACK_DIRECTORY))
		return 0;
	d->content += tail->size;
	if (head->type != PACK_HARDLINK ||
		ui_select_test(&d->o->select, head->link.at, head->link.len, false))
		return 0;
	return pack_heirs_add(&d->heirs, head->link, head->path, err);
}

/* Finds the entries whose content the heirs get. */
static int find_targets(struct ui_dump *d, struct err *err)
{
	struct ui_dump_walk *w = ui_dump_walk_new(d, err);
	struct pack_head head;
	struct pack_tail tail;
	struct pack_heir *heir;
	int got = w != NULL ? 0 : -1;

	while (got == 0 && (got = ui_dump_walk_next(w, &head, &tail, err)) == 0) {
		heir = head.type != PACK_HARDLINK && head.type != PACK_DIRECTORY
			       ? pack_heirs_find(&d->heirs, head.path)
			       : NULL;
		if (heir == NULL)
			continue;
		d->content += tail.size;
		heir->done = true;
		heir->piece = w->entry_piece;
		heir->at = w->entry_at;
	}
	ui_dump_walk_free(w);
	return got < 0 ? -1 : 0;
}

int ui_dump_adopt(struct ui_dump *d, struct err *err)
{
	d->reads = true;
	d->content = selects(d) ? 0 : dump_source_dump(d->source)->content;
	if (!selects(d))
		return 0;
	pack_heirs_init(&d->heirs);
	d->adopts = true;
	if (ui_dump_walk(d, note_selected, d, err) != 0)
		return -1;
	pack_heirs_ready(&d->heirs);
	return d->heirs.rows.len > 0 ? find_targets(d, err) : 0;
}

/* --- the manifest ---------------------------------------------------------- */

struct ui_dump_walk *ui_dump_walk_new(struct ui_dump *d, struct err *err)
{
	struct ui_dump_walk *w = mem_new(sizeof *w, err);

	if (w == NULL)
		return NULL;
	w->dump = d;
	buf_init(&w->piece, STORE_CONTENT_MAX);
	buf_init(&w->head, PACK_HEAD_KEEP);
	w->taker = dump_taker_new(d->source, err);
	if (w->taker != NULL)
		return w;
	ui_dump_walk_free(w);
	return NULL;
}

void ui_dump_walk_free(struct ui_dump_walk *w)
{
	if (w == NULL)
		return;
	buf_fini(&w->piece);
	buf_fini(&w->head);
	dump_taker_free(w->taker);
	free(w);
}

static int next_piece(struct ui_dump_walk *w, struct err *err)
{
	int got = dump_taker_piece(w->taker, w->number, &w->piece, err);

	if (got == 0) {
		w->number++;
		cbor_in_init(&w->in, w->piece.data, w->piece.len);
	}
	return got;
}

/* Reports an entry that is refused, unless a reading will. */
static void refuse(struct ui_dump *d, struct pack_bytes path, const struct err *why)
{
	char id[32];

	if (d->reads)
		return;
	d->refused++;
	snprintf(id, sizeof id, "%s.entry", d->o->command);
	ui_problem(&(struct ui_problem){.id = id, .path = path, .what = why->message}, NULL);
}

/* Reads from the end of a HEAD to the end of its TAIL, across pieces if necessary. Returns as
 * pack_tail_get. */
static int find_tail(struct ui_dump_walk *w, struct pack_tail *tail, struct err *err)
{
	struct pack_item item;
	int got;

	for (;;) {
		if (pack_manifest_item_get(&w->in, &item, err) != 0)
			return -1;
		if (item.kind == PACK_ITEM_TAIL)
			return pack_tail_get(&w->in, tail, err);
		if (item.kind == PACK_ITEM_NONE && (got = next_piece(w, err)) != 0)
			return got < 0 ? -1 : err_set(err, ERR_DAMAGE, "manifest: it is cut");
	}
}

int ui_dump_walk_next(
	struct ui_dump_walk *w, struct pack_head *head, struct pack_tail *tail, struct err *err)
{
	struct err why = {0};
	struct pack_head met;
	int got, bad;

	do {
		while (w->in.at == w->in.end)
			if ((got = next_piece(w, err)) != 0)
				return got;
		w->entry_piece = w->number - 1;
		w->entry_at = (size_t)(w->in.at - w->piece.data);
		bad = pack_head_get(&w->in, &met, &why);
		if (bad > 0)
			refuse(w->dump, met.path, &why);
		else if (bad == 0 && pack_head_keep(&w->head, head, &met, err) != 0)
			return -1;
		got = bad < 0 ? -1 : find_tail(w, tail, &why);
		if (bad == 0 && got > 0)
			refuse(w->dump, head->path, &why);
	} while (bad > 0 || got > 0);
	if (got < 0)
		*err = why;
	return got;
}

int ui_dump_whole(const struct ui_dump *d, struct err *err)
{
	return d->refused == 0 ? 0
			       : err_set(err, ERR_DAMAGE,
					 "%llu entries were refused (written by a later version?)",
					 (unsigned long long)d->refused);
}

int ui_dump_walk(struct ui_dump *d, ui_dump_entry *each, void *ctx, struct err *err)
{
	struct ui_dump_walk *w = ui_dump_walk_new(d, err);
	struct pack_head head;
	struct pack_tail tail;
	int got = w == NULL ? -1 : 0, end = 0;

	d->refused = 0;
	while (got == 0 && end == 0) {
		end = ui_dump_walk_next(w, &head, &tail, err);
		got = end == 0 ? each(ctx, &head, &tail, err) : end < 0 ? -1 : 0;
	}
	if (end > 0)
		got = ui_dump_whole(d, err);
	ui_dump_walk_free(w);
	return got;
}
