/*
 * A backup: walks trees, reads what is new, cuts, seals and stores it, and
 * commits a dump. See cmd/ARCHITECTURE.md, "A backup".
 *
 * One call, agent_backup, which blocks until it is done. Callbacks come one at
 * a time, in walking order, from any of its threads.
 *
 * Memory: for each thread about two chunks (1 MiB, at most 4), and what
 * cmd/agent/manifest.h says.
 */
#ifndef FDUMP_CMD_AGENT_BACKUP_H
#define FDUMP_CMD_AGENT_BACKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/agent/domain.h"
#include "cmd/store/dump.h"
#include "pack/scan.h"

struct agent_copies;
struct err;

struct agent_backup_options {
	/* What to walk; `problem` is set here. Roots must come sorted, as
	 * agent_path_order has it, and none within another: else more is read than need be. */
	struct pack_scan_options scan;
	bool xattrs, owner_names;
	int level;        /* zstd, 0: none */
	unsigned threads; /* at least 1 */
	const struct agent_domain *domain;
	struct agent_copies *copies;
	const char *agent, *name;
	const char *base;      /* absolute: what relative paths begin at */
	const char *last;      /* path of the local copy of the last manifest */
	char *const *commands; /* as in pack/create.h; NULL: none */
	bool reread;           /* read everything */
	const uint8_t *paths;  /* as in struct store_dump */
	size_t paths_len, path_count;
	int64_t lock; /* seconds since 1970; 0: none */

	/* An entry was dealt with; carried: it was not read again. May be NULL. */
	void (*entry)(void *ctx, const char *path, size_t len, bool carried);
	/* Something went wrong with a path: it is not in the dump, or its status
	 * says what. */
	void (*problem)(void *ctx, const char *path, size_t len, const char *what);
	/* So many more bytes (content, read or carried, and its entries) and entries are
	 * dealt with. May be NULL. */
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries);
	void *ctx;
};

struct agent_backed_up {
	uint8_t dump[STORE_DUMP_ID];
	uint64_t entries, content; /* of the dump */
	uint64_t carried;          /* entries that were not read again */
	uint64_t read;             /* bytes of content that were */
	uint64_t stored;           /* bytes of new records: agent_copies_commit */
	uint64_t problems, statuses;
	size_t acknowledged; /* stores that have it */
};

/* Returns 0; 1: a store lacks what was carried over: again, with `reread`; -1
 * with err set: there is no dump. */
int agent_backup(const struct agent_backup_options *options, struct agent_backed_up *result,
	struct err *err);

/* Walking order of two paths: each directory before what is in it, names bytewise.
 * Returns below, above or 0. */
int agent_path_order(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
