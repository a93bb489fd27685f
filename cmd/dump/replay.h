/*
 * Turns a dump back into a pack: into entries with their content, as restore, verify, export, cat
 * and diff read them. It is a feed of pack/read.
 *
 *   dump_replay_new -> .feed into pack_read_options -> pack_read_run -> _free
 *
 * If a chunk is not available the entry has a gap, and the reading reports the entry with the
 * reason. Chunks are fetched on the threads of the reading. The stores are told some plans in
 * advance which chunks will be needed, and fetch them in the order of their place on disk. Memory:
 * 32 MiB of chunks, one more for each load in progress, and what pack/read needs.
 */
#ifndef FDUMP_CMD_DUMP_REPLAY_H
#define FDUMP_CMD_DUMP_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/marks.h"
#include "pack/read.h"

struct dump_replay;
struct dump_source;
struct err;
struct pack_heirs;

/* What was proved of several dumps that are read one after the other. Zeroed, it is empty. */
struct dump_proved {
	/* Content that need not be proved again: hashes of entries' items after HEAD, if their
	 * status is ok, and of ids of pieces of manifests. .seen: of earlier dumps; .fresh: of the
	 * dump that is being read. */
	struct store_marks seen, fresh;
	struct store_marks bad; /* hashes of ids of chunks that are lost */
};

struct dump_replay_options {
	struct dump_source *source; /* must be unlocked */
	unsigned threads;           /* at least 1; the same as the reading's */
	/* Whether an entry is wanted; NULL: all are. */
	bool (*selected)(void *ctx, const uint8_t *path, size_t len, bool is_dir);
	/* Include a directory that is not wanted if something in it is. */
	bool ways;
	/* Wanted hard links whose targets are not wanted. It must be ready, with the places of the
	 * targets in the manifest. NULL: none. */
	struct pack_heirs *heirs;
	/* Whether a regular file exists already: then its content is not fetched, and it is left
	 * out. NULL: none does. */
	bool (*there)(void *ctx, const struct pack_head *head);
	/* Leaves out what is in .seen, unless it is in .bad too, and adds to .fresh and .bad. NULL:
	 * prove everything. */
	struct dump_proved *proved;
	void *ctx;
};

/* The options are copied. NULL with err set: out of memory. */
struct dump_replay *dump_replay_new(const struct dump_replay_options *options, struct err *err);
void dump_replay_free(struct dump_replay *replay);

/* The feed, for one reading. It belongs to the replay. */
const struct pack_read_feed *dump_replay_feed(const struct dump_replay *replay);

/* Whether any entry had a gap. */
bool dump_replay_gaps(const struct dump_replay *replay);

#endif
