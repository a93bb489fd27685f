/*
 * cron/ against brute force: random schedules, minute by minute over two
 * years, in zones with odd rules. The schedule's sets, the local times (by
 * the C library) and the rule for clock changes are computed here a second
 * time, in the plainest way; cron_next and cron_prev must agree.
 *
 *   unit-cron_brute [SCHEDULES [SEED]]      test/cron-campaign.sh runs many
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cron/cron.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/tz.h"

#define YEARS      2
#define BEFORE     (4 * 1440) /* minutes computed before those compared */
#define MINUTES    (YEARS * 366 * 1440 + 2 * BEFORE)
#define DAYS       (MINUTES / 1440 + 4)
#define CHAIN      200
#define GAP_MINUTE 180

static const struct {
	const char *zone;
	int year;
} cases[] = {
	{"Australia/Lord_Howe", 2016}, /* half an hour of summer time */
	{"Australia/Lord_Howe", 2095}, /* by the footer's rule */
	{"Pacific/Chatham", 2018},     /* 2:45 to 3:45, +12:45 */
	{"Africa/Casablanca", 2013},   /* summer time but for Ramadan */
	{"Africa/Casablanca", 2024},   /* winter time for Ramadan */
	{"Pacific/Apia", 2011},        /* loses a day */
	{"America/New_York", 2025},
	{"Europe/Paris", 2040},      /* by the footer's rule, in most files */
	{"Europe/Dublin", 2019},     /* negative winter time */
	{"America/St_Johns", 2006},  /* changes at 00:01 */
	{"Asia/Gaza", 2021},         /* at midnight */
	{"America/Sao_Paulo", 2017}, /* at midnight, back to the day before */
	{"Antarctica/Troll", 2019},  /* two hours */
	{"Antarctica/Casey", 2009},  /* three hours, there and back */
	{"Asia/Kathmandu", 1985},    /* 15 minutes, once */
	{"America/Caracas", 2007},   /* half an hour, back */
	{"Asia/Pyongyang", 2017},    /* half an hour, on, at 23:30 */
	{"Pacific/Kwajalein", 1993}, /* loses a day */
	{"Asia/Manila", 1990},
	{"America/Nuuk", 2023},
	{"UTC", 2000},
};
#define CASES (sizeof cases / sizeof *cases)

/* ---- the calendar of a zone ---- */

static int64_t base;                /* time of minute 0 */
static uint16_t of_day[MINUTES];    /* local minute of the day */
static uint16_t day_of[MINUTES];    /* index of the local day */
static uint8_t repeated[MINUTES];   /* the local minute has occurred before */
static uint32_t swallowed[MINUTES]; /* local minutes that a gap skipped just before */
static int64_t local_minute[MINUTES];
static struct tm days[DAYS];
static uint8_t seen[MINUTES + 8 * 1440];
static int changes[64], change_count;

static void die(const char *what, const char *text)
{
	fprintf(stderr, "cron_brute: %s: %s\n", what, text);
	exit(1);
}

static void build(const char *zone, int year)
{
	int64_t first_day = civil_days(year, 1, 1) - BEFORE / 1440 - 2;
	struct tm tm;
	time_t t;
	int i;

	setenv("TZ", zone, 1);
	tzset();
	base = civil_days(year, 1, 1) * 86400 - BEFORE * 60;
	memset(seen, 0, sizeof seen);
	memset(days, 0, sizeof days);
	change_count = 0;
	for (i = 0; i < MINUTES; i++) {
		t = (time_t)(base + (int64_t)i * 60);
		localtime_r(&t, &tm);
		if (tm.tm_sec != 0)
			die("a zone with seconds", zone);
		of_day[i] = (uint16_t)(tm.tm_hour * 60 + tm.tm_min);
		day_of[i] = (uint16_t)(civil_days(tm.tm_year + 1900, (unsigned)tm.tm_mon + 1,
					       (unsigned)tm.tm_mday) -
				       first_day);
		if (day_of[i] >= DAYS)
			die("a day out of range", zone);
		days[day_of[i]] = tm;
		local_minute[i] = (int64_t)day_of[i] * 1440 + of_day[i];
		repeated[i] = seen[local_minute[i]];
		seen[local_minute[i]] = 1;
		swallowed[i] = 0;
		if (i > 0 && local_minute[i] > local_minute[i - 1] + 1)
			swallowed[i] = (uint32_t)(local_minute[i] - local_minute[i - 1] - 1);
		if (i > 0 && local_minute[i] != local_minute[i - 1] + 1)
			changes[change_count++] = i;
	}
	/* Days that the zone never had, as far as gaps of three hours touch them, still are days of
	 * the calendar. */
	for (i = 0; i < DAYS; i++) {
		struct civil_date date = civil_date(first_day + i);

		days[i].tm_year = (int)date.year - 1900;
		days[i].tm_mon = (int)date.month - 1;
		days[i].tm_mday = (int)date.day;
		days[i].tm_wday = (int)civil_weekday(first_day + i);
	}
}

