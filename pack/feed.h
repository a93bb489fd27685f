/*
 * The feed: one object of the file system into parts (pack/part.h).
 *
 *   pack_feed_begin   opens it, writes HEAD
 *   pack_feed_fill    content, until the part is full or the content ends
 *   pack_feed_end     writes TAIL
 *
 * What goes wrong with the object itself (unreadable, vanished, changed) is no
 * error here: it becomes the entry's status, and stream->tail says so. An
 * entry whose names and attributes are over the format's limit is left out:
 * pack_feed_begin returns 1.
 *
 * A struct pack_feed is one thread's own; a stream may move between threads.
 */
#ifndef FDUMP_PACK_FEED_H
#define FDUMP_PACK_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "pack/entry.h"

struct err;
struct pack_digest;
struct pack_feed;
struct pack_part;
struct pack_scan_item;

/* How much is read of a file that says it is empty, and is not. */
#define PACK_FEED_GROWTH (1u << 20)

struct pack_feed *pack_feed_new(bool xattrs, bool owner_names, struct err *err);
void pack_feed_free(struct pack_feed *feed);

/* A running entry. */
struct pack_stream {
	int fd;                /* -1: there is no (more) content */
	struct stat st;        /* when it was opened */
	bool sparse;           /* holes are asked for */
	bool command;          /* fd is a pipe that a command writes to */
	uint64_t at;           /* content bytes so far */
	uint64_t holes;        /* bytes of holes so far */
	uint64_t data_end;     /* sparse: end of the data that `at` is in */
	struct pack_tail tail; /* .sparse from the beginning: the kind of its digest */
	int missing;           /* errno: attributes or flags that could not be read */
	char problem[160];     /* for a person: what went wrong; empty: nothing */
};

/* item: what is to be fed; its fd moves. link: the path of an entry before that is the same file;
 * at NULL: none. Returns 0; 1 if the entry is left out (stream->problem says why); -1 with
 * err set. A part that is not full has room. */
int pack_feed_begin(struct pack_feed *feed, struct pack_part *part,
	const struct pack_scan_item *item, struct pack_bytes link, struct pack_stream *stream,
	struct err *err);

/* Adds content until the part is full (returns 1: go on in the next part) or
 * the content ends (returns 0). digest, if not NULL, gets the content. -1 with
 * err set: out of memory. */
int pack_feed_fill(struct pack_part *part, struct pack_stream *stream, struct pack_digest *digest,
	struct err *err);

/* Writes TAIL with this checksum, NULL for an entry without content, and
 * closes the stream. */
int pack_feed_end(
	struct pack_part *part, struct pack_stream *stream, const uint8_t *sum, struct err *err);

/* Closes a stream that is given up. */
void pack_feed_drop(struct pack_stream *stream);

#endif
