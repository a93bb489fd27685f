/*
 * Pieces of a manifest, and of its list, on their way to the stores: some are gathered, the stores
 * are asked for them together, and what is lacking is sealed and put.
 *
 *   dump_pieces_init -> dump_pieces_add ... -> dump_pieces_flush -> dump_pieces_fini
 *
 * Memory: DUMP_PIECES_BYTES and one piece. One thread at a time. All return 0, or -1 with err set.
 */
#ifndef FDUMP_CMD_DUMP_PIECES_H
#define FDUMP_CMD_DUMP_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/record.h"
#include "lib/buf.h"

struct dump_domain;
struct dump_fanout;
struct dump_maker;
struct dump_run;
struct err;

#define DUMP_PIECES_MAX   64          /* in one question */
#define DUMP_PIECES_BYTES (64u << 10) /* of them; a larger one goes by itself */

struct dump_piece_due {
	bool list;
	size_t at, len; /* in .content */
};

struct dump_pieces {
	const struct dump_domain *domain;
	struct dump_fanout *copies;
	struct dump_maker *maker;
	struct dump_piece_due due[DUMP_PIECES_MAX];
	uint8_t ids[DUMP_PIECES_MAX][STORE_ID_LEN];
	size_t count;
	struct buf content, record;
};

/* level: as dump_maker_new has it. run and copies are borrowed. To be ended by _fini in any case.
 */
int dump_pieces_init(struct dump_pieces *pieces, const struct dump_run *run, int level,
	struct dump_fanout *copies, struct err *err);
void dump_pieces_fini(struct dump_pieces *pieces);

/* Adds one, and sets its id: a dump_manifest_sink; pieces: a struct dump_pieces. */
int dump_pieces_add(void *pieces, bool list, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err);
/* Puts those that are still here. */
int dump_pieces_flush(struct dump_pieces *pieces, struct err *err);

#endif
