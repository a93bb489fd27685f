/*
 * What a store has of a backup before its next dump is made: what that is compared with.
 *
 *   dump_before_read -> use -> dump_before_fini
 */
#ifndef FDUMP_CMD_DUMP_BEFORE_H
#define FDUMP_CMD_DUMP_BEFORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/store.h"
#include "lib/buf.h"

struct err;

struct dump_before {
	/* The last dump of this agent and name (cmd/dump/order.h), and the last that has not far
	 * fewer entries than one before it. Their bytes are the struct's. */
	bool has_last, has_full;
	struct store_dump last, full;
	size_t ahead; /* dumps of this agent and name that are dated in the future */
	struct buf records;
};

/* Returns 0, or -1 with err set. To be ended by _fini in any case.
 */
int dump_before_read(struct dump_before *before, struct store *store, const char *agent,
	const char *name, struct err *err);
void dump_before_fini(struct dump_before *before);

/* Whether so many entries are far fewer than the last whole dump of the same paths had: less than a
 * quarter, or nothing but the paths themselves (roots, so many). A handful says nothing. */
bool dump_before_fewer(uint64_t entries, uint64_t before, uint64_t roots);

#endif
