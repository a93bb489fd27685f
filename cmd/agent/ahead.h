/*
 * The next piece of a manifest, opened by a thread of its own while the one
 * before is worked on: for who goes through it in order, on one thread.
 *
 *   agent_ahead_new -> (agent_ahead_take, agent_ahead_want)... -> agent_ahead_free
 *
 * It knows nothing but the number that it was told. Memory: one piece more.
 */
#ifndef FDUMP_CMD_AGENT_AHEAD_H
#define FDUMP_CMD_AGENT_AHEAD_H

#include <stdint.h>

struct agent_ahead;
struct agent_source;
struct buf;
struct err;

/* The source, unlocked, is borrowed. NULL with err set: out of memory, no thread. */
struct agent_ahead *agent_ahead_new(struct agent_source *source, struct err *err);
/* Waits for the piece that is under way. NULL does nothing. */
void agent_ahead_free(struct agent_ahead *ahead);

/* Begins to open the piece of this number; what was wanted before and not taken is dropped. */
void agent_ahead_want(struct agent_ahead *ahead, uint64_t number);
/* The piece of this number, whether it was wanted or not, into `out`, which was begun by
 * buf_init(..., STORE_CONTENT_MAX). As agent_taker_piece: 0; 1 behind the last; -1 with err set. */
int agent_ahead_take(struct agent_ahead *ahead, uint64_t number, struct buf *out, struct err *err);

#endif
