/*
 * The name of a dump on the command line: its id, or at least 4 digits of it; "latest", the last
 * dump of this host; [AGENT/]NAME@latest; or [AGENT/]NAME@TIME, the last dump at that time, in ISO
 * 8601. Pure.
 *
 *   dump_named_parse -> dump_named_is for each dump -> if none matched: dump_named_none
 */
#ifndef FDUMP_CMD_DUMP_NAMED_H
#define FDUMP_CMD_DUMP_NAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/store/dump.h"

struct err;

#define DUMP_NAMED_OTHERS 3 /* names of other hosts' dumps that a message lists */

struct dump_named {
	/* The name, parsed. */
	uint8_t id[STORE_DUMP_ID];
	size_t digits; /* digits of the id; 0: not an id, and the last dump that matches is meant */
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	bool any_name, any_host; /* any_host: no AGENT was given */
	int64_t until;           /* seconds since 1970; only dumps up to then are meant */
	const char *when;        /* "latest", or the TIME; borrowed */
	/* Matching backups of other hosts, if .any_host; the most recent first. */
	struct dump_named_other {
		char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	} others[DUMP_NAMED_OTHERS + 1];
	size_t other_count;
};

/* Parses text, which is borrowed. host: this host's name. Returns 0, or -1 with err set:
 * ERR_USAGE. */
int dump_named_parse(struct dump_named *named, const char *text, const char *host, struct err *err);

/* Whether the name may mean this dump, which was made at `when`. If the dump's record can't be read
 * only its .id is known: then ask only if .digits is not 0. Dumps of other hosts are remembered for
 * dump_named_none. */
bool dump_named_is(struct dump_named *named, const struct store_dump *dump, int64_t when);

/* Sets err to "no such dump", with the matching backups of other hosts if there are any. Returns
 * -1. */
int dump_named_none(const struct dump_named *named, const char *text, struct err *err);

#endif
