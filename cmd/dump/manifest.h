/*
 * Writes a manifest, and the list of the chunks that it names. See cmd/dump/CHUNKS.md, section 4,
 * and cmd/store/dump.h.
 *
 *   dump_manifest_new -> (_add ... -> _entry)* -> dump_manifest_finish -> _free
 *
 * Finished pieces of the manifest and of the list go to a sink, which stores them as chunks. The
 * output depends only on the entries. Memory: one piece, and about 44 bytes for each chunk that the
 * dump names. One thread at a time.
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

/* Stores a piece as a chunk, in an open record if it is a piece of the list, and sets its id.
 * Returns 0, or -1 with err set. */
typedef int dump_manifest_sink(void *ctx, bool list, const void *content, size_t len,
	uint8_t id[STORE_ID_LEN], struct err *err);

/* last: the local copy, which also gets every piece; may be NULL. gear and last are borrowed. NULL
 * with err set: out of memory. */
struct dump_manifest *dump_manifest_new(const uint64_t gear[256], struct dump_previous_out *last,
	dump_manifest_sink *sink, void *ctx, struct err *err);
void dump_manifest_free(struct dump_manifest *manifest);

/* Adds encoded items: a HEAD, HOLEs, REFs, a TAIL. The chunks that REFs name are added to the list.
 * Returns 0, or -1 with err set. */
int dump_manifest_add(
	struct dump_manifest *manifest, const uint8_t *items, size_t len, struct err *err);
/* Ends the entry whose items were added. stat: what the local copy keeps of it. Returns 0, or -1
 * with err set. */
int dump_manifest_entry(struct dump_manifest *manifest, const char *path, size_t len,
	const struct dump_stat *stat, struct err *err);

/* Writes the last piece and the list. Sets in *dump what the dump's record says of them; it borrows
 * from the manifest. Returns 0, or -1 with err set. */
int dump_manifest_finish(struct dump_manifest *manifest, struct store_dump *dump, struct err *err);

#endif
