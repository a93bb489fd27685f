/*
 * The copies of a backup, told to a person and put into the result: which stores were left behind
 * and why, which caught up, and the receipts of those that have the dump.
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
struct ui_net;

/* A store of the backup. */
struct ui_copy {
	char behind[ERR_MESSAGE_MAX]; /* why it was left behind; empty: it was not */
	bool told, caught_up;
	bool has_receipt;
	uint8_t public[SEAL_SIGN_LEN]; /* checks the receipt */
	struct store_receipt receipt;
};

struct ui_copies {
	const char *command;
	const char *const *names; /* of the stores; borrowed */
	size_t count;
	struct ui_net *net; /* knows of stores that were exchanged for others */
	bool verbose, json;
	/* All stores were tried: from now on one that is left behind may catch up, and is told of
	 * at the end only. */
	bool running;
	/* Its own. */
	struct ui_copy copies[STORES_MAX];
};

/* copies: a struct ui_copies. A store was left behind: as ui_stores_open and the fan-out say. */
void ui_copies_behind(void *copies, size_t store, const char *why);
/* A store begins to catch up, or has done so: as dump_fanout_catch_up says. */
void ui_copies_catch_up(void *copies, size_t store, bool done);

/* Takes the receipts, before the stores are closed. */
void ui_copies_receipts(
	struct ui_copies *copies, const struct dump_fanout *fanout, struct store *const *stores);
/* Tells of the stores that are left behind for good. */
void ui_copies_tell(struct ui_copies *copies);

/* For the result: the digest of what the stores have signed (32 bytes; NULL: none has), the
 * receipts in the order in which the stores were given, and the stores that are left behind. */
const uint8_t *ui_copies_record(const struct ui_copies *copies);
json_t *ui_copies_receipts_json(const struct ui_copies *copies);
json_t *ui_copies_behind_json(const struct ui_copies *copies);

#endif
