/*
 * A backup: walks trees, reads what is new, cuts, seals and stores it, and
 * commits a dump. See cmd/ARCHITECTURE.md, "A backup".
 *
 * One call, dump_pipeline_run, which blocks until it is done. Callbacks come one at
 * a time, in walking order, from any of its threads.
 *
 * Memory: for each thread about two chunks (1 MiB, at most 4), and what
 * cmd/dump/manifest.h says.
 */
#ifndef FDUMP_CMD_DUMP_PIPELINE_H
#define FDUMP_CMD_DUMP_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/dump/domain.h"
#include "cmd/store/dump.h"
#include "lib/err.h"
#include "pack/scan.h"

struct dump_fanout;
struct store_marks;
struct err;

struct dump_pipeline_options {
	/* What to walk; `problem` is set here. Roots must come sorted, as
	 * dump_path_order has it, and none within another: else more is read than need be. */
	struct pack_scan_options scan;
	bool xattrs, owner_names;
	int level;        /* zstd, 0: none */
	unsigned threads; /* at least 1 */
	const struct dump_domain *domain;
	struct dump_fanout *copies;
	const char *agent, *name;
	const char *base;      /* absolute: what relative paths begin at */
	const char *last;      /* path of the local copy of the last manifest */
	char *const *commands; /* as in pack/create.h; NULL: none */
	bool reread;           /* read everything */
	bool store_all;        /* and store everything: the last manifest is not used */
	/* Chunks that the stores have lost (hash_xxh3 of their ids): what names one is read again.
	 * The run adds those that are missing when it commits. */
	struct store_marks *lost;
	const uint8_t *paths; /* as in struct store_dump */
	size_t paths_len, path_count;
	int64_t lock; /* seconds since 1970; 0: none */
	int64_t slot; /* of the job that this is for, and the plan, as in struct store_dump */
	const uint8_t *plan;
	uint64_t full; /* entries of the last whole dump of these paths; 0: not compared */

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

struct dump_pipeline_result {
	uint8_t dump[STORE_DUMP_ID];
	uint64_t entries, content; /* of the dump */
	uint64_t fewer_than;       /* as in its record: .full if it has far fewer entries */
	uint64_t carried;          /* entries that were not read again */
	uint64_t read;             /* bytes of content that were */
	uint64_t stored;           /* bytes of new records: dump_fanout_commit */
	uint64_t problems, statuses;
	size_t acknowledged; /* stores that have it */
	size_t lost;         /* chunks that are missing, and were not in .lost before */
	bool unkept_last;    /* the local copy of the manifest could not be kept */
	struct err unkept;   /* why */
};

/* Returns 0; 1: the stores lack what was carried over: again, as .lost has grown; if result.lost is
 * 0, with `store_all`, for what they lack is not known, or not all of it; -1 with err set: there is
 * no dump. */
int dump_pipeline_run(const struct dump_pipeline_options *options,
	struct dump_pipeline_result *result, struct err *err);

/* Walking order of two paths: each directory before what is in it, names bytewise.
 * Returns below, above or 0. */
int dump_path_order(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
