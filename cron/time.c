/*
 * Finds the times of a schedule, in two layers.
 *
 * The lower layer knows only the calendar: it finds the first matching local minute at or after
 * a given one, or the last one at or before it. It compares day, hour and minute with bit
 * masks; a month without a matching day costs a few instructions.
 *
 * The upper layer walks the zone's spans of equal offset. Within a span, local time and real
 * time advance together, so the lower layer's answer is a run if it lies in the span. For jobs
 * with a fixed time (no CRON_WALL), the start of a span is special: local minutes that an
 * earlier span already had are skipped, and if the gap before the span skipped a matching
 * minute, the span's first minute is a run.
 */
#include "cron/cron.h"

#include "lib/civil.h"
#include "lib/tz.h"

#define DAY      86400
#define YEAR_MIN 1
#define YEAR_MAX 9999

/* Longer than the difference between any two offsets of a zone. */
#define FAR_SEC (3 * DAY)

/* ---- the wall calendar ---- */

/* The matching days of a month, as bits from 1 on. first: day number of the month's first day. */
static uint32_t match_days(const struct cron *cron, int64_t year, int month, int64_t first)
{
	unsigned weekday = civil_weekday(first);
	uint64_t week = (cron->weekdays >> weekday | cron->weekdays << (7 - weekday)) & 0x7f;
	uint32_t by_week = (uint32_t)((week * 0x10204081) << 1); /* five weeks, from day 1 */
	uint32_t all = UINT32_MAX >> (31 - civil_month_len(year, (unsigned)month)) & ~1u;

	if (!(cron->months >> month & 1))
		return 0;
	return all & (cron->flags & CRON_BOTH ? cron->days & by_week : cron->days | by_week);
}

/* The smallest value of a set from `at` on, or the largest up to `at`; -1 if there is none. */
static int nearest(uint64_t set, int at, bool forward)
{
	if (at < 0 || at > 63)
		return -1;
	set &= forward ? UINT64_MAX << at : UINT64_MAX >> (63 - at);
	if (set == 0)
		return -1;
	return forward ? __builtin_ctzll(set) : 63 - __builtin_clzll(set);
}

/* The first matching local minute at or after `from`, which is a whole minute, or the last one
 * at or before it. Returns false if the calendar has none. */
static bool wall(const struct cron *cron, int64_t from, bool forward, int64_t *local)
{
	const int step = forward ? 1 : -1, begin = forward ? 0 : 63;
	int64_t day = civil_day_of(from);
	struct civil_date date = civil_date(day);
	int64_t year = date.year, first = day - date.day + 1;
	int month = (int)date.month, d = (int)date.day, hour = -1, minute = -1;
	int now = (int)(from - day * DAY) / 60;
	uint32_t days = match_days(cron, year, month, first);

	if (days >> d & 1) {
		hour = now / 60;
		if (cron->hours >> hour & 1)
			minute = nearest(cron->minutes, now % 60, forward);
		if (minute < 0)
			hour = nearest(cron->hours, hour + step, forward);
	}
	if (hour < 0) {
		d = nearest(days, d + step, forward);
		hour = nearest(cron->hours, begin, forward);
	}
	while (d < 0) {
		if (forward)
			first += civil_month_len(year, (unsigned)month);
		month += step;
		if (month < 1 || month > 12) {
			month = forward ? 1 : 12;
			year += step;
		}
		if (year < YEAR_MIN || year > YEAR_MAX)
			return false;
		if (!forward)
			first -= civil_month_len(year, (unsigned)month);
		d = nearest(match_days(cron, year, month, first), begin, forward);
	}
	if (minute < 0)
		minute = nearest(cron->minutes, begin, forward);
	*local = (first + d - 1) * DAY + hour * 3600 + minute * 60;
	return true;
}

/* ---- the zone ---- */

/* The first whole minute at or after a local time; below, the last one at or before it. */
static int64_t minute_up(int64_t local)
{
	int64_t r = local % 60;

	return r == 0 ? local : local - r + (r > 0 ? 60 : 0);
}

static int64_t minute_down(int64_t local)
{
	int64_t r = local % 60;

	return r >= 0 ? local - r : local - r - 60;
}

/* Whether an earlier span already had the local time `local`, which span s has at t. Then *had
 * is that span in local time, cut to the part that matters. */
