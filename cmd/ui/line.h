/*
 * Formats entries as lines of text, as `fdump list` prints them, into a buffer. It is fast, because
 * there may be millions.
 *
 *   ui_line_init -> ui_line_add ..., .out -> ui_line_fini
 *
 * A struct ui_line belongs to one thread; the zone may be shared.
 */
#ifndef FDUMP_CMD_UI_LINE_H
#define FDUMP_CMD_UI_LINE_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/tz.h"
#include "pack/entry.h"

struct err;

enum ui_line_format {
	UI_LINE_NAME,    /* the name, escaped */
	UI_LINE_NUL,     /* the name unchanged, and a NUL */
	UI_LINE_VERBOSE, /* in the format of `tar -tv` */
	UI_LINE_SUM, /* in the format of `sha256sum`; only entries with content. Those with a sparse
			digest (pack/digest.h) are left out, with a message */
	UI_LINE_JSON,
};

struct ui_line {
	enum ui_line_format format;
	bool numeric;        /* owners by number */
	const struct tz *tz; /* for times; borrowed */
	const uint8_t *dump; /* id of the entries' dump, for JSON; NULL: none */
	struct buf out;
	/* Cached: the zone's span and the day of the last time. */
	struct tz_span span;
	int64_t day;
	char date[16];
	size_t date_len;
};

void ui_line_init(
	struct ui_line *line, enum ui_line_format format, bool numeric, const struct tz *tz);
void ui_line_fini(struct ui_line *line);

/* Appends the entry to .out. Returns 0, or -1 with err set (ERR_NOMEM, ERR_LIMIT). */
int ui_line_add(struct ui_line *line, const struct pack_head *head, const struct pack_tail *tail,
	struct err *err);

#endif
