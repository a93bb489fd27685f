/* Time zone files and rules: any accepted one answers every question, with adjacent spans. Input: 8
 * bytes of time, a file or a rule. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/tz.h"

#define MUST(what) ((what) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct tz *tz, int64_t t)
{
	struct tz_span s, beside;

	tz_span(tz, t, &s);
	MUST(s.start <= t && (t < s.end || s.end == INT64_MAX));
	MUST(s.offset >= TZ_OFFSET_MIN && s.offset <= TZ_OFFSET_MAX);
	if (s.start != INT64_MIN) {
		tz_span(tz, s.start - 1, &beside);
		MUST(beside.end == s.start);
	}
	if (s.end != INT64_MAX) {
		tz_span(tz, s.end, &beside);
		MUST(beside.start == s.end);
	}
}

static void check_zone(struct tz *tz, int64_t t)
{
	int64_t local = t % 300000000000, at;
	struct tz_span s;

	check(tz, t);
	check(tz, local);
	check(tz, INT64_MIN);
	check(tz, INT64_MAX);
	at = tz_instant(tz, local);
	tz_span(tz, at, &s);
	MUST(at + s.offset >= local); /* after it if a gap contains it */
	tz_free(tz);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tz *tz;
	int64_t t;

	if (len < sizeof t)
		return 0;
	memcpy(&t, data, sizeof t);
	data += sizeof t;
	len -= sizeof t;
	if (tz_parse(data, len, &tz, NULL) == 0)
		check_zone(tz, t);
	if (tz_parse_rule((const char *)data, len, &tz, NULL) == 0)
		check_zone(tz, t);
	return 0;
}
