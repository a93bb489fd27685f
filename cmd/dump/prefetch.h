/*
 * The next piece of a manifest, opened by a thread of its own while the one
 * before is worked on: for who goes through it in order, on one thread.
 *
 *   dump_prefetch_new -> (dump_prefetch_take, dump_prefetch_want)... -> dump_prefetch_free
 *
 * It knows nothing but the number that it was told. Memory: one piece more.
 */
#ifndef FDUMP_CMD_DUMP_PREFETCH_H
#define FDUMP_CMD_DUMP_PREFETCH_H

#include <stdint.h>

struct dump_prefetch;
struct dump_source;
struct buf;
struct err;

/* The source, unlocked, is borrowed. NULL with err set: out of memory, no thread. */
struct dump_prefetch *dump_prefetch_new(struct dump_source *source, struct err *err);
/* Waits for the piece that is under way. NULL does nothing. */
void dump_prefetch_free(struct dump_prefetch *ahead);

/* Begins to open the piece of this number; what was wanted before and not taken is dropped. */
void dump_prefetch_want(struct dump_prefetch *ahead, uint64_t number);
/* The piece of this number, whether it was wanted or not, into `out`, which was begun by
 * buf_init(..., STORE_CONTENT_MAX). As dump_taker_piece: 0; 1 behind the last; -1 with err set. */
int dump_prefetch_take(
	struct dump_prefetch *ahead, uint64_t number, struct buf *out, struct err *err);

#endif
