/*
 * A job of the backup pipeline: some chunks, the entries whose content they hold, and the items of
 * the manifest that describe them. Used by cmd/dump/pipeline.c only.
 *
 *   dump_job_new -> (dump_job_reset -> planned, built, pressed, emitted)* ->
 *   dump_job_free
 *
 * Only one thread has a job at a time; the lanes see to that. Errors mean out of memory, unless
 * stated otherwise.
 */
#ifndef FDUMP_CMD_DUMP_JOB_H
#define FDUMP_CMD_DUMP_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/dump/previous.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "pack/batch.h"

struct err;
struct pack_digest;
struct pack_part;

#define DUMP_JOB_ITEMS 4096 /* entries in a job */
#define DUMP_JOB_DEPTH 8    /* nesting of CBOR that is skipped */

/* The backup's own part of a planned entry, which belongs to a struct pack_plan. */
struct dump_plan {
	size_t old,
		old_len; /* its entry in the last manifest, in the batch's text; length 0: none */
	bool carried;    /* copied from the last manifest; otherwise it is read */
	bool cut;        /* its chunk ends after its content */
	struct dump_stat stat; /* for the local copy; .fs is set by the plan stage */
	size_t out_end;        /* where its items end in .out */
};

/* A piece of a large file's content: bytes of the chunk, or a hole. */
struct dump_piece {
	bool hole;
	uint64_t len;
};

/* Where in .out the id of a chunk is to be filled in. */
struct dump_ref {
	size_t at;
	size_t chunk;
};

struct dump_chunk {
	size_t at, len; /* its content, in .content */
	uint8_t id[STORE_ID_LEN];
	uint32_t lacks;               /* the stores to put it to */
	size_t record_at, record_len; /* in .records; none if no store lacks the chunk */
};

struct dump_job {
	struct pack_batch batch;
	struct buf plans; /* struct dump_plan, one for each plan of the batch */
	size_t bundle;    /* planned bytes of content in the chunk that is being filled */
	size_t planned;   /* planned bytes of content in all chunks */
	struct buf content;
	struct buf records; /* of all chunks, in one buffer, so that memory is bounded by the
			       content */
	struct dump_chunk *chunks;
	size_t chunk_count, chunks_cap;
	bool cut;        /* the last chunk is complete */
	struct buf out;  /* the manifest's items, in order */
	struct buf refs; /* struct dump_ref */
	struct buf runs; /* struct dump_piece, of the large file */
	uint64_t fs;     /* the file system that the large file is on */
	struct buf found;
};

/* NULL with err set: out of memory. */
struct dump_job *dump_job_new(struct err *err);
void dump_job_free(struct dump_job *job);
/* Empties the job for its next use. */
void dump_job_reset(struct dump_job *job);

/* The array of plans, one for each plan of .batch; valid until one is added. */
struct dump_plan *dump_job_plans(struct dump_job *job);

/* Makes the manifest's items, in order, from the entries that were read into parts and from those
 * that are carried over, and moves contents into chunks. Content that the last manifest (NULL:
 * none) has, at the same path or another one, keeps its references instead. Returns 0, or -1 with
 * err set. */
int dump_job_convert(struct dump_job *job, struct dump_previous *last, struct err *err);

/*
 * A large file, or the output of a command, which is read and cut into chunks, one for each job.
 *
 *   _init -> (_begin or _command -> _next while .file.running)* -> _fini
 *
 * These are called in the plan stage. _join is called for the same jobs later, in the same order,
 * possibly in another thread. All return 0, or -1 with err set.
 */
struct dump_job_large {
	const uint64_t *gear;
	struct pack_large file; /* .running: not at its end yet */
	uint64_t fs;            /* the file system that it is on */
	struct pack_part *part;
	/* Content after the last cut, and its division into data and holes. */
	struct buf ahead, ahead_runs;
	struct pack_digest *digest; /* used by dump_job_large_join */
};

/* gear: the domain's; borrowed. Call _fini in any case. */
int dump_job_large_init(struct dump_job_large *large, const uint64_t gear[256], struct err *err);
void dump_job_large_fini(struct dump_job_large *large);

/* Opens the item, and takes over its file descriptor. Its HEAD and its first chunk go into the job.
 * If it can't be opened it is left out, which is noted in the job. fs: the file system that it is
 * on. */
int dump_job_large_begin(struct dump_job_large *large, struct dump_job *job,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, uint64_t fs,
	struct err *err);
/* The same for a command (pack/batch.h). */
int dump_job_large_command(
	struct dump_job_large *large, struct dump_job *job, const char *text, struct err *err);
/* Puts the next chunk into the job; with the last chunk, also the outcome. */
int dump_job_large_next(struct dump_job_large *large, struct dump_job *job, struct err *err);

/* Hashes the content of the job's chunk, and makes its items; after the last chunk, also the
 * TAIL. */
int dump_job_large_join(struct dump_job_large *large, struct dump_job *job, struct err *err);

#endif
