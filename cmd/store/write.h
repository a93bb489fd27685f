/*
 * The writer: adds to volumes and index. Call all functions with s->writer held. Where not noted
 * otherwise, each returns 0, or -1 with err set.
 */
#ifndef FDUMP_CMD_STORE_WRITE_H
#define FDUMP_CMD_STORE_WRITE_H

#include "cmd/store/engine.h"
#include "cmd/store/index.h"
#include "cmd/store/volume.h"

/* Makes a volume with its first block, which gets this sequence number. */
int engine_new_volume(struct engine *s, enum store_volume_state state, uint64_t seq,
	struct store_volume *volume, struct err *err);
/* Makes sure that s->current has room for one more block. */
int engine_have_volume(struct engine *s, struct err *err);

/* Appends a block to the current volume, or to a new one. Its payload is the len bytes from
 * s->block + PACK_BLOCK_HEADER on. */
int engine_append(struct engine *s, enum store_block kind, size_t len, struct store_place *place,
	struct err *err);

/* Writes a DELETE or LOCK block, with a dump's id and a time: durably, and into the index. */
int engine_write_time(
	struct engine *s, enum store_block kind, const uint8_t *id, int64_t time, struct err *err);

/* Syncs a volume to disk; folder: also its directory entry. After an error all writes fail. */
int engine_sync_volume(struct engine *s, struct store_volume *volume, bool folder, struct err *err);
/* Syncs s->current to disk. After an error all writes fail. */
int engine_sync(struct engine *s, struct err *err);
/* Puts the length of s->current, and s->meta, into the transaction. */
int engine_put_state(struct engine *s, struct db_txn *txn, struct err *err);
/* -1: the clock is not trusted, so nothing may be deleted. */
int engine_believe_clock(struct engine *s, struct err *err);

/* Makes everything durable. */
int engine_flush_all(struct engine *s, struct err *err);

#endif
