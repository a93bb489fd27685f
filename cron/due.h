/*
 * Watching a schedule: whether it is due by now. Pure; the time is an argument.
 *
 *   done = now -> (wait a little, cron_due -> run, done = now)*
 *
 * Times that were missed, while the machine was suspended or something else was run, are made up
 * for once, together. A clock that is set back by up to CRON_GAP_MAX_SEC has no time come twice;
 * if by more, it is taken for set right, and times come as it says.
 */
#ifndef FDUMP_CRON_DUE_H
#define FDUMP_CRON_DUE_H

#include <stdbool.h>
#include <stdint.h>

struct cron;
struct tz;

/* Whether there is a run after *done, and not after now. All up to *done are seen to: if it is due
 * that is `now`. A caller for whom times that pass during a run need no run of their own sets it
 * to the time at the run's end. */
bool cron_due(const struct cron *cron, const struct tz *tz, int64_t *done, int64_t now);

#endif
