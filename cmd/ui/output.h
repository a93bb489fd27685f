/*
 * The file or stream that a command writes a pack to. The name appears only when the pack is
 * complete and on disk.
 *
 *   ui_output_open -> write to .fd -> ui_output_commit | ui_output_drop
 *
 * A new file has mode 0666 less the umask; one that replaces another has the other's mode. No path,
 * or "-", is standard output, which must not be a terminal. An existing regular file is replaced
 * only if it is a pack or empty, so that a file that was named by mistake is safe. An existing path
 * that is not a regular file (a device, a pipe) is written to, never replaced. A link to a file
 * stays, and its target is replaced; a dangling link is refused.
 */
#ifndef FDUMP_CMD_UI_OUTPUT_H
#define FDUMP_CMD_UI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct err;

struct ui_output {
	int fd;
	bool regular;    /* a new file, which is put in place at the end */
	bool unnamed;    /* it has no name yet */
	int dir;         /* the path's directory */
	char *name;      /* in .dir */
	char *temporary; /* in .dir; NULL: the file has no name */
	struct stat st;  /* of fd */
	bool replaces;   /* there is a file of this name */
	struct stat old; /* of that file */
};

/* Opens the output. Returns 0, or -1 with err set; then there is nothing to drop. */
int ui_output_open(struct ui_output *out, const char *path, struct err *err);

/* A sink of pack/writer.h: writes head, then body. output: the struct. Returns 0, or -1 with err
 * set. */
int ui_output_write(void *output, const void *head, size_t head_len, const void *body,
	size_t body_len, struct err *err);

/* Syncs the file, puts it in place (over an existing one), and closes it. Returns 0, or -1 with err
 * set: then the old file is still there, unless only syncing the directory failed. */
int ui_output_commit(struct ui_output *out, struct err *err);

/* Closes, and leaves no trace. Does nothing after a commit. */
void ui_output_drop(struct ui_output *out);

#endif
