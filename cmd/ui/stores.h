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

/* Opens all, in the order that keeps two commands from waiting for each other. `failed`: called
 * for each that could not be opened, in the order of the texts. Returns 0: one at least is open; -1
 * with err set: none is, and err says why, of a single one in its own words; or two that are opened
 * to write are the same store. */
int ui_stores_open(struct ui_stores *s, enum store_mode mode,
	void (*failed)(void *ctx, size_t store, const char *why), void *ctx, struct err *err);

/* Closes and frees them. */
void ui_stores_free(struct ui_stores *s);

#endif
