/*
 * Reports the copies of a backup, to a person and in the result: which stores were left behind and
 * why, which caught up, and the receipts of the stores that have the dump.
 *
 *   filled in -> ui_copies_behind, ui_copies_catch_up ... -> ui_copies_receipts -> ui_copies_tell
 *             -> ui_copies_..._json
 */
#ifndef FDUMP_CMD_UI_COPIES_H
#define FDUMP_CMD_UI_COPIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"
#include "lib/err.h"

struct dump_fanout;
struct ui_options;

/* A store of the backup. */
struct ui_copy {
	char behind[ERR_MESSAGE_MAX]; /* why it was left behind; empty if it was not */
	bool told, caught_up;
	bool has_receipt;
	uint8_t public[SEAL_SIGN_LEN]; /* the key that verifies the receipt */
	struct store_receipt receipt;
};

struct ui_copies {
	struct ui_options *o; /* the stores; .net knows which of them were replaced by others */
	/* Set when all stores have been tried: from then on a store that is left behind may catch
	 * up, and is reported at the end only. */
	bool running;
	/* Private. */
	struct ui_copy copies[STORES_MAX];
};

/* Callback of ui_stores_open and of the fan-out: a store was left behind. copies: a struct
 * ui_copies. */
void ui_copies_behind(void *copies, size_t store, const char *why);
/* Callback of dump_fanout_catch_up: a store begins to catch up (done: false) or has done so
 * (true). */
void ui_copies_catch_up(void *copies, size_t store, bool done);

/* Copies the receipts; call it before the stores are closed. */
void ui_copies_receipts(
	struct ui_copies *copies, const struct dump_fanout *fanout, struct store *const *stores);
/* Reports the stores that were left behind and have not caught up, unless they were reported
 * before. */
void ui_copies_tell(struct ui_copies *copies);

/* For the result. _record: the digest that the stores have signed (32 bytes, borrowed), or NULL if
 * no store has the dump. _receipts_json: the receipts, in the order in which the stores were given.
 * _behind_json: the stores that were left behind. The caller owns the lists. */
const uint8_t *ui_copies_record(const struct ui_copies *copies);
json_t *ui_copies_receipts_json(const struct ui_copies *copies);
json_t *ui_copies_behind_json(const struct ui_copies *copies);

#endif
