/*
 * A job of a backup: chunks in the making, the entries whose content they are, and
 * what the manifest will say of them. Not for others than cmd/dump/pipeline.c.
 *
 *   dump_job_new -> (dump_job_reset -> planned, built, pressed, emitted)* ->
 *   dump_job_free
 *
 * Whoever has the job may use it; the lanes see to that. All that can fail is
 * for want of memory, but where said.
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
#define DUMP_JOB_DEPTH 8    /* of CBOR that is passed by */

/* What a backup knows of a planned entry (struct pack_plan) beside that. */
struct dump_plan {
	size_t old, old_len;   /* its entry in the last manifest, in the batch's text; or none */
	bool carried;          /* goes through as it is there; else it is read */
	bool cut;              /* its content is the last of its chunk */
	struct dump_stat stat; /* for the local copy; .fs is set when it is planned */
	size_t out_end;        /* its items end here, in .out */
};

/* A piece of a large file's content: bytes of the chunk, or a hole. */
struct dump_piece {
	bool hole;
	uint64_t len;
};

/* Where an id goes, in .out. */
struct dump_ref {
	size_t at;
	size_t chunk;
};

struct dump_chunk {
	size_t at, len; /* of its content, in .content */
	uint8_t id[STORE_ID_LEN];
	uint32_t lacks;               /* the stores that it is put to */
	size_t record_at, record_len; /* in .records; where nothing lacks it, there is none */
};

struct dump_job {
	struct pack_batch batch;
	struct buf plans; /* struct dump_plan, of the batch's plans */
	size_t bundle;    /* bytes of content that are planned, of the chunk in the making */
	size_t planned;   /* of all */
	struct buf content;
	struct buf
		records; /* of the chunks; one buffer, so that memory is bounded by the content */
	struct dump_chunk *chunks;
	size_t chunk_count, chunks_cap;
	bool cut;        /* the last chunk is whole */
	struct buf out;  /* items of the manifest, in order */
	struct buf refs; /* struct dump_ref */
	struct buf runs; /* struct dump_piece: of the large file */
	uint64_t fs;     /* that it is on */
	struct buf found;
};

/* NULL with err set. */
struct dump_job *dump_job_new(struct err *err);
void dump_job_free(struct dump_job *job);
/* Forgets what was in it. */
void dump_job_reset(struct dump_job *job);

struct dump_plan *dump_job_plans(struct dump_job *job);

/* Turns the entries that were read into the parts, and those that are carried over,
 * into items of the manifest, in order, and contents into chunks; but content that the last
 * manifest (NULL: none) has, at the same path or another, keeps its references. Returns 0, or -1
 * with err set. */
int dump_job_convert(struct dump_job *job, struct dump_previous *last, struct err *err);

/*
 * A large file, or the output of a command, that is read and cut into chunks, one for each job.
 *
 *   _init -> (_begin or _command -> _next while it runs)* -> _fini
 *
 * Those are of the thread that plans. _join goes through the same jobs later, in the same order,
 * perhaps in another thread. All return 0, or -1 with err set.
 */
struct dump_job_large {
	const uint64_t *gear;
	struct pack_large file; /* .running: it goes on */
	uint64_t fs;            /* that it is on */
	struct pack_part *part;
	/* Content behind the last cut, and of which data and holes it is. */
	struct buf ahead, ahead_runs;
	struct pack_digest *digest; /* of dump_job_large_join */
};

/* gear: the domain's; borrowed. To be ended by _fini in any case. */
int dump_job_large_init(struct dump_job_large *large, const uint64_t gear[256], struct err *err);
void dump_job_large_fini(struct dump_job_large *large);

/* Opens the item, which it takes: its HEAD goes into the job, and its first chunk. What can't be
 * opened is left out, which is noted in the job. fs: that it is on. */
int dump_job_large_begin(struct dump_job_large *large, struct dump_job *job,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, uint64_t fs,
	struct err *err);
/* The same for a command (pack/batch.h). */
int dump_job_large_command(
	struct dump_job_large *large, struct dump_job *job, const char *text, struct err *err);
/* The next chunk into the job; with the last one, the outcome. */
int dump_job_large_next(struct dump_job_large *large, struct dump_job *job, struct err *err);

/* The items of a job's chunk, its content's hash, and at the end the TAIL. */
int dump_job_large_join(struct dump_job_large *large, struct dump_job *job, struct err *err);

#endif
