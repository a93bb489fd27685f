/*
 * A manifest in the making, and the list of chunks that goes with it. See
 * cmd/dump/CHUNKS.md, section 4, and cmd/store/dump.h.
 *
 *   dump_manifest_new -> (_add ... -> _entry)* -> dump_manifest_finish -> _free
 *
 * Pieces, and pieces of the list, leave through a sink that makes chunks of
 * them. What is made depends on the entries only. Memory: a piece, and about 44
 * bytes for each chunk that the dump names. One thread at a time.
 */
#ifndef FDUMP_CMD_DUMP_MANIFEST_H
#define FDUMP_CMD_DUMP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/dump/previous.h"
#include "cmd/store/dump.h"

struct err;
struct dump_manifest;

/* Keeps a chunk, as an open record if it is a piece of the list; its id is to be set. Returns 0, or
 * -1 with err set. */
typedef int dump_manifest_sink(void *ctx, bool list, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err);

/* last: gets every piece too; may be NULL; borrowed. NULL with err set. */
struct dump_manifest *dump_manifest_new(const uint64_t gear[256], struct dump_previous_out *last,
	dump_manifest_sink *sink, void *ctx, struct err *err);
void dump_manifest_free(struct dump_manifest *manifest);

/* Adds encoded items: a HEAD, HOLEs, REFs, a TAIL. Chunks that REFs name are
 * put on the list. Returns 0, or -1 with err set. */
int dump_manifest_add(
	struct dump_manifest *manifest, const uint8_t *items, size_t len, struct err *err);
/* The entry has ended. */
int dump_manifest_entry(struct dump_manifest *manifest, const char *path, size_t len,
	const struct dump_stat *stat, struct err *err);

/* The last piece, and the list. Sets what the dump's record says of them, which borrows from
 * the manifest. Returns 0, or -1 with err set. */
int dump_manifest_finish(struct dump_manifest *manifest, struct store_dump *dump, struct err *err);

#endif
