/*
 * Members that are the output of a command: a program is run, and its standard
 * output is the content (pack/feed.h).
 *
 *   pack_command_begin -> pack_feed_fill ... -> pack_command_end -> pack_feed_end
 *   or, to give up, pack_command_stop
 */
#ifndef FDUMP_PACK_COMMAND_H
#define FDUMP_PACK_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;
struct pack_part;
struct pack_stream;

/* Starts "NAME=PROGRAM ARGUMENTS", without a shell, split at blanks. Its HEAD
 * goes into the part, NAME into `path` (cleared first). *pid is set, and the stream. Returns 0,
 * or -1 with err set; ERR_USAGE: NAME is no path, or there is no PROGRAM. */
int pack_command_begin(const char *text, struct pack_part *part, struct pack_stream *stream,
	pid_t *pid, struct buf *path, struct err *err);

/* The output has ended: waits for the program, books its exit status. Nothing
 * if *pid is 0, which it is set to. */
void pack_command_end(pid_t *pid, struct pack_stream *stream);

/* In words how a command failed: its exit status in the pack, not 0. */
void pack_command_failed(uint32_t exit, char *text, size_t size);

/* Ends a program whose output nobody reads any more. Nothing if *pid is 0. */
void pack_command_stop(pid_t *pid);

#endif
