/*
 * The -s STOREs of a command: made, checked and opened in one place.
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
	struct err why[STORES_MAX]; /* of those that could not be opened */
};

/* Makes them from texts, which are borrowed. Returns 0, or -1 with err set: ERR_USAGE (a text is
 * none, or two are the same directory). */
int ui_stores_new(struct ui_stores *s, const char *const *texts, size_t count,
	const struct store_access *access, struct err *err);

/* One more; directory: it is an argument, and so can only be that. As ui_stores_new. */
int ui_stores_add(struct ui_stores *s, const char *text, bool directory,
	const struct store_access *access, struct err *err);

/* Opens all: services at the same time, directories in the order that keeps two commands from
 * waiting for each other. While some services do not answer, those that are open have the command
 * go on: after UI_STORES_ENOUGH_MS if they are as many as wanted, after UI_STORES_SOME_MS if there
 * is one. The others are still being opened then (store_is_opening). `failed`: called for each that
 * is not open, in the order of the texts. Returns 0: one at least is open; -1 with err set: none
 * is, and err says why, of a single one in its own words; or two that are opened to write are the
 * same store. */
#define UI_STORES_ENOUGH_MS 3000
#define UI_STORES_SOME_MS   10000
int ui_stores_open(struct ui_stores *s, enum store_mode mode, size_t wanted,
	void (*failed)(void *ctx, size_t store, const char *why), void *ctx, struct err *err);

/* Waits for services that are still being opened. Returns how many more are open now. */
size_t ui_stores_late(struct ui_stores *s);

/* Closes and frees them. */
void ui_stores_free(struct ui_stores *s);

#endif
