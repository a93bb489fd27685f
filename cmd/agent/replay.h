/*
 * A dump turned back into an ordinary pack: what restore, export, cat and diff
 * read. Chunks are fetched ahead, on several threads; bytes leave in order.
 *
 * One call, agent_replay, which blocks until it is done. Memory: for each
 * thread about two parts (2 MiB) and a chunk.
 */
#ifndef FDUMP_CMD_AGENT_REPLAY_H
#define FDUMP_CMD_AGENT_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/writer.h"

struct agent_source;
struct err;
struct store_marks;

struct agent_replay_options {
	struct agent_source *source; /* unlocked */
	unsigned threads;            /* at least 1 */
	pack_writer_sink *sink;
	void *sink_ctx;
	/* Whether an entry is wanted; NULL: all. */
	bool (*selected)(void *ctx, const uint8_t *path, size_t len, bool is_dir);
	/* Entries whose content (all from behind HEAD on) is among these are left
	 * out, the others' are added: what was proved once need not be again. NULL: none. */
	struct store_marks *seen;
	/* A chunk can't be had: this entry's content has a gap, which the reader of
	 * the pack will find. From any thread, one at a time. */
	void (*lost)(void *ctx, const uint8_t *path, size_t len, const char *what);
	void *ctx;
};

struct agent_replayed {
	struct pack_totals totals;
	uint64_t lost; /* entries with a gap */
};

/* Returns 0, or -1 with err set: the sink's error, or the manifest can't be
 * had. */
int agent_replay(
	const struct agent_replay_options *options, struct agent_replayed *result, struct err *err);

#endif
