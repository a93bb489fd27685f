/*
 * Sorts the names of one directory bytewise, in any number. Up to a limit they are kept in
 * memory; beyond it, in sorted runs in an unlinked temporary file (in TMPDIR, else /var/tmp),
 * which are merged on output.
 *
 *   pack_names_init -> _add ... -> _sort -> _next ... -> _fini
 *
 * Each name carries one byte for the caller (d_type). A name has at most 255 bytes and no NUL.
 * Not thread-safe.
 */
#ifndef FDUMP_PACK_NAMES_H
#define FDUMP_PACK_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct err;

#define PACK_NAMES_MEMORY (4u << 20) /* memory of one list, in bytes */
#define PACK_NAMES_LEN    255

struct pack_names_run;

struct pack_names {
	struct buf text;  /* tag, name, NUL; repeated */
	struct buf order; /* uint32_t: offset of each in .text */
	size_t next;
	int fd; /* of the temporary file; -1: none */
	uint64_t file_len;
	struct pack_names_run *runs;
	size_t run_count;
	size_t memory; /* limit; PACK_NAMES_MEMORY, smaller in tests */
};

void pack_names_init(struct pack_names *names);
void pack_names_fini(struct pack_names *names);

/* Returns 0, or -1 with err set: out of memory, or the temporary file can't be written. */
int pack_names_add(struct pack_names *names, const char *name, uint8_t tag, struct err *err);

/* Call after the last name was added. Returns 0, or -1 with err set. */
int pack_names_sort(struct pack_names *names, struct err *err);

/* The next name in order, valid until the next call. Returns 0, 1 at the end, or -1 with err
 * set. */
int pack_names_next(struct pack_names *names, const char **name, uint8_t *tag, struct err *err);

#endif
