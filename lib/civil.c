/* Converts days from and to dates by counting eras of 400 years from 1 March,
 * so that the leap day ends the year: Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms" (2013). */
#include "lib/civil.h"

#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/esc.h"

#define DAY 86400

int64_t civil_days(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + (int64_t)doe - 719468;
}

struct civil_date civil_date(int64_t days)
{
	struct civil_date date;
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	date.day = doy - (153 * mp + 2) / 5 + 1;
	date.month = mp < 10 ? mp + 3 : mp - 9;
	date.year = (int64_t)yoe + era * 400 + (date.month <= 2);
	return date;
}

unsigned civil_weekday(int64_t days)
{
	int64_t r = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (unsigned)(r < 0 ? r + 7 : r);
}

unsigned civil_month_len(int64_t year, unsigned month)
{
	static const unsigned char len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return len[month - 1];
}

int64_t civil_day_of(int64_t sec)
{
	return sec / DAY - (sec % DAY < 0);
}

char *civil_print(char text[CIVIL_TEXT_MAX], int64_t t, int32_t offset)
{
	int64_t local = t + offset, days = civil_day_of(local);
	unsigned sec = (unsigned)(local - days * DAY);
	unsigned off = (unsigned)(offset < 0 ? -offset : offset);
	struct civil_date d = civil_date(days);
	int n;

	n = snprintf(text, CIVIL_TEXT_MAX, "%04lld-%02u-%02uT%02u:%02u:%02u%c%02u:%02u",
		(long long)d.year, d.month, d.day, sec / 3600, sec / 60 % 60, sec % 60,
		offset < 0 ? '-' : '+', off / 3600 % 100, off / 60 % 60);
	if (off % 60 != 0 && n > 0 && n < CIVIL_TEXT_MAX)
		snprintf(text + n, CIVIL_TEXT_MAX - (size_t)n, ":%02u", off % 60);
	return text;
}

/* Reads exactly `digits` decimal digits and advances *p. */
static bool take_number(const char **p, int digits, unsigned max, unsigned *out)
{
	unsigned value = 0;
	int i;

	for (i = 0; i < digits; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		value = value * 10 + (unsigned)((*p)[i] - '0');
	}
	*p += digits;
	*out = value;
	return value <= max;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool scan_time(const char **p, struct civil_scan *scan)
{
	unsigned h, m, s = 0;

	if (!take_number(p, 2, 23, &h) || !take_char(p, ':') || !take_number(p, 2, 59, &m))
		return false;
	if (take_char(p, ':')) {
		if (!take_number(p, 2, 59, &s))
			return false;
		if (take_char(p, '.')) {
			if (**p < '0' || **p > '9')
				return false;
			for (; **p >= '0' && **p <= '9'; (*p)++)
				scan->fraction |= **p != '0';
		}
	}
	scan->local += (int64_t)(h * 3600 + m * 60 + s);
	return true;
}

static bool scan_offset(const char **p, struct civil_scan *scan)
{
	unsigned h, m = 0, s = 0;
	char sign = **p;
	bool colon;

	if (sign == 0)
		return true;
	scan->has_offset = true;
	if (take_char(p, 'Z'))
		return true;
	if ((sign != '+' && sign != '-') || (++*p, !take_number(p, 2, 25, &h)))
		return false;
	if (**p != 0) {
		colon = take_char(p, ':');
		if (!take_number(p, 2, 59, &m))
			return false;
		if (colon && take_char(p, ':') && !take_number(p, 2, 59, &s))
			return false;
	}
	scan->offset = (int32_t)(h * 3600 + m * 60 + s);
	if (sign == '-')
		scan->offset = -scan->offset;
	return true;
}

static bool scan_all(const char *p, struct civil_scan *scan)
{
	unsigned year, month, day;

	if (!take_number(&p, 4, 9999, &year) || !take_char(&p, '-') ||
		!take_number(&p, 2, 12, &month) || !take_char(&p, '-') ||
		!take_number(&p, 2, 31, &day))
		return false;
	if (year == 0 || month == 0 || day == 0 || day > civil_month_len(year, month))
		return false;
	scan->local = civil_days(year, month, day) * DAY;
	if (*p == 0)
		return true;
	if (!take_char(&p, 'T') && !take_char(&p, ' '))
		return false;
	return scan_time(&p, scan) && scan_offset(&p, scan) && *p == 0;
}

int civil_scan(const char *text, struct civil_scan *scan, struct err *err)
{
	char shown[ESC_MAX(64)];

	memset(scan, 0, sizeof *scan);
	if (scan_all(text, scan))
		return 0;
	esc_name(shown, sizeof shown, text, strnlen(text, 64));
	return err_set(err, ERR_USAGE,
		"'%s' is not a time; write 2026-11-23, 2026-11-23T05:20 or "
		"2026-11-23T05:20:00+01:00",
		shown);
}
