/*
 * Runs under way on an agent, as it tells how far they are: kept in memory only, as long as the
 * agent is connected. Pure; the time is an argument.
 *
 *   manager_running_take ... -> manager_running_end
 */
#ifndef FDUMP_CMD_MANAGER_RUNNING_H
#define FDUMP_CMD_MANAGER_RUNNING_H

#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"

#define MANAGER_RUNNING_MAX                                                                        \
	8 /* of an agent; of more the one that was told of longest ago is forgotten */

struct manager_running {
	char job[NAME_LEN_MAX + 1]; /* "": none */
	uint64_t bytes, entries;    /* that it has been through */
	uint64_t rate;              /* bytes a second, lately; 0: not known yet */
	int64_t at_ms;              /* since then, and from so many on, the rate is counted anew */
	uint64_t from_bytes;
};

struct manager_runnings {
	struct manager_running runs[MANAGER_RUNNING_MAX];
};

/* How far a job's run is. now_ms: of a clock that is not set. */
void manager_running_take(struct manager_runnings *runnings, const char *job, uint64_t bytes,
	uint64_t entries, int64_t now_ms);
/* It has ended. */
void manager_running_end(struct manager_runnings *runnings, const char *job);
/* NULL: nothing was told of it. */
const struct manager_running *manager_running_find(
	const struct manager_runnings *runnings, const char *job);

/* "1.2 GiB of 3.4 GiB (35 %), 20 MiB/s". total: bytes that there will be, about; 0: not known.
 * Returns text. */
#define MANAGER_RUNNING_TEXT 120
const char *manager_running_print(
	char text[MANAGER_RUNNING_TEXT], const struct manager_running *running, uint64_t total);

#endif
