/*
 * What the commands that read dumps share: stores and keys by the options
 * (cmd/ui/options.h: s, k, p, S), a dump chosen, and its entries.
 *
 *   zeroed -> ui_dump_open -> [ui_dump_feed -> read] -> ui_dump_close
 */
#ifndef FDUMP_CMD_UI_DUMP_H
#define FDUMP_CMD_UI_DUMP_H

#include <stdbool.h>

#include <jansson.h>

#include "cmd/dump/replay.h"
#include "cmd/dump/source.h"
#include "cmd/ui/options.h"
#include "cmd/ui/stores.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "pack/heirs.h"

struct ui_dump {
	struct ui_options *o;
	struct dump_keys *keys;
	struct ui_stores stores;
	struct dump_source *source;
	struct store_marks *seen; /* for dump_replay; set before ui_dump_feed; or NULL */
	bool (*there)(void *ctx, const struct pack_head *head); /* the same; or NULL */
	void *there_ctx;
	struct dump_replay *replay;
	struct pack_heirs heirs;
	bool ways;        /* for dump_replay; set before ui_dump_feed */
	bool adopts;      /* there are heirs */
	bool told_healed; /* of chunks that another store had */
	uint32_t behind;  /* stores that can't be read, bit n for the n-th; each was told */
	uint64_t content; /* after ui_dump_adopt: bytes of all that is selected */
};

/* Opens the stores; with a DUMP, chooses and unlocks it. Returns 0, or -1 with err set. */
int ui_dump_open(struct ui_dump *d, struct ui_options *o, const char *dump, struct err *err);
/* Another dump of the same stores; close it before the first. As ui_dump_open. */
int ui_dump_another(
	struct ui_dump *d, const struct ui_dump *first, const char *dump, struct err *err);
void ui_dump_close(struct ui_dump *d);

/* For a command that lists what all stores have: 0, or -1 with err set if some could not be read.
 */
int ui_dump_all(const struct ui_dump *d, struct err *err);

/* Makes it what is to be read: sets .feed and .threads of the reading. Only what the
 * options select, and nothing that is passed by costs a fetch. Once for each dump that is
 * chosen. Returns 0, or -1 with err set. */
int ui_dump_feed(struct ui_dump *d, struct pack_read_options *reading, struct err *err);
/* Before ui_dump_feed: hard links that are selected without what they are links to get its
 * content. Sets .content. Returns 0, or -1 with err set. */
int ui_dump_adopt(struct ui_dump *d, struct err *err);
/* After reading: 0, or -1 with err set, to what can be done, if chunks were lost; of which entries,
 * the reading has told. Tells of chunks that another store had; _close mends them. */
int ui_dump_gaps(struct ui_dump *d, struct err *err);

/* The entries of the dump's manifest, one by one. The head is borrowed until the next call.
 * _next returns 0, 1 behind the last, or -1 with err set. */
struct ui_dump_walk *ui_dump_walk_new(struct ui_dump *d, struct err *err);
int ui_dump_walk_next(
	struct ui_dump_walk *walk, struct pack_head *head, struct pack_tail *tail, struct err *err);
void ui_dump_walk_free(struct ui_dump_walk *walk);

/* Calls `each` for all entries of the dump's manifest. Borrowed for the call. Returns 0, what
 * `each` returned if that is not 0, or -1 with err set. */
typedef int ui_dump_entry(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err);
int ui_dump_walk(struct ui_dump *d, ui_dump_entry *each, void *ctx, struct err *err);

#endif
