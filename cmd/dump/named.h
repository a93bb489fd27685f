/*
 * A dump as a person names it: its id or at least 4 digits of it; "latest", the last one of this
 * host; [AGENT/]NAME@latest, or @TIME: the last one at that time, in ISO 8601. Pure.
 *
 *   dump_named_parse -> dump_named_is for each dump -> if none was: dump_named_none
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
	/* Its own. */
	uint8_t id[STORE_DUMP_ID];
	size_t digits; /* of the id; 0: by name, and the last one is meant */
	char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	bool any_name, any_host; /* any_host: no AGENT was given */
	int64_t until;           /* seconds since 1970: no later one is meant */
	const char *when;        /* "latest", or the TIME; borrowed */
	/* Of other hosts, if it is any_host; the last first. */
	struct dump_named_other {
		char agent[STORE_NAME_MAX + 1], name[STORE_NAME_MAX + 1];
	} others[DUMP_NAMED_OTHERS + 1];
	size_t other_count;
};

/* text is borrowed. host: this host's name. Returns 0, or -1 with err set: ERR_USAGE. */
int dump_named_parse(struct dump_named *named, const char *text, const char *host, struct err *err);

/* Whether a dump, which was made at this time, may be meant. Of a dump whose record can't be read
 * only .id is there; then ask only what is named by id. Those of other hosts are remembered. */
bool dump_named_is(struct dump_named *named, const struct store_dump *dump, int64_t when);

/* Sets err: there is no such dump, and if other hosts have some, which. Returns -1. */
int dump_named_none(const struct dump_named *named, const char *text, struct err *err);

#endif
