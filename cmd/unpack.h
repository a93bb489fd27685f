/*
 * Unpacking, as `fdump unpack` and `fdump restore` do it: a pack, or entries that
 * are fed, into a directory.
 */
#ifndef FDUMP_CMD_UNPACK_H
#define FDUMP_CMD_UNPACK_H

#include <stdbool.h>

#include "cmd/ui/options.h"
#include "pack/extract.h"
#include "pack/read.h"

struct cmd_unpack {
	struct ui_options o; /* read; .directory: where to */
	bool untrusted, keep;
	struct pack_extract_options extract; /* set: strip, overwrite */
	struct pack_read_options read;       /* set: skip_damaged, need_key, feed */
	uint64_t total;                      /* of a feed: bytes that will come, for progress */
	const struct store_dump *dump;       /* of a feed: what it is of */
};

/* What --overwrite can be: enum pack_overwrite, in its order. */
#define CMD_UNPACK_OVERWRITE "always|if-changed|if-newer|never"

/* Unpacks what fd yields, or read.feed; tells all that is wrong. Returns the exit status. */
int cmd_unpack_run(struct cmd_unpack *unpack, int fd);

#endif
