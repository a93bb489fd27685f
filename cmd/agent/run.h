/*
 * A run: `fdump backup` as a child process, whose JSON lines say what came of it. So a crash, or
 * what a run takes of memory, stays in the child, and there is one way to back up, no matter who
 * ordered it.
 *
 *   agent_run_start -> ended; or agent_run_cancel -> ended
 *
 * All from the loop's thread. The child ends with this process: it gets SIGTERM from the kernel
 * when its parent ends.
 */
#ifndef FDUMP_CMD_AGENT_RUN_H
#define FDUMP_CMD_AGENT_RUN_H

#include <stdbool.h>

#include "cmd/manager/report.h"

struct agent_run;
struct err;
struct rpc_loop;

#define AGENT_RUN_LINE_MAX                                                                         \
	(256u << 10)        /* bytes of a line that is read; a longer one is skipped               \
			     */
#define AGENT_CANCEL_SEC 60 /* after which a cancelled run is killed */

struct agent_run_result {
	enum manager_result result;
	bool has_dump, has_stats;
	uint8_t dump[MANAGER_DUMP_LEN], record[MANAGER_DIGEST_LEN];
	struct manager_stats stats;
	struct manager_receipt receipts[MANAGER_RECEIPTS_MAX];
	size_t receipt_count;
	bool store_changed;              /* another store answers by the name of one */
	char text[MANAGER_NOTE_MAX + 1]; /* what was wrong; "": nothing */
};

/* Starts argv (argv[0] is the program's path, ended by NULL). ended: once, never from inside; the
 * run is freed after it. progress: how far it is, every few seconds; may be NULL. NULL with err
 * set. */
struct agent_run *agent_run_start(struct rpc_loop *loop, char *const *argv,
	void (*ended)(void *ctx, const struct agent_run_result *result),
	void (*progress)(void *ctx, uint64_t bytes, uint64_t entries), void *ctx, struct err *err);
/* Asks it to end: SIGTERM, and SIGKILL later. */
void agent_run_cancel(struct agent_run *run);
/* Kills it, and frees; ended does not run. NULL does nothing. */
void agent_run_free(struct agent_run *run);

#endif
