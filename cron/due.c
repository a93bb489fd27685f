/* When a schedule that is watched is due. */
#include "cron/due.h"

#include "cron/cron.h"

bool cron_due(const struct cron *cron, const struct tz *tz, int64_t *done, int64_t now)
{
	int64_t next;

	if (now < *done - CRON_GAP_MAX_SEC) /* the clock was wrong, and is set right */
		*done = now;
	if (cron_next(cron, tz, *done, &next) != 0 || next > now)
		return false;
	*done = now;
	return true;
}
