/*
 * Volumes whose files are missing or were cut.
 */
#ifndef FDUMP_CMD_STORE_LOST_H
#define FDUMP_CMD_STORE_LOST_H

#include "cmd/store/engine.h"

struct engine_cut;

/* Removes from the index what these volumes have lost, and the missing volumes themselves. First
 * writes all deletions and locks as new blocks, as those volumes may have held them. Call with
 * s->writer held, and only if nobody needs what is lost. Returns 0, or -1 with err set. */
int engine_drop_lost(struct engine *s, const struct engine_cut *cut, size_t count, struct err *err);

#endif
