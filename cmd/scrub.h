/*
 * `fdump store scrub`: once, or on a schedule.
 */
#ifndef FDUMP_CMD_SCRUB_H
#define FDUMP_CMD_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/store/engine.h"

struct err;
struct store_entry;

struct cmd_scrub {
	const char *dir;
	uint64_t rate;        /* bytes a second; 0: all there is */
	int64_t for_sec;      /* a run begins no volume after so long; 0: reads all */
	const char *schedule; /* NULL: once, now */
	const char *zone;     /* of the schedule; NULL: the machine's */
	struct engine_wait wait;
	bool json;
};

/* Scrubs, and prints the result of each run. SIGTERM and SIGINT end it at a clean point. Returns 0,
 * or -1 with err set: ERR_DAMAGE (found, in any run), ERR_CANCELLED (a single run was stopped). */
int cmd_scrub(const struct cmd_scrub *options, struct err *err);

/* A store_problem, as text or JSON; ctx: a bool, whether the latter. */
void cmd_scrub_problem(void *ctx, const struct store_entry *dump, const char *what);

#endif
