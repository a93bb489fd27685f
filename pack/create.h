/*
 * Creates a pack: walks trees, reads, hashes, compresses and writes on several threads, in one
 * pass. Combines scanner, feed, parts and writer.
 *
 * There is one call, pack_create. It blocks until the pack is done, and starts and ends its own
 * threads. Callbacks run one at a time, in the order of the pack, on any of these threads; but
 * those of the scan may run at the same time as the others.
 *
 * Memory: two parts per thread and two more (768 KiB each, and as much again compressed), and
 * what zstd needs at the level chosen.
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
	/* What to walk. `problem` is set by pack_create. */
	struct pack_scan_options scan;
	bool xattrs, owner_names;
	int level;        /* zstd level; 0: no compression */
	unsigned threads; /* at least 1 */
	struct pack_writer_options writer;
	const uint8_t *payload_key; /* 32 bytes; NULL: the pack is not sealed */
	/* Entries that hold the output of commands: "NAME=PROGRAM ARGUMENTS", split at blanks
	 * and run without a shell. Ends with NULL; may be NULL. */
	char *const *commands;

	pack_writer_sink *sink;
	void *sink_ctx;
	/* An entry was written. May be NULL. */
	void (*entry)(void *ctx, const char *path, size_t len);
	/* There is a problem with a path: either it is not in the pack, or its status says what
	 * happened. */
	void (*problem)(void *ctx, const char *path, size_t len, const char *what);
	/* More was written: bytes of content and headers before compression, and entries. May
	 * be NULL. */
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries);
	void *ctx;
};

struct pack_created {
	struct pack_totals totals;
	uint64_t problems;
};

/* Returns 0, or -1 with err set; then what the sink received is not a whole pack. ERR_NOTFOUND:
 * none of the given paths could be read, or all are excluded. */
int pack_create(
	const struct pack_create_options *options, struct pack_created *created, struct err *err);

#endif
