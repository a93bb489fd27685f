/*
 * A file in the making: unnamed, else under a temporary name (`.fdump-PID-N`),
 * until all of it is there; then it is put under its real name at once.
 *
 *   pack_newfile_open -> _write* -> metadata -> _place (-> _replace) -> _drop
 *
 * Each function may be called by any thread, a file by one at a time.
 */
#ifndef FDUMP_PACK_NEWFILE_H
#define FDUMP_PACK_NEWFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pack_head;
struct pack_load;

#define PACK_NEWFILE_TEMPORARY 48

/* What is in it is read only here. Where none is open: .fd is -1. */
struct pack_newfile {
	int fd;
	mode_t made;                            /* the mode it was made with */
	char temporary[PACK_NEWFILE_TEMPORARY]; /* its name in dir; empty: unnamed */
};

/* A new file in a directory. Unnamed it has this mode at once, for nobody can
 * get at it. Then come the flags that it needs before its content; head: of the
 * entry, or NULL. serial counts temporary names; NULL: no temporary name. Returns 0,
 * or -1 with errno set (nothing is left of it). */
int pack_newfile_open(struct pack_newfile *file, int dir, mode_t mode, const struct pack_head *head,
	unsigned *serial);

/* Writes the load's content from one offset to another (up to a TAIL), holes left
 * out, from *at on, which follows; *hole tells whether it ends in one. Returns
 * 0, or -1 with errno set (0: no reason is known). */
int pack_newfile_write(int fd, const struct pack_load *load, uint32_t from, uint32_t end,
	uint64_t *at, bool *hole);

/* Puts it under its name in dir, if nothing has that. Returns 0; 1 if that is for
 * _replace, after what is there was looked at; -1 with errno set. */
int pack_newfile_place(const struct pack_newfile *file, int dir, const char *name);

/* The same over what is there, unless that is a directory. Returns 0, or -1 with
 * errno set. */
int pack_newfile_replace(struct pack_newfile *file, int dir, const char *name, unsigned *serial);

/* Closes it; a temporary name in dir is removed. */
void pack_newfile_drop(struct pack_newfile *file, int dir);

/* The N-th temporary name. */
void pack_newfile_temporary(char name[PACK_NEWFILE_TEMPORARY], unsigned serial);

#endif
