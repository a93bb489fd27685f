/*
 * Hard links that are selected although the entry they link to is not. The first such link
 * becomes the file itself (the heir of that entry), and further ones become links to it.
 *
 *   pack_heirs_init -> pack_heirs_add (each such link, in order) ->
 *   pack_heirs_ready -> pack_heirs_find ... -> pack_heirs_fini
 *
 * Not thread-safe.
 */
#ifndef FDUMP_PACK_HEIRS_H
#define FDUMP_PACK_HEIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "pack/entry.h"

struct err;

/* Limit for the paths of all links, and for the rows, in bytes each. */
#define PACK_HEIRS_MAX (64u << 20)

struct pack_heir {
	size_t target, target_len, link, link_len; /* offsets and lengths in .text */
	/* For the caller; zero at first. */
	bool done;      /* the content is restored, or located as follows: */
	uint64_t piece; /* in a manifest: the piece, and the offset of the target's HEAD in it */
	size_t at;
};

struct pack_heirs {
	struct buf rows, text;
};

void pack_heirs_init(struct pack_heirs *heirs);
void pack_heirs_fini(struct pack_heirs *heirs);

/* Adds a selected link whose target is not selected. Copies both paths. Returns 0, or -1 with
 * err set: ERR_LIMIT, ERR_NOMEM. */
int pack_heirs_add(struct pack_heirs *heirs, struct pack_bytes target, struct pack_bytes link,
	struct err *err);
/* Call after the last link was added. */
void pack_heirs_ready(struct pack_heirs *heirs);

/* The heir of this entry, or NULL if it needs none. Borrowed. */
struct pack_heir *pack_heirs_find(const struct pack_heirs *heirs, struct pack_bytes target);
/* The heir's path. Borrowed. */
struct pack_bytes pack_heirs_path(const struct pack_heirs *heirs, const struct pack_heir *heir);

#endif
