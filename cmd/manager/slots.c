/* The times of cron/, moved by the jitter. */
#include "cmd/manager/slots.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cron/cron.h"
#include "lib/err.h"
#include "lib/hash.h"
#include "lib/le.h"
#include "lib/name.h"

int manager_slots_init(struct manager_slots *slots, const char *schedule, const struct tz *tz,
	int64_t jitter_sec, const char *agent, const char *job, struct err *err)
{
	static const char prefix[] = "fdump jitter ";
	char text[sizeof prefix + 2 * NAME_LEN_MAX + 2], *seed = text + sizeof prefix - 1;
	uint8_t digest[HASH_LEN];

	assert(jitter_sec >= 0);
	snprintf(text, sizeof text, "%s%s@%s", prefix, job, agent);
	*slots = (struct manager_slots){.tz = tz};
	if (cron_parse(&slots->cron, schedule, seed, NULL, err) != 0)
		return -1;
	if ((slots->cron.flags & CRON_REBOOT) != 0)
		return err_set(err, ERR_USAGE, "@reboot is not a time; a job needs times");
	if ((slots->cron.flags & CRON_NEVER) != 0)
		return err_set(err, ERR_USAGE, "it never runs: no such date exists");
	hash_sha256(text, strlen(text), digest);
	slots->shift = (int64_t)(le_get64(digest) % ((uint64_t)jitter_sec + 1));
	return 0;
}

int manager_slots_next(const struct manager_slots *slots, int64_t after, int64_t *slot)
{
	if (cron_next(&slots->cron, slots->tz, after - slots->shift, slot) != 0)
		return 1;
	*slot += slots->shift;
	return 0;
}

int manager_slots_prev(const struct manager_slots *slots, int64_t before, int64_t *slot)
{
	if (cron_prev(&slots->cron, slots->tz, before - slots->shift, slot) != 0)
		return 1;
	*slot += slots->shift;
	return 0;
}

bool manager_slots_due(const struct manager_slots *slots, int64_t *done, int64_t now)
{
	int64_t moved = *done - slots->shift;
	bool due = cron_due(&slots->cron, slots->tz, &moved, now - slots->shift);

	*done = moved + slots->shift;
	return due;
}