/* ---- random schedules ---- */

static uint64_t random_state;

static unsigned pick(unsigned count) /* splitmix64 */
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (unsigned)((z ^ z >> 31) >> 33) % count;
}

struct schedule {
	char text[1000];
	bool set[5][64];
	bool star[5];
};

static const unsigned lows[5] = {0, 0, 1, 1, 0}, highs[5] = {59, 23, 31, 12, 7};
static const char names[] = "JanfebMarAPRmayJunjulAugsEpoctNOVdecSunmonTUEWedthuFriSat";

static void put_value(char *text, int field, unsigned v)
{
	if (field == 3 && pick(3) == 0)
		sprintf(text + strlen(text), "%.3s", names + 3 * (v - 1));
	else if (field == 4 && v < 7 && pick(3) == 0)
		sprintf(text + strlen(text), "%.3s", names + 36 + 3 * v);
	else
		sprintf(text + strlen(text), pick(8) == 0 ? "%02u" : "%u", v);
}

static void random_item(struct schedule *s, int field, unsigned kind)
{
	unsigned low = lows[field], high = highs[field], a, b, v, step = 1;
	char *text = s->text;

	if (kind == 0) {
		a = low;
		b = high;
		strcat(text, "*");
	} else {
		a = low + pick(high - low + 1);
		b = kind == 1 ? a : a + pick(high - a + 1);
		put_value(text, field, a);
		if (kind == 2) {
			strcat(text, "-");
			put_value(text, field, b);
		}
	}
	if (kind != 1 && pick(2) == 0) {
		step = 1 + pick(pick(4) == 0 ? 70 : 9);
		sprintf(text + strlen(text), "/%u", step);
	}
	for (v = a; v <= b; v += step)
		s->set[field][field == 4 && v == 7 ? 0 : v] = true;
}

static void random_schedule(struct schedule *s)
{
	unsigned i, items;
	int f;

	memset(s, 0, sizeof *s);
	for (f = 0; f < 5; f++) {
		if (f > 0)
			strcat(s->text, pick(9) == 0 ? "\t " : " ");
		items = pick(5) == 0 ? 1 + pick(4) : 1;
		for (i = 0; i < items; i++) {
			unsigned kind = pick(f >= 2 ? 5 : 4);

			kind = kind >= 3 ? (f >= 2 ? 0 : 1) : kind;
			if (i == 0)
				s->star[f] = kind == 0;
			else
				strcat(s->text, ",");
			random_item(s, f, kind);
		}
	}
}

/* ---- brute force ---- */

static int runs[MINUTES], run_count;
static bool is_run[MINUTES];

static bool time_of(const struct schedule *s, unsigned minute)
{
	return s->set[1][minute / 60] && s->set[0][minute % 60];
}

static bool date_of(const struct schedule *s, const struct tm *tm)
{
	bool dom = s->set[2][tm->tm_mday], dow = s->set[4][tm->tm_wday];

	if (!s->set[3][tm->tm_mon + 1])
		return false;
	return s->star[2] || s->star[4] ? dom && dow : dom || dow;
}

static void brute(const struct schedule *s)
{
	static bool times[1440], dates[DAYS];
	bool wall = s->star[0] || s->star[1];
	uint32_t g;
	int64_t l;
	int i;

	for (i = 0; i < 1440; i++)
		times[i] = time_of(s, (unsigned)i);
	for (i = 0; i < DAYS; i++)
		dates[i] = date_of(s, &days[i]);
	run_count = 0;
	for (i = 0; i < MINUTES; i++) {
		bool run = dates[day_of[i]] && times[of_day[i]] && (wall || !repeated[i]);

		if (!wall && swallowed[i] > 0 && swallowed[i] <= GAP_MINUTE)
			for (g = 1; g <= swallowed[i]; g++) {
				l = local_minute[i] - g;
				run |= dates[l / 1440] && times[l % 1440];
			}
		is_run[i] = run;
		if (run)
			runs[run_count++] = i;
	}
}

