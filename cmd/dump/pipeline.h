/*
 * The backup: walks trees, reads what is new, cuts it into chunks, seals and stores them, and
 * commits a dump. See cmd/ARCHITECTURE.md, "A backup".
 *
 * There is one call, dump_pipeline_run, which blocks until the backup is done. Callbacks are called
 * one at a time, in walking order, from any of its threads.
 *
 * Memory: about two chunks for each thread (1 MiB each, at most 4), and what cmd/dump/manifest.h
 * says.
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
	/* What to walk; `problem` is set here. The roots must be sorted by dump_path_order, and
	 * none may be inside another: otherwise more is read than necessary. */
	struct pack_scan_options scan;
	bool xattrs, owner_names;
	int level;        /* of zstd; 0: no compression */
	unsigned threads; /* at least 1 */
	const struct dump_domain *domain;
	struct dump_fanout *copies;
	const char *agent, *name;
	const char *base;      /* absolute; relative paths start here */
	const char *last;      /* path of the local copy of the last manifest */
	char *const *commands; /* as in pack/create.h; NULL: none */
	bool reread;           /* read everything, even files that look unchanged */
	bool store_all;        /* also store everything: do not use the last manifest */
	/* Chunks that the stores have lost (hash_xxh3 of their ids): entries that name one are read
	 * again. If the commit finds chunks missing, the run adds them here. */
	struct store_marks *lost;
	const uint8_t *paths; /* as in struct store_dump */
	size_t paths_len, path_count;
	int64_t lock; /* seconds since 1970; 0: none */
	int64_t slot; /* slot and plan of the job that this run is for, as in struct store_dump */
	const uint8_t *plan;
	uint64_t full; /* entries of the last whole dump of these paths, to compare with; 0: do not
			  compare */

	/* An entry is done; carried: it was not read again. May be NULL. */
	void (*entry)(void *ctx, const char *path, size_t len, bool carried);
	/* Something is wrong with a path: it is not in the dump, or its status says what is
	 * wrong. */
	void (*problem)(void *ctx, const char *path, size_t len, const char *what);
	/* This many more bytes (of content, read or carried over, and of the manifest) and entries
	 * are done. May be NULL. */
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries);
	void *ctx;
};

struct dump_pipeline_result {
	uint8_t dump[STORE_DUMP_ID];
	uint64_t entries, content; /* of the dump */
	uint64_t fewer_than; /* as in the dump's record: .full, if the dump has far fewer entries */
	uint64_t carried;    /* entries that were carried over, not read again */
	uint64_t read;       /* bytes of content that were read */
	uint64_t stored;     /* bytes of new records (dump_fanout_commit) */
	uint64_t problems, statuses;
	size_t acknowledged; /* how many stores have the dump */
	size_t lost;         /* missing chunks that were not in .lost before */
	bool unkept_last;    /* the local copy of the manifest could not be written */
	struct err unkept;   /* why */
};

/* Returns 0 if the dump was made. Returns 1 if the stores lack chunks of entries that were carried
 * over: run again, as .lost has grown; but if result.lost is 0, it is not known (in full) which
 * chunks they lack: run again with store_all. Returns -1 with err set if there is no dump. */
int dump_pipeline_run(const struct dump_pipeline_options *options,
	struct dump_pipeline_result *result, struct err *err);

/* Compares two paths in walking order: each directory before its contents, names bytewise. Returns
 * below 0, 0, or above 0. */
int dump_path_order(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
