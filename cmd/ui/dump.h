/*
 * What commands that read dumps share: they open the stores and keys that the options name
 * (cmd/ui/options.h: s, k, p, a), choose a dump, and read its entries.
 *
 *   zeroed -> ui_dump_open -> [ui_dump_feed -> read] -> ui_dump_close
 */
#ifndef FDUMP_CMD_UI_DUMP_H
#define FDUMP_CMD_UI_DUMP_H

#include <stdbool.h>

#include "cmd/dump/replay.h"
#include "cmd/dump/source.h"
#include "cmd/ui/options.h"
#include "cmd/ui/stores.h"
#include "lib/err.h"
#include "pack/heirs.h"

struct ui_dump {
	struct ui_options *o;
	struct dump_keys *keys;
	struct ui_stores stores;
	struct dump_source *source;
	struct dump_proved *proved; /* for dump_replay; set before ui_dump_feed, or NULL */
	bool (*there)(void *ctx, const struct pack_head *head); /* likewise */
	void *there_ctx;
	struct dump_replay *replay;
	struct pack_heirs heirs;
	bool ways;        /* for dump_replay; set before ui_dump_feed */
	bool adopts;      /* .heirs is in use */
	bool told_healed; /* chunks that another store had were reported */
	uint32_t behind;  /* stores that can't be read, bit n for the n-th; each was reported */
	uint64_t content; /* after ui_dump_adopt: bytes of the content that is selected */
	bool reads;       /* a reading follows the walk, and reports the entries that are refused */
	uint64_t refused; /* entries that the walk has reported and skipped */
};

/* Opens the stores and loads the keys. If dump is not NULL, chooses and unlocks that dump. Returns
 * 0, or -1 with err set; call ui_dump_close in either case. */
int ui_dump_open(struct ui_dump *d, struct ui_options *o, const char *dump, struct err *err);
/* Chooses and unlocks another dump in the stores of `first`. Close it before `first`. Returns as
 * ui_dump_open. */
int ui_dump_another(
	struct ui_dump *d, const struct ui_dump *first, const char *dump, struct err *err);
void ui_dump_close(struct ui_dump *d);

/* For commands that list the content of all stores. Returns 0, or -1 with err set if some store
 * could not be read. */
int ui_dump_all(const struct ui_dump *d, struct err *err);

/* Makes the chosen dump the input of a reading: sets .feed and .threads of the options. Only
 * entries that the options select are read, and skipped entries cost no fetch. Once for each dump
 * that is chosen. Returns 0, or -1 with err set. */
int ui_dump_feed(struct ui_dump *d, struct pack_read_options *reading, struct err *err);
/* Call before ui_dump_feed: hard links that are selected without their target get its content. Sets
 * .content. Returns 0, or -1 with err set. */
int ui_dump_adopt(struct ui_dump *d, struct err *err);
/* Call after reading. Reports chunks that were read from another store. Returns 0, or -1 with err
 * set if chunks were lost: err says what can be done, and the reading has reported the entries.
 * ui_dump_close repairs the stores. */
int ui_dump_gaps(struct ui_dump *d, struct err *err);

/* Reads the entries of the dump's manifest, one by one. _new returns NULL with err set. _next
 * returns 0, 1 after the last entry, or -1 with err set; the head is borrowed until the next
 * call. Entries that are refused are reported and skipped: call _whole at the end, which returns 0,
 * or -1 with err set if there were any. */
struct ui_dump_walk *ui_dump_walk_new(struct ui_dump *d, struct err *err);
int ui_dump_walk_next(
	struct ui_dump_walk *walk, struct pack_head *head, struct pack_tail *tail, struct err *err);
int ui_dump_whole(const struct ui_dump *d, struct err *err);
void ui_dump_walk_free(struct ui_dump_walk *walk);

/* Calls `each` for every entry of the dump's manifest; its arguments are borrowed for the call.
 * Stops at the first result that is not 0, and returns it. Otherwise returns 0, or -1 with err
 * set (also if entries were refused). */
typedef int ui_dump_entry(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err);
int ui_dump_walk(struct ui_dump *d, ui_dump_entry *each, void *ctx, struct err *err);

#endif
