/*
 * The feed: reads one object of the file system into parts (pack/part.h).
 *
 *   pack_feed_begin   opens it, writes HEAD
 *   pack_feed_fill    reads content, until the part is full or the content ends
 *   pack_feed_end     writes TAIL
 *
 * A problem with the object itself (unreadable, vanished, changed) is not an error here: it
 * becomes the entry's status in stream->tail. Some objects are left out, and pack_feed_begin
 * returns 1 for them: those whose names and attributes exceed the format's limit, and symbolic
 * links that can't be read.
 *
 * A struct pack_feed belongs to one thread; a stream may move between threads.
 */
#ifndef FDUMP_PACK_FEED_H
#define FDUMP_PACK_FEED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pack/entry.h"

struct err;
struct pack_digest;
struct pack_feed;
struct pack_part;
struct pack_scan_item;

/* How much is read of a file that claims to be empty but is not. */
#define PACK_FEED_GROWTH (1u << 20)

struct pack_feed *pack_feed_new(bool xattrs, bool owner_names, struct err *err);
void pack_feed_free(struct pack_feed *feed);

/* An entry in progress. */
struct pack_stream {
	int fd;                /* -1: no (more) content */
	struct stat st;        /* when it was opened */
	bool sparse;           /* ask the file system for holes */
	bool command;          /* fd is a pipe that a command writes to */
	uint64_t at;           /* bytes of content so far */
	uint64_t holes;        /* bytes of holes so far */
	uint64_t data_end;     /* sparse: end of the data region that contains `at` */
	struct pack_tail tail; /* .sparse, the kind of its digest, is set from the beginning */
	int missing;           /* errno, if attributes or flags could not be read */
	char problem[160];     /* in words, what went wrong; empty: nothing */
};

/* item: the object; takes its fd. link: path of an earlier entry that is the same file; .at
 * NULL: none. The part must not be full. Returns 0; 1 if the entry is left out (stream->problem
 * says why); -1 with err set (out of memory). On 1 and -1 the stream is closed. */
int pack_feed_begin(struct pack_feed *feed, struct pack_part *part,
	const struct pack_scan_item *item, struct pack_bytes link, struct pack_stream *stream,
	struct err *err);

/* Adds content until the part is full (returns 1: go on with the next part) or the content ends
 * (returns 0). The digest, if not NULL, receives the content. Returns -1 with err set (out of
 * memory). */
int pack_feed_fill(struct pack_part *part, struct pack_stream *stream, struct pack_digest *digest,
	struct err *err);

/* Writes the TAIL with this checksum, and closes the stream. sum: HASH_LEN bytes; NULL for an
 * entry without content. Returns 0, or -1 with err set (out of memory). */
int pack_feed_end(
	struct pack_part *part, struct pack_stream *stream, const uint8_t *sum, struct err *err);

/* Closes a stream that is abandoned. */
void pack_feed_drop(struct pack_stream *stream);

#endif
