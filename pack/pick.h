/*
 * Unpacks selected entries of a seekable pack without reading the others: finds them by the
 * index (pack/seek.h) and passes them to an extractor (pack/extract.h).
 *
 * A hard link that is selected without its target gets the target's content (pack/heirs.h).
 */
#ifndef FDUMP_PACK_PICK_H
#define FDUMP_PACK_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct pack_extract;
struct pack_seek_options;

struct pack_pick_options {
	const struct pack_seek_options *seek;
	struct pack_extract *extract;
	/* Whether an entry is selected. */
	bool (*selected)(void *ctx, const uint8_t *path, size_t len);
	/* A selected entry is damaged. */
	void (*problem)(void *ctx, const uint8_t *path, size_t len, const char *what);
	void *ctx;
};

/* Returns 0; 1 if the pack can't be read from its end (nothing was done; read it in sequence
 * instead); -1 with err set. */
int pack_pick_run(const struct pack_pick_options *options, struct err *err);

#endif
