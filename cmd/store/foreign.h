/*
 * Receipts of other stores. An agent that copies a dump to a store may bring the receipt of the
 * store that has it; the dump then gets the same age here. Such a receipt counts only if a manager
 * says that the other store is of the fleet, and if it is at most STORE_FOREIGN_SEC old: back-dated
 * dumps would defeat retention.
 *
 *   zeroed -> store_foreign_set ... -> store_foreign_check -> store_foreign_fini
 *
 * The loop's thread only.
 */
#ifndef FDUMP_CMD_STORE_FOREIGN_H
#define FDUMP_CMD_STORE_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/store/receipt.h"

#define STORE_FOREIGN_SEC       (7 * 86400) /* a receipt may be this old */
#define STORE_FOREIGN_AHEAD_SEC 3600        /* and this far in the future, as clocks differ */

struct store_key {
	uint8_t uid[STORE_UID_LEN], public[SEAL_SIGN_LEN];
};

struct store_foreign {
	struct store_foreign_key {
		struct store_key key;
		size_t source;
	} * keys;
	size_t count;
};

/* Replaces the list of stores that one source named; the keys are copied. source: the manager's
 * number, or another one that no manager has. Returns 0, or -1 with err set: out of memory, nothing
 * changed. */
int store_foreign_set(struct store_foreign *foreign, size_t source, const struct store_key *keys,
	size_t count, struct err *err);
void store_foreign_fini(struct store_foreign *foreign);

/* Checks a receipt for this dump; its store, time and signature must be set. now: seconds since
 * 1970. Returns 0, or -1 with err set to ERR_DENIED. */
int store_foreign_check(const struct store_foreign *foreign, const struct store_receipt *receipt,
	const struct store_dump *dump, const uint8_t *record, size_t len, int64_t now,
	struct err *err);

#endif
