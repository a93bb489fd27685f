#include "cmd/dump/named.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/esc.h"

#define PREFIX_MIN 4

/* --- the text --------------------------------------------------------------- */

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_id(const char *text, struct dump_named *n)
{
	size_t len = strlen(text), i;

	if (len < PREFIX_MIN || len > 2 * STORE_DUMP_ID)
		return false;
	for (i = 0; i < len; i++) {
		int d = digit((char)tolower((unsigned char)text[i]));

		if (d < 0)
			return false;
		n->id[i / 2] |= (uint8_t)(i % 2 ? d : d << 4);
	}
	n->digits = len;
	return true;
}

/* 2026-11-24, 2026-11-24T06:20 (or with a space), with seconds, with Z; local time without it. A
 * day or a minute means its end. */
static bool parse_time(const char *text, int64_t *time)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
		"%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
	size_t i;

	for (i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm tm = {.tm_isdst = -1, .tm_sec = i >= 2 ? 59 : 0};
		const char *end;

		if (i == 4)
			tm = (struct tm){.tm_hour = 23, .tm_min = 59, .tm_sec = 59, .tm_isdst = -1};
		end = strptime(text, forms[i], &tm);
		if (end == NULL || (*end != 0 && strcmp(end, "Z") != 0))
			continue;
		*time = *end == 'Z' ? timegm(&tm) : mktime(&tm);
		return true;
	}
	return false;
}

int dump_named_parse(struct dump_named *n, const char *text, const char *host, struct err *err)
{
	const char *at = strchr(text, '@'), *slash = strchr(text, '/');
	const char *name = slash != NULL && at != NULL && slash < at ? slash + 1 : text;
	const char *agent = name != text ? text : host;
	size_t agent_len = name != text ? (size_t)(name - 1 - text) : strlen(host);

	*n = (struct dump_named){
		.until = INT64_MAX, .any_host = name == text, .when = at != NULL ? at + 1 : text};
	if ((!n->any_host && !name_ok(agent, agent_len)) ||
		(at != NULL && !name_ok(name, (size_t)(at - name))))
		return err_set(err, ERR_USAGE, "%s: not the name of a dump: " NAME_RULE, text);
	snprintf(n->agent, sizeof n->agent, "%.*s", (int)agent_len, agent);
	if (strcmp(text, "latest") == 0) {
		n->any_name = true;
		return 0;
	}
	if (at == NULL)
		return parse_id(text, n)
			       ? 0
			       : err_set(err, ERR_USAGE,
					 "%s: not a dump: give its id (4 digits or more), "
					 "'latest', or [AGENT/]NAME@latest or @TIME",
					 text);
	snprintf(n->name, sizeof n->name, "%.*s", (int)(at - name), name);
	if (strcmp(at + 1, "latest") != 0 && !parse_time(at + 1, &n->until))
		return err_set(err, ERR_USAGE, "%s: not a time: expected one like 2026-11-24T06:20",
			at + 1);
	return 0;
}

/* --- dumps ------------------------------------------------------------------ */

static bool same_text(const char *text, const char *bytes, size_t len)
{
	return strlen(text) == len && memcmp(text, bytes, len) == 0;
}

/* Remembers a backup of another host, to be named in the message if this host has none. */
static void note_other(struct dump_named *n, const struct store_dump *d)
{
	struct dump_named_other other;
	size_t i;

	snprintf(other.agent, sizeof other.agent, "%.*s", (int)d->agent_len, d->agent);
	snprintf(other.name, sizeof other.name, "%.*s", (int)d->name_len, d->name);
	for (i = 0; i < n->other_count; i++)
		if (strcmp(other.agent, n->others[i].agent) == 0 &&
			strcmp(other.name, n->others[i].name) == 0)
			break;
	if (i == n->other_count && i <= DUMP_NAMED_OTHERS)
		n->other_count++;
	i = i > DUMP_NAMED_OTHERS ? DUMP_NAMED_OTHERS : i;
	assert(n->other_count <= DUMP_NAMED_OTHERS + 1 && i < n->other_count);
	memmove(n->others + 1, n->others, i * sizeof other);
	n->others[0] = other;
}

bool dump_named_is(struct dump_named *n, const struct store_dump *d, int64_t when)
{
	size_t whole = n->digits / 2;

	if (n->digits > 0)
		return memcmp(n->id, d->id, whole) == 0 &&
		       (n->digits % 2 == 0 || (d->id[whole] & 0xf0) == n->id[whole]);
	if (when > n->until)
		return false;
	if (!n->any_name && !same_text(n->name, d->name, d->name_len)) {
		/* The user may have given an agent's name in place of AGENT/NAME. */
		if (n->any_host && same_text(n->name, d->agent, d->agent_len))
			note_other(n, d);
		return false;
	}
	if (same_text(n->agent, d->agent, d->agent_len))
		return true;
	if (n->any_host)
		note_other(n, d);
	return false;
}

int dump_named_none(const struct dump_named *n, const char *text, struct err *err)
{
	char agent[ESC_MAX(STORE_NAME_MAX)], name[ESC_MAX(STORE_NAME_MAX)];
	struct buf list = {.max = SIZE_MAX};
	size_t i;
	int ret = 0;

	if (n->other_count == 0)
		return err_set(
			err, ERR_NOTFOUND, "%s: no such dump (fdump dumps lists them)", text);
	for (i = 0; i < n->other_count && i < DUMP_NAMED_OTHERS && ret == 0; i++) {
		esc_name(agent, sizeof agent, n->others[i].agent, strlen(n->others[i].agent));
		esc_name(name, sizeof name, n->others[i].name, strlen(n->others[i].name));
		ret = buf_addf(&list, err, "%s%s/%s@%s", i > 0 ? ", " : "", agent, name, n->when);
	}
	if (ret == 0)
		err_set(err, ERR_NOTFOUND, "%s: no such dump of this host, %s; name one of: %.*s%s",
			text, n->agent, (int)list.len, (const char *)list.data,
			n->other_count > DUMP_NAMED_OTHERS ? ", ..." : "");
	buf_fini(&list);
	return -1;
}
