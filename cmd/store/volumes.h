/*
 * Volumes kept open for reading, so that a record costs no open and close of its own.
 *
 *   store_volumes_init -> take, give ... -> store_volumes_fini
 *
 * At most STORE_VOLUMES_OPEN descriptors are kept; the one unused for longest is closed first. Any
 * thread may call any function, apart from init and fini.
 */
#ifndef FDUMP_CMD_STORE_VOLUMES_H
#define FDUMP_CMD_STORE_VOLUMES_H

#include <stdint.h>

#include "cmd/store/volume.h"
#include "lib/mutex.h"

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
