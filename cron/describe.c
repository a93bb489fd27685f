/*
 * The sentence is made from the sets, not from the expression. So two ways to write one
 * schedule give the same sentence, and a random range shows the chosen value. Exactness comes
 * before brevity.
 */
#include "cron/cron.h"

#include <stdarg.h>
#include <stdio.h>

#define ALL_MINUTES  ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS    ((UINT64_C(1) << 24) - 1)
#define ALL_DAYS     (((UINT64_C(1) << 31) - 1) << 1)
#define ALL_MONTHS   (((UINT64_C(1) << 12) - 1) << 1)
#define ALL_WEEKDAYS ((UINT64_C(1) << 7) - 1)

/* At most this many times of day are listed. */
#define TIMES_MAX 6

static const char *const months[] = {"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"};
static const char *const weekdays[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

struct text {
	char *p;
	size_t len;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *out, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out->p + out->len, CRON_DESCRIBE_MAX - out->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		out->len += (size_t)n;
	if (out->len > CRON_DESCRIBE_MAX - 1)
		out->len = CRON_DESCRIBE_MAX - 1;
}

/* The members of a set in ascending order. */
struct set {
	unsigned v[64], count, last;
	unsigned step; /* their common distance, if there are at least three; else 0 */
};

static struct set set_of(uint64_t bits)
{
	struct set s = {.count = 0};
	unsigned i;

	for (i = 0; i < 64; i++)
		if (bits >> i & 1)
			s.v[s.count++] = s.last = i;
	if (s.count >= 3)
		s.step = s.v[1] - s.v[0];
	for (i = 2; i < s.count; i++)
		if (s.v[i] - s.v[i - 1] != s.step)
			s.step = 0;
	return s;
}

/* Splits the set into parts: a run of at least `least` consecutive values is one part, any
 * other value is a part of its own. Returns the number of parts. */
static unsigned parts_of(const struct set *s, unsigned least, unsigned from[64], unsigned to[64])
{
	unsigned i, j, n = 0;

	for (i = 0; i < s->count; i = j) {
		for (j = i + 1; j < s->count && s->v[j] == s->v[j - 1] + 1; j++)
			;
		if (j - i < least)
			j = i + 1;
		from[n] = s->v[i];
		to[n++] = s->v[j - 1];
	}
	return n;
}

static const char *between(unsigned i, unsigned count, const char *word)
{
	return i == 0 ? "" : i < count - 1 ? ", " : word;
}

/* "1, 3 and 5 through 9" */
static void add_list(struct text *out, const struct set *s, const char *const *names, unsigned low,
	const char *word)
{
	unsigned from[64], to[64], i, n = parts_of(s, 3, from, to);

	for (i = 0; i < n; i++) {
		if (names != NULL)
			add(out, "%s%s", between(i, n, word), names[from[i] - low]);
		else
			add(out, "%s%u", between(i, n, word), from[i]);
		if (to[i] != from[i] && names != NULL)
			add(out, " through %s", names[to[i] - low]);
		else if (to[i] != from[i])
			add(out, " through %u", to[i]);
	}
}

/* "minute 5", "minutes 5 and 7", "every 2nd minute from 1 through 9" */
static void add_units(struct text *out, const struct set *s, const char *unit)
{
	if (s->step > 1) {
		add(out, "every %u%s %s from %u through %u", s->step,
			s->step == 2 || s->step == 22   ? "nd"
			: s->step == 3 || s->step == 23 ? "rd"
			: s->step == 21                 ? "st"
							: "th",
			unit, s->v[0], s->last);
		return;
	}
	add(out, "%s%s ", unit, s->count > 1 ? "s" : "");
	add_list(out, s, NULL, 0, " and ");
}

/* ---- the time of day ---- */

/* Adds the time of day. Returns the text that joins the dates to it, or NULL if "every day"
 * need not be said. */
static const char *add_clock(struct text *out, const struct cron *cron)
{
	struct set minutes = set_of(cron->minutes), hours = set_of(cron->hours);
	unsigned from[64], to[64], i, n = minutes.count * hours.count;
	bool all = cron->hours == ALL_HOURS;
	/* Whether the minutes are evenly spaced, also from one hour to the next. */
	bool even = minutes.step > 0 && 60 % minutes.step == 0 && minutes.v[0] < minutes.step &&
		    minutes.last + minutes.step >= 60;

	if (n <= TIMES_MAX) { /* "At 07:30, 12:30 and 17:30" */
		add(out, "At ");
		for (i = 0; i < n; i++)
			add(out, "%s%02u:%02u", between(i, n, " and "), hours.v[i / minutes.count],
				minutes.v[i % minutes.count]);
		return " ";
	}
	if (!even) {
		add(out, "At ");
		add_units(out, &minutes, "minute");
		add(out, " of ");
		if (all)
			add(out, "every hour");
		else
			add_units(out, &hours, "hour");
		return all ? NULL : ", ";
	}
	if (minutes.step == 1)
		add(out, "Every minute");
	else
		add(out, "Every %u minutes", minutes.step);
	if (minutes.v[0] > 0)
		add(out, ", first at minute %u", minutes.v[0]);
	if (all)
		return NULL;
	n = parts_of(&hours, 2, from, to);
	if (n > 3) {
		add(out, " in ");
		add_units(out, &hours, "hour");
		return ", ";
	}
	add(out, minutes.v[0] == 0 ? " " : ", ");
	for (i = 0; i < n; i++)
		add(out, "%sfrom %02u:00 through %02u:59", between(i, n, " and "), from[i], to[i]);
	return ", ";
}

/* ---- the date ---- */

static void add_dates(struct text *out, const struct cron *cron, const char *join)
{
	struct set days = set_of(cron->days), mon = set_of(cron->months);
	/* The week begins on Monday here: Sunday is 7. */
	struct set week = set_of((cron->weekdays & 0x7eu) | (cron->weekdays & 1u) << 7);
	bool by_day = cron->days != ALL_DAYS, by_week = cron->weekdays != ALL_WEEKDAYS;
	bool by_month = cron->months != ALL_MONTHS, both = cron->flags & CRON_BOTH, none;

	if (!both && !(by_day && by_week))
		by_day = by_week = false; /* one of them must match, and one always does */
	none = !by_day && !by_week;
	if (none && join != NULL)
		add(out, "%severy day", join);
	else if (!none)
		add(out, "%s", join != NULL ? join : ", ");
	if (by_day && !by_week && days.count == 1 && mon.count == 1) {
		add(out, "on %u %s", days.v[0], months[mon.v[0] - 1]);
		return;
	}
	if (by_day) {
		add(out, "on ");
		add_units(out, &days, "day");
		add(out, " of the month");
	}
	if (by_day && by_week)
		add(out, both ? ", if that is " : ", and also on ");
	else if (by_week)
		add(out, "on ");
	if (by_week)
		add_list(out, &week, weekdays, 0, by_day && both ? " or " : " and ");
	if (by_month) {
		add(out, by_day && by_week ? ", all in " : " in ");
		add_list(out, &mon, months, 1, " and ");
	}
}

char *cron_describe(const struct cron *cron, char text[CRON_DESCRIBE_MAX])
{
	struct text out = {text, 0};

	text[0] = 0;
	if (cron->flags & CRON_REBOOT) {
		add(&out, "Once when the agent starts, at no set time.");
		return text;
	}
	add_dates(&out, cron, add_clock(&out, cron));
	add(&out, "%s", cron->flags & CRON_NEVER ? ". No such date exists: it never runs." : ".");
	return text;
}

const char *cron_describe_clock(const struct cron *cron)
{
	if (cron->flags & CRON_NEVER)
		return "";
	if (cron->flags & CRON_WALL)
		return "It follows the wall clock: a time that a clock change skips is left out, "
		       "one that it repeats runs twice.";
	return "A time that a clock change skips, by up to three hours, runs right after the gap; "
	       "one that it repeats runs once.";
}
