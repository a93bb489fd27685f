/*
 * Decides where content is cut into chunks. See cmd/dump/CHUNKS.md, section 3. Pure.
 *
 * Large files are cut by content: FastCDC with normalised chunking, two bytes a step (Xia et al.,
 * "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE
 * TPDS 31 (2020)). A chunk has at least DUMP_CUT_MIN and at most DUMP_CUT_MAX bytes, DUMP_CUT_MEAN
 * on average. Each domain has its own gear table, which protects nothing: see there.
 *
 * Small files are stored whole, several to a chunk; dump_cut_behind says after which file a chunk
 * ends. A manifest's entries are grouped in the same way, into smaller pieces.
 */
#ifndef FDUMP_CMD_DUMP_CUTTER_H
#define FDUMP_CMD_DUMP_CUTTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUMP_CUT_MIN  (256u << 10)
#define DUMP_CUT_MEAN (1u << 20)
#define DUMP_CUT_MAX  (4u << 20)

/* Files of at least this size are cut by content. */
#define DUMP_CUT_LARGE DUMP_CUT_MIN

struct dump_cutter {
	const uint64_t *gear; /* 256 numbers; borrowed */
	uint64_t hash;
	size_t at; /* bytes of the chunk that have been examined */
};

/* Begins a new chunk. */
void dump_cutter_start(struct dump_cutter *cutter, const uint64_t gear[256]);

/* Finds the end of the chunk. chunk: its first len bytes, at most DUMP_CUT_MAX; the bytes passed in
 * earlier calls for this chunk must be unchanged. Returns the chunk's length, or 0 if it does not
 * end within these bytes: call again with more. Never returns 0 if len is DUMP_CUT_MAX, or if `end`
 * is set and len is not 0. */
size_t dump_cutter_cut(struct dump_cutter *cutter, const uint8_t *chunk, size_t len, bool end);

/* How whole items are grouped into chunks: small files into bundles, and entries into pieces of the
 * manifest. A chunk has at least `min` bytes, then on average 2^bits more, and never over `max`. */
struct dump_cut_rule {
	uint32_t min, max, base;
	unsigned bits;
};
extern const struct dump_cut_rule dump_cut_files, dump_cut_entries;

/* Whether a chunk of `len` bytes ends after its last item, which has this name and size: it does if
 * it has at least rule->min bytes, and a hash of name, size and the domain's gear says so, which it
 * does in (size + rule->base) of 2^bits cases. The caller must also end a chunk before an item that
 * would take it over rule->max. */
bool dump_cut_behind(const struct dump_cut_rule *rule, const uint64_t gear[256], const void *name,
	size_t name_len, uint64_t size, size_t len);

#endif
