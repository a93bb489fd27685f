/*
 * What a backup may have missed: other paths than the last dump of its name, far fewer entries,
 * links that were not followed, patterns that matched nothing. A clock that was wrong is told too.
 *
 *   filled in -> ui_missed_compare, for each store; ui_missed_links -> the backup ->
 * ui_missed_after
 */
#ifndef FDUMP_CMD_UI_MISSED_H
#define FDUMP_CMD_UI_MISSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/ui/roots.h"

struct dump_before;
struct ui_select;

struct ui_missed {
	const char *name, *base; /* of the backup; what relative paths begin at */
	const struct ui_roots *roots;
	const char *const *stores; /* their names */
	bool listed;               /* the paths are of a list, which may be another one each time */
	bool no_recursion;
	bool planned; /* a job of a plan: its patterns are for many machines */
	void (*warn)(void *ctx, const char *what);
	void *ctx;
	/* Set. */
	uint64_t full; /* entries of the last whole dump of these paths; 0: there is none */
	/* Its own. */
	int64_t full_began;
	bool told_paths;
};

/* missed: a struct ui_missed. A dump_fanout_each_before. */
void ui_missed_compare(void *missed, size_t store, const struct dump_before *before);

/* Tells of paths that are links to directories. base: as in struct pack_scan_options. */
void ui_missed_links(const struct ui_missed *missed, int base);

/* Tells of patterns, and of entries, which are far fewer than fewer_than if that is not 0. Returns
 * the number of problems: what is only a note is none. */
size_t ui_missed_after(const struct ui_missed *missed, const struct ui_select *select,
	uint64_t entries, uint64_t fewer_than);

#endif
