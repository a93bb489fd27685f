#include "cmd/ui/copies.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cmd/dump/fanout.h"
#include "cmd/ui/options.h"
#include "cmd/ui/result.h"
#include "cmd/ui/problem.h"
#include "cmd/ui/progress.h"
#include "cmd/ui/report.h"

static void tell_behind(struct ui_copies *c, size_t i)
{
	struct ui_copy *copy = &c->copies[i];

	if (copy->behind[0] == 0 || copy->told || copy->caught_up)
		return;
	copy->told = true;
	ui_progress_hush();
	ui_say(ui_report_command(), "store %s is left behind: %s", c->o->stores[i], copy->behind);
}

/* A store that is left behind while the backup runs may catch up; then there was nothing to
 * report. */
void ui_copies_behind(void *copies, size_t i, const char *why)
{
	struct ui_copies *c = copies;

	assert(i < c->o->store_count);
	/* Another store answers under this name: reported for the agent service, which raises an
	 * alarm. */
	if (c->o->json && ui_net_changed(&c->o->net, c->o->stores[i]))
		ui_problem(&(struct ui_problem){.id = "backup.store_changed",
				   .store = c->o->stores[i],
				   .what = why},
			NULL);
	tell_behind(c, i);
	c->copies[i].told = false;
	snprintf(c->copies[i].behind, sizeof c->copies[i].behind, "%s", why);
	if (!c->running || c->o->verbose)
		tell_behind(c, i);
}

void ui_copies_catch_up(void *copies, size_t i, bool done)
{
	struct ui_copies *c = copies;

	assert(i < c->o->store_count);
	c->copies[i].caught_up = done;
	if (c->copies[i].told)
		ui_say(ui_report_command(),
			done ? "store %s has caught up"
			     : "the dump is made; store %s gets it from the others now",
			c->o->stores[i]);
}

void ui_copies_receipts(
	struct ui_copies *c, const struct dump_fanout *fanout, struct store *const *stores)
{
	size_t i;

	for (i = 0; i < c->o->store_count; i++) {
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

	for (i = 0; i < c->o->store_count; i++)
		tell_behind(c, i);
}

const uint8_t *ui_copies_record(const struct ui_copies *c)
{
	size_t i;

	for (i = 0; i < c->o->store_count; i++)
		if (c->copies[i].has_receipt)
			return c->copies[i].receipt.record;
	return NULL;
}

json_t *ui_copies_receipts_json(const struct ui_copies *c)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < c->o->store_count; i++) {
		const struct store_receipt *r = &c->copies[i].receipt;

		if (c->copies[i].has_receipt)
			ui_result_append(list,
				(struct ui_field[]){UI_STRING("store", c->o->stores[i]),
					UI_HEX("uid", r->store, sizeof r->store),
					UI_HEX("public", c->copies[i].public, SEAL_SIGN_LEN),
					UI_INT("time", r->time),
					UI_HEX("signature", r->signature, sizeof r->signature),
					{0}});
	}
	return list;
}

json_t *ui_copies_behind_json(const struct ui_copies *c)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < c->o->store_count; i++) {
		const struct ui_copy *copy = &c->copies[i];

		if (copy->behind[0] != 0)
			ui_result_append(
				list, (struct ui_field[]){UI_STRING("store", c->o->stores[i]),
					      UI_STRING("what", copy->behind),
					      UI_BOOL("caught_up", copy->caught_up), {0}});
	}
	return list;
}
