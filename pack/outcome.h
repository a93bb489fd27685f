/*
 * Reports what becomes of extracted entries, and remembers which were not restored. Hard links
 * are made only to restored entries: anything else in the target with that name is another
 * file.
 *
 *   pack_outcome_init -> for each entry: pack_outcome_begin -> what happens to it ->
 *   pack_outcome_end -> pack_outcome_fini
 *
 * Entries that were not restored are remembered by a 64-bit hash of their path. Memory is
 * bounded; once it is full, every entry not in the table counts as not restored. Not
 * thread-safe.
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
	PACK_OUTCOME_NOTE,   /* restored, but not exactly */
	PACK_OUTCOME_ABSENT, /* not restored: there is nothing complete to restore */
	PACK_OUTCOME_KEPT,   /* not restored: something of another type is kept */
	PACK_OUTCOME_LOST,   /* not restored: that failed here */
};

struct pack_outcome {
	const struct pack_extract_options *o;
	/* Some entries may have been lost without even their names being read. */
	bool gaps;
	/* Private. */
	struct pack_outcome_row *rows; /* entries that were not restored */
	size_t count, cap;             /* cap: a power of two */
	bool full;
	uint8_t fate; /* of the entry in progress */
	struct timespec start;
};

/* Uses .entry, .problem, .made and .overwrite of the options, which are borrowed until _fini. */
void pack_outcome_init(struct pack_outcome *outcome, const struct pack_extract_options *options);
void pack_outcome_fini(struct pack_outcome *outcome);

/* Begins an entry. It counts as lost unless something else is reported. */
void pack_outcome_begin(struct pack_outcome *outcome);
/* Ends the entry and remembers what became of it. sum: its SHA-256, or NULL if it has none. */
void pack_outcome_end(struct pack_outcome *outcome, struct pack_bytes path, const uint8_t *sum);

/* The entry is restored. */
void pack_outcome_done(struct pack_outcome *outcome, struct pack_bytes path);
/* Reports a problem. Only PACK_OUTCOME_ABSENT also decides what became of the entry. */
void pack_outcome_problem(struct pack_outcome *outcome, struct pack_bytes path,
	enum pack_outcome_kind kind, const char *what);
/* Reports that the entry is lost: `what`, and the reason in errnum. */
void pack_outcome_lost(
	struct pack_outcome *outcome, struct pack_bytes path, const char *what, int errnum);
/* Reports that a file of `size` bytes can't be written. errnum 0 counts as EIO. */
void pack_outcome_unwritten(
	struct pack_outcome *outcome, struct pack_bytes path, uint64_t size, int errnum);
/* The entry is not restored because what is there, in the directory `dir`, is kept. That is
 * reported only if it is of another type. sum: as above. */
void pack_outcome_kept(struct pack_outcome *outcome, struct pack_bytes path,
	const struct pack_head *head, const struct stat *there, int dir, const uint8_t *sum);

/* Reports the problem that the TAIL's status stands for. Returns whether the entry must be left
 * out. */
bool pack_outcome_left_out(struct pack_outcome *outcome, struct pack_bytes path,
	const struct pack_head *head, const struct pack_tail *tail);
/* Whether `name` in the directory, the place of a hard link's first name, holds something other
 * than the entry `link`. If so, that is reported. */
bool pack_outcome_foreign(struct pack_outcome *outcome, struct pack_bytes path,
	struct pack_bytes link, int dir, const char *name);

#endif
