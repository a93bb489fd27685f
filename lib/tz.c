/*
 * A zone is a sorted list of changes, and a rule for the time after them.
 * Changes that keep the offset (a name, a daylight flag) are dropped on
 * loading, because nothing here needs them.
 */
#include "lib/tz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"
#include "lib/file.h"
#include "lib/mem.h"

#define DAY 86400

/* Beyond this time (about the year 100,000) rules are not applied. */
#define RULE_TIME_MAX 3093527980800

/* The beginning or the end of daylight saving time. */
struct change {
	char kind;      /* 'M': weekday of a month; 'J': day 1-365 without leap days; '0': 0-365 */
	unsigned month; /* M */
	unsigned week;  /* M: 1 to 5, 5 is the last */
	unsigned day;   /* M: 0 is Sunday; J and 0: the day */
	int32_t sec;    /* relative to that day; may be before or after it */
};

struct rule {
	bool daylight; /* else it is always standard time */
	int32_t standard, summer;
	struct change begin, end; /* of summer, by the clock before the change */
};

struct tz {
	int32_t first; /* the offset before the first change */
	bool has_rule; /* applies from rule_from on; without, the last change holds forever */
	int64_t rule_from;
	struct rule rule;
	size_t count;
	struct {
		int64_t at;
		int32_t offset; /* from then on */
	} changes[];
};

static struct tz *zone_new(size_t changes, struct err *err)
{
	struct tz *tz;

	return mem_new(sizeof *tz + changes * sizeof tz->changes[0], err);
}

void tz_free(struct tz *tz)
{
	free(tz);
}

/* ---- the rule: POSIX TZ, with RFC 9636's hours from -167 to 167 ---- */

struct text {
	const char *p, *end;
};

