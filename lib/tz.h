/*
 * Time zones by the system's zone database, any number of them at once.
 *
 * tz_load or tz_local -> tz_span, tz_instant -> tz_free. A zone does not
 * change once it is loaded, so any number of threads may use it together.
 * (The C library knows one zone a process, by an environment variable.)
 *
 * The database is read as it is: TZif files, versions 1 to 4, and the rule
 * in their footer for the years after the last entry (RFC 9636, which
 * replaced RFC 8536; the rule's form is POSIX's TZ). Files that count leap
 * seconds ("right/...") are refused. Times and offsets as in lib/civil.h.
 */
#ifndef FDUMP_LIB_TZ_H
#define FDUMP_LIB_TZ_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct tz;

/* A stretch of time with one offset. Neighbours may have the same offset. */
struct tz_span {
	int64_t start;  /* INT64_MIN: has no beginning */
	int64_t end;    /* the first second after it; INT64_MAX: has no end */
	int32_t offset; /* seconds east of UTC, within TZ_OFFSET_MIN and _MAX */
};

#define TZ_OFFSET_MIN (-89999) /* RFC 9636, section 3.2 */
#define TZ_OFFSET_MAX 93599
#define TZ_NAME_MAX   255    /* bytes in a zone's name */
#define TZ_FILE_MAX   262144 /* bytes in a zone's file; real ones have 4,000 */

/* Loads the zone of that name ("Europe/Paris") from the folder that TZDIR
 * names, else /usr/share/zoneinfo. A name is made of letters, digits and
 * "._+-", in parts joined by "/", none of which begins with ".". "UTC" is
 * there without any database. Returns 0 with *tz to be freed with tz_free, or
 * -1 with err set: ERR_USAGE for what is no name, ERR_NOTFOUND for what no
 * zone has, ERR_FORMAT and ERR_LIMIT for a file that is not one, ERR_IO, ERR_NOMEM. */
int tz_load(const char *name, struct tz **tz, struct err *err);

/* The machine's own zone: what the environment's TZ says (a name, with or
 * without a leading ':', an absolute path, or a rule like
 * CET-1CEST,M3.5.0,M10.5.0/3; empty is UTC), else /etc/localtime, else UTC.
 * Returns as tz_load does. */
int tz_local(struct tz **tz, struct err *err);

/* The zone in the bytes of a TZif file. Pure: reads nothing else. Returns 0,
 * or -1 with err set (ERR_FORMAT, ERR_UNSUPPORTED, ERR_NOMEM). */
int tz_parse(const void *bytes, size_t len, struct tz **tz, struct err *err);

/* The zone that a POSIX TZ rule of len bytes describes. Returns as tz_parse. */
int tz_parse_rule(const char *rule, size_t len, struct tz **tz, struct err *err);

void tz_free(struct tz *tz);

/* The span that t lies in. */
void tz_span(const struct tz *tz, int64_t t, struct tz_span *span);

/* The first time at which the zone's clocks show this local time. One that
 * they skip is read with the offset before the gap, and so lies behind it. */
int64_t tz_instant(const struct tz *tz, int64_t local);

#endif
