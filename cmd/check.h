/*
 * `fdump verify` of a store.
 */
#ifndef FDUMP_CMD_CHECK_H
#define FDUMP_CMD_CHECK_H

#include <stdbool.h>

#include "cmd/ui/options.h"

/* Whether this is the directory of a store. */
bool cmd_is_store(const char *path);

/* Every block, every dump's list; with keys every file of the dumps that they open.
 * Returns the exit status. */
int cmd_verify_store(struct ui_options *options, const char *path);

#endif
