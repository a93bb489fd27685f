/*
 * Counts the fields, then parses from left to right. For an expression with seconds or a year,
 * the message should say that, not that the hour is too large.
 */
#include "cron/cron.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/err.h"
#include "lib/esc.h"

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct field {
	const char *name;
	unsigned low, high;
	const char *const *names; /* the first one is for `low` */
} fields[FIELDS] = {
	{"minute", 0, 59, NULL},
	{"hour", 0, 23, NULL},
	{"day of month", 1, 31, NULL},
	{"month", 1, 12, month_names},
	{"day of week", 0, 7, weekday_names},
};

static const struct {
	const char *name;
	const char *expr;
} nicknames[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
	{"@reboot", NULL},
};
#define NICKNAMES (sizeof nicknames / sizeof nicknames[0])

struct scan {
	const char *expr, *p; /* the whole expression, and the position in it */
	const char *seed;
	unsigned field; /* the enum above; FIELDS: none */
	unsigned item;  /* number of the item in the field's list, from 0 */
	bool random;
	struct cron_where *where;
	struct err *err;
};

/* One item of a list. */
struct range {
	unsigned low, high, step;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

const char *cron_field_name(unsigned field)
{
	return field >= 1 && field <= FIELDS ? fields[field - 1].name : "schedule";
}

/* Sets "FIELD (field N), column C: text". Returns -1. */
static int __attribute__((format(printf, 3, 4)))
fail(struct scan *s, const char *at, const char *fmt, ...)
{
	char text[384];
	unsigned column = (unsigned)(at - s->expr) + 1;
	unsigned field = s->field < FIELDS ? s->field + 1 : 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (s->where != NULL)
		*s->where = (struct cron_where){field, column};
	if (field == 0)
		return err_set(s->err, ERR_USAGE, "column %u: %s", column, text);
	return err_set(s->err, ERR_USAGE, "%s (field %u), column %u: %s", cron_field_name(field),
		field, column, text);
}

/* The escaped text from `at` to the next blank or, if `item`, comma. */
static const char *shown(const char *at, bool item, char out[ESC_MAX(24)])
{
	size_t len = 0;

	while (at[len] != 0 && !is_blank(at[len]) && !(item && at[len] == ',') && len < 24)
		len++;
	esc_name(out, ESC_MAX(24), at, len);
	return out;
}

/* The precision to print the text from start to end, cut if it is long. */
static int span(const char *start, const char *end)
{
	return (int)(end - start > 24 ? 24 : end - start);
}

/* ---- numbers and names ---- */

/* What to write where a value was expected. */
static const char *wanted(const struct field *f)
{
	if (f->names == month_names)
		return "1-12, jan-dec, or *";
	if (f->names == weekday_names)
		return "0-7 (0 and 7 are Sunday), sun-sat, or *";
	return f->high == 59 ? "0-59 or *" : f->high == 23 ? "0-23 or *" : "1-31 or *";
}

/* Reports that no value begins here. */
static int fail_value(struct scan *s)
{
	const struct field *f = &fields[s->field];
	char text[ESC_MAX(24)];

	switch (tolower((unsigned char)*s->p)) {
	case '?':
		return fail(s, s->p, "'?' is not supported; write * for any value");
	case 'l':
		if (s->field == DAY)
			return fail(s, s->p,
				"'L' (the last day) is not supported; write days from 1 to 31");
		break;
	case 0:
	case ' ':
	case '\t':
	case ',':
		return fail(s, s->p, "a value is missing here; write %s", wanted(f));
	case '/':
		return fail(s, s->p, "a step needs a range before it; write */N or %u-%u/N", f->low,
			f->high);
	default:
		break;
	}
	return fail(s, s->p, "'%s' is not a value; write %s", shown(s->p, true, text), wanted(f));
}

static int take_digits(struct scan *s, const char *right, unsigned *value)
{
	const char *start = s->p;
	char text[ESC_MAX(24)];

	for (*value = 0; isdigit((unsigned char)*s->p); s->p++)
		if (*value < 100000)
			*value = *value * 10 + (unsigned)(*s->p - '0');
	if (!isalpha((unsigned char)*s->p) && *s->p != '#' && *s->p != '?')
		return 0;
	if (strchr("lLwW#", *s->p) != NULL)
		return fail(s, s->p,
			"'%c' (last, nearest weekday, n-th weekday) is not supported; remove it",
			*s->p);
	return fail(s, start, "'%s' is not a number; write %s", shown(start, true, text), right);
}

static int take_name(struct scan *s, unsigned *value)
{
	const struct field *f = &fields[s->field];
	const char *start = s->p;
	size_t len, i;

	for (len = 0; isalpha((unsigned char)start[len]) || isdigit((unsigned char)start[len]);
		len++)
		;
	for (i = 0; f->names != NULL && f->names[i] != NULL && len >= 3; i++) {
		if (strncasecmp(start, f->names[i], 3) != 0)
			continue;
		if (len > 3)
			return fail(s, start,
				"'%.*s' is too long; names have three letters, write %s",
				span(start, start + len), start, f->names[i]);
		s->p += 3;
		*value = f->low + (unsigned)i;
		return 0;
	}
	return fail_value(s);
}

static int take_value(struct scan *s, unsigned *value)
{
	const struct field *f = &fields[s->field];
	const char *start = s->p;

	if (isalpha((unsigned char)*s->p))
		return take_name(s, value);
	if (!isdigit((unsigned char)*s->p))
		return fail_value(s);
	if (take_digits(s, wanted(f), value) < 0)
		return -1;
	if (*value < f->low || *value > f->high)
		return fail(s, start, "%.*s is too %s; write %s", span(start, s->p), start,
			*value < f->low ? "small" : "large", wanted(f));
	return 0;
}

/* ---- items ---- */

/* The stable choice defined in SYNTAX.md: FNV-1a of the seed, a NUL, and the numbers of the
 * field and the item; then MurmurHash3's finaliser; then the high half, scaled to count. */
static unsigned choose(const struct scan *s, unsigned count)
{
	const char *p = s->seed;
	const unsigned char tail[3] = {0, (unsigned char)s->field, (unsigned char)s->item};
	uint64_t h = 0xcbf29ce484222325;
	unsigned i;

	for (; *p != 0; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3;
	for (i = 0; i < sizeof tail; i++)
		h = (h ^ tail[i]) * 0x100000001b3;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	h ^= h >> 33;
	return (unsigned)((h >> 32) * count >> 32);
}

/* Checks the order of a range's ends. One that ends in Sunday, written as 0, ends in 7, as in
 * cronie. */
static int check_order(struct scan *s, const char *start, struct range *r, bool random)
{
	char text[ESC_MAX(24)];

	if (s->field == WEEKDAY && r->high == 0 && r->low > 0)
		r->high = 7;
	if (r->low <= r->high)
		return 0;
	if (random)
		return fail(s, start, "'%s' is reversed; write the smaller value first",
			shown(start, true, text));
	return fail(s, start, "'%s' is reversed; write two ranges, %u-%u,%u-%u",
		shown(start, true, text), r->low, s->field == WEEKDAY ? 6 : fields[s->field].high,
		fields[s->field].low, r->high);
}

/* Parses what follows '~': the other end of the range, if there is one. Then chooses a value. */
static int take_random(struct scan *s, const char *start, struct range *r, bool has_low)
{
	const struct field *f = &fields[s->field];

	s->p++;
	s->random = true;
	/* A bare ~ ends on Saturday, so that Sunday is not twice as likely. */
	r->high = s->field == WEEKDAY && !has_low ? 6 : f->high;
	if (*s->p != 0 && *s->p != ',' && *s->p != '/' && !is_blank(*s->p)) {
		if (take_value(s, &r->high) < 0 || check_order(s, start, r, true) < 0)
			return -1;
	}
	if (*s->p == '/')
		return fail(s, s->p,
			"a random range takes no step; write one value for each: 0~29,30~59");
	r->low += choose(s, r->high - r->low + 1);
	r->high = r->low;
	return 0;
}

static int take_range(struct scan *s, struct range *r)
{
	const struct field *f = &fields[s->field];
	const char *start = s->p;

	*r = (struct range){f->low, f->high, 1};
	if (*s->p == '~')
		return take_random(s, start, r, false);
	if (*s->p == '*') {
		s->p++;
	} else {
		if (take_value(s, &r->low) < 0)
			return -1;
		if (*s->p == '~')
			return take_random(s, start, r, true);
		if (*s->p == '/')
			return fail(s, s->p, "a step goes only after * or a range; write %.*s-%u/N",
				span(start, s->p), start, s->field == WEEKDAY ? 6 : f->high);
		if (*s->p != '-') {
			r->high = r->low;
			return 0;
		}
		s->p++;
		if (take_value(s, &r->high) < 0 || check_order(s, start, r, false) < 0)
			return -1;
	}
	if (*s->p != '/')
		return 0;
	start = ++s->p;
	if (!isdigit((unsigned char)*s->p))
		return fail(s, s->p, "a step is missing after '/'; write a number from 1 up");
	if (take_digits(s, "a number from 1 up", &r->step) < 0)
		return -1;
	if (r->step == 0)
		return fail(s, start, "step 0 never moves; write a number from 1 up");
	return 0;
}

/* Parses one field, up to the blank or the end after it. */
static int take_field(struct scan *s, uint64_t *bits)
{
	struct range r;
	unsigned v;
	char text[ESC_MAX(24)];

	*bits = 0;
	for (s->item = 0;; s->item++) {
		if (take_range(s, &r) < 0)
			return -1;
		for (v = r.low; v <= r.high; v += r.step)
			*bits |= UINT64_C(1) << v;
		if (*s->p == 0 || is_blank(*s->p))
			return 0;
		if (*s->p != ',')
			return fail(s, s->p,
				"'%s' makes no sense here; a comma or a blank ends a value",
				shown(s->p, true, text));
		s->p++;
		if (*s->p == 0 || is_blank(*s->p))
			return fail(s, s->p - 1, "nothing follows the comma; remove it");
	}
}

/* ---- the whole ---- */

/* Whether any date in the calendar can match. Only day and month matter: every date, even 29
 * February, falls on every weekday within 400 years. */
static bool has_dates(const struct cron *cron)
{
	static const unsigned char longest[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned m;

	if (!(cron->flags & CRON_BOTH))
		return true; /* a weekday is enough */
	for (m = 1; m <= 12; m++)
		if (cron->months >> m & 1 && cron->days & (UINT32_MAX >> (31 - longest[m - 1])))
			return true;
	return false;
}

static int take_fields(struct scan *s, struct cron *cron)
{
	bool star[FIELDS];
	uint64_t bits[FIELDS];

	for (s->field = 0; s->field < FIELDS; s->field++) {
		while (is_blank(*s->p))
			s->p++;
		star[s->field] = *s->p == '*';
		if (take_field(s, &bits[s->field]) < 0)
			return -1;
	}
	cron->minutes = bits[MINUTE];
	cron->hours = (uint32_t)bits[HOUR];
	cron->days = (uint32_t)bits[DAY];
	cron->months = (uint16_t)bits[MONTH];
	cron->weekdays = (uint8_t)((bits[WEEKDAY] | bits[WEEKDAY] >> 7) & 0x7f);
	cron->flags = (uint8_t)((star[DAY] || star[WEEKDAY] ? CRON_BOTH : 0) |
				(star[MINUTE] || star[HOUR] ? CRON_WALL : 0) |
				(s->random ? CRON_RANDOM : 0));
	if (!has_dates(cron))
		cron->flags |= CRON_NEVER;
	return 0;
}

static int take_nickname(struct scan *s, struct cron *cron)
{
	size_t len = 0, i;
	char text[ESC_MAX(24)];
	const char *behind;

	while (s->p[len] != 0 && !is_blank(s->p[len]))
		len++;
	for (behind = s->p + len; is_blank(*behind); behind++)
		;
	for (i = 0; i < NICKNAMES; i++) {
		if (strlen(nicknames[i].name) != len || memcmp(s->p, nicknames[i].name, len) != 0)
			continue;
		if (*behind != 0)
			return fail(s, behind, "%s stands alone; remove what follows",
				nicknames[i].name);
		if (nicknames[i].expr == NULL) {
			cron->flags = CRON_REBOOT | CRON_NEVER;
			return 0;
		}
		s->expr = s->p = nicknames[i].expr;
		return take_fields(s, cron);
	}
	for (i = 0; i < NICKNAMES; i++)
		if (strlen(nicknames[i].name) == len &&
			strncasecmp(s->p, nicknames[i].name, len) == 0)
			return fail(s, s->p, "'%s' is not known; lower case counts, write %s",
				shown(s->p, false, text), nicknames[i].name);
	return fail(s, s->p,
		"'%s' is not known; write @yearly, @annually, @monthly, @weekly, @daily, "
		"@midnight, "
		"@hourly or @reboot",
		shown(s->p, false, text));
}

/* Checks that there are five fields. */
static int check_shape(struct scan *s)
{
	const char *p = s->p, *sixth = NULL;
	unsigned count = 0;
	char text[ESC_MAX(24)];

	while (*p != 0) {
		if (count++ == FIELDS)
			sixth = p;
		while (*p != 0 && !is_blank(*p))
			p++;
		while (is_blank(*p))
			p++;
	}
	if (count == 0)
		return fail(s, s->p,
			"empty; write five fields (minute, hour, day of month, month, "
			"day of week) or a name like @daily");
	if (count < FIELDS) {
		s->field = count;
		return fail(s, p,
			"missing; there are five fields: minute, hour, day of month, "
			"month, day of week");
	}
	if (sixth == NULL)
		return 0;
	return fail(s, sixth,
		"'%s' is field 6 of %u; cron has five: minute, hour, day of month, month, day of "
		"week (no seconds, no year)",
		shown(sixth, false, text), count);
}

int cron_parse(struct cron *cron, const char *expr, const char *seed, struct cron_where *where,
	struct err *err)
{
	struct scan s = {.expr = expr,
		.p = expr,
		.seed = seed != NULL ? seed : "",
		.field = FIELDS,
		.where = where,
		.err = err};

	memset(cron, 0, sizeof *cron);
	if (strnlen(expr, CRON_EXPR_MAX + 1) > CRON_EXPR_MAX) {
		fail(&s, expr + CRON_EXPR_MAX, "longer than %d bytes", CRON_EXPR_MAX);
		if (err != NULL)
			err->code = ERR_LIMIT;
		return -1;
	}
	while (is_blank(*s.p))
		s.p++;
	if (*s.p == '@')
		return take_nickname(&s, cron);
	if (check_shape(&s) < 0)
		return -1;
	return take_fields(&s, cron);
}
