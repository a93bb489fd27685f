/*
 * The locks on a store's directory: bytes of its file `lock` (LAYOUT.md, section 2.1). A lock ends
 * when the descriptor it was taken on is closed.
 */
#ifndef FDUMP_CMD_STORE_LOCK_H
#define FDUMP_CMD_STORE_LOCK_H

#include <sys/types.h>

#include "cmd/store/engine.h"

/* Locks a byte of the file: type is F_RDLCK or F_WRLCK. Waits as `wait` says; for byte 3 always
 * STORE_LOCK_SEC, and `wait` may be NULL. For byte 0 the owner's name is written to the file. path:
 * of the store, for messages. Returns 0, or -1 with err set: ERR_BUSY, ERR_IO. */
int engine_lock_byte(int fd, short type, off_t byte, const struct engine_wait *wait,
	const char *path, struct err *err);
/* The same, for callers that can go on without the lock. wait NULL: STORE_LOCK_SEC. Returns 0; 1:
 * not available in time; -1 with errno set. */
int engine_try_byte(
	int fd, short type, off_t byte, const struct engine_wait *wait, const char *path);
void engine_unlock_byte(int fd, off_t byte);

/* Takes the locks that s->mode needs, on s->lock_fd. A reader that can't lock goes on without a
 * lock. Returns 0, or -1 with err set: ERR_BUSY, ERR_IO. */
int engine_lock_store(struct engine *s, struct err *err);

/* Waits until all readers that have the store open now have closed it, as long as engine_open was
 * told to wait. Returns 0, or -1 with err set: ERR_BUSY. */
int engine_wait_readers(struct engine *s, struct err *err);

#endif
