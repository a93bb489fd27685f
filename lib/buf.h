/*
 * A growing byte buffer with a limit.
 *
 * buf_init, or = {.max = N} -> buf_add / buf_room + buf_took -> buf_fini. The
 * caller owns the struct; the struct owns its bytes until buf_fini. Pointers
 * into the bytes are valid until the next call that may grow the buffer. Not
 * thread-safe.
 *
 * A buffer never grows beyond its limit. A call that would exceed it fails with
 * ERR_LIMIT, one that finds no memory with ERR_NOMEM; either leaves the content
 * as it was.
 */
#ifndef FDUMP_LIB_BUF_H
#define FDUMP_LIB_BUF_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct buf {
	uint8_t *data;
	size_t len; /* bytes in use */
	size_t cap; /* bytes allocated */
	size_t max; /* bytes it may hold */
};

/* Makes an empty buffer that may hold up to max bytes. Allocates nothing. */
void buf_init(struct buf *buf, size_t max);

/* Frees the bytes. The buffer is then empty and may be used again. */
void buf_fini(struct buf *buf);

/* Drops the content and keeps the memory. */
void buf_clear(struct buf *buf);

/* Makes room for `more` bytes after those in use. Returns where they begin, or
 * NULL with err set. Follow with buf_took for the bytes that were written. */
uint8_t *buf_room(struct buf *buf, size_t more, struct err *err);

/* Counts len bytes, written where buf_room pointed, as in use. */
void buf_took(struct buf *buf, size_t len);

/* Appends a copy of len bytes. Returns 0, or -1 with err set. */
int buf_add(struct buf *buf, const void *bytes, size_t len, struct err *err);

/* Appends formatted text without a NUL; during the call the NUL needs room too.
 * Returns 0, or -1 with err set. */
int buf_addf(struct buf *buf, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Drops len bytes from the front and moves the rest down. */
void buf_drop(struct buf *buf, size_t len);

#endif
