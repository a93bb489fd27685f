/*
 * printf and localtime are too slow to be called for each entry. Room for the longest possible line
 * is reserved first, then the line is built byte by byte.
 */
#include "cmd/ui/line.h"

#include <stdio.h>
#include <string.h>

#include "cmd/store/dump.h"
#include "cmd/ui/result.h"
#include "cmd/ui/report.h"
#include "cmd/ui/show.h"
#include "lib/civil.h"
#include "lib/err.h"
#include "lib/esc.h"

#define OUT_MAX   (64u << 20) /* bytes of the lines of one block */
#define FIXED_MAX 256         /* bytes of a line besides its names */
#define WIDTH     19          /* columns of owner, group and size, as in tar */

void ui_line_init(
	struct ui_line *line, enum ui_line_format format, bool numeric, const struct tz *tz)
{
	*line = (struct ui_line){.format = format, .numeric = numeric, .tz = tz};
	buf_init(&line->out, OUT_MAX);
	line->span = (struct tz_span){1, 0, 0}; /* empty: no time is in it */
	line->day = INT64_MAX;
}

void ui_line_fini(struct ui_line *line)
{
	buf_fini(&line->out);
}

static bool has_content(const struct pack_head *head)
{
	return head->type == PACK_REGULAR || head->type == PACK_COMMAND;
}

/* --- pieces; each returns where the next begins ---------------------------- */

static char *put(char *to, const void *bytes, size_t len)
{
	memcpy(to, bytes, len);
	return to + len;
}

static char *put_text(char *to, const char *text)
{
	return put(to, text, strlen(text));
}

/* Escaped if necessary; most names are not. */
static char *put_name(char *to, struct pack_bytes name)
{
	size_t i;

	for (i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || name.at[i] > 0x7e || name.at[i] == '\\')
			return to + esc_name(to, ESC_MAX(name.len), name.at, name.len);
	return put(to, name.at, name.len);
}

static char *put_number(char *to, uint64_t n)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return put(to, digits + at, sizeof digits - at);
}

static char *put_two(char *to, unsigned n)
{
	to[0] = (char)('0' + n / 10);
	to[1] = (char)('0' + n % 10);
	return to + 2;
}

static char *put_mode(char *to, const struct pack_head *head)
{
	static const char types[] = "?-dlhpscb-", bits[] = "rwxrwxrwx";
	uint32_t m = head->has & PACK_HAS_MODE ? head->mode : 0;
	int i;

	*to++ = types[head->type];
	for (i = 0; i < 9; i++)
		to[i] = m & 0400u >> i ? bits[i] : '-';
	if (m & 04000)
		to[2] = m & 0100 ? 's' : 'S';
	if (m & 02000)
		to[5] = m & 0010 ? 's' : 'S';
	if (m & 01000)
		to[8] = m & 0001 ? 't' : 'T';
	return to + 9;
}

static char *put_owner(char *to, struct pack_bytes name, bool has, uint32_t id)
{
	if (name.at != NULL)
		return put_name(to, name);
	return has ? put_number(to, id) : put_text(to, "-");
}

/* Owner/group and size, aligned in columns if they fit. */
static char *put_owners(
	char *to, const struct ui_line *line, const struct pack_head *h, const struct pack_tail *t)
{
	static const struct pack_bytes none = {0};
	char *start = to, size[24], *end = size;
	size_t used;

	to = put_owner(to, line->numeric ? none : h->user, h->has & PACK_HAS_UID, h->uid);
	*to++ = '/';
	to = put_owner(to, line->numeric ? none : h->group, h->has & PACK_HAS_GID, h->gid);
	if (h->has & PACK_HAS_RDEV) {
		end = put_number(end, h->rdev_major);
		*end++ = ',';
		end = put_number(end, h->rdev_minor);
	} else {
		end = put_number(end, t->has_content ? t->size : 0);
	}
	used = (size_t)(to - start) + (size_t)(end - size);
	do
		*to++ = ' ';
	while (++used < WIDTH);
	return put(to, size, (size_t)(end - size));
}

/* Local time, to the minute. Remembers the span of the zone and the day. */
static char *put_time(char *to, struct ui_line *line, const struct pack_head *h)
{
	int64_t sec = h->mtime.sec, local, day;
	unsigned left;

	if (!(h->has & PACK_HAS_MTIME) || sec > INT64_MAX / 2 || sec < INT64_MIN / 2)
		return put_text(to, "---------- --:--");
	if (sec < line->span.start || sec >= line->span.end)
		tz_span(line->tz, sec, &line->span);
	local = sec + line->span.offset;
	day = civil_day_of(local);
	if (day != line->day) {
		struct civil_date d = civil_date(day);

		line->day = day;
		line->date_len = (size_t)snprintf(line->date, sizeof line->date, "%04lld-%02u-%02u",
			(long long)d.year, d.month, d.day);
		if (line->date_len >= sizeof line->date)
			line->date_len = sizeof line->date - 1;
	}
	left = (unsigned)(local - day * 86400);
	to = put(to, line->date, line->date_len);
	*to++ = ' ';
	to = put_two(to, left / 3600);
	*to++ = ':';
	return put_two(to, left / 60 % 60);
}

