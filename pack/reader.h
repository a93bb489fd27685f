/*
 * The reader of packs. It takes loads (pack/load.h) in the order of the input, verifies entries
 * that span blocks, and checks the pack as a whole: sequence, index, END. See pack/FORMAT.md,
 * section 3.
 *
 *   pack_reader_new -> pack_reader_take ... -> pack_reader_finish -> _free
 *
 * Pure: no descriptors, threads or clock. Every problem goes to one callback. Loads are
 * annotated; the caller then uses their entries (lists, extracts).
 */
#ifndef FDUMP_PACK_READER_H
#define FDUMP_PACK_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "pack/entry.h"

struct err;
struct pack_load;
struct pack_reader;

/* What a problem affects. */
enum pack_problem_kind {
	PACK_PROBLEM_BLOCK, /* a block is damaged, missing, or misplaced */
	PACK_PROBLEM_ENTRY, /* the entry `path` is lost or wrong */
	PACK_PROBLEM_END,   /* the pack as a whole is cut, or its index or END does not match */
};

/* path: .at is NULL if the entry is not known. offset: in the input. */
typedef void pack_reader_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what);

/* bare: entries without blocks; no START, END or index will come. prove: compare checksums and
 * indexes; loads have passed pack/chain.h. sealed: refuse packs that are not sealed. Returns
 * NULL with err set (out of memory). */
struct pack_reader *pack_reader_new(bool bare, bool prove, bool sealed,
	pack_reader_problem *problem, void *ctx, struct err *err);
void pack_reader_free(struct pack_reader *reader);

/* Takes the next load, in the order of the input. Returns 0, or -1 with err set: out of memory,
 * ERR_DENIED (not sealed), or a pack that can't be read: ERR_UNSUPPORTED or ERR_FORMAT (START
 * is refused, or a block is of an unknown kind). */
int pack_reader_take(struct pack_reader *reader, struct pack_load *load, struct err *err);

/* There are len bytes at offset that are not a block. */
void pack_reader_garbage(struct pack_reader *reader, uint64_t offset, uint64_t len);

/* There are bytes at offset, after END, that are not a pack. */
void pack_reader_trailing(struct pack_reader *reader, uint64_t offset);

/* The input ends at this offset. */
void pack_reader_finish(struct pack_reader *reader, uint64_t offset);

/* Totals over all packs of the input. */
struct pack_read {
	uint64_t packs, blocks, entries, content, statuses, problems;
	bool sealed;   /* there was a sealed block */
	bool unopened; /* one could not be opened for lack of a key */
};
void pack_reader_result(const struct pack_reader *reader, struct pack_read *result);

#endif
