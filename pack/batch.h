/*
 * A batch is a group of entries that are planned in walk order and then read together into
 * parts (pack/part.h), or one piece of a large file. Packs (pack/create.c) and backups
 * (cmd/dump/pipeline.c) both read their input this way.
 *
 *   pack_batch_init -> (pack_batch_reset -> pack_batch_add ... -> pack_batch_read
 *   -> pack_batch_report)* -> pack_batch_fini
 *
 * Files that fit into one DATA item are hashed together, many at a time (lib/sums.h). A planned
 * file that changes or shrinks while it is read is read again, up to PACK_BATCH_TRIES times in
 * all.
 *
 * A batch may move between threads, but only one at a time may use it. Unless stated otherwise,
 * functions return 0, or -1 with err set (out of memory).
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

/* A planned entry. Offsets are into the batch's text; each text there ends in a NUL. */
struct pack_plan {
	struct pack_dir *dir, *self; /* both NULL: listed only, not read */
	size_t name, path, path_len, link, link_len;
	bool has_link;
	bool left_out;  /* set when read: it is not an entry */
	bool sound;     /* set when read: in one consistent state, nothing missing */
	int fd;         /* a regular file, open; else -1 */
	int error;      /* errno, as in struct pack_scan_item */
	struct stat st; /* as the walk saw it; after reading, as it was when opened */
};

struct pack_batch {
	size_t target; /* size of a part */
	struct pack_part **parts;
	size_t part_count, parts_cap;
	struct buf plans, text, notes;
	size_t dirs;   /* upper bound of the directories it keeps open */
	uint64_t read; /* bytes of content read */
	/* A piece of a large file or of a command's output. .parts[0] holds its HEAD and TAIL. */
	bool large, large_begins, large_ends;
	bool large_sparse;      /* kind of its digest; valid where it begins */
	struct pack_stream end; /* its outcome */
	struct buf large_path;
};

/* target: size of a part, as in pack/part.h. Call _fini in any case, also after an error. */
int pack_batch_init(struct pack_batch *batch, size_t target, struct err *err);
void pack_batch_fini(struct pack_batch *batch);
void pack_batch_reset(struct pack_batch *batch);

/* The planned entries. Borrowed until the next entry is added. */
struct pack_plan *pack_batch_plans(const struct pack_batch *batch, size_t *count);
/* The text at this offset. Borrowed until more text is added. */
const char *pack_batch_at(const struct pack_batch *batch, size_t offset);

/* The walk: a scanner (pack/scan.h) that also finds hard links (pack/links.h) and notes what
 * can't be examined in the batch being planned. One thread at a time.
 *
 *   pack_walk_init -> (pack_walk_next -> use -> .pending = false)* -> pack_walk_fini */
struct pack_walk {
	struct pack_scan_item item; /* the current item; the walk owns its fd while it is pending */
	bool pending;               /* not consumed yet */
	bool linked;                /* the same file as the earlier entry `link` */
	struct buf link;
	uint64_t missing; /* could not be examined, so are not entries */
	uint64_t untold;  /* how many of them have no note, for lack of memory */
	struct pack_scan *scan;
	/* Private. */
	struct pack_links *links;
	struct pack_batch *batch;
};

/* The options are copied, but the walk sets `problem` and `problem_ctx` itself. Returns 0, or
 * -1 with err set (out of memory). Call _fini in any case, also after an error. */
int pack_walk_init(
	struct pack_walk *walk, const struct pack_scan_options *options, struct err *err);
void pack_walk_fini(struct pack_walk *walk);

/* Makes sure that an item is pending. Paths that can't be examined are noted in the batch.
 * Returns 0, 1 if there are no more items, or -1 with err set. */
int pack_walk_next(struct pack_walk *walk, struct pack_batch *batch, struct err *err);

/* Adds the walk's pending item, which is then no longer pending. Takes its fd. Without `read`
 * the item is only listed. */
int pack_batch_add(struct pack_batch *batch, struct pack_walk *walk, bool read, struct err *err);
/* Copies text into the batch and ends it with a NUL. Returns its offset, or SIZE_MAX with err
 * set. */
size_t pack_batch_text(struct pack_batch *batch, const void *text, size_t len, struct err *err);
/* Notes a problem for pack_batch_report. */
int pack_batch_note(
	struct pack_batch *batch, const char *path, size_t len, const char *what, struct err *err);

/* What a thread needs in order to read batches. Returns NULL with err set. */
struct pack_batch_reader *pack_batch_reader_new(bool xattrs, bool owner_names, struct err *err);
void pack_batch_reader_free(struct pack_batch_reader *reader);

/* Reads the planned entries, then releases their directories and files. A problem with a file
 * is not an error: it becomes the entry's status and a note. */
int pack_batch_read(struct pack_batch *batch, struct pack_batch_reader *reader, struct err *err);

/* Reports all noted problems in order. Returns how many there were. */
uint64_t pack_batch_report(const struct pack_batch *batch,
	void (*problem)(void *ctx, const char *path, size_t len, const char *what), void *ctx);

/* A large file or a command's output, read over several batches by the thread that plans them:
 *
 *   pack_large_init -> (pack_large_begin or _command -> pack_feed_fill from .stream ->
 *   pack_large_end; then, with that batch, pack_large_tail)* -> pack_large_fini */
struct pack_large {
	bool running;
	struct pack_stream stream;
	struct buf path;
	pid_t command; /* 0: no command */
};

void pack_large_init(struct pack_large *large);

/* Opens a file and writes its HEAD into the batch. Takes item->fd. Returns 0, 1 if the file is
 * left out (which is noted), or -1 with err set. */
int pack_large_begin(struct pack_large *large, struct pack_batch *batch,
	struct pack_batch_reader *reader, const struct pack_scan_item *item, struct err *err);
/* Begins an entry that holds the output of a command. Runs "NAME=PROGRAM ARGUMENTS", split at
 * blanks, without a shell. Besides out of memory, err may be ERR_USAGE (NAME is not a valid
 * path, or PROGRAM is missing) or say why the program could not be started. */
int pack_large_command(
	struct pack_large *large, struct pack_batch *batch, const char *text, struct err *err);
/* The content has ended: waits for the command, if it is one, and stores the outcome in the
 * batch. */
int pack_large_end(struct pack_large *large, struct pack_batch *batch, struct err *err);
/* Writes the TAIL with this checksum, and notes the problem, if there was one. */
int pack_large_tail(struct pack_batch *batch, const uint8_t *sum, struct err *err);
/* Abandons what is in progress (a command gets SIGTERM and is waited for), and frees
 * everything. */
void pack_large_fini(struct pack_large *large);

#endif
