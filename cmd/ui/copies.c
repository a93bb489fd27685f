#include "cmd/ui/copies.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cmd/dump/fanout.h"
#include "cmd/ui/json.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"
#include "cmd/ui/role.h"

static void tell_behind(struct ui_copies *c, size_t i)
{
	struct ui_copy *copy = &c->copies[i];

	if (copy->behind[0] == 0 || copy->told || copy->caught_up)
		return;
	copy->told = true;
	ui_progress_hush();
	ui_say(c->command, "store %s is left behind: %s", c->names[i], copy->behind);
}

/* Another store answers by its name: for the agent service, which makes an alarm of it. */
static void tell_changed(struct ui_copies *c, size_t i, const char *why)
{
	if (!c->json || !ui_net_changed(c->net, c->names[i]))
		return;
	ui_problem(&(struct ui_problem){.command = c->command,
			   .id = "backup.store_changed",
			   .json = stdout,
			   .store = c->names[i],
			   .what = why},
		NULL);
}

/* One that had been written to may catch up, and then there was nothing to tell. */
void ui_copies_behind(void *copies, size_t i, const char *why)
{
	struct ui_copies *c = copies;

	assert(i < c->count);
	tell_changed(c, i, why);
	tell_behind(c, i);
	c->copies[i].told = false;
	snprintf(c->copies[i].behind, sizeof c->copies[i].behind, "%s", why);
	if (!c->running || c->verbose)
		tell_behind(c, i);
}

void ui_copies_catch_up(void *copies, size_t i, bool done)
{
	struct ui_copies *c = copies;

	assert(i < c->count);
	c->copies[i].caught_up = done;
	if (c->copies[i].told)
		ui_say(c->command,
			done ? "store %s has caught up"
			     : "the dump is made; store %s gets it from the others now",
			c->names[i]);
}

void ui_copies_receipts(
	struct ui_copies *c, const struct dump_fanout *fanout, struct store *const *stores)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		const struct store_receipt *receipt = dump_fanout_receipt(fanout, i);
		struct ui_copy *copy = &c->copies[i];

		copy->has_receipt = receipt != NULL;
		if (receipt == NULL)
			continue;
		copy->receipt = *receipt;
		memcpy(copy->public, store_public(stores[i]), sizeof copy->public);
	}
}

void ui_copies_tell(struct ui_copies *c)
{
	size_t i;

	for (i = 0; i < c->count; i++)
		tell_behind(c, i);
}

static int add_receipts(const struct ui_copies *c, json_t *object)
{
	json_t *list = json_array();
	size_t i;
	int failed = 0;

	for (i = 0; i < c->count; i++) {
		const struct store_receipt *r = &c->copies[i].receipt;
		json_t *one;

		if (!c->copies[i].has_receipt)
			continue;
		if (json_array_size(list) == 0)
			failed |= ui_json_hex(object, "record", r->record, sizeof r->record);
		one = json_object();
		failed |= ui_json_name(one, "store", c->names[i], strlen(c->names[i]));
		failed |= ui_json_hex(one, "uid", r->store, sizeof r->store);
		failed |= ui_json_hex(one, "public", c->copies[i].public, SEAL_SIGN_LEN);
		failed |= ui_json_add(one, "time", json_integer(r->time));
		failed |= ui_json_hex(one, "signature", r->signature, sizeof r->signature);
		failed |= json_array_append_new(list, one);
	}
	return failed | ui_json_add(object, "receipts", list);
}

static int add_behind(const struct ui_copies *c, json_t *object)
{
	json_t *list = json_array();
	size_t i;
	int failed = 0;

	for (i = 0; i < c->count; i++) {
		const struct ui_copy *copy = &c->copies[i];

		if (copy->behind[0] == 0)
			continue;
		ui_json_note(list, "store", c->names[i], copy->behind);
		failed |= ui_json_add(json_array_get(list, json_array_size(list) - 1), "caught_up",
			json_boolean(copy->caught_up));
	}
	return failed | ui_json_add(object, "behind", list);
}

int ui_copies_json(const struct ui_copies *c, json_t *object)
{
	return add_receipts(c, object) | add_behind(c, object);
}
