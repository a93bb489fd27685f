/*
 * A large file, or the output of a command, that is read and cut into chunks, one for each job. For
 * cmd/dump/pipeline.c.
 *
 *   dump_large_init -> (dump_large_begin or dump_large_command -> dump_large_next while it runs)*
 *                   -> dump_large_fini
 *
 * Those are of the thread that plans. dump_large_join goes through the same jobs later, in the same
 * order, perhaps in another thread. All return 0, or -1 with err set.
 */
#ifndef FDUMP_CMD_DUMP_LARGE_H
#define FDUMP_CMD_DUMP_LARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "pack/batch.h"

struct dump_job;
struct err;
struct pack_digest;

struct dump_large {
	const uint64_t *gear;
	struct pack_large file; /* .running: it goes on */
	uint64_t fs;            /* that it is on */
	struct pack_part *part;
	/* Content behind the last cut, and of which data and holes it is. */
	struct buf ahead, ahead_runs;
	struct pack_digest *digest; /* of dump_large_join */
};

/* gear: the domain's; borrowed. To be ended by _fini in any case. */
int dump_large_init(struct dump_large *large, const uint64_t gear[256], struct err *err);
void dump_large_fini(struct dump_large *large);

/* Opens the item, which it takes: its HEAD goes into the job, and its first chunk. What can't be
 * opened is left out, which is noted in the job. fs: that it is on. */
int dump_large_begin(struct dump_large *large, struct dump_job *job,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, uint64_t fs,
	struct err *err);
/* The same for a command (pack/batch.h). */
int dump_large_command(
	struct dump_large *large, struct dump_job *job, const char *text, struct err *err);
/* The next chunk into the job; with the last one, the outcome. */
int dump_large_next(struct dump_large *large, struct dump_job *job, struct err *err);

/* The items of a job's chunk, its content's hash, and at the end the TAIL. */
int dump_large_join(struct dump_large *large, struct dump_job *job, struct err *err);

#endif
