/*
 * Whether the clock is to be believed: nothing is deleted while it is not (LAYOUT.md, section 6).
 * By the writer.
 */
#ifndef FDUMP_CMD_STORE_CLOCK_H
#define FDUMP_CMD_STORE_CLOCK_H

#include "cmd/store/engine.h"

/* Notes the time in s->meta, or that the clock was set by more than a day while the machine ran.
 * That stays until engine_trust_clock. */
void engine_see_clock(struct engine *s);
/* Returns 0, or -1 with err set: the clock is not believed. */
int engine_believe_clock(struct engine *s, struct err *err);

#endif
