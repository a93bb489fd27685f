/*
 * Warns about what a backup may have missed: other paths than in the last dump of its name, far
 * fewer entries, links that were not followed, patterns that matched nothing. Also warns about
 * dumps that are dated in the future.
 *
 *   filled in -> ui_missed_compare, for each store; ui_missed_links -> the backup ->
 *   ui_missed_after
 */
#ifndef FDUMP_CMD_UI_MISSED_H
#define FDUMP_CMD_UI_MISSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/ui/roots.h"

struct dump_before;
struct ui_options;

struct ui_missed {
	const char *name, *base; /* of the backup; the folder that relative paths start from */
	const struct ui_roots *roots;
	const struct ui_options *o;
	bool planned; /* a job of a plan, whose patterns are for many machines */
	void (*warn)(void *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
	void *ctx;
	/* Set by ui_missed_compare. */
	uint64_t full; /* entries of the last complete dump of these paths; 0: none */
	/* Private. */
	int64_t full_began;
	bool told_paths;
};

/* A dump_fanout_each_before: compares with the dumps of one store. missed: a struct ui_missed. */
void ui_missed_compare(void *missed, size_t store, const struct dump_before *before);

/* Reports paths that are symbolic links to directories. base: as in struct pack_scan_options. */
void ui_missed_links(const struct ui_missed *missed, int base);

/* Reports patterns that matched nothing, unless the job is planned, and, if fewer_than is not 0,
 * that the backup has far fewer entries than that. Returns the number of problems; notes don't
 * count. */
size_t ui_missed_after(const struct ui_missed *missed, uint64_t entries, uint64_t fewer_than);

#endif
