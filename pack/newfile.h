/*
 * A new file: it has no name, or else a temporary one (`.fdump-PID-N`), until it is complete.
 * Then it gets its real name in one step.
 *
 *   pack_newfile_open -> _write* -> metadata -> _place (-> _replace) -> _drop
 *
 * Different files may be handled by different threads; one file, by one thread at a time.
 */
#ifndef FDUMP_PACK_NEWFILE_H
#define FDUMP_PACK_NEWFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pack_head;
struct pack_load;

#define PACK_NEWFILE_TEMPORARY 48

/* Read-only for callers. .fd is -1 if no file is open. */
struct pack_newfile {
	int fd;
	mode_t made;                            /* the mode it was created with */
	char temporary[PACK_NEWFILE_TEMPORARY]; /* its name in dir; empty: it has none */
};

/* Creates a file in a directory. Without a name it gets this mode (permission bits only) at
 * once, because nobody else can open it; with a temporary name it gets 0600. Then sets those
 * flags of `head` (or NULL) that must be set before there is content. serial counts temporary
 * names; NULL: no temporary name. Returns 0, or -1 with errno set, and nothing is left. */
int pack_newfile_open(struct pack_newfile *file, int dir, mode_t mode, const struct pack_head *head,
	unsigned *serial);

/* Writes the load's content from offset `from` to `end`, or up to a TAIL, leaving out holes.
 * *at is the position in the file, and advances. *hole tells whether the content ends in a
 * hole. Returns 0, or -1 with errno set (0 if the reason is not known). */
int pack_newfile_write(int fd, const struct pack_load *load, uint32_t from, uint32_t end,
	uint64_t *at, bool *hole);

/* Gives a file without a name its name in dir, if the name is free. Returns 0; 1 if _replace
 * must be used instead, after the caller looked at what has the name; -1 with errno set. */
int pack_newfile_place(const struct pack_newfile *file, int dir, const char *name);

/* Gives it its name and replaces what has that name, unless that is a directory. Returns 0, or
 * -1 with errno set. */
int pack_newfile_replace(struct pack_newfile *file, int dir, const char *name, unsigned *serial);

/* Closes it, and removes its temporary name from dir. */
void pack_newfile_drop(struct pack_newfile *file, int dir);

/* Writes the N-th temporary name. */
void pack_newfile_temporary(char name[PACK_NEWFILE_TEMPORARY], unsigned serial);

#endif