static char *put_verbose(
	char *to, struct ui_line *line, const struct pack_head *h, const struct pack_tail *t)
{
	to = put_mode(to, h);
	*to++ = ' ';
	to = put_owners(to, line, h, t);
	*to++ = ' ';
	to = put_time(to, line, h);
	*to++ = ' ';
	to = put_name(to, h->path);
	if (h->target.at != NULL) {
		to = put_text(to, " -> ");
		to = put_name(to, h->target);
	} else if (h->link.at != NULL) {
		to = put_text(to, " link to ");
		to = put_name(to, h->link);
	}
	if (t->status != PACK_OK) {
		char status[UI_SHOW_STATUS_MAX];

		ui_show_status(status, t);
		to = put_text(to, " [");
		to = put_text(to, status);
		to = put_text(to, "]");
	}
	return to;
}

/* In the format of GNU sha256sum: if a name has a backslash, newline or carriage return it is
 * escaped, and the line begins with a backslash. */
static char *put_sum(char *to, const struct pack_head *h, const struct pack_tail *t)
{
	const uint8_t *p = h->path.at, *end = p + h->path.len;
	bool escape = memchr(p, '\\', h->path.len) != NULL ||
		      memchr(p, '\n', h->path.len) != NULL || memchr(p, '\r', h->path.len) != NULL;

	if (escape)
		*to++ = '\\';
	esc_hex(to, t->sum, HASH_LEN);
	to = put_text(to + 2 * (ptrdiff_t)HASH_LEN, "  ");
	if (h->path.len == 1 && *p == '-')
		to = put_text(to, "./"); /* to sha256sum "-" is standard input */
	for (; p < end; p++) {
		const char *what = *p == '\\'   ? "\\\\"
				   : *p == '\n' ? "\\n"
				   : *p == '\r' ? "\\r"
						: NULL;

		if (what != NULL)
			to = put(to, what, 2);
		else
			*to++ = (char)*p;
	}
	return to;
}

/* --- JSON --------------------------------------------------------------- */

static int put_json(
	struct ui_line *line, const struct pack_head *h, const struct pack_tail *t, struct err *err)
{
	const bool mode = h->has & PACK_HAS_MODE, uid = h->has & PACK_HAS_UID,
		   gid = h->has & PACK_HAS_GID, mtime = h->has & PACK_HAS_MTIME,
		   rdev = h->has & PACK_HAS_RDEV, ok = t->status == PACK_OK;
	/* Beyond a million years only the number is given. */
	const bool date = mtime && h->mtime.sec > -31556952000000 && h->mtime.sec < 31556952000000;
	char time[CIVIL_TEXT_MAX], octal[16], status[UI_SHOW_STATUS_MAX];

	snprintf(octal, sizeof octal, "%04o", h->mode);
	ui_show_status(status, t);
	return ui_result_put(&line->out, "entry", "list.entry",
		(struct ui_field[]){UI_HEX("dump", line->dump, STORE_DUMP_ID),
			UI_BYTES("path", h->path.at, h->path.len),
			UI_STRING("kind", pack_type_name(h->type)),
			UI_STRING("mode", mode ? octal : NULL), UI_INT_IF(uid, "uid", h->uid),
			UI_INT_IF(gid, "gid", h->gid), UI_BYTES("user", h->user.at, h->user.len),
			UI_BYTES("group", h->group.at, h->group.len),
			UI_STRING("mtime", date ? civil_print(time, h->mtime.sec, 0) : NULL),
			UI_INT_IF(mtime, "epoch", h->mtime.sec),
			UI_INT_IF(mtime, "nsec", h->mtime.nsec),
			UI_INT_IF(rdev, "major", h->rdev_major),
			UI_INT_IF(rdev, "minor", h->rdev_minor),
			UI_BYTES("target", h->target.at, h->target.len),
			UI_BYTES("link", h->link.at, h->link.len),
			UI_INT_IF(t->has_content, "size", t->size),
			UI_HEX(t->sparse ? "sparse_sha256" : "sha256",
				t->has_content ? t->sum : NULL, HASH_LEN),
			UI_STRING("status", pack_status_name(t->status)),
			UI_STRING("what", ok ? NULL : status), {0}},
		err);
}

/* --- a line ------------------------------------------------------------- */

int ui_line_add(struct ui_line *line, const struct pack_head *head, const struct pack_tail *tail,
	struct err *err)
{
	size_t room = FIXED_MAX + UI_SHOW_STATUS_MAX + ESC_MAX(head->path.len);
	char *start, *to, name[ESC_MAX(4096)];

	if (line->format == UI_LINE_JSON)
		return put_json(line, head, tail, err);
	if (line->format == UI_LINE_SUM && (!has_content(head) || !tail->has_content))
		return 0;
	if (line->format == UI_LINE_SUM && tail->sparse) {
		esc_name(name, sizeof name, head->path.at, head->path.len);
		ui_say(NULL,
			"%s: left out: a file with more than 1 GiB of holes is kept without the "
			"SHA-256 of all its bytes",
			name);
		return 0;
	}
	if (line->format == UI_LINE_VERBOSE)
		room += ESC_MAX(head->user.len) + ESC_MAX(head->group.len) +
			ESC_MAX(head->target.len) + ESC_MAX(head->link.len);
	start = to = (char *)buf_room(&line->out, room, err);
	if (to == NULL)
		return -1;
	switch (line->format) {
	case UI_LINE_NUL:
		to = put(to, head->path.at, head->path.len);
		*to++ = 0;
		break;
	case UI_LINE_VERBOSE:
		to = put_verbose(to, line, head, tail);
		*to++ = '\n';
		break;
	case UI_LINE_SUM:
		to = put_sum(to, head, tail);
		*to++ = '\n';
		break;
	default:
		to = put_name(to, head->path);
		*to++ = '\n';
	}
	buf_took(&line->out, (size_t)(to - start));
	return 0;
}
