/*
 * Chunks that were damaged in one store and read from another: told, marked, and mended where the
 * store may be written.
 *
 *   read -> ui_heal_tell -> ui_heal_mend, when nothing more is read
 */
#ifndef FDUMP_CMD_UI_HEAL_H
#define FDUMP_CMD_UI_HEAL_H

#include "cmd/dump/source.h"
#include "cmd/ui/options.h"
#include "cmd/ui/stores.h"

/* One line for each store, and with --json an object (note, "COMMAND.healed"). */
void ui_heal_tell(const struct ui_options *options, const struct dump_source *source);

/* Opens each directory that lacks something to write, without waiting for others, and puts what is
 * in another store; a service marks by itself what it could not read. Says what came of it. The
 * stores are then open to read or not at all. */
void ui_heal_mend(const struct ui_options *options, struct ui_stores *stores,
	const struct dump_source *source);

#endif
