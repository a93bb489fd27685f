/*
 * The locks on a store's directory: bytes of its file `lock` (LAYOUT.md, section 2). A lock ends
 * with the descriptor that it was taken on.
 */
#ifndef FDUMP_CMD_STORE_LOCK_H
#define FDUMP_CMD_STORE_LOCK_H

#include <sys/types.h>

#include "cmd/store/engine.h"

/* Takes the lock on a byte: F_RDLCK or F_WRLCK. Waits as `wait` says, for byte 3 STORE_LOCK_SEC.
 * The file then says who has byte 0. path: the store's. Returns 0, or -1 with err set: ERR_BUSY,
 * ERR_IO. */
int engine_lock_byte(int fd, short type, off_t byte, const struct engine_wait *wait,
	const char *path, struct err *err);
/* The same, for who can do without. wait: NULL: as for byte 3. Returns 0; 1: not to be had in time;
 * -1 with errno set. */
int engine_try_byte(
	int fd, short type, off_t byte, const struct engine_wait *wait, const char *path);
void engine_unlock_byte(int fd, off_t byte);

/* Takes what the mode of a store that is being opened needs, into s->lock_fd. A reader where there
 * can't be locks goes without. */
int engine_lock_store(struct engine *s, struct err *err);

/* Waits, as the store was opened, until nobody reads who opened the store before. Returns 0, or -1
 * with err set: ERR_BUSY. */
int engine_wait_readers(struct engine *s, struct err *err);

#endif
