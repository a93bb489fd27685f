/*
 * Where a command writes a pack: nothing stands under the name before all of
 * it is there and on disk.
 *
 *   ui_output_open -> write to .fd -> ui_output_commit | ui_output_drop
 *
 * A new file has mode 0666 less the umask, one in place of another has its mode.
 * No path, or "-", is standard output, which must not be a terminal. An
 * regular file that is there is replaced only if it is a pack, or empty: what was named by mistake
 * stays. An
 * existing path that is no regular file (a device, a pipe) is written
 * through, never replaced. A link to a file stays, and one that leads nowhere
 * is refused.
 */
#ifndef FDUMP_CMD_UI_OUTPUT_H
#define FDUMP_CMD_UI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct err;

struct ui_output {
	int fd;
	bool regular;    /* a new file, to be put in place */
	bool unnamed;    /* it has no name yet */
	int dir;         /* of the path */
	char *name;      /* in dir */
	char *temporary; /* in dir; NULL: unnamed */
	struct stat st;  /* of fd */
	bool replaces;   /* there is a file of this name */
	struct stat old; /* of that */
};

/* Returns 0, or -1 with err set. */
int ui_output_open(struct ui_output *out, const char *path, struct err *err);

/* A sink of pack/writer.h; output: the struct. */
int ui_output_write(void *output, const void *head, size_t head_len, const void *body,
	size_t body_len, struct err *err);

/* Syncs, puts it in place (over what was there), and closes. Returns 0, or -1
 * with err set: then the name has what it had before. */
int ui_output_commit(struct ui_output *out, struct err *err);

/* Closes and leaves no trace. After commit: does nothing. */
void ui_output_drop(struct ui_output *out);

#endif
