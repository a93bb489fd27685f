/*
 * A cache of opened (decrypted and decompressed) chunks. After many runs, the files of a directory
 * lie in chunks of many different runs; without the cache a chunk would be fetched and opened again
 * for each file in it.
 *
 *   dump_cache_new -> (dump_cache_take -> use -> dump_cache_give)* -> dump_cache_free
 *
 * Any thread may take and give. If one thread is opening a chunk, others that want it wait. Memory:
 * `limit` bytes, and the chunks in use beyond that.
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

/* limit: bytes of opened chunks to keep. NULL with err set: out of memory. */
struct dump_cache *dump_cache_new(size_t limit, struct err *err);
/* Every chunk must have been given back. NULL does nothing. */
void dump_cache_free(struct dump_cache *cache);

/* Returns a chunk, from the cache or fetched with the thread's own taker (cmd/dump/source.h). It
 * stays in memory until it is given back. NULL with err set, as dump_taker_chunk. */
struct dump_cached *dump_cache_take(
	struct dump_cache *cache, struct dump_taker *taker, const uint8_t *id, struct err *err);
/* Gives a chunk back. done: it is not likely to be needed again. cached may be NULL. */
void dump_cache_give(struct dump_cache *cache, struct dump_cached *cached, bool done);

/* For a chunk that has been taken and not yet given back. The content is borrowed. */
const struct buf *dump_cached_content(const struct dump_cached *cached);
/* Whether it is the chunk with this id. */
bool dump_cached_is(const struct dump_cached *cached, const uint8_t *id);

#endif
