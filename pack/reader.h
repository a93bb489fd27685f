/*
 * The reader of packs, in order: takes loads (pack/load.h) as they follow each
 * other, proves what goes over the ends of blocks, holds the pack together:
 * sequence, index, END. See pack/FORMAT.md, section 3.
 *
 *   pack_reader_new -> pack_reader_take ... -> pack_reader_finish -> _free
 *
 * Pure: it knows no descriptor, thread or clock. All that is found wrong goes
 * to one callback. Loads are annotated; what is in them is for the caller to
 * use afterwards (print, extract).
 */
#ifndef FDUMP_PACK_READER_H
#define FDUMP_PACK_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/entry.h"

struct err;
struct pack_load;
struct pack_reader;

/* What a problem means for the one who reads. */
enum pack_problem_kind {
	PACK_PROBLEM_BLOCK, /* a block is damaged, missing, or does not belong here */
	PACK_PROBLEM_ENTRY, /* an entry is lost or wrong: path is it */
	PACK_PROBLEM_END,   /* the pack as a whole: cut, index or END do not agree */
};

/* path at NULL: no entry is known. offset: in the input. */
typedef void pack_reader_problem(void *ctx, enum pack_problem_kind kind, uint64_t offset,
	struct pack_bytes path, const char *what);

/* bare: there are no blocks around the entries, so no START, END or index will come. prove: loads
 * have passed pack/chain.h: compare checksums and indexes. sealed: refuse what is not sealed. NULL
 * with err set: out of memory. */
struct pack_reader *pack_reader_new(bool bare, bool prove, bool sealed,
	pack_reader_problem *problem, void *ctx, struct err *err);
void pack_reader_free(struct pack_reader *reader);

/* Takes the next load, in the order of the input. Returns 0, or -1 with err
 * set: out of memory, a START that is refused (ERR_UNSUPPORTED), or ERR_DENIED: not sealed. */
int pack_reader_take(struct pack_reader *reader, struct pack_load *load, struct err *err);

/* Bytes that are no block, from offset on. */
void pack_reader_garbage(struct pack_reader *reader, uint64_t offset, uint64_t len);

/* Bytes after END that begin no pack. */
void pack_reader_trailing(struct pack_reader *reader, uint64_t offset);

/* The input has ended at this offset. */
void pack_reader_finish(struct pack_reader *reader, uint64_t offset);

/* What was read, over all packs of the input. */
struct pack_read {
	uint64_t packs, blocks, entries, content, statuses, problems;
	bool sealed;   /* a sealed block was met */
	bool unopened; /* and there was no key for it */
};
void pack_reader_result(const struct pack_reader *reader, struct pack_read *result);

#endif
