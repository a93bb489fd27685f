/*
 * The progress of the runs on an agent, as the agent reports it. It is kept in memory, while the
 * agent is connected. Pure; the time is an argument.
 *
 *   manager_running_take ... -> manager_running_end
 */
#ifndef FDUMP_CMD_MANAGER_RUNNING_H
#define FDUMP_CMD_MANAGER_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/name.h"

#define MANAGER_RUNNING_MAX                                                                        \
	8 /* of an agent; if there are more, the one without news for longest is forgotten */

struct manager_running {
	char job[NAME_LEN_MAX + 1]; /* "": none */
	uint64_t bytes, entries;    /* done so far */
	uint64_t rate;              /* recent bytes a second; 0: not known yet */
	int64_t at_ms; /* when, and at how many bytes, the current measurement of the rate began */
	uint64_t from_bytes;
};

struct manager_runnings {
	struct manager_running runs[MANAGER_RUNNING_MAX];
};

/* Records a report of a job's progress. now_ms: of a monotonic clock. */
void manager_running_take(struct manager_runnings *runnings, const char *job, uint64_t bytes,
	uint64_t entries, int64_t now_ms);
/* The job's run has ended: forgets it. */
void manager_running_end(struct manager_runnings *runnings, const char *job);
/* The job's run; NULL if nothing was reported about it. Borrowed. */
const struct manager_running *manager_running_find(
	const struct manager_runnings *runnings, const char *job);

/* Whether nothing was reported for a minute: then the rate is out of date. */
bool manager_running_silent(const struct manager_running *running, int64_t now_ms);

/* Prints "1.2 GiB of 3.4 GiB (35 %), 20 MiB/s". total: estimate of all bytes; 0: not known. Returns
 * text. */
#define MANAGER_RUNNING_TEXT 120
const char *manager_running_print(char text[MANAGER_RUNNING_TEXT],
	const struct manager_running *running, uint64_t total, int64_t now_ms);

#endif
