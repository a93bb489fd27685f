/*
 * Makes, checks and opens the stores that a command's -s options name.
 *
 *   zeroed -> ui_stores_new -> ui_stores_open -> use .stores -> ui_stores_free
 */
#ifndef FDUMP_CMD_UI_STORES_H
#define FDUMP_CMD_UI_STORES_H

#include "cmd/store/store.h"
#include "lib/err.h"

struct ui_stores {
	struct store *stores[STORES_MAX];
	size_t count;
	struct err why[STORES_MAX]; /* why those that are not open could not be opened */
};

/* Makes stores from texts, which are borrowed. directory: a text is an argument that can only be a
 * directory. Returns 0, or -1 with err set: ERR_USAGE (a text does not name a store, or two name
 * the same directory). */
int ui_stores_new(struct ui_stores *s, const char *const *texts, size_t count, bool directory,
	const struct store_access *access, struct err *err);
/* Adds one store. */
int ui_stores_add(struct ui_stores *s, const char *text, bool directory,
	const struct store_access *access, struct err *err);

/* Opens all stores: services at the same time, directories in an order that keeps two commands from
 * waiting for each other. If some services don't answer, it returns after UI_STORES_ENOUGH_MS if
 * `wanted` stores are open, and after UI_STORES_SOME_MS if one is. The others are then still being
 * opened (store_is_opening). Calls `failed` for each store that is not open, in the order of the
 * texts; not for the only store of a command that reads. Returns 0 if at least one is open; -1 with
 * err set if none is, or if two that are opened for writing are the same store. If the only store
 * of a command that reads fails, err is its own error. */
#define UI_STORES_ENOUGH_MS 3000
#define UI_STORES_SOME_MS   10000
int ui_stores_open(struct ui_stores *s, enum store_mode mode, size_t wanted,
	void (*failed)(void *ctx, size_t store, const char *why), void *ctx, struct err *err);

/* Waits for services that are still being opened. Returns how many more are open now. */
size_t ui_stores_late(struct ui_stores *s);

/* Closes and frees them. */
void ui_stores_free(struct ui_stores *s);

#endif
