/*
 * What the commands that read dumps share: stores and keys by the options
 * (cmd/options.h: s, k, p, S), a dump chosen, and its pack as a stream.
 *
 *   zeroed -> cmd_dump_open -> [cmd_dump_start -> read -> cmd_dump_join] -> cmd_dump_close
 */
#ifndef FDUMP_CMD_DUMP_H
#define FDUMP_CMD_DUMP_H

#include <pthread.h>
#include <stdbool.h>

#include "cmd/agent/replay.h"
#include "cmd/agent/source.h"
#include "cmd/options.h"
#include "lib/err.h"

struct cmd_dump {
	struct cmd_options *o;
	struct agent_keys *keys;
	struct agent_source *source;
	struct store_marks *seen; /* for agent_replay; set before _start; or NULL */
	struct agent_replay_options replay;
	struct agent_replayed result;
	int ends[2];
	pthread_t thread;
	int got;
	struct err err; /* of the thread */
};

/* Opens the stores; with a DUMP, chooses and unlocks it. Returns 0, or -1 with err set. */
int cmd_dump_open(struct cmd_dump *d, struct cmd_options *o, const char *dump, struct err *err);
void cmd_dump_close(struct cmd_dump *d);

/* Starts to write its pack into a pipe. Only what the options select, and nothing that is
 * passed by costs a fetch. Returns the descriptor to read from, or -1 with err set. */
int cmd_dump_start(struct cmd_dump *d, struct err *err);
/* Closes that, and ends. Returns 0; 1: chunks were lost, which was told; -1 with err set:
 * the pack was not whole. err may be NULL. */
int cmd_dump_join(struct cmd_dump *d, struct err *err);

/* The callback `lost` of agent_replay; ctx: the struct cmd_dump. */
void cmd_dump_lost(void *ctx, const uint8_t *path, size_t len, const char *what);

/* Calls `each` for all entries of the dump's manifest. Borrowed for the call. Returns 0, what
 * `each` returned if that is not 0, or -1 with err set. */
typedef int cmd_dump_entry(
	void *ctx, const struct pack_head *head, const struct pack_tail *tail, struct err *err);
int cmd_dump_walk(struct cmd_dump *d, cmd_dump_entry *each, void *ctx, struct err *err);

#endif
