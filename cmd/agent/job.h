/*
 * A job of a backup: a chunk in the making, the entries whose content it is, and
 * what the manifest will say of them. Not for others than cmd/agent/backup.c.
 *
 *   agent_job_new -> (agent_job_reset -> planned, built, pressed, emitted)* ->
 *   agent_job_free
 *
 * Whoever has the job may use it; the lanes see to that. All that can fail is
 * for want of memory, but where said.
 */
#ifndef FDUMP_CMD_AGENT_JOB_H
#define FDUMP_CMD_AGENT_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "cmd/agent/last.h"
#include "cmd/store/record.h"
#include "lib/buf.h"
#include "pack/feed.h"

struct err;
struct pack_dir;
struct pack_part;

#define AGENT_JOB_ITEMS 8192 /* entries in a job */
#define AGENT_JOB_DEPTH 8    /* of CBOR that is passed by */

/* An entry that is planned. Offsets are into the job's text. */
struct agent_plan {
	struct pack_dir *dir, *self; /* NULL, both: carried over */
	size_t name, path, path_len, link, link_len;
	size_t carried, carried_len; /* its items */
	bool has_link;
	bool left_out; /* by build: it is not in the dump */
	int error;
	struct stat st;
	struct agent_stat stat; /* for the local copy */
	size_t out_end;         /* its items end here, in .out */
};

/* A piece of a large file's content: bytes of the chunk, or a hole. */
struct agent_piece {
	bool hole;
	uint64_t len;
};

/* Where an id goes, in .out. */
struct agent_ref {
	size_t at;
	size_t chunk;
};

struct agent_chunk {
	size_t at, len; /* of its content, in .content */
	uint8_t id[STORE_ID_LEN];
	bool wanted;
	struct buf record;
};

struct agent_job {
	struct pack_part **parts;
	size_t part_count, parts_cap;
	struct buf plans, text, notes;
	size_t dirs, bundle; /* bytes of content that are planned */
	struct buf content;
	struct agent_chunk *chunks;
	size_t chunk_count, chunks_cap;
	struct buf out;  /* items of the manifest, in order */
	struct buf refs; /* struct agent_ref */
	uint64_t read;
	/* A piece of the stream. */
	bool stream, stream_ends;
	struct buf runs;
	struct pack_stream end;
	struct buf stream_path;
};

/* NULL with err set. */
struct agent_job *agent_job_new(struct err *err);
void agent_job_free(struct agent_job *job);
/* Forgets what was in it. */
void agent_job_reset(struct agent_job *job);

/* Its entries. */
struct agent_plan *agent_job_plans(struct agent_job *job, size_t *count);
/* Gives back the directories that its entries are in. */
void agent_job_drop_dirs(struct agent_job *job);

/* One more part for entries that are read. NULL with err set. */
struct pack_part *agent_job_part(struct agent_job *job, struct err *err);
/* Adds text, and a NUL. Returns its offset in .text, or SIZE_MAX with err set. */
size_t agent_job_text(struct agent_job *job, const void *text, size_t len, struct err *err);
/* Adds a problem, to be reported when the job is emitted: in .notes its path's length, path,
 * words, and a NUL. */
int agent_job_note(
	struct agent_job *job, const char *path, size_t len, const char *what, struct err *err);

/* A chunk that can take bytes: the last, or a new one behind it. */
int agent_job_chunk(struct agent_job *job, struct agent_chunk **chunk, struct err *err);
/* Adds a REF to .out; the chunk's id is put in later. */
int agent_job_ref(struct agent_job *job, size_t chunk, size_t offset, size_t len, struct err *err);

/* Turns the entries that were read into the parts, and those that are carried over,
 * into items of the manifest, in order, and contents into chunks. Returns 0, or -1 with err
 * set. */
int agent_job_convert(struct agent_job *job, struct err *err);

#endif
