#include "cmd/ui/stores.h"

#include <assert.h>
#include <string.h>

#include "lib/uptime.h"

#define SLICE_MS 20 /* wait for one store before looking at the others */

static int same(const struct ui_stores *s, size_t a, size_t b, struct err *err)
{
	return err_set(err, ERR_USAGE, "%s and %s are the same store", store_name(s->stores[a]),
		store_name(s->stores[b]));
}

int ui_stores_add(struct ui_stores *s, const char *text, bool directory,
	const struct store_access *access, struct err *err)
{
	struct store *store =
		directory ? store_new_directory(text, access, err) : store_new(text, access, err);
	size_t i;

	if (store == NULL)
		return -1;
	assert(s->count < STORES_MAX);
	s->stores[s->count++] = store;
	for (i = 0; i + 1 < s->count; i++)
		if (store_lock_order(s->stores[i], store) == 0)
			return same(s, i, s->count - 1, err);
	return 0;
}

int ui_stores_new(struct ui_stores *s, const char *const *texts, size_t count, bool directory,
	const struct store_access *access, struct err *err)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (ui_stores_add(s, texts[i], directory, access, err) != 0)
			return -1;
	return 0;
}

/* Sorts the indices of the stores in locking order. */
static void lock_order(const struct ui_stores *s, size_t order[STORES_MAX])
{
	size_t i, k;

	for (i = 0; i < s->count; i++) {
		for (k = i; k > 0 && store_lock_order(s->stores[i], s->stores[order[k - 1]]) < 0;
			k--)
			order[k] = order[k - 1];
		order[k] = i;
	}
}

/* Waits a while for the stores that are being opened. Returns how many of them are left; *open: how
 * many are open. */
static size_t wait_some(struct ui_stores *s, size_t *open)
{
	size_t left = 0, i;

	*open = 0;
	for (i = 0; i < s->count; i++) {
		struct store *store = s->stores[i];
		int64_t wait_ms = left == 0 ? SLICE_MS : 0;

		if (store_is_opening(store) &&
			store_open_wait(store, wait_ms, &s->why[i]) == STORE_OPENING)
			left++;
		*open += store_is_open(store);
	}
	return left;
}

/* Dials all services, opens the directories, then waits until enough stores are open, or all have
 * opened or failed. */
static void open_all(struct ui_stores *s, enum store_mode mode, size_t wanted)
{
	int64_t began = uptime_ms(), limit = INT64_MAX;
	size_t order[STORES_MAX], open, i;

	lock_order(s, order);
	for (i = 0; i < s->count; i++)
		if (store_directory(s->stores[i]) == NULL)
			store_open_start(s->stores[i], mode, &s->why[i]);
	for (i = 0; i < s->count; i++)
		if (store_directory(s->stores[order[i]]) != NULL)
			store_open(s->stores[order[i]], mode, &s->why[order[i]]);
	while (wait_some(s, &open) > 0 && uptime_ms() - began < limit)
		limit = open >= wanted ? UI_STORES_ENOUGH_MS
			: open > 0     ? UI_STORES_SOME_MS
				       : INT64_MAX;
	for (i = 0; i < s->count; i++) {
		if (store_is_open(s->stores[i]))
			s->why[i] = (struct err){0};
		if (!store_is_opening(s->stores[i]))
			continue;
		err_prefix(
			&s->why[i], "not reached in %.0f s", (double)(uptime_ms() - began) / 1000);
	}
}

int ui_stores_open(struct ui_stores *s, enum store_mode mode, size_t wanted,
	void (*failed)(void *ctx, size_t store, const char *why), void *ctx, struct err *err)
{
	size_t open = 0, i, k;

	open_all(s, mode, wanted);
	for (i = 0; i < s->count; i++) {
		if (!store_is_open(s->stores[i])) {
			if (s->count > 1 || mode == STORE_WRITE)
				failed(ctx, i, s->why[i].message);
			continue;
		}
		open++;
		for (k = 0; k < i; k++)
			if (mode == STORE_WRITE && store_is_open(s->stores[k]) &&
				memcmp(store_uid(s->stores[k]), store_uid(s->stores[i]),
					STORE_UID_LEN) == 0)
				return same(s, k, i, err);
	}
	if (open > 0)
		return 0;
	if (mode == STORE_WRITE)
		return err_set(err, s->why[s->count - 1].code, "no store is left: %s",
			s->why[s->count - 1].message);
	if (s->count == 1)
		*err = s->why[0];
	else
		err_set(err, s->why[s->count - 1].code, "no store can be read");
	return -1;
}

size_t ui_stores_late(struct ui_stores *s)
{
	size_t before = 0, open, i;

	for (i = 0; i < s->count; i++)
		before += store_is_open(s->stores[i]);
	while (wait_some(s, &open) > 0)
		continue;
	return open - before;
}

void ui_stores_free(struct ui_stores *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		store_free(s->stores[i]);
	s->count = 0;
}
