/*
 * Which dumps there are, and their records. engine_dumps and engine_hold are here too.
 */
#ifndef FDUMP_CMD_STORE_LISTING_H
#define FDUMP_CMD_STORE_LISTING_H

#include "cmd/store/engine.h"
#include "cmd/store/index.h"

/* A dump's row as it is by now. Returns 0; 1: the dump is not there (any more); -1. */
int engine_dump_now(
	struct engine *s, const uint8_t *id, struct store_dump_row *row, struct err *err);

/* Whether the record of a dump, which has this row, can be read. By the writer. */
bool engine_has_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row);

/* Compares the record of the dump that has this row. Returns 0: that can't be read; 1: it is the
 * same, and the receipt is set; -1: it is another. */
int engine_same_record(struct engine *s, const uint8_t *id, const struct store_dump_row *row,
	const uint8_t *record, size_t len, struct store_receipt *receipt);

#endif
