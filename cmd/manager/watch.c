/* One row for each agent and job: compute, compare, explain, sort. */
#include "cmd/manager/watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/manager/config.h"
#include "cmd/manager/slots.h"
#include "lib/buf.h"
#include "lib/err.h"

static const char *const names[MANAGER_STATES] = {[MANAGER_STATE_OK] = "ok",
	[MANAGER_STATE_RUNNING] = "running",
	[MANAGER_STATE_EXPECTED] = "not expected",
	[MANAGER_STATE_NEVER] = "never",
	[MANAGER_STATE_HELD] = "held",
	[MANAGER_STATE_PARTIAL] = "partial",
	[MANAGER_STATE_COPIES] = "under-replicated",
	[MANAGER_STATE_FAILED] = "failed",
	[MANAGER_STATE_LATE] = "late"};

const char *manager_age(char text[MANAGER_AGE_MAX], int64_t sec)
{
	long long s = sec < 0 ? 0 : sec;

	if (s >= 86400)
		snprintf(text, MANAGER_AGE_MAX, "%lldd %lldh", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(text, MANAGER_AGE_MAX, "%lldh %lldm", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(text, MANAGER_AGE_MAX, "%lldm", s / 60);
	else
		snprintf(text, MANAGER_AGE_MAX, "%llds", s);
	return text;
}

static void reason(struct manager_status_row *row, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void reason(struct manager_status_row *row, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(row->reason, sizeof row->reason, fmt, ap);
	va_end(ap);
}

struct watched {
	const struct manager_slots *slots;
	const struct manager_plan_job *job;
	const struct manager_last_row *last; /* zeros if nothing is known */
	int64_t since, expect_sec, now;
};

/* Whether the job is late by its slots alone: the slot before the last one has no dump. Sets
 * row->due: when that dump was due at the latest; if the job is not late, the next time at which it
 * can be. */
static bool late_by_slots(const struct watched *w, struct manager_status_row *row)
{
	int64_t before;

	row->due = row->next;
	if (row->last == 0 || manager_slots_prev(w->slots, row->last, &before) != 0)
		return false;
	if (before < w->since || w->last->kept_slot >= before || w->last->kept_started >= before)
		return false;
	row->due = row->last;
	return true;
}

static bool late_by_age(const struct watched *w, int64_t allowed, struct manager_status_row *row)
{
	int64_t from = w->last->kept_ended != 0 ? w->last->kept_ended : w->since;

	row->due = from + allowed;
	return w->now > row->due;
}

/* Whether the job is late. *away: it would be, if the agent had no `expect`. */
static bool is_late(const struct watched *w, struct manager_status_row *row, bool *away)
{
	int64_t allowed = w->job->alarm_after_sec;
	bool late;

	*away = false;
	late = allowed > 0 ? late_by_age(w, allowed, row) : late_by_slots(w, row);
	if (w->expect_sec <= allowed)
		return late;
	*away = late;
	late = late_by_age(w, w->expect_sec, row);
	*away = *away && !late;
	return late;
}

/* Judges the result of the last run that has ended. Returns whether there is something wrong with
 * it. */
static bool judge_result(const struct watched *w, struct manager_status_row *row)
{
	const struct manager_last_row *last = w->last;
	const char *said = last->text;
	char text[MANAGER_AGE_MAX];

	switch (last->result < MANAGER_RESULTS ? last->result : MANAGER_FAILED) {
	case MANAGER_FAILED:
	case MANAGER_LOST:
		row->severity = MANAGER_STATE_FAILED;
		reason(row, "the last run was %s %s ago%s%s%s",
			last->result == MANAGER_LOST ? "lost" : "a failure",
			manager_age(text, w->now - last->ended),
			last->kept_ended == 0 ? "; there is no dump yet" : "",
			said[0] != 0 ? ": " : "", said);
		return true;
	case MANAGER_CANCELLED:
		if (last->kept_ended == 0)
			return false;
		said = "";
		__attribute__((fallthrough));
	case MANAGER_COPIES:
	case MANAGER_OK:
	case MANAGER_PARTIAL:
		if ((int64_t)last->copies < w->job->copies) {
			row->severity = MANAGER_STATE_COPIES;
			reason(row, "the last dump is on %llu of %lld stores%s%s",
				(unsigned long long)last->copies, (long long)w->job->copies,
				said[0] != 0 ? ": " : "", said);
			return true;
		}
		if (last->result != MANAGER_PARTIAL)
			return false;
		row->severity = MANAGER_STATE_PARTIAL;
		reason(row, "%s", said[0] != 0 ? said : "some files changed or could not be read");
		return true;
	default:
		return false;
	}
}

static void judge(const struct watched *w, struct manager_status_row *row)
{
	const struct manager_last_row *last = w->last;
	bool away, late = is_late(w, row, &away);
	char text[MANAGER_AGE_MAX], text2[MANAGER_AGE_MAX];

	if (last->held) {
		row->severity = MANAGER_STATE_HELD;
		reason(row, "no scheduled run until 'fdump run %s --release'%s", row->job,
			late ? "; it would be late" : "");
	} else if (late && last->kept_ended == 0) {
		row->severity = MANAGER_STATE_LATE;
		reason(row, "no dump since it was first seen, %s ago",
			manager_age(text, w->now - w->since));
	} else if (late) {
		row->severity = MANAGER_STATE_LATE;
		reason(row, "the last dump was made %s ago; due %s ago",
			manager_age(text, w->now - last->kept_ended),
			manager_age(text2, w->now - row->due));
	} else if (judge_result(w, row)) {
		return; /* also while another run is in progress, which may end no better */
	} else if (last->running) {
		row->severity = MANAGER_STATE_RUNNING;
	} else if (last->result == MANAGER_CANCELLED) {
		row->severity = MANAGER_STATE_HELD;
		strcpy(row->state, manager_result_name(MANAGER_CANCELLED));
		reason(row, "the last run was cancelled %s ago%s%s%s",
			manager_age(text, w->now - last->ended), last->text[0] != 0 ? " " : "",
			last->text, last->kept_ended == 0 ? "; there is no dump yet" : "");
	} else if (away) {
		row->severity = MANAGER_STATE_EXPECTED;
		reason(row, "not expected for another %s", manager_age(text, row->due - w->now));
	} else if (last->kept_ended == 0) {
		row->severity = MANAGER_STATE_NEVER;
		reason(row, "no run yet; first seen %s ago", manager_age(text, w->now - w->since));
	} else {
		row->severity = MANAGER_STATE_OK;
	}
}

static int by_names(const void *a, const void *b)
{
	const struct manager_last_row *x = a, *y = b;
	int order = strcmp(x->agent, y->agent);

	return order != 0 ? order : strcmp(x->job, y->job);
}

const struct manager_last_row *manager_last_find(
	const struct manager_last_row *lasts, size_t count, const char *agent, const char *job)
{
	struct manager_last_row key;

	snprintf(key.agent, sizeof key.agent, "%s", agent);
	snprintf(key.job, sizeof key.job, "%s", job);
	return count > 0 ? bsearch(&key, lasts, count, sizeof *lasts, by_names) : NULL;
}

static int by_severity(const void *a, const void *b)
{
	const struct manager_status_row *x = a, *y = b;
	int order;

	if (x->severity != y->severity)
		return x->severity < y->severity ? 1 : -1;
	order = strcmp(x->agent, y->agent);
	return order != 0 ? order : strcmp(x->job, y->job);
}

static int watch_job(const struct manager_config *config, const struct manager_config_section *job,
	const struct manager_host_row *host, const struct manager_last_row *last, int64_t now,
	struct buf *rows, struct err *err)
{
	static const struct manager_last_row nothing;
	struct manager_status_row row = {.severity = MANAGER_STATE_OK};
	struct manager_slots slots;
	struct manager_plan_job merged;
	char age[MANAGER_AGE_MAX];
	struct watched w = {.slots = &slots,
		.job = &merged,
		.last = last != NULL ? last : &nothing,
		.since = host->since,
		.expect_sec = manager_config_expect(config, host->name),
		.now = now};

	if (manager_config_merge(
		    config, manager_config_agent(config, host->name), job, &merged, err) != 0)
		return -1;
	free(merged.exclude.items);
	if (manager_slots_init(&slots, merged.schedule, manager_config_zone(config, merged.zone),
		    merged.jitter_sec, host->name, job->name, err) != 0)
		return -1;
	strcpy(row.agent, host->name);
	strcpy(row.job, job->name);
	row.kept = w.last->kept_ended;
	if (manager_slots_prev(&slots, now + 1, &row.last) != 0)
		row.last = 0;
	if (manager_slots_next(&slots, now, &row.next) != 0)
		row.next = 0;
	judge(&w, &row);
	if (row.state[0] == 0)
		strcpy(row.state, names[row.severity]);
	if (w.last->running) {
		size_t len = strlen(row.reason);

		snprintf(row.reason + len, sizeof row.reason - len, "%sfor %s",
			len > 0 ? "; running " : "", manager_age(age, now - w.last->started));
	}
	return buf_add(rows, &row, sizeof row, err);
}

int manager_watch(const struct manager_config *config, const struct manager_host_row *hosts,
	size_t host_count, const struct manager_last_row *lasts, size_t last_count, int64_t now,
	struct buf *rows, struct err *err)
{
	const struct manager_config_section *job;
	size_t h, j;

	for (h = 0; h < host_count; h++) {
		if (strcmp(hosts[h].role, "agent") != 0)
			continue;
		for (j = 0; j < config->job_count; j++) {
			job = &config->jobs[j];
			if (manager_config_job_for(job, hosts[h].name) &&
				watch_job(config, job, &hosts[h],
					manager_last_find(
						lasts, last_count, hosts[h].name, job->name),
					now, rows, err) != 0)
				return -1;
		}
	}
	if (rows->len > 0)
		qsort(rows->data, rows->len / sizeof(struct manager_status_row),
			sizeof(struct manager_status_row), by_severity);
	return 0;
}
