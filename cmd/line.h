/*
 * Entries as lines of text, as `fdump list` prints them, into a buffer: fast,
 * for there may be millions.
 *
 *   cmd_line_init -> cmd_line_add ..., .out -> cmd_line_fini
 *
 * A struct cmd_line is one thread's own; the zone may be shared.
 */
#ifndef FDUMP_CMD_LINE_H
#define FDUMP_CMD_LINE_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/tz.h"
#include "pack/entry.h"

struct err;

enum cmd_line_format {
	CMD_LINE_NAME,    /* the name, escaped */
	CMD_LINE_NUL,     /* the name as it is, and a NUL */
	CMD_LINE_VERBOSE, /* as `tar -tv` has it */
	CMD_LINE_SUM,     /* as `sha256sum` has it; entries with content only */
	CMD_LINE_JSON,
};

struct cmd_line {
	enum cmd_line_format format;
	bool numeric;        /* owners by number */
	const struct tz *tz; /* for times; borrowed */
	const uint8_t *dump; /* id of the dump that entries are of, for JSON; NULL: none */
	struct buf out;
	/* The last time's zone and day. */
	struct tz_span span;
	int64_t day;
	char date[16];
	size_t date_len;
};

void cmd_line_init(
	struct cmd_line *line, enum cmd_line_format format, bool numeric, const struct tz *tz);
void cmd_line_fini(struct cmd_line *line);

/* Appends the entry to .out. Returns 0, or -1 with err set (ERR_NOMEM, ERR_LIMIT). */
int cmd_line_add(struct cmd_line *line, const struct pack_head *head, const struct pack_tail *tail,
	struct err *err);

#endif
