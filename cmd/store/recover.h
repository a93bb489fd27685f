/*
 * What a writer does first, after a crash or not (LAYOUT.md, section 6).
 */
#ifndef FDUMP_CMD_STORE_RECOVER_H
#define FDUMP_CMD_STORE_RECOVER_H

#include "cmd/store/engine.h"

/* Takes in the tails of volumes, removes leftovers, finds the volume that is written on, and notes
 * in s->cut which volumes are missing or cut. */
int engine_recover(struct engine *s, struct err *err);

#endif
