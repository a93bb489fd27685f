/*
 * Volumes: the append-only files of a store, each a series of blocks (pack/FORMAT.md, section 2;
 * cmd/store/LAYOUT.md, section 2).
 *
 *   store_volume_make | _open -> append, sync -> store_volume_close
 *   store_volume_read, _scan: any thread, on any open volume
 *
 * One thread at a time may append. This module does not know what the blocks contain.
 */
#ifndef FDUMP_CMD_STORE_VOLUME_H
#define FDUMP_CMD_STORE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/mutex.h"
#include "pack/block.h"

struct buf;
struct err;

/* A volume of this size gets no more blocks. */
#ifndef STORE_VOLUME_FULL /* test campaigns make it small (test/README.md) */
#define STORE_VOLUME_FULL (256u << 20)
#endif

/* Kinds of blocks, numbered after those of packs. */
enum store_block {
	STORE_BLOCK_VOLUME = 16, /* the first of each volume */
	STORE_BLOCK_CHUNK = 17,
	STORE_BLOCK_DUMP = 18,
	STORE_BLOCK_DELETE = 19,
	STORE_BLOCK_LOCK = 20,
};

struct store_volume {
	int fd; /* -1: not open */
	uint32_t number;
	uint8_t id[PACK_BLOCK_ID];
	uint64_t len;    /* where the next block goes */
	uint64_t synced; /* bytes handed to the disk ahead of a sync */
};

/* Files. dir: the folder of volumes. _make creates one, with a random id and no block; _open opens
 * one to read, or to append. _remove ignores a missing file. Each returns 0, or -1 with err set;
 * _open with ERR_NOTFOUND if the file is missing. */
int store_volume_make(int dir, uint32_t number, struct store_volume *volume, struct err *err);
int store_volume_open(
	int dir, uint32_t number, bool write, struct store_volume *volume, struct err *err);
void store_volume_close(struct store_volume *volume);
int store_volume_remove(int dir, uint32_t number, struct err *err);

/* Appends a block. block: PACK_BLOCK_HEADER bytes of room for the header, which is made here, then
 * len bytes of payload. *offset: where the block begins. Returns 0, or -1 with err set: the file is
 * cut back to its old length, unless err says that this failed too. */
int store_volume_append(struct store_volume *volume, enum store_block kind, uint64_t seq,
	uint8_t *block, size_t len, uint64_t *offset, struct err *err);

/* Waits until all that was appended is on disk. Returns 0, or -1 with err set: then do not try
 * again. */
int store_volume_sync(struct store_volume *volume, struct err *err);

/* Reads the block at an offset, whose payload has len bytes: the payload, verified, into `out`
 * (cleared first). Returns 0, or -1 with err set: ERR_DAMAGE, ERR_IO. */
int store_volume_read(const struct store_volume *volume, uint64_t offset, size_t len,
	struct pack_block *block, struct buf *out, struct err *err);

/* What a scan finds. A good block: block and payload are set. A damaged block: payload is NULL, as
 * it does not agree with its check. Other bytes: block is NULL too, and len of them are not a
 * block. Returns 0; 1 to stop; -1 with err set. */
typedef int store_volume_met(void *ctx, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, uint64_t len, struct err *err);

/* Whether the payload of the block at an offset is known to be good. It is then not read, and the
 * payload that `met` gets has no valid content. */
typedef bool store_volume_known(void *ctx, uint64_t offset);

/* Scans all blocks from an offset to `end`, or to the end of the file. known: NULL: no block is.
 * Returns 0, or -1 with err set. */
int store_volume_scan(const struct store_volume *volume, uint64_t from, uint64_t end,
	store_volume_known *known, store_volume_met *met, void *ctx, struct err *err);

/* Volumes kept open for reading, so that reading a record need not open its file.
 * store_volumes_init -> take, give ... -> store_volumes_fini Keeps at most STORE_VOLUMES_OPEN
 * descriptors; the least recently used is closed first. Any thread may call any function, except
 * init and fini. */
#define STORE_VOLUMES_OPEN 16

struct store_volumes {
	struct mutex lock;
	uint64_t turn; /* counts calls of take */
	struct {
		struct store_volume volume; /* fd -1: free */
		unsigned users;
		uint64_t turn; /* of its latest take */
	} slots[STORE_VOLUMES_OPEN];
};

void store_volumes_init(struct store_volumes *volumes);
/* Closes all. No volume may be on loan. */
void store_volumes_fini(struct store_volumes *volumes);

/* Lends a volume for reading. If its file was removed and made again, opens the new one. dir: the
 * folder of volumes. Give it back with store_volumes_give. Returns 0, or -1 with err set as by
 * store_volume_open. */
int store_volumes_take(struct store_volumes *volumes, int dir, uint32_t number,
	struct store_volume *volume, struct err *err);
void store_volumes_give(struct store_volumes *volumes, struct store_volume *volume);

/* Call before a volume is removed: closes it, if it is not on loan. */
void store_volumes_forget(struct store_volumes *volumes, uint32_t number);

#endif
