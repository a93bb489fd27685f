/*
 * Volumes: the append-only files of a store, rows of blocks (pack/FORMAT.md,
 * section 2; cmd/store/LAYOUT.md, section 2).
 *
 *   store_volume_make | _open -> append, sync -> store_volume_close
 *   store_volume_read, _scan: any thread, on any open volume
 *
 * One thread at a time appends. Knows nothing of what is in the blocks.
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

/* A volume that has this many bytes gets no more blocks. */
#ifndef STORE_VOLUME_FULL /* campaigns have it small (test/README.md) */
#define STORE_VOLUME_FULL (256u << 20)
#endif

/* Kinds of blocks, above those of packs. */
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
	uint64_t synced; /* bytes that were handed to the disk early */
};

/* dir: the folder of volumes. Each returns 0, or -1 with err set. _make makes
 * the file, with a random id and no block yet; _open opens one to read, or to
 * append to. */
int store_volume_make(int dir, uint32_t number, struct store_volume *volume, struct err *err);
int store_volume_open(
	int dir, uint32_t number, bool write, struct store_volume *volume, struct err *err);
void store_volume_close(struct store_volume *volume);
int store_volume_remove(int dir, uint32_t number, struct err *err);

/* Appends a block. block: PACK_BLOCK_HEADER bytes of room, then len bytes of
 * payload; the header is made here. The block's offset is in *offset. Returns
 * 0, or -1 with err set: then the file is as it was before. */
int store_volume_append(struct store_volume *volume, enum store_block kind, uint64_t seq,
	uint8_t *block, size_t len, uint64_t *offset, struct err *err);

/* Returns when what was appended is on the disk; -1 with err set if that failed: it
 * must not be tried again. */
int store_volume_sync(struct store_volume *volume, struct err *err);

/* Reads the block at an offset, whose payload has len bytes, into `out`
 * (cleared first): the payload, checked. Returns 0, or -1 with err set:
 * ERR_DAMAGE, ERR_IO. */
int store_volume_read(const struct store_volume *volume, uint64_t offset, size_t len,
	struct pack_block *block, struct buf *out, struct err *err);

/* What a scan met: a block, with its payload; or, payload at NULL, damage: a
 * block whose payload does not agree with its check, or, block at NULL too, len
 * bytes that are no block. Returns 0; 1: enough; -1 with err set. */
typedef int store_volume_met(void *ctx, uint64_t offset, const struct pack_block *block,
	const uint8_t *payload, uint64_t len, struct err *err);

/* Whether the payload of the block at an offset is known to be good: it is not read, and has
 * nothing in it when `met` gets it. */
typedef bool store_volume_known(void *ctx, uint64_t offset);

/* Reads all blocks from an offset to `end` (or the end of the file). known: NULL: none is. Returns
 * 0, or -1 with err set. */
int store_volume_scan(const struct store_volume *volume, uint64_t from, uint64_t end,
	store_volume_known *known, store_volume_met *met, void *ctx, struct err *err);

/* Volumes kept open for reading, so that a record costs no open and close of its own.
 *
 *   store_volumes_init -> take, give ... -> store_volumes_fini
 *
 * At most STORE_VOLUMES_OPEN descriptors are kept; the one unused for longest is closed first. Any
 * thread may call any function, apart from init and fini. */
#define STORE_VOLUMES_OPEN 16

struct store_volumes {
	struct mutex lock;
	uint64_t turn; /* counts what was taken */
	struct {
		struct store_volume volume; /* fd -1: free */
		unsigned users;
		uint64_t turn; /* taken last */
	} slots[STORE_VOLUMES_OPEN];
};

void store_volumes_init(struct store_volumes *volumes);
/* Closes them. Nothing may be taken at that time. */
void store_volumes_fini(struct store_volumes *volumes);

/* Lends a volume for reading, as long as its file is now. A file that was removed since it was
 * opened is opened by its name again. dir: the folder of volumes. Returns 0, or -1 with err set as
 * store_volume_open has it. */
int store_volumes_take(struct store_volumes *volumes, int dir, uint32_t number,
	struct store_volume *volume, struct err *err);
void store_volumes_give(struct store_volumes *volumes, struct store_volume *volume);

/* Closes a volume that is about to be removed, as soon as nobody uses it. */
void store_volumes_forget(struct store_volumes *volumes, uint32_t number);

#endif
