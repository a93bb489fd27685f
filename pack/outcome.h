/*
 * What becomes of the entries that are extracted: it is reported to the caller, and remembered, so
 * that hard links are made only to what was restored: what has the name of another entry in the
 * target is something else.
 *
 *   pack_outcome_init -> for each entry: pack_outcome_begin -> what happens to it ->
 * pack_outcome_end
 *                     -> pack_outcome_fini
 *
 * Entries that were not restored are known by a hash of 64 bits of their paths. Memory is bounded;
 * without room all that is not known counts as not restored. Not thread-safe.
 */
#ifndef FDUMP_PACK_OUTCOME_H
#define FDUMP_PACK_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#include "pack/entry.h"

struct pack_extract_options;
struct pack_outcome_row;

enum pack_outcome_kind {
	PACK_OUTCOME_NOTE,   /* restored, but not as it was */
	PACK_OUTCOME_ABSENT, /* not restored: there is nothing whole of it to restore */
	PACK_OUTCOME_KEPT,   /* not restored, for something of another type is kept */
	PACK_OUTCOME_LOST,   /* not restored, which failed here */
};

struct pack_outcome {
	const struct pack_extract_options *o;
	/* There may be entries that were not restored and of which nothing was read, not even the
	 * name. */
	bool gaps;
	/* Its own. */
	struct pack_outcome_row *rows; /* entries that were not restored */
	size_t count, cap;             /* cap: a power of two */
	bool full;
	uint8_t fate; /* of the entry that was begun */
	struct timespec start;
};

/* Of the options, which are borrowed until _fini, it uses .entry, .problem, .made and .overwrite.
 */
void pack_outcome_init(struct pack_outcome *outcome, const struct pack_extract_options *options);
void pack_outcome_fini(struct pack_outcome *outcome);

/* An entry begins; unless something else is reported, it is lost. */
void pack_outcome_begin(struct pack_outcome *outcome);
/* It ends: what has become of it is remembered. sum: its SHA-256; NULL: it has none. */
void pack_outcome_end(struct pack_outcome *outcome, struct pack_bytes path, const uint8_t *sum);

/* It is restored. */
void pack_outcome_done(struct pack_outcome *outcome, struct pack_bytes path);
/* Reports a problem; that decides nothing, except for PACK_OUTCOME_ABSENT. */
void pack_outcome_problem(struct pack_outcome *outcome, struct pack_bytes path,
	enum pack_outcome_kind kind, const char *what);
/* It is lost: `what`, for the reason that errnum says. */
void pack_outcome_lost(
	struct pack_outcome *outcome, struct pack_bytes path, const char *what, int errnum);
/* A file of so many bytes can't be written. errnum 0: EIO. */
void pack_outcome_unwritten(
	struct pack_outcome *outcome, struct pack_bytes path, uint64_t size, int errnum);
/* It is not restored, because what is there (in this directory) is kept. sum: as above. */
void pack_outcome_kept(struct pack_outcome *outcome, struct pack_bytes path,
	const struct pack_head *head, const struct stat *there, int dir, const uint8_t *sum);

/* Reports what the TAIL's status gives reason to. Returns whether the entry must be left out. */
bool pack_outcome_left_out(struct pack_outcome *outcome, struct pack_bytes path,
	const struct pack_head *head, const struct pack_tail *tail);
/* Whether what has a hard link's first name, `name` in the directory, is something else than the
 * entry `link`; then that is reported. */
bool pack_outcome_foreign(struct pack_outcome *outcome, struct pack_bytes path,
	struct pack_bytes link, int dir, const char *name);

#endif
