#include "lib/size.h"

#include <stddef.h>
#include <stdio.h>

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
