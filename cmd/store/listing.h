/*
 * Which dumps there are, and their records. engine_dumps and engine_hold are here too.
 */
#ifndef FDUMP_CMD_STORE_LISTING_H
#define FDUMP_CMD_STORE_LISTING_H

#include "cmd/store/engine.h"
#include "cmd/store/index.h"

/* Whether a dump's record can be read from its volume. Returns 1, 0, ENGINE_GONE: there is no such
 * dump (any more), or -1 with err set. */
enum { ENGINE_GONE = 2 };
int engine_is_readable(struct engine *s, const uint8_t *id, struct err *err);

/* Compares the record of the dump that has this row. Returns 0: that can't be read; 1: it is the
 * same, and the receipt is set; -1: it is another. */
int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt);

#endif
