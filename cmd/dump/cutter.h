/*
 * Where contents are cut. See cmd/dump/CHUNKS.md, section 3. Pure.
 *
 * Large files are cut by content: FastCDC with normalised chunking, two bytes
 * a step (Xia et al., "The Design of Fast Content-Defined Chunking for Data
 * Deduplication Based Storage Systems", IEEE TPDS 31 (2020)): at least
 * DUMP_CUT_MIN, at most DUMP_CUT_MAX bytes, DUMP_CUT_MEAN on average. The
 * table is the domain's own, so that cuts tell a store nothing about known
 * contents.
 *
 * Small files, whole, are put into one chunk after the other: dump_cut_behind
 * says behind which a chunk ends. The same for a manifest's entries, in smaller pieces.
 */
#ifndef FDUMP_CMD_DUMP_CUTTER_H
#define FDUMP_CMD_DUMP_CUTTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DUMP_CUT_MIN  (256u << 10)
#define DUMP_CUT_MEAN (1u << 20)
#define DUMP_CUT_MAX  (4u << 20)

/* Files of at least this size are cut by themselves. */
#define DUMP_CUT_LARGE DUMP_CUT_MIN

struct dump_cutter {
	const uint64_t *gear; /* 256; borrowed */
	uint64_t hash;
	size_t at; /* bytes of the chunk that were looked at */
};

/* Begins a chunk. */
void dump_cutter_start(struct dump_cutter *cutter, const uint64_t gear[256]);

/* chunk: its first len bytes, as far as they are known; what was given before
 * must be the same. Returns the chunk's length, or 0: it goes on behind them,
 * give more. len is at most DUMP_CUT_MAX; with that much, or if `end`, and
 * len is not 0, it never returns 0. */
size_t dump_cutter_cut(struct dump_cutter *cutter, const uint8_t *chunk, size_t len, bool end);

/* Where chunks of whole things end: bundles of small files, pieces of the manifest, which are
 * made of entries. At least `min` bytes, then 2^bits more on average, and never over `max`. */
struct dump_cut_rule {
	uint32_t min, max, base;
	unsigned bits;
};
extern const struct dump_cut_rule dump_cut_files, dump_cut_entries;

/* Whether a chunk of `len` bytes, the last of which is a thing of this name and size, ends there:
 * if it has rule->min bytes and chance, made of name, size and the domain's gear, wants it, in
 * (size + rule->base) of 2^bits cases. The caller ends a chunk too before what would take it over
 * rule->max. */
bool dump_cut_behind(const struct dump_cut_rule *rule, const uint64_t gear[256], const void *name,
	size_t name_len, uint64_t size, size_t len);

#endif
