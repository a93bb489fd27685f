/*
 * A batch: entries that are planned together, in the order of the walk, and then
 * read together, into parts (pack/part.h); or a piece of one large file. What packs
 * (pack/create.c) and backups (cmd/dump/pipeline.c) have in common.
 *
 *   pack_batch_init -> (pack_batch_reset -> pack_batch_add ... -> pack_batch_read
 *   -> pack_batch_report)* -> pack_batch_fini
 *
 * A file of one piece is hashed along with all others of its batch (lib/sums.h).
 * One that changes while it is read is read again, PACK_BATCH_TRIES times in all.
 * Whoever has the batch may use it. What is not said otherwise returns 0, or -1 with
 * err set: out of memory.
 */
#ifndef FDUMP_PACK_BATCH_H
#define FDUMP_PACK_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "pack/feed.h"
#include "pack/scan.h"

struct err;
struct pack_batch_reader;
struct pack_part;
struct pack_links;

#define PACK_BATCH_TRIES 3

/* An entry that is planned. Offsets are into the batch's text; each text ends in a NUL. */
struct pack_plan {
	struct pack_dir *dir, *self; /* NULL, both: it is not read */
	size_t name, path, path_len, link, link_len;
	bool has_link;
	bool left_out;  /* when read: it is not an entry */
	bool sound;     /* when read: of one state, and nothing is missing */
	int fd;         /* a regular file, opened; else -1 */
	int error;      /* as in struct pack_scan_item */
	struct stat st; /* as it was met; when read, as it was opened */
};

struct pack_batch {
	size_t target; /* of a part */
	struct pack_part **parts;
	size_t part_count, parts_cap;
	struct buf plans, text, notes;
	size_t dirs;   /* that it keeps open, at most */
	uint64_t read; /* bytes of content */
	/* A piece of a large file or of a command's output; its HEAD and TAIL are in
	 * .parts[0]. */
	bool large, large_begins, large_ends;
	bool large_sparse;      /* of which kind its digest is; where it begins */
	struct pack_stream end; /* its outcome */
	struct buf large_path;
};

/* target: of its parts, as in pack/part.h. To be ended by _fini in any case. */
int pack_batch_init(struct pack_batch *batch, size_t target, struct err *err);
void pack_batch_fini(struct pack_batch *batch);
void pack_batch_reset(struct pack_batch *batch);

/* Its entries. */
struct pack_plan *pack_batch_plans(const struct pack_batch *batch, size_t *count);
/* Text that begins at this offset. */
const char *pack_batch_at(const struct pack_batch *batch, size_t offset);

/* A walk that is read: the scanner (pack/scan.h), with hard links found (pack/links.h), and what
 * can't be examined noted in the batch that is being planned. One thread at a time.
 *
 *   pack_walk_init -> (pack_walk_next -> use -> .pending = false)* -> pack_walk_fini
 */
struct pack_walk {
	struct pack_scan_item item; /* met; its fd is the walk's while it is pending */
	bool pending;               /* not taken yet */
	bool linked;                /* the same file as the entry `link`, which came before */
	struct buf link;
	uint64_t missing; /* met, but could not be examined: they are not entries */
	uint64_t untold;  /* of these, without a note, for want of memory */
	struct pack_scan *scan;
	/* Its own. */
	struct pack_links *links;
	struct pack_batch *batch;
};

/* options are copied; their `problem` is the walk's own. Returns 0, or -1 with err
 * set: out of memory. To be ended by _fini in any case. */
int pack_walk_init(
	struct pack_walk *walk, const struct pack_scan_options *options, struct err *err);
void pack_walk_fini(struct pack_walk *walk);

/* Makes sure that an item is pending. What can't be examined is noted in the batch.
 * Returns 0; 1: there are no more; -1 with err set. */
int pack_walk_next(struct pack_walk *walk, struct pack_batch *batch, struct err *err);

/* Adds the walk's pending item, which then is not pending any more. Without `read` it
 * is only listed. */
int pack_batch_add(struct pack_batch *batch, struct pack_walk *walk, bool read, struct err *err);
/* Adds text, and a NUL. Returns its offset, or SIZE_MAX with err set. */
size_t pack_batch_text(struct pack_batch *batch, const void *text, size_t len, struct err *err);
/* Adds a problem, for pack_batch_report. */
int pack_batch_note(
	struct pack_batch *batch, const char *path, size_t len, const char *what, struct err *err);

/* What a thread needs to read. NULL with err set. */
struct pack_batch_reader *pack_batch_reader_new(bool xattrs, bool owner_names, struct err *err);
void pack_batch_reader_free(struct pack_batch_reader *reader);

/* Reads what is planned, and lets go of directories and files. What is wrong with a
 * file is not an error, but its status, and a note. */
int pack_batch_read(struct pack_batch *batch, struct pack_batch_reader *reader, struct err *err);

/* Reports the problems, in order. Returns how many. */
uint64_t pack_batch_report(const struct pack_batch *batch,
	void (*problem)(void *ctx, const char *path, size_t len, const char *what), void *ctx);

/* A large file, or a command, that is being read over several batches, by whoever plans
 * them: pack_large_init -> (pack_large_begin or _command -> pack_feed_fill from .stream ->
 * pack_large_end; then, with that batch, pack_large_tail)* -> pack_large_fini. */
struct pack_large {
	bool running;
	struct pack_stream stream;
	struct buf path;
	pid_t command; /* 0: none */
};

void pack_large_init(struct pack_large *large);

/* Opens a file; its HEAD goes into the batch. It takes item->fd. Returns 0; 1: it is left
 * out, which is noted; -1 with err set. */
int pack_large_begin(struct pack_large *large, struct pack_batch *batch,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, struct err *err);
/* Begins an entry that is the output of a command: runs "NAME=PROGRAM ARGUMENTS", without a shell,
 * split at blanks. ERR_USAGE: NAME is not a path, or there is no PROGRAM. */
int pack_large_command(
	struct pack_large *large, struct pack_batch *batch, const char *text, struct err *err);
/* Content has ended: the outcome goes into the batch, that of a command when it has ended. */
int pack_large_end(struct pack_large *large, struct pack_batch *batch, struct err *err);
/* Its TAIL, with this checksum, and its problem. */
int pack_large_tail(struct pack_batch *batch, const uint8_t *sum, struct err *err);
/* Gives up what is running, also a command, and frees what it holds. */
void pack_large_fini(struct pack_large *large);

#endif