/* How many runs are at minutes below i. */
static int runs_below(int i)
{
	int low = 0, high = run_count;

	while (low < high) {
		int mid = (low + high) / 2;

		if (runs[mid] < i)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- the comparison ---- */

static const struct cron *cron;
static const struct tz *tz;
static const struct schedule *schedule;
static const char *zone_name;

static void disagree(const char *what, int64_t at, int64_t got, int64_t want)
{
	fprintf(stderr, "cron_brute: '%s' in %s: %s %lld is %lld, should be %lld\n", schedule->text,
		zone_name, what, (long long)at, (long long)got, (long long)want);
	exit(1);
}

/* The run after `after`, and the one before, if they are within the minutes. */
static void compare_at(int64_t after)
{
	int64_t got, want, end = base + (int64_t)MINUTES * 60;
	int below = runs_below((int)((after - base) / 60 + 1)); /* runs at or before `after` */
	int status = cron_next(cron, tz, after, &got);

	want = below < run_count ? base + (int64_t)runs[below] * 60 : end;
	if (want < end ? status != 0 || got != want : status == 0 && got < end)
		disagree("next after", after, status == 0 ? got : -1, want);
	below = runs_below((int)((after - base + 59) / 60)); /* runs before it */
	status = cron_prev(cron, tz, after, &got);
	want = below > 0 ? base + (int64_t)runs[below - 1] * 60 : base - 1;
	/* With a clock change in the first minutes, their runs may come from before them. */
	if (want >= base + BEFORE * 60 ? status != 0 || got != want
				       : status == 0 && got >= base + BEFORE * 60)
		disagree("prev before", after, status == 0 ? got : -1, want);
}

/* Whether a run is due at exactly this second. */
static bool is_run_at(int64_t t)
{
	int64_t next;

	return t > INT64_MIN && cron_next(cron, tz, t - 1, &next) == 0 && next == t;
}

static void compare_match(int i)
{
	int64_t t = base + (int64_t)i * 60;

	if (is_run_at(t) != is_run[i])
		disagree("match at", t, !is_run[i], is_run[i]);
	if (is_run_at(t + 1))
		disagree("match a second behind", t, 1, 0);
}

static void compare(void)
{
	int i, j, from;

	/* The chain of runs, from the first minutes on and from any time. */
	for (j = 0; j < 2; j++) {
		int64_t t, got;

		from = BEFORE + (j == 0 ? 0 : (int)pick(MINUTES - BEFORE));
		t = base + (int64_t)from * 60;
		for (i = runs_below(from + 1); i < run_count && i < CHAIN; i++) {
			if (cron_next(cron, tz, t, &got) != 0 ||
				got != base + (int64_t)runs[i] * 60)
				disagree("chain after", t, got, base + (int64_t)runs[i] * 60);
			if (!is_run_at(got))
				disagree("match at", got, 0, 1);
			t = got;
		}
	}
	for (j = 0; j < 30; j++) {
		from = BEFORE + (int)pick(MINUTES - BEFORE);
		compare_at(base + (int64_t)from * 60 + (pick(2) ? 0 : pick(60)));
		compare_match(from);
	}
	for (j = 0; j < change_count; j++) {
		from = changes[j] - 200;
		for (i = from; i < from + 500 && i < MINUTES; i += 1 + (int)pick(12))
			if (i >= BEFORE)
				compare_match(i);
		for (i = from; i < from + 500 && i < MINUTES; i += 1 + (int)pick(40))
			if (i >= BEFORE)
				compare_at(base + (int64_t)i * 60 + pick(60));
		for (i = changes[j] - 1; i < changes[j] + 2; i++) {
			compare_match(i);
			compare_at(base + (int64_t)i * 60);
			compare_at(base + (int64_t)i * 60 + 1);
		}
	}
}

static void run_case(size_t n, long count)
{
	static struct schedule s;
	struct err err = {0};
	struct tz *zone = NULL;
	struct cron parsed;

	build(cases[n].zone, cases[n].year);
	if (tz_load(cases[n].zone, &zone, &err) < 0)
		die(cases[n].zone, err.message);
	tz = zone;
	cron = &parsed;
	schedule = &s;
	zone_name = cases[n].zone;
	while (count-- > 0) {
		random_schedule(&s);
		if (cron_parse(&parsed, s.text, NULL, NULL, &err) < 0)
			die(s.text, err.message);
		brute(&s);
		compare();
	}
	tz_free(zone);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 1050;
	size_t i;

	random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	for (i = 0; i < CASES; i++)
		run_case(i, (count + (long)CASES - 1) / (long)CASES);
	printf("%ld schedules agree with brute force\n",
		(count + (long)CASES - 1) / (long)CASES * (long)CASES);
	return 0;
}
