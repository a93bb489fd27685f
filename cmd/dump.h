/*
 * What the commands that read dumps share: stores and keys by the options
 * (cmd/options.h: s, k, p, S), a dump chosen, and its entries.
 *
 *   zeroed -> cmd_dump_open -> [cmd_dump_feed -> read] -> cmd_dump_close
 */
#ifndef FDUMP_CMD_DUMP_H
#define FDUMP_CMD_DUMP_H

#include <stdbool.h>

#include <jansson.h>

#include "cmd/agent/replay.h"
#include "cmd/agent/source.h"
#include "cmd/options.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "pack/heirs.h"

struct cmd_dump {
	struct cmd_options *o;
	struct agent_keys *keys;
	struct agent_source *source;
	struct store_marks *seen; /* for agent_replay; set before cmd_dump_feed; or NULL */
	bool (*there)(void *ctx, const struct pack_head *head); /* the same; or NULL */
	void *there_ctx;
	struct agent_replay *replay;
	struct pack_heirs heirs;
	bool adopts;      /* there are heirs */
	uint32_t behind;  /* stores that can't be read, bit n for the n-th; each was told */
	uint64_t content; /* after cmd_dump_adopt: bytes of all that is selected */
};

/* Opens the stores; with a DUMP, chooses and unlocks it. Returns 0, or -1 with err set. */
int cmd_dump_open(struct cmd_dump *d, struct cmd_options *o, const char *dump, struct err *err);
/* Another dump of the same stores; close it before the first. As cmd_dump_open. */
int cmd_dump_another(
	struct cmd_dump *d, const struct cmd_dump *first, const char *dump, struct err *err);
void cmd_dump_close(struct cmd_dump *d);

/* For a command that lists what all stores have: 0, or -1 with err set if some could not be read.
 */
int cmd_dump_all(const struct cmd_dump *d, struct err *err);

/* Makes it what is to be read: sets .feed and .threads of the reading. Only what the
 * options select, and nothing that is passed by costs a fetch. Once for each dump that is
 * chosen. Returns 0, or -1 with err set. */
int cmd_dump_feed(struct cmd_dump *d, struct pack_read_options *reading, struct err *err);
/* Before cmd_dump_feed: hard links that are selected without what they are links to get its
 * content. Sets .content. Returns 0, or -1 with err set. */
int cmd_dump_adopt(struct cmd_dump *d, struct err *err);
/* After reading: 0, or -1 with err set, to what can be done, if chunks were lost; of which entries,
 * the reading has told. */
int cmd_dump_gaps(const struct cmd_dump *d, struct err *err);

/* A dump for people: "b7be4344ca95 (web/backup, 2026-11-24 06:00:01)", the time of the commit; if
 * its record is NULL the digits alone. */
#define CMD_DUMP_NAME_MAX (2 * ESC_MAX(STORE_NAME_MAX) + 64)
void cmd_dump_name(char text[CMD_DUMP_NAME_MAX], const struct store_entry *entry);
/* The same as members of an object: dump (all digits), agent, name, began, committed. Returns as
 * cmd_json_add. */
int cmd_dump_json(json_t *object, const struct store_entry *entry);

/* The entries of the dump's manifest, one by one. The head is borrowed until the next call.
 * _next returns 0, 1 behind the last, or -1 with err set. */
struct cmd_dump_walk *cmd_dump_walk_new(struct cmd_dump *d, struct err *err);
int cmd_dump_walk_next(struct cmd_dump_walk *walk, struct pack_head *head, struct pack_tail *tail,
	struct err *err);
void cmd_dump_walk_free(struct cmd_dump_walk *walk);

/* Calls `each` for all entries of the dump's manifest. Borrowed for the call. Returns 0, what
 * `each` returned if that is not 0, or -1 with err set. */
typedef int cmd_dump_entry(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err);
int cmd_dump_walk(struct cmd_dump *d, cmd_dump_entry *each, void *ctx, struct err *err);

#endif
