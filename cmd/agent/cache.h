/*
 * Opened chunks, kept for a while. What was backed up again and again lies in chunks of many
 * runs, by turns: without this each would be opened for every file of it.
 *
 *   agent_cache_new -> (agent_cache_take -> use -> agent_cache_give)* -> agent_cache_free
 *
 * Any thread may take and give. A chunk that one thread is opening is waited for by
 * the others. Memory: `limit` bytes, and what is taken beyond that.
 */
#ifndef FDUMP_CMD_AGENT_CACHE_H
#define FDUMP_CMD_AGENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct agent_cache;
struct agent_cached;
struct agent_taker;
struct err;

/* NULL with err set: out of memory. */
struct agent_cache *agent_cache_new(size_t limit, struct err *err);
/* All has been given back. */
void agent_cache_free(struct agent_cache *cache);

/* A chunk, from here or by the thread's own taker (cmd/agent/source.h); it stays until it is
 * given back. NULL with err set, as agent_taker_chunk. */
struct agent_cached *agent_cache_take(
	struct agent_cache *cache, struct agent_taker *taker, const uint8_t *id, struct err *err);
/* done: it will hardly be wanted again. cached: may be NULL. */
void agent_cache_give(struct agent_cache *cache, struct agent_cached *cached, bool done);

/* Of one that is taken. */
const struct buf *agent_cached_content(const struct agent_cached *cached);
bool agent_cached_is(const struct agent_cached *cached, const uint8_t *id);

#endif
