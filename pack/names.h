/*
 * The names of one directory, sorted bytewise, of any number: up to a limit in
 * memory, beyond it in sorted runs in an unlinked temporary file (in TMPDIR,
 * else /var/tmp) that are merged on the way out.
 *
 *   pack_names_init -> _add ... -> _sort -> _next ... -> _fini
 *
 * Each name carries one byte for the caller (d_type). Names hold no NUL and at
 * most 255 bytes. Not thread-safe.
 */
#ifndef FDUMP_PACK_NAMES_H
#define FDUMP_PACK_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

struct err;

#define PACK_NAMES_MEMORY (4u << 20) /* bytes of one list in memory */
#define PACK_NAMES_LEN    255

struct pack_names_run;

struct pack_names {
	struct buf text;  /* tag, name, NUL; again and again */
	struct buf order; /* uint32_t: where each begins */
	size_t next;
	int fd; /* of the temporary file; -1: none */
	uint64_t file_len;
	struct pack_names_run *runs;
	size_t run_count;
	size_t memory; /* limit, PACK_NAMES_MEMORY; tests make it smaller */
};

void pack_names_init(struct pack_names *names);
void pack_names_fini(struct pack_names *names);

/* Returns 0, or -1 with err set: no memory, no room for the temporary file. */
int pack_names_add(struct pack_names *names, const char *name, uint8_t tag, struct err *err);

/* After the last one was added. Returns 0, or -1 with err set. */
int pack_names_sort(struct pack_names *names, struct err *err);

/* The next name, in order; good until the next call. Returns 0, 1 at the end,
 * or -1 with err set. */
int pack_names_next(struct pack_names *names, const char **name, uint8_t *tag, struct err *err);

#endif