static bool had_before(
	const struct tz *tz, const struct tz_span *s, int64_t t, int64_t local, struct tz_span *had)
{
	struct tz_span p = *s;

	while (p.start != INT64_MIN && p.start > t - FAR_SEC) {
		tz_span(tz, p.start - 1, &p);
		if (local - p.offset < p.end &&
			(p.start == INT64_MIN || local - p.offset >= p.start)) {
			had->start = (p.start > t - FAR_SEC ? p.start : t - FAR_SEC) + p.offset;
			had->end = p.end + p.offset;
			return true;
		}
	}
	return false;
}

/* Whether a fixed-time job must run because a gap before s, of up to three hours, skipped one
 * of its minutes. Then *t is the time of that run: the first whole minute in s. */
static bool owed(const struct cron *cron, const struct tz *tz, const struct tz_span *s, int64_t *t)
{
	struct tz_span before;
	int64_t local;

	if (cron->flags & CRON_WALL || s->start <= CRON_TIME_MIN)
		return false;
	tz_span(tz, s->start - 1, &before);
	if (s->offset <= before.offset || s->offset - before.offset > CRON_GAP_MAX_SEC)
		return false;
	if (!wall(cron, minute_up(s->start + before.offset), true, &local) ||
		local >= s->start + s->offset)
		return false;
	*t = minute_up(s->start + s->offset) - s->offset;
	return *t < s->end;
}

int cron_next(const struct cron *cron, const struct tz *tz, int64_t after, int64_t *t)
{
	struct tz_span s, had;
	int64_t local, from = after < CRON_TIME_MIN ? CRON_TIME_MIN : after;

	if (cron->flags & CRON_NEVER || from >= CRON_TIME_MAX)
		return 1;
	if (from == after)
		from++;
	for (;;) {
		tz_span(tz, from, &s);
		/* Such a run is in the first minute of its span, so nothing comes before it. */
		if (s.start > from - 60 && owed(cron, tz, &s, t) && *t >= from)
			break;
		local = minute_up(from + s.offset);
		for (;;) {
			if (!wall(cron, local, true, &local))
				return 1;
			*t = local - s.offset;
			if (*t >= s.end || cron->flags & CRON_WALL ||
				!had_before(tz, &s, *t, local, &had))
				break;
			local = minute_up(had.end);
		}
		if (*t < s.end)
			break;
		/* No local minute from here to `local` matches. If this span is so long that no
		 * later span can show an earlier local time, skip ahead close to `local`. */
		if (s.end > from + FAR_SEC && local - FAR_SEC > s.end)
			from = local - FAR_SEC;
		else
			from = s.end;
		if (from > CRON_TIME_MAX)
			return 1;
	}
	return *t <= CRON_TIME_MAX ? 0 : 1;
}

int cron_prev(const struct cron *cron, const struct tz *tz, int64_t before, int64_t *t)
{
	struct tz_span s, had;
	int64_t local, owed_at, from = before > CRON_TIME_MAX ? CRON_TIME_MAX : before;
	bool any, passed;

	if (cron->flags & CRON_NEVER || from <= CRON_TIME_MIN)
		return 1;
	if (from == before)
		from--;
	for (;;) {
		tz_span(tz, from, &s);
		local = minute_down(from + s.offset);
		for (passed = false;; passed = true) {
			any = wall(cron, local, false, &local);
			*t = local - s.offset;
			if (!any || *t < s.start || cron->flags & CRON_WALL ||
				!had_before(tz, &s, *t, local, &had))
				break;
			local = minute_down(had.start - 1);
		}
		if (any && *t >= s.start)
			break;
		if (owed(cron, tz, &s, &owed_at) && owed_at <= from) {
			*t = owed_at;
			break;
		}
		if (!any || s.start <= CRON_TIME_MIN)
			return 1;
		/* As in cron_next. But local minutes skipped here must still be looked for in
		 * an earlier span. */
		if (!passed && s.start < from - FAR_SEC && local + FAR_SEC < s.start)
			from = local + FAR_SEC;
		else
			from = s.start - 1;
	}
	return *t >= CRON_TIME_MIN ? 0 : 1;
}

bool cron_due(const struct cron *cron, const struct tz *tz, int64_t *done, int64_t now)
{
	int64_t next;

	if (now < *done - CRON_GAP_MAX_SEC) /* the clock was wrong and has been corrected */
		*done = now;
	if (cron_next(cron, tz, *done, &next) != 0 || next > now)
		return false;
	*done = now;
	return true;
}
