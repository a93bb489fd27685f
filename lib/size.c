#include "lib/size.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *size_print(char text[SIZE_TEXT_MAX], double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t i = 0;

	while (bytes >= 1000 && i + 1 < sizeof units / sizeof *units) {
		bytes /= 1024;
		i++;
	}
	snprintf(
		text, SIZE_TEXT_MAX, i > 0 && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return text;
}

/* Reads a number and one of the letters, each of which has a factor. Returns 0;
 * 1 if there is no letter; -1 if it is malformed or too large. */
static int scaled(const char *text, const char *letters, const uint64_t *factors, uint64_t *value)
{
	const char *letter;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno != 0)
		return -1;
	if (*end == 0)
		return 1;
	letter = strchr(letters, *end);
	if (letter == NULL || end[1] != 0)
		return -1;
	return __builtin_mul_overflow(*value, factors[letter - letters], value) ? -1 : 0;
}

int size_parse_time(const char *text, int64_t *seconds)
{
	static const uint64_t factors[] = {1, 60, 3600, 86400, 7 * 86400, 366 * 86400};
	uint64_t value;

	if (scaled(text, "smhdwy", factors, &value) != 0 || value > INT64_MAX / 4)
		return -1;
	*seconds = (int64_t)value;
	return 0;
}

int size_parse(const char *text, uint64_t *bytes)
{
	static const uint64_t factors[] = {1u << 10, 1u << 20, 1u << 30, (uint64_t)1 << 40};

	return scaled(text, "KMGT", factors, bytes) < 0 ? -1 : 0;
}
