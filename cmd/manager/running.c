#include "cmd/manager/running.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/manager/watch.h"
#include "lib/size.h"

#define RATE_MS   500   /* shortest interval for measuring the rate */
#define SILENT_MS 60000 /* an agent reports every few seconds */

/* The place for a job's run: its own, else a free one, else the one without news for longest. */
static struct manager_running *place_of(struct manager_runnings *r, const char *job)
{
	struct manager_running *best = &r->runs[0], *run;

	for (run = r->runs; run < r->runs + MANAGER_RUNNING_MAX; run++) {
		if (strcmp(run->job, job) == 0)
			return run;
		if (best->job[0] != 0 && (run->job[0] == 0 || run->at_ms < best->at_ms))
			best = run;
	}
	return best;
}

void manager_running_take(struct manager_runnings *r, const char *job, uint64_t bytes,
	uint64_t entries, int64_t now_ms)
{
	struct manager_running *run = place_of(r, job);
	int64_t passed = now_ms - run->at_ms;
	uint64_t rate;

	assert(job[0] != 0 && strlen(job) <= NAME_LEN_MAX);
	/* It is another run, or it has started over. */
	if (strcmp(run->job, job) != 0 || bytes < run->bytes) {
		*run = (struct manager_running){
			.bytes = bytes, .entries = entries, .at_ms = now_ms, .from_bytes = bytes};
		strcpy(run->job, job);
		return;
	}
	run->bytes = bytes;
	run->entries = entries;
	if (passed < RATE_MS)
		return;
	rate = (uint64_t)((double)(bytes - run->from_bytes) * 1000 / (double)passed);
	run->rate = run->rate == 0 ? rate : run->rate / 4 * 3 + rate / 4;
	run->from_bytes = bytes;
	run->at_ms = now_ms;
}

const struct manager_running *manager_running_find(
	const struct manager_runnings *r, const char *job)
{
	size_t i;

	for (i = 0; i < MANAGER_RUNNING_MAX && job[0] != 0; i++)
		if (strcmp(r->runs[i].job, job) == 0)
			return &r->runs[i];
	return NULL;
}

void manager_running_end(struct manager_runnings *r, const char *job)
{
	const struct manager_running *run = manager_running_find(r, job);

	if (run != NULL)
		r->runs[run - r->runs] = (struct manager_running){.bytes = 0};
}

bool manager_running_silent(const struct manager_running *run, int64_t now_ms)
{
	return now_ms - run->at_ms >= SILENT_MS;
}

const char *manager_running_print(char text[MANAGER_RUNNING_TEXT],
	const struct manager_running *run, uint64_t total, int64_t now_ms)
{
	char done[SIZE_TEXT_MAX], whole[SIZE_TEXT_MAX], rate[SIZE_TEXT_MAX], age[MANAGER_AGE_MAX];
	size_t len;

	size_print(done, (double)run->bytes);
	size_print(whole, (double)total);
	/* With much more than the last time, that says nothing about how much is left. */
	if (total > 0 && run->bytes <= total + total / 10)
		snprintf(text, MANAGER_RUNNING_TEXT, "%s of %s (%.0f %%)", done, whole,
			run->bytes < total ? 100.0 * (double)run->bytes / (double)total : 100.0);
	else
		snprintf(text, MANAGER_RUNNING_TEXT, "%s, %" PRIu64 " entr%s", done, run->entries,
			run->entries == 1 ? "y" : "ies");
	len = strlen(text);
	if (manager_running_silent(run, now_ms))
		snprintf(text + len, MANAGER_RUNNING_TEXT - len, ", no progress reported for %s",
			manager_age(age, (now_ms - run->at_ms) / 1000));
	else if (run->rate > 0)
		snprintf(text + len, MANAGER_RUNNING_TEXT - len, ", %s/s",
			size_print(rate, (double)run->rate));
	return text;
}
