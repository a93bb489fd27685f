/*
 * Making a pack: walks trees, reads, hashes, presses and writes, on several
 * threads, in one pass. Joins scanner, feed, parts and writer.
 *
 * One call, pack_create, which blocks until it is done; it makes its threads
 * and ends them. Callbacks come one at a time, in the order of the pack, from
 * any of the threads.
 *
 * Memory: per thread about three parts (768 KiB each, as much again compressed),
 * and zstd's own at a higher level.
 */
#ifndef FDUMP_PACK_CREATE_H
#define FDUMP_PACK_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/scan.h"
#include "pack/writer.h"

struct err;

struct pack_create_options {
	/* What to walk. Its `problem` is set here. */
	struct pack_scan_options scan;
	bool xattrs, owner_names;
	int level;        /* zstd, 0: none */
	unsigned threads; /* at least 1 */
	struct pack_writer_options writer;
	const uint8_t *payload_key; /* 32 bytes; NULL: not sealed */
	/* Members that are the output of commands: "NAME=PROGRAM ARGUMENTS", run
	 * without a shell, split at blanks; NULL ends the list. */
	char *const *commands;

	pack_writer_sink *sink;
	void *sink_ctx;
	/* An entry was written; may be NULL. */
	void (*entry)(void *ctx, const char *path, size_t len);
	/* Something went wrong with a path: it is not in the pack, or its status
	 * says what. */
	void (*problem)(void *ctx, const char *path, size_t len, const char *what);
	/* So much more was written: bytes of contents and heads before compression,
	 * entries. May be NULL. */
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries);
	void *ctx;
};

struct pack_created {
	struct pack_totals totals;
	uint64_t problems;
};

/* Returns 0, or -1 with err set: then what the sink got is not a whole pack. */
int pack_create(
	const struct pack_create_options *options, struct pack_created *created, struct err *err);

#endif
