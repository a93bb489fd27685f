/*
 * Time zones from the system's zone database, any number at once. (The C
 * library knows one zone per process, set by an environment variable.)
 *
 * tz_load or tz_local -> tz_span, tz_instant -> tz_free. A zone does not change
 * once it is loaded, so any number of threads may use it.
 *
 * Reads TZif files, versions 1 to 4, and the rule in their footer for the years
 * after the last entry (RFC 9636, which replaced RFC 8536; the rule has the
 * form of POSIX's TZ). Files that count leap seconds ("right/...") are refused.
 * Times and offsets are as in lib/civil.h.
 */
#ifndef FDUMP_LIB_TZ_H
#define FDUMP_LIB_TZ_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct tz;

/* A period with one offset. Neighbours may have the same offset. */
struct tz_span {
	int64_t start;  /* INT64_MIN: it has no beginning */
	int64_t end;    /* the first second after it; INT64_MAX: it has no end */
	int32_t offset; /* seconds east of UTC, within TZ_OFFSET_MIN and _MAX */
};

#define TZ_OFFSET_MIN (-89999) /* RFC 9636, section 3.2 */
#define TZ_OFFSET_MAX 93599
#define TZ_NAME_MAX   255    /* bytes in a zone's name */
#define TZ_FILE_MAX   262144 /* bytes in a zone's file; real ones have about 4,000 */

/* Loads the zone of that name ("Europe/Paris") from the folder in TZDIR, else
 * from /usr/share/zoneinfo. A name consists of letters, digits and "._+-", in
 * parts joined by "/", none of which begins with ".". "UTC" needs no database.
 * Returns 0 with *tz set, to be freed with tz_free; or -1 with err set:
 * ERR_USAGE for a malformed name, ERR_NOTFOUND for an unknown one, ERR_FORMAT,
 * ERR_UNSUPPORTED (leap seconds) and ERR_LIMIT for a bad file, ERR_IO,
 * ERR_NOMEM. */
int tz_load(const char *name, struct tz **tz, struct err *err);

/* Loads the machine's own zone: the environment's TZ (a name, with or without a
 * leading ':', an absolute path, or a rule like CET-1CEST,M3.5.0,M10.5.0/3;
 * empty is UTC), else /etc/localtime, else UTC. Returns as tz_load does. err
 * must not be NULL. */
int tz_local(struct tz **tz, struct err *err);

/* Parses the bytes of a TZif file. Pure: reads nothing else. Returns 0, or -1
 * with err set (ERR_FORMAT, ERR_UNSUPPORTED, ERR_NOMEM). Free *tz with tz_free. */
int tz_parse(const void *bytes, size_t len, struct tz **tz, struct err *err);

/* Makes the zone that a POSIX TZ rule of len bytes describes. Returns as
 * tz_parse. */
int tz_parse_rule(const char *rule, size_t len, struct tz **tz, struct err *err);

void tz_free(struct tz *tz);

/* Sets *span to the span that contains t. */
void tz_span(const struct tz *tz, int64_t t, struct tz_span *span);

/* The first time at which the zone's clocks show this local time. A local time
 * that the clocks skip is read with the offset before the gap, so its result is
 * after the gap. */
int64_t tz_instant(const struct tz *tz, int64_t local);

#endif