static bool next_is(struct text *in, char c)
{
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

static bool take_number(struct text *in, unsigned min, unsigned max, unsigned *out)
{
	unsigned value = 0;
	const char *start = in->p;

	for (; in->p < in->end && *in->p >= '0' && *in->p <= '9'; in->p++)
		if ((value = value * 10 + (unsigned)(*in->p - '0')) > 1000)
			return false;
	*out = value;
	return in->p > start && value >= min && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool take_clock(struct text *in, unsigned max_hours, int32_t *sec)
{
	unsigned h, m = 0, s = 0;
	bool minus = next_is(in, '-');

	if (!minus)
		next_is(in, '+');
	if (!take_number(in, 0, max_hours, &h))
		return false;
	if (next_is(in, ':')) {
		if (!take_number(in, 0, 59, &m))
			return false;
		if (next_is(in, ':') && !take_number(in, 0, 59, &s))
			return false;
	}
	*sec = (int32_t)(h * 3600 + m * 60 + s);
	if (minus)
		*sec = -*sec;
	return true;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Skips a zone's abbreviation, plain or in <>. */
static bool take_name(struct text *in)
{
	const char *start;
	bool quoted = next_is(in, '<');

	for (start = in->p; in->p < in->end; in->p++)
		if (!is_letter(*in->p) && !(quoted && ((*in->p >= '0' && *in->p <= '9') ||
							      *in->p == '+' || *in->p == '-')))
			break;
	if (in->p - start < 3)
		return false;
	return !quoted || next_is(in, '>');
}

static bool take_change(struct text *in, struct change *c)
{
	if (!next_is(in, ','))
		return false;
	if (next_is(in, 'M')) {
		c->kind = 'M';
		if (!take_number(in, 1, 12, &c->month) || !next_is(in, '.') ||
			!take_number(in, 1, 5, &c->week) || !next_is(in, '.') ||
			!take_number(in, 0, 6, &c->day))
			return false;
	} else if (next_is(in, 'J')) {
		c->kind = 'J';
		if (!take_number(in, 1, 365, &c->day))
			return false;
	} else {
		c->kind = '0';
		if (!take_number(in, 0, 365, &c->day))
			return false;
	}
	c->sec = 2 * 3600;
	return !next_is(in, '/') || take_clock(in, 167, &c->sec);
}

static bool take_rule(struct text in, struct rule *rule)
{
	int32_t west;

	if (!take_name(&in) || !take_clock(&in, 24, &west))
		return false;
	rule->standard = -west;
	rule->daylight = in.p < in.end;
	if (!rule->daylight)
		return true;
	rule->summer = rule->standard + 3600;
	if (!take_name(&in))
		return false;
	if (in.p < in.end && *in.p != ',') {
		if (!take_clock(&in, 24, &west))
			return false;
		rule->summer = -west;
	}
	return take_change(&in, &rule->begin) && take_change(&in, &rule->end) && in.p == in.end;
}

/* The local time of a change in a year. */
static int64_t change_in(const struct change *c, int64_t year)
{
	int64_t first;
	unsigned day;
	bool leap = civil_month_len(year, 2) == 29;

	if (c->kind != 'M') {
		day = c->day;
		if (c->kind == 'J' && !(leap && day >= 60))
			day--;
		return (civil_days(year, 1, 1) + day) * DAY + c->sec;
	}
	first = civil_days(year, c->month, 1);
	day = (c->day + 7 - civil_weekday(first)) % 7 + (c->week - 1) * 7;
	if (day >= civil_month_len(year, c->month))
		day -= 7;
	return (first + day) * DAY + c->sec;
}

/* The span of summer or standard time at a time to which the rule applies. */
static void summer_span(const struct rule *rule, int64_t t, struct tz_span *span)
{
	int64_t year = civil_date(civil_day_of(t)).year, y, at[2];
	int i, which;

	span->start = -RULE_TIME_MAX;
	span->end = RULE_TIME_MAX;
	/* A change can be a week outside its year; two years on either side are certainly
	 * enough. Of two changes at the same time the later one wins. */
	for (y = year - 2; y <= year + 2; y++) {
		at[0] = change_in(&rule->begin, y) - rule->standard;
		at[1] = change_in(&rule->end, y) - rule->summer;
		for (i = 0; i < 2; i++) {
			which = i ^ (at[1] < at[0]);
			if (at[which] <= t && at[which] >= span->start) {
				span->start = at[which];
				span->offset = which == 0 ? rule->summer : rule->standard;
			} else if (at[which] > t && at[which] < span->end) {
				span->end = at[which];
			}
		}
	}
}

static void rule_span(const struct rule *rule, int64_t t, struct tz_span *span)
{
	*span = (struct tz_span){INT64_MIN, INT64_MAX, rule->standard};
	if (!rule->daylight)
		return;
	if (t < -RULE_TIME_MAX)
		span->end = -RULE_TIME_MAX;
	else if (t >= RULE_TIME_MAX)
		span->start = RULE_TIME_MAX;
	else
		summer_span(rule, t, span);
}

int tz_parse_rule(const char *rule, size_t len, struct tz **tz, struct err *err)
{
	struct text in = {rule, rule + len};

	if ((*tz = zone_new(0, err)) == NULL)
		return -1;
	(*tz)->has_rule = true;
	(*tz)->rule_from = INT64_MIN;
	if (take_rule(in, &(*tz)->rule))
		return 0;
	tz_free(*tz);
	*tz = NULL;
	return err_set(err, ERR_FORMAT, "not a POSIX time zone rule");
}

/* ---- TZif ---- */

static int64_t get_be(const uint8_t *p, size_t len)
{
	uint64_t v = len == 4 && (p[0] & 0x80) ? UINT64_MAX : 0;

	while (len-- > 0)
		v = v << 8 | *p++;
	return (int64_t)v;
}

struct header {
	uint8_t version;
	size_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

#define HEADER_LEN 44

static bool get_header(const uint8_t *p, size_t len, struct header *h)
{
	size_t *counts[] = {
		&h->isutcnt, &h->isstdcnt, &h->leapcnt, &h->timecnt, &h->typecnt, &h->charcnt};
	size_t i;

	if (len < HEADER_LEN || memcmp(p, "TZif", 4) != 0)
		return false;
	h->version = p[4];
	for (i = 0; i < 6; i++) {
		*counts[i] = (size_t)get_be(p + 20 + 4 * i, 4);
		if (*counts[i] > TZ_FILE_MAX)
			return false;
	}
	return h->typecnt >= 1 && h->typecnt <= 256;
}

/* The length of the data after a header; its times have `width` bytes. */
static size_t body_len(const struct header *h, size_t width)
{
	return h->timecnt * (width + 1) + h->typecnt * 6 + h->charcnt + h->leapcnt * (width + 4) +
	       h->isstdcnt + h->isutcnt;
}

/* Reads the data, whose length has been checked. */
static int get_changes(
	const uint8_t *p, const struct header *h, size_t width, struct tz **out, struct err *err)
{
	const uint8_t *index = p + h->timecnt * width, *types = index + h->timecnt;
	int64_t at, before = INT64_MIN, offset;
	struct tz *tz;
	size_t i;

	if (h->leapcnt != 0)
		return err_set(
			err, ERR_UNSUPPORTED, "counts leap seconds, which POSIX time does not");
	if ((tz = zone_new(h->timecnt, err)) == NULL)
		return -1;
	for (i = 0; i < h->typecnt; i++) {
		offset = get_be(types + 6 * i, 4);
		if (offset < TZ_OFFSET_MIN || offset > TZ_OFFSET_MAX)
			goto bad;
	}
	tz->first = (int32_t)get_be(types, 4);
	tz->rule_from = INT64_MIN;
	for (i = 0; i < h->timecnt; i++) {
		at = get_be(p + i * width, width);
		if (index[i] >= h->typecnt || (i > 0 && at <= before))
			goto bad;
		before = tz->rule_from = at;
		offset = get_be(types + 6 * (size_t)index[i], 4);
		if (offset == (tz->count > 0 ? tz->changes[tz->count - 1].offset : tz->first))
			continue;
		tz->changes[tz->count].at = at;
		tz->changes[tz->count++].offset = (int32_t)offset;
	}
	*out = tz;
	return 0;
bad:
	tz_free(tz);
	return err_set(err, ERR_FORMAT, "not a valid time zone file");
}

/* "\n" rule "\n"; an empty rule means no rule. */
static int get_footer(const uint8_t *p, size_t len, struct tz *tz, struct err *err)
{
	const uint8_t *end;
	struct text in;

	if (len < 2 || p[0] != '\n' || (end = memchr(p + 1, '\n', len - 1)) == NULL)
		return err_set(err, ERR_FORMAT, "time zone file without its footer");
	if (end == p + 1)
		return 0;
	in.p = (const char *)p + 1;
	in.end = (const char *)end;
	if (!take_rule(in, &tz->rule))
		return err_set(err, ERR_FORMAT, "time zone file with a malformed footer");
	tz->has_rule = true;
	return 0;
}

int tz_parse(const void *bytes, size_t len, struct tz **tz, struct err *err)
{
	const uint8_t *p = bytes;
	size_t width = 4, body;
	struct header h;

	*tz = NULL;
	if (!get_header(p, len, &h) || (body = body_len(&h, 4)) > len - HEADER_LEN)
		return err_set(err, ERR_FORMAT, "not a time zone file");
	p += HEADER_LEN;
	len -= HEADER_LEN;
	if (h.version >= '2') { /* the same data again, with 64-bit times */
		width = 8;
		p += body;
		len -= body;
		if (!get_header(p, len, &h) || (body = body_len(&h, 8)) > len - HEADER_LEN)
			return err_set(err, ERR_FORMAT, "not a valid time zone file");
		p += HEADER_LEN;
		len -= HEADER_LEN;
	}
	if (get_changes(p, &h, width, tz, err) < 0)
		return -1;
	if (width == 8 && get_footer(p + body, len - body, *tz, err) < 0) {
		tz_free(*tz);
		*tz = NULL;
		return -1;
	}
	return 0;
}

/* ---- files ---- */

static int load_file(const char *path, struct tz **tz, struct err *err)
{
	struct stat st;
	struct buf bytes = {.max = TZ_FILE_MAX + 1};
	int status = stat(path, &st);

	if (status != 0 && errno != ENOENT && errno != ENOTDIR)
		return err_errno(err, errno, "%s", path);
	if (status != 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_NOTFOUND, "no such time zone (no file %s)", path);
	status = -1;
	if (file_read_buf(path, &bytes, NULL, err) == 0) {
		status = tz_parse(bytes.data, bytes.len, tz, err);
		if (status < 0)
			err_prefix(err, "%s", path);
	}
	buf_fini(&bytes);
	return status;
}

static bool name_ok(const char *name)
{
	const char *p;

	if (*name == 0 || strlen(name) > TZ_NAME_MAX)
		return false;
	for (p = name; *p != 0; p++) {
		bool begins = p == name || p[-1] == '/';

		if (begins && (*p == '.' || *p == '/'))
			return false;
		if (*p == '/' && p[1] == 0)
			return false;
		if (!is_letter(*p) && strchr("0123456789._+-/", *p) == NULL)
			return false;
	}
	return true;
}

int tz_load(const char *name, struct tz **tz, struct err *err)
{
	const char *dir = secure_getenv("TZDIR");
	char path[4096], shown[ESC_MAX(64)];

	*tz = NULL;
	if (strcmp(name, "UTC") == 0)
		return (*tz = zone_new(0, err)) != NULL ? 0 : -1;
	if (!name_ok(name)) {
		esc_name(shown, sizeof shown, name, strnlen(name, 64));
		return err_set(err, ERR_USAGE,
			"'%s' is not the name of a time zone; write one like Europe/Paris or UTC",
			shown);
	}
	if (dir == NULL || *dir == 0)
		dir = "/usr/share/zoneinfo";
	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path)
		return err_set(err, ERR_USAGE, "TZDIR is too long");
	return load_file(path, tz, err);
}

int tz_local(struct tz **tz, struct err *err)
{
	const char *env = getenv("TZ");

	*tz = NULL;
	if (env == NULL) {
		if (load_file("/etc/localtime", tz, err) == 0)
			return 0;
		return err->code == ERR_NOTFOUND ? tz_load("UTC", tz, err) : -1;
	}
	if (*env == ':')
		env++;
	if (*env == 0)
		return tz_load("UTC", tz, err);
	if (*env == '/')
		return load_file(env, tz, err);
	if (tz_load(env, tz, err) == 0)
		return 0;
	if (tz_parse_rule(env, strlen(env), tz, NULL) == 0)
		return 0;
	return err_prefix(err, "the environment's TZ");
}

/* ---- questions ---- */

void tz_span(const struct tz *tz, int64_t t, struct tz_span *span)
{
	size_t low = 0, high = tz->count, mid;

	if (tz->has_rule && t >= tz->rule_from) {
		rule_span(&tz->rule, t, span);
		if (span->start < tz->rule_from)
			span->start = tz->rule_from;
		return;
	}
	while (low < high) { /* the number of changes at or before t */
		mid = (low + high) / 2;
		if (tz->changes[mid].at <= t)
			low = mid + 1;
		else
			high = mid;
	}
	span->start = low > 0 ? tz->changes[low - 1].at : INT64_MIN;
	span->offset = low > 0 ? tz->changes[low - 1].offset : tz->first;
	span->end = low < tz->count ? tz->changes[low].at
		    : tz->has_rule  ? tz->rule_from
				    : INT64_MAX;
}

int64_t tz_instant(const struct tz *tz, int64_t local)
{
	struct tz_span span;
	int32_t before;

	tz_span(tz, local - TZ_OFFSET_MAX, &span);
	before = span.offset;
	for (;;) {
		if (span.start != INT64_MIN && local - span.offset < span.start)
			return local - before;
		if (span.end == INT64_MAX || local - span.offset < span.end)
			return local - span.offset;
		before = span.offset;
		tz_span(tz, span.end, &span);
	}
}
