/*
 * A dump turned back into entries with content: what restore, verify, export,
 * cat and diff read, as a feed of pack/read.
 *
 *   dump_replay_new -> .feed into pack_read_options -> pack_read_run -> _free
 *
 * Where a chunk can't be had an entry has a gap: the reading tells of the entry, with the reason.
 * Chunks are fetched on the reading's threads; some plans ahead of those the stores are told what
 * will be wanted, and fetch it in the order in which it lies there. Memory: 32 MiB of chunks, for
 * each load that is under way one more, and what pack/read has.
 */
#ifndef FDUMP_CMD_DUMP_REPLAY_H
#define FDUMP_CMD_DUMP_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/read.h"

struct dump_replay;
struct dump_source;
struct err;
struct pack_heirs;
struct store_marks;

struct dump_replay_options {
	struct dump_source *source; /* unlocked */
	unsigned threads;           /* at least 1; that of the reading */
	/* Whether an entry is wanted; NULL: all. */
	bool (*selected)(void *ctx, const uint8_t *path, size_t len, bool is_dir);
	/* Directories that are not wanted come all the same, if something in them is. */
	bool ways;
	/* Hard links that are wanted while what they are links to is not; ready, with the places of
	 * those in the manifest. NULL: none. */
	struct pack_heirs *heirs;
	/* A regular file that is there already: its content is not fetched, it is left out. NULL:
	 * none is. */
	bool (*there)(void *ctx, const struct pack_head *head);
	/* Entries whose content (all from behind HEAD on) is among these, and whose status is ok,
	 * are left out, the others' are added: what was proved once need not be again. NULL: none.
	 */
	struct store_marks *seen;
	void *ctx;
};

/* NULL with err set. The options are copied. */
struct dump_replay *dump_replay_new(const struct dump_replay_options *options, struct err *err);
void dump_replay_free(struct dump_replay *replay);

/* For one reading. Belongs to the replay. */
const struct pack_read_feed *dump_replay_feed(const struct dump_replay *replay);

/* Whether an entry had a gap. */
bool dump_replay_gaps(const struct dump_replay *replay);

#endif
