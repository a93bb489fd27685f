/*
 * Dates of the Gregorian calendar, which is also used for dates before 1582 as
 * in ISO 8601, and times as ISO 8601 text. Pure functions; nothing allocates.
 *
 * A time is seconds since 1970-01-01T00:00:00Z without leap seconds (POSIX). An
 * offset is seconds east of UTC. A "local" time is time + offset: what the
 * clock on the wall shows, written as if it were UTC.
 */
#ifndef FDUMP_LIB_CIVIL_H
#define FDUMP_LIB_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct civil_date {
	int64_t year;
	unsigned month; /* 1 to 12 */
	unsigned day;   /* 1 to 31 */
};

/* Days from 1970-01-01 to the given date; the day may be past the month's end.
 * Safe for years up to ±10^9. */
int64_t civil_days(int64_t year, unsigned month, unsigned day);

/* The date that many days after 1970-01-01. */
struct civil_date civil_date(int64_t days);

/* 0 is Sunday. */
unsigned civil_weekday(int64_t days);

/* The number of days in the month, 28 to 31. */
unsigned civil_month_len(int64_t year, unsigned month);

/* The day, counted from 1970-01-01, that the time is in; rounded down, also
 * before 1970. */
int64_t civil_day_of(int64_t sec);

/* Room for any text that civil_print makes. */
#define CIVIL_TEXT_MAX 48

/* Writes the local time at t with this offset: "2026-11-23T05:20:00+01:00". An
 * offset with seconds, as before standard time, is printed with them. Returns
 * text. */
char *civil_print(char text[CIVIL_TEXT_MAX], int64_t t, int32_t offset);

/* The result of civil_scan. */
struct civil_scan {
	int64_t local;   /* as written, in whole seconds */
	bool fraction;   /* a fraction of a second other than zero was written, and dropped */
	bool has_offset; /* Z or an offset was written */
	int32_t offset;  /* if has_offset: the time is local - offset */
};

/* Reads "YYYY-MM-DD", alone or followed by "Thh:mm", "Thh:mm:ss" or
 * "Thh:mm:ss.frac" (a blank may replace the T). After a time may follow "Z",
 * "+hh", "+hhmm", "+hh:mm" or "+hh:mm:ss" (or '-'). Years 0001 to 9999, offsets
 * below 26 hours. Returns 0, or -1 with err set to ERR_USAGE. */
int civil_scan(const char *text, struct civil_scan *scan, struct err *err);

#endif
