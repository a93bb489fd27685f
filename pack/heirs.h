/*
 * Hard links that are chosen without the entry they are links to: the first
 * of them becomes the file, its heir, and further ones become links to that.
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

/* Links that are remembered, in bytes of their paths. */
#define PACK_HEIRS_MAX (64u << 20)

struct pack_heir {
	size_t target, target_len, link, link_len; /* in .text */
	/* The caller's, zero at first: */
	bool done;      /* the content is there, or it is known where it is: */
	uint64_t piece; /* of a manifest, and where in it the target's HEAD is */
	size_t at;
};

struct pack_heirs {
	struct buf rows, text;
};

void pack_heirs_init(struct pack_heirs *heirs);
void pack_heirs_fini(struct pack_heirs *heirs);

/* A link that is chosen, while its target is not. Returns 0, or -1 with err set: ERR_LIMIT,
 * ERR_NOMEM. */
int pack_heirs_add(struct pack_heirs *heirs, struct pack_bytes target, struct pack_bytes link,
	struct err *err);
/* All were added. */
void pack_heirs_ready(struct pack_heirs *heirs);

/* The heir of this entry, or NULL: it needs none. */
struct pack_heir *pack_heirs_find(const struct pack_heirs *heirs, struct pack_bytes target);
/* Its path; borrowed. */
struct pack_bytes pack_heirs_path(const struct pack_heirs *heirs, const struct pack_heir *heir);

#endif
