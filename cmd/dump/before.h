/*
 * Looks up the earlier dumps of a backup in one store, so that a new dump can be compared with
 * them.
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
	/* The last dump of this agent and name (cmd/dump/order.h), and the last one that was not
	 * recorded as having far fewer entries than before. Their bytes belong to this struct. */
	bool has_last, has_full;
	struct store_dump last, full;
	size_t ahead; /* dumps of this agent and name that are dated in the future */
	struct buf records;
};

/* Reads them. Returns 0, or -1 with err set. Call _fini in either case. */
int dump_before_read(struct dump_before *before, struct store *store, const char *agent,
	const char *name, struct err *err);
void dump_before_fini(struct dump_before *before);

/* Whether a dump with this many entries is suspiciously small, given that the last whole dump of
 * the same paths had `before`: it has less than a quarter of them (checked only if there were at
 * least 8), or nothing but the paths themselves (`roots` of them). */
bool dump_before_fewer(uint64_t entries, uint64_t before, uint64_t roots);

#endif
