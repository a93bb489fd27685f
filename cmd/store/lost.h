/*
 * Volumes whose files are missing, or were cut.
 */
#ifndef FDUMP_CMD_STORE_LOST_H
#define FDUMP_CMD_STORE_LOST_H

#include "cmd/store/engine.h"

struct engine_cut;

/* By the writer: takes what is lost of these volumes, and what nobody needs any more, out of the
 * index, and those that are missing too. What was deleted or locked is written anew, for that may
 * have stood there. */
int engine_drop_lost(struct engine *s, const struct engine_cut *cut, size_t count, struct err *err);

#endif
