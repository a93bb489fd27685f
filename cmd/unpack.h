/*
 * Unpacks a pack, or entries that are fed, into a directory, for `fdump unpack` and `fdump
 * restore`.
 */
#ifndef FDUMP_CMD_UNPACK_H
#define FDUMP_CMD_UNPACK_H

#include <stdbool.h>

#include "cmd/ui/options.h"
#include "pack/extract.h"
#include "pack/read.h"

struct cmd_unpack {
	struct ui_options o; /* parsed; .directory: the target */
	bool untrusted, keep;
	struct pack_extract_options extract; /* set: strip, overwrite, in_place, follow_links */
	struct pack_read_options read;       /* set: skip_damaged, need_key, feed */
	uint64_t total;                      /* with a feed: bytes in all, for progress */
	const struct store_dump *dump;       /* with a feed: the dump */
};

/* The choices of --overwrite, in the order of enum pack_overwrite. */
#define CMD_UNPACK_OVERWRITE "always|if-changed|if-newer|never"

/* Unpacks from fd, or from read.feed if that is set (fd is then not used), and reports all
 * problems. Returns the exit status. */
int cmd_unpack_run(struct cmd_unpack *unpack, int fd);

#endif
