/*
 * Opened chunks, kept for a while. What was backed up again and again lies in chunks of many
 * runs, by turns: without this each would be opened for every file of it.
 *
 *   dump_cache_new -> (dump_cache_take -> use -> dump_cache_give)* -> dump_cache_free
 *
 * Any thread may take and give. A chunk that one thread is opening is waited for by
 * the others. Memory: `limit` bytes, and what is taken beyond that.
 */
#ifndef FDUMP_CMD_DUMP_CACHE_H
#define FDUMP_CMD_DUMP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct dump_cache;
struct dump_cached;
struct dump_taker;
struct err;

/* NULL with err set: out of memory. */
struct dump_cache *dump_cache_new(size_t limit, struct err *err);
/* All has been given back. */
void dump_cache_free(struct dump_cache *cache);

/* A chunk, from here or by the thread's own taker (cmd/dump/source.h); it stays until it is
 * given back. NULL with err set, as dump_taker_chunk. */
struct dump_cached *dump_cache_take(
	struct dump_cache *cache, struct dump_taker *taker, const uint8_t *id, struct err *err);
/* done: it will hardly be wanted again. cached: may be NULL. */
void dump_cache_give(struct dump_cache *cache, struct dump_cached *cached, bool done);

/* Of one that is taken. */
const struct buf *dump_cached_content(const struct dump_cached *cached);
bool dump_cached_is(const struct dump_cached *cached, const uint8_t *id);

#endif
