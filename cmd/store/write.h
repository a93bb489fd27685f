/*
 * The writer: what is added to volumes and index. All with s->writer held.
 */
#ifndef FDUMP_CMD_STORE_WRITE_H
#define FDUMP_CMD_STORE_WRITE_H

#include "cmd/store/engine.h"
#include "cmd/store/index.h"
#include "cmd/store/volume.h"

/* Makes a volume, with its first block, which has this sequence number. */
int engine_new_volume(struct engine *s, enum store_volume_state state, uint64_t seq,
	struct store_volume *volume, struct err *err);
/* Sees to it that s->current can take one more block. */
int engine_have_volume(struct engine *s, struct err *err);

/* Appends a block of len bytes that stands at s->block +
 * PACK_BLOCK_HEADER, to the current volume, or a new one. */
int engine_append(struct engine *s, enum store_block kind, size_t len, struct store_place *place,
	struct err *err);

/* A DELETE or LOCK block of a dump's id and a time, durable, and in the index. */
int engine_write_time(
	struct engine *s, enum store_block kind, const uint8_t *id, int64_t time, struct err *err);

/* What was appended to s->current goes to the disk. After an error nothing is written any more. */
int engine_sync(struct engine *s, struct err *err);
/* Into the transaction: the length of s->current, and s->meta. */
int engine_put_state(struct engine *s, struct db_txn *txn, struct err *err);
/* Whether the clock is to be believed: nothing is deleted while it is not (LAYOUT.md, section 6).
 * engine_see_clock notes the time in s->meta, or that the clock was set by more than a day while
 * the machine ran. That stays until engine_trust_clock. */
void engine_see_clock(struct engine *s);
/* Returns 0, or -1 with err set: the clock is not believed. */
int engine_believe_clock(struct engine *s, struct err *err);

/* Makes everything durable. */
int engine_flush_all(struct engine *s, struct err *err);

#endif
